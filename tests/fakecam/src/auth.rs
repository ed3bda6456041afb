//! Basic and Digest (RFC 2617 without qop, RFC 7616 with SHA-256), seen from the camera.

use base64::Engine;
use md5::{Digest, Md5};
use sha2::Sha256;

const REALM: &str = "fakecam";

/// What a camera offers.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) nonce: String,
    pub(crate) md5: bool,
    pub(crate) sha256: bool,
    pub(crate) basic: bool,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn hash(sha256: bool, text: &str) -> String {
    if sha256 { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) }
}

/// SHA-256 of bytes in hexadecimal, as certificates are named.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl Offer {
    /// The challenges, Basic first.
    pub(crate) fn challenges(&self) -> Vec<String> {
        let mut all = Vec::new();
        if self.basic {
            all.push(format!("Basic realm=\"{REALM}\""));
        }
        if self.md5 {
            all.push(format!("Digest realm=\"{REALM}\", nonce=\"{}\"", self.nonce));
        }
        if self.sha256 {
            all.push(format!(
                "Digest realm=\"{REALM}\", nonce=\"{}\", qop=\"auth\", algorithm=SHA-256",
                self.nonce
            ));
        }
        all
    }

    /// Is `authorization` right for this request?
    pub(crate) fn accepts(
        &self,
        authorization: &str,
        method: &str,
        uri: &str,
        (user, password): (&str, &str),
    ) -> bool {
        let Some((scheme, rest)) = authorization.split_once(' ') else { return false };
        if scheme.eq_ignore_ascii_case("basic") {
            let text =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            return self.basic && rest.trim() == text;
        }
        let get = |name| parameter(rest, name);
        let sha256 = match get("algorithm") {
            None => !self.md5 && self.sha256,
            Some(a) if a.eq_ignore_ascii_case("MD5") => false,
            Some(a) if a.eq_ignore_ascii_case("SHA-256") => true,
            Some(_) => return false,
        };
        let offered = if sha256 { self.sha256 } else { self.md5 };
        let same = |name, value: &str| get(name).is_some_and(|v| v == value);
        if !offered
            || !scheme.eq_ignore_ascii_case("digest")
            || !same("username", user)
            || !same("realm", REALM)
            || !same("nonce", &self.nonce)
            || !same("uri", uri)
        {
            return false;
        }
        let one = hash(sha256, &format!("{user}:{REALM}:{password}"));
        let two = hash(sha256, &format!("{method}:{uri}"));
        let want = match (get("qop"), get("nc"), get("cnonce")) {
            (None, ..) if !sha256 => hash(sha256, &format!("{one}:{}:{two}", self.nonce)),
            (Some(qop), Some(nc), Some(cnonce)) => {
                hash(sha256, &format!("{one}:{}:{nc}:{cnonce}:{qop}:{two}", self.nonce))
            }
            _ => return false,
        };
        same("response", &want)
    }
}

/// A parameter's value, quoted or not.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut rest = list.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (value, next.trim_start().trim_start_matches(','))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().into());
        }
        rest = next.trim_start();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2617_without_qop_is_computed_as_by_hand() {
        let one = hash(false, "Mufasa:testrealm@host.com:Circle Of Life");
        assert_eq!(one, "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(hash(false, "GET:/dir/index.html"), "39aff3a2bab6126f332b942af96d3366");
    }

    #[test]
    fn parameters_are_found_quoted_and_bare() {
        let list = r#"username="a, b", nc=00000001,uri="rtsp://h/x?y=z", response="r""#;
        for (name, value) in
            [("username", "a, b"), ("nc", "00000001"), ("URI", "rtsp://h/x?y=z"), ("response", "r")]
        {
            assert_eq!(parameter(list, name).as_deref(), Some(value));
        }
        assert_eq!(parameter(list, "cnonce"), None);
    }

    #[test]
    fn only_offered_schemes_and_the_right_password_are_let_in() {
        let offer = Offer { nonce: "n".into(), md5: false, sha256: false, basic: true };
        let header = "Basic YWRtaW46cGFzcw==";
        assert!(offer.accepts(header, "DESCRIBE", "rtsp://h/", ("admin", "pass")));
        assert!(!offer.accepts(header, "DESCRIBE", "rtsp://h/", ("admin", "other")));
        let offer = Offer { basic: false, md5: true, ..offer };
        assert!(!offer.accepts(header, "DESCRIBE", "rtsp://h/", ("admin", "pass")));
        assert!(!offer.accepts("Digest", "DESCRIBE", "rtsp://h/", ("admin", "pass")));
    }
}
