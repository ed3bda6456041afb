//! The atom, [`Frame`], and what it belongs to, [`Track`].

use std::sync::Arc;

use bytes::Bytes;

use crate::{Params, Rate, Ticks, TrackId, Wall};

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// ONVIF metadata and events.
    Metadata,
}

/// One track of a publication. `params` are those known when the track was announced; a frame
/// carries its own, which win.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Its number within the camera.
    pub id: TrackId,
    /// Ticks per second of its frames.
    pub rate: Rate,
    /// Codec parameters, as far as known: a picture track whose parameter sets come only in band
    /// has none until the first random-access frame.
    pub params: Arc<Params>,
}

impl Track {
    /// What it carries.
    pub fn kind(&self) -> TrackKind {
        self.params.kind()
    }
}

/// One access unit of one track: immutable and shared by reference.
///
/// A *group* is the frames from one with `random_access` to the next of the same track; it is the
/// unit a viewer joins at, a slow reader skips to, and the store cuts at. Frames of audio and
/// metadata are each a group of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The track it belongs to.
    pub track: TrackId,
    /// Presentation time in the track's clock, unwrapped; starts anywhere, never wraps.
    pub pts: Ticks,
    /// Decoding time: never after `pts`, strictly growing within a run.
    pub dts: Ticks,
    /// The best estimate of when the picture was taken or the sound began.
    pub wall: Wall,
    /// Can be decoded without any earlier frame (IDR, CRA/BLA, or any audio frame).
    pub random_access: bool,
    /// Something was lost inside this frame or between it and the one before.
    pub damaged: bool,
    /// The time line broke before this frame: its ticks do not continue those of the one before.
    pub discontinuity: bool,
    /// Codec parameters in force; the same `Arc` as the frame before when nothing changed.
    pub params: Arc<Params>,
    /// The access unit. H.264 and H.265: every NAL as received, in order, each with a 4-byte
    /// big-endian length in front (parameter sets and SEI stay in). AAC: one raw access unit.
    /// Opus: one packet. G.711: samples. MJPEG: one JFIF picture. Metadata: one XML document.
    pub data: Bytes,
}
