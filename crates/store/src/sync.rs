//! The sync thread: makes batches durable in one order, data, then directories, then the journals
//! of gaps, then the index. A row is in the index only for what is on the disk.
//!
//! A file whose sync failed is reported and never synced again: the kernel may have dropped what
//! was not written. Its row goes in as not sealed, which claims nothing. Changes that the journal
//! or the index refuses are kept and tried again with the next batch; readers see them meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media::{CameraId, Wall};
use stdx::Kind;

use crate::disk::File;
use crate::format::SegmentKey;
use crate::index::Op;
use crate::journal;
use crate::live::Live;
use crate::queue::{Command, FailedSync};
use crate::work::Shared;

/// Most changes that wait for an index that refuses them. Beyond it the oldest half is let go and
/// the index is rebuilt at the next start.
const LATE_MAX: usize = 1 << 20;

/// A file with what was appended to it since its last sync.
#[derive(Debug)]
struct Dirty {
    file: Arc<dyn File>,
    from: Wall,
    to: Wall,
}

/// What goes to the disk together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    number: u64,
    files: HashMap<(CameraId, SegmentKey), Dirty>,
    dirs: BTreeSet<PathBuf>,
    ops: Vec<Op>,
    answers: Vec<SyncSender<()>>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.dirs.is_empty()
            && self.ops.is_empty()
            && self.answers.is_empty()
    }
}

#[derive(Debug, Default)]
struct Inner {
    batch: Batch,
    urgent: bool,
    closed: bool,
    /// The thread is gone.
    abandoned: bool,
}

/// The batch that is being collected.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    inner: Mutex<Inner>,
    ready: Condvar,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one insert: a panic leaves the batch whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Footage of `from..to` was appended to a file.
    pub(crate) fn file(
        &self,
        camera: CameraId,
        key: SegmentKey,
        file: &Arc<dyn File>,
        from: Wall,
        to: Wall,
    ) {
        let mut inner = self.lock();
        let dirty = inner.batch.files.entry((camera, key)).or_insert_with(|| Dirty {
            file: Arc::clone(file),
            from,
            to,
        });
        dirty.from = dirty.from.min(from);
        dirty.to = dirty.to.max(to);
        drop(inner);
        self.ready.notify_one();
    }

    /// A name was made or removed in a directory.
    pub(crate) fn dir(&self, dir: PathBuf) {
        self.lock().batch.dirs.insert(dir);
        self.ready.notify_one();
    }

    /// A change of the index, which readers see at once.
    pub(crate) fn op(&self, live: &Live, op: Op) {
        let mut inner = self.lock();
        live.wait(inner.batch.number, &op);
        inner.batch.ops.push(op);
        drop(inner);
        self.ready.notify_one();
    }

    /// Answers when the present batch is done, which is soon.
    pub(crate) fn answer(&self, to: Vec<SyncSender<()>>) {
        let mut inner = self.lock();
        if inner.abandoned {
            return;
        }
        inner.batch.answers.extend(to);
        inner.urgent = true;
        drop(inner);
        self.ready.notify_one();
    }

    /// The batch that is being collected is the last.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Nobody is left to carry anything out, so nobody may wait for it.
    fn abandon(&self) {
        let mut inner = self.lock();
        (inner.closed, inner.abandoned) = (true, true);
        inner.batch.answers.clear();
    }

    /// The next batch, collected for `interval`. With `retry` one comes though it is empty. `None`
    /// once closed and empty.
    fn next(&self, interval: Duration, retry: bool) -> Option<Batch> {
        let mut inner = self.lock();
        while inner.batch.is_empty() && !retry {
            if inner.closed {
                return None;
            }
            inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let soon = |i: &mut Inner| !i.urgent && !i.closed;
        inner = self
            .ready
            .wait_timeout_while(inner, interval, soon)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        if inner.closed && inner.batch.is_empty() {
            return None;
        }
        inner.urgent = false;
        let number = inner.batch.number + 1;
        let batch = std::mem::replace(&mut inner.batch, Batch { number, ..Batch::default() });
        Some(batch)
    }
}

/// Changes that are not in the index yet.
#[derive(Debug, Default)]
struct Late {
    ops: Vec<Op>,
    /// How many of them are in the journals.
    journaled: usize,
    dirs: BTreeSet<PathBuf>,
    /// Some had to be let go.
    lost: bool,
}

/// Lets go of whoever waits, however the thread ends.
struct Abandoning<'a>(&'a Pending);

impl Drop for Abandoning<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The thread.
pub(crate) fn run(shared: &Shared) {
    let _abandoning = Abandoning(&shared.pending);
    let mut late = Late::default();
    loop {
        let retry = !late.ops.is_empty() || !late.dirs.is_empty();
        let Some(batch) = shared.pending.next(shared.options.sync_interval, retry) else { break };
        carry_out(shared, batch, &mut late);
    }
    if !late.ops.is_empty() {
        tracing::error!(
            changes = late.ops.len(),
            "the index of recordings lacks changes; khien check tells which"
        );
    }
}

fn carry_out(shared: &Shared, batch: Batch, late: &mut Late) {
    let Batch { number, files, dirs, mut ops, answers } = batch;
    let failed = sync_files(shared, files);
    late.dirs.extend(dirs);
    sync_dirs(shared, late);
    for op in &mut ops {
        if let Op::Segment(row) = op
            && failed.iter().any(|f| f.camera == row.camera && f.key == row.key)
        {
            row.sealed = false;
        }
    }
    late.ops.extend(ops);
    if late.ops.len() > LATE_MAX {
        late.ops.drain(..LATE_MAX / 2);
        late.journaled = late.journaled.saturating_sub(LATE_MAX / 2);
        late.lost = true;
    }
    if publish(shared, late) {
        shared.shelf.live.retire(number);
    }
    shared.counters.batches.add(1);
    if !failed.is_empty() {
        shared.counters.syncs_failed.add(failed.len() as u64);
        shared.trouble("sync-failed", "the disk could not keep what was written; see the log");
        shared.queue.say(Command::Synced(failed));
    }
    for answer in answers {
        // Who asked may have gone.
        let _ = answer.try_send(());
    }
}

fn sync_files(shared: &Shared, files: HashMap<(CameraId, SegmentKey), Dirty>) -> Vec<FailedSync> {
    let mut failed = Vec::new();
    let any = !files.is_empty();
    for ((camera, key), dirty) in files {
        if let Err(e) = dirty.file.sync_data() {
            tracing::error!(%camera, segment = %key, "sync failed: {e}");
            failed.push(FailedSync { camera, key, from: dirty.from, to: dirty.to });
        }
    }
    if any && failed.is_empty() {
        shared.fine("sync-failed");
    }
    failed
}

fn sync_dirs(shared: &Shared, late: &mut Late) {
    late.dirs.retain(|dir| match shared.shelf.disk.sync_dir(dir) {
        Ok(()) => false,
        // Removed again since: an empty run.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
        Err(e) => {
            tracing::error!(dir = %dir.display(), "sync of a directory failed: {e}");
            true
        }
    });
}

/// Journal, then index. True if nothing is left over.
fn publish(shared: &Shared, late: &mut Late) -> bool {
    if late.journaled < late.ops.len() {
        let new = late.ops.get(late.journaled..).unwrap_or(&[]);
        let _one = shared.journals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(e) = journal::append(&*shared.shelf.disk, &shared.shelf.dir, new) {
            tracing::error!("cannot write the journal of gaps: {e}");
            shared.trouble("journal", &format!("the journal of gaps cannot be written: {e}"));
            return false;
        }
        late.journaled = late.ops.len();
        shared.fine("journal");
    }
    match shared.shelf.index.apply(&late.ops) {
        Ok(()) => {}
        Err(e) => {
            tracing::error!("{}", e.chain());
            let advice = match e.kind() {
                Kind::ResourceExhausted => "; make room on the disk",
                Kind::DataLoss => "; it is rebuilt at the next start",
                _ => "",
            };
            shared.trouble("index", &format!("{}{advice}", e.message()));
            return false;
        }
    }
    late.ops.clear();
    late.journaled = 0;
    shared.fine("index");
    if std::mem::take(&mut late.lost)
        && let Err(e) = shared.shelf.index.set_meta(&[(crate::recover::WHOLE, "0")])
    {
        tracing::error!("{}", e.chain());
    }
    true
}
