//! RTSP URLs (RFC 2326, section 3.2), as far as a camera needs them: which host, which port,
//! which path; and how the many wrong base and control addresses of cameras are understood.
//!
//! User and password never become part of a [`Url`], so they cannot leak from one.

use std::fmt;

use stdx::Secret;

use crate::Error;
use crate::quirk::{Quirk, QuirkCounts};

/// The port when none is named.
pub const PORT: u16 = 554;
/// The port of `rtsps` when none is named.
pub const PORT_TLS: u16 = 322;
/// Longest URL that is read, bytes.
pub const URL_BYTES_MAX: usize = 4 << 10;

/// An absolute `rtsp://` or `rtsps://` address without user and password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    tls: bool,
    host: String,
    port: u16,
    /// Path and query; empty or starting with `/` or `?`.
    path: String,
}

impl Url {
    /// Reads an address; user and password in it are dropped.
    ///
    /// # Errors
    /// `Malformed` or `Unsupported` with the part that is wrong, `TooLarge`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self::parse_with_user(text)?.0)
    }

    /// Reads an address, and user and password apart (percent-decoded) if there are any.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn parse_with_user(text: &str) -> Result<(Self, Option<(String, Secret)>), Error> {
        let text = text.trim();
        if text.len() > URL_BYTES_MAX {
            return Err(Error::TooLarge("address"));
        }
        if text.contains(|c: char| c.is_control() || c == ' ') {
            return Err(Error::Malformed("blank or control character in the address"));
        }
        let (scheme, rest) =
            text.split_once("://").ok_or(Error::Malformed("it must begin with rtsp://"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtspt" => false,
            "rtsps" => true,
            _ => return Err(Error::Unsupported("only rtsp:// and rtsps:// are known")),
        };
        let (user, host, port, path) = split(rest);
        if host.is_empty() {
            return Err(Error::Malformed("no host"));
        }
        let port = match port {
            "" => {
                if tls {
                    PORT_TLS
                } else {
                    PORT
                }
            }
            digits => digits.parse().ok().filter(|p| *p > 0).ok_or(Error::Malformed("port"))?,
        };
        let path = path.split('#').next().unwrap_or("");
        let url = Self { tls, host: host.to_ascii_lowercase(), port, path: path.to_owned() };
        Ok((url, user.map(credentials)))
    }

    /// `rtsps`.
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// Name or address, lower case; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, named or usual.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, empty or beginning with `/` or `?`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same place with another path (and query).
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let slash = if path.is_empty() || path.starts_with(['/', '?']) { "" } else { "/" };
        Self { path: format!("{slash}{path}"), ..self.clone() }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.tls { ("rtsps", PORT_TLS) } else { ("rtsp", PORT) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// User info, host (brackets kept), port, path of what follows `://`.
fn split(rest: &str) -> (Option<&str>, &str, &str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (mut authority, mut path) = rest.split_at(end);
    // People do not encode a slash or a question mark in a password. What is behind the last @
    // is the host, unless no port or name could stand there.
    if !authority.contains('@')
        && authority.contains(':')
        && let Some(at) = rest.rfind('@')
        && authority.rsplit(':').next().is_some_and(|p| p.parse::<u16>().is_err())
        && !authority.starts_with('[')
    {
        let end =
            rest.get(at..).and_then(|r| r.find(['/', '?', '#'])).map_or(rest.len(), |e| at + e);
        (authority, path) = rest.split_at(end);
    }
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    let (host, port) = if let Some(close) = place.find(']') {
        let (host, port) = place.split_at(close + 1);
        (host, port.strip_prefix(':').unwrap_or(port))
    } else if place.matches(':').count() > 1 {
        bare_v6(place)
    } else {
        place.split_once(':').unwrap_or((place, ""))
    };
    (user, host, port, path)
}

/// `::ffff:192.0.2.5` without brackets is its IPv4 part; the port may follow.
fn bare_v6(place: &str) -> (&str, &str) {
    let lower = place.to_ascii_lowercase();
    match lower.find("::ffff:") {
        Some(at) => {
            let v4 = place.get(at + 7..).unwrap_or("");
            v4.split_once(':').unwrap_or((v4, ""))
        }
        None => ("", ""),
    }
}

fn credentials(info: &str) -> (String, Secret) {
    let (user, password) = info.split_once(':').unwrap_or((info, ""));
    (percent_decode(user), Secret::new(percent_decode(password)))
}

pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        let pair = if byte == b'%' { hex(at + 1).zip(hex(at + 2)) } else { None };
        match pair.and_then(|(hi, lo)| u8::try_from(hi * 16 + lo).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The base that controls are joined to, from Content-Base, Content-Location or the request: the
/// camera's path on the host and port we are connected to.
pub fn base(raw: &str, connected: &Url, quirks: &mut QuirkCounts) -> Url {
    let mut text = raw.trim();
    if text.is_empty() {
        return connected.clone();
    }
    let mut schemes = 0;
    while let Some(rest) = strip_scheme(text) {
        schemes += 1;
        text = rest;
    }
    if schemes > 1 {
        quirks.add(Quirk::UrlBaseDouble);
    }
    if schemes == 0 {
        if text.starts_with(['/', '?']) {
            return connected.with_path(text);
        }
        quirks.add(Quirk::UrlBaseNoScheme);
    }
    let (_, host, port, path) = split(text);
    if text.to_ascii_lowercase().starts_with("::ffff:") {
        quirks.add(Quirk::UrlBaseV4mapped);
    }
    let port_differs = !port.is_empty() && port.parse() != Ok(connected.port);
    if !host.eq_ignore_ascii_case(&connected.host) || port_differs {
        quirks.add(Quirk::UrlBaseOtherHost);
    }
    connected.with_path(path.split('#').next().unwrap_or(""))
}

fn strip_scheme(text: &str) -> Option<&str> {
    ["rtsp://", "rtsps://", "rtspt://"].iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| text.get(scheme.len()..).unwrap_or(""))
    })
}

/// The address of a media from its `a=control`. `by_the_book` resolves relative controls as
/// RFC 3986 does; otherwise they are appended, which is what most cameras expect.
pub fn join(base: &Url, control: &str, by_the_book: bool, quirks: &mut QuirkCounts) -> Url {
    let control = control.trim();
    if control.is_empty() || control == "*" {
        return base.clone();
    }
    if strip_scheme(control).is_some() {
        return self::base(control, base, quirks);
    }
    if by_the_book {
        let path = base.path.split('?').next().unwrap_or("");
        return match control.chars().next() {
            Some('/') => base.with_path(control),
            Some('?') => base.with_path(&format!("{path}{control}")),
            _ => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                base.with_path(&format!("{folder}/{control}"))
            }
        };
    }
    if base.path.contains('?') || !base.path.ends_with('/') {
        quirks.add(Quirk::UrlControlJoin);
    }
    let control = control.strip_prefix('/').unwrap_or(control);
    let slash = if base.path.ends_with('/') { "" } else { "/" };
    base.with_path(&format!("{}{slash}{control}", base.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_without_their_secrets() {
        for (text, shown, port) in [
            ("rtsp://cam/", "rtsp://cam/", 554),
            ("RTSP://Cam:8554", "rtsp://cam:8554", 8554),
            ("rtsps://cam/x?a=b#c", "rtsps://cam/x?a=b", 322),
            ("rtsps://cam:322", "rtsps://cam", 322),
            (" rtsp://u:p@192.0.2.1:554/a ", "rtsp://192.0.2.1/a", 554),
            ("rtsp://u:p@x@h/a", "rtsp://h/a", 554),
            ("rtsp://u:p/w?d@h:1/a", "rtsp://h:1/a", 1),
            ("rtsp://h:1/a@b", "rtsp://h:1/a@b", 1),
            ("rtsp://[2001:DB8::1]:99/a", "rtsp://[2001:db8::1]:99/a", 99),
            ("rtsp://::ffff:192.0.2.5:8554/a", "rtsp://192.0.2.5:8554/a", 8554),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.port()), (shown, port), "{text}");
        }
        let (_, user) = Url::parse_with_user("rtsp://a%40b:p%zz%2f@h/").unwrap();
        let (user, password) = user.unwrap();
        assert_eq!((user.as_str(), password.reveal().as_str()), ("a@b", "p%zz/"));
    }

    #[test]
    fn bad_addresses_say_what_is_wrong() {
        for (text, expect) in [
            ("cam/x", Error::Malformed("it must begin with rtsp://")),
            ("http://cam/x", Error::Unsupported("only rtsp:// and rtsps:// are known")),
            ("rtsp:///x", Error::Malformed("no host")),
            ("rtsp://h:0/x", Error::Malformed("port")),
            ("rtsp://h:65536/", Error::Malformed("port")),
            ("rtsp://h/a b", Error::Malformed("blank or control character in the address")),
            ("rtsp://1:2:3/", Error::Malformed("no host")),
        ] {
            assert_eq!(Url::parse(text), Err(expect), "{text}");
        }
        let long = format!("rtsp://h/{}", "a".repeat(5_000));
        assert_eq!(Url::parse(&long), Err(Error::TooLarge("address")));
    }

    #[test]
    fn bases_stay_on_the_connected_host() {
        use Quirk as Q;
        let connected = Url::parse("rtsp://192.0.2.5/stream0?x=1").unwrap();
        let cases: [(&str, &str, &[Quirk]); 9] = [
            ("", "rtsp://192.0.2.5/stream0?x=1", &[]),
            ("rtsp://192.0.2.5/stream0/", "rtsp://192.0.2.5/stream0/", &[]),
            ("192.0.2.5:554/stream0/", "rtsp://192.0.2.5/stream0/", &[Q::UrlBaseNoScheme]),
            ("rtsp://rtsp://192.0.2.5/s", "rtsp://192.0.2.5/s", &[Q::UrlBaseDouble]),
            ("rtsp://::ffff:192.0.2.5/s", "rtsp://192.0.2.5/s", &[Q::UrlBaseV4mapped]),
            ("rtsp://10.9.9.9/s?a=b", "rtsp://192.0.2.5/s?a=b", &[Q::UrlBaseOtherHost]),
            ("rtsp://192.0.2.5:8554/s", "rtsp://192.0.2.5/s", &[Q::UrlBaseOtherHost]),
            ("rtsp://u:p@192.0.2.5/s", "rtsp://192.0.2.5/s", &[]),
            ("/only/path", "rtsp://192.0.2.5/only/path", &[]),
        ];
        for (raw, expect, quirks) in cases {
            let mut counts = QuirkCounts::default();
            assert_eq!(base(raw, &connected, &mut counts).to_string(), expect, "{raw}");
            let seen: Vec<Quirk> = counts.list().into_iter().map(|(q, _)| q).collect();
            assert_eq!(seen, quirks, "{raw}");
        }
    }

    #[test]
    fn controls_are_joined_as_cameras_expect_or_by_the_book() {
        for (base, control, expect, book) in [
            ("rtsp://h/s/", "trackID=1", "rtsp://h/s/trackID=1", "rtsp://h/s/trackID=1"),
            ("rtsp://h/s", "trackID=1", "rtsp://h/s/trackID=1", "rtsp://h/trackID=1"),
            ("rtsp://h/a/s?c=1", "t=1", "rtsp://h/a/s?c=1/t=1", "rtsp://h/a/t=1"),
            ("rtsp://h/s?c=1", "?t=1", "rtsp://h/s?c=1/?t=1", "rtsp://h/s?t=1"),
            ("rtsp://h/s", "*", "rtsp://h/s", "rtsp://h/s"),
            ("rtsp://h/s", "", "rtsp://h/s", "rtsp://h/s"),
            ("rtsp://h/s", "rtsp://10.0.0.1:9/t?x", "rtsp://h/t?x", "rtsp://h/t?x"),
            ("rtsp://h", "t", "rtsp://h/t", "rtsp://h/t"),
        ] {
            let base = Url::parse(base).unwrap();
            let mut quirks = QuirkCounts::default();
            assert_eq!(join(&base, control, false, &mut quirks).to_string(), expect, "{control}");
            assert_eq!(join(&base, control, true, &mut quirks).to_string(), book, "{control}");
        }
    }
}
