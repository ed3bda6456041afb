//! Decoding: access units in, pictures out.

use ffmpeg::codec::{self, threading};
use ffmpeg::format::Pixel;
use ffmpeg::software::scaling;
use ffmpeg::{Dictionary, Packet, frame};
use ffmpeg_next as ffmpeg;
use media::codec::Codec;
use pixels::wire::FaultKind;

use crate::fault::{Faulty, damaged, fault, internal};

/// Largest picture that is decoded, in pixels: 8K and what surrounds it.
const PIXELS_MAX: u32 = 7_680 * 4_352;

/// A decoded picture's luma.
pub(crate) struct Picture {
    pub(crate) pts: i64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) luma: Vec<u8>,
}

/// An open decoder.
pub(crate) struct Session {
    decoder: codec::decoder::Video,
    scaler: Scaler,
    width_max: u32,
}

pub(crate) fn open(codec: Codec) -> Faulty<codec::decoder::Video> {
    let id = match codec {
        Codec::H264 => codec::Id::H264,
        Codec::H265 => codec::Id::HEVC,
        _ => codec::Id::MJPEG,
    };
    let lacking = || fault(FaultKind::Unsupported, format!("FFmpeg here has no {codec} decoder"));
    let found = codec::decoder::find(id).ok_or_else(lacking)?;
    let mut context = codec::Context::new_with_codec(found);
    // One thread: pictures come one at a time, and waiting for more would be delay.
    context.set_threading(threading::Config { count: 1, ..Default::default() });
    let mut options = Dictionary::new();
    options.set("max_pixels", &PIXELS_MAX.to_string());
    let opened = context.decoder().open_as_with(found, options);
    opened.and_then(|o| o.video()).map_err(|e| internal("decoder", e))
}

impl Session {
    pub(crate) fn open(codec: Codec, width_max: u32) -> Faulty<Self> {
        Ok(Self { decoder: open(codec)?, scaler: Scaler::new(Pixel::YUV420P), width_max })
    }

    pub(crate) fn feed(&mut self, picture: &[u8], pts: i64) -> Faulty<()> {
        let mut packet = Packet::copy(picture);
        packet.set_pts(Some(pts));
        self.decoder.send_packet(&packet).map_err(damaged)
    }

    pub(crate) fn drain(&mut self) -> Faulty<()> {
        self.decoder.send_eof().map_err(|e| internal("end of pictures", e))
    }

    /// The next picture that is ready.
    pub(crate) fn next(&mut self) -> Faulty<Option<Picture>> {
        let mut decoded = frame::Video::empty();
        match self.decoder.receive_frame(&mut decoded) {
            Ok(()) => {}
            Err(ffmpeg::Error::Eof) => return Ok(None),
            Err(e) if is_again(&e) => return Ok(None),
            Err(e) => return Err(damaged(e)),
        }
        let scaled = self.scaler.scale(&decoded, self.width_max)?;
        let (width, height) = (scaled.width(), scaled.height());
        let (wide, stride) = (width as usize, scaled.stride(0));
        let mut luma = Vec::with_capacity(wide * height as usize);
        for row in scaled.data(0).chunks(stride).take(height as usize) {
            luma.extend_from_slice(row.get(..wide).unwrap_or_default());
        }
        Ok(Some(Picture { pts: decoded.pts().unwrap_or(0), width, height, luma }))
    }
}

/// FFmpeg wants more input before it gives more output.
pub(crate) fn is_again(e: &ffmpeg::Error) -> bool {
    matches!(e, ffmpeg::Error::Other { errno } if *errno == ffmpeg::util::error::EAGAIN)
}

/// Scales pictures down to a width, keeping their shape, into one pixel format.
pub(crate) struct Scaler {
    output: Pixel,
    context: Option<scaling::Context>,
}

impl Scaler {
    pub(crate) const fn new(output: Pixel) -> Self {
        Self { output, context: None }
    }

    pub(crate) fn scale(&mut self, picture: &frame::Video, width_max: u32) -> Faulty<frame::Video> {
        let (width, height) = (picture.width(), picture.height());
        if width == 0 || height == 0 || picture.format() == Pixel::None {
            return Err(fault(FaultKind::Damaged, "the picture is empty"));
        }
        let across = width.min(width_max.max(16));
        let down = u64::from(height) * u64::from(across) / u64::from(width);
        let down = u32::try_from(down).unwrap_or(u32::MAX).clamp(2, height.max(2));
        self.to(picture, (across.max(2) & !1, down & !1))
    }

    /// To exactly this size.
    pub(crate) fn to(&mut self, picture: &frame::Video, size: (u32, u32)) -> Faulty<frame::Video> {
        let (format, width, height) = (picture.format(), picture.width(), picture.height());
        let fits = self.context.as_ref().is_some_and(|c| {
            let (i, o) = (c.input(), c.output());
            (i.format, i.width, i.height, o.width, o.height)
                == (format, width, height, size.0, size.1)
        });
        if !fits {
            // Not the fast one: it writes programs into memory, which the cage forbids.
            let flags = scaling::Flags::AREA | scaling::Flags::ACCURATE_RND;
            let (w, h) = size;
            let made = scaling::Context::get(format, width, height, self.output, w, h, flags);
            self.context = Some(made.map_err(|e| internal("scaling", e))?);
        }
        let mut scaled = frame::Video::empty();
        if let Some(context) = &mut self.context {
            context.run(picture, &mut scaled).map_err(|e| internal("scaling", e))?;
        }
        Ok(scaled)
    }
}
