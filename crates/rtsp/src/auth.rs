//! Digest (RFC 2069, RFC 7616) and Basic (RFC 7617) authentication, both ends.
//!
//! Not here: where passwords are kept, and randomness, which is always handed in. Nothing of this
//! file prints a password.

mod client;
mod server;

use md5::Md5;
use sha2::{Digest as _, Sha256};

pub use client::ClientAuth;
pub use server::{Config, NONCE_LIFE, Offer, Peer, ServerAuth, Verdict};

/// Most challenges of one answer that are looked at.
const CHALLENGES_MAX: usize = 8;
/// Most parameters of one challenge or one `Authorization`.
const FIELDS_MAX: usize = 32;

/// The hash of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, what is meant where nothing is said.
    Md5,
    /// MD5 with a session key made of the first nonces; as a client only.
    Md5Sess,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Md5, Self::Md5Sess, Self::Sha256]
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// The hash of `parts` joined by colons, in lower-case hexadecimal digits.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// How a server wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// The password itself, in base64.
    Basic {
        /// What is protected.
        realm: String,
    },
    /// A hash of the password and of a number used once.
    Digest(Digest),
}

/// The parameters of a digest challenge. Quoted values stand here as between the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// What is protected.
    pub realm: String,
    /// The server's number used once.
    pub nonce: String,
    /// To be sent back unchanged.
    pub opaque: Option<String>,
    /// The hash; `None` when not said, which means MD5.
    pub algorithm: Option<Algorithm>,
    /// Whether `qop=auth` is offered; if not, the answer is that of RFC 2069.
    pub qop_auth: bool,
    /// The credentials were right, only the nonce was too old.
    pub stale: bool,
}

impl Challenge {
    /// Every challenge of the `WWW-Authenticate` headers that can be answered, in order: several
    /// headers, and several challenges within one.
    pub fn parse_all<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut found = Vec::new();
        for value in values {
            for (scheme, fields) in parse_schemes(value) {
                if found.len() < CHALLENGES_MAX {
                    found.extend(Self::from_fields(scheme, &fields));
                }
            }
        }
        found
    }

    fn from_fields(scheme: &str, fields: &Fields<'_>) -> Option<Self> {
        let text = |name: &str| field(fields, name).map(str::to_owned);
        if scheme.eq_ignore_ascii_case("Basic") {
            return Some(Self::Basic { realm: text("realm").unwrap_or_default() });
        }
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let algorithm = match field(fields, "algorithm") {
            Some(name) => Some(Algorithm::from_name(name)?),
            None => None,
        };
        let qop_auth = match field(fields, "qop") {
            Some(list) if list.trim().is_empty() => false,
            Some(list) if list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
            // Only auth-int, which nobody speaks in RTSP.
            Some(_) => return None,
            None => false,
        };
        Some(Self::Digest(Digest {
            realm: text("realm").unwrap_or_default(),
            nonce: text("nonce")?,
            opaque: text("opaque"),
            algorithm,
            qop_auth,
            stale: field(fields, "stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
        }))
    }
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn field<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v)
}

/// `Scheme a=b, c="d", Other e=f` in its parts. Values lose their quotes, nothing else: what
/// stands between the quotes is what is hashed (RFC 2617, section 1.2, `unq`).
fn parse_schemes(text: &str) -> Vec<(&str, Fields<'_>)> {
    let mut schemes: Vec<(&str, Fields<'_>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if rest.is_empty() || schemes.len() > CHALLENGES_MAX {
            return schemes;
        }
        let Some(value) = after.trim_start().strip_prefix('=') else {
            // A lone quote is passed over, so that the loop always goes on.
            rest = after.strip_prefix('"').unwrap_or(after);
            if !word.is_empty() {
                schemes.push((word, Fields::new()));
            }
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted),
            None => value.split_at(value.find([' ', '\t', ',']).unwrap_or(value.len())),
        };
        rest = after;
        if let Some((_, fields)) = schemes.last_mut()
            && fields.len() < FIELDS_MAX
        {
            fields.push((word, value));
        }
    }
}

/// Splits at the closing quote, which may be missing, and drops it.
fn split_quoted(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return (text.get(..i).unwrap_or(""), text.get(i + 1..).unwrap_or("")),
            _ => {}
        }
    }
    (text, "")
}

/// What goes into a digest response (RFC 7616, section 3.4.1).
struct Answer<'a> {
    algorithm: Algorithm,
    user: &'a str,
    realm: &'a str,
    password: &'a str,
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    /// `nc` and `cnonce` of `qop=auth`; without them the answer is that of RFC 2069.
    counted: Option<(&'a str, &'a str)>,
    /// The client nonce of MD5-sess.
    session: &'a str,
}

impl Answer<'_> {
    fn response(&self) -> String {
        let hash = |parts: &[&str]| self.algorithm.hash(parts);
        let mut ha1 = hash(&[self.user, self.realm, self.password]);
        if self.algorithm == Algorithm::Md5Sess {
            ha1 = hash(&[&ha1, self.nonce, self.session]);
        }
        let ha2 = hash(&[self.method, self.uri]);
        match self.counted {
            Some((nc, cnonce)) => hash(&[&ha1, self.nonce, nc, cnonce, "auth", &ha2]),
            None => hash(&[&ha1, self.nonce, &ha2]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_those_of_the_standards() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let new = Answer {
            algorithm: Algorithm::Md5,
            user: "Mufasa",
            realm: "http-auth@example.org",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            nonce,
            counted: Some(("00000001", cnonce)),
            session: cnonce,
        };
        // RFC 7616, section 3.9.1.
        assert_eq!(new.response(), "8ca523f5e9506fed4657c9700eebdbec");
        let sha = Answer { algorithm: Algorithm::Sha256, ..new };
        let expect = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert_eq!(sha.response(), expect);
        // RFC 2069, section 2.4, with erratum 749.
        let old = Answer {
            realm: "testrealm@host.com",
            password: "CircleOfLife",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            counted: None,
            algorithm: Algorithm::Md5,
            ..sha
        };
        assert_eq!(old.response(), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn challenges_are_parsed_from_lists_and_lines() {
        let digest = |realm: &str, nonce: &str| Digest {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: None,
            algorithm: None,
            qop_auth: false,
            stale: false,
        };
        let basic = || Challenge::Basic { realm: "x, y".to_owned() };
        let many = [
            "Basic realm=\"x, y\", Digest realm=\"a\\\"b\", nonce=n1,algorithm=sha-256 , qop=\"auth-int, AUTH\"",
            "digest  nonce = \"n2\" , stale=TRUE, opaque=\"\", algorithm=MD5-sess",
            "Negotiate, Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256",
            "Digest realm=\"no nonce\"",
            "Digest nonce=\"n\", qop=\"auth-int\"",
        ];
        let expect = vec![
            basic(),
            Challenge::Digest(Digest {
                algorithm: Some(Algorithm::Sha256),
                qop_auth: true,
                ..digest("a\\\"b", "n1")
            }),
            Challenge::Digest(Digest {
                algorithm: Some(Algorithm::Md5Sess),
                stale: true,
                opaque: Some(String::new()),
                ..digest("", "n2")
            }),
        ];
        assert_eq!(Challenge::parse_all(many), expect);
    }

    #[test]
    fn broken_challenges_do_no_harm() {
        let full = "Digest realm=\"a\\\"b\", nonce=\"n\" , =x, \"q\" Basic realm=\u{e9}";
        for (i, _) in full.char_indices() {
            Challenge::parse_all([&full[..i], &full[i..]]);
        }
        for bad in ["", ",,,", "=", "\"", "Digest nonce=\"", "Digest =", "Digest nonce", "a=\"b"] {
            assert!(Challenge::parse_all([bad]).iter().all(|c| match c {
                Challenge::Digest(d) => d.nonce.is_empty(),
                Challenge::Basic { .. } => false,
            }));
        }
        let many = "Basic realm=a, ".repeat(1_000);
        assert_eq!(Challenge::parse_all([many.as_str()]).len(), CHALLENGES_MAX);
    }
}
