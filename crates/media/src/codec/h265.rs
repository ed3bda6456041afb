//! H.265 (ITU-T H.265): NAL unit types and what the parameter sets say.

use bytes::Bytes;

use super::Error;

/// What a decoder and a player must know. Equality is of the bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The video parameter set NAL unit, two header bytes included.
    pub vps: Bytes,
    /// The sequence parameter set NAL unit.
    pub sps: Bytes,
    /// The picture parameter set NAL unit.
    pub pps: Bytes,
    /// Width of the picture as shown.
    pub width: u32,
    /// Height of the picture as shown.
    pub height: u32,
    /// The 12 bytes of general profile, tier and level as they stand in `hvcC`.
    pub profile_tier_level: [u8; 12],
    /// `chroma_format_idc`.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub luma_bits: u8,
    /// Bits per chroma sample.
    pub chroma_bits: u8,
    /// Frames per second from VUI or VPS timing.
    pub frame_rate: Option<f64>,
    /// True when pictures may be shown in another order than decoded.
    pub reordered: bool,
}
