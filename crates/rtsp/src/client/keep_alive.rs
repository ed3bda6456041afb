//! Which keep-alive a camera wants and how often: learned from sessions that ended in silence.

use std::time::Duration;

use crate::quirk::Quirk;

/// A session's patience when the camera names none (RFC 2326, section 12.37).
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// Keep-alives are not further apart.
const INTERVAL_MAX: Duration = Duration::from_secs(25);
/// And not closer.
const INTERVAL_MIN: Duration = Duration::from_millis(500);
/// A session that ends sooner did not end for want of a keep-alive.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// The request that keeps a session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepAlive {
    /// Breaks nothing anywhere; most cameras count it.
    #[default]
    Options,
    /// Empty.
    SetParameter,
    /// Empty. Breaks the session at some cameras.
    GetParameter,
}

/// What sessions with a camera taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Learned {
    /// The request that works.
    pub keep_alive: KeepAlive,
    /// How many times the interval was halved.
    pub halvings: u8,
    /// Relative controls are resolved as RFC 3986 says, not appended.
    pub by_the_book: bool,
    /// Sessions in a row that died young without it being clear of what.
    pub young: u8,
}

impl Learned {
    /// Time between keep-alives for a session of this patience.
    pub(super) fn interval(&self, timeout: Duration) -> Duration {
        let usual = (timeout / 2).min(INTERVAL_MAX);
        usual.checked_div(1 << self.halvings.min(8)).unwrap_or(usual).max(INTERVAL_MIN)
    }

    /// Draws the lesson of a session that died by itself after `lasted`, with so many keep-alives
    /// sent.
    ///
    /// One that ended about when its announced patience did had keep-alives that do not count.
    /// One that ended earlier may have been cut for any reason; two in a row were not.
    pub(super) fn ended(
        &mut self,
        lasted: Duration,
        timeout: Duration,
        sent: u32,
    ) -> Option<Quirk> {
        if lasted > timeout * 3 / 2 || lasted < LIFE_MIN {
            self.young = 0;
            return None;
        }
        let on_time = sent > 0 && lasted >= timeout * 3 / 4;
        if !on_time && self.young == 0 {
            self.young = 1;
            return None;
        }
        self.young = 0;
        if sent == 0 {
            if self.interval(timeout) <= INTERVAL_MIN {
                return None;
            }
            self.halvings += 1;
            return Some(Quirk::KaShort);
        }
        // The others in turn: a wrong guess costs a session.
        self.keep_alive = match self.keep_alive {
            KeepAlive::Options => KeepAlive::SetParameter,
            KeepAlive::SetParameter => KeepAlive::GetParameter,
            KeepAlive::GetParameter => KeepAlive::Options,
        };
        (self.keep_alive == KeepAlive::GetParameter).then_some(Quirk::KaGetParameterOnly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn keep_alives_come_at_half_the_patience_and_not_too_seldom() {
        let mut learned = Learned::default();
        for (timeout, interval) in [(60, 25_000), (30, 15_000), (15, 7_500), (1, 500)] {
            assert_eq!(learned.interval(s(timeout)).as_millis(), interval, "{timeout}");
        }
        learned.halvings = 2;
        assert_eq!(learned.interval(s(60)).as_millis(), 6_250);
        learned.halvings = 200;
        assert_eq!(learned.interval(s(60)), INTERVAL_MIN);
    }

    #[test]
    fn the_next_request_is_tried_when_one_did_not_count() {
        let mut learned = Learned::default();
        assert_eq!(learned.ended(s(61), s(60), 2), None);
        assert_eq!(learned.keep_alive, KeepAlive::SetParameter);
        assert_eq!(learned.ended(s(60), s(60), 2), Some(Quirk::KaGetParameterOnly));
        assert_eq!(learned.keep_alive, KeepAlive::GetParameter);
        // It lived long enough: what ended it was something else.
        assert_eq!(learned.ended(s(600), s(60), 24), None);
        assert_eq!(learned.keep_alive, KeepAlive::GetParameter);
        assert_eq!(learned.ended(s(60), s(60), 2), None);
        assert_eq!(learned.keep_alive, KeepAlive::Options);
    }

    #[test]
    fn the_interval_is_halved_when_sessions_die_before_the_first_keep_alive() {
        let mut learned = Learned::default();
        assert_eq!(learned.ended(s(20), s(60), 0), None, "once is chance");
        assert_eq!(learned.ended(s(200), s(60), 8), None, "and that was another chance");
        assert_eq!(learned.ended(s(20), s(60), 0), None);
        assert_eq!(learned.ended(s(20), s(60), 0), Some(Quirk::KaShort));
        assert_eq!(learned.interval(s(60)).as_millis(), 12_500);
        let mut fastest = Learned { halvings: 8, ..Learned::default() };
        assert_eq!(fastest.ended(s(2), s(60), 0).or(fastest.ended(s(2), s(60), 0)), None);
        assert_eq!(fastest.halvings, 8);
    }

    #[test]
    fn a_request_that_breaks_the_session_is_left_after_two() {
        let mut learned = Learned { keep_alive: KeepAlive::GetParameter, ..Learned::default() };
        assert_eq!(learned.ended(s(25), s(60), 1), None);
        assert_eq!(learned.ended(s(25), s(60), 1), None);
        assert_eq!(learned.keep_alive, KeepAlive::Options);
    }
}
