//! The head of an ordinary MP4 around frames that lie elsewhere: `ftyp`, `moov`, and the header
//! of an `mdat` as long as those frames. What follows the head is the frames, chunk after chunk.

use std::sync::Arc;

use bytes::Bytes;
use media::{Params, Rate, Wall};

use crate::write::Writer;
use crate::{Error, Sample, ftyp, mac_seconds, mdia, mvhd, stsd, tkhd};

/// A track to be exported.
#[derive(Debug, Clone)]
pub struct ExportTrack {
    /// Ticks per second.
    pub rate: Rate,
    /// Sample entries, in the order that [`Chunk::entry`] counts them; all of one codec.
    pub entries: Vec<Arc<Params>>,
    /// All frames, in decoding order.
    pub samples: Vec<Sample>,
    /// What is shown: from this media time, for this long. `None` shows all.
    pub edit: Option<Edit>,
}

/// One edit, clause 8.6.6. Written with 90 000 steps to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// Nothing is shown for this long first, microseconds.
    pub delay_us: u64,
    /// Media time of the first instant shown, ticks from the first frame's decode time.
    pub start: u64,
    /// How long it is shown, microseconds.
    pub duration_us: u64,
}

/// Frames of one track that lie side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Index into the tracks.
    pub track: usize,
    /// How many of the track's frames.
    pub samples: u32,
    /// Which of the track's sample entries, from 0.
    pub entry: u32,
    /// Bytes.
    pub size: u64,
}

/// The movie's own clock: that of pictures, so that an edit begins and ends on a picture.
const MOVIE_RATE: Rate = Rate::VIDEO;

/// Offsets are 64-bit when the frames leave less than this for the head under 4 GiB.
const HEAD_BYTES_MAX: u64 = 256 << 20;

/// The head of a file whose `mdat` holds `chunks` one behind the other. Offsets are 64-bit where
/// 32 do not suffice. `created` is said in the headers of movie and tracks.
///
/// # Errors
/// `Malformed` when chunks, frames and sample entries do not fit one another; `Limit` when there
/// are more frames than 32 bits count.
pub fn head(
    tracks: &[ExportTrack],
    chunks: &[Chunk],
    created: Option<Wall>,
) -> Result<Bytes, Error> {
    let payload = agree(tracks, chunks)?;
    let mut plan = Plan {
        tracks,
        chunks,
        created: mac_seconds(created),
        payload,
        large: payload > u64::from(u32::MAX) - HEAD_BYTES_MAX,
        start: 0,
    };
    // Offsets depend on the length of the head, which does not depend on the offsets.
    let measured = plan.build()?.len();
    plan.start = u64::try_from(measured).map_err(|_| Error::Limit("head"))?;
    plan.build()
}

/// Whether the chunks hold exactly the frames; the bytes of all of them.
fn agree(tracks: &[ExportTrack], chunks: &[Chunk]) -> Result<u64, Error> {
    const WRONG: Error = Error::Malformed("chunks that do not hold the frames");
    let mut used = vec![0_usize; tracks.len()];
    let mut payload = 0_u64;
    for chunk in chunks {
        let (Some(track), Some(used)) = (tracks.get(chunk.track), used.get_mut(chunk.track)) else {
            return Err(Error::Malformed("chunk of a track that is not there"));
        };
        if usize::try_from(chunk.entry).map_or(true, |entry| entry >= track.entries.len()) {
            return Err(Error::Malformed("chunk of a sample entry that is not there"));
        }
        let end = usize::try_from(chunk.samples).ok().and_then(|n| used.checked_add(n));
        let frames = end.and_then(|end| track.samples.get(*used..end)).ok_or(WRONG)?;
        if frames.iter().map(|s| u64::from(s.size)).sum::<u64>() != chunk.size {
            return Err(WRONG);
        }
        *used += frames.len();
        payload = payload.checked_add(chunk.size).ok_or(Error::Limit("mdat"))?;
    }
    let all = tracks.iter().zip(used).all(|(track, used)| track.samples.len() == used);
    if all { Ok(payload) } else { Err(WRONG) }
}

struct Plan<'a> {
    tracks: &'a [ExportTrack],
    chunks: &'a [Chunk],
    created: u64,
    /// Bytes of all chunks.
    payload: u64,
    /// 64-bit offsets and `mdat` size.
    large: bool,
    /// Where the first chunk begins in the file.
    start: u64,
}

impl Plan<'_> {
    fn build(&self) -> Result<Bytes, Error> {
        let frames: usize = self.tracks.iter().map(|t| t.samples.len()).sum();
        let mut w = Writer::with_capacity(4_096 + frames * 8);
        ftyp(&mut w, *b"isom", &[*b"isom", *b"iso4", *b"mp41"]);
        w.boxed(b"moov", |w| {
            let duration = self.tracks.iter().map(shown).max().unwrap_or(0);
            let next = u32::try_from(self.tracks.len() + 1).map_err(|_| Error::Limit("tracks"))?;
            mvhd(w, self.created, MOVIE_RATE.get(), duration, next);
            for (id, (index, track)) in (1..).zip(self.tracks.iter().enumerate()) {
                w.boxed(b"trak", |w| self.trak(w, id, index, track))?;
            }
            Ok::<(), Error>(())
        })?;
        match u32::try_from(self.payload.saturating_add(8)) {
            Ok(size) if !self.large => {
                w.u32(size);
                w.bytes(b"mdat");
            }
            _ => {
                w.u32(1);
                w.bytes(b"mdat");
                w.u64(self.payload.saturating_add(16));
            }
        }
        w.finish()
    }

    fn trak(
        &self,
        w: &mut Writer,
        id: u32,
        index: usize,
        track: &ExportTrack,
    ) -> Result<(), Error> {
        let first = track.entries.first().ok_or(Error::Malformed("track without sample entry"))?;
        tkhd(w, self.created, id, shown(track), first);
        if let Some(edit) = track.edit {
            w.boxed(b"edts", |w| elst(w, edit));
        }
        mdia(w, self.created, track.rate, total_ticks(track), first.kind(), |w| {
            let entries: Vec<&Params> = track.entries.iter().map(|e| &**e).collect();
            stsd(w, &entries)?;
            times(w, &track.samples);
            sizes(w, &track.samples)?;
            self.places(w, index)
        })
    }

    /// `stsc`, and `stco` or `co64`.
    fn places(&self, w: &mut Writer, index: usize) -> Result<(), Error> {
        let mine = || self.chunks.iter().filter(move |c| c.track == index);
        w.full(b"stsc", 0, 0, |w| {
            counted(w, |w| {
                let mut entries = 0;
                let mut last = None;
                for (number, chunk) in (1_u32..).zip(mine()) {
                    if last != Some((chunk.samples, chunk.entry)) {
                        w.u32(number);
                        w.u32(chunk.samples);
                        w.u32(chunk.entry.saturating_add(1));
                        entries += 1;
                        last = Some((chunk.samples, chunk.entry));
                    }
                }
                entries
            });
        });
        w.full(if self.large { b"co64" } else { b"stco" }, 0, 0, |w| {
            w.u32(u32::try_from(mine().count()).map_err(|_| Error::Limit("chunks"))?);
            let mut offset = self.start;
            for chunk in self.chunks {
                if chunk.track == index && self.large {
                    w.u64(offset);
                } else if chunk.track == index {
                    w.u32(u32::try_from(offset).map_err(|_| Error::Limit("head"))?);
                }
                offset = offset.saturating_add(chunk.size);
            }
            Ok(())
        })
    }
}

fn total_ticks(track: &ExportTrack) -> u64 {
    track.samples.iter().map(|s| u64::from(s.duration)).sum()
}

/// How long a track is shown, in the movie's clock.
fn shown(track: &ExportTrack) -> u64 {
    if let Some(edit) = track.edit {
        return movie_ticks(edit.delay_us).saturating_add(movie_ticks(edit.duration_us));
    }
    let scaled = u128::from(total_ticks(track)) * u128::from(MOVIE_RATE.get());
    u64::try_from(scaled.div_ceil(u128::from(track.rate.get()))).unwrap_or(u64::MAX)
}

fn movie_ticks(us: u64) -> u64 {
    let ticks = MOVIE_RATE.from_us(i64::try_from(us).unwrap_or(i64::MAX)).0;
    u64::try_from(ticks).unwrap_or(0)
}

fn elst(w: &mut Writer, edit: Edit) {
    let delay = movie_ticks(edit.delay_us);
    w.full(b"elst", 1, 0, |w| {
        w.u32(if delay > 0 { 2 } else { 1 });
        if delay > 0 {
            // Media time -1: an empty edit.
            w.u64(delay);
            w.u64(u64::MAX);
            w.u32(0x1_0000);
        }
        w.u64(movie_ticks(edit.duration_us));
        w.u64(edit.start);
        w.u32(0x1_0000);
    });
}

/// A count of entries in front of what `entries` writes and counts.
fn counted(w: &mut Writer, entries: impl FnOnce(&mut Writer) -> u32) {
    let place = w.len();
    w.u32(0);
    let count = entries(w);
    w.patch(place, count);
}

/// A run-length table: (frames, value) each time the value changes.
fn runs(w: &mut Writer, kind: &[u8; 4], version: u8, mut values: impl Iterator<Item = u32>) {
    w.full(kind, version, 0, |w| {
        counted(w, |w| {
            let mut entries = 0;
            let Some(mut value) = values.next() else { return entries };
            let mut frames = 1;
            for next in values {
                if next == value {
                    frames += 1;
                    continue;
                }
                w.u32(frames);
                w.u32(value);
                entries += 1;
                (value, frames) = (next, 1);
            }
            w.u32(frames);
            w.u32(value);
            entries + 1
        });
    });
}

/// `stts`, `ctts` where pictures are reordered, `stss` where not every frame stands alone.
fn times(w: &mut Writer, samples: &[Sample]) {
    runs(w, b"stts", 0, samples.iter().map(|s| s.duration));
    if samples.iter().any(|s| s.composition_offset != 0) {
        let bits = |s: &Sample| u32::from_be_bytes(s.composition_offset.to_be_bytes());
        runs(w, b"ctts", 1, samples.iter().map(bits));
    }
    if !samples.iter().all(|s| s.sync) {
        w.full(b"stss", 0, 0, |w| {
            counted(w, |w| {
                let mut count = 0;
                for (number, _) in (1_u32..).zip(samples).filter(|(_, s)| s.sync) {
                    w.u32(number);
                    count += 1;
                }
                count
            });
        });
    }
}

/// `stsz`.
fn sizes(w: &mut Writer, samples: &[Sample]) -> Result<(), Error> {
    let count = u32::try_from(samples.len()).map_err(|_| Error::Limit("frames"))?;
    let first = samples.first().map_or(0, |s| s.size);
    let uniform = first != 0 && samples.iter().all(|s| s.size == first);
    w.full(b"stsz", 0, 0, |w| {
        w.u32(if uniform { first } else { 0 });
        w.u32(count);
        for sample in samples.iter().filter(|_| !uniform) {
            w.u32(sample.size);
        }
    });
    Ok(())
}
