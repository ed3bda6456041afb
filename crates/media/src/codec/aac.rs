//! AAC (ISO/IEC 14496-3): AudioSpecificConfig and ADTS.

use bytes::Bytes;

use super::Error;

/// What a decoder must know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Params {
    /// The AudioSpecificConfig, as in `esds` and in SDP's `config=`.
    pub config: Bytes,
    /// Audio object type: 2 is AAC-LC, 5 is SBR.
    pub object_type: u8,
    /// Samples per second of the output.
    pub sample_rate: u32,
    /// Channels of the output.
    pub channels: u8,
}
