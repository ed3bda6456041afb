//! The writer thread: the only one that appends to segments. Takes commands from the queue, gives
//! runs and segments their numbers, seals after about a minute, keeps the books of gaps, and makes
//! everything visible to readers at once and durable with the next sync.
//!
//! A fragment that cannot be written is given up: it becomes part of a gap with the disk's reason,
//! and the next one is tried as if nothing had happened. A panic is our own mistake; it costs one
//! camera its open segment, which the janitor adopts, and a gap, and no other camera anything.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use media::{CameraId, Cause, Gap, RunId, Wall};

use crate::format::{self, Entry, FRAGMENTS_MAX, SegmentKey};
use crate::fragment::{Fragment, Run};
use crate::index::{Op, SEGMENT_SPAN_US_MAX, SegmentRow};
use crate::janitor::Task;
use crate::live::OpenView;
use crate::queue::{Command, FailedSync, Recovered};
use crate::segment::Open;
use crate::tail::{Change, Tail};
use crate::work::Shared;
use crate::{recover, retain};

/// How long the thread sleeps when nobody says anything.
const IDLE: Duration = Duration::from_secs(60);
/// Room for the footer of an ordinary segment.
const FOOTER_ROOM_BYTES: u64 = 64 << 10;
/// A segment ends where the wall clock seems to step back by more than this, or forward by more
/// than [`STEP_US_MAX`]: its rows would say something wrong.
const STEP_BACK_US_MAX: i64 = 1_000_000;
const STEP_US_MAX: i64 = 60_000_000;

/// One camera's state.
#[derive(Debug, Default)]
struct Desk {
    name: String,
    /// The run that is being written, as the assembler and the disk know it.
    run: Option<(Arc<Run>, RunId)>,
    last_run: RunId,
    sequence: u32,
    /// Number of the last fragment written of the run.
    number: u32,
    open: Option<Open>,
    tail: Tail,
    /// The first instant that this process knows of.
    first: Option<Wall>,
}

struct Scribe<'a> {
    shared: &'a Shared,
    desks: HashMap<CameraId, Desk>,
    answers: Vec<std::sync::mpsc::SyncSender<()>>,
}

/// Closes the queue however the thread ends, so that nobody waits for it.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.queue.abandon();
        self.0.pending.close();
    }
}

/// The thread.
pub(crate) fn run(shared: &Shared) {
    let _closing = Closing(shared);
    let mut scribe = Scribe { shared, desks: HashMap::new(), answers: Vec::new() };
    while let Some(commands) = shared.queue.take(IDLE) {
        for command in commands {
            scribe.handle(command);
        }
    }
    scribe.finish();
}

/// Why the disk's error makes a gap.
fn cause_of(e: &io::Error) -> Cause {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::DiskFull,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Cause::DiskReadonly,
        // What was handed over cannot be stored, whatever the disk.
        io::ErrorKind::InvalidInput => Cause::BadStream,
        _ => Cause::DiskLost,
    }
}

impl Desk {
    /// Whether the open segment ends before this fragment.
    fn turns(&self, f: &Fragment, segment_us: i64) -> bool {
        let Some(open) = &self.open else { return false };
        let (Some(start), Some(last)) = (open.start(), open.entries().last()) else { return false };
        let step_us = f.start.us_since(last.end);
        let long_us = f.end.us_since(start);
        open.entries().len() >= FRAGMENTS_MAX
            || !(-STEP_BACK_US_MAX..=STEP_US_MAX).contains(&step_us)
            || long_us > SEGMENT_SPAN_US_MAX - STEP_US_MAX
            || (f.random_access && long_us > segment_us)
    }

    fn same_run(&self, f: &Fragment) -> bool {
        self.run.as_ref().is_some_and(|(run, _)| Arc::ptr_eq(run, &f.run))
    }
}

impl Scribe<'_> {
    fn handle(&mut self, command: Command) {
        match command {
            Command::Append(camera, fragment) => self.at(camera, |s, d| s.append(d, &fragment)),
            Command::GapOpen(camera, at, cause) => self.at(camera, |s, d| {
                d.first.get_or_insert(at);
                s.note(camera, d.tail.open(at, cause));
            }),
            Command::GapClose(camera, at) => {
                self.at(camera, |s, d| s.note(camera, d.tail.close(at)));
            }
            Command::Gap(camera, gap) => self.at(camera, |s, d| {
                d.first.get_or_insert(gap.from);
                s.note(camera, d.tail.add(gap));
            }),
            Command::End(camera) => self.at(camera, |s, d| {
                s.seal(camera, d);
                d.run = None;
            }),
            Command::Name(camera, name) => self.at(camera, |_, d| d.name = name),
            Command::Flush(answer) => self.shared.pending.answer(vec![answer]),
            Command::Shutdown(answer) => {
                // What is in the queue already is still written.
                self.shared.queue.close();
                self.answers.push(answer);
            }
            Command::Synced(failed) => failed.into_iter().for_each(|f| self.failed(f)),
            Command::Recovered(camera, recovered) => {
                self.at(camera, |s, d| s.recovered(camera, d, *recovered));
            }
        }
    }

    /// Runs `f` with a camera's desk. A panic in it is that camera's alone.
    fn at(&mut self, camera: CameraId, f: impl FnOnce(&mut Self, &mut Desk)) {
        let mut desk = self.desks.remove(&camera).unwrap_or_else(|| Desk {
            name: camera.to_string(),
            last_run: self.last_run(camera),
            ..Desk::default()
        });
        // What of `self` may be half done lies behind locks that know, or is in the desk.
        if catch_unwind(AssertUnwindSafe(|| f(self, &mut desk))).is_err() {
            self.broken(camera, &mut desk);
        }
        self.desks.insert(camera, desk);
    }

    /// Something panicked with this desk: all that is kept of it is what the books say. Touches no
    /// disk.
    fn broken(&self, camera: CameraId, desk: &mut Desk) {
        self.shared.counters.panics.add(1);
        tracing::error!(%camera, "the writer panicked; this camera goes on in another segment");
        // A file that was being created is in no book.
        let begun = SegmentKey { run: desk.last_run, sequence: desk.sequence.saturating_add(1) };
        let live = &self.shared.shelf.live;
        let seen = live.with_open(camera, |v| v.as_ref().map(|v| (v.row.key, v.row.bytes)));
        let open = desk.open.take().map(|open| (open.key(), open.bytes()));
        if let Some((_, bytes)) = open.or(seen) {
            self.put_away(camera, bytes, false);
        }
        let left = [open, seen].into_iter().flatten().map(|(key, _)| key).chain([begun]);
        for key in left.collect::<BTreeSet<_>>() {
            self.shared.janitor.add(Task::Adopt(camera, key));
        }
        // None of these names is used again: the janitor has them.
        desk.run = None;
        let at = desk.tail.end.or(desk.first).unwrap_or_else(|| self.shared.now());
        desk.first.get_or_insert(at);
        self.note(camera, desk.tail.open(at, Cause::ProcessCrash));
    }

    fn last_run(&self, camera: CameraId) -> RunId {
        let on_disk = self.shared.runs.get(&camera).copied().unwrap_or_default();
        let known = self.shared.shelf.index.last_run(camera).unwrap_or_else(|e| {
            tracing::error!(%camera, "{}", e.chain());
            None
        });
        on_disk.max(known.unwrap_or_default())
    }

    /// Publishes changes of gaps.
    fn note(&self, camera: CameraId, change: Change) {
        let (pending, live) = (&self.shared.pending, &self.shared.shelf.live);
        for from in change.remove {
            pending.op(live, Op::NoGap(camera, from));
        }
        for gap in change.put {
            let noticed = self.shared.now().max(gap.from);
            tracing::debug!(%camera, from = %gap.from, cause = %gap.cause, "gap");
            pending.op(live, Op::Gap(camera, gap, noticed));
        }
    }

    fn append(&self, desk: &mut Desk, f: &Fragment) {
        let camera = f.run.camera;
        let follows = desk.same_run(f) && f.number == desk.number.wrapping_add(1);
        let first = f.number == 1;
        desk.first.get_or_insert(f.start);
        let mut done = self.write(desk, f);
        if done.as_ref().is_err_and(|e| cause_of(e) == Cause::DiskFull)
            && retain::make_room(self.shared, f.payload_bytes())
        {
            done = self.write(desk, f);
        }
        desk.number = f.number;
        let entry = match done {
            Ok(entry) => entry,
            Err(e) => return self.lost(desk, f, &e),
        };
        self.shared.fine("disk-full");
        self.shared.fine("disk");
        self.shared.counters.fragments.add(1);
        self.shared.counters.bytes.add(u64::from(entry.bytes));
        self.publish(desk, f, entry);
        // A hole without a word: the camera's task was restarted after a panic, or the fragments
        // before this one were given up by whoever made them.
        let fallback = match (first, follows) {
            (true, _) => Cause::ProcessCrash,
            (_, false) => Cause::Shed,
            _ => Cause::Unknown,
        };
        self.note(camera, desk.tail.settle(f.start, f.end, f.gap, fallback));
    }

    /// Puts a fragment into the right segment.
    fn write(&self, desk: &mut Desk, f: &Fragment) -> io::Result<Entry> {
        let camera = f.run.camera;
        if !desk.same_run(f) || desk.turns(f, self.shared.options.segment_us) {
            self.seal(camera, desk);
        }
        if !desk.same_run(f) {
            desk.last_run = desk.last_run.next();
            desk.run = Some((Arc::clone(&f.run), desk.last_run));
            desk.sequence = 0;
        }
        if desk.open.is_none() {
            self.begin(desk, f)?;
        }
        let Some(open) = &mut desk.open else { return Err(io::Error::other("no segment")) };
        match open.append(f) {
            Ok(entry) => Ok(entry),
            Err(e) => {
                // If it could not be cut back to whole fragments, nothing may follow what is there.
                if open.file().len().ok() != Some(open.bytes()) {
                    self.leave(camera, desk);
                }
                Err(e)
            }
        }
    }

    /// Creates the next segment of the run.
    fn begin(&self, desk: &mut Desk, f: &Fragment) -> io::Result<()> {
        let camera = f.run.camera;
        let (disk, dir) = (&*self.shared.shelf.disk, &self.shared.shelf.dir);
        let create = |desk: &Desk, sequence| {
            let key = SegmentKey { run: desk.last_run, sequence };
            Open::create(disk, dir, &f.run, &desk.name, key, self.shared.recorder)
        };
        let open = match create(desk, desk.sequence + 1) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // Whatever it is, it is not ours: another run has its own directory.
                desk.last_run = desk.last_run.next();
                desk.run = Some((Arc::clone(&f.run), desk.last_run));
                desk.sequence = 0;
                create(desk, 1)?
            }
            other => other?,
        };
        desk.sequence += 1;
        if let Some(run_dir) = open.path().parent() {
            self.shared.pending.dir(run_dir.to_owned());
        }
        if desk.sequence == 1 {
            self.shared.pending.dir(format::camera_dir(dir, camera));
            self.shared.pending.dir(format::media_dir(dir));
            self.shared.pending.dir(dir.clone());
        }
        desk.open = Some(open);
        Ok(())
    }

    /// Shows a written fragment to readers and has it synced.
    fn publish(&self, desk: &Desk, f: &Fragment, entry: Entry) {
        let Some(open) = &desk.open else { return };
        let camera = f.run.camera;
        let (key, bytes) = (open.key(), open.bytes());
        let begun = self.shared.shelf.live.with_open(camera, |view| match view {
            Some(view) if view.row.key == key => {
                view.row.end = entry.end.max(view.row.end);
                view.row.bytes = bytes;
                view.entries.push(entry);
                None
            }
            view => {
                let row = row(open, f, false);
                let rate = f.run.rate();
                *view = Some(OpenView { row: row.clone(), rate, entries: vec![entry] });
                Some(row)
            }
        });
        if let Some(row) = begun {
            self.shared.pending.op(&self.shared.shelf.live, Op::Segment(row));
        }
        self.shared.pending.file(camera, key, open.file(), f.start, f.end);
    }

    /// The fragment could not be written.
    fn lost(&self, desk: &mut Desk, f: &Fragment, e: &io::Error) {
        let cause = cause_of(e);
        self.shared.counters.fragments_lost.add(1);
        let (code, message) = if cause == Cause::DiskFull {
            (
                "disk-full",
                "the disk is full and there is nothing left to delete; make room on it".to_owned(),
            )
        } else {
            ("disk", format!("the disk cannot be written: {e}"))
        };
        if self.shared.trouble(code, &message) {
            tracing::error!(camera = %f.run.camera, "{message}");
        }
        self.note(f.run.camera, desk.tail.open(f.start, cause));
    }

    /// Seals the open segment, if there is one.
    fn seal(&self, camera: CameraId, desk: &mut Desk) {
        let Some(open) = desk.open.take() else { return };
        let shared = self.shared;
        if open.entries().is_empty() {
            // Only its beginning could be written. The number is free again.
            match shared.shelf.disk.remove(open.path()) {
                Ok(()) => desk.sequence -= 1,
                Err(e) => tracing::warn!(path = %open.path().display(), "cannot remove: {e}"),
            }
            return;
        }
        let sealed = open.seal().or_else(|(open, e)| {
            let full = cause_of(&e) == Cause::DiskFull;
            if full && retain::make_room(shared, FOOTER_ROOM_BYTES) {
                return open.seal();
            }
            Err((open, e))
        });
        match sealed {
            Ok(sealed) => {
                let end = sealed.entries.last().map_or(Wall(0), |e| e.end);
                shared.pending.file(camera, sealed.key, &sealed.file, end, end);
                self.put_away(camera, sealed.bytes, true);
                shared.janitor.due();
            }
            Err((open, e)) => {
                tracing::error!(%camera, segment = %open.key(), "cannot seal: {e}");
                desk.open = Some(*open);
                self.leave(camera, desk);
            }
        }
    }

    /// Lets go of the open segment as it is. The janitor makes what it can of it.
    fn leave(&self, camera: CameraId, desk: &mut Desk) {
        let Some(open) = desk.open.take() else { return };
        self.put_away(camera, open.bytes(), false);
        self.shared.janitor.add(Task::Adopt(camera, open.key()));
    }

    /// The open segment, as readers see it, becomes a row.
    fn put_away(&self, camera: CameraId, bytes: u64, sealed: bool) {
        let live = &self.shared.shelf.live;
        let view = live.with_open(camera, |view| view.clone());
        if let Some(view) = view {
            self.shared.pending.op(live, Op::Segment(SegmentRow { bytes, sealed, ..view.row }));
        }
        live.with_open(camera, |view| *view = None);
    }

    /// A file's sync failed: nothing more is written to it, and the janitor tries to save its
    /// bytes into a new one.
    fn failed(&mut self, failed: FailedSync) {
        self.at(failed.camera, |s, desk| {
            if desk.open.as_ref().is_some_and(|open| open.key() == failed.key)
                && let Some(open) = desk.open.take()
            {
                s.put_away(failed.camera, open.bytes(), false);
            }
        });
        self.shared.janitor.add(Task::Salvage(failed));
    }

    /// The gap between the process before and this one.
    fn recovered(&self, camera: CameraId, desk: &mut Desk, r: Recovered) {
        let mut tail = Tail { end: r.end, gaps: r.gaps };
        if let Some((at, cause)) = r.restart {
            self.note(camera, tail.open(at, cause));
        }
        let Some(first) = desk.first else {
            desk.tail = tail;
            return;
        };
        let mut change = tail.settle(first, first, None, Cause::Unknown);
        change.remove.extend(tail.gaps.iter().map(|g| g.from));
        change.put.retain(|g| !tail.gaps.contains(g));
        self.note(camera, change);
    }

    fn finish(mut self) {
        let cameras: Vec<CameraId> = self.desks.keys().copied().collect();
        for camera in cameras {
            self.at(camera, |s, desk| s.seal(camera, desk));
        }
        self.shared.pending.answer(self.answers);
    }
}

/// The row of a segment that is being written.
fn row(open: &Open, f: &Fragment, sealed: bool) -> SegmentRow {
    let last = open.entries().iter().map(|e| e.end).max();
    SegmentRow {
        camera: f.run.camera,
        key: open.key(),
        start: open.start().unwrap_or(f.start),
        end: last.unwrap_or(f.end),
        bytes: open.bytes(),
        sealed,
        init: f.run.init,
        params: recover::words(f.run.tracks.iter().map(|t| &*t.params)),
    }
}

/// A gap that both ends are known of.
pub(crate) const fn closed(from: Wall, to: Wall, cause: Cause) -> Gap {
    Gap { from, to: Some(to), cause }
}
