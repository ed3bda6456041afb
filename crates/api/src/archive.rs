//! What the desk asks of the store, in one place. Everything here blocks.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::codec::Codec;
use media::{CameraId, Gap, Wall};
use sha2::{Digest, Sha256};
use stdx::{Error, Kind, Result};
use store::{SegmentKey, Span, Store};
use tokio::sync::OwnedSemaphorePermit;

use crate::problem::Problem;
use crate::ranges::Source;

/// Most media that is made ready for playing at once.
pub(crate) const MEDIA_BYTES_MAX: u64 = 16 << 20;

/// What a camera's page shows of its past.
pub(crate) struct Past {
    /// Where its oldest recording begins.
    pub(crate) from: Option<Wall>,
    /// The gap that lasts now.
    pub(crate) gap: Option<Gap>,
}

/// Recorded spans, gaps and what retention deleted, each in order.
pub(crate) struct Line {
    pub(crate) spans: Vec<(Wall, Wall)>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) expired: Vec<(Wall, Wall)>,
}

/// One piece of media.
pub(crate) struct Piece {
    pub(crate) segment: String,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) start: Wall,
    pub(crate) end: Wall,
    pub(crate) random_access: bool,
    pub(crate) init: String,
    pub(crate) decode_time_s: f64,
}

/// A file, or what looks like one.
pub(crate) struct Readable {
    pub(crate) len: u64,
    pub(crate) source: Arc<dyn Source>,
}

/// An export that is made while it is read.
pub(crate) struct Exported {
    pub(crate) len: u64,
    pub(crate) etag: String,
    pub(crate) gaps: u64,
    pub(crate) source: Arc<dyn Source>,
}

/// Bytes of the recordings' volume.
pub(crate) struct Usage {
    pub(crate) used: u64,
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// A segment as a path names it.
pub(crate) fn key(text: &str) -> std::result::Result<SegmentKey, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

pub(crate) fn past(store: &Store, camera: CameraId, now: Wall) -> Result<Past> {
    let from = store.recorded(camera)?.map(|span| span.from);
    // A gap that is told ahead of time does not last yet.
    let gap = store.open_gap(camera)?.filter(|g| g.from <= now);
    Ok(Past { from, gap })
}

pub(crate) fn timeline(store: &Store, camera: CameraId, from: Wall, to: Wall) -> Result<Line> {
    let line = store.timeline(camera, from, to)?;
    let ends = |spans: Vec<Span>| spans.into_iter().map(|s| (s.from, s.to)).collect();
    Ok(Line { spans: ends(line.spans), gaps: line.gaps, expired: ends(line.expired) })
}

pub(crate) fn fragments(
    store: &Store,
    camera: CameraId,
    from: Wall,
    to: Wall,
    limit: usize,
) -> Result<Vec<Piece>> {
    let found = store.fragments(camera, from, to, limit)?;
    Ok(found
        .into_iter()
        .map(|f| Piece {
            segment: f.segment.to_string(),
            offset: f.offset,
            size: u64::from(f.len),
            start: f.start,
            end: f.end,
            random_access: f.random_access,
            init: f.init.to_string(),
            decode_time_s: f.media_time_s,
        })
        .collect())
}

/// The init segment for playing a segment in a browser, and its MIME type with codecs. It has the
/// tracks that browsers play and no other: one that they do not know makes them refuse all.
pub(crate) fn init(store: &Store, camera: CameraId, key: SegmentKey) -> Result<(Bytes, String)> {
    let tracks = playable(store, camera, key)?;
    let made = mp4::init(&tracks, &[]).map_err(|e| damaged(key).with_source(e))?;
    let mime = mp4::mime(&tracks).ok_or_else(|| damaged(key))?;
    Ok((made, mime))
}

/// The first picture track and the first sound track that browsers play.
fn playable(store: &Store, camera: CameraId, key: SegmentKey) -> Result<Vec<mp4::InitTrack>> {
    let bytes = store.init_bytes(camera, key)?;
    let moov = moov(&bytes).ok_or_else(|| damaged(key))?;
    let init = mp4::read::moov(moov).map_err(|e| damaged(key).with_source(e))?;
    let first = |codecs: &[Codec]| {
        init.tracks.iter().find_map(|t| {
            let params = t.entries.first().filter(|p| codecs.contains(&p.codec()))?;
            Some(mp4::InitTrack { id: t.id, rate: t.rate, params: Arc::clone(params) })
        })
    };
    let picture = first(&[Codec::H264, Codec::H265]);
    let sound = first(&[Codec::Aac, Codec::Opus]);
    let mut tracks: Vec<_> = picture.into_iter().chain(sound).collect();
    if tracks.is_empty() {
        let message = "browsers do not play what this camera sends; export it instead";
        return Err(Error::new(Kind::Unsupported, message).with_code("not-playable"));
    }
    tracks.sort_by_key(|t| t.id);
    Ok(tracks)
}

/// The fragments that lie in `[offset, offset + size)` of a segment, reduced to the tracks of
/// [`init`]. What is cut at either end is left out.
pub(crate) fn playable_media(
    store: &Store,
    camera: CameraId,
    key: SegmentKey,
    offset: u64,
    size: u64,
) -> Result<Bytes> {
    let tracks: Vec<u32> = playable(store, camera, key)?.iter().map(|t| t.id).collect();
    let file = segment(store, camera, key)?.source;
    let raw =
        file.read(offset, usize::try_from(size.min(MEDIA_BYTES_MAX)).unwrap_or(usize::MAX))?;
    let out = reduce(&raw, &tracks).ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no fragment in this range").with_code("no-fragment")
    })?;
    Ok(out)
}

/// Copies the fragments of `raw` with only `tracks` in them; boxes that are neither `moof` nor
/// `mdat` are left out. `None` if there is no whole fragment.
fn reduce(raw: &[u8], tracks: &[u32]) -> Option<Bytes> {
    let mut out = BytesMut::with_capacity(raw.len());
    let mut at = 0;
    let mut moof = None;
    while let Ok(Some(header)) = mp4::read::box_header(raw.get(at..)?) {
        let Some(end) = header
            .size
            .and_then(|s| usize::try_from(s).ok())
            .and_then(|s| at.checked_add(s))
            .filter(|end| *end <= raw.len())
        else {
            break;
        };
        match &header.kind {
            b"moof" => moof = Some(at),
            b"mdat" => {
                let start = moof.take()?;
                let part = mp4::read::moof(raw.get(start..at)?).ok()?.only(tracks).ok()?;
                out.extend_from_slice(&part.header);
                for range in part.payload {
                    let from = start.checked_add(usize::try_from(range.start).ok()?)?;
                    let to = start.checked_add(usize::try_from(range.end).ok()?)?;
                    out.extend_from_slice(raw.get(..end)?.get(from..to)?);
                }
            }
            _ => {}
        }
        at = end;
    }
    (!out.is_empty()).then(|| out.freeze())
}

/// The `moov` box of an init segment.
fn moov(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let header = mp4::read::box_header(bytes).ok()??;
        let size = usize::try_from(header.size?).ok()?;
        let (this, rest) = bytes.split_at_checked(size)?;
        if header.kind == *b"moov" {
            return Some(this);
        }
        bytes = rest;
    }
}

fn damaged(key: SegmentKey) -> Error {
    Error::new(Kind::DataLoss, format!("segment {key} begins with a damaged header"))
}

struct File(std::fs::File);

impl Source for File {
    fn read(&self, at: u64, len: usize) -> io::Result<Bytes> {
        use std::os::unix::fs::FileExt as _;
        fill(len, |buf, done| self.0.read_at(buf, at + done))
    }
}

/// Reads until `len` bytes are there or there are no more.
fn fill(len: usize, read: impl Fn(&mut [u8], u64) -> io::Result<usize>) -> io::Result<Bytes> {
    let mut buf = vec![0; len];
    let mut done = 0;
    while done < len {
        match read(&mut buf[done..], done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    buf.truncate(done);
    Ok(buf.into())
}

/// A segment's file. One that is being written is as long as it is now.
pub(crate) fn segment(store: &Store, camera: CameraId, key: SegmentKey) -> Result<Readable> {
    let path = store.segment_path(camera, key)?;
    let file = std::fs::File::open(&path).map_err(|e| match e.kind() {
        // Retention was faster.
        io::ErrorKind::NotFound => Error::new(Kind::NotFound, "this segment is gone"),
        _ => Error::from(e),
    })?;
    Ok(Readable { len: file.metadata()?.len(), source: Arc::new(File(file)) })
}

/// An export with its place among those that are read.
struct Export(store::Export, #[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Source for Export {
    fn read(&self, at: u64, len: usize) -> io::Result<Bytes> {
        fill(len, |buf, done| self.0.read_at(at + done, buf).map_err(io::Error::other))
    }
}

/// Plans an export, which keeps `place` until it was read or given up.
pub(crate) fn export(
    store: &Store,
    camera: CameraId,
    (from, to): (Wall, Wall),
    place: OwnedSemaphorePermit,
) -> Result<Exported> {
    let export = store.export(camera, from, to)?;
    let len = export.len();
    // The head names every sample's size and time, so its hash stands for the whole.
    let digest = Sha256::digest(export.head());
    let short: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    Ok(Exported {
        len,
        etag: format!("\"{camera}-{}-{}-{len}-{short}\"", from.0, to.0),
        gaps: export.gaps().len() as u64,
        source: Arc::new(Export(export, place)),
    })
}

pub(crate) fn usage(store: &Store) -> Result<Usage> {
    let space = store.space()?;
    Ok(Usage { used: store.bytes(None)?, free: space.free, total: space.total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mp4::{Run, Sample, fragment_header};

    fn fragment(sequence: u32, tracks: &[(u32, &[u8])]) -> Vec<u8> {
        let sample = |data: &[u8]| {
            let size = u32::try_from(data.len()).unwrap();
            [Sample { size, duration: 10, composition_offset: 0, sync: true }]
        };
        let samples: Vec<_> = tracks.iter().map(|(id, data)| (*id, sample(data))).collect();
        let runs: Vec<Run<'_>> =
            samples.iter().map(|(id, s)| Run { track: *id, decode_time: 7, samples: s }).collect();
        let mut out = fragment_header(sequence, &runs).unwrap();
        out.extend(tracks.iter().flat_map(|(_, data)| data.iter()));
        out
    }

    #[test]
    fn tracks_that_browsers_refuse_are_taken_out() {
        let mark = [0, 0, 0, 12, b'u', b'u', b'i', b'd', 1, 2, 3, 4];
        let one = fragment(1, &[(1, b"picture"), (2, b"alaw"), (3, b"<xml/>")]);
        let two = fragment(2, &[(2, b"alaw"), (1, b"pic")]);
        let raw = [&mark[..], &one, &mark, &two].concat();
        let want = [fragment(1, &[(1, b"picture")]), fragment(2, &[(1, b"pic")])].concat();
        assert_eq!(reduce(&raw, &[1]).unwrap(), want);
        // A range that cuts the second fragment still gives the first.
        assert_eq!(reduce(&raw[..raw.len() - 1], &[1]).unwrap(), fragment(1, &[(1, b"picture")]));
        for bad in [&raw[..20], &raw[1..], &[], &b"\0\0\0\0mdat"[..], &one[one.len() - 20..]] {
            assert_eq!(reduce(bad, &[1]), None);
        }
    }
}
