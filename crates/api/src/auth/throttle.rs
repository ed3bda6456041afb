//! Guessing is slow: failed log-ins lock what they came from and aimed at for a while. In memory
//! only: a restart forgets, an attacker cannot cause one.
//!
//! Three counters, because each alone has a hole: the pair of account and address (a guesser), the
//! address (one guess each at many accounts), and the account (many addresses). The last lock is
//! short: nobody can keep an owner out for long.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_secs(30);
/// Failures of a pair that lock it, and for how long; doubled each time up to [`LOCK_MAX`].
const PAIR: (u32, Duration) = (5, Duration::from_secs(300));
/// Failures of an address, whatever the account.
const ADDRESS: (u32, Duration) = (10, Duration::from_secs(300));
/// Failures of an account, whatever the address.
const ACCOUNT: (u32, Duration) = (20, Duration::from_secs(30));
/// Longest lock.
const LOCK_MAX: Duration = Duration::from_secs(3_600);
/// A lock's length is forgotten after this much peace.
const FORGET: Duration = Duration::from_secs(24 * 3_600);
/// Most counters; the eighth that stirred least recently makes room.
const ENTRIES_MAX: usize = 8_192;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, IpAddr),
    Address(IpAddr),
    Account(String),
}

impl Key {
    const fn limit(&self) -> (u32, Duration) {
        match self {
            Self::Pair(..) => PAIR,
            Self::Address(_) => ADDRESS,
            Self::Account(_) => ACCOUNT,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    failures: u32,
    first: Instant,
    last: Instant,
    locked_until: Option<Instant>,
    locks: u32,
}

/// All counters.
#[derive(Debug, Default)]
pub(crate) struct Throttle(HashMap<Key, Entry>);

impl Throttle {
    /// How long this log-in must wait; `None` if it may be tried.
    pub(crate) fn wait(&self, account: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        keys(account, address)
            .iter()
            .filter_map(|k| self.0.get(k)?.locked_until?.checked_duration_since(now))
            .filter(|d| !d.is_zero())
            .max()
    }

    /// A log-in failed.
    pub(crate) fn failed(&mut self, account: &str, address: IpAddr, now: Instant) {
        for key in keys(account, address) {
            if self.0.len() >= ENTRIES_MAX && !self.0.contains_key(&key) {
                self.make_room(now);
            }
            let (limit, lock) = key.limit();
            let fresh = Entry { failures: 0, first: now, last: now, locked_until: None, locks: 0 };
            let entry = self.0.entry(key).or_insert(fresh);
            if now.duration_since(entry.first) > WINDOW {
                (entry.failures, entry.first) = (0, now);
            }
            entry.failures += 1;
            entry.last = now;
            if entry.failures >= limit {
                let length = lock.saturating_mul(1_u32 << entry.locks.min(6)).min(LOCK_MAX);
                entry.locked_until = Some(now + length.max(lock));
                (entry.failures, entry.first) = (0, now);
                entry.locks += 1;
            }
        }
    }

    /// A log-in worked: the pair is forgiven. The other two are not, or a guesser with an account
    /// of his own could reset them.
    pub(crate) fn worked(&mut self, account: &str, address: IpAddr) {
        self.0.remove(&keys(account, address)[0]);
    }

    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, e| {
            now.duration_since(e.last) <= WINDOW
                || (e.locks > 0 && now.duration_since(e.last) <= FORGET)
        });
        if self.0.len() < ENTRIES_MAX {
            return;
        }
        // Many at once, so that a flood of names does not look through all of them each time.
        let mut stirred: Vec<Instant> = self.0.values().map(|e| e.last).collect();
        let (_, newest_to_go, _) = stirred.select_nth_unstable(ENTRIES_MAX / 8);
        let newest_to_go = *newest_to_go;
        self.0.retain(|_, e| e.last > newest_to_go);
    }
}

fn keys(account: &str, address: IpAddr) -> [Key; 3] {
    // A name longer than any account is one account to us, so that it costs no memory.
    let account: String = account.chars().take(store::registry::NAME_CHARS_MAX).collect();
    let address = network(address);
    [Key::Pair(account.clone(), address), Key::Address(address), Key::Account(account)]
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
    fn five_failures_lock_the_pair_and_longer_each_time() {
        let (mut t, mut now) = (Throttle::default(), Instant::now());
        for round in [300, 600, 1_200, 2_400, 3_600, 3_600] {
            for _ in 0..4 {
                t.failed("an", HERE, now);
                now += S(1);
                assert_eq!(t.wait("an", HERE, now), None);
            }
            t.failed("an", HERE, now);
            assert_eq!(t.wait("an", HERE, now), Some(S(round)));
            assert_eq!(t.wait("an", there(1), now), None, "another address");
            now += S(round);
            assert_eq!(t.wait("an", HERE, now), None);
            now += S(31);
        }
    }

    #[test]
    fn slow_failures_and_success_do_not_lock() {
        let (mut t, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..50 {
            t.failed("an", HERE, now);
            now += S(8);
        }
        assert_eq!(t.wait("an", HERE, now), None);
        now += S(60);
        for _ in 0..2 {
            for _ in 0..4 {
                t.failed("an", HERE, now);
            }
            t.worked("an", HERE);
        }
        assert_eq!(t.wait("an", HERE, now), None);
    }

    #[test]
    fn one_address_cannot_spray_and_many_cannot_shut_an_account_for_long() {
        let (mut t, now) = (Throttle::default(), Instant::now());
        for n in 0..10 {
            t.failed(&format!("user{n}"), HERE, now);
        }
        assert_eq!(t.wait("somebody", HERE, now), Some(S(300)));
        for n in 0..20 {
            t.failed("an", there(n), now);
        }
        assert_eq!(t.wait("an", there(99), now), Some(S(30)));
        assert_eq!(t.wait("bo", there(99), now), None);
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
            now += Duration::from_millis(1);
        }
        assert!(t.0.len() <= ENTRIES_MAX);
        assert!(t.0.contains_key(&Key::Account("user19999".to_owned())));
    }
}
