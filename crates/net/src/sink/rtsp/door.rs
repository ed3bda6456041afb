//! Who may come in: how many at once, and nobody for a while from where passwords were guessed.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::VIEWERS_MAX;

/// Wrong answers from one network that lock it out, if they come within [`WITHIN`].
pub(super) const FAILURES: u32 = 5;
pub(super) const WITHIN: Duration = Duration::from_secs(30);
/// How long it stays locked out.
pub(super) const LOCKED: Duration = Duration::from_secs(300);
/// Networks that are remembered; the oldest is forgotten for a new one.
const NETWORKS_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Record {
    first: Instant,
    failures: u32,
    locked: bool,
}

#[derive(Debug, Default)]
pub(super) struct Door {
    inside: AtomicUsize,
    records: Mutex<HashMap<IpAddr, Record>>,
}

/// A viewer that is in; leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Inside(Arc<Door>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    /// Lets a viewer in, or not.
    pub(super) fn enter(self: &Arc<Self>, peer: SocketAddr, now: Instant) -> Option<Inside> {
        if self.is_locked(peer.ip(), now) {
            return None;
        }
        let inside = Inside(Arc::clone(self));
        // Counted in any case: dropping it counts it out.
        if self.inside.fetch_add(1, Ordering::Relaxed) >= VIEWERS_MAX {
            tracing::warn!(%peer, "too many viewers");
            return None;
        }
        Some(inside)
    }

    /// Whether somebody from there guessed too often.
    pub(super) fn is_locked(&self, address: IpAddr, now: Instant) -> bool {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(address);
        let Some(record) = records.get(&network) else { return false };
        let over = now.saturating_duration_since(record.first);
        if record.locked && over < LOCKED {
            return true;
        }
        if over >= WITHIN {
            records.remove(&network);
        }
        false
    }

    /// Somebody there gave a wrong user or password.
    pub(super) fn failed(&self, peer: SocketAddr, now: Instant) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network(peer.ip());
        if records.len() >= NETWORKS_MAX
            && !records.contains_key(&network)
            && let Some(oldest) = records.iter().min_by_key(|(_, r)| r.first).map(|(n, _)| *n)
        {
            records.remove(&oldest);
        }
        let fresh = Record { first: now, failures: 0, locked: false };
        let record = records.entry(network).or_insert(fresh);
        if !record.locked && now.saturating_duration_since(record.first) >= WITHIN {
            *record = fresh;
        }
        record.failures = record.failures.saturating_add(1);
        if record.failures >= FAILURES && !record.locked {
            record.locked = true;
            record.first = now;
            // Once per lock: a flood of guesses must not become a flood of lines.
            tracing::warn!(%network, "locked out for 5 minutes after {FAILURES} wrong passwords");
        }
    }
}

/// What counts as one place: an IPv4 address, or an IPv6 network of 64 bits, which is what a
/// household gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn guesses_lock_their_network_out_and_nobody_else() {
        let door = Arc::new(Door::default());
        let t0 = Instant::now();
        let s = Duration::from_secs;
        for n in 0..4 {
            door.failed(peer("[2001:db8::1]:1"), t0 + s(n));
            assert!(door.enter(peer("[2001:db8::2]:9"), t0 + s(n)).is_some());
        }
        // Too far apart to be guessing: counts anew.
        door.failed(peer("[2001:db8::3]:1"), t0 + s(31));
        assert!(door.enter(peer("[2001:db8::2]:9"), t0 + s(31)).is_some());
        for n in 32..36 {
            door.failed(peer("[2001:db8::4]:1"), t0 + s(n));
        }
        assert!(door.enter(peer("[2001:db8::2]:9"), t0 + s(36)).is_none());
        assert!(door.enter(peer("[2001:db8:0:1::2]:9"), t0 + s(36)).is_some());
        assert!(door.enter(peer("192.0.2.1:9"), t0 + s(36)).is_some());
        assert!(door.enter(peer("[2001:db8::2]:9"), t0 + s(35 + 299)).is_none());
        assert!(door.enter(peer("[2001:db8::2]:9"), t0 + s(35 + 300)).is_some());
    }

    #[test]
    fn memory_and_places_are_bounded_and_given_back() {
        let door = Arc::new(Door::default());
        let now = Instant::now();
        for n in 0..NETWORKS_MAX as u32 + 10 {
            door.failed(SocketAddr::new(IpAddr::V4(n.into()), 1), now);
        }
        assert_eq!(door.records.lock().unwrap().len(), NETWORKS_MAX);
        let all: Vec<Inside> =
            (0..VIEWERS_MAX).map(|_| door.enter(peer("10.0.0.1:1"), now).unwrap()).collect();
        assert!(door.enter(peer("10.0.0.1:1"), now).is_none());
        drop(all);
        assert!(door.enter(peer("10.0.0.1:1"), now).is_some());
        assert_eq!(door.inside.load(Ordering::Relaxed), 0);
    }
}
