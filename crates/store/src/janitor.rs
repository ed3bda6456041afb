//! The janitor thread: everything that takes long and must not hold up recording. First it puts in
//! order what the process before left; then it deletes what retention does not keep, and takes
//! care of files that the writer had to let go.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use media::{CameraId, Cause, Wall};
use stdx::{Kind, Result};

use crate::format::SegmentKey;
use crate::index::Op;
use crate::journal;
use crate::queue::FailedSync;
use crate::recover::{self, Start};
use crate::work::Shared;
use crate::{retain, salvage, write};

/// Limits are looked at this often, and whenever a segment was sealed.
const INTERVAL_US: i64 = 10_000_000;
/// Most files that wait to be taken care of; what is beyond waits for the next start.
const TASKS_MAX: usize = 4_096;

/// A file that the writer let go.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// It could not be sealed or cut, or its writer panicked.
    Adopt(CameraId, SegmentKey),
    /// Its sync failed.
    Salvage(FailedSync),
}

#[derive(Debug, Default)]
struct Wants {
    closed: bool,
    recovered: bool,
    ticked: bool,
    due: bool,
    tasks: Vec<Task>,
}

/// How the others speak to the janitor.
#[derive(Debug, Default)]
pub(crate) struct Janitor {
    wants: Mutex<Wants>,
    ready: Condvar,
}

impl Janitor {
    fn lock(&self) -> MutexGuard<'_, Wants> {
        // Every change is one store: a panic leaves it whole.
        self.wants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time went on.
    pub(crate) fn tick(&self) {
        self.lock().ticked = true;
        self.ready.notify_all();
    }

    /// Something was added or the limits are others.
    pub(crate) fn due(&self) {
        self.lock().due = true;
        self.ready.notify_all();
    }

    pub(crate) fn add(&self, task: Task) {
        let mut wants = self.lock();
        if wants.tasks.len() < TASKS_MAX {
            wants.tasks.push(task);
        }
        drop(wants);
        self.ready.notify_all();
    }

    /// The thread ends after the step it is at.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(crate) fn recovered(&self) -> bool {
        self.lock().recovered
    }

    pub(crate) fn wait_recovered(&self) {
        let wants = self.lock();
        drop(
            self.ready.wait_while(wants, |w| !w.recovered).unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Waits for something to do: whether the limits are due in any case, and files. `None` once
    /// closed.
    fn next(&self) -> Option<(bool, Vec<Task>)> {
        let idle = |w: &mut Wants| !w.closed && !w.ticked && !w.due && w.tasks.is_empty();
        let wants = self.lock();
        let mut wants = self.ready.wait_while(wants, idle).unwrap_or_else(PoisonError::into_inner);
        if wants.closed {
            return None;
        }
        wants.ticked = false;
        Some((std::mem::take(&mut wants.due), std::mem::take(&mut wants.tasks)))
    }
}

/// Says that recovery is over, however it ended.
struct Recovered<'a>(&'a Janitor);

impl Drop for Recovered<'_> {
    fn drop(&mut self) {
        self.0.lock().recovered = true;
        self.0.ready.notify_all();
    }
}

/// The thread.
pub(crate) fn run(shared: &Shared, start: Start) {
    {
        let _recovered = Recovered(&shared.janitor);
        recover::run(shared, start);
    }
    let mut looked: Option<Wall> = None;
    let mut later: Vec<Task> = Vec::new();
    while let Some((due, tasks)) = shared.janitor.next() {
        let now = shared.now();
        // A clock that steps back is no reason to stop looking.
        let late = looked.is_none_or(|t| now.us_since(t).abs() >= INTERVAL_US);
        let again = if late { std::mem::take(&mut later) } else { Vec::new() };
        later.extend(again.into_iter().chain(tasks).filter_map(|t| carry_out(shared, t)));
        later.truncate(TASKS_MAX);
        if due || late {
            looked = Some(now);
            limits(shared);
        }
        if late {
            compact(shared);
        }
    }
}

/// The task again if it is to be tried later.
fn carry_out(shared: &Shared, task: Task) -> Option<Task> {
    match &task {
        Task::Adopt(camera, key) => match recover::adopt(shared, *camera, *key) {
            Ok(row) => {
                // Behind what the writer said of it when it let go.
                row.into_iter().for_each(|r| shared.pending.op(&shared.shelf.live, Op::Segment(r)));
                None
            }
            // After a panic nobody knows whether there was a file.
            Err(e) if e.kind() == Kind::NotFound => None,
            Err(e) => {
                tracing::warn!(%camera, segment = %key, "not sealed yet: {}", e.chain());
                matches!(e.kind(), Kind::ResourceExhausted | Kind::Unavailable).then_some(task)
            }
        },
        Task::Salvage(failed) => {
            if let Err(e) = save(shared, failed) {
                tracing::error!(
                    camera = %failed.camera, segment = %failed.key, from = %failed.from,
                    to = %failed.to, "footage is lost after a failed sync: {}", e.chain()
                );
                let (live, now) = (&shared.shelf.live, shared.now().max(failed.to));
                if failed.from < failed.to {
                    let gap = write::closed(failed.from, failed.to, Cause::FsyncError);
                    shared.pending.op(live, Op::Gap(failed.camera, gap, now));
                }
            }
            None
        }
    }
}

fn save(shared: &Shared, failed: &FailedSync) -> Result<()> {
    let shelf = &shared.shelf;
    let scan = salvage::rewrite(&*shelf.disk, &shelf.dir, failed.camera, failed.key)?;
    let end = scan.entries.iter().map(|e| e.end).max();
    let lost = end.filter(|end| *end < failed.to);
    shared.pending.op(&shelf.live, Op::Segment(recover::row(&scan)));
    if let Some(end) = lost {
        let gap = write::closed(end.max(failed.from), failed.to, Cause::FsyncError);
        shared.pending.op(&shelf.live, Op::Gap(failed.camera, gap, shared.now().max(failed.to)));
    }
    tracing::warn!(camera = %failed.camera, segment = %failed.key, "rewritten after a failed sync");
    Ok(())
}

fn limits(shared: &Shared) {
    match retain::run(shared) {
        Ok(0) => shared.fine("retention"),
        Ok(n) => {
            tracing::info!(segments = n, "deleted what the limits do not keep");
            shared.fine("retention");
        }
        Err(e) => {
            if shared.trouble("retention", e.message()) {
                tracing::error!("{}", e.chain());
            }
        }
    }
}

/// Writes long journals anew.
fn compact(shared: &Shared) {
    let shelf = &shared.shelf;
    for camera in shelf.cameras().unwrap_or_default() {
        let _one = shared.journals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(e) = journal::compact(&*shelf.disk, &shelf.dir, camera) {
            tracing::warn!(%camera, "cannot shorten the journal of gaps: {e}");
        }
    }
}
