//! Puts in order what the process before left, in the janitor's thread, while this one records
//! into runs of its own: cuts and seals files that nobody sealed, tells the writer where each
//! camera's footage ended, and makes the index anew if it was lost.

use std::collections::HashMap;
use std::path::Path;

use media::codec::Params;
use media::{CameraId, Cause, Gap, RunId, Wall};
use stdx::{Error, Kind, Result};

use crate::disk::Disk;
use crate::format::{self, FLAG_AFTER_HOLE, FLAG_DAMAGED, SegmentKey};
use crate::index::{self, Index, Op, SegmentRow};
use crate::journal;
use crate::lock::Before;
use crate::queue::{Command, Recovered};
use crate::segment::{self, Adopted, Scan};
use crate::shelf::Shelf;
use crate::timeline::{JITTER_US, Span, merge, subtract};
use crate::work::Shared;
use crate::{retain, salvage};

/// Name in the index's `meta` table: `1` once it has a row for every file.
pub(crate) const WHOLE: &str = "whole";
/// Rows written together while the index is made anew.
const BATCH: usize = 256;

/// What the process before left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) before: Before,
    /// The index has a row for every file that it had time to write one for.
    pub(crate) whole: bool,
}

/// Opens the index. A damaged one, or one of another version, is moved aside. False if it has to
/// be made anew.
pub(crate) fn open_index(dir: &Path) -> Result<(Index, bool)> {
    let path = dir.join(index::FILE);
    let index = match Index::open(&path) {
        Err(e) if e.kind() == Kind::DataLoss => {
            tracing::error!("{}; it is moved aside and made anew", e.chain());
            for side in ["", "-wal", "-shm"] {
                let from = dir.join(format!("{}{side}", index::FILE));
                let to = dir.join(format!("{}.damaged{side}", index::FILE));
                match std::fs::rename(&from, &to) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
                    _ => {}
                }
            }
            Index::open(&path)?
        }
        other => other?,
    };
    let whole = index.meta(WHOLE)?.as_deref() == Some("1");
    Ok((index, whole))
}

/// The cameras that have a directory.
pub(crate) fn camera_dirs(disk: &dyn Disk, dir: &Path) -> Result<Vec<CameraId>> {
    let names = disk.list(&format::media_dir(dir))?;
    Ok(names.iter().filter(|n| n.directory).filter_map(|n| n.name.parse().ok()).collect())
}

/// The runs of a camera that have a directory, in order.
pub(crate) fn run_dirs(disk: &dyn Disk, dir: &Path, camera: CameraId) -> Result<Vec<RunId>> {
    let names = disk.list(&format::camera_dir(dir, camera))?;
    let runs = names.iter().filter(|n| n.directory).filter_map(|n| format::parse_run(&n.name));
    Ok(runs.collect())
}

/// The highest run of each camera that has a directory.
pub(crate) fn runs(shelf: &Shelf) -> Result<HashMap<CameraId, RunId>> {
    let mut runs = HashMap::new();
    for camera in camera_dirs(&*shelf.disk, &shelf.dir)? {
        let last = run_dirs(&*shelf.disk, &shelf.dir, camera)?.into_iter().max();
        runs.insert(camera, last.unwrap_or_default());
    }
    Ok(runs)
}

/// Codec parameters in words.
pub(crate) fn words<'a>(params: impl Iterator<Item = &'a Params>) -> String {
    let all: Vec<String> = params
        .map(|p| {
            let mut text = p.codec_string().unwrap_or_else(|| p.codec().name().to_owned());
            if let Some((width, height)) = p.resolution() {
                text.push_str(&format!(" {width}x{height}"));
            }
            text
        })
        .collect();
    all.join(", ")
}

/// The row of a segment from its file.
pub(crate) fn row(scan: &Scan) -> SegmentRow {
    let header = &scan.head.header;
    let moov = segment::moov(&scan.head.init).and_then(|m| mp4::read::moov(m).ok());
    let tracks = moov.map(|m| m.tracks).unwrap_or_default();
    let start = scan.entries.first().map_or(header.anchor, |e| e.start);
    SegmentRow {
        camera: header.camera,
        key: header.key,
        start,
        end: scan.entries.iter().map(|e| e.end).max().unwrap_or(start),
        bytes: scan.len,
        sealed: scan.sealed,
        init: header.init,
        params: words(tracks.iter().filter_map(|t| t.entries.first()).map(|p| &**p)),
    }
}

/// The thread's first work.
pub(crate) fn run(shared: &Shared, start: Start) {
    let index = &shared.shelf.index;
    let mut ends: Vec<(CameraId, Option<Wall>)> = Vec::new();
    for camera in known(shared) {
        if shared.janitor.is_closed() {
            return;
        }
        match front(shared, camera, start) {
            Ok(end) => ends.push((camera, end)),
            Err(e) => tracing::error!(%camera, "cannot put in order: {}", e.chain()),
        }
    }
    // The last sign of life: the newest footage of any camera.
    let seen = ends.iter().filter_map(|(_, end)| *end).max();
    let doubted = index.meta(retain::CLOCK).is_ok_and(|v| v.as_deref() == Some(retain::DOUBTED));
    shared.clock().start(seen, doubted);
    let alive = match start.before {
        Before::Ended(at) => Some(at),
        _ => seen.map(|at| at.min(shared.now())),
    };
    for (camera, end) in ends {
        if let Err(e) = tell(shared, camera, end, alive, start.before.cause()) {
            tracing::error!(%camera, "cannot tell its last gap: {}", e.chain());
        }
    }
    if !start.whole {
        match rebuild(shared)
            .and_then(|all| if all { index.set_meta(&[(WHOLE, "1")]) } else { Ok(()) })
        {
            Ok(()) => {}
            Err(e) => tracing::error!("the index cannot be made anew: {}", e.chain()),
        }
    }
}

fn known(shared: &Shared) -> Vec<CameraId> {
    let mut cameras: Vec<CameraId> = shared.runs.keys().copied().collect();
    cameras.extend(shared.shelf.index.cameras().unwrap_or_else(|e| {
        tracing::error!("{}", e.chain());
        Vec::new()
    }));
    cameras.sort_unstable();
    cameras.dedup();
    cameras
}

/// The last run of the process before.
fn run_max(shared: &Shared, camera: CameraId) -> RunId {
    shared.runs.get(&camera).copied().unwrap_or_default()
}

/// The segment files of a camera's runs from `first` to the last of the process before, in order.
/// What a rewriting left unfinished is removed.
fn files(shared: &Shared, camera: CameraId, first: RunId) -> Result<Vec<SegmentKey>> {
    let (disk, dir) = (&*shared.shelf.disk, &shared.shelf.dir);
    let mut keys = Vec::new();
    for run in run_dirs(disk, dir, camera)? {
        if run < first || run > run_max(shared, camera) {
            continue;
        }
        let run_dir = format::camera_dir(dir, camera).join(run.to_string());
        for entry in disk.list(&run_dir)?.iter().filter(|e| !e.directory) {
            if let Some(sequence) = format::parse_segment_name(&entry.name) {
                keys.push(SegmentKey { run, sequence });
            } else if is_unfinished(&entry.name) {
                disk.remove(&run_dir.join(&entry.name))?;
            }
        }
    }
    keys.sort_unstable();
    Ok(keys)
}

/// The name of a file that a rewriting left unfinished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(salvage::EXTENSION)
        .is_some_and(|stem| format::parse_segment_name(&format!("{stem}mp4")).is_some())
}

/// Takes care of the newest files of a camera; says where its footage ends.
fn front(shared: &Shared, camera: CameraId, start: Start) -> Result<Option<Wall>> {
    let index = &shared.shelf.index;
    let run = run_max(shared, camera);
    if start.whole {
        let newest = index.newest(camera, run)?.map(|r| r.key);
        let mut keys: Vec<SegmentKey> = index
            .unsealed()?
            .into_iter()
            .filter(|r| r.camera == camera && r.key.run <= run)
            .map(|r| r.key)
            .collect();
        let first = newest.map_or(RunId(0), |key| key.run);
        keys.extend(files(shared, camera, first)?.into_iter().filter(|k| Some(*k) > newest));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            put_in_order(shared, camera, key, start.before.cause());
        }
    } else {
        gaps_of_journal(shared, camera)?;
        for key in files(shared, camera, RunId(0))?.into_iter().rev() {
            put_in_order(shared, camera, key, start.before.cause());
            if index.segment(camera, key)?.is_some() {
                break;
            }
        }
    }
    let end = index.newest(camera, run)?.map(|r| r.end);
    close_stale(shared, camera, end)?;
    Ok(end)
}

/// Adopts one file; what cannot be adopted is reported and left as it is.
fn put_in_order(shared: &Shared, camera: CameraId, key: SegmentKey, cause: Cause) {
    let Err(e) = adopt(shared, camera, key) else { return };
    tracing::error!(%camera, segment = %key, "cannot be put in order: {}", e.chain());
    let index = &shared.shelf.index;
    match e.kind() {
        Kind::DataLoss | Kind::NotFound => {}
        // The disk may allow it later; until then the row says that it is not sealed.
        _ => return shared.janitor.add(crate::janitor::Task::Adopt(camera, key)),
    }
    let forgotten = index.segment(camera, key).and_then(|row| match row {
        Some(row) => {
            index.forget(std::slice::from_ref(&row))?;
            Ok(Some(Span { from: row.start, to: row.end }))
        }
        None => Ok(None),
    });
    match forgotten {
        Ok(Some(span)) => gap(shared, camera, span, cause),
        Ok(None) => {}
        Err(e) => tracing::error!(%camera, "{}", e.chain()),
    }
}

fn gap(shared: &Shared, camera: CameraId, span: Span, cause: Cause) {
    let gap = crate::write::closed(span.from, span.to, cause);
    shared.pending.op(&shared.shelf.live, Op::Gap(camera, gap, shared.now()));
}

/// Cuts and seals a file that nobody sealed, and gives it its row. None if nothing was in it.
///
/// # Errors
/// `NotFound` or `DataLoss` if there is no segment of this name; else what the disk says.
pub(crate) fn adopt(
    shared: &Shared,
    camera: CameraId,
    key: SegmentKey,
) -> Result<Option<SegmentRow>> {
    let shelf = &shared.shelf;
    let path = format::segment_path(&shelf.dir, camera, key);
    let file = shelf.disk.open_read(&path)?;
    if let Ok(head) = segment::read_head(&*file)
        && (head.header.camera, head.header.key) != (camera, key)
    {
        return Err(Error::new(Kind::DataLoss, "it says that it is another segment"));
    }
    match segment::adopt(&*shelf.disk, &path)? {
        Adopted::Segment(scan) => {
            if let Some(parent) = path.parent() {
                shelf.disk.sync_dir(parent)?;
            }
            let row = row(&scan);
            let before = shelf.index.previous(camera, key)?.map(|r| r.end);
            shelf.index.apply(&[Op::Segment(row.clone())])?;
            for hole in holes(shelf, &scan, before)? {
                shared.pending.op(&shelf.live, Op::Gap(camera, hole, shared.now()));
            }
            Ok(Some(row))
        }
        Adopted::Empty => {
            if let Some(row) = shelf.index.segment(camera, key)? {
                shelf.index.forget(&[row])?;
            }
            Ok(None)
        }
    }
}

/// Holes inside a segment, and right before it, that no gap tells of: their rows were lost with
/// the process.
fn holes(shelf: &Shelf, scan: &Scan, before: Option<Wall>) -> Result<Vec<Gap>> {
    let mut found = Vec::new();
    let mut end = before;
    for entry in &scan.entries {
        if let Some(end) = end.filter(|end| entry.start.us_since(*end) > JITTER_US) {
            let cause = match (entry.flags & FLAG_DAMAGED, entry.flags & FLAG_AFTER_HOLE) {
                (0, 0) => Cause::Unknown,
                (0, _) => Cause::CameraSilent,
                _ => Cause::PacketLoss,
            };
            found.push((Span { from: end, to: entry.start }, cause));
        }
        end = Some(entry.end);
    }
    let mut gaps = Vec::new();
    for (span, cause) in found {
        let known = shelf.index.gaps(scan.head.header.camera, span.from, span.to)?;
        let known = known.iter().map(|g| Span { from: g.from, to: g.to.unwrap_or(span.to) });
        let left = subtract(&[span], &merge(known.collect(), 0));
        gaps.extend(left.into_iter().map(|s| crate::write::closed(s.from, s.to, cause)));
    }
    Ok(gaps)
}

/// Gaps that footage ended, though the word of it was lost with the process.
fn close_stale(shared: &Shared, camera: CameraId, end: Option<Wall>) -> Result<()> {
    let (shelf, Some(end)) = (&shared.shelf, end) else { return Ok(()) };
    let open = shelf.index.gaps(camera, Wall(i64::MIN), end)?;
    for gap in open.into_iter().filter(|g| g.to.is_none()) {
        let pieces = shelf.fragments(camera, gap.from, end, 4)?;
        let first = pieces.iter().map(|p| p.start).find(|s| *s > gap.from);
        let op = match first {
            Some(to) => Op::Gap(camera, Gap { to: Some(to), ..gap }, shared.now()),
            None => Op::NoGap(camera, gap.from),
        };
        shelf.index.apply(std::slice::from_ref(&op))?;
        shared.pending.op(&shelf.live, op);
    }
    Ok(())
}

/// Tells the writer where a camera stood.
fn tell(
    shared: &Shared,
    camera: CameraId,
    end: Option<Wall>,
    alive: Option<Wall>,
    cause: Cause,
) -> Result<()> {
    let after = end.unwrap_or(Wall(i64::MIN));
    let mut gaps = shared.shelf.index.gaps(camera, after, Wall(i64::MAX))?;
    gaps.retain(|g| g.from >= after);
    let last = gaps.last().copied();
    let restart = match (last, end) {
        (Some(Gap { cause: Cause::SwitchedOff, to: None, .. }), _) => None,
        (Some(Gap { to: None, from, .. }), _) => {
            Some((alive.unwrap_or(from).max(from.plus_us(1)), cause))
        }
        (Some(Gap { to: Some(to), .. }), _) => Some((to, cause)),
        (None, Some(end)) => Some((end, cause)),
        (None, None) => return Ok(()),
    };
    let recovered = Box::new(Recovered { end, gaps, restart });
    shared.queue.say(Command::Recovered(camera, recovered));
    Ok(())
}

/// Reads a camera's journal into the index.
fn gaps_of_journal(shared: &Shared, camera: CameraId) -> Result<()> {
    let shelf = &shared.shelf;
    let told = journal::read(&*shelf.disk, &shelf.dir, camera)?;
    let ops: Vec<Op> =
        told.gaps.into_iter().map(|(gap, noticed)| Op::Gap(camera, gap, noticed)).collect();
    shelf.index.apply(&ops)?;
    shelf.index.add_expired(camera, &told.expired)
}

/// Gives every file of the process before a row. False if it was told to stop.
fn rebuild(shared: &Shared) -> Result<bool> {
    let cameras = camera_dirs(&*shared.shelf.disk, &shared.shelf.dir)?;
    let mut segments = 0_usize;
    for camera in cameras {
        let mut ops = Vec::new();
        let mut before = None;
        for key in files(shared, camera, RunId(0))? {
            if shared.janitor.is_closed() {
                return Ok(false);
            }
            let Some(scan) = sealed(shared, camera, key) else { continue };
            let row = row(&scan);
            for hole in holes(&shared.shelf, &scan, before)? {
                ops.push(Op::Gap(camera, hole, shared.now()));
            }
            before = Some(row.end);
            ops.push(Op::Segment(row));
            segments += 1;
            if ops.len() >= BATCH {
                shared.shelf.index.apply(&ops)?;
                ops.clear();
            }
        }
        shared.shelf.index.apply(&ops)?;
    }
    if segments > 0 {
        tracing::info!(segments, "the index of recordings was made anew from the files");
    }
    Ok(true)
}

/// The table of a file, which is adopted if nobody sealed it. `None` for what is not a segment of
/// this name.
fn sealed(shared: &Shared, camera: CameraId, key: SegmentKey) -> Option<Scan> {
    let shelf = &shared.shelf;
    let path = format::segment_path(&shelf.dir, camera, key);
    let scanned = shelf.disk.open_read(&path).map_err(Error::from).and_then(|f| segment::scan(&*f));
    let ours = |scan: &Scan| {
        let header = &scan.head.header;
        (header.camera, header.key) == (camera, key)
    };
    match scanned {
        Ok(scan) if ours(&scan) && scan.sealed => return Some(scan),
        Ok(scan) if !ours(&scan) => {
            tracing::warn!(path = %path.display(), "says that it is another segment; left alone");
            return None;
        }
        _ => {}
    }
    match segment::adopt(&*shelf.disk, &path) {
        Ok(Adopted::Segment(scan)) => Some(*scan),
        Ok(Adopted::Empty) => None,
        Err(e) => {
            tracing::warn!(path = %path.display(), "left alone: {}", e.chain());
            None
        }
    }
}
