//! A camera that is watched: its source runs into a hub, and everything published there is kept
//! for the test to judge.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hub::{Hub, Item, Kind};
use media::{Cause, Frame, Track, TrackKind, Wall};
use net::source::rtsp::{Config, Transport};
use net::source::{State, Status, Trouble};
use net::tls::Trust;
use net::{Stop, Stopper, now};
use stdx::Secret;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PATH: &str = "camera";
/// How often a condition is looked at again.
const LOOK: Duration = Duration::from_millis(10);
/// What every condition of a healthy test fulfils, even on a machine that is busy elsewhere.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A frame and when it came out of the hub.
#[derive(Clone)]
pub(crate) struct Arrived {
    pub(crate) frame: Frame,
    pub(crate) at: Instant,
    pub(crate) wall: Wall,
}

/// What came from one publication to its end.
#[derive(Clone, Default)]
pub(crate) struct Run {
    pub(crate) tracks: Vec<Track>,
    pub(crate) frames: Vec<Arrived>,
    pub(crate) ended: Option<(Cause, Instant)>,
}

impl Run {
    /// Frames of one kind of track, in order.
    pub(crate) fn of(&self, kind: TrackKind) -> impl Iterator<Item = &Arrived> {
        self.frames.iter().filter(move |a| a.frame.params.kind() == kind)
    }

    /// The numbers that the fake camera wrote into its pictures.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let number = |a: &Arrived| fakecam::frame_number(&a.frame.data);
        self.of(TrackKind::Video).filter_map(number).collect()
    }
}

/// Everything that came, publication by publication.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) runs: Vec<Run>,
}

impl Seen {
    /// Over all publications.
    pub(crate) fn count(&self, kind: TrackKind) -> usize {
        self.runs.iter().map(|r| r.of(kind).count()).sum()
    }

    pub(crate) fn pictures(&self) -> usize {
        self.count(TrackKind::Video)
    }

    /// Pictures of the present publication.
    pub(crate) fn newest(&self) -> usize {
        self.runs.last().map_or(0, |r| r.of(TrackKind::Video).count())
    }
}

pub(crate) struct Watch {
    status: watch::Receiver<Status>,
    seen: Arc<Mutex<Seen>>,
    stopper: Stopper,
    source: JoinHandle<()>,
    reader: JoinHandle<()>,
}

impl Watch {
    /// Runs the source until [`Watch::end`].
    pub(crate) fn start(config: Config) -> Self {
        let hub = Hub::new();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stopper, stop) = Stopper::new();
        let (report, status) = watch::channel(Status::new(now().wall));
        let reader = tokio::spawn(read(hub.clone(), Arc::clone(&seen), stopper.listen()));
        let path = PATH.to_owned();
        let source = tokio::spawn(net::source::rtsp::run(hub, path, config, report, stop));
        Self { status, seen, stopper, source, reader }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits until `enough`; false if that takes longer than `limit`.
    pub(crate) async fn until(
        &self,
        limit: Duration,
        enough: impl Fn(&Seen, &Status) -> bool,
    ) -> bool {
        let end = Instant::now() + limit;
        loop {
            if enough(&self.seen(), &self.status.borrow()) {
                return true;
            }
            if Instant::now() >= end || self.source.is_finished() {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for so many pictures of the present publication.
    pub(crate) async fn pictures(&self, at_least: usize) {
        let there = self.until(PATIENCE, |seen, _| seen.newest() >= at_least).await;
        assert!(there, "{at_least} pictures: {}", self.describe());
    }

    /// Waits for so many publications.
    pub(crate) async fn runs(&self, at_least: usize) {
        let there = self.until(PATIENCE, |seen, _| seen.runs.len() >= at_least).await;
        assert!(there, "{at_least} publications: {}", self.describe());
    }

    /// Waits for a trouble with this code.
    pub(crate) async fn trouble(&self, code: &str) -> (State, Trouble) {
        let is = |s: &Status| s.trouble.as_ref().is_some_and(|t| t.code == code);
        let there = self.until(PATIENCE, |_, status| is(status)).await;
        assert!(there, "{code}: {}", self.describe());
        let status = self.status();
        (status.state, status.trouble.expect("is there"))
    }

    /// How it stands, for the message of a failed test.
    pub(crate) fn describe(&self) -> String {
        let status = self.status();
        let mut text = format!("{:?}, attempts {}, ", status.state, status.attempts);
        let quirks: Vec<&str> = status.quirks.iter().map(|(q, _)| q.slug()).collect();
        let _ = write!(text, "{:?}, quirks {quirks:?}", status.trouble);
        for run in &self.seen().runs {
            let _ = write!(text, "; {} frames, ended {:?}", run.frames.len(), run.ended);
        }
        text
    }

    /// Stops the source; fails if it panicked or does not end.
    pub(crate) async fn end(self) -> (Seen, Status) {
        self.stopper.stop();
        for task in [self.source, self.reader] {
            let ended = tokio::time::timeout(PATIENCE, task).await;
            ended.expect("ends when asked to").expect("does not panic");
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = self.status.borrow().clone();
        (seen, status)
    }
}

async fn read(hub: Hub, seen: Arc<Mutex<Seen>>, mut stop: Stop) {
    let mut subscriber = hub.subscribe(PATH, Kind::Lossless);
    loop {
        let item = tokio::select! {
            item = subscriber.next() => item,
            () = stop.wanted() => return,
        };
        let (at, wall) = (Instant::now(), now().wall);
        let runs = &mut seen.lock().unwrap_or_else(PoisonError::into_inner).runs;
        match item {
            Item::Published(tracks) => {
                runs.push(Run { tracks: tracks.to_vec(), ..Run::default() });
            }
            Item::Frame { frame, .. } => {
                let run = runs.last_mut().expect("is published before it sends");
                run.frames.push(Arrived { frame, at, wall });
            }
            Item::Unpublished(cause) => {
                let run = runs.last_mut().expect("is published before it ends");
                run.ended = Some((cause, at));
            }
            Item::Skipped(_) | Item::Gap(_) => panic!("the reader of a test keeps up"),
        }
    }
}

/// How a camera at `url` is reached when nothing is said about it: TCP, no account, any
/// certificate, no redirects.
pub(crate) fn at(url: impl Into<String>) -> Config {
    Config {
        url: url.into(),
        credentials: None,
        transport: Transport::Tcp,
        trust: Trust::Pin(None),
        allow_redirect: false,
    }
}

/// How this camera is reached with the account that it wants.
pub(crate) fn of(camera: &fakecam::Camera) -> Config {
    let account = camera.config().credentials.as_ref();
    let credentials = account.map(|(user, word)| (user.clone(), Secret::from(word.as_str())));
    Config { credentials, ..at(camera.url()) }
}
