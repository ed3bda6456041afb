//! MP4 files, ordinary and fragmented.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

use media::codec::Codec;
use media::{Params, Rate, Ticks, TrackKind};
use mp4::Sample;
use mp4::read::{self, Init, META_BYTES_MAX, ReadTrack};
use stdx::{Error, Kind, Result};

use super::{
    Clip, ClipTrack, Data, Entry, FRAME_BYTES_MAX, FRAMES_MAX, read_up_to, rescale, unplayable,
};

/// Most boxes side by side in a file.
const BOXES_MAX: usize = 4 << 20;

/// Whether the second four bytes of a file are those of an MP4.
pub(super) fn begins(kind: &[u8]) -> bool {
    matches!(
        kind.get(..4),
        Some(b"ftyp" | b"moov" | b"styp" | b"free" | b"skip" | b"wide" | b"mdat")
    )
}

fn wrong(e: mp4::Error) -> Error {
    Error::new(Kind::InvalidArgument, format!("cannot be played: {e}")).with_source(e)
}

pub(super) fn open(file: File) -> Result<Clip> {
    let length = file.metadata()?.len();
    let mut reader = Reader { file: &file, length, init: None, lanes: Vec::new(), frames: 0 };
    reader.scan()?;
    let init = reader.init.ok_or_else(|| unplayable("has no moov box: it is not complete"))?;
    let (mut tracks, mut entries, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for (lane, track) in reader.lanes.into_iter().zip(chosen(&init)) {
        let index = u8::try_from(tracks.len()).unwrap_or(u8::MAX);
        if lane.samples.is_empty() {
            if track.entries[0].kind() == TrackKind::Video {
                return Err(unplayable("has no frames"));
            }
            continue;
        }
        let rate = rate(&track.entries[0], track.rate);
        ends.push(lane.into_entries(index, track, rate, length, &mut entries));
        tracks.push(ClipTrack { rate, params: track.entries.clone() });
    }
    Clip::new(tracks, entries, &ends, Data::File(file))
}

/// The first track of pictures and the first of sound.
fn chosen(init: &Init) -> impl Iterator<Item = &ReadTrack> {
    let first = |kind| init.tracks.iter().find(move |t| t.entries[0].kind() == kind);
    [first(TrackKind::Video), first(TrackKind::Audio)].into_iter().flatten()
}

/// The rate that RTP gives a codec.
fn rate(params: &Params, own: Rate) -> Rate {
    match (params.kind(), params.codec()) {
        (TrackKind::Video, _) => Rate::VIDEO,
        (_, Codec::Opus) => Rate::new(48_000).unwrap_or(own),
        _ => params.audio().and_then(|(rate, _)| Rate::new(rate)).unwrap_or(own),
    }
}

struct Reader<'a> {
    file: &'a File,
    length: u64,
    init: Option<Init>,
    /// One per chosen track.
    lanes: Vec<Lane>,
    frames: usize,
}

#[derive(Default)]
struct Lane {
    samples: Vec<Located>,
}

struct Located {
    offset: u64,
    decode_time: u64,
    sample: Sample,
    entry: usize,
}

impl Reader<'_> {
    fn scan(&mut self) -> Result<()> {
        let mut at = 0;
        let mut fragments = BTreeMap::new();
        for _ in 0..BOXES_MAX {
            let mut head = [0; 16];
            let have = read_up_to(self.file, &mut head, at)?;
            // A file that was cut off is played as far as it goes.
            let Some(header) = read::box_header(&head[..have]).map_err(wrong)? else { break };
            let size = header.size.unwrap_or(self.length - at);
            let Some(end) = at.checked_add(size).filter(|end| *end <= self.length) else {
                break;
            };
            match &header.kind {
                b"moov" if self.init.is_none() => self.moov(&self.body(at, size)?)?,
                b"moof" => {
                    fragments.insert(at, size);
                }
                _ => {}
            }
            at = end;
        }
        for (at, size) in fragments {
            self.moof(&self.body(at, size)?, at)?;
        }
        Ok(())
    }

    fn body(&self, at: u64, size: u64) -> Result<Vec<u8>> {
        let size = usize::try_from(size).ok().filter(|_| size <= META_BYTES_MAX);
        let size = size.ok_or_else(|| unplayable("has an index that is too large"))?;
        let mut body = vec![0; size];
        self.file.read_exact_at(&mut body, at)?;
        Ok(body)
    }

    fn moov(&mut self, body: &[u8]) -> Result<()> {
        let init = read::moov(body).map_err(wrong)?;
        let mut lanes = Vec::new();
        let mut frames = 0;
        for track in chosen(&init) {
            frames += track.tables.len();
            if frames > FRAMES_MAX {
                return Err(too_long());
            }
            let samples = track.tables.iter().map(|l| Located {
                offset: l.offset,
                decode_time: l.decode_time,
                sample: l.sample,
                entry: l.entry,
            });
            lanes.push(Lane { samples: samples.collect() });
        }
        (self.lanes, self.frames, self.init) = (lanes, frames, Some(init));
        Ok(())
    }

    fn moof(&mut self, body: &[u8], at: u64) -> Result<()> {
        let Some(init) = &self.init else { return Ok(()) };
        let fragment = read::moof_of(body, at, init).map_err(wrong)?;
        for run in fragment.runs {
            let Some(lane) = chosen(init).position(|t| t.id == run.track) else { continue };
            self.frames += run.samples.len();
            if self.frames > FRAMES_MAX {
                return Err(too_long());
            }
            let mut offset = at.saturating_add(run.data_offset);
            let mut decode_time = run.decode_time;
            for sample in run.samples {
                self.lanes[lane].samples.push(Located { offset, decode_time, sample, entry: 0 });
                offset = offset.saturating_add(u64::from(sample.size));
                decode_time = decode_time.saturating_add(u64::from(sample.duration));
            }
        }
        Ok(())
    }
}

fn too_long() -> Error {
    unplayable("has too many frames; cut it")
}

impl Lane {
    /// Appends the track's frames; the tick at which it ends.
    fn into_entries(
        self,
        index: u8,
        track: &ReadTrack,
        rate: Rate,
        length: u64,
        out: &mut Vec<Entry>,
    ) -> i64 {
        // What stands before the edit is not shown, but decoded, and keeps its place before zero.
        let edit = track.tables.edit_start().unwrap_or(0);
        // Decode times must not be after presentation times, whatever the offsets are.
        let offsets = self.samples.iter().map(|l| i64::from(l.sample.composition_offset));
        let early = offsets.min().unwrap_or(0).min(0);
        let (mut starts, mut end) = (true, 0);
        for located in &self.samples {
            let Located { offset, decode_time, sample, entry } = *located;
            let whole = offset.checked_add(u64::from(sample.size)).is_some_and(|e| e <= length);
            let params = u16::try_from(entry).ok().filter(|_| entry < track.entries.len());
            let sane = whole && (1..=FRAME_BYTES_MAX).contains(&sample.size);
            let (true, Some(params)) = (sane, params) else { continue };
            let time = i64::try_from(decode_time).unwrap_or(i64::MAX).saturating_sub(edit);
            let shown = time.saturating_add(i64::from(sample.composition_offset));
            let dts = Ticks(rescale(time.saturating_add(early), track.rate, rate));
            let pts = Ticks(rescale(shown, track.rate, rate)).max(dts);
            let last = time.saturating_add(early).saturating_add(i64::from(sample.duration.max(1)));
            end = rescale(last, track.rate, rate).max(dts.0 + 1);
            out.push(Entry { track: index, params, starts, offset, size: sample.size, dts, pts });
            starts = false;
        }
        end
    }
}
