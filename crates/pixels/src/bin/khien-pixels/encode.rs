//! Encoding for the software camera: low delay, no B pictures, parameter sets with every key
//! frame.

use ffmpeg::codec::{self, threading};
use ffmpeg::format::Pixel;
use ffmpeg::{Dictionary, Packet, color, frame};
use ffmpeg_next as ffmpeg;
use media::Wall;
use media::codec::Codec;
use pixels::pattern::{Chroma, Painter, Plane, Stamp};
use pixels::wire::{EncoderSettings, FaultKind, Lens};

use crate::decode::{Scaler, is_again};
use crate::fault::{Faulty, fault, internal};

/// Encoders that copy what they are given before they return, so that the next picture can be
/// painted over the last; in order of preference.
const H264: &[&str] = &["libx264", "libopenh264"];
const H265: &[&str] = &["libx265", "libkvazaar"];

const FPS_MAX: u32 = 120;
const BIT_RATE: std::ops::RangeInclusive<u32> = 20_000..=200_000_000;

/// Whether H.264 and H.265 can be encoded.
pub(crate) fn available() -> (bool, bool) {
    let any = |names: &[&str]| names.iter().any(|n| codec::encoder::find_by_name(n).is_some());
    (any(H264), any(H265))
}

/// An open encoder.
pub(crate) struct Session {
    encoder: codec::encoder::video::Encoder,
    name: &'static str,
    /// The pattern's canvas, painted over again and again.
    canvas: Option<(Painter, frame::Video)>,
    scaler: Scaler,
    size: (u32, u32),
    /// Pictures given to the encoder.
    given: i64,
}

impl Session {
    pub(crate) fn open(settings: &EncoderSettings) -> Faulty<Self> {
        check(settings)?;
        let (names, debian) = match settings.codec {
            Codec::H264 => (H264, "libx264 comes with Debian's and Ubuntu's FFmpeg"),
            Codec::H265 => (H265, "libx265 comes with Debian's and Ubuntu's FFmpeg"),
            _ => return Err(fault(FaultKind::Unsupported, "cameras send H.264 or H.265")),
        };
        let found = names.iter().find_map(|n| Some((*n, codec::encoder::find_by_name(n)?)));
        let (name, found) = found.ok_or_else(|| {
            let text = format!(
                "no {} encoder: FFmpeg here has neither {}; {debian}",
                settings.codec,
                names.join(" nor ")
            );
            fault(FaultKind::Unsupported, text)
        })?;
        let mut context = codec::Context::new_with_codec(found);
        context.set_threading(threading::Config { count: 1, ..Default::default() });
        let encoder = context.encoder().video();
        let mut encoder = encoder.map_err(|e| internal(name, e))?;
        let fps = i32::try_from(settings.fps).unwrap_or(i32::MAX);
        encoder.set_width(settings.width);
        encoder.set_height(settings.height);
        encoder.set_format(Pixel::YUV420P);
        encoder.set_time_base((1, fps));
        encoder.set_frame_rate(Some((fps, 1)));
        encoder.set_gop(settings.gop);
        encoder.set_max_b_frames(0);
        encoder.set_bit_rate(settings.bit_rate as usize);
        encoder.set_color_range(color::Range::MPEG);
        encoder.set_colorspace(color::Space::BT709);
        encoder.set_color_primaries(color::Primaries::BT709);
        encoder.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
        let opened = encoder.open_as_with(found, options(name, settings));
        let encoder = opened.map_err(|e| internal(name, e))?;
        let size = (settings.width, settings.height);
        let canvas = (settings.lens == Lens::Pattern).then(|| canvas(size));
        let scaler = Scaler::new(Pixel::YUV420P);
        Ok(Self { encoder, name, canvas, scaler, size, given: 0 })
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Paints the pattern's next picture and gives it to the encoder.
    pub(crate) fn draw(&mut self, camera: u32, frame: u32, wall_us: i64) -> Faulty<()> {
        let Some((painter, canvas)) = &mut self.canvas else {
            return Err(fault(FaultKind::Misuse, "the encoder is not one of the pattern"));
        };
        let stamp = Stamp { camera, frame, wall: Wall(wall_us) };
        let stride = canvas.stride(0);
        painter.luma(&mut Plane { data: canvas.data_mut(0), stride }, &stamp);
        canvas.set_pts(Some(self.given));
        self.given += 1;
        self.encoder.send_frame(canvas).map_err(|e| internal(self.name, e))
    }

    /// Gives the encoder a picture from elsewhere, of any size and format.
    pub(crate) fn encode(&mut self, picture: &frame::Video) -> Faulty<()> {
        let mut scaled = self.scaler.to(picture, self.size)?;
        scaled.set_pts(Some(self.given));
        self.given += 1;
        self.encoder.send_frame(&scaled).map_err(|e| internal(self.name, e))
    }

    /// The next packet that is ready, and which picture it is.
    pub(crate) fn next(&mut self) -> Faulty<Option<(i64, Packet)>> {
        let mut packet = Packet::empty();
        match self.encoder.receive_packet(&mut packet) {
            Ok(()) => Ok(Some((packet.pts().unwrap_or(-1), packet))),
            Err(ffmpeg::Error::Eof) => Ok(None),
            Err(e) if is_again(&e) => Ok(None),
            Err(e) => Err(internal(self.name, e)),
        }
    }
}

fn check(s: &EncoderSettings) -> Faulty<()> {
    let even = s.width.is_multiple_of(2) && s.height.is_multiple_of(2);
    let size = (160..=7_680).contains(&s.width) && (120..=4_320).contains(&s.height);
    if !even || !size || !(1..=FPS_MAX).contains(&s.fps) || s.gop == 0 || s.gop > 100_000 {
        let text = format!(
            "pictures must have even sizes from 160x120 to 7680x4320 and come 1 to {FPS_MAX} \
             times a second"
        );
        return Err(fault(FaultKind::Misuse, text));
    }
    if !BIT_RATE.contains(&s.bit_rate) {
        let text = "the bit rate must be from 20 kbps to 200 Mbps";
        return Err(fault(FaultKind::Misuse, text));
    }
    Ok(())
}

fn canvas(size: (u32, u32)) -> (Painter, frame::Video) {
    let mut canvas = frame::Video::new(Pixel::YUV420P, size.0, size.1);
    canvas.set_color_range(color::Range::MPEG);
    canvas.set_color_space(color::Space::BT709);
    let painter = Painter::new(size.0 as usize, size.1 as usize);
    for (index, which) in [(1, Chroma::Cb), (2, Chroma::Cr)] {
        let stride = canvas.stride(index);
        painter.chroma(which, &mut Plane { data: canvas.data_mut(index), stride });
    }
    (painter, canvas)
}

fn options(name: &str, s: &EncoderSettings) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    let gop = s.gop;
    // The ceiling holds over half a second: what a viewer's buffer of that size sees.
    let (rate, buffer) = (s.bit_rate, s.bit_rate / 2);
    options.set("maxrate", &rate.to_string());
    options.set("bufsize", &buffer.to_string());
    match name {
        "libx264" => {
            options.set("preset", "ultrafast");
            options.set("tune", "zerolatency");
            options.set("forced-idr", "1");
            options.set("qmin", "14");
            // A fixed rate: without it the parameter sets would tell the time base as frame rate.
            let params = format!(
                "keyint={gop}:min-keyint={gop}:scenecut=0:repeat-headers=1:annexb=1:aud=0:\
                 force-cfr=1:threads=1"
            );
            options.set("x264-params", &params);
        }
        "libx265" => {
            options.set("preset", "ultrafast");
            options.set("tune", "zerolatency");
            let params = format!(
                "keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0:open-gop=0:repeat-headers=1:\
                 aud=0:info=0:log-level=none:pools=none:frame-threads=1:wpp=0:qpmin=14"
            );
            options.set("x265-params", &params);
        }
        _ => {}
    }
    options
}
