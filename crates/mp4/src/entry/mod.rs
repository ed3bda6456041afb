//! Sample entries: what `stsd` says about a track. One file per codec.

mod aac;
mod g711;
mod h264;
mod h265;
mod metadata;
mod mjpeg;
mod opus;

use media::codec::Codec;
use media::{Params, TrackKind};

use crate::Error;
use crate::read::find;
use crate::write::Writer;

/// Writes the sample entry of `params`.
pub(crate) fn write(w: &mut Writer, params: &Params) -> Result<(), Error> {
    match params {
        Params::Pending(_) => Err(Error::Unsupported("codec parameters that are not known yet")),
        Params::H264(p) => h264::write(w, p),
        Params::H265(p) => h265::write(w, p),
        Params::Mjpeg(p) => mjpeg::write(w, *p),
        Params::Aac(p) => aac::write(w, p),
        Params::G711(p) => g711::write(w, *p),
        Params::Opus(p) => opus::write(w, *p),
        Params::Metadata => metadata::write(w),
    }
}

/// Reads one sample entry: `kind` and the bytes behind its box header.
pub(crate) fn read(kind: [u8; 4], body: &[u8]) -> Result<Params, Error> {
    match &kind {
        b"avc1" | b"avc3" => h264::read(body),
        b"hvc1" | b"hev1" => h265::read(body),
        b"jpeg" | b"mjpg" => mjpeg::read(body),
        b"mp4a" => aac::read(body),
        b"alaw" | b"ulaw" => g711::read(kind, body),
        b"Opus" => opus::read(body),
        b"metx" => Ok(Params::Metadata),
        _ => Err(Error::Unsupported("sample entry")),
    }
}

/// The codec that a sample entry of this kind names, for error messages.
pub fn codec_of(kind: [u8; 4]) -> Option<Codec> {
    Some(match &kind {
        b"avc1" | b"avc3" => Codec::H264,
        b"hvc1" | b"hev1" => Codec::H265,
        b"jpeg" | b"mjpg" => Codec::Mjpeg,
        b"mp4a" => Codec::Aac,
        b"alaw" | b"ulaw" => Codec::G711,
        b"Opus" => Codec::Opus,
        b"metx" => Codec::Metadata,
        _ => return None,
    })
}

/// What a mistake in a codec's own configuration means for the file.
const fn mistake(error: media::codec::Error, place: &'static str) -> Error {
    match error {
        media::codec::Error::Unsupported(what) => Error::Unsupported(what),
        _ => Error::Malformed(place),
    }
}

/// The fields of a VisualSampleEntry (clause 12.1.3) before its boxes.
fn visual(w: &mut Writer, width: u32, height: u32) {
    w.zeros(6);
    w.u16(1);
    w.zeros(16);
    w.u16(u16::try_from(width).unwrap_or(u16::MAX));
    w.u16(u16::try_from(height).unwrap_or(u16::MAX));
    w.u32(0x48_0000);
    w.u32(0x48_0000);
    w.u32(0);
    w.u16(1);
    w.zeros(32);
    w.u16(0x18);
    w.u16(0xffff);
}

/// Length of the fields that [`visual`] writes.
const VISUAL_BYTES: usize = 78;

/// The fields of an AudioSampleEntry (clause 12.2.3) before its boxes.
fn audio(w: &mut Writer, channels: u8, rate: u32) {
    w.zeros(6);
    w.u16(1);
    w.zeros(8);
    w.u16(u16::from(channels));
    w.u16(16);
    w.u32(0);
    // 16.16; a rate above 65,535 stands in the codec's own box only.
    w.u32(u16::try_from(rate).map_or(0, |r| u32::from(r) << 16));
}

/// Length of the fields that [`audio`] writes.
const AUDIO_BYTES: usize = 28;

/// Finds a box behind an entry's fields.
fn inner<'a>(body: &'a [u8], fields: usize, kind: &[u8; 4]) -> Result<&'a [u8], Error> {
    let boxes = body.get(fields..).ok_or(Error::Truncated { at: body.len() })?;
    find(boxes, kind).ok_or(Error::Malformed("sample entry"))
}

/// Channels and rate of an AudioSampleEntry, skipping what QuickTime's versions 1 and 2 add.
fn audio_fields(body: &[u8]) -> Result<(u8, u32, usize), Error> {
    let fields = body.get(..AUDIO_BYTES).ok_or(Error::Truncated { at: body.len() })?;
    let at = |i: usize| u16::from_be_bytes([fields[i], fields[i + 1]]);
    let more = match at(8) {
        0 => 0,
        1 => 16,
        2 => 36,
        _ => return Err(Error::Unsupported("sound sample entry version")),
    };
    let channels = u8::try_from(at(16)).map_err(|_| Error::Malformed("channel count"))?;
    Ok((channels, u32::from(at(24)), AUDIO_BYTES + more))
}

/// What kind of handler a track of these parameters has.
pub(crate) fn kind_of_handler(handler: [u8; 4]) -> Option<TrackKind> {
    match &handler {
        b"vide" => Some(TrackKind::Video),
        b"soun" => Some(TrackKind::Audio),
        b"meta" => Some(TrackKind::Metadata),
        _ => None,
    }
}
