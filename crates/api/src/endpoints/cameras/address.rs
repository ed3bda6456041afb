//! A camera's address as people paste it.

use stdx::Secret;

use crate::problem::Problem;

/// An RTSP address with the credentials taken out.
#[derive(Debug)]
pub(super) struct Address {
    /// Without credentials.
    pub(super) url: String,
    user: Option<String>,
    password: Option<Secret>,
    /// `rtsp` or `rtsps`, host and port, lower case.
    host: String,
}

fn bad(detail: &str) -> Problem {
    Problem::invalid("camera-url", detail)
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let example = "write it like rtsp://192.168.1.20/stream";
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad(example))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "rtsp" && scheme != "rtsps" {
            return Err(bad("the address begins with rtsp:// or rtsps://"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (credentials, host) = match authority.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, authority),
        };
        let host_chars = |c: char| c.is_alphanumeric() || "-._:[]%".contains(c);
        if host.is_empty() || !host.chars().all(host_chars) {
            return Err(bad(example));
        }
        let (user, password) = match credentials.map(|c| c.split_once(':').unwrap_or((c, ""))) {
            Some((user, password)) => (Some(decode(user)?), Some(decode(password)?)),
            None => (None, None),
        };
        // What follows the colon is a port: a password cut at its first slash is none.
        let port = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map(|(_, p)| p);
        if port.is_some_and(|p| p.parse::<u16>().is_err()) {
            return Err(bad("a password in an address must be percent-encoded"));
        }
        Ok(Self {
            url: format!("{scheme}://{host}{tail}"),
            user: user.filter(|u| !u.is_empty()),
            password: password.filter(|p| !p.is_empty()).map(Secret::new),
            host: format!("{scheme}://{}", host.to_ascii_lowercase()),
        })
    }

    /// User and password: those given apart win over those in the address.
    pub(super) fn credentials(
        &self,
        user: Option<String>,
        password: Option<String>,
    ) -> (Option<String>, Option<Secret>) {
        let user = user.filter(|u| !u.is_empty()).or_else(|| self.user.clone());
        let password = password.filter(|p| !p.is_empty()).map(Secret::new);
        (user, password.or_else(|| self.password.clone()))
    }

    /// Whether a password for one may be sent to the other: same host and port, and not from TLS
    /// to plain.
    pub(super) fn same_host(&self, other: &Self) -> bool {
        self.host == other.host
    }
}

/// Scheme, host and port of a kept address.
pub(super) fn origin(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    url[..end].to_owned()
}

/// Undoes percent-encoding. A percent sign that begins no escape is itself: people paste those.
fn decode(text: &str) -> Result<String, Problem> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
        match (b, digit(i + 1), digit(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).unwrap_or(b'%'));
                i += 3;
            }
            _ => {
                out.push(b);
                i += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|_| bad("the credentials in the address are not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out() {
        for (text, url, user, password) in [
            ("rtsp://h/a?b=c", "rtsp://h/a?b=c", None, None),
            (" RTSPS://u:p@h:322/ ", "rtsps://h:322/", Some("u"), Some("p")),
            ("rtsp://u@h", "rtsp://h", Some("u"), None),
            (
                "rtsp://admin:p%40ss%2F1@[::1]:554/x",
                "rtsp://[::1]:554/x",
                Some("admin"),
                Some("p@ss/1"),
            ),
            ("rtsp://a:b@c@h/x", "rtsp://h/x", Some("a"), Some("b@c")),
            ("rtsp://a:100%@h/x", "rtsp://h/x", Some("a"), Some("100%")),
            ("rtsp://h:554/x@y", "rtsp://h:554/x@y", None, None),
            ("rtsp://h/user@home:1", "rtsp://h/user@home:1", None, None),
        ] {
            let a = Address::parse(text).unwrap();
            let got = (
                a.url.as_str(),
                a.user.as_deref(),
                a.password.as_ref().map(|p| p.reveal().as_str()),
            );
            assert_eq!(got, (url, user, password), "{text}");
        }
        for text in [
            "",
            "192.168.1.20",
            "http://h/",
            "file:///etc/passwd",
            "exec:id",
            "rtsp://",
            "rtsp:///x",
            "rtsp://u:p@/x",
            "rtsp://h h/",
            "rtsp://$(id)/",
            "rtsp://u:%ff@h/",
            "rtsp://a:b/c@h/x",
        ] {
            assert_eq!(Address::parse(text).unwrap_err().code(), "camera-url", "{text}");
        }
    }

    #[test]
    fn the_origin_has_no_path_and_no_query() {
        for (url, want) in [
            ("rtsp://h", "rtsp://h"),
            ("rtsp://[::1]:554/user=a&password=b", "rtsp://[::1]:554"),
            ("rtsps://h?token=x/y", "rtsps://h"),
            ("rtsp://h#x", "rtsp://h"),
        ] {
            assert_eq!(origin(url), want);
        }
    }

    #[test]
    fn another_host_or_less_safety_is_another_place() {
        for (a, b, same) in [
            ("rtsp://h/1", "rtsp://H/2", true),
            ("rtsp://h/1", "rtsp://h:8554/1", false),
            ("rtsps://h/1", "rtsp://h/1", false),
            ("rtsp://h/1", "rtsp://i/1", false),
        ] {
            let (a, b) = (Address::parse(a).unwrap(), Address::parse(b).unwrap());
            assert_eq!(a.same_host(&b), same);
        }
    }
}
