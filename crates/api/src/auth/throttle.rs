//! Guessing is slow: failed log-ins lock what they came from and what they aimed at for a while.
//! In memory only: a restart forgets, an attacker cannot cause one.
//!
//! Two counters, because each alone has a hole: the address (a guesser, at one account or at many)
//! and the account (many guessers). The second one would let anybody keep an owner out, so it does
//! not bind an address from which somebody has logged in to that account lately: see
//! docs/design/0006-log-in-locks.md.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_secs(30);
/// So many lock an address, and an account.
const FAILURES_MAX: u32 = 5;
/// For how long. That of an address doubles each time, up to [`LOCK_MAX`].
const LOCK: Duration = Duration::from_secs(300);
/// Longest lock.
const LOCK_MAX: Duration = Duration::from_secs(3_600);
/// A lock's length is forgotten after this much peace.
const FORGET: Duration = Duration::from_secs(24 * 3_600);
/// Whoever logged in from an address is known there for as long as a session can last.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Most counters, and most known pairs; the eighth that stirred least recently makes room.
const ENTRIES_MAX: usize = 8_192;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Account(String),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    failures: u32,
    first: Instant,
    last: Instant,
    locked_until: Option<Instant>,
    locks: u32,
}

/// All counters, and who logged in from where.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    entries: HashMap<Key, Entry>,
    known: HashMap<(String, IpAddr), Instant>,
}

impl Throttle {
    /// How long this log-in must wait; `None` if it may be tried.
    pub(crate) fn wait(&self, account: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let known = self.known.get(&(cut(account), network(address)));
        let known = known.is_some_and(|at| now.duration_since(*at) < KNOWN);
        keys(account, address)
            .iter()
            .filter(|k| !known || matches!(k, Key::Address(_)))
            .filter_map(|k| self.entries.get(k)?.locked_until?.checked_duration_since(now))
            .filter(|d| !d.is_zero())
            .max()
    }

    /// A log-in failed.
    pub(crate) fn failed(&mut self, account: &str, address: IpAddr, now: Instant) {
        for key in keys(account, address) {
            if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&key) {
                self.make_room(now);
            }
            let grows = matches!(key, Key::Address(_));
            let fresh = Entry { failures: 0, first: now, last: now, locked_until: None, locks: 0 };
            let entry = self.entries.entry(key).or_insert(fresh);
            if now.duration_since(entry.first) > WINDOW {
                (entry.failures, entry.first) = (0, now);
            }
            entry.failures += 1;
            entry.last = now;
            if entry.failures >= FAILURES_MAX {
                let times = if grows { 1_u32 << entry.locks.min(6) } else { 1 };
                entry.locked_until = Some(now + LOCK.saturating_mul(times).min(LOCK_MAX));
                (entry.failures, entry.first) = (0, now);
                entry.locks += 1;
            }
        }
    }

    /// A log-in worked: the account's lock does not bind this address any more. No counter goes
    /// back, or a guesser with an account of his own could reset them.
    pub(crate) fn worked(&mut self, account: &str, address: IpAddr, now: Instant) {
        let pair = (cut(account), network(address));
        if self.known.len() >= ENTRIES_MAX && !self.known.contains_key(&pair) {
            let oldest_to_go = eighth(self.known.values().copied().collect());
            self.known.retain(|_, at| *at > oldest_to_go);
        }
        self.known.insert(pair, now);
    }

    fn make_room(&mut self, now: Instant) {
        self.entries.retain(|_, e| {
            now.duration_since(e.last) <= WINDOW
                || (e.locks > 0 && now.duration_since(e.last) <= FORGET)
        });
        if self.entries.len() < ENTRIES_MAX {
            return;
        }
        let newest_to_go = eighth(self.entries.values().map(|e| e.last).collect());
        self.entries.retain(|_, e| e.last > newest_to_go);
    }
}

/// The instant up to which an eighth of a full table lies: many go at once, so that a flood of
/// names does not look through all of them each time.
fn eighth(mut all: Vec<Instant>) -> Instant {
    *all.select_nth_unstable(ENTRIES_MAX / 8).1
}

/// What a log-in is counted under. Guesses at the set-up link have no account.
fn keys(account: &str, address: IpAddr) -> Vec<Key> {
    let address = Key::Address(network(address));
    if account.is_empty() { vec![address] } else { vec![address, Key::Account(cut(account))] }
}

/// A name longer than any account is one account to us, so that it costs no memory.
fn cut(account: &str) -> String {
    account.chars().take(store::registry::NAME_CHARS_MAX).collect()
}

/// The address, or the /64 of an IPv6 one: a house has 2^64 of those.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let bits = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const S: fn(u64) -> Duration = Duration::from_secs;

    fn there(n: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, n])
    }

    #[test]
    fn five_failures_lock_the_address_and_longer_each_time() {
        let (mut t, mut now) = (Throttle::default(), Instant::now());
        for round in [300, 600, 1_200, 2_400, 3_600, 3_600] {
            for n in 0..4 {
                t.failed(&format!("user{n}"), HERE, now);
                now += S(1);
                assert_eq!(t.wait("somebody", HERE, now), None);
            }
            t.failed("user4", HERE, now);
            assert_eq!(t.wait("somebody", HERE, now), Some(S(round)));
            assert_eq!(t.wait("somebody", there(1), now), None, "another address");
            now += S(round);
            assert_eq!(t.wait("somebody", HERE, now), None);
            now += S(31);
        }
    }

    #[test]
    fn slow_failures_do_not_lock() {
        let (mut t, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..50 {
            t.failed("an", HERE, now);
            now += S(8);
        }
        assert_eq!(t.wait("an", HERE, now), None);
    }

    #[test]
    fn many_addresses_lock_an_account_but_not_for_who_is_known() {
        let (mut t, mut now) = (Throttle::default(), Instant::now());
        t.worked("an", HERE, now);
        for round in 0..3 {
            for n in 0..5 {
                t.failed("an", there(round * 5 + n), now);
            }
            assert_eq!(t.wait("an", there(99), now), Some(S(300)), "no longer each time");
            assert_eq!(t.wait("an", HERE, now), None);
            assert_eq!(t.wait("bo", there(99), now), None);
            now += S(331);
        }
        // Who is known may not guess either, nor without end.
        for _ in 0..5 {
            t.failed("an", HERE, now);
        }
        assert_eq!(t.wait("an", HERE, now), Some(S(300)));
        now += KNOWN;
        for n in 0..5 {
            t.failed("an", there(n), now);
        }
        assert_eq!(t.wait("an", HERE, now), Some(S(300)));
    }

    #[test]
    fn guesses_at_the_set_up_link_lock_only_their_address() {
        let (mut t, now) = (Throttle::default(), Instant::now());
        for _ in 0..5 {
            t.failed("", HERE, now);
        }
        assert_eq!((t.wait("", HERE, now), t.wait("", there(1), now)), (Some(S(300)), None));
    }

    #[test]
    fn ipv6_counts_by_network_and_mapped_ipv4_as_itself() {
        let a: IpAddr = "2001:db8::1".parse().unwrap();
        let b: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        let c: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        assert_eq!(network(a), network(b));
        assert_ne!(network(a), network(c));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), HERE);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut t, mut now) = (Throttle::default(), Instant::now());
        for n in 0..20_000_u32 {
            t.failed(&format!("user{n}"), IpAddr::from(n.to_be_bytes()), now);
            t.worked(&format!("user{n}"), IpAddr::from(n.to_be_bytes()), now);
            now += Duration::from_millis(1);
        }
        assert!(t.entries.len() <= ENTRIES_MAX && t.known.len() <= ENTRIES_MAX);
        assert!(t.entries.contains_key(&Key::Account("user19999".to_owned())));
        assert!(t.known.keys().any(|(name, _)| name == "user19999"));
    }
}
