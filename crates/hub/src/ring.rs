//! The frames in memory of one path: a queue with numbers that never restart, and the rules by
//! which its old end is let go.

use std::collections::VecDeque;

use media::{Frame, TrackKind, Wall};

/// A live subscriber more than this many bytes behind jumps to the newest group.
pub const LIVE_BYTES_MAX: usize = 4 << 20;
/// A live subscriber more than this far behind jumps to the newest group.
pub const LIVE_LAG_US_MAX: i64 = 2_000_000;
/// A lossless subscriber more than this many bytes behind is handed a gap.
pub const LOSSLESS_BYTES_MAX: usize = 32 << 20;
/// Most bytes kept for viewers who will come: a group longer than this has no kept start.
pub const RING_BYTES_MAX: usize = 16 << 20;

/// Bytes that a frame costs beside its payload, so that tiny audio frames are bounded as well.
const FRAME_OVERHEAD: usize = 160;

pub(crate) struct Ring {
    frames: VecDeque<Frame>,
    /// Number of `frames[0]`; of the next frame to come while empty.
    first: u64,
    bytes: usize,
    /// Where a new viewer begins.
    group: Option<u64>,
}

fn cost(frame: &Frame) -> usize {
    frame.data.len() + FRAME_OVERHEAD
}

impl Ring {
    pub(crate) const fn new() -> Self {
        Self { frames: VecDeque::new(), first: 0, bytes: 0, group: None }
    }

    pub(crate) fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Frame> {
        let at = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.frames.get(at)
    }

    /// Where a subscriber that joins or jumps begins: the newest group, or what comes next.
    pub(crate) fn newest_group(&self) -> u64 {
        self.group.unwrap_or_else(|| self.end())
    }

    pub(crate) fn push(&mut self, frame: Frame, has_video: bool) {
        let starts = frame.random_access && (!has_video || frame.params.kind() == TrackKind::Video);
        if starts {
            self.group = Some(self.end());
        }
        self.bytes += cost(&frame);
        self.frames.push_back(frame);
    }

    /// A new publication: what is in memory cannot be joined any more, but who is reading it may
    /// finish.
    pub(crate) const fn end_group(&mut self) {
        self.group = None;
    }

    /// Lets go of what neither a new viewer nor a subscriber within its budget needs. `live` and
    /// `lossless` are the oldest positions of each kind.
    pub(crate) fn trim(&mut self, live: Option<u64>, lossless: Option<u64>) {
        if self.group.is_some_and(|g| self.bytes_from(g) > RING_BYTES_MAX) {
            self.group = None;
        }
        let keep = self.newest_group();
        while self.first < keep {
            let Some(oldest) = self.frames.front() else { break };
            let wanted_lossless =
                lossless.is_some_and(|p| p <= self.first) && self.bytes <= LOSSLESS_BYTES_MAX;
            let lag = self.newest_wall().us_since(oldest.wall);
            let wanted_live = live.is_some_and(|p| p <= self.first)
                && self.bytes <= RING_BYTES_MAX
                && lag <= LIVE_LAG_US_MAX;
            if wanted_lossless || wanted_live {
                break;
            }
            self.bytes -= cost(oldest);
            self.frames.pop_front();
            self.first += 1;
        }
    }

    /// Whether a live subscriber at `seq` is over its budget.
    pub(crate) fn over_live_budget(&self, seq: u64) -> bool {
        let Some(frame) = self.get(seq) else { return seq < self.first };
        // Behind the newest group's start only: within the newest group there is nothing to
        // jump to.
        seq < self.newest_group()
            && (self.newest_wall().us_since(frame.wall) > LIVE_LAG_US_MAX
                || self.bytes_from(seq) > LIVE_BYTES_MAX)
    }

    fn newest_wall(&self) -> Wall {
        self.frames.back().map_or(Wall(0), |f| f.wall)
    }

    /// Bytes of `seq` and all after it. Costs a walk only when the answer can matter.
    fn bytes_from(&self, seq: u64) -> usize {
        if self.bytes <= LIVE_BYTES_MAX {
            return self.bytes;
        }
        let skip = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.frames.iter().skip(skip).map(cost).sum()
    }
}
