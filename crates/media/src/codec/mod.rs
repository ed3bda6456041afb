//! Codec parameters, read from the bitstream itself: what a camera's SDP says about its pictures
//! is a rumour, what its parameter sets say is what a decoder will do.
//!
//! One file per codec; `rtsp::payload` and `mp4::entry` have files of the same names.

pub mod aac;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod metadata;
pub mod mjpeg;
pub mod nal;
pub mod opus;

mod bits;

use std::fmt;

use crate::TrackKind;

/// A codec khien carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// ITU-T H.264, ISO/IEC 14496-10.
    H264,
    /// ITU-T H.265, ISO/IEC 23008-2.
    H265,
    /// Baseline JPEG pictures, one per frame.
    Mjpeg,
    /// AAC-LC and HE-AAC, ISO/IEC 14496-3.
    Aac,
    /// ITU-T G.711 A-law or µ-law.
    G711,
    /// RFC 6716.
    Opus,
    /// ONVIF metadata: XML documents.
    Metadata,
}

impl Codec {
    /// What it carries.
    pub const fn kind(self) -> TrackKind {
        match self {
            Self::H264 | Self::H265 | Self::Mjpeg => TrackKind::Video,
            Self::Aac | Self::G711 | Self::Opus => TrackKind::Audio,
            Self::Metadata => TrackKind::Metadata,
        }
    }

    /// The name people know: `H.264`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Mjpeg => "MJPEG",
            Self::Aac => "AAC",
            Self::G711 => "G.711",
            Self::Opus => "Opus",
            Self::Metadata => "ONVIF metadata",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why parameters could not be read. Never a reason to stop recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Ends too early.
    Truncated,
    /// Says something the standard forbids.
    Malformed(&'static str),
    /// Legal, but not something khien reads.
    Unsupported(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("ends too early"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
        }
    }
}

impl std::error::Error for Error {}

/// Codec parameters of a track, or of the frames that carry them.
#[derive(Debug, Clone, PartialEq)]
pub enum Params {
    /// The codec is known, its parameters have not been seen yet (sets that come only in band).
    Pending(Codec),
    /// H.264.
    H264(h264::Params),
    /// H.265.
    H265(h265::Params),
    /// MJPEG.
    Mjpeg(mjpeg::Params),
    /// AAC.
    Aac(aac::Params),
    /// G.711.
    G711(g711::Params),
    /// Opus.
    Opus(opus::Params),
    /// ONVIF metadata has none.
    Metadata,
}

impl Params {
    /// Which codec.
    pub const fn codec(&self) -> Codec {
        match self {
            Self::Pending(codec) => *codec,
            Self::H264(_) => Codec::H264,
            Self::H265(_) => Codec::H265,
            Self::Mjpeg(_) => Codec::Mjpeg,
            Self::Aac(_) => Codec::Aac,
            Self::G711(_) => Codec::G711,
            Self::Opus(_) => Codec::Opus,
            Self::Metadata => Codec::Metadata,
        }
    }

    /// What it carries.
    pub const fn kind(&self) -> TrackKind {
        self.codec().kind()
    }

    /// The RFC 6381 string for MSE and HLS, `None` where there is none (pending, metadata).
    pub fn codec_string(&self) -> Option<String> {
        match self {
            Self::Pending(_) | Self::Metadata => None,
            Self::H264(p) => Some(p.codec_string()),
            Self::H265(p) => Some(p.codec_string()),
            Self::Mjpeg(_) => Some("mjpg".to_owned()),
            Self::Aac(p) => Some(p.codec_string()),
            Self::G711(p) => Some(p.codec_string()),
            Self::Opus(_) => Some("opus".to_owned()),
        }
    }

    /// Width and height of the picture as shown (cropped), for picture tracks whose parameters
    /// are known.
    pub const fn resolution(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(p) => Some((p.width, p.height)),
            Self::H265(p) => Some((p.width, p.height)),
            Self::Mjpeg(p) => Some((p.width, p.height)),
            _ => None,
        }
    }

    /// Frames per second if the bitstream says so.
    pub fn frame_rate(&self) -> Option<f64> {
        match self {
            Self::H264(p) => p.frame_rate,
            Self::H265(p) => p.frame_rate,
            _ => None,
        }
    }

    /// Sample rate and channels of sound.
    pub const fn audio(&self) -> Option<(u32, u8)> {
        match self {
            Self::Aac(p) => Some((p.sample_rate, p.channels)),
            Self::G711(p) => Some((p.sample_rate, p.channels)),
            Self::Opus(p) => Some((48_000, p.channels)),
            _ => None,
        }
    }
}
