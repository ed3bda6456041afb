//! The server's half: challenges, and the judgement of what comes back.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use stdx::Secret;
use subtle::ConstantTimeEq as _;

use super::{Algorithm, Answer, Fields, field, hex, parse_schemes};
use crate::message::Request;

/// How long a nonce may be used; after that the client is given another, without being asked for
/// the password again.
pub const NONCE_LIFE: Duration = Duration::from_secs(60);
/// Wrong answers after which a connection is closed.
const FAILURES_MAX: u32 = 5;
/// Nonces of one connection whose counts are remembered. Older ones are stale.
const NONCES_MAX: usize = 4;

/// Which hashes are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offer {
    /// MD5 only: every client speaks it.
    #[default]
    Md5,
    /// SHA-256 only: older clients are left outside.
    Sha256,
    /// SHA-256 first, then MD5. Some clients stumble over the first one that they do not know.
    Both,
}

/// Who may come in.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What is protected, shown to people; without quotes and control characters.
    pub realm: String,
    /// Passwords by user name.
    pub users: HashMap<String, Secret<String>>,
    /// Which hashes are offered.
    pub offer: Offer,
    /// Whether Basic is offered and accepted; only for connections that are encrypted.
    pub basic: bool,
}

/// Judges the requests of all connections of one process; shared by reference.
///
/// A nonce is `time, number, MAC` in hexadecimal digits: 8, 8 and 16 bytes. The MAC covers the
/// connection as well, so a nonce overheard on one connection is of no use on another.
#[derive(Debug)]
pub struct ServerAuth {
    config: Config,
    key: Secret<[u8; 32]>,
    /// The instant that nonces count from: the first time anything was asked.
    epoch: OnceLock<Instant>,
    next: AtomicU64,
    /// Stands in for the password of users who do not exist, so that both take the same time.
    nobody: Secret<String>,
}

/// What is remembered of one connection.
#[derive(Debug)]
pub struct Peer {
    id: u64,
    failures: u32,
    /// Nonces seen with `qop=auth`: their numbers and the highest count.
    counts: Vec<(u64, u32)>,
}

impl Peer {
    /// Answers so far that were wrong.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether there were so many that the connection must be closed.
    pub const fn is_exhausted(&self) -> bool {
        self.failures >= FAILURES_MAX
    }
}

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This user asks.
    Ok(String),
    /// No or wrong credentials: 401 with these values of `WWW-Authenticate`.
    Challenge(Vec<String>),
    /// Right, but with a nonce that is used up: 401 with these values, which say `stale=true`.
    Stale(Vec<String>),
}

enum Judged {
    Good(String),
    Missing,
    Old,
    Wrong,
}

impl ServerAuth {
    /// `seed`: random bytes that nobody else knows, new for every process.
    pub fn new(mut config: Config, seed: [u8; 32]) -> Self {
        config.realm.retain(|c| !c.is_control() && c != '"' && c != '\\');
        let nobody = hex(&hmac(&seed, &[b"nobody"]));
        Self {
            config,
            key: Secret::new(seed),
            epoch: OnceLock::new(),
            next: AtomicU64::new(0),
            nobody: Secret::new(nobody),
        }
    }

    /// For a new connection.
    pub fn peer(&self) -> Peer {
        Peer { id: self.next.fetch_add(1, Ordering::Relaxed), failures: 0, counts: Vec::new() }
    }

    /// Judges the `Authorization` of a request; `now` is monotonic.
    pub fn verify(&self, peer: &mut Peer, request: &Request, now: Instant) -> Verdict {
        let judged = match request.headers.get("Authorization") {
            None => Judged::Missing,
            Some(value) => self.judge(peer, request, value, now),
        };
        match judged {
            Judged::Good(user) => Verdict::Ok(user),
            Judged::Old => Verdict::Stale(self.challenges(peer, now, true)),
            Judged::Missing => Verdict::Challenge(self.challenges(peer, now, false)),
            Judged::Wrong => {
                peer.failures = peer.failures.saturating_add(1);
                Verdict::Challenge(self.challenges(peer, now, false))
            }
        }
    }

    fn challenges(&self, peer: &Peer, now: Instant, stale: bool) -> Vec<String> {
        let algorithms: &[Algorithm] = match self.config.offer {
            Offer::Md5 => &[Algorithm::Md5],
            Offer::Sha256 => &[Algorithm::Sha256],
            Offer::Both => &[Algorithm::Sha256, Algorithm::Md5],
        };
        let realm = &self.config.realm;
        let nonce = self.nonce(self.age_ms(now), self.next.fetch_add(1, Ordering::Relaxed), peer);
        let mut values: Vec<String> = algorithms
            .iter()
            .map(|algorithm| {
                let (name, stale) = (algorithm.name(), if stale { ", stale=true" } else { "" });
                format!(
                    "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={name}, \
                     qop=\"auth\"{stale}"
                )
            })
            .collect();
        if self.config.basic {
            values.push(format!("Basic realm=\"{realm}\""));
        }
        values
    }

    fn age_ms(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(*self.epoch.get_or_init(|| now));
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    fn nonce(&self, made_ms: u64, number: u64, peer: &Peer) -> String {
        let (made, number) = (made_ms.to_be_bytes(), number.to_be_bytes());
        let mac = hmac(self.key.reveal(), &[&made, &number, &peer.id.to_be_bytes()]);
        let mut text = hex(&made);
        text.push_str(&hex(&number));
        text.push_str(&hex(mac.get(..16).unwrap_or_default()));
        text
    }

    fn judge(&self, peer: &mut Peer, request: &Request, value: &str, now: Instant) -> Judged {
        if let Some((scheme, token)) = value.trim().split_once(' ')
            && scheme.eq_ignore_ascii_case("Basic")
        {
            return self.judge_basic(token.trim());
        }
        match parse_schemes(value).as_slice() {
            [(scheme, fields)] if scheme.eq_ignore_ascii_case("Digest") => {
                self.judge_digest(peer, request, fields, now).unwrap_or(Judged::Wrong)
            }
            _ => Judged::Wrong,
        }
    }

    fn judge_basic(&self, token: &str) -> Judged {
        let decoded = STANDARD.decode(token).ok().and_then(|b| String::from_utf8(b).ok());
        let decoded = Secret::new(decoded.unwrap_or_default());
        let (user, password) = decoded.reveal().split_once(':').unwrap_or_default();
        let (known, expect) = self.password(user);
        // Hashed first, so that the comparison takes no notice of lengths.
        let same = Sha256::digest(password).ct_eq(&Sha256::digest(expect.reveal()));
        if self.config.basic && known && bool::from(same) {
            Judged::Good(user.to_owned())
        } else {
            Judged::Wrong
        }
    }

    fn password(&self, user: &str) -> (bool, &Secret<String>) {
        let found = self.config.users.get(user);
        (found.is_some(), found.unwrap_or(&self.nobody))
    }

    /// `None` if something is missing or cannot be read.
    fn judge_digest(
        &self,
        peer: &mut Peer,
        request: &Request,
        fields: &Fields<'_>,
        now: Instant,
    ) -> Option<Judged> {
        let nonce = field(fields, "nonce")?;
        let uri = field(fields, "uri")?;
        let response = field(fields, "response")?.to_ascii_lowercase();
        let user = field(fields, "username")?.replace("\\\"", "\"").replace("\\\\", "\\");
        let algorithm =
            field(fields, "algorithm").map_or(Some(Algorithm::Md5), Algorithm::from_name)?;
        let offered = match self.config.offer {
            Offer::Md5 => algorithm == Algorithm::Md5,
            Offer::Sha256 => algorithm == Algorithm::Sha256,
            Offer::Both => algorithm != Algorithm::Md5Sess,
        };
        let counted = match field(fields, "qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                Some((field(fields, "nc")?, field(fields, "cnonce")?))
            }
            Some(_) => return None,
        };
        let (known, password) = self.password(&user);
        let expect = Answer {
            algorithm,
            user: &user,
            realm: &self.config.realm,
            password: password.reveal(),
            method: request.method.as_str(),
            uri,
            nonce,
            counted,
            session: "",
        }
        .response();
        let same = bool::from(response.as_bytes().ct_eq(expect.as_bytes()));
        let Some((made_ms, number)) = self.open_nonce(peer, nonce) else {
            // Not of this connection, or of an earlier process. Nothing was proven or refuted.
            return Some(Judged::Old);
        };
        if !(known && same && offered && is_about(uri, &request.uri)) {
            return Some(Judged::Wrong);
        }
        let life_ms = u64::try_from(NONCE_LIFE.as_millis()).unwrap_or(u64::MAX);
        if self.age_ms(now).saturating_sub(made_ms) > life_ms {
            return Some(Judged::Old);
        }
        if let Some((nc, _)) = counted {
            let nc = u32::from_str_radix(nc, 16).ok()?;
            if !count(&mut peer.counts, number, nc) {
                return Some(Judged::Old);
            }
        }
        Some(Judged::Good(user))
    }

    /// When it was made and its number, if it is one that this connection was given.
    fn open_nonce(&self, peer: &Peer, nonce: &str) -> Option<(u64, u64)> {
        let made_ms = u64::from_str_radix(nonce.get(..16)?, 16).ok()?;
        let number = u64::from_str_radix(nonce.get(16..32)?, 16).ok()?;
        let own = self.nonce(made_ms, number, peer);
        bool::from(own.as_bytes().ct_eq(nonce.as_bytes())).then_some((made_ms, number))
    }
}

/// Notes a use of a nonce; false if that count was used before.
fn count(counts: &mut Vec<(u64, u32)>, number: u64, nc: u32) -> bool {
    if let Some((_, highest)) = counts.iter_mut().find(|(n, _)| *n == number) {
        let newer = nc > *highest;
        *highest = nc.max(*highest);
        return newer;
    }
    // Numbers grow, so one below all that are remembered may have been forgotten.
    if counts.len() >= NONCES_MAX {
        if counts.iter().all(|(n, _)| number < *n) {
            return false;
        }
        let oldest = counts.iter().enumerate().min_by_key(|(_, (n, _))| *n).map(|(i, _)| i);
        counts.swap_remove(oldest.unwrap_or(0));
    }
    counts.push((number, nc));
    true
}

/// Whether the URI that was signed names what is requested. Clients sign the request line, its
/// path alone, the base of the presentation, or a track of it.
fn is_about(signed: &str, requested: &str) -> bool {
    let path = |uri: &'_ str| -> String {
        let after_scheme = uri.split_once("://").map(|(_, rest)| rest);
        let path = after_scheme.map_or(uri, |rest| rest.find('/').map_or("", |i| &rest[i..]));
        path.trim_end_matches('/').to_owned()
    };
    let (a, b) = (path(signed), path(requested));
    let is_child = |parent: &str, child: &str| {
        let rest = child.strip_prefix(parent).and_then(|r| r.strip_prefix('/'));
        rest.is_some_and(|r| !r.is_empty() && !r.contains('/'))
    };
    a == b || is_child(&a, &b) || is_child(&b, &a)
}

/// HMAC-SHA-256 (RFC 2104) with a key of half a block.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let mut inner = Sha256::new();
    inner.update(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(pad(0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests;
