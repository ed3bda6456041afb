//! One path: its ring, its publisher, its subscribers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media::{Cause, Frame, Gap, Track, TrackKind, Wall};
use tokio::sync::Notify;

use crate::ring::Ring;
use crate::{Item, Kind};

/// Counters of a path since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Frames published.
    pub frames: u64,
    /// Bytes published.
    pub bytes: u64,
    /// Frames that live subscribers skipped, summed over them.
    pub skipped: u64,
    /// Frames that lossless subscribers lost, summed over them.
    pub lost: u64,
    /// Subscribers now.
    pub subscribers: usize,
    /// Bytes in memory now.
    pub ring_bytes: usize,
}

pub(crate) struct Path {
    state: Mutex<State>,
    notify: Notify,
}

struct State {
    ring: Ring,
    tracks: Option<Arc<[Track]>>,
    has_video: bool,
    active: u32,
    /// Publications and ends, each at the number of the first frame after it. Old ones are let
    /// go with the ring.
    marks: VecDeque<(u64, Mark)>,
    marks_first: u64,
    cursors: Vec<Cursor>,
    next_cursor: u64,
    stats: Stats,
}

#[derive(Clone)]
enum Mark {
    Published(Arc<[Track]>),
    Unpublished(Cause),
}

#[derive(Clone, Copy)]
struct Cursor {
    id: u64,
    kind: Kind,
    at: u64,
    /// Number of the next mark to hand out.
    mark: u64,
    /// Time of the last frame handed out, or of the first there was to hand out: where a gap
    /// begins.
    last: Option<Wall>,
}

/// Marks kept for subscribers that have not seen them; a camera that reconnects more often than
/// its slowest reader wakes loses the oldest, which only merges two breaks into one.
const MARKS_MAX: usize = 256;

/// The ring is trimmed each so many frames, and at each group.
const TRIM_EVERY: u64 = 16;

impl Path {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                ring: Ring::new(),
                tracks: None,
                has_video: false,
                active: 0,
                marks: VecDeque::new(),
                marks_first: 0,
                cursors: Vec::new(),
                next_cursor: 0,
                stats: Stats::default(),
            }),
            notify: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // State is changed in steps that cannot panic half way; a poisoned lock is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tracks(&self) -> Option<Arc<[Track]>> {
        self.lock().tracks.clone()
    }

    pub(crate) fn active(&self) -> u32 {
        self.lock().active
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.lock();
        Stats { subscribers: state.cursors.len(), ring_bytes: state.ring.bytes(), ..state.stats }
    }
}

impl State {
    fn mark(&mut self, mark: Mark) {
        self.marks.push_back((self.ring.end(), mark));
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_front();
            self.marks_first += 1;
        }
    }

    fn marks_end(&self) -> u64 {
        self.marks_first + self.marks.len() as u64
    }

    fn trim(&mut self) {
        for cursor in self.cursors.iter_mut().filter(|c| c.last.is_none()) {
            cursor.last = self.ring.get(cursor.at).map(|f| f.wall);
        }
        let oldest = |kind| self.cursors.iter().filter(|c| c.kind == kind).map(|c| c.at).min();
        let (live, lossless) = (oldest(Kind::Live), oldest(Kind::Lossless));
        self.ring.trim(live, lossless);
    }

    fn take(&mut self, index: usize) -> Option<Item> {
        let cursor = *self.cursors.get(index)?;
        if cursor.kind == Kind::Live && self.ring.over_live_budget(cursor.at) {
            return Some(self.skip(index, cursor));
        }
        if cursor.at < self.ring.first() {
            return Some(self.lose(index, cursor));
        }
        if let Some(item) = self.next_mark(index, cursor) {
            return Some(item);
        }
        let frame = self.ring.get(cursor.at)?.clone();
        let cursor_now = &mut self.cursors[index];
        cursor_now.at += 1;
        cursor_now.last = Some(frame.wall);
        Some(Item::Frame { seq: cursor.at, frame })
    }

    fn next_mark(&mut self, index: usize, cursor: Cursor) -> Option<Item> {
        let number = cursor.mark.max(self.marks_first);
        let offset = usize::try_from(number - self.marks_first).ok()?;
        let (at, mark) = self.marks.get(offset)?;
        if *at > cursor.at {
            return None;
        }
        let item = match mark.clone() {
            Mark::Published(tracks) => Item::Published(tracks),
            Mark::Unpublished(cause) => Item::Unpublished(cause),
        };
        self.cursors[index].mark = number + 1;
        Some(item)
    }

    fn skip(&mut self, index: usize, cursor: Cursor) -> Item {
        let to = self.ring.newest_group();
        let frames = to - cursor.at;
        self.cursors[index].at = to;
        self.stats.skipped += frames;
        Item::Skipped(frames)
    }

    /// The ring has let go of what this lossless cursor had not read.
    fn lose(&mut self, index: usize, cursor: Cursor) -> Item {
        let to = self.ring.first();
        self.cursors[index].at = to;
        self.stats.lost += to - cursor.at;
        let until = self.ring.get(to).map(|f| f.wall);
        let from = cursor.last.or(until).unwrap_or_default();
        Item::Gap(Gap { from, to: until, cause: Cause::Shed })
    }
}

/// The one publisher of a path. Dropping it ends the publication.
pub struct Publisher {
    path: Arc<Path>,
    cause: Cause,
}

impl Publisher {
    pub(crate) fn new(path: Arc<Path>, tracks: Vec<Track>) -> Option<Self> {
        {
            let mut state = path.lock();
            if state.tracks.is_some() {
                return None;
            }
            let tracks: Arc<[Track]> = tracks.into();
            state.has_video = tracks.iter().any(|t| t.kind() == TrackKind::Video);
            state.tracks = Some(Arc::clone(&tracks));
            state.active = 0;
            state.mark(Mark::Published(tracks));
        }
        path.notify.notify_waiters();
        Some(Self { path, cause: Cause::Unknown })
    }

    /// Publishes a frame. Never waits.
    pub fn push(&self, frame: Frame) {
        {
            let mut state = self.path.lock();
            state.stats.frames += 1;
            state.stats.bytes += frame.data.len() as u64;
            state.active |= 1_u32.checked_shl(u32::from(frame.track.0)).unwrap_or(0);
            let starts = frame.random_access;
            let has_video = state.has_video;
            state.ring.push(frame, has_video);
            if starts || state.ring.end().is_multiple_of(TRIM_EVERY) {
                state.trim();
            }
        }
        self.path.notify.notify_waiters();
    }

    /// Ends the publication and says why.
    pub fn close(mut self, cause: Cause) {
        self.cause = cause;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        {
            let mut state = self.path.lock();
            state.tracks = None;
            state.ring.end_group();
            state.mark(Mark::Unpublished(self.cause));
            state.trim();
        }
        self.path.notify.notify_waiters();
    }
}

/// One reader of a path.
pub struct Subscriber {
    path: Arc<Path>,
    id: u64,
}

impl Subscriber {
    pub(crate) fn new(path: Arc<Path>, kind: Kind) -> Self {
        let id = {
            let mut state = path.lock();
            let id = state.next_cursor;
            state.next_cursor += 1;
            let at = state.ring.newest_group();
            // The publication that is on now is the last mark, if its frames are what comes next.
            let mark = state.marks_end() - u64::from(state.tracks.is_some());
            state.cursors.push(Cursor { id, kind, at, mark, last: None });
            id
        };
        Self { path, id }
    }

    /// The next item; waits for it. Safe to cancel.
    pub async fn next(&mut self) -> Item {
        loop {
            let path = Arc::clone(&self.path);
            let notified = path.notify.notified();
            tokio::pin!(notified);
            // Armed before the look, so that a frame between the two is not missed.
            notified.as_mut().enable();
            if let Some(item) = self.try_next() {
                return item;
            }
            notified.await;
        }
    }

    /// The next item if there is one.
    pub fn try_next(&mut self) -> Option<Item> {
        let mut state = self.path.lock();
        let index = state.cursors.iter().position(|c| c.id == self.id)?;
        state.take(index)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut state = self.path.lock();
        state.cursors.retain(|c| c.id != self.id);
        state.trim();
    }
}
