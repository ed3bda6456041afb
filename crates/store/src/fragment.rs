//! What travels from an assembler to the writer: at most about a second of every track of one
//! camera, the frames' bytes still shared with whoever else holds them.

use std::sync::Arc;

use bytes::Bytes;
use media::{CameraId, Cause, Gap, Rate, Wall};
use mp4::InitTrack;

use crate::format::InitKey;

/// An unbroken time line with one set of codec parameters, as an assembler knows it. The writer
/// gives it its number.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whose it is.
    pub camera: CameraId,
    /// The tracks, in the order of their `track_ID`.
    pub tracks: Vec<InitTrack>,
    /// Index into `tracks` of the one that spans and random access are told by: the picture, else
    /// sound, else metadata.
    pub primary: usize,
    /// The wall time of media time zero of every track.
    pub anchor: Wall,
    /// Hash of the codec parameters of all tracks.
    pub init: InitKey,
}

impl Run {
    /// Ticks per second of the primary track.
    pub fn rate(&self) -> Rate {
        self.tracks.get(self.primary).map_or(Rate::VIDEO, |t| t.rate)
    }
}

/// One track's part of a fragment.
#[derive(Debug, Clone)]
pub struct Samples {
    /// `track_ID`.
    pub track: u32,
    /// Media time of the first sample, ticks of the track.
    pub decode_time: u64,
    /// Sizes and times, in order.
    pub samples: Vec<mp4::Sample>,
    /// The samples' bytes, in the same order.
    pub data: Vec<Bytes>,
}

/// At most about a second of a camera.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The run it belongs to; another `Arc` is another run.
    pub run: Arc<Run>,
    /// 1 for the first of the run, then one more each: a missing number is a lost fragment.
    pub number: u32,
    /// When its first primary frame was taken.
    pub start: Wall,
    /// When its last primary frame ended; the start of the next fragment unless frames are missing.
    pub end: Wall,
    /// Media time of its first primary frame, ticks of the run's rate.
    pub decode_time: u64,
    /// Number of primary frames.
    pub frames: u32,
    /// Its first primary frame can be decoded alone.
    pub random_access: bool,
    /// Something in it, or just before it, was lost.
    pub damaged: bool,
    /// What is missing right before it.
    pub gap: Option<Gap>,
    /// Its tracks, at least the primary one.
    pub tracks: Vec<Samples>,
}

impl Fragment {
    /// Bytes of all frames.
    pub fn payload_bytes(&self) -> u64 {
        self.tracks.iter().flat_map(|t| &t.samples).map(|s| u64::from(s.size)).sum()
    }

    /// The gap that is left if this fragment is given up.
    pub const fn as_gap(&self, cause: Cause) -> Gap {
        Gap { from: self.start, to: Some(self.end), cause }
    }
}
