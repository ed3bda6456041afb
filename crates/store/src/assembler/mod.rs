//! Frames in, fragments out: the sans-IO half of recording, one per camera.
//!
//! The *primary* track (the picture; else sound; else metadata) decides everything: when a run
//! begins, when a fragment ends, what is a hole. The other tracks ride along in arrival order. One
//! frame per track is held back until the next arrives, because only then is its duration known.
//!
//! A new run begins when the codec, the size or the codec string changes; when parameter sets
//! change and the random-access frame does not carry them itself; at a discontinuity; and after
//! [`Assembler::flush`]. Parameter sets that change in band only, with the same size and codec
//! string, stay in the run: encoders that alternate between two of them would shred the recording.
//! Every run begins with a random-access frame; frames before it are dropped and belong to the
//! gap before the run.

mod lane;

use std::sync::Arc;

use media::codec::{Codec, Params, h264, h265, nal};
use media::{CameraId, Cause, Frame, Gap, Ticks, Track, TrackKind, Wall};
use mp4::InitTrack;

use crate::format::InitKey;
use crate::fragment::{Fragment, Run};
use lane::Lane;

/// Longest fragment unless told otherwise, microseconds of the primary track.
pub const FRAGMENT_US_DEFAULT: i64 = 1_000_000;
/// A random-access frame begins a new fragment if the last one that did is at least this old.
pub(crate) const GROUP_US_MIN: i64 = 500_000;
/// A fragment is closed before it grows past this.
pub(crate) const FRAGMENT_BYTES_MAX: usize = 16 << 20;
/// Frames above this are dropped and count as lost.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// Samples of one track in one fragment; more sound than this without a picture is dropped.
pub(crate) const SAMPLES_MAX: usize = 4_096;
/// [`Assembler::tick`] closes a fragment whose first frame is older than this.
pub(crate) const SILENT_US: i64 = 2_000_000;

/// A step of the clock larger than this factor of the usual one, and than
/// [`HOLE_US_MIN`], is a hole.
const HOLE_FACTOR_TENTHS: i64 = 25;
const HOLE_US_MIN: i64 = 500_000;
/// The same while too few frames were seen to know what is usual.
const HOLE_US_UNKNOWN: i64 = 3_000_000;
/// A damaged frame after a step larger than this factor of the usual one: whole frames are lost.
const LOST_FACTOR_TENTHS: i64 = 15;
/// How far a frame's wall estimate may be from where its ticks put it and still be believed.
const WALL_SLACK_US: i64 = 250_000;
/// How much later than a picture one may be shown that is sent before it; more is a clock's step.
pub(crate) const REORDER_US_MAX: i64 = 500_000;
/// Sound older than this at the end of a fragment is not held back for its successor.
const HELD_US_MAX: i64 = 500_000;

/// The primary frame before the present one.
#[derive(Debug, Clone, Copy)]
struct Last {
    dts: Ticks,
    wall: Wall,
    /// The latest of those that are shown around it: pictures may be sent in another order.
    latest: Wall,
}

/// The fragment being filled.
#[derive(Debug)]
struct Filling {
    start: Wall,
    decode_time: u64,
    frames: u32,
    bytes: usize,
    random_access: bool,
    damaged: bool,
    gap: Option<Gap>,
}

/// See the module's description.
#[derive(Debug)]
pub struct Assembler {
    camera: CameraId,
    fragment_us_max: i64,
    lanes: Vec<Lane>,
    primary: usize,
    run: Option<Arc<Run>>,
    number: u32,
    filling: Option<Filling>,
    last: Option<Last>,
    /// Where the recording stands: the end of the last closed fragment.
    end: Option<Wall>,
    /// Media time at which a random-access frame last began a fragment.
    group_decode: u64,
    /// The break that the next run follows, and the first frame dropped while waiting for it.
    broken: Option<(Cause, Wall)>,
    renew: bool,
    skip_leading: bool,
    dropped: u64,
}

impl Assembler {
    /// An assembler for one publication of a camera.
    pub fn new(camera: CameraId, tracks: &[Track]) -> Self {
        let mut new = Self {
            camera,
            fragment_us_max: FRAGMENT_US_DEFAULT,
            lanes: Vec::new(),
            primary: 0,
            run: None,
            number: 0,
            filling: None,
            last: None,
            end: None,
            group_decode: 0,
            broken: None,
            renew: false,
            skip_leading: false,
            dropped: 0,
        };
        new.take_tracks(tracks);
        new
    }

    /// Closes fragments at `us` microseconds of the primary track instead of
    /// [`FRAGMENT_US_DEFAULT`].
    #[must_use]
    pub fn with_fragment_us(mut self, us: i64) -> Self {
        self.fragment_us_max = us.max(1);
        self
    }

    /// Other tracks: ends the run. What was held back comes out.
    pub fn set_tracks(&mut self, tracks: &[Track]) -> Option<Fragment> {
        let out = self.flush();
        self.take_tracks(tracks);
        out
    }

    /// Frames that were dropped: before the first random access, too large, of unknown tracks or
    /// with parameters that cannot be stored. Those of the primary track lie inside a gap.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn take_tracks(&mut self, tracks: &[Track]) {
        self.lanes = tracks.iter().map(Lane::new).collect();
        let first = |kind| self.lanes.iter().position(|l| l.kind() == kind);
        self.primary =
            first(TrackKind::Video).or_else(|| first(TrackKind::Audio)).unwrap_or_default();
    }

    /// Takes a frame; gives back the fragment it completes.
    pub fn push(&mut self, frame: Frame) -> Option<Fragment> {
        let Some(index) = self.lanes.iter().position(|l| l.id == frame.track) else {
            self.dropped += 1;
            return None;
        };
        if frame.data.is_empty() || frame.data.len() > FRAME_BYTES_MAX {
            self.dropped += 1;
            self.lanes[index].lost = true;
            return None;
        }
        if index == self.primary {
            self.push_primary(frame)
        } else {
            self.push_other(index, frame);
            None
        }
    }

    /// Closes the fragment being filled if its camera went silent, so that what was received is
    /// written. The run goes on. Call it about once a second.
    pub fn tick(&mut self, now: Wall) -> Option<Fragment> {
        let filling = self.filling.as_ref()?;
        if now.us_since(filling.start) <= SILENT_US.max(2 * self.fragment_us_max) {
            return None;
        }
        self.close_without_next()
    }

    /// Closes what is being filled and ends the run: the publication ended.
    pub fn flush(&mut self) -> Option<Fragment> {
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            if i != self.primary {
                lane.commit_nominal();
            }
        }
        let out = self.close_without_next();
        self.end_run();
        out
    }

    fn end_run(&mut self) {
        self.run = None;
        self.filling = None;
        self.last = None;
        self.renew = false;
        for lane in &mut self.lanes {
            lane.end_run();
        }
    }

    fn push_primary(&mut self, mut frame: Frame) -> Option<Fragment> {
        let lane = &mut self.lanes[self.primary];
        frame.damaged |= std::mem::take(&mut lane.lost);
        if self.run.is_some() && self.skips(&frame) {
            self.dropped += 1;
            return None;
        }
        let mut out = None;
        if let Some(cause) = self.breaks(&frame) {
            out = if cause == Cause::CodecChange {
                // Its ticks still follow: the frame before ends where this one begins.
                self.close_before(&frame)
            } else {
                self.close_without_next()
            };
            self.end_run();
            self.broken = Some((cause, self.end.unwrap_or(frame.wall)));
        }
        if self.run.is_none() {
            self.start_run(frame);
            return out;
        }
        let gap = self.commit_before(&frame);
        if gap.is_some() || self.is_full(&frame) {
            let end = gap.map_or_else(|| self.expected_end(&frame), |g| g.from);
            out = self.close(end);
        }
        self.hold(frame, gap);
        out
    }

    fn close_before(&mut self, next: &Frame) -> Option<Fragment> {
        let gap = self.commit_before(next);
        let end = gap.map_or_else(|| self.expected_end(next), |g| g.from);
        self.close(end)
    }

    /// Why this frame cannot continue the run, if there is one.
    fn breaks(&self, frame: &Frame) -> Option<Cause> {
        let run = self.run.as_ref()?;
        let stored = &run.tracks[run.primary].params;
        if self.last.is_some_and(|l| frame.dts <= l.dts) || frame.discontinuity {
            return Some(if frame.damaged { Cause::PacketLoss } else { Cause::NetworkCut });
        }
        let renewed = self.renew && frame.random_access;
        (renewed || changes(stored, frame)).then_some(Cause::CodecChange)
    }

    /// Leading pictures of the first CRA or BLA refer to frames before the run.
    fn skips(&mut self, frame: &Frame) -> bool {
        if !self.skip_leading {
            return false;
        }
        match h265_slice_type(frame) {
            Some(8 | 9) => true,
            Some(6 | 7) => false,
            _ => {
                self.skip_leading = false;
                false
            }
        }
    }

    fn start_run(&mut self, frame: Frame) {
        let since = self.broken.map_or(frame.wall, |(_, since)| since);
        let cause = self.broken.map_or(Cause::CameraSilent, |(cause, _)| cause);
        let stored = frame.random_access.then(|| self.new_run(&frame)).flatten();
        let Some(run) = stored else {
            self.dropped += 1;
            self.broken = Some((cause, since));
            return;
        };
        let from = self.end.unwrap_or(since);
        let gap = (from < frame.wall).then_some(Gap { from, to: Some(frame.wall), cause });
        self.broken = None;
        self.skip_leading = matches!(h265_slice_type(&frame), Some(16..=18 | 21));
        self.run = Some(Arc::new(run));
        self.number = 0;
        self.group_decode = 0;
        self.lanes[self.primary].base = Some((frame.dts, 0));
        self.hold(frame, gap);
    }

    /// The run that begins with `frame`; `None` if its parameters cannot be stored.
    fn new_run(&mut self, frame: &Frame) -> Option<Run> {
        let lane = &mut self.lanes[self.primary];
        lane.params = Arc::clone(&frame.params);
        let mut tracks = Vec::new();
        let mut primary = None;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let id = u32::try_from(tracks.len() + 1).unwrap_or(u32::MAX);
            let track = InitTrack { id, rate: lane.rate, params: Arc::clone(&lane.params) };
            if matches!(*lane.params, Params::Pending(_))
                || mp4::init(std::slice::from_ref(&track), &[]).is_err()
            {
                lane.number = None;
                continue;
            }
            if index == self.primary {
                primary = Some(tracks.len());
            }
            lane.number = Some(id);
            tracks.push(track);
        }
        let primary = primary?;
        let init = InitKey(hash(&mp4::init(&tracks, &[]).ok()?));
        let lane = &self.lanes[self.primary];
        let anchor = frame.wall.plus_us(-lane.rate.to_us(frame.pts.since(frame.dts)));
        Some(Run { camera: self.camera, tracks, primary, anchor, init })
    }

    /// Gives the held primary frame its duration now that its successor is here; tells the hole
    /// between the two if there is one.
    fn commit_before(&mut self, frame: &Frame) -> Option<Gap> {
        let last = self.last?;
        let lane = &mut self.lanes[self.primary];
        let step = frame.dts.since(last.dts);
        let (usual, known) = lane.usual();
        let (step_us, usual_us) = (lane.rate.to_us(step), lane.rate.to_us(usual));
        let limit = if known {
            HOLE_US_MIN.max(usual_us.saturating_mul(HOLE_FACTOR_TENTHS) / 10)
        } else {
            HOLE_US_UNKNOWN.max(usual_us.saturating_mul(HOLE_FACTOR_TENTHS) / 10)
        };
        let lost =
            frame.damaged && known && step_us > usual_us.saturating_mul(LOST_FACTOR_TENTHS) / 10;
        if !lost && step_us <= limit {
            lane.commit_until(frame.dts);
            return None;
        }
        lane.commit(usual);
        let cause = if frame.damaged { Cause::PacketLoss } else { Cause::CameraSilent };
        let ended = last.latest.plus_us(usual_us);
        let from = self.filling.as_ref().map_or(self.end.unwrap_or(ended), |_| ended);
        // With a stepped wall clock the frame may seem to be earlier: then nothing is missing
        // on the house's time line.
        (from < frame.wall).then_some(Gap { from, to: Some(frame.wall), cause }).or(Some(Gap {
            from,
            to: Some(from),
            cause,
        }))
    }

    /// Where the fragment ends if `frame` begins the next one without a hole.
    fn expected_end(&self, frame: &Frame) -> Wall {
        let Some(last) = self.last else { return frame.wall };
        let step_us = self.lanes[self.primary].rate.to_us(frame.dts.since(last.dts));
        let expected = last.wall.plus_us(step_us);
        let off = frame.wall.us_since(expected);
        if off.abs() <= WALL_SLACK_US && frame.wall > last.wall { frame.wall } else { expected }
    }

    /// Whether the fragment must be closed before `frame` goes in.
    fn is_full(&self, frame: &Frame) -> bool {
        let Some(filling) = &self.filling else { return false };
        let lane = &self.lanes[self.primary];
        let decode = lane.decode_time(frame.dts);
        let us = |from: u64| {
            lane.rate.to_us(Ticks(i64::try_from(decode.saturating_sub(from)).unwrap_or(i64::MAX)))
        };
        let usual_us = lane.rate.to_us(lane.usual().0);
        let inter = matches!(frame.params.codec(), Codec::H264 | Codec::H265);
        us(filling.decode_time).saturating_add(usual_us) > self.fragment_us_max
            || (inter && frame.random_access && us(self.group_decode) >= GROUP_US_MIN)
            || filling.bytes + frame.data.len() > FRAGMENT_BYTES_MAX
            || lane.samples() >= SAMPLES_MAX
    }

    /// Puts a primary frame into the fragment being filled, or begins one with it.
    fn hold(&mut self, frame: Frame, gap: Option<Gap>) {
        let lane = &mut self.lanes[self.primary];
        let decode_time = lane.begins(frame.dts);
        let shown = self.last.map(|l| l.latest).filter(|l| {
            let ahead_us = l.us_since(frame.wall);
            (0..=REORDER_US_MAX).contains(&ahead_us)
        });
        let latest = shown.unwrap_or(frame.wall);
        self.last = Some(Last { dts: frame.dts, wall: frame.wall, latest });
        let filling = self.filling.get_or_insert_with(|| {
            if frame.random_access {
                self.group_decode = decode_time;
            }
            Filling {
                start: frame.wall,
                decode_time,
                frames: 0,
                bytes: 0,
                random_access: frame.random_access,
                damaged: false,
                gap: gap.filter(|g| g.to != Some(g.from)),
            }
        });
        filling.frames += 1;
        filling.bytes += frame.data.len();
        filling.damaged |= frame.damaged;
        lane.held = Some(frame);
    }

    fn push_other(&mut self, index: usize, frame: Frame) {
        let Some(run) = &self.run else {
            self.lanes[index].params = frame.params;
            return;
        };
        let lane = &mut self.lanes[index];
        let stored = lane.number.and_then(|n| run.tracks.get(n.checked_sub(1)? as usize));
        let fits = stored.is_some_and(|t| same(&t.params, &frame.params));
        if !fits {
            if !matches!(*frame.params, Params::Pending(_)) && !same(&lane.params, &frame.params)
                || stored.is_some()
            {
                self.renew = true;
            }
            lane.params = frame.params;
            self.dropped += 1;
            return;
        }
        let bytes = frame.data.len();
        let room = self.filling.as_ref().is_none_or(|f| f.bytes + bytes <= FRAGMENT_BYTES_MAX);
        if !room || lane.samples() >= SAMPLES_MAX || !lane.push(frame, run.anchor) {
            self.dropped += 1;
        } else if let Some(filling) = &mut self.filling {
            filling.bytes += bytes;
        }
    }

    /// Closes with the usual duration for the primary frame that is held back.
    fn close_without_next(&mut self) -> Option<Fragment> {
        let last = self.last?;
        self.filling.as_ref()?;
        let lane = &mut self.lanes[self.primary];
        let (usual, _) = lane.usual();
        lane.commit(usual);
        let end = last.latest.plus_us(lane.rate.to_us(usual));
        self.close(end)
    }

    fn close(&mut self, end: Wall) -> Option<Fragment> {
        let run = Arc::clone(self.run.as_ref()?);
        let filling = self.filling.take()?;
        let end = end.max(filling.start.plus_us(1));
        for (i, lane) in self.lanes.iter_mut().enumerate() {
            let held_us = lane.held.as_ref().map_or(0, |f| end.us_since(f.wall));
            if i != self.primary && (lane.kind() == TrackKind::Metadata || held_us > HELD_US_MAX) {
                lane.commit_nominal();
            }
        }
        self.number += 1;
        self.end = Some(end);
        Some(Fragment {
            run,
            number: self.number,
            start: filling.start,
            end,
            decode_time: filling.decode_time,
            frames: filling.frames,
            random_access: filling.random_access,
            damaged: filling.damaged,
            gap: filling.gap,
            tracks: self.lanes.iter_mut().filter_map(Lane::take).collect(),
        })
    }
}

fn same(a: &Arc<Params>, b: &Arc<Params>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// Whether frames of these parameters cannot follow in a run that stored others.
fn changes(stored: &Arc<Params>, frame: &Frame) -> bool {
    if same(stored, &frame.params) {
        return false;
    }
    stored.codec() != frame.params.codec()
        || stored.resolution() != frame.params.resolution()
        || stored.codec_string() != frame.params.codec_string()
        || (frame.random_access && !carries_sets(frame))
}

/// Whether the access unit carries its own parameter sets.
fn carries_sets(frame: &Frame) -> bool {
    let types = |wanted: &[u8], of: fn(u8) -> u8| {
        let found: Vec<u8> =
            nal::prefixed(&frame.data).filter_map(|n| n.first().copied()).map(of).collect();
        wanted.iter().all(|t| found.contains(t))
    };
    match frame.params.codec() {
        Codec::H264 => types(&[7, 8], h264::unit_type),
        Codec::H265 => types(&[32, 33, 34], h265::unit_type),
        _ => false,
    }
}

/// The NAL unit type of the first slice of an H.265 access unit.
fn h265_slice_type(frame: &Frame) -> Option<u8> {
    if frame.params.codec() != Codec::H265 {
        return None;
    }
    nal::prefixed(&frame.data)
        .filter_map(|n| n.first().copied())
        .map(h265::unit_type)
        .find(|t| *t < 32)
}

/// FNV-1a: stable for ever, because it lies on disk.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;
