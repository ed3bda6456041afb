//! Annex B files of H.264 or H.265: start codes and nothing else, so times are what the parameter
//! sets say, or 25 pictures a second.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use media::codec::{Codec, h264, h265, nal};
use media::{Params, Rate, Ticks};
use stdx::{Error, Kind, Result};

use super::{Clip, ClipTrack, Data, Entry, FRAME_BYTES_MAX, FRAMES_MAX, unplayable};

/// Files are held in memory; larger ones belong into an MP4.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Units at the beginning in which parameter sets are looked for.
const UNITS_LOOKED_AT: usize = 64;
const FPS: f64 = 25.0;
const FPS_MAX: f64 = 240.0;

pub(super) fn open(file: &File) -> Result<Clip> {
    let length = file.metadata()?.len();
    if length > FILE_BYTES_MAX {
        return Err(unplayable(
            "is larger than 256 MiB; put it into an MP4: ffmpeg -i FILE -c copy FILE.mp4",
        ));
    }
    let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut data, 0)?;
    clip(data.into())
}

pub(crate) fn clip(data: Bytes) -> Result<Clip> {
    let params = params(&data).ok_or_else(|| unplayable("begins without parameter sets"))?;
    let codec = params.codec();
    // Of H.265 the sets say so; of H.264 they need not, and slices are looked at.
    if matches!(&params, Params::H265(p) if p.reordered) {
        return Err(reordered());
    }
    let units = units(&data, codec)?;
    let fps = params.frame_rate().filter(|f| (1.0..=FPS_MAX).contains(f)).unwrap_or(FPS);
    let at = |n: usize| Ticks((n as f64 * f64::from(Rate::VIDEO.get()) / fps).round() as i64);
    let entry = |(n, (offset, size)): (usize, &(usize, u32))| {
        let (offset, dts) = (*offset as u64, at(n));
        Entry { track: 0, params: 0, starts: n == 0, offset, size: *size, dts, pts: dts }
    };
    let entries = units.iter().enumerate().map(entry).collect();
    let end = at(units.len()).0;
    let tracks = vec![ClipTrack { rate: Rate::VIDEO, params: vec![Arc::new(params)] }];
    Clip::new(tracks, entries, &[end], Data::Memory(data))
}

/// From the first sets of either codec; their first bytes cannot be mistaken for one another.
fn params(data: &[u8]) -> Option<Params> {
    let (mut vps, mut sets) = (None, [None; 2]);
    for unit in nal::annexb(data).take(UNITS_LOOKED_AT) {
        let first = *unit.first()?;
        match (h264::unit_type(first), h265::unit_type(first)) {
            (h264::SPS, _) => sets[0] = Some(unit),
            (h264::PPS, _) => sets[1] = Some(unit),
            (_, h265::VPS) => vps = Some(unit),
            (_, h265::SPS) => sets[0] = Some(unit),
            (_, h265::PPS) => sets[1] = Some(unit),
            _ => continue,
        }
        if let [Some(sps), Some(pps)] = sets {
            let found = match vps {
                Some(vps) => h265::Params::parse(vps, sps, pps).ok().map(Params::H265),
                None => h264::Params::parse(sps, pps).ok().map(Params::H264),
            };
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// Offset and size of each access unit (H.264 clause 7.4.1.2.3, H.265 clause 7.4.2.4.4).
fn units(data: &[u8], codec: Codec) -> Result<Vec<(usize, u32)>> {
    let mut units = Vec::new();
    // Where the access unit at hand began, and whether it has a slice.
    let (mut start, mut has_slice) = (None, false);
    let mut next = nal::start_code(data, 0);
    while let Some((at, after)) = next {
        next = nal::start_code(data, after);
        let end = next.map_or(data.len(), |(at, _)| at);
        let unit = nal::trim_zeros(&data[after..end]);
        let Some(&first) = unit.first() else { continue };
        let (is_slice, begins) =
            if codec == Codec::H265 { look_h265(unit, first) } else { look_h264(unit, first)? };
        if begins && has_slice {
            push(&mut units, start, at)?;
            (start, has_slice) = (None, false);
        }
        start = start.or(Some(at));
        has_slice |= is_slice;
    }
    if has_slice {
        push(&mut units, start, data.len())?;
    }
    Ok(units)
}

/// Whether it is a slice, and whether it begins an access unit when one with a slice is at hand.
fn look_h264(unit: &[u8], first: u8) -> Result<(bool, bool)> {
    let kind = h264::unit_type(first);
    if !h264::is_vcl(kind) {
        return Ok((false, matches!(kind, h264::SEI..=h264::AUD | 14..=18)));
    }
    if h264::is_b_slice(unit) {
        return Err(reordered());
    }
    Ok((true, h264::first_mb_in_slice(unit) == Some(0)))
}

fn look_h265(unit: &[u8], first: u8) -> (bool, bool) {
    let kind = h265::unit_type(first);
    if h265::is_vcl(kind) {
        return (true, h265::first_slice_in_picture(unit));
    }
    (false, matches!(kind, h265::VPS..=h265::AUD | h265::SEI | 41..=44 | 48..=55))
}

fn reordered() -> Error {
    let text = "has B pictures, whose times a raw stream does not tell; put it into an MP4 when \
                it is encoded";
    Error::new(Kind::Unsupported, text)
}

fn push(units: &mut Vec<(usize, u32)>, start: Option<usize>, end: usize) -> Result<()> {
    let Some(start) = start else { return Ok(()) };
    let size = u32::try_from(end - start).ok().filter(|s| *s <= FRAME_BYTES_MAX);
    let size = size.ok_or_else(|| unplayable("has a picture of more than 16 MiB"))?;
    if units.len() >= FRAMES_MAX {
        return Err(unplayable("has too many frames; cut it"));
    }
    units.push((start, size));
    Ok(())
}
