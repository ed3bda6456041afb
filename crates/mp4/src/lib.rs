//! MP4 (ISO/IEC 14496-12 and -15), written and read, sans-IO: bytes in, bytes out.
//!
//! - [`init`] and [`fragment_header`] write fragmented files: what the recorder appends and what
//!   live viewers are sent.
//! - [`progressive`] writes the head of an ordinary file around frames that lie elsewhere: what
//!   an export is.
//! - [`read`] reads both kinds.
//!
//! G.711 is carried in QuickTime's `alaw` and `ulaw` sample entries: ISO has none, and FFmpeg,
//! VLC and GStreamer read these. No browser plays them by MSE. ONVIF metadata is carried as
//! `metx`, timed XML.

pub mod entry;
mod fragment;
pub mod progressive;
pub mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use media::{Params, Rate, TrackKind, Wall};

pub use fragment::{Run, SAMPLES_MAX, Sample, fragment_header};
pub use write::uuid_box;

use write::Writer;

/// Why a file cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end inside a box; `at` is an offset into what was given.
    Truncated {
        /// Where.
        at: usize,
    },
    /// Something the standard forbids.
    Malformed(&'static str),
    /// Legal, but not something khien reads or writes.
    Unsupported(&'static str),
    /// More than the limit named.
    Limit(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { at } => write!(f, "the file ends inside a box (offset {at})"),
            Self::Malformed(what) => write!(f, "malformed {what}"),
            Self::Unsupported(what) => write!(f, "unsupported {what}"),
            Self::Limit(what) => write!(f, "{what} is over its limit"),
        }
    }
}

impl std::error::Error for Error {}

/// A track of a file to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct InitTrack {
    /// Its number in the file, from 1.
    pub id: u32,
    /// Ticks per second.
    pub rate: Rate,
    /// What is in it.
    pub params: Arc<Params>,
}

/// `ftyp` and `moov` of a fragmented file. `extra` is appended inside `moov` as it is: complete
/// boxes of the caller's own. Says nothing about when it was made: the same tracks give the same
/// bytes.
///
/// # Errors
/// When a track's parameters are not known yet.
pub fn init(tracks: &[InitTrack], extra: &[u8]) -> Result<Bytes, Error> {
    init_at(tracks, extra, None)
}

/// As [`init`], with the creation time of movie and tracks.
///
/// # Errors
/// As [`init`].
pub fn init_at(tracks: &[InitTrack], extra: &[u8], created: Option<Wall>) -> Result<Bytes, Error> {
    let created = mac_seconds(created);
    let mut w = Writer::with_capacity(1_024 + extra.len());
    ftyp(&mut w, *b"iso6", &[*b"iso6", *b"mp41", *b"dash"]);
    w.boxed(b"moov", |w| {
        let last = tracks.iter().map(|t| t.id).max().unwrap_or(0);
        mvhd(w, created, 1_000, 0, last.saturating_add(1));
        for track in tracks {
            w.boxed(b"trak", |w| {
                tkhd(w, created, track.id, 0, &track.params);
                mdia(w, created, track.rate, 0, track.params.kind(), |w| {
                    stsd(w, &[&track.params])?;
                    for table in [b"stts", b"stsc", b"stco"] {
                        w.full(table, 0, 0, |w| w.u32(0));
                    }
                    w.full(b"stsz", 0, 0, |w| w.u64(0));
                    Ok(())
                })
            })?;
        }
        w.boxed(b"mvex", |w| {
            for track in tracks {
                w.full(b"trex", 0, 0, |w| {
                    w.u32(track.id);
                    w.u32(1);
                    w.u32(0);
                    w.u32(0);
                    w.u32(0);
                });
            }
        });
        w.bytes(extra);
        Ok::<(), Error>(())
    })?;
    w.finish()
}

/// `video/mp4; codecs="…"` for these tracks, metadata left out: no player plays it, none minds
/// it. `None` when a track of pictures or sound has no codec string, or there is none.
pub fn mime(tracks: &[InitTrack]) -> Option<String> {
    let played = || tracks.iter().filter(|t| t.params.kind() != TrackKind::Metadata);
    let codecs: Option<Vec<String>> = played().map(|t| t.params.codec_string()).collect();
    let codecs = codecs.filter(|c| !c.is_empty())?.join(",");
    let video = played().any(|t| t.params.kind() == TrackKind::Video);
    let kind = if video { "video" } else { "audio" };
    Some(format!("{kind}/mp4; codecs=\"{codecs}\""))
}

/// Seconds since 1904, as headers count; zero means unknown.
fn mac_seconds(created: Option<Wall>) -> u64 {
    let since_1970 = created.map(|w| w.0.div_euclid(1_000_000));
    since_1970.and_then(|s| u64::try_from(s.saturating_add(2_082_844_800)).ok()).unwrap_or(0)
}

fn ftyp(w: &mut Writer, major: [u8; 4], compatible: &[[u8; 4]]) {
    w.boxed(b"ftyp", |w| {
        w.bytes(&major);
        w.u32(0);
        for brand in compatible {
            w.bytes(brand);
        }
    });
}

/// The unity matrix, clause 6.2.2.
fn matrix(w: &mut Writer) {
    for value in [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000] {
        w.u32(value);
    }
}

fn mvhd(w: &mut Writer, created: u64, rate: u32, duration: u64, next_track: u32) {
    w.full(b"mvhd", 1, 0, |w| {
        w.u64(created);
        w.u64(created);
        w.u32(rate);
        w.u64(duration);
        w.u32(0x1_0000);
        w.u16(0x100);
        w.zeros(10);
        matrix(w);
        w.zeros(24);
        w.u32(next_track);
    });
}

/// `duration` in the movie's rate.
fn tkhd(w: &mut Writer, created: u64, id: u32, duration: u64, params: &Params) {
    w.full(b"tkhd", 1, 3, |w| {
        w.u64(created);
        w.u64(created);
        w.u32(id);
        w.u32(0);
        w.u64(duration);
        w.zeros(8);
        w.u16(0);
        w.u16(0);
        w.u16(if params.kind() == TrackKind::Audio { 0x100 } else { 0 });
        w.u16(0);
        matrix(w);
        // 16.16.
        let (width, height) = params.resolution().unwrap_or_default();
        w.u32(width.min(0xffff) << 16);
        w.u32(height.min(0xffff) << 16);
    });
}

/// `mdia` down to the sample tables, which `stbl` writes. `duration` in ticks.
fn mdia(
    w: &mut Writer,
    created: u64,
    rate: Rate,
    duration: u64,
    kind: TrackKind,
    stbl: impl FnOnce(&mut Writer) -> Result<(), Error>,
) -> Result<(), Error> {
    w.boxed(b"mdia", |w| {
        mdhd(w, created, rate, duration);
        hdlr(w, kind);
        w.boxed(b"minf", |w| {
            media_header(w, kind);
            dinf(w);
            w.boxed(b"stbl", stbl)
        })
    })
}

fn mdhd(w: &mut Writer, created: u64, rate: Rate, duration: u64) {
    w.full(b"mdhd", 1, 0, |w| {
        w.u64(created);
        w.u64(created);
        w.u32(rate.get());
        w.u64(duration);
        // "und", three letters of five bits.
        w.u16(0x55c4);
        w.u16(0);
    });
}

fn hdlr(w: &mut Writer, kind: TrackKind) {
    w.full(b"hdlr", 0, 0, |w| {
        w.u32(0);
        w.bytes(match kind {
            TrackKind::Video => b"vide",
            TrackKind::Audio => b"soun",
            TrackKind::Metadata => b"meta",
        });
        w.zeros(12);
        w.bytes(b"khien\0");
    });
}

fn media_header(w: &mut Writer, kind: TrackKind) {
    match kind {
        TrackKind::Video => w.full(b"vmhd", 0, 1, |w| w.zeros(8)),
        TrackKind::Audio => w.full(b"smhd", 0, 0, |w| w.zeros(4)),
        TrackKind::Metadata => w.full(b"nmhd", 0, 0, |_| ()),
    }
}

fn dinf(w: &mut Writer) {
    w.boxed(b"dinf", |w| {
        w.full(b"dref", 0, 0, |w| {
            w.u32(1);
            w.full(b"url ", 0, 1, |_| ());
        });
    });
}

fn stsd(w: &mut Writer, entries: &[&Params]) -> Result<(), Error> {
    let count = u32::try_from(entries.len()).map_err(|_| Error::Limit("sample entries"))?;
    w.full(b"stsd", 0, 0, |w| {
        w.u32(count);
        entries.iter().try_for_each(|params| entry::write(w, params))
    })
}

#[cfg(test)]
mod tests;
