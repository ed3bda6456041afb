//! The one way to the writer thread. Fragments are bounded by count and bytes and are handed back
//! when there is no room; words about gaps always get through, because losing one would be a hole
//! that nobody reported.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media::{CameraId, Cause, Gap, Wall};

use crate::format::SegmentKey;
use crate::fragment::Fragment;

/// Words other than fragments that may wait; the writer is dead if there are more.
const WORDS_MAX: usize = 1 << 20;

/// What the writer thread is told.
#[derive(Debug)]
pub(crate) enum Command {
    Append(CameraId, Box<Fragment>),
    GapOpen(CameraId, Wall, Cause),
    GapClose(CameraId, Wall),
    Gap(CameraId, Gap),
    End(CameraId),
    Name(CameraId, String),
    /// Answer when everything before this is on the disk and in the index.
    Flush(SyncSender<()>),
    /// Seal everything, then as `Flush`, then stop.
    Shutdown(SyncSender<()>),
    /// The sync thread has finished its batch; these files failed.
    Synced(Vec<FailedSync>),
    /// What the process before left of a camera is in order now.
    Recovered(CameraId, Box<Recovered>),
}

/// Where a camera's recordings stood when this process began.
#[derive(Debug, Clone)]
pub(crate) struct Recovered {
    /// Where the footage ends.
    pub(crate) end: Option<Wall>,
    /// The gaps after it.
    pub(crate) gaps: Vec<Gap>,
    /// From when on, and why, nothing was recorded until this process began; `None` if the last gap
    /// says it already.
    pub(crate) restart: Option<(Wall, Cause)>,
}

/// A file whose sync failed, and the footage that may be lost with it.
#[derive(Debug, Clone)]
pub(crate) struct FailedSync {
    pub(crate) camera: CameraId,
    pub(crate) key: SegmentKey,
    pub(crate) from: Wall,
    pub(crate) to: Wall,
}

#[derive(Debug, Default)]
struct Inner {
    commands: VecDeque<Command>,
    fragments: usize,
    bytes: u64,
    closed: bool,
}

#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
    fragments_max: usize,
    bytes_max: u64,
}

impl Queue {
    pub(crate) fn new(fragments_max: usize, bytes_max: u64) -> Self {
        Self { inner: Mutex::default(), ready: Condvar::new(), fragments_max, bytes_max }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one push or take: a panic leaves the queue whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a fragment over, or back if there is no room or no writer.
    pub(crate) fn try_append(
        &self,
        camera: CameraId,
        fragment: Fragment,
    ) -> Result<(), Box<Fragment>> {
        let bytes = fragment.payload_bytes();
        let fragment = Box::new(fragment);
        let mut inner = self.lock();
        let full = inner.fragments >= self.fragments_max || inner.bytes + bytes > self.bytes_max;
        // One fragment always fits, however small the limit.
        if inner.closed || (full && inner.fragments > 0) {
            return Err(fragment);
        }
        inner.fragments += 1;
        inner.bytes += bytes;
        inner.commands.push_back(Command::Append(camera, fragment));
        drop(inner);
        self.ready.notify_one();
        Ok(())
    }

    /// Says something other than a fragment. False if nobody listens any more.
    pub(crate) fn say(&self, command: Command) -> bool {
        let mut inner = self.lock();
        if inner.closed || inner.commands.len() >= WORDS_MAX + self.fragments_max {
            return false;
        }
        inner.commands.push_back(command);
        drop(inner);
        self.ready.notify_one();
        true
    }

    /// Everything that waits, at once; waits up to `timeout` for the first. `None` once the queue
    /// is closed and empty.
    pub(crate) fn take(&self, timeout: Duration) -> Option<VecDeque<Command>> {
        let mut inner = self.lock();
        if inner.commands.is_empty() && !inner.closed {
            inner =
                self.ready.wait_timeout(inner, timeout).unwrap_or_else(PoisonError::into_inner).0;
        }
        if inner.commands.is_empty() && inner.closed {
            return None;
        }
        inner.fragments = 0;
        inner.bytes = 0;
        Some(std::mem::take(&mut inner.commands))
    }

    /// The writer is gone: what waits is let go, so that nobody waits for an answer.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let left = std::mem::take(&mut inner.commands);
        drop(inner);
        drop(left);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// No more commands; what waits is still carried out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }
}
