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
