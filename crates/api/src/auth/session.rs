//! Session tokens and their cookie. The token is 256 random bits that only the browser keeps; the
//! registry has its SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use media::Wall;
use sha2::{Digest, Sha256};
use stdx::{Result, Secret};
use store::registry::Session;

use super::Peer;
use super::password::fill;

/// A session that was not used for this long has ended.
pub(crate) const IDLE_US: i64 = 12 * 3_600 * 1_000_000;
/// A session ends after this long whatever happens.
pub(crate) const ABSOLUTE_S: i64 = 30 * 24 * 3_600;
/// How exactly the last use is kept: one write a minute, not one per request.
pub(crate) const TOUCH_US: i64 = 60 * 1_000_000;

/// The cookie over TLS. The prefix makes browsers refuse one that was set for other hosts, over
/// plain HTTP or for a path.
const COOKIE_TLS: &str = "__Host-khien";
/// The cookie on plain loopback, where browsers refuse the prefix.
const COOKIE_PLAIN: &str = "khien";

const fn cookie_name(peer: &Peer) -> &'static str {
    if peer.tls { COOKIE_TLS } else { COOKIE_PLAIN }
}

/// A fresh token as it is handed out, and the hash that is kept.
pub(crate) fn token() -> Result<(Secret, [u8; 32])> {
    let mut bytes = [0_u8; 32];
    fill(&mut bytes)?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash(&text);
    Ok((Secret::new(text), hash))
}

/// SHA-256 of a token's text.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The hash of the token in the request's cookie. Two cookies of the name are none: one of them
/// may be somebody else's.
pub(crate) fn presented(headers: &HeaderMap, peer: &Peer) -> Option<[u8; 32]> {
    let name = cookie_name(peer);
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        for pair in line.to_str().ok()?.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if key == name && found.replace(value).is_some() {
                return None;
            }
        }
    }
    found.filter(|v| v.len() == 43).map(hash)
}

/// Whether the request carries any cookie of ours, good or bad.
pub(crate) fn has_cookie(headers: &HeaderMap) -> bool {
    headers.contains_key(header::COOKIE)
}

/// The `Set-Cookie` that hands out a token, or takes it back with `None`.
pub(crate) fn cookie(peer: &Peer, token: Option<&Secret>) -> HeaderValue {
    let (value, age) = token.map_or(("", 0), |t| (t.reveal().as_str(), ABSOLUTE_S));
    let secure = if peer.tls { "; Secure" } else { "" };
    let name = cookie_name(peer);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    let mut value =
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("khien="));
    value.set_sensitive(true);
    value
}

/// Whether a session is still good.
pub(crate) const fn alive(session: &Session, now: Wall) -> bool {
    now.0 < session.expires.0 && now.us_since(session.last_seen) < IDLE_US
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|l| (header::COOKIE, HeaderValue::from_str(l).unwrap())).collect()
    }

    #[test]
    fn cookies_are_read_strictly() {
        let (token, want) = token().unwrap();
        let t = token.reveal();
        let tls = Peer { tls: true, ..Peer::unknown() };
        let plain = Peer::unknown();
        for (peer, lines, good) in [
            (&tls, vec![format!("__Host-khien={t}")], true),
            (&tls, vec![format!("a=b; __Host-khien={t} ;c")], true),
            (&tls, vec!["a=b".to_owned(), format!("__Host-khien={t}")], true),
            (&tls, vec![format!("khien={t}")], false),
            (&plain, vec![format!("khien={t}")], true),
            (&plain, vec![format!("__Host-khien={t}")], false),
            (&plain, vec![format!("khien={t}; khien={t}")], false),
            (&plain, vec!["khien=x".to_owned(), format!("khien={t}")], false),
            (&plain, vec![format!("khien={t}x")], false),
            (&plain, vec![format!("xkhien={t}")], false),
            (&plain, vec![], false),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let got = presented(&headers(&lines), peer);
            assert_eq!(got, good.then_some(want), "{lines:?}");
        }
    }

    #[test]
    fn cookie_flags() {
        let token = Secret::from("T");
        let tls = Peer { tls: true, ..Peer::unknown() };
        for (peer, token, want) in [
            (
                &tls,
                Some(&token),
                "__Host-khien=T; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000; Secure",
            ),
            (&tls, None, "__Host-khien=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure"),
            (
                &Peer::unknown(),
                Some(&token),
                "khien=T; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000",
            ),
        ] {
            let value = cookie(peer, token);
            assert_eq!(value.to_str().unwrap(), want);
            assert!(value.is_sensitive());
        }
    }

    #[test]
    fn tokens_differ() {
        let (a, b) = (token().unwrap(), token().unwrap());
        assert!(a.0 != b.0 && a.1 != b.1 && a.0.reveal().len() == 43);
    }

    #[test]
    fn sessions_end_by_idleness_and_by_age() {
        let session = Session {
            token_sha256: [0; 32],
            user: String::new(),
            created: Wall(0),
            last_seen: Wall(100),
            expires: Wall(2 * IDLE_US),
            agent: String::new(),
            address: String::new(),
        };
        for (now, good) in [
            (100, true),
            (99 + IDLE_US, true),
            (100 + IDLE_US, false),
            (2 * IDLE_US, false),
            (i64::MAX, false),
        ] {
            assert_eq!(alive(&session, Wall(now)), good, "{now}");
        }
        let busy = Session { last_seen: Wall(2 * IDLE_US - 1), ..session };
        assert!(!alive(&busy, Wall(2 * IDLE_US)));
    }
}
