//! Exponential back-off with full jitter. Knows no clock and no random source: the caller brings
//! both, so that tests decide.

use std::time::Duration;

/// Delays of `first`, doubled each time up to `max`; each is drawn uniformly from zero to that
/// bound ("full jitter"), so that many cameras that fell together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    /// A fresh sequence.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, attempt: 0 }
    }

    /// The next delay. `random` is any 64 random bits.
    pub fn next(&mut self, random: u64) -> Duration {
        let bound = self.bound();
        self.attempt = self.attempt.saturating_add(1);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(random % nanos)
    }

    /// The upper bound of the next delay.
    pub fn bound(&self) -> Duration {
        self.first.saturating_mul(1_u32.checked_shl(self.attempt).unwrap_or(u32::MAX)).min(self.max)
    }

    /// How many delays were handed out since the last reset.
    pub const fn attempts(&self) -> u32 {
        self.attempt
    }

    /// Starts again from the first delay: call it once things have worked for a while.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_to_the_maximum_and_reset() {
        let mut b = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let bounds: Vec<u64> = (0..8)
            .map(|_| {
                let bound = b.bound().as_secs();
                assert!(b.next(u64::MAX) <= Duration::from_secs(bound));
                bound
            })
            .collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60]);
        b.reset();
        assert_eq!(b.bound(), Duration::from_secs(1));
        for _ in 0..100 {
            b.next(7);
        }
        assert_eq!(b.bound(), Duration::from_secs(60));
    }
}
