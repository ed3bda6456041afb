//! Retention: what is deleted when. The oldest goes first, always through the index's list of
//! deletions: intended, then removed, then forgotten. A crash in between is finished at the next
//! start, and the same entry may be carried out twice. Nothing that is not on that list is touched,
//! and nothing that is not sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

use media::{CameraId, Wall};
use stdx::{Error, Result};

use crate::format::{self, SegmentKey};
use crate::index::SegmentRow;
use crate::journal;
use crate::timeline::Span;
use crate::work::Shared;

/// Most segments that are deleted together.
const BATCH: usize = 256;
/// When the disk is full, this much is made free at once, so that not every fragment has to ask.
const ROOM_BYTES: u64 = 64 << 20;
const DAY_US: i64 = 86_400_000_000;

/// How much of the oldest must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    /// What ended before this.
    Before(Wall),
    /// At least so many bytes.
    Bytes(u64),
}

/// The first rows that make up an excess.
fn choose(rows: Vec<SegmentRow>, excess: Excess) -> Vec<SegmentRow> {
    let mut chosen = Vec::new();
    let mut sum = 0_u64;
    for row in rows {
        let goes = match excess {
            Excess::Before(limit) => row.end <= limit,
            Excess::Bytes(bytes) => sum < bytes,
        };
        if !goes {
            break;
        }
        sum = sum.saturating_add(row.bytes);
        chosen.push(row);
    }
    chosen
}

/// Deletes everything that the limits do not keep. Returns how many segments went.
pub(crate) fn run(shared: &Shared) -> Result<usize> {
    let one = alone(shared);
    // What could not be finished before.
    let intended = shared.shelf.index.intended()?;
    let mut deleted = remove(shared, &one, &intended)?;
    loop {
        let rows = due(shared)?;
        let wanted = rows.len();
        let done = delete(shared, &one, rows)?;
        deleted += done;
        // What would not go now is tried again next time.
        if done == 0 || done < wanted || shared.janitor.is_closed() {
            return Ok(deleted);
        }
    }
}

fn alone(shared: &Shared) -> MutexGuard<'_, ()> {
    shared.retaining.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next batch that must go; empty if the limits are kept.
fn due(shared: &Shared) -> Result<Vec<SegmentRow>> {
    let limits = shared.limits();
    let shelf = &shared.shelf;
    let mut first: BTreeMap<(CameraId, SegmentKey), SegmentRow> = BTreeMap::new();
    let mut take = |camera, excess| -> Result<()> {
        if excess == Excess::Bytes(0) {
            return Ok(());
        }
        for row in choose(shelf.index.oldest(camera, BATCH)?, excess) {
            first.insert((row.camera, row.key), row);
        }
        Ok(())
    };
    for camera in shelf.index.cameras()? {
        let own = limits.cameras.get(&camera);
        let days = own.and_then(|o| o.max_days).or(limits.days_max);
        if let Some(days) = days {
            let limit = shared.now().plus_us(-i64::from(days).saturating_mul(DAY_US));
            take(Some(camera), Excess::Before(limit))?;
        }
        if let Some(max) = own.and_then(|o| o.max_bytes) {
            take(Some(camera), Excess::Bytes(shelf.bytes(Some(camera))?.saturating_sub(max)))?;
        }
    }
    let mut excess = 0_u64;
    if let Some(max) = limits.bytes_max {
        excess = excess.max(shelf.bytes(None)?.saturating_sub(max));
    }
    if limits.free_bytes_min > 0 {
        let free = shelf.disk.space(&shelf.dir)?.free;
        excess = excess.max(limits.free_bytes_min.saturating_sub(free));
    }
    take(None, Excess::Bytes(excess))?;
    let mut rows: Vec<SegmentRow> = first.into_values().collect();
    rows.sort_by_key(|r| (r.start, r.camera, r.key));
    rows.truncate(BATCH);
    Ok(rows)
}

/// Deletes the oldest because a write did not fit. True if something went.
pub(crate) fn make_room(shared: &Shared, bytes: u64) -> bool {
    let one = alone(shared);
    let want = ROOM_BYTES.max(bytes.saturating_mul(2)).max(shared.limits().free_bytes_min);
    let free = shared.shelf.disk.space(&shared.shelf.dir).map_or(0, |s| s.free);
    let excess = Excess::Bytes(want.saturating_sub(free).max(1));
    let done = shared
        .shelf
        .index
        .oldest(None, BATCH)
        .and_then(|rows| delete(shared, &one, choose(rows, excess)));
    match done {
        Ok(n) => {
            tracing::warn!(segments = n, "the disk is full; the oldest recordings were deleted");
            n > 0
        }
        Err(e) => {
            tracing::error!("the disk is full and nothing can be deleted: {}", e.chain());
            false
        }
    }
}

fn delete(shared: &Shared, one: &MutexGuard<'_, ()>, rows: Vec<SegmentRow>) -> Result<usize> {
    shared.shelf.index.intend(&rows)?;
    let keys: Vec<_> = rows.into_iter().map(|r| (r.camera, r.key)).collect();
    remove(shared, one, &keys)
}

/// Removes files that are on the list, makes that durable, and forgets them.
fn remove(
    shared: &Shared,
    _one: &MutexGuard<'_, ()>,
    keys: &[(CameraId, SegmentKey)],
) -> Result<usize> {
    if keys.is_empty() {
        return Ok(0);
    }
    let shelf = &shared.shelf;
    let mut done = Vec::new();
    let mut dirs: BTreeSet<PathBuf> = BTreeSet::new();
    let mut refused = None;
    for (camera, key) in keys {
        let path = format::segment_path(&shelf.dir, *camera, *key);
        match shelf.disk.remove(&path) {
            Ok(()) => {}
            // Removed before a crash; but a whole camera that is missing is a volume that is not
            // there, and its rows stay.
            Err(e)
                if e.kind() == io::ErrorKind::NotFound
                    && format::camera_dir(&shelf.dir, *camera).is_dir() => {}
            Err(e) => {
                tracing::error!(path = %path.display(), "cannot delete: {e}");
                refused = Some(e);
                continue;
            }
        }
        dirs.extend(path.parent().map(PathBuf::from));
        done.push((*camera, *key));
    }
    for dir in dirs {
        tidy(shared, &dir);
    }
    let spans = spans(shared, &done)?;
    shelf.index.deleted(&done)?;
    shared.counters.segments_deleted.add(done.len() as u64);
    tell_journals(shared, &spans);
    match refused {
        Some(e) if done.is_empty() => Err(Error::from(e)
            .map_message(|m| format!("recordings that are due cannot be deleted: {m}"))),
        _ => Ok(done.len()),
    }
}

/// Syncs a run's directory, or removes it if it is empty and of a process before.
fn tidy(shared: &Shared, dir: &std::path::Path) {
    let disk = &shared.shelf.disk;
    // One that is in use is not empty, except in the moment before its first file; then `create`
    // makes it again.
    let empty = disk.list(dir).is_ok_and(|names| names.is_empty());
    let synced = match dir.parent() {
        Some(parent) if empty && disk.remove_dir(dir).is_ok() => disk.sync_dir(parent),
        _ => disk.sync_dir(dir),
    };
    if let Err(e) = synced {
        tracing::warn!(dir = %dir.display(), "sync of a directory failed: {e}");
    }
}

/// What the deleted segments covered, by camera.
fn spans(shared: &Shared, keys: &[(CameraId, SegmentKey)]) -> Result<BTreeMap<CameraId, Span>> {
    let mut spans: BTreeMap<CameraId, Span> = BTreeMap::new();
    for (camera, key) in keys {
        let Some(row) = shared.shelf.index.segment(*camera, *key)? else { continue };
        let span = spans.entry(*camera).or_insert(Span { from: row.start, to: row.end });
        span.from = span.from.min(row.start);
        span.to = span.to.max(row.end);
    }
    Ok(spans)
}

/// Notes in the journals what expired, so that an index made anew knows it too. If that fails, an
/// index made anew calls it unknown; nothing else depends on it.
fn tell_journals(shared: &Shared, spans: &BTreeMap<CameraId, Span>) {
    let shelf = &shared.shelf;
    let _one = shared.journals.lock().unwrap_or_else(PoisonError::into_inner);
    for (camera, span) in spans {
        let told = shelf
            .index
            .expired(*camera, span.from, span.to)
            .and_then(|rows| Ok(journal::expired(&*shelf.disk, &shelf.dir, *camera, &rows)?));
        if let Err(e) = told {
            tracing::warn!(%camera, "cannot note what expired: {}", e.chain());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::InitKey;
    use media::RunId;

    fn row(start: i64, bytes: u64) -> SegmentRow {
        SegmentRow {
            camera: CameraId::from_bits(1),
            key: SegmentKey { run: RunId(1), sequence: 1 },
            start: Wall(start),
            end: Wall(start + 10),
            bytes,
            sealed: true,
            init: InitKey(0),
            params: String::new(),
        }
    }

    #[test]
    fn as_much_as_must_go_and_no_more() {
        let rows = || vec![row(0, 100), row(10, 100), row(20, 100)];
        for (excess, want) in [
            (Excess::Bytes(0), 0),
            (Excess::Bytes(1), 1),
            (Excess::Bytes(100), 1),
            (Excess::Bytes(101), 2),
            (Excess::Bytes(10_000), 3),
            (Excess::Before(Wall(9)), 0),
            (Excess::Before(Wall(10)), 1),
            (Excess::Before(Wall(35)), 3),
        ] {
            assert_eq!(choose(rows(), excess).len(), want, "{excess:?}");
        }
    }
}
