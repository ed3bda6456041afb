//! One key frame to one JPEG.

use ffmpeg::codec::{self, threading};
use ffmpeg::format::Pixel;
use ffmpeg::{Dictionary, Packet, color, frame};
use ffmpeg_next as ffmpeg;
use media::codec::Codec;
use pixels::wire::FaultKind;

use crate::decode::{self, Scaler};
use crate::fault::{Faulty, damaged, fault, internal};

/// Quantiser of the JPEG, 2 (best) to 31.
const QUALITY: i32 = 4;

pub(crate) fn make(codec: Codec, width_max: u32, picture: &[u8]) -> Faulty<Vec<u8>> {
    let mut decoder = decode::open(codec)?;
    decoder.send_packet(&Packet::copy(picture)).map_err(damaged)?;
    decoder.send_eof().map_err(damaged)?;
    let mut decoded = frame::Video::empty();
    decoder.receive_frame(&mut decoded).map_err(damaged)?;
    let mut scaled = Scaler::new(Pixel::YUVJ420P).scale(&decoded, width_max)?;
    scaled.set_color_range(color::Range::JPEG);
    scaled.set_pts(Some(0));
    encode(&scaled)
}

fn encode(picture: &frame::Video) -> Faulty<Vec<u8>> {
    let lacking = || fault(FaultKind::Unsupported, "FFmpeg here has no JPEG encoder");
    let found = codec::encoder::find(codec::Id::MJPEG).ok_or_else(lacking)?;
    let mut context = codec::Context::new_with_codec(found);
    context.set_threading(threading::Config { count: 1, ..Default::default() });
    let encoder = context.encoder().video();
    let mut encoder = encoder.map_err(|e| internal("JPEG encoder", e))?;
    encoder.set_width(picture.width());
    encoder.set_height(picture.height());
    encoder.set_format(Pixel::YUVJ420P);
    encoder.set_color_range(color::Range::JPEG);
    encoder.set_time_base((1, 25));
    encoder.set_qmin(QUALITY);
    encoder.set_qmax(QUALITY);
    let opened = encoder.open_as_with(found, Dictionary::new());
    let mut encoder = opened.map_err(|e| internal("JPEG encoder", e))?;
    encoder.send_frame(picture).map_err(|e| internal("JPEG encoder", e))?;
    encoder.send_eof().map_err(|e| internal("JPEG encoder", e))?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(|e| internal("JPEG encoder", e))?;
    Ok(packet.data().unwrap_or_default().to_vec())
}
