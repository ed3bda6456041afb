//! Retention: what is deleted when. The oldest goes first, always through the index's list of
//! deletions: intended, then removed, then forgotten. A crash in between is finished at the next
//! start, and the same entry may be carried out twice. Nothing that is not on that list is touched,
//! and nothing that is not sealed.
//!
//! Footage comes first where limits and footage collide:
//!
//! - Free space is for others. Recordings go for it only if that reaches it and as much as is to be
//!   free stays recorded too. A volume that other files fill would otherwise take every segment as
//!   soon as it is sealed, and be full all the same. When a write does not fit, the oldest makes
//!   room for the newest, and no more than that.
//! - Age is as the clock says, and clocks jump: see [`crate::clock`].
//! - The oldest of a camera is what was recorded first, not what has the earliest time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

use media::{CameraId, Wall};
use stdx::{Error, Kind, Result};

use crate::clock::Trust;
use crate::format::{self, SegmentKey};
use crate::index::{Index, SegmentRow};
use crate::journal;
use crate::timeline::Span;
use crate::work::Shared;

/// Name in the index's `meta` table: `doubted` while the clock is.
pub(crate) const CLOCK: &str = "clock";
pub(crate) const DOUBTED: &str = "doubted";
/// Most segments that are deleted together.
const BATCH: usize = 256;
/// So many of each camera are looked at, at least, to find the oldest of all.
const EACH_MIN: usize = 8;
/// At most this share of a volume is kept free, whatever is asked: a twentieth.
const FREE_SHARE: u64 = 20;
/// When the disk is full, this much is made free at once, so that not every fragment has to ask;
/// but never more than [`ROOM_SHARE`] of the recordings.
const ROOM_BYTES: u64 = 64 << 20;
const ROOM_SHARE: u64 = 20;
/// What seems to be recorded later than this after now, was under a wrong clock.
const AHEAD_US_MAX: i64 = 3_600_000_000;
const DAY_US: i64 = 86_400_000_000;

/// The first rows that make up so many bytes.
fn choose(rows: Vec<SegmentRow>, bytes: u64) -> Vec<SegmentRow> {
    let mut sum = 0_u64;
    rows.into_iter()
        .take_while(|row| {
            let goes = sum < bytes;
            sum = sum.saturating_add(row.bytes);
            goes
        })
        .collect()
}

/// The oldest of all cameras that make up so many bytes, or the first of them. Between cameras the
/// earlier goes first, but none before what its camera recorded before it. One from the future was
/// recorded under a wrong clock: once it is its camera's oldest it goes, for its turn would never
/// come, and others would go in its place.
fn oldest_of_all(index: &Index, now: Wall, bytes: u64) -> Result<Vec<SegmentRow>> {
    let latest = now.plus_us(AHEAD_US_MAX);
    let cameras = index.cameras()?;
    let each = (BATCH / cameras.len().max(1)).max(EACH_MIN);
    let mut all = Vec::new();
    // Up to here nothing older can be among those that were not looked at.
    let mut end: Option<(Wall, Wall)> = None;
    for camera in cameras {
        let rows = index.oldest(camera, each)?;
        let more = rows.len() == each;
        let mut turn = (Wall(i64::MIN), Wall(i64::MIN));
        for row in rows {
            let past = if row.start <= latest { row.start } else { Wall(i64::MIN) };
            turn = (turn.0.max(past), turn.1.max(row.start));
            all.push((turn, row));
        }
        if more {
            end = Some(end.map_or(turn, |end| end.min(turn)));
        }
    }
    all.retain(|(turn, _)| end.is_none_or(|end| *turn <= end));
    all.sort_by_key(|(turn, row)| (*turn, row.camera, row.key));
    Ok(choose(all.into_iter().map(|(_, row)| row).collect(), bytes))
}

/// Deletes everything that the limits do not keep. Returns how many segments went.
pub(crate) fn run(shared: &Shared) -> Result<usize> {
    let one = alone(shared);
    // What could not be finished before.
    let intended = shared.shelf.index.intended()?;
    let mut deleted = remove(shared, &one, &intended)?;
    let aging = aging(shared)?;
    // Once: some filesystems give space back late, and asking again would delete for it again.
    let mut space = space(shared)?;
    loop {
        let rows = due(shared, aging, space)?;
        let wanted = rows.len();
        let bytes = rows.iter().map(|r| r.bytes).sum();
        let done = delete(shared, &one, rows)?;
        deleted += done;
        space = space.saturating_sub(bytes);
        // What would not go now is tried again next time.
        if done == 0 || done < wanted || shared.janitor.is_closed() {
            return Ok(deleted);
        }
    }
}

fn alone(shared: &Shared) -> MutexGuard<'_, ()> {
    shared.retaining.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether recordings may be deleted for their age. A doubt is noted in the index, so that a
/// restart does not end it.
fn aging(shared: &Shared) -> Result<bool> {
    let (trust, noted) = {
        let clock = shared.clock();
        (clock.trust(), clock.noted)
    };
    if trust != Trust::Unknown && noted != Some(trust) {
        let word = if trust == Trust::Doubted { DOUBTED } else { "" };
        shared.shelf.index.set_meta(&[(CLOCK, word)])?;
        shared.clock().noted = Some(trust);
    }
    let limits = shared.limits();
    let any = limits.days_max.is_some() || limits.cameras.values().any(|c| c.max_days.is_some());
    if trust == Trust::Doubted && any {
        let message = "the clock jumped, or is more than a week ahead of the newest recording; \
                       nothing is deleted for its age until the clock has been steady for a day. \
                       Look whether this machine's date is right";
        if shared.trouble("clock", message) {
            tracing::error!(now = %shared.now(), "{message}");
        }
    } else {
        shared.fine("clock");
    }
    Ok(trust == Trust::Believed)
}

/// How many bytes of recordings must go so that enough is free. None if deleting cannot reach it:
/// then a person must act, and is told.
fn space(shared: &Shared) -> Result<u64> {
    let shelf = &shared.shelf;
    let volume = shelf.disk.space(&shelf.dir)?;
    // Some filesystems do not say how large they are.
    let most = if volume.total == 0 { u64::MAX } else { volume.total / FREE_SHARE };
    let want = shared.limits().free_bytes_min.min(most);
    let excess = want.saturating_sub(volume.free);
    if excess == 0 {
        shared.fine("space");
        return Ok(0);
    }
    if shelf.index.sealed_bytes()?.saturating_sub(want) >= excess {
        shared.fine("space");
        return Ok(excess);
    }
    let ours = shelf.bytes(None)?;
    let others = volume.total.saturating_sub(volume.free).saturating_sub(ours);
    let message = format!(
        "other files fill the disk: {} of {} are theirs, {} are recordings, and {} are free where \
         {} should be. Move other files away, or record to a larger disk; nothing is deleted for \
         this, but once the disk is full the oldest recordings make room for new ones",
        mib(others),
        mib(volume.total),
        mib(ours),
        mib(volume.free),
        mib(want)
    );
    if shared.trouble("space", &message) {
        tracing::error!("{message}");
    }
    Ok(0)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The next batch that must go; empty if the limits are kept. `space` bytes go for free space.
fn due(shared: &Shared, aging: bool, space: u64) -> Result<Vec<SegmentRow>> {
    let limits = shared.limits();
    let (shelf, now) = (&shared.shelf, shared.now());
    let mut rows: Vec<SegmentRow> = Vec::new();
    for camera in shelf.index.cameras()? {
        let own = limits.cameras.get(&camera);
        let days = own.and_then(|o| o.max_days).or(limits.days_max).filter(|_| aging);
        if let Some(days) = days {
            let limit = now.plus_us(-i64::from(days).saturating_mul(DAY_US));
            rows.extend(shelf.index.aged(camera, limit, now.plus_us(AHEAD_US_MAX), BATCH)?);
        }
        if let Some(max) = own.and_then(|o| o.max_bytes) {
            let excess = shelf.bytes(Some(camera))?.saturating_sub(max);
            if excess > 0 {
                rows.extend(choose(shelf.index.oldest(camera, BATCH)?, excess));
            }
        }
    }
    let mut excess = space;
    if let Some(max) = limits.bytes_max {
        excess = excess.max(shelf.bytes(None)?.saturating_sub(max));
    }
    if excess > 0 {
        rows.extend(oldest_of_all(&shelf.index, now, excess)?);
    }
    // All of it goes; only the order within a camera matters.
    let once: BTreeMap<_, _> = rows.into_iter().map(|r| ((r.camera, r.key), r)).collect();
    Ok(once.into_values().take(BATCH).collect())
}

/// Deletes the oldest because a write of so many bytes did not fit. True if something went.
pub(crate) fn make_room(shared: &Shared, bytes: u64) -> bool {
    let one = alone(shared);
    let shelf = &shared.shelf;
    let free = shelf.disk.space(&shelf.dir).map_or(0, |s| s.free);
    let done = shelf.index.sealed_bytes().and_then(|sealed| {
        let want = ROOM_BYTES.min(sealed / ROOM_SHARE).max(bytes.saturating_mul(2));
        // However much seems to be free, this write did not get it.
        let excess = want.saturating_sub(free).max(1);
        delete(shared, &one, oldest_of_all(&shelf.index, shared.now(), excess)?)
    });
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

fn delete(shared: &Shared, one: &MutexGuard<'_, ()>, mut rows: Vec<SegmentRow>) -> Result<usize> {
    match shared.shelf.index.intend(&rows) {
        Ok(()) => {}
        // The list itself may need room, on a disk that has none: one goes without it. A crash
        // right behind leaves a row without a file, which the next deletion takes.
        Err(e) if e.kind() == Kind::ResourceExhausted => rows.truncate(1),
        Err(e) => return Err(e),
    }
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
mod tests;
