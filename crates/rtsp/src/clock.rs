//! RTP timestamps to media time and wall time.
//!
//! A camera's clock is not believed: the wall time of a frame is when it arrived, freed of what
//! the network added. The offset between the two clocks is the smallest difference seen (the
//! packet that waited least); it follows the camera's drift by at most [`SLEW_PPM`], so that wall
//! times neither jump nor run away. Sender reports are believed once they have agreed with arrival
//! several times: they know what the camera needed for encoding and sending.
//!
//! Not here: which packet belongs to which frame, and holes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::{Rate, Ticks, Wall};

use crate::Now;
use crate::quirk::{Quirk, QuirkCounts};
use crate::rtp::TimeUnwrap;

/// How fast wall time may be pulled towards arrival.
pub(crate) const SLEW_PPM: i64 = 500;
/// The same while a session is young: over a slow link the burst at its beginning takes longer
/// than the moment that is waited for.
const SLEW_YOUNG_PPM: i64 = 50_000;
const YOUNG: Duration = Duration::from_secs(10);
/// A time stamp this much before the one before is a new time line.
const BACK_US: i64 = 100_000;
/// The same where pictures come in another order than they are shown.
const BACK_REORDERED_US: i64 = 1_000_000;
/// Our own clock was set when it moved this much more or less than time passed.
const SET_US: i64 = 1_000_000;
/// A time stamp this much ahead of what arrival allows is a new time line.
const AHEAD_US: i64 = 1_000_000;
/// A time line that is new and begins below this began at zero.
const ZERO_US: i64 = 10_000_000;
/// The smallest difference is looked for in windows of this length.
const WINDOW: Duration = Duration::from_secs(10);
/// Windows that are remembered.
const WINDOWS: usize = 3;
/// Pictures that may come before one that is shown earlier, until more are seen.
const DEPTH: usize = 2;
/// H.264 and H.265 allow no more.
const DEPTH_MAX: usize = 16;
/// Distance of pictures until it is known.
const FRAME_US: i64 = 40_000;
/// A sender report further off than this tells nothing.
const REPORT_US_MAX: i64 = 5_000_000;
/// And this near to arrival it agrees.
const AGREE_US: i64 = 1_000_000;
/// So many in a row must agree before they are believed.
const AGREEING: u8 = 3;
/// Pictures later than that, up to this, were late in the camera.
const LATE_US_MAX: i64 = 60_000_000;

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) pts: Ticks,
    pub(crate) dts: Ticks,
    pub(crate) wall: Wall,
    pub(crate) discontinuity: bool,
}

/// The clock of one track.
#[derive(Debug)]
pub(crate) struct Clock {
    rate: Rate,
    unwrap: TimeUnwrap,
    /// The last time stamp in its order of arrival, endless, and when it came.
    last: Option<(i64, Now)>,
    dts: Option<i64>,
    order: Order,
    offset: Option<Offset>,
    /// The first moment of the session is over.
    settled: bool,
    /// Time line broke; to be told with the next stamp.
    broken: bool,
    report: Option<(u64, u32)>,
    agreeing: u8,
}

/// Presentation times that wait to become decoding times.
#[derive(Debug)]
struct Order {
    waiting: VecDeque<i64>,
    depth: usize,
}

/// Wall time minus media time, microseconds.
#[derive(Debug)]
struct Offset {
    now_us: i64,
    begun: Instant,
    slewed: Instant,
    window: Instant,
    smallest: i64,
    past: VecDeque<i64>,
    /// Still free to follow at once.
    settling: bool,
}

impl Clock {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            unwrap: TimeUnwrap::default(),
            last: None,
            dts: None,
            order: Order { waiting: VecDeque::new(), depth: DEPTH },
            offset: None,
            settled: false,
            broken: false,
            report: None,
            agreeing: 0,
        }
    }

    /// Notes that a frame with this time stamp arrived, and gives its endless time. `reordered`:
    /// pictures may be shown in another order than they come. Frames are stamped afterwards, in
    /// the same order: those of the first moment only when the burst that many cameras begin with
    /// is over.
    pub(crate) fn arrive(
        &mut self,
        timestamp: u32,
        reordered: bool,
        now: Now,
        quirks: &mut QuirkCounts,
    ) -> Arrival {
        let mut time = self.unwrap.unwrap(timestamp);
        let mut fresh = self.broken;
        if let Some((last, at)) = self.last
            && !fresh
        {
            let step_us = self.rate.to_us(Ticks(time - last));
            let passed_us = micros(now.mono.saturating_duration_since(at.mono));
            let back_us = if reordered { BACK_REORDERED_US } else { BACK_US };
            let ahead = step_us - passed_us > AHEAD_US && self.is_ahead(time, now);
            if step_us < -back_us || ahead {
                quirks.add(if self.rate.to_us(Ticks(i64::from(timestamp))) < ZERO_US {
                    Quirk::RtpTsReset
                } else if step_us < 0 {
                    Quirk::RtpTsBackward
                } else {
                    Quirk::RtpTsStep
                });
                fresh = true;
            }
            // Our own clock was set: what comes now has nothing to do with what was before.
            let set_us = now.wall.us_since(at.wall).saturating_sub(passed_us);
            fresh |= set_us.saturating_abs() > SET_US;
        }
        if fresh {
            self.broken = false;
            self.unwrap.reset();
            time = self.unwrap.unwrap(timestamp);
            self.offset = None;
            self.agreeing = 0;
        }
        self.last = Some((time, now));
        let difference = now.wall.0.saturating_sub(self.rate.to_us(Ticks(time)));
        match &mut self.offset {
            Some(offset) => offset.note(difference, now.mono),
            None => self.offset = Some(Offset::new(difference, now.mono, !self.settled)),
        }
        Arrival { time, at: now.mono, fresh }
    }

    fn is_ahead(&self, time: i64, now: Now) -> bool {
        let Some(offset) = &self.offset else { return false };
        let wall = self.rate.to_us(Ticks(time)).saturating_add(offset.now_us);
        wall.saturating_sub(now.wall.0) > AHEAD_US
    }

    /// The place of a frame that arrived. `reordered`: pictures may be shown in another order.
    pub(crate) fn stamp(&mut self, arrival: Arrival, reordered: bool) -> Stamp {
        let mut discontinuity = arrival.fresh;
        if discontinuity {
            self.order = Order { waiting: VecDeque::new(), depth: self.order.depth };
            self.dts = None;
        }
        let mut pts = arrival.time;
        let frame = self.rate.from_us(FRAME_US).0.max(1);
        let mut dts = if reordered { self.order.decode_time(pts, frame) } else { pts };
        if let Some(last) = self.dts
            && dts <= last
        {
            // The same time twice, or a step back within bounds.
            dts = last + 1;
        }
        if dts > pts {
            if reordered {
                // Deeper than thought. What was told cannot be taken back: a new time line.
                discontinuity |= self.dts.is_some();
                let depth = (self.order.depth + 2).min(DEPTH_MAX);
                self.order = Order { waiting: VecDeque::new(), depth };
                dts = self.order.decode_time(pts, frame);
            } else {
                pts = dts;
            }
        }
        self.dts = Some(dts);
        let offset_us = self.offset.as_mut().map_or(0, |o| o.at(arrival.at));
        let wall = Wall(self.rate.to_us(Ticks(arrival.time)).saturating_add(offset_us));
        Stamp { pts: Ticks(pts), dts: Ticks(dts), wall, discontinuity }
    }

    /// From here on wall time moves slowly.
    pub(crate) const fn settle(&mut self) {
        self.settled = true;
        if let Some(offset) = &mut self.offset {
            offset.settling = false;
        }
    }

    /// The time line breaks: the next frame has nothing to do with the last.
    pub(crate) const fn break_off(&mut self) {
        self.broken = self.last.is_some();
    }

    /// Looks at a sender report.
    pub(crate) fn report(&mut self, ntp: u64, rtp: u32, now: Now, quirks: &mut QuirkCounts) {
        let frozen = self.report == Some((ntp, rtp));
        self.report = Some((ntp, rtp));
        let claimed = crate::rtcp::ntp_to_wall(ntp);
        let skew_us = claimed.us_since(now.wall);
        let possible = (-LATE_US_MAX..=REPORT_US_MAX).contains(&skew_us);
        if ntp == 0 || frozen || !possible {
            quirks.add(Quirk::SrWrong);
        } else if skew_us < -REPORT_US_MAX {
            quirks.add(Quirk::SubLate);
        }
        let (Some(offset), Some(time)) = (&mut self.offset, self.unwrap.peek(rtp)) else { return };
        let us = claimed.0.saturating_sub(self.rate.to_us(Ticks(time)));
        let near = us.saturating_sub(offset.now_us).saturating_abs() <= AGREE_US;
        if frozen || !near || skew_us.saturating_abs() > AGREE_US {
            self.agreeing = 0;
            return;
        }
        self.agreeing = self.agreeing.saturating_add(1);
        if self.agreeing >= AGREEING {
            offset.believe(us);
        }
    }
}

/// A frame that arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    time: i64,
    at: Instant,
    /// The first of its time line, and not of all.
    fresh: bool,
}

fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

impl Order {
    /// The decoding time of a picture shown at `pts`: the smallest presentation time that none
    /// of the pictures still to come can have.
    fn decode_time(&mut self, pts: i64, frame: i64) -> i64 {
        let at = self.waiting.partition_point(|w| *w <= pts);
        self.waiting.insert(at, pts);
        if self.waiting.len() > self.depth {
            return self.waiting.pop_front().unwrap_or(pts);
        }
        let first = self.waiting.front().copied().unwrap_or(pts);
        let missing = i64::try_from(self.depth + 1 - self.waiting.len()).unwrap_or(1);
        first - missing * frame
    }
}

impl Offset {
    const fn new(us: i64, at: Instant, settling: bool) -> Self {
        Self {
            now_us: us,
            begun: at,
            slewed: at,
            window: at,
            smallest: us,
            past: VecDeque::new(),
            settling,
        }
    }

    fn note(&mut self, us: i64, at: Instant) {
        self.smallest = self.smallest.min(us);
        if self.settling {
            self.now_us = self.now_us.min(us);
        }
        if at.saturating_duration_since(self.window) >= WINDOW {
            self.past.push_back(self.smallest);
            if self.past.len() > WINDOWS {
                self.past.pop_front();
            }
            self.smallest = us;
            self.window = at;
        }
    }

    /// A report counts as an arrival without any delay: later than arrival it cannot be.
    fn believe(&mut self, us: i64) {
        self.smallest = self.smallest.min(us);
    }

    /// The offset at this time, moved a little towards what was measured.
    fn at(&mut self, at: Instant) -> i64 {
        let target = self.past.iter().copied().chain([self.smallest]).min().unwrap_or(self.now_us);
        let passed = micros(at.saturating_duration_since(self.slewed));
        let young = at.saturating_duration_since(self.begun) < YOUNG;
        let ppm = if young { SLEW_YOUNG_PPM } else { SLEW_PPM };
        let most = passed.saturating_mul(ppm) / 1_000_000;
        if most > 0 {
            self.now_us += (target - self.now_us).clamp(-most, most);
            self.slewed = at;
        }
        self.now_us
    }
}

#[cfg(test)]
mod tests;
