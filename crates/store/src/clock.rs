//! Whether the wall clock may be believed when recordings are deleted for their age. A clock that
//! jumps ahead must not empty the archive: a jump is seen by the monotonic clock, and a start with
//! a wrong clock by the newest footage. Whoever is right in the end, keeping footage a day longer
//! costs less than losing it. Pure; reads no clock itself.

use std::time::{Duration, Instant};

use media::Wall;

/// The wall clock may move against the monotonic one by so much.
const DRIFT_US_MAX: i64 = 3_600_000_000;
/// At a start, the newest footage of all cameras may be so old.
const AWAY_US_MAX: i64 = 7 * 86_400_000_000;
/// A clock that was doubted is believed after it has not jumped for so long.
const STEADY: Duration = Duration::from_secs(86_400);

/// What is thought of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Too early to tell: no time was told yet, or what the process before left is not known yet.
    Unknown,
    /// It jumped, or is far ahead of the newest footage.
    Doubted,
    /// Nothing speaks against it.
    Believed,
}

/// What the process before left.
#[derive(Debug, Clone, Copy)]
struct Start {
    newest: Option<Wall>,
    doubted: bool,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    start: Option<Start>,
    /// The first instant told: where the monotonic clock is counted from.
    zero: Option<Instant>,
    wall: Wall,
    /// How far the wall clock is ahead of the monotonic one.
    ahead_us: i64,
    /// About how far since when.
    steady: Option<(i64, Instant)>,
    /// How far it was when it was believed.
    believed_us: Option<i64>,
    /// What the next process was told to begin with.
    pub(crate) noted: Option<Trust>,
}

fn near(a_us: i64, b_us: i64) -> bool {
    a_us.abs_diff(b_us) <= DRIFT_US_MAX.unsigned_abs()
}

impl Clock {
    /// The process before left footage up to `newest`, and may have `doubted` the clock.
    pub(crate) fn start(&mut self, newest: Option<Wall>, doubted: bool) {
        self.start = Some(Start { newest, doubted });
        self.judge();
    }

    /// Time went on.
    pub(crate) fn tick(&mut self, wall: Wall, mono: Instant) {
        let zero = *self.zero.get_or_insert(mono);
        let gone = mono.saturating_duration_since(zero).as_micros();
        self.wall = wall;
        self.ahead_us = wall.0.saturating_sub(i64::try_from(gone).unwrap_or(i64::MAX));
        let (about_us, since) = *self.steady.get_or_insert((self.ahead_us, mono));
        if !near(about_us, self.ahead_us) {
            self.steady = Some((self.ahead_us, mono));
        } else if mono.saturating_duration_since(since) >= STEADY {
            self.believed_us = Some(about_us);
        }
        self.judge();
    }

    /// Believes a clock that agrees with the newest footage, if none was believed yet.
    fn judge(&mut self) {
        let (Some(start), Some(_)) = (self.start, self.zero) else { return };
        let agrees = start.newest.is_none_or(|n| self.wall.us_since(n) <= AWAY_US_MAX);
        if self.believed_us.is_none() && !start.doubted && agrees {
            self.believed_us = Some(self.ahead_us);
        }
    }

    pub(crate) fn trust(&self) -> Trust {
        match (self.start, self.zero, self.believed_us) {
            (None, ..) | (_, None, _) => Trust::Unknown,
            (_, _, Some(us)) if near(us, self.ahead_us) => Trust::Believed,
            _ => Trust::Doubted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;
    const DAY: i64 = 86_400;

    /// Tells a clock (wall, monotonic) seconds.
    struct Told(Clock, Instant);

    impl Told {
        fn new(newest_s: Option<i64>, doubted: bool) -> Self {
            let mut clock = Clock::default();
            clock.start(newest_s.map(|s| Wall(s * 1_000_000)), doubted);
            // No clock is read: any instant serves as the first.
            #[allow(clippy::disallowed_methods, reason = "any instant serves as the first")]
            let zero = Instant::now();
            Self(clock, zero)
        }

        fn at(&mut self, wall_s: i64, mono_s: u64) -> Trust {
            self.0.tick(Wall(wall_s * 1_000_000), self.1 + Duration::from_secs(mono_s));
            self.0.trust()
        }
    }

    #[test]
    fn nothing_is_believed_before_it_is_known() {
        let mut clock = Clock::default();
        assert_eq!(clock.trust(), Trust::Unknown);
        clock.start(None, false);
        assert_eq!(clock.trust(), Trust::Unknown);
        let mut told = Told(Clock::default(), Told::new(None, false).1);
        assert_eq!(told.at(5, 0), Trust::Unknown);
        told.0.start(None, false);
        assert_eq!(told.0.trust(), Trust::Believed);
    }

    #[test]
    fn a_jump_is_doubted_for_a_day_or_until_it_is_undone() {
        for by in [400 * DAY, -400 * DAY, 3_601] {
            let mut told = Told::new(Some(0), false);
            assert_eq!(told.at(0, 0), Trust::Believed);
            assert_eq!(told.at(3_600 + 10, 10), Trust::Believed, "an hour is allowed");
            assert_eq!(told.at(20 + by, 20), Trust::Doubted);
            assert_eq!(told.at(30, 30), Trust::Believed, "undone");
            assert_eq!(told.at(40 + by, 40), Trust::Doubted);
            assert_eq!(told.at(39 + DAY + by, 24 * HOUR + 39), Trust::Doubted);
            assert_eq!(told.at(40 + DAY + by, 24 * HOUR + 40), Trust::Believed);
            assert_eq!(told.at(50 + DAY, 24 * HOUR + 50), Trust::Doubted, "and back");
        }
    }

    #[test]
    fn years_that_pass_are_no_jump() {
        let mut told = Told::new(Some(0), false);
        for day in 0..900_u32 {
            let wall = i64::from(day) * DAY;
            assert_eq!(told.at(wall, u64::from(day) * 24 * HOUR), Trust::Believed);
        }
    }

    #[test]
    fn a_start_far_behind_the_newest_footage_is_doubted() {
        let mut told = Told::new(Some(0), false);
        assert_eq!(told.at(7 * DAY + 1, 0), Trust::Doubted);
        assert_eq!(told.at(7 * DAY + 2 + DAY, 24 * HOUR + 1), Trust::Believed);
        // The time is corrected meanwhile.
        let mut told = Told::new(Some(0), false);
        assert_eq!(told.at(700 * DAY, 0), Trust::Doubted);
        assert_eq!(told.at(60, 5), Trust::Believed);
        let mut told = Told::new(Some(0), false);
        assert_eq!(told.at(7 * DAY, 0), Trust::Believed);
    }

    #[test]
    fn a_doubt_outlives_the_process() {
        let mut told = Told::new(Some(400 * DAY), true);
        assert_eq!(told.at(400 * DAY, 0), Trust::Doubted);
        assert_eq!(told.at(401 * DAY, 24 * HOUR), Trust::Believed);
    }
}
