//! The software camera's encoder, in a child of its own: what crosses to it are numbers, what
//! comes back are access units.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::Params;
use media::codec::{Codec, h264, h265, nal};
use stdx::{Bitrate, Error, Kind, Result};

use crate::child::{self, Child, Config, Facts};
use crate::pattern::{Stamp, Syntax, sei_unit};
use crate::wire::{EncoderSettings, Lens, Reply, Request};

/// What an encoder is to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// H.264 or H.265.
    pub codec: Codec,
    /// Width and height, both even.
    pub size: (u32, u32),
    /// Pictures per second, 1 to 120.
    pub fps: u32,
    /// A ceiling: a picture that hardly changes takes less.
    pub bit_rate: Bitrate,
    /// Pictures from key frame to key frame.
    pub gop: u32,
}

/// A capture device (V4L2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device(pub PathBuf);

/// An encoded picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Which picture it is: as given to [`Encoder::draw`], or counted from 0.
    pub number: u64,
    /// Of the pattern.
    pub stamp: Option<Stamp>,
    /// Decoding can begin here.
    pub random_access: bool,
    /// Parameters in force.
    pub params: Arc<Params>,
    /// NAL units with 4-byte length prefixes, as [`media::Frame`] carries them. Pictures of the
    /// pattern have their SEI message in front of the first slice.
    pub data: Bytes,
}

/// An open encoder. An error means that it is of no more use: open another.
#[derive(Debug)]
pub struct Encoder {
    child: Child,
    codec: Codec,
    name: String,
    params: Option<Arc<Params>>,
    /// Pictures handed to the child so far.
    given: u64,
    /// Stamps of pictures that have not come back.
    waiting: VecDeque<(u64, Stamp)>,
}

/// Pictures that an encoder may hold back.
const DELAY_MAX: usize = 64;

impl Encoder {
    /// Starts a child that paints and encodes the test pattern.
    ///
    /// # Errors
    /// `InvalidArgument` for settings out of range, `Unsupported` when FFmpeg has no such
    /// encoder; else as [`crate::Worker::check`].
    pub fn pattern(config: &Config, settings: &Settings) -> Result<Self> {
        Self::open(Child::start(config, &[])?, settings, Lens::Pattern)
    }

    /// Starts a child that opens a device, then shuts itself in, and encodes what the device
    /// sees.
    ///
    /// # Errors
    /// As [`Encoder::pattern`]; `Unavailable` when the device cannot be opened, `Unsupported`
    /// when khien-pixels was built without V4L2.
    pub fn device(config: &Config, settings: &Settings, device: &Device) -> Result<Self> {
        let path = utf8(&device.0)?;
        let size = format!("{}x{}", settings.size.0, settings.size.1);
        let fps = settings.fps.to_string();
        let arguments = ["--device", path, "--size", &size, "--fps", &fps];
        Self::open(Child::start(config, &arguments)?, settings, Lens::Device)
    }

    fn open(mut child: Child, settings: &Settings, lens: Lens) -> Result<Self> {
        let (width, height) = settings.size;
        let bit_rate = u32::try_from(settings.bit_rate.0).unwrap_or(u32::MAX);
        let codec = settings.codec;
        let gop = settings.gop;
        let wanted =
            EncoderSettings { codec, width, height, fps: settings.fps, bit_rate, gop, lens };
        let mut name = None;
        child.ask(Request::OpenEncoder(wanted), |reply| match reply {
            Reply::Opened(text) => {
                name = Some(text.chars().filter(|c| !c.is_control()).collect());
                Ok(())
            }
            _ => Err(child::unexpected()),
        })?;
        let name = name.ok_or_else(child::unexpected)?;
        Ok(Self { child, codec, name, params: None, given: 0, waiting: VecDeque::new() })
    }

    /// What FFmpeg calls the encoder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the child is.
    pub const fn facts(&self) -> &Facts {
        self.child.facts()
    }

    /// Paints a picture of the pattern and encodes it. Encoders without delay, which khien asks
    /// for, return it at once.
    ///
    /// # Errors
    /// `Unavailable` when the child is gone, `Internal` when it answers nonsense.
    pub fn draw(&mut self, stamp: Stamp) -> Result<Vec<Packet>> {
        if self.waiting.len() >= DELAY_MAX {
            return Err(Error::new(Kind::Internal, "the encoder takes pictures and returns none"));
        }
        self.waiting.push_back((self.given, stamp));
        let Stamp { camera, frame, wall } = stamp;
        self.packets(Request::Draw { camera, frame, wall_us: wall.0 })
    }

    /// Waits for the device's next picture and encodes it.
    ///
    /// # Errors
    /// As [`Encoder::draw`].
    pub fn capture(&mut self) -> Result<Vec<Packet>> {
        self.packets(Request::Capture)
    }

    fn packets(&mut self, request: Request<'_>) -> Result<Vec<Packet>> {
        let Self { child, codec, params, waiting, .. } = self;
        let mut packets = Vec::new();
        child.ask(request, |reply| match reply {
            Reply::Packet { number, data } => {
                let number = u64::try_from(number).map_err(|_| child::unexpected())?;
                while waiting.front().is_some_and(|(n, _)| *n < number) {
                    waiting.pop_front();
                }
                let stamp = waiting.pop_front_if(|(n, _)| *n == number).map(|(_, s)| s);
                packets.push(packet(*codec, params, number, stamp, data)?);
                Ok(())
            }
            _ => Err(child::unexpected()),
        })?;
        self.given += 1;
        Ok(packets)
    }
}

fn utf8(path: &Path) -> Result<&str> {
    let text = "the device's path is not text";
    path.to_str().ok_or_else(|| Error::new(Kind::InvalidArgument, text))
}

/// An access unit from Annex B, with its parameters read and its stamp put in.
fn packet(
    codec: Codec,
    known: &mut Option<Arc<Params>>,
    number: u64,
    stamp: Option<Stamp>,
    annexb: &[u8],
) -> Result<Packet> {
    let mut sei = match (Syntax::of(codec), stamp) {
        (Some(syntax), Some(stamp)) => Some(sei_unit(syntax, &stamp)),
        _ => None,
    };
    let mut data = BytesMut::with_capacity(annexb.len() + 128);
    let (mut sets, mut random_access) = (Sets::default(), false);
    for unit in nal::annexb(annexb) {
        let Some(first) = unit.first() else { continue };
        let (is_picture, starts) = if codec == Codec::H265 {
            let kind = h265::unit_type(*first);
            (h265::is_vcl(kind), h265::is_irap(kind))
        } else {
            let kind = h264::unit_type(*first);
            (h264::is_vcl(kind), kind == h264::IDR)
        };
        sets.look(codec, unit);
        random_access |= starts;
        if is_picture && let Some(sei) = sei.take() {
            nal::push_prefixed(&mut data, &sei);
        }
        nal::push_prefixed(&mut data, unit);
    }
    if let Some(params) = sets.params(codec)
        && known.as_deref() != Some(&params)
    {
        *known = Some(Arc::new(params));
    }
    let params = known.clone().ok_or_else(|| {
        Error::new(Kind::Internal, "the encoder's pictures begin without parameter sets")
    })?;
    Ok(Packet { number, stamp, random_access, params, data: data.freeze() })
}

/// The parameter sets of one access unit.
#[derive(Default)]
struct Sets<'a> {
    vps: Option<&'a [u8]>,
    sps: Option<&'a [u8]>,
    pps: Option<&'a [u8]>,
}

impl<'a> Sets<'a> {
    fn look(&mut self, codec: Codec, unit: &'a [u8]) {
        let Some(first) = unit.first() else { return };
        if codec == Codec::H265 {
            match h265::unit_type(*first) {
                h265::VPS => self.vps = Some(unit),
                h265::SPS => self.sps = Some(unit),
                h265::PPS => self.pps = Some(unit),
                _ => {}
            }
        } else {
            match h264::unit_type(*first) {
                h264::SPS => self.sps = Some(unit),
                h264::PPS => self.pps = Some(unit),
                _ => {}
            }
        }
    }

    fn params(&self, codec: Codec) -> Option<Params> {
        let (sps, pps) = (self.sps?, self.pps?);
        if codec == Codec::H265 {
            h265::Params::parse(self.vps?, sps, pps).ok().map(Params::H265)
        } else {
            h264::Params::parse(sps, pps).ok().map(Params::H264)
        }
    }
}
