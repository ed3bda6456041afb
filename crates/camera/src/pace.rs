//! Waiting until something is due, unless the camera is to end before.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use media::Wall;

/// One camera's wish to end.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    stop: Mutex<bool>,
    changed: Condvar,
}

impl Pace {
    pub(crate) fn stop(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits until `due`. True when the camera is to end.
    pub(crate) fn wait(&self, due: Instant) -> bool {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(stop, left);
            stop = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Turns media time, counted from the start, into both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    mono: Instant,
    wall: Wall,
}

/// A wall clock that is off by more was set by somebody, and is followed.
const STEP_US: u64 = 250_000;

/// Who is later than this has slept, and does not catch up.
const LATE_MAX: Duration = Duration::from_secs(1);

impl Anchor {
    pub(crate) fn now() -> Self {
        Self { mono: Instant::now(), wall: wall() }
    }

    /// When media time `us` is due.
    pub(crate) fn due(&self, us: i64) -> Instant {
        self.mono + Duration::from_micros(u64::try_from(us).unwrap_or(0))
    }

    /// Which wall time that is.
    pub(crate) const fn wall(&self, us: i64) -> Wall {
        self.wall.plus_us(us)
    }

    /// Media time now.
    pub(crate) fn elapsed_us(&self) -> i64 {
        i64::try_from(self.mono.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    /// Follows a wall clock that was set, and starts again from now where the machine slept
    /// beyond `us`.
    pub(crate) fn check(&mut self, us: i64) {
        if self.due(us).elapsed() > LATE_MAX {
            let span = Duration::from_micros(u64::try_from(us).unwrap_or(0));
            self.mono = Instant::now().checked_sub(span).unwrap_or(self.mono);
        }
        let expected = self.wall(self.elapsed_us());
        let off = wall().us_since(expected);
        if off.unsigned_abs() > STEP_US {
            self.wall = self.wall.plus_us(off);
        }
    }
}

pub(crate) fn wall() -> Wall {
    Wall::from_system(std::time::SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_woken_to_end() {
        let pace = Pace::default();
        assert!(!pace.wait(Instant::now()));
        std::thread::scope(|scope| {
            let far = Instant::now() + Duration::from_secs(3_600);
            let pace = &pace;
            let waiting = scope.spawn(move || pace.wait(far));
            pace.stop();
            assert!(waiting.join().is_ok_and(|ended| ended));
        });
        assert!(pace.wait(Instant::now()), "the wish stays");
    }

    #[test]
    fn media_time_is_both_clocks() {
        let mut anchor = Anchor::now();
        assert_eq!(anchor.wall(2_000_000).us_since(anchor.wall(0)), 2_000_000);
        assert_eq!(anchor.due(5_000_000) - anchor.due(2_000_000), Duration::from_secs(3));
        // Nobody set the clock: nothing moves.
        let before = anchor.wall(0);
        anchor.check(i64::MAX / 4);
        assert_eq!(anchor.wall(0), before);
        // A clock that was off is followed, from any size of step.
        anchor.wall = Wall(0);
        anchor.check(0);
        let off = anchor.wall(anchor.elapsed_us()).us_since(wall());
        assert!(off.unsigned_abs() < STEP_US, "{off}");
        // After a sleep, what was due long ago is due now.
        anchor.mono = anchor.mono.checked_sub(Duration::from_secs(60)).unwrap_or(anchor.mono);
        anchor.check(1_000_000);
        assert!(anchor.due(1_000_000).elapsed() < LATE_MAX);
    }
}
