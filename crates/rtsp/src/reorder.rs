//! Packets of UDP back into their order: a window of 64 packets or 50 ms, whichever ends first.
//!
//! A packet that comes in order goes straight through without being copied. Not here: TCP, which
//! keeps order, and what a hole means.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far ahead of a missing packet others are kept.
pub(crate) const WINDOW: usize = 64;
/// How long a missing packet is waited for.
pub(crate) const WAIT: Duration = Duration::from_millis(50);
/// A number this far from the expected one is no reordering but a new beginning.
const JUMP: i64 = 3_000;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is the next: use it now, then ask [`Reorder::pop`].
    Now,
    /// Kept until those before it came or are given up.
    Kept,
    /// Seen before, or too late.
    Dropped,
}

#[derive(Debug, Default)]
pub(crate) struct Reorder {
    /// The number that is due.
    next: Option<i64>,
    /// What came too early; the first place is that of `next`.
    kept: VecDeque<Option<Kept>>,
    count: usize,
}

#[derive(Debug)]
struct Kept {
    arrived: Instant,
    data: Box<[u8]>,
}

impl Reorder {
    /// Looks at packet `seq` (endless). After `Now` its successors may be due.
    pub(crate) fn push(&mut self, seq: i64, data: &[u8], now: Instant) -> Fate {
        let next = *self.next.get_or_insert(seq);
        let ahead = seq - next;
        if ahead == 0 || !(-JUMP..=JUMP).contains(&ahead) {
            if ahead != 0 {
                self.kept.clear();
                self.count = 0;
            }
            self.next = Some(seq + 1);
            self.kept.pop_front();
            return Fate::Now;
        }
        let Ok(place) = usize::try_from(ahead) else { return Fate::Dropped };
        if place >= WINDOW && self.count == 0 {
            // A hole larger than the window: nothing in it will come any more.
            self.next = Some(seq + 1);
            return Fate::Now;
        }
        if self.kept.len() <= place {
            self.kept.resize_with(place + 1, || None);
        }
        match self.kept.get_mut(place) {
            Some(free @ None) => *free = Some(Kept { arrived: now, data: data.into() }),
            _ => return Fate::Dropped,
        }
        self.count += 1;
        Fate::Kept
    }

    /// The next packet that is due, or whose predecessors are given up by now.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Box<[u8]>> {
        if self.count == 0 {
            return None;
        }
        let due = matches!(self.kept.front(), Some(Some(_)));
        let full = self.kept.len() > WINDOW;
        if !due && !full && self.deadline().is_none_or(|at| now < at) {
            return None;
        }
        while let Some(front) = self.kept.pop_front() {
            self.next = self.next.map(|n| n + 1);
            if let Some(kept) = front {
                self.count -= 1;
                return Some(kept.data);
            }
        }
        None
    }

    /// When the missing packet is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.kept.iter().flatten().map(|k| k.arrived).min().map(|at| at + WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an Instant cannot be made otherwise")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Pushes the numbers 1 ms apart and returns those that came out, in order.
    fn check(numbers: &[i64], expect: &[i64]) {
        let t0 = start();
        let mut reorder = Reorder::default();
        let mut out = Vec::new();
        let mut now = t0;
        for (i, &n) in numbers.iter().enumerate() {
            now = t0 + Duration::from_millis(i as u64);
            let bytes = n.to_be_bytes();
            if reorder.push(n, &bytes, now) == Fate::Now {
                out.push(n);
            }
            while let Some(b) = reorder.pop(now) {
                out.push(i64::from_be_bytes(b[..].try_into().unwrap()));
            }
        }
        while let Some(at) = reorder.deadline() {
            assert!(at <= now + WAIT);
            let b = reorder.pop(at).unwrap();
            out.push(i64::from_be_bytes(b[..].try_into().unwrap()));
        }
        assert_eq!(out, expect, "{numbers:?}");
    }

    #[test]
    fn order_is_restored_and_doubles_are_dropped() {
        check(&[5, 6, 7], &[5, 6, 7]);
        check(&[5, 7, 6, 8], &[5, 6, 7, 8]);
        check(&[5, 9, 8, 7, 6, 10], &[5, 6, 7, 8, 9, 10]);
        check(&[5, 6, 6, 5, 7, 7], &[5, 6, 7]);
        check(&[5, 8, 8, 6, 7], &[5, 6, 7, 8]);
        check(&[5, 4, 6], &[5, 6]);
        check(&[5, 7, 9], &[5, 7, 9]);
        check(&[5, 5_000, 5_001], &[5, 5_000, 5_001]);
        check(&[5_000, 5, 6], &[5_000, 5, 6]);
        check(&[5, 100, 101], &[5, 100, 101]);
    }

    #[test]
    fn a_hole_is_given_up_when_the_window_is_full() {
        let numbers: Vec<i64> = std::iter::once(0).chain(2..100).collect();
        check(&numbers, &numbers);
        let t0 = start();
        let mut reorder = Reorder::default();
        assert_eq!(reorder.push(0, b"", t0), Fate::Now);
        for n in 2..=WINDOW as i64 {
            assert_eq!(reorder.push(n, b"", t0), Fate::Kept);
            assert!(reorder.pop(t0).is_none());
        }
        assert_eq!(reorder.push(WINDOW as i64 + 1, b"", t0), Fate::Kept);
        assert!(reorder.pop(t0).is_some());
    }
}
