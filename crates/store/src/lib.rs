//! Lasting memory: what the cameras sent, on disk, found again by time.
//!
//! Recordings are ordinary fragmented MP4 files (`docs/ref/storage.md` is their normative
//! description). Beside them lies an index in SQLite, which can be rebuilt from the files, and per
//! camera a journal of gaps, which says why something is missing. Inside what is known of a camera
//! every instant is recorded, or missing with a cause, or expired.
//!
//! ```text
//! frames ─▶ Assembler ─▶ Fragment ─▶ Writer::try_append ─▶ queue ─▶ writer thread ─▶ segment files
//!                                                                        │ (visible to readers at once)
//!                                                                   sync thread: data, directory,
//!                                                                   journal, index; in that order
//!                                    janitor thread: adopts what a crash left, rebuilds the index,
//!                                                    deletes what retention no longer keeps
//! ```
//!
//! How it is wired:
//!
//! - [`Store::open`] takes the data directory for itself and starts the three threads. It returns
//!   at once: what a crash left is put in order while recording goes on. [`Store::open_read`]
//!   reads beside a process that records.
//! - [`Store::writer`] gives a [`Writer`]: one clone per camera. It never blocks. When
//!   [`Writer::try_append`] hands the fragment back, wait a little and offer it again.
//! - [`Store::tick`] tells the time. Call it once a second: nothing here reads a clock, and limits
//!   in days and the closing of books at shutdown depend on it.
//! - [`Store::is_dead`] says that one of the threads broke. Ask it as often; nobody else would
//!   notice.
//! - [`Store::flush`] waits until everything said before is on the disk; [`Store::shutdown`] seals
//!   all files as well and ends the threads. Dropping the last clone does the same.
//! - Everything else of [`Store`] reads. All of it blocks: async callers use a blocking thread.
//! - [`check()`] compares index and files without changing either.
//!
//! Cameras, users and settings are another database, [`registry`]; nothing here looks into it. Who
//! wires the two passes the limits of [`registry::Camera::retention`] to [`Store::set_limits`].
//!
//! Not here: sockets, HTTP, async, codecs.

mod assembler;
mod check;
mod clock;
mod disk;
mod export;
mod format;
mod fragment;
mod index;
mod janitor;
mod journal;
mod live;
mod lock;
mod queue;
mod recover;
pub mod registry;
mod retain;
mod salvage;
mod segment;
mod shelf;
mod sync;
mod tail;
mod timeline;
mod work;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{CameraId, Cause, Gap, Wall};
use stdx::{Error, Kind, Result};

pub use assembler::{Assembler, FRAGMENT_US_DEFAULT, FRAME_BYTES_MAX};
pub use check::{Depth, Finding, Report, check};
pub use disk::{Disk, Entry as DiskEntry, Faults, FaultyDisk, File, RealDisk, Space};
pub use export::Export;
pub use format::{InitKey, SegmentKey, VERSION};
pub use fragment::{Fragment, Run, Samples};
pub use shelf::Piece;
pub use timeline::{JITTER_US, Span, Timeline};
pub use work::{Stats, Trouble};

use queue::{Command, Queue};
use registry::Retention;
use shelf::Shelf;
use work::Work;

/// How long a segment lasts unless told otherwise, microseconds.
pub const SEGMENT_US_DEFAULT: i64 = 60_000_000;
/// How often is synced unless told otherwise: a power cut costs at most this and a fragment.
pub const SYNC_INTERVAL_DEFAULT: Duration = Duration::from_secs(2);
/// How many fragments may wait for the writer thread unless told otherwise.
pub const QUEUE_FRAGMENTS_DEFAULT: usize = 1_024;
/// How many bytes of them.
pub const QUEUE_BYTES_DEFAULT: u64 = 32 << 20;

/// What is kept. Without limits, everything is kept until the disk is full; then the oldest goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes that all recordings together may take.
    pub bytes_max: Option<u64>,
    /// Days of 24 hours after which a recording is deleted.
    pub days_max: Option<u32>,
    /// Bytes that are left free on the volume, at most a twentieth of it. If other files fill it so
    /// that this would cost more than half of the room that is left to recordings, nothing is
    /// deleted for it, and [`Store::troubles`] says so.
    pub free_bytes_min: u64,
    /// Limits that cameras have of their own. Days given here stand instead of `days_max`, bytes
    /// beside `bytes_max`.
    pub cameras: BTreeMap<CameraId, Retention>,
}

/// How a store works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the media files are: the machine's own filesystem, or one that fails on request.
    pub disk: Arc<dyn Disk>,
    /// What is kept.
    pub limits: Limits,
    /// About how long a segment lasts, microseconds: it ends before the first random-access
    /// fragment that would make it longer. At most half an hour.
    pub segment_us: i64,
    /// How often is synced.
    pub sync_interval: Duration,
    /// How many fragments may wait for the writer thread.
    pub queue_fragments_max: usize,
    /// How many bytes of frames may wait for it.
    pub queue_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disk: Arc::new(RealDisk),
            limits: Limits::default(),
            segment_us: SEGMENT_US_DEFAULT,
            sync_interval: SYNC_INTERVAL_DEFAULT,
            queue_fragments_max: QUEUE_FRAGMENTS_DEFAULT,
            queue_bytes_max: QUEUE_BYTES_DEFAULT,
        }
    }
}

/// A data directory that is recorded into, or only read. Cheap to clone; when the last clone goes,
/// everything is sealed and written.
#[derive(Clone)]
pub struct Store {
    shelf: Arc<Shelf>,
    work: Option<Arc<Work>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.shelf.dir)
            .field("records", &self.work.is_some())
            .finish_non_exhaustive()
    }
}

/// The way in. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Queue>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// A fragment that the writer did not take.
#[derive(Debug)]
pub struct Full(pub Box<Fragment>);

impl Store {
    /// Opens a data directory for recording, creating it if it is missing. `now` is the wall clock.
    /// Returns without waiting for what a crash may have left: that is put in order in the
    /// background. A damaged or missing index is rebuilt there too; the damaged one is kept as
    /// `index.db.damaged`.
    ///
    /// # Errors
    /// `FailedPrecondition`, code `in-use`, while another process records there. Else when the
    /// directory or the index cannot be written.
    pub fn open(dir: &Path, options: Options, now: Wall) -> Result<Self> {
        let at = |e: Error| e.map_message(|m| format!("{}: {m}", dir.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| at(e.into()))?;
        let (lock, before) = lock::DirLock::take(dir, now)?;
        let (index, whole) = recover::open_index(dir).map_err(at)?;
        let shelf = Arc::new(Shelf::new(dir, Arc::clone(&options.disk), index, true));
        let work = Work::start(Arc::clone(&shelf), options, lock, before, whole, now)?;
        Ok(Self { shelf, work: Some(Arc::new(work)) })
    }

    /// Opens a data directory for reading, also while another process records there. What that
    /// process has written within its sync interval may not be found yet.
    ///
    /// # Errors
    /// `NotFound`, code `no-index`, if nothing was ever recorded there.
    pub fn open_read(dir: &Path) -> Result<Self> {
        let path = dir.join(index::FILE);
        if !path.is_file() {
            let message = format!("{} has no index of recordings", dir.display());
            return Err(Error::new(Kind::NotFound, message).with_code("no-index"));
        }
        let index = index::Index::open_read(&path)?;
        Ok(Self { shelf: Arc::new(Shelf::new(dir, Arc::new(RealDisk), index, false)), work: None })
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.shelf.dir
    }

    /// The way in. That of a store which is open for reading only takes nothing.
    pub fn writer(&self) -> Writer {
        let queue = self.work.as_ref().map_or_else(
            || {
                let queue = Arc::new(Queue::new(0, 0));
                queue.close();
                queue
            },
            |work| Arc::clone(&work.shared().queue),
        );
        Writer { queue }
    }

    fn working(&self) -> Result<&Work> {
        self.work.as_deref().ok_or_else(|| {
            Error::new(Kind::FailedPrecondition, "the store is open for reading only")
        })
    }

    /// Tells the time, by both clocks, read together. Cheap; call it about once a second. While the
    /// wall clock jumps against the monotonic one, nothing is deleted for its age.
    pub fn tick(&self, now: Wall, mono: Instant) {
        if let Some(work) = &self.work {
            work.shared().tick(now, mono);
        }
    }

    /// A thread of the store broke and nothing is recorded any more. Shut it down and end the
    /// process, so that its supervisor starts it anew.
    pub fn is_dead(&self) -> bool {
        self.work.as_ref().is_some_and(|w| w.shared().is_dead())
    }

    /// Other limits, from now on.
    pub fn set_limits(&self, limits: Limits) {
        if let Some(work) = &self.work {
            work.shared().set_limits(limits);
        }
    }

    /// Waits until everything that was said to writers before is on the disk and in the index, or
    /// has failed to get there ([`Store::troubles`] tells).
    pub fn flush(&self) {
        if let Some(work) = &self.work {
            work.shared().ask(Command::Flush);
        }
    }

    /// Waits until the janitor has put in order what was left by the process before, and has
    /// rebuilt the index if that was necessary.
    pub fn wait_recovered(&self) {
        if let Some(work) = &self.work {
            work.shared().janitor.wait_recovered();
        }
    }

    /// Deletes what the limits do not keep as of the last [`Store::tick`], without waiting for the
    /// janitor to do it. Returns how many segments went.
    ///
    /// # Errors
    /// When the index or the disk refuses; what was intended is finished later.
    pub fn retain(&self) -> Result<usize> {
        retain::run(self.working()?.shared())
    }

    /// Seals all files, writes everything and ends the threads. What writers are given afterwards
    /// is handed back. The second call does nothing.
    pub fn shutdown(&self) {
        if let Some(work) = &self.work {
            work.shutdown();
        }
    }

    /// Counters since the store was opened; zeros if it is only read.
    pub fn stats(&self) -> Stats {
        self.work.as_ref().map_or_else(Stats::default, |w| w.shared().stats())
    }

    /// What a person should look at: a full disk, failed syncs, an index that cannot be written, a
    /// clock that jumped, a thread that broke.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.work.as_ref().map_or_else(Vec::new, |w| w.shared().troubles())
    }

    /// Every camera that has or had recordings or gaps.
    ///
    /// # Errors
    /// As all below: when the index cannot be read.
    pub fn cameras(&self) -> Result<Vec<CameraId>> {
        self.shelf.cameras()
    }

    /// First and last instant of a camera's footage; there may be gaps between.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn recorded(&self, camera: CameraId) -> Result<Option<Span>> {
        self.shelf.recorded(camera)
    }

    /// What is known of a camera within `[from, to)`: footage, gaps and what expired, without
    /// overlaps and without holes.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn timeline(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Timeline> {
        self.shelf.timeline(camera, from, to)
    }

    /// The footage of [`Store::timeline`].
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn spans(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Vec<Span>> {
        Ok(self.timeline(camera, from, to)?.spans)
    }

    /// The gaps of [`Store::timeline`].
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn gaps(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Vec<Gap>> {
        Ok(self.timeline(camera, from, to)?.gaps)
    }

    /// The gap that lasts now, from its true beginning.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn open_gap(&self, camera: CameraId) -> Result<Option<Gap>> {
        self.shelf.open_gap(camera)
    }

    /// Where the media of `[from, to)` lies: the first `limit` fragments that overlap it, by start.
    ///
    /// # Errors
    /// When the index or a segment cannot be read.
    pub fn fragments(
        &self,
        camera: CameraId,
        from: Wall,
        to: Wall,
        limit: usize,
    ) -> Result<Vec<Piece>> {
        self.shelf.fragments(camera, from, to, limit)
    }

    /// `ftyp` and `moov` of a segment, as they stand in its file.
    ///
    /// # Errors
    /// `NotFound`, code `no-segment`; `DataLoss` for a damaged file.
    pub fn init_bytes(&self, camera: CameraId, key: SegmentKey) -> Result<Bytes> {
        self.shelf.init_bytes(camera, key)
    }

    /// The file of a segment, which may be one that is being written.
    ///
    /// # Errors
    /// `NotFound`, code `no-segment`.
    pub fn segment_path(&self, camera: CameraId, key: SegmentKey) -> Result<PathBuf> {
        self.shelf.segment_path(camera, key)
    }

    /// What is recorded of `[from, to)` as one ordinary MP4 file, made while it is read.
    ///
    /// # Errors
    /// `NotFound`, code `nothing-recorded`; `ResourceExhausted`, code `too-long`.
    pub fn export(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Export> {
        Export::plan(&self.shelf, camera, from, to)
    }

    /// Free and total bytes of the volume.
    ///
    /// # Errors
    /// When the filesystem does not say.
    pub fn space(&self) -> Result<Space> {
        Ok(self.shelf.disk.space(&self.shelf.dir)?)
    }

    /// Bytes of one camera's segments, or of all.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn bytes(&self, camera: Option<CameraId>) -> Result<u64> {
        self.shelf.bytes(camera)
    }
}

impl Writer {
    /// Hands a fragment over, in the order that the assembler made them.
    ///
    /// # Errors
    /// Hands it back when too much is waiting, or after the store was shut down
    /// ([`Writer::is_closed`]).
    pub fn try_append(&self, fragment: Fragment) -> std::result::Result<(), Full> {
        self.queue.try_append(fragment.run.camera, fragment).map_err(Full)
    }

    /// Nothing is taken any more.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// From `at` on nothing is recorded, for this reason. The gap begins where the footage ended
    /// and lasts until footage comes, another cause is told, or [`Writer::gap_close`].
    pub fn gap_open(&self, camera: CameraId, at: Wall, cause: Cause) {
        self.queue.say(Command::GapOpen(camera, at, cause));
    }

    /// The reason told last is over, though nothing has come yet.
    pub fn gap_close(&self, camera: CameraId, at: Wall) {
        self.queue.say(Command::GapClose(camera, at));
    }

    /// This span is missing; it lies behind the last fragment handed over.
    pub fn gap(&self, camera: CameraId, gap: Gap) {
        self.queue.say(Command::Gap(camera, gap));
    }

    /// The publication ended: the segment is sealed.
    pub fn end(&self, camera: CameraId) {
        self.queue.say(Command::End(camera));
    }

    /// What the camera is called: written into its next segments, for people who find the files
    /// without khien.
    pub fn name(&self, camera: CameraId, name: &str) {
        self.queue.say(Command::Name(camera, name.to_owned()));
    }
}
