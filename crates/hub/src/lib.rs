//! Live memory: per path one publisher and any number of cursors.
//!
//! A publisher never waits. Each subscriber has a position and a budget: a [`Kind::Live`] one that
//! falls behind jumps to the newest group and is told how many frames it skipped; a
//! [`Kind::Lossless`] one has a larger budget, and past it is handed a [`media::Gap`], which it
//! must record. The newest group stays in memory, so that a new viewer starts at once.
//!
//! Not here: protocols, disk, policy, who the viewers are.

mod path;
mod ring;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use media::{Cause, Frame, Gap, Track};
use path::Path;
use stdx::{Error, Kind as ErrorKind, Result};

pub use path::{Publisher, Stats, Subscriber};
pub use ring::{LIVE_BYTES_MAX, LIVE_LAG_US_MAX, LOSSLESS_BYTES_MAX, RING_BYTES_MAX};

/// What a subscriber wants when it cannot keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Jump to the newest group.
    Live,
    /// Keep everything as long as the larger budget lasts; then be told of the hole.
    Lossless,
}

/// What a subscriber gets, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A publisher came (or was there already): these are its tracks. Frames follow.
    Published(Arc<[Track]>),
    /// A frame. `seq` counts the frames of the path since it was made, over all publishers.
    Frame {
        /// Its number on the path.
        seq: u64,
        /// The frame.
        frame: Frame,
    },
    /// This many frames were skipped because the subscriber was slow; the next frame starts a
    /// group.
    Skipped(u64),
    /// A lossless subscriber fell behind its budget: this span is lost to it.
    Gap(Gap),
    /// The publisher left, and why. Another may come: stay subscribed.
    Unpublished(Cause),
}

/// The hub. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Hub {
    paths: Arc<Mutex<BTreeMap<String, Weak<Path>>>>,
}

impl Hub {
    /// An empty hub.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Weak<Path>>> {
        // A panic while the map was held leaves it whole: every change is one insert or remove.
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str) -> Arc<Path> {
        let mut paths = self.lock();
        if let Some(path) = paths.get(name).and_then(Weak::upgrade) {
            return path;
        }
        paths.retain(|_, p| p.strong_count() > 0);
        let path = Arc::new(Path::new());
        paths.insert(name.to_owned(), Arc::downgrade(&path));
        path
    }

    /// Becomes the one publisher of `name` until the returned value is dropped.
    ///
    /// # Errors
    /// `AlreadyExists` while another publisher holds the path.
    pub fn publish(&self, name: &str, tracks: Vec<Track>) -> Result<Publisher> {
        Publisher::new(self.path(name), tracks).ok_or_else(|| {
            Error::new(ErrorKind::AlreadyExists, format!("{name} has a publisher already"))
        })
    }

    /// Follows `name`, whether or not somebody publishes there yet. A live subscriber begins at
    /// the newest group in memory.
    pub fn subscribe(&self, name: &str, kind: Kind) -> Subscriber {
        Subscriber::new(self.path(name), kind)
    }

    /// The names that have a publisher now.
    pub fn published(&self) -> Vec<String> {
        let paths = self.lock();
        paths
            .iter()
            .filter(|(_, p)| p.upgrade().is_some_and(|p| p.tracks().is_some()))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The tracks of `name`, if somebody publishes there.
    pub fn tracks(&self, name: &str) -> Option<Arc<[Track]>> {
        self.find(name)?.tracks()
    }

    /// Which tracks have sent a frame since `name` was published: bit n stands for track n. A
    /// camera may announce sound and never send any.
    pub fn active_tracks(&self, name: &str) -> u32 {
        self.find(name).map_or(0, |p| p.active())
    }

    /// Counters of `name`, if anybody holds the path.
    pub fn stats(&self, name: &str) -> Option<Stats> {
        Some(self.find(name)?.stats())
    }

    fn find(&self, name: &str) -> Option<Arc<Path>> {
        self.lock().get(name).and_then(Weak::upgrade)
    }
}

#[cfg(test)]
mod tests;
