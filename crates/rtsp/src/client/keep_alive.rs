//! Which keep-alive a camera wants and how often: learned from sessions that ended in silence.

use std::time::Duration;

use crate::quirk::Quirk;

/// A session's patience when the camera names none (RFC 2326, section 12.37).
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// Keep-alives are not further apart.
const INTERVAL_MAX: Duration = Duration::from_secs(25);
/// And not closer.
const INTERVAL_MIN: Duration = Duration::from_millis(500);

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
}

impl Learned {
    /// Time between keep-alives for a session of this patience.
    pub(super) fn interval(&self, timeout: Duration) -> Duration {
        let usual = (timeout / 2).min(INTERVAL_MAX);
        usual.checked_div(1 << self.halvings.min(8)).unwrap_or(usual).max(INTERVAL_MIN)
    }

    /// Draws the lesson of a session that ended by itself after `lasted`, with so many keep-alives
    /// sent. A session that outlived its announced patience twice ended for another reason.
    pub(super) fn ended(
        &mut self,
        lasted: Duration,
        timeout: Duration,
        sent: u32,
    ) -> Option<Quirk> {
        if lasted > timeout * 2 || lasted < Duration::from_secs(1) {
            return None;
        }
        if sent == 0 {
            if self.interval(timeout) <= INTERVAL_MIN {
                return None;
            }
            self.halvings += 1;
            return Some(Quirk::KaShort);
        }
        // The one in use may not have counted. The others in turn: a wrong guess costs a session.
        self.keep_alive = match self.keep_alive {
            KeepAlive::Options => KeepAlive::SetParameter,
            KeepAlive::SetParameter => KeepAlive::GetParameter,
            KeepAlive::GetParameter => KeepAlive::Options,
        };
        (self.keep_alive == KeepAlive::GetParameter).then_some(Quirk::KaGetParameterOnly)
    }
}
