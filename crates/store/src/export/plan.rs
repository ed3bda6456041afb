//! Which frames an export holds, where they lie, and when each is shown.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use media::codec::Params;
use media::{CameraId, Gap, Rate, Ticks, Wall};
use mp4::Sample;
use mp4::progressive::{Chunk, Edit, ExportTrack};
use mp4::read::ReadRun;
use stdx::{Error, Kind, Result};

use super::{Export, Piece};
use crate::assembler::REORDER_US_MAX;
use crate::disk::File;
use crate::format::{self, Entry, SegmentKey};
use crate::index::SegmentRow;
use crate::segment;
use crate::shelf::Shelf;

/// Most frames of one export: about five days of pictures and sound, 500 MiB while it is planned.
const SAMPLES_MAX: usize = 20_000_000;
/// How far back the random-access fragment is looked for.
const LOOK_BACK_US: i64 = 600_000_000;
/// Largest `moof` that is read.
const MOOF_BYTES_MAX: usize = 4 << 20;
/// Most bytes of a fragment that are read to find out how long its `moof` is.
const PROBE_BYTES: usize = 4_096;

impl Export {
    /// Finds the frames of `[from, to)` and writes the head.
    pub(crate) fn plan(shelf: &Shelf, camera: CameraId, from: Wall, to: Wall) -> Result<Self> {
        let Choice { lead, span } = choose(shelf, camera, from, to)?;
        let (Some(first), Some(end)) = (span.first(), span.iter().map(|c| c.entry.end).max())
        else {
            return Err(Error::new(Kind::NotFound, "nothing is recorded in this span")
                .with_code("nothing-recorded"));
        };
        let shown = (from.max(first.entry.start), to.min(end));
        let mut plan = Plan::new(shelf, shown.0, to);
        for chosen in lead.iter().chain(&span) {
            plan.add(chosen)?;
        }
        let gaps = shelf.timeline(camera, from, to)?.gaps;
        plan.finish(gaps, shown.1)
    }
}

/// A fragment that goes into an export.
struct Chosen {
    row: SegmentRow,
    entry: Entry,
}

/// What goes into an export, in the order in which it was recorded.
struct Choice {
    /// What is only needed to decode the first fragment of the span.
    lead: Vec<Chosen>,
    /// What overlaps the span.
    span: Vec<Chosen>,
}

fn choose(shelf: &Shelf, camera: CameraId, from: Wall, to: Wall) -> Result<Choice> {
    // A picture shown before the end may be stored behind one that is shown after it.
    let until = to.plus_us(REORDER_US_MAX);
    let (mut rows, overlay) = shelf.rows(camera, from, until)?;
    rows.sort_by_key(|r| r.key);
    let mut span: Vec<Chosen> = Vec::new();
    for row in rows {
        let Some(table) = shelf.table(&row, &overlay)? else { continue };
        let wanted = table.entries.into_iter().filter(|e| e.end > from && e.start < until);
        span.extend(wanted.map(|entry| Chosen { row: row.clone(), entry }));
    }
    if span.iter().all(|c| c.entry.start >= to) {
        span.clear();
    }
    let Some(first) = span.first().filter(|c| !c.entry.random_access()) else {
        return Ok(Choice { lead: Vec::new(), span });
    };
    let lead = lead(shelf, first)?;
    if lead.is_empty()
        && let Some(alone) = span.iter().position(|c| c.entry.random_access())
    {
        // What cannot be decoded is no picture.
        span.drain(..alone);
    }
    Ok(Choice { lead, span })
}

/// The fragments from the last random-access one to right before `first`, which all belong to its
/// run; none if there is no such one near.
fn lead(shelf: &Shelf, first: &Chosen) -> Result<Vec<Chosen>> {
    let overlay = shelf.live.overlay(first.row.camera);
    let mut row = first.row.clone();
    let mut lead: Vec<Chosen> = Vec::new();
    loop {
        let table = shelf.table(&row, &overlay)?;
        let entries = table.map(|t| t.entries).unwrap_or_default();
        let own = row.key == first.row.key;
        for entry in entries.into_iter().rev() {
            if own && entry.offset >= first.entry.offset {
                continue;
            }
            let found = entry.random_access();
            let far = first.entry.start.us_since(entry.start).abs() > LOOK_BACK_US;
            lead.push(Chosen { row: row.clone(), entry });
            if found || far {
                lead.reverse();
                return Ok(if found { lead } else { Vec::new() });
            }
        }
        let before = SegmentKey { run: row.key.run, sequence: row.key.sequence.saturating_sub(1) };
        match shelf.row(row.camera, before) {
            Ok(previous) => row = previous,
            Err(e) if e.kind() == Kind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        }
    }
}

/// Frames that can be in one track: same codec, same clock. Law tells A-law from µ-law, which have
/// sample entries of different kinds; `nth` counts the tracks of a segment that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kinship {
    codec: media::codec::Codec,
    law: u8,
    rate: Rate,
    nth: usize,
}

/// A track of the export that is being collected. Times are ticks from the first instant shown.
struct Lane {
    kin: Kinship,
    entries: Vec<Arc<Params>>,
    samples: Vec<Sample>,
    /// Decode time of the first frame.
    first: i64,
    /// Decode time at which the last one ends.
    next: i64,
    /// Composition offset of the first frame.
    offset: i64,
}

/// The run that is being collected.
struct Present {
    key: SegmentKey,
    /// Per `track_ID` of the segment: lane, sample entry, and what is added to its media times.
    tracks: Vec<(u32, usize, u32, i64)>,
}

struct Plan<'a> {
    shelf: &'a Shelf,
    /// The first instant shown, and the end of the span.
    origin: Wall,
    to: Wall,
    lanes: Vec<Lane>,
    chunks: Vec<Chunk>,
    sources: Vec<(usize, u64)>,
    files: Vec<PathBuf>,
    present: Option<Present>,
    file: Option<(SegmentKey, Arc<dyn File>)>,
    samples: usize,
}

fn damaged(row: &SegmentRow, e: mp4::Error) -> Error {
    let message = format!("segment {} of {} is damaged: {e}", row.key, row.camera);
    Error::new(Kind::DataLoss, message)
}

impl<'a> Plan<'a> {
    fn new(shelf: &'a Shelf, origin: Wall, to: Wall) -> Self {
        Self {
            shelf,
            origin,
            to,
            lanes: Vec::new(),
            chunks: Vec::new(),
            sources: Vec::new(),
            files: Vec::new(),
            present: None,
            file: None,
            samples: 0,
        }
    }

    /// Adds the frames of a fragment.
    fn add(&mut self, chosen: &Chosen) -> Result<()> {
        let Chosen { row, entry } = chosen;
        let file = self.open(row)?;
        let runs = read_moof(&*file, entry).map_err(|e| match e {
            Moof::Disk(e) => e.into(),
            Moof::Damaged(e) => damaged(row, e),
        })?;
        if self.present.as_ref().is_none_or(|p| p.key != row.key) {
            self.turn(row, entry, &*file, &runs)?;
        }
        let Some(present) = self.present.take() else { return Ok(()) };
        for run in &runs {
            let Some((_, lane, entry_number, shift)) =
                present.tracks.iter().find(|(id, ..)| *id == run.track).copied()
            else {
                continue;
            };
            self.append(lane, entry_number, shift, run, entry)?;
        }
        self.present = Some(present);
        Ok(())
    }

    fn open(&mut self, row: &SegmentRow) -> Result<Arc<dyn File>> {
        if let Some((key, file)) = &self.file
            && *key == row.key
        {
            return Ok(Arc::clone(file));
        }
        let path = format::segment_path(&self.shelf.dir, row.camera, row.key);
        let file = self.shelf.disk.open_read(&path)?;
        self.files.push(path);
        self.file = Some((row.key, Arc::clone(&file)));
        Ok(file)
    }

    /// Another segment begins; perhaps another run.
    fn turn(
        &mut self,
        row: &SegmentRow,
        entry: &Entry,
        file: &dyn File,
        runs: &[ReadRun],
    ) -> Result<()> {
        let head = segment::read_head(file)?;
        let moov = segment::moov(&head.init).ok_or_else(|| {
            Error::new(Kind::DataLoss, format!("segment {} has no moov", row.key))
        })?;
        let init = mp4::read::moov(moov).map_err(|e| damaged(row, e))?;
        if let Some(present) = &mut self.present
            && present.key.run == row.key.run
        {
            present.key = row.key;
            return Ok(());
        }
        // Media times of all tracks begin at the same instant; the first picture tells which.
        let header = &head.header;
        let primary = runs.iter().find(|r| r.track == header.primary);
        let offset = primary.and_then(|r| r.samples.first()).map_or(0, |s| s.composition_offset);
        let ticks = i64::try_from(entry.decode_time).unwrap_or(i64::MAX);
        let shown_us = header.rate.to_us(Ticks(ticks.saturating_add(i64::from(offset))));
        let mut base_us = entry.start.us_since(self.origin).saturating_sub(shown_us);
        let mut tracks = Vec::new();
        for track in &init.tracks {
            let Some(params) = track.entries.first() else { continue };
            let kin = kinship(params, track.rate);
            let nth = tracks
                .iter()
                .filter(|(_, lane, ..): &&(u32, usize, u32, i64)| {
                    self.lanes.get(*lane).is_some_and(|l| Kinship { nth: 0, ..l.kin } == kin)
                })
                .count();
            let (lane, number) = self.lane(Kinship { nth, ..kin }, params);
            tracks.push((track.id, lane, number, 0));
        }
        // If the clock stepped back, what comes now is put behind what is there.
        if let Some((_, lane, ..)) = tracks.iter().find(|(id, ..)| *id == header.primary)
            && let Some(lane) = self.lanes.get(*lane).filter(|l| !l.samples.is_empty())
        {
            let begins = header.rate.from_us(base_us).0.saturating_add(ticks);
            let late = header.rate.to_us(Ticks(lane.next.saturating_sub(begins)));
            base_us = base_us.saturating_add(late.max(0));
        }
        for (_, lane, _, shift) in &mut tracks {
            let rate = self.lanes.get(*lane).map_or(Rate::VIDEO, |l| l.kin.rate);
            *shift = rate.from_us(base_us).0;
        }
        self.present = Some(Present { key: row.key, tracks });
        Ok(())
    }

    /// The lane for frames of this kind, and the number of their sample entry.
    fn lane(&mut self, kin: Kinship, params: &Arc<Params>) -> (usize, u32) {
        let index = self.lanes.iter().position(|l| l.kin == kin).unwrap_or_else(|| {
            self.lanes.push(Lane {
                kin,
                entries: Vec::new(),
                samples: Vec::new(),
                first: 0,
                next: 0,
                offset: 0,
            });
            self.lanes.len() - 1
        });
        let entries = &mut self.lanes[index].entries;
        let number = entries.iter().position(|e| e == params).unwrap_or_else(|| {
            entries.push(Arc::clone(params));
            entries.len() - 1
        });
        (index, u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Adds frames of one track, without those that lie behind the span.
    fn append(
        &mut self,
        index: usize,
        entry: u32,
        shift: i64,
        run: &ReadRun,
        at: &Entry,
    ) -> Result<()> {
        let file = self.files.len().saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        let limit = lane.kin.rate.from_us(self.to.us_since(self.origin)).0;
        let begins = i64::try_from(run.decode_time).unwrap_or(i64::MAX).saturating_add(shift);
        let mut decode = begins;
        let mut kept = 0;
        // Decoding order: what is shown before the end may stand behind what is not.
        for (n, s) in run.samples.iter().enumerate() {
            if decode.saturating_add(i64::from(s.composition_offset)) < limit {
                kept = n + 1;
            }
            decode = decode.saturating_add(i64::from(s.duration));
        }
        let samples = run.samples.get(..kept).filter(|s| !s.is_empty());
        let Some(samples) = samples else { return Ok(()) };
        self.samples += samples.len();
        if self.samples > SAMPLES_MAX {
            return Err(Error::new(
                Kind::ResourceExhausted,
                "this span has too many pictures for one file; export it in parts",
            )
            .with_code("too-long"));
        }
        lane.extend(begins, samples);
        let size = samples.iter().map(|s| u64::from(s.size)).sum();
        let count = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        self.chunks.push(Chunk { track: index, samples: count, entry, size });
        self.sources.push((file, at.offset.saturating_add(run.data_offset)));
        Ok(())
    }

    fn finish(self, gaps: Vec<Gap>, end: Wall) -> Result<Export> {
        let shown_us = u64::try_from(end.us_since(self.origin)).unwrap_or(0);
        // Tracks of which nothing lies in the span are left out.
        let mut numbers = Vec::new();
        let mut tracks = Vec::new();
        for lane in self.lanes {
            let shows = lane.shows(shown_us);
            numbers.push(shows.map(|_| tracks.len()));
            tracks.extend(shows.map(|edit| lane.track(edit)));
        }
        let kept: Vec<(Chunk, (usize, u64))> = self
            .chunks
            .into_iter()
            .zip(self.sources)
            .filter_map(|(c, source)| {
                Some((Chunk { track: (*numbers.get(c.track)?)?, ..c }, source))
            })
            .collect();
        let chunks: Vec<Chunk> = kept.iter().map(|(c, _)| *c).collect();
        let head = mp4::progressive::head(&tracks, &chunks, Some(self.origin)).map_err(|e| {
            Error::new(Kind::Internal, "the export cannot be put together").with_source(e)
        })?;
        let mut at = head.len() as u64;
        let mut pieces: Vec<Piece> = Vec::with_capacity(kept.len());
        for (chunk, (file, offset)) in kept {
            pieces.push(Piece { at, file, offset, len: chunk.size });
            at += chunk.size;
        }
        Ok(Export {
            head,
            pieces,
            files: self.files,
            len: at,
            gaps,
            disk: Arc::clone(&self.shelf.disk),
            open: Mutex::default(),
        })
    }
}

impl Lane {
    /// Appends frames whose decoding begins at `begins`: the last one before them lasts until
    /// then.
    fn extend(&mut self, begins: i64, samples: &[Sample]) {
        match self.samples.last_mut() {
            None => {
                self.first = begins;
                self.next = begins;
                self.offset = samples.first().map_or(0, |s| i64::from(s.composition_offset));
            }
            Some(last) => {
                // Shorter, but never nothing, if two clocks disagree.
                let step = begins.saturating_sub(self.next);
                let lasts = i64::from(last.duration).saturating_add(step).max(1);
                let lasts = u32::try_from(lasts).unwrap_or(u32::MAX);
                self.next += i64::from(lasts) - i64::from(last.duration);
                last.duration = lasts;
            }
        }
        self.samples.extend_from_slice(samples);
        self.next += samples.iter().map(|s| i64::from(s.duration)).sum::<i64>();
    }

    /// What is shown of it within the first `shown_us`; `None` if nothing.
    fn shows(&self, shown_us: u64) -> Option<Edit> {
        let rate = self.kin.rate;
        let appears = self.first.saturating_add(self.offset);
        let (delay_us, start) = if appears > 0 {
            (rate.to_us(Ticks(appears)), self.offset)
        } else {
            (0, self.first.saturating_neg())
        };
        let delay_us = u64::try_from(delay_us).unwrap_or(0);
        let ends = u64::try_from(rate.to_us(Ticks(self.next.saturating_add(self.offset))));
        let duration_us = shown_us.min(ends.unwrap_or(0)).saturating_sub(delay_us);
        let start = u64::try_from(start).unwrap_or(0);
        let some = !self.samples.is_empty() && duration_us > 0;
        some.then_some(Edit { delay_us, start, duration_us })
    }

    fn track(self, edit: Edit) -> ExportTrack {
        let Self { kin, entries, samples, .. } = self;
        ExportTrack { rate: kin.rate, entries, samples, edit: Some(edit) }
    }
}

fn kinship(params: &Params, rate: Rate) -> Kinship {
    let law = match params {
        Params::G711(p) => 1 + u8::from(p.law == media::codec::g711::Law::Mu),
        _ => 0,
    };
    Kinship { codec: params.codec(), law, rate, nth: 0 }
}

enum Moof {
    Disk(std::io::Error),
    Damaged(mp4::Error),
}

/// The frames of a fragment and where they lie.
fn read_moof(file: &dyn File, entry: &Entry) -> std::result::Result<Vec<ReadRun>, Moof> {
    let all = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
    let mut bytes = vec![0; all.min(PROBE_BYTES)];
    let n = file.read_at(entry.offset, &mut bytes).map_err(Moof::Disk)?;
    bytes.truncate(n);
    let header = mp4::read::box_header(&bytes).map_err(Moof::Damaged)?;
    let size = header.and_then(|h| usize::try_from(h.size?).ok());
    let size = size
        .filter(|s| *s <= all.min(MOOF_BYTES_MAX))
        .ok_or(Moof::Damaged(mp4::Error::Malformed("moof")))?;
    if size > bytes.len() {
        let have = bytes.len();
        bytes.resize(size, 0);
        let at = entry.offset + have as u64;
        let n = file.read_at(at, &mut bytes[have..]).map_err(Moof::Disk)?;
        bytes.truncate(have + n);
    }
    let moof = bytes.get(..size).ok_or(Moof::Damaged(mp4::Error::Truncated { at: bytes.len() }))?;
    Ok(mp4::read::moof(moof).map_err(Moof::Damaged)?.runs)
}
