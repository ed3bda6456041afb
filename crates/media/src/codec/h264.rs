//! H.264 (ITU-T H.264): NAL unit types and what the parameter sets say.

use bytes::Bytes;

use super::Error;

/// What a decoder and a player must know. Equality is of the bytes: two sets that differ only in
/// spelling differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The sequence parameter set NAL unit, header byte included, no start code, trailing zero
    /// padding removed.
    pub sps: Bytes,
    /// The picture parameter set NAL unit, likewise.
    pub pps: Bytes,
    /// Width of the picture as shown.
    pub width: u32,
    /// Height of the picture as shown.
    pub height: u32,
    /// `profile_idc`.
    pub profile: u8,
    /// The constraint flags byte.
    pub constraints: u8,
    /// `level_idc`.
    pub level: u8,
    /// Frames per second from VUI timing.
    pub frame_rate: Option<f64>,
    /// True when pictures may be shown in another order than decoded (B-frames).
    pub reordered: bool,
}
