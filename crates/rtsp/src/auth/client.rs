//! The client's half: answers to challenges.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stdx::Secret;

use super::{Algorithm, Answer, Challenge, Digest};
use crate::message::Method;

/// Signs every request of one connection, from the first challenge on.
#[derive(Debug, Clone)]
pub struct ClientAuth {
    user: String,
    password: Secret<String>,
    allow_basic: bool,
    chosen: Option<Challenge>,
    /// Requests signed with the nonce in use.
    count: u32,
    /// Client nonce of the first answer, which MD5-sess keeps.
    session: String,
}

impl ClientAuth {
    /// Knows who we are; answers nothing before the first challenge. Basic is answered if a server
    /// offers nothing better.
    pub fn new(user: &str, password: &Secret<String>) -> Self {
        Self {
            user: user.to_owned(),
            password: password.clone(),
            allow_basic: true,
            chosen: None,
            count: 0,
            session: String::new(),
        }
    }

    /// Whether Basic, which gives the password away on an open wire, may be used.
    #[must_use]
    pub const fn allow_basic(mut self, allow: bool) -> Self {
        self.allow_basic = allow;
        self
    }

    /// Takes the strongest of the challenges for the requests that follow: SHA-256, MD5, Basic.
    /// False if none can be answered; the one in use stays then.
    pub fn challenge(&mut self, challenges: &[Challenge]) -> bool {
        let strength = |c: &Challenge| match c {
            Challenge::Basic { .. } => u8::from(self.allow_basic),
            Challenge::Digest(d) if d.algorithm == Some(Algorithm::Sha256) => 3,
            Challenge::Digest(_) => 2,
        };
        // Of equals the first is the one that the server prefers.
        let Some(best) = challenges.iter().rev().max_by_key(|c| strength(c)) else { return false };
        if strength(best) == 0 {
            return false;
        }
        let nonce = |c: &Challenge| match c {
            Challenge::Digest(d) => Some(d.nonce.clone()),
            Challenge::Basic { .. } => None,
        };
        if self.chosen.as_ref().and_then(nonce) != nonce(best) {
            self.count = 0;
        }
        self.chosen = Some(best.clone());
        true
    }

    /// Whether a challenge has been taken, so that requests are being signed.
    pub const fn is_challenged(&self) -> bool {
        self.chosen.is_some()
    }

    /// Whether the password itself goes over the wire.
    pub const fn is_basic(&self) -> bool {
        matches!(self.chosen, Some(Challenge::Basic { .. }))
    }

    /// The value of `Authorization` for the next request; `uri` exactly as in its first line.
    pub fn authorize(&mut self, method: &Method, uri: &str) -> Option<String> {
        match self.chosen.clone()? {
            Challenge::Basic { .. } => {
                let pair = Secret::new(format!("{}:{}", self.user, self.password.reveal()));
                Some(format!("Basic {}", STANDARD.encode(pair.reveal())))
            }
            Challenge::Digest(digest) => Some(self.digest(&digest, method, uri)),
        }
    }

    fn digest(&mut self, digest: &Digest, method: &Method, uri: &str) -> String {
        self.count = self.count.wrapping_add(1);
        let algorithm = digest.algorithm.unwrap_or(Algorithm::Md5);
        let nc = format!("{:08x}", self.count);
        // Unforeseeable to anybody without the password, which the response is a hash of as well.
        let cnonce = Algorithm::Sha256.hash(&[self.password.reveal(), &digest.nonce, &nc, uri]);
        let cnonce = cnonce.get(..16).unwrap_or_default();
        if self.count == 1 {
            cnonce.clone_into(&mut self.session);
        }
        let response = Answer {
            algorithm,
            user: &self.user,
            realm: &digest.realm,
            password: self.password.reveal(),
            method: method.as_str(),
            uri,
            nonce: &digest.nonce,
            counted: digest.qop_auth.then_some((nc.as_str(), cnonce)),
            session: &self.session,
        }
        .response();
        let user = self.user.replace('\\', "\\\\").replace('"', "\\\"");
        let mut out = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", \
             response=\"{response}\"",
            digest.realm, digest.nonce
        );
        if let Some(algorithm) = digest.algorithm {
            out.push_str(", algorithm=");
            out.push_str(algorithm.name());
        }
        if digest.qop_auth {
            out.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        } else if algorithm == Algorithm::Md5Sess {
            out.push_str(&format!(", cnonce=\"{}\"", self.session));
        }
        if let Some(opaque) = &digest.opaque {
            out.push_str(&format!(", opaque=\"{opaque}\""));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(challenges: &[&str]) -> ClientAuth {
        let mut auth = ClientAuth::new("admin", &Secret::from("pass"));
        assert_eq!(auth.authorize(&Method::Options, "*"), None);
        auth.challenge(&Challenge::parse_all(challenges.iter().copied()));
        auth
    }

    fn sign(auth: &mut ClientAuth) -> String {
        auth.authorize(&Method::Describe, "rtsp://h/x").unwrap_or_default()
    }

    #[test]
    fn the_strongest_challenge_is_answered() {
        let both = "Basic realm=\"b\", Digest realm=\"d\", nonce=\"1\", algorithm=MD5";
        let strong = "Digest realm=\"s\", nonce=\"2\", algorithm=SHA-256, qop=\"auth\"";
        for (challenges, expect) in [
            (&["Basic realm=\"b\""][..], "Basic YWRtaW46cGFzcw=="),
            (&[both], "Digest username=\"admin\", realm=\"d\", nonce=\"1\", uri=\"rtsp://h/x\""),
            (&[both, strong], "Digest username=\"admin\", realm=\"s\""),
            (&[strong, both], "Digest username=\"admin\", realm=\"s\""),
            (&["Negotiate"], ""),
            (&[], ""),
        ] {
            let got = sign(&mut client(challenges));
            assert!(got.starts_with(expect) && got.is_empty() == expect.is_empty(), "{got}");
        }
        let mut careful = ClientAuth::new("u", &Secret::from("p")).allow_basic(false);
        assert!(!careful.challenge(&Challenge::parse_all(["Basic realm=\"b\""])));
    }

    #[test]
    fn without_qop_the_answer_is_short() {
        let mut auth = client(&["Digest realm=\"r\", nonce=\"n\""]);
        let ha1 = Algorithm::Md5.hash(&["admin", "r", "pass"]);
        let ha2 = Algorithm::Md5.hash(&["DESCRIBE", "rtsp://h/x"]);
        let response = Algorithm::Md5.hash(&[&ha1, "n", &ha2]);
        let expect = format!(
            "Digest username=\"admin\", realm=\"r\", nonce=\"n\", uri=\"rtsp://h/x\", \
             response=\"{response}\""
        );
        assert_eq!(sign(&mut auth), expect);
    }

    #[test]
    fn requests_are_counted_per_nonce_and_little_is_quoted() {
        let first = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5, opaque=\"o\"";
        let mut auth = client(&[first]);
        for nc in ["nc=00000001,", "nc=00000002,", "nc=00000003,"] {
            let got = sign(&mut auth);
            for part in [nc, "qop=auth,", "algorithm=MD5,", "opaque=\"o\"", "cnonce=\""] {
                assert!(got.contains(part), "{part} in {got}");
            }
        }
        assert!(
            auth.challenge(&Challenge::parse_all(["Digest nonce=\"m\", qop=auth, stale=true"]))
        );
        assert!(sign(&mut auth).contains("nc=00000001,"));
        assert!(!format!("{auth:?}").contains("pass\""), "prints no password");
    }

    #[test]
    fn a_session_key_is_made_of_the_first_client_nonce() {
        let mut auth = client(&["Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess, qop=auth"]);
        sign(&mut auth);
        let session = auth.session.clone();
        let second = sign(&mut auth);
        let cnonce = second.split("cnonce=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_ne!(cnonce, session);
        let ha1 = Algorithm::Md5.hash(&["admin", "r", "pass"]);
        let ha1 = Algorithm::Md5.hash(&[&ha1, "n", &session]);
        let ha2 = Algorithm::Md5.hash(&["DESCRIBE", "rtsp://h/x"]);
        let response = Algorithm::Md5.hash(&[&ha1, "n", "00000002", cnonce, "auth", &ha2]);
        assert!(second.contains(&format!("response=\"{response}\"")), "{second}");
    }
}
