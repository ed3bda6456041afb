//! The three threads of a store that records, and what they share.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use media::{CameraId, RunId, Wall};
use stdx::{Error, Kind, Result};

use crate::clock::Clock;
use crate::index::SEGMENT_SPAN_US_MAX;
use crate::janitor::{self, Janitor};
use crate::lock::{Before, DirLock};
use crate::queue::{Command, Queue};
use crate::recover::{self, Start};
use crate::shelf::Shelf;
use crate::sync::{self, Pending};
use crate::{Limits, Options, write};

/// Counters since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Fragments in segment files.
    pub fragments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Fragments that could not be written; each lies in a gap.
    pub fragments_lost: u64,
    /// Batches made durable.
    pub batches: u64,
    /// Files whose sync failed.
    pub syncs_failed: u64,
    /// Segments that retention deleted.
    pub segments_deleted: u64,
    /// Commands in which the writer panicked; each let go of one camera's segment.
    pub panics: u64,
    /// What the process before left is still being put in order.
    pub recovering: bool,
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A stable slug: `disk-full`, `disk`, `sync-failed`, `journal`, `index`, `retention`,
    /// `space`, `clock`, `dead`.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) fragments: Counter,
    pub(crate) bytes: Counter,
    pub(crate) fragments_lost: Counter,
    pub(crate) batches: Counter,
    pub(crate) syncs_failed: Counter,
    pub(crate) segments_deleted: Counter,
    pub(crate) panics: Counter,
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) options: Options,
    pub(crate) queue: Arc<Queue>,
    pub(crate) pending: Pending,
    pub(crate) janitor: Janitor,
    pub(crate) counters: Counters,
    /// Random, in the header of every segment of this process.
    pub(crate) recorder: u64,
    /// The highest run of each camera when this process began: higher ones are its own.
    pub(crate) runs: HashMap<CameraId, RunId>,
    /// One at a time writes the journals.
    pub(crate) journals: Mutex<()>,
    /// One at a time deletes.
    pub(crate) retaining: Mutex<()>,
    limits: RwLock<Limits>,
    now_us: AtomicI64,
    clock: Mutex<Clock>,
    /// Asked to end, or ending because a thread broke.
    ending: AtomicBool,
    /// A thread ended unasked, and what follows from it is done.
    dead: AtomicBool,
    troubles: Mutex<BTreeMap<&'static str, String>>,
}

impl Shared {
    /// The time told last.
    pub(crate) fn now(&self) -> Wall {
        Wall(self.now_us.load(Ordering::Relaxed))
    }

    pub(crate) fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tick(&self, now: Wall, mono: Instant) {
        self.now_us.store(now.0, Ordering::Relaxed);
        self.clock().tick(now, mono);
        self.janitor.tick();
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        self.janitor.due();
    }

    /// Sends a command that is answered and waits for the answer.
    pub(crate) fn ask(&self, command: fn(SyncSender<()>) -> Command) {
        let (answer, answered) = sync_channel(1);
        if self.queue.say(command(answer)) {
            // An error means that the threads are gone: nothing more will be written.
            let _ = answered.recv();
        }
    }

    fn troubled(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is wrong until [`Shared::fine`]. True if it is news.
    pub(crate) fn trouble(&self, code: &'static str, message: &str) -> bool {
        self.troubled().insert(code, message.to_owned()).is_none()
    }

    pub(crate) fn fine(&self, code: &'static str) {
        if self.troubled().remove(code).is_some() {
            tracing::info!("{code}: well again");
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// A thread ended. If nobody asked it to, the others are brought to their end as well: what one
    /// of them does alone is no recording, and only a new start has all three.
    fn ended(&self, thread: &str) {
        if self.ending.swap(true, Ordering::Relaxed) {
            return;
        }
        let message = format!(
            "nothing is recorded any more: the thread {thread} broke; start \
                               khien again and report what its log says"
        );
        self.trouble("dead", &message);
        tracing::error!("{message}");
        self.janitor.close();
        self.queue.close();
        self.dead.store(true, Ordering::Release);
    }

    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let all = self.troubled();
        all.iter().map(|(code, message)| Trouble { code, message: message.clone() }).collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let c = &self.counters;
        Stats {
            fragments: c.fragments.get(),
            bytes: c.bytes.get(),
            fragments_lost: c.fragments_lost.get(),
            batches: c.batches.get(),
            syncs_failed: c.syncs_failed.get(),
            segments_deleted: c.segments_deleted.get(),
            panics: c.panics.get(),
            recovering: !self.janitor.recovered(),
        }
    }
}

/// What a thread does.
type Run = Box<dyn FnOnce(&Shared) + Send>;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Work {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    lock: DirLock,
    threads: Vec<JoinHandle<()>>,
}

impl Work {
    /// Starts the threads.
    pub(crate) fn start(
        shelf: Arc<Shelf>,
        mut options: Options,
        lock: DirLock,
        before: Before,
        whole: bool,
        now: Wall,
    ) -> Result<Self> {
        options.segment_us = options.segment_us.clamp(1, SEGMENT_SPAN_US_MAX / 2);
        let runs = recover::runs(&shelf)?;
        let recorder = getrandom::u64().map_err(|e| {
            Error::new(Kind::Internal, format!("the system gives no randomness: {e}"))
        })?;
        let shared = Arc::new(Shared {
            shelf,
            queue: Arc::new(Queue::new(options.queue_fragments_max, options.queue_bytes_max)),
            pending: Pending::default(),
            janitor: Janitor::default(),
            counters: Counters::default(),
            recorder,
            runs,
            journals: Mutex::default(),
            retaining: Mutex::default(),
            limits: RwLock::new(options.limits.clone()),
            now_us: AtomicI64::new(now.0),
            clock: Mutex::default(),
            ending: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            troubles: Mutex::default(),
            options,
        });
        let mut threads = Vec::new();
        let start = Start { before, whole };
        let runs: [(&str, Run); 3] = [
            ("store-write", Box::new(write::run)),
            ("store-sync", Box::new(sync::run)),
            ("store-janitor", Box::new(move |s| janitor::run(s, start))),
        ];
        for (name, run) in runs {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(name.to_owned());
            threads.push(builder.spawn(move || {
                let done = catch_unwind(AssertUnwindSafe(|| run(&shared)));
                shared.ended(name);
                done.unwrap_or_else(|panic| resume_unwind(panic));
            })?);
        }
        Ok(Self { shared, running: Mutex::new(Some(Running { lock, threads })) })
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Seals, writes, ends.
    pub(crate) fn shutdown(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Running { lock, threads }) = running.take() else { return };
        self.shared.ending.store(true, Ordering::Relaxed);
        self.shared.janitor.close();
        self.shared.ask(Command::Shutdown);
        // In case the writer thread is gone and nobody answered.
        self.shared.queue.close();
        self.shared.pending.close();
        for thread in threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!("thread {name} panicked");
            }
        }
        // The next start calls a death a crash, which it was.
        if !self.shared.is_dead() {
            lock.end(self.shared.now());
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.shutdown();
    }
}
