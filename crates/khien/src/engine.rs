//! The running recorder: per camera one source and one recorder, started, stopped and, when one
//! of them panics, started again without touching another camera.
//!
//! The registry says what should run; [`Engine::settle`] makes it so for one camera. Only what
//! decides about the connection restarts a camera: a new name or another place in the list must
//! not cut a recording.

mod control;
mod metrics;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{Hub, Item, Kind as HubKind};
use media::{CameraId, Cause, TrackKind};
use net::source::rtsp::{Config, Transport};
use net::source::{State, Status};
use net::tls::Trust;
use net::{Stop, Stopper};
use rustls::pki_types::CertificateDer;
use stdx::{Error, Kind, Result, Secret};
use store::registry::{self, Camera, Registry};
use store::{Limits, Store, Writer};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

pub(crate) use control::Handles;

use crate::record::{Counts, Recorder};

/// A camera's task that panicked begins again after this long.
const RESTART: Duration = Duration::from_secs(1);
/// Width of previews and snapshots.
const PREVIEW_WIDTH: u32 = 640;
/// A snapshot waits this long for a picture; one that is in memory is there at once.
const SNAPSHOT_MAX: Duration = Duration::from_secs(3);
/// A camera whose recorder handed over nothing for this long is not being recorded.
const RECORDING_MAX: Duration = Duration::from_secs(10);

/// What the engine is made of.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) pictures: Arc<pixels::Worker>,
    /// The system's limits; those of single cameras come from the registry.
    pub(crate) limits: Limits,
    pub(crate) rules: Rules,
}

/// What the configuration says of all cameras.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) allow_redirect: bool,
    /// Who has signed the certificates of cameras; `None` pins them at first use.
    pub(crate) ca: Option<Vec<CertificateDer<'static>>>,
}

pub(crate) struct Engine {
    pub(crate) hub: Hub,
    store: Store,
    registry: Registry,
    writer: Writer,
    pictures: Arc<pixels::Worker>,
    /// One picture at a time: whoever waits for the child must not fill the blocking threads.
    picture_turn: Semaphore,
    limits: Limits,
    rules: Rules,
    cameras: Mutex<BTreeMap<CameraId, Running>>,
    /// One at a time starts and stops cameras.
    settling: tokio::sync::Mutex<()>,
    closed: AtomicBool,
    panics: AtomicU64,
    warning: Mutex<Option<api::Detail>>,
    runtime: Handle,
}

struct Running {
    plan: Plan,
    stopper: Stopper,
    status: watch::Receiver<Status>,
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
    pace: Mutex<Pace>,
}

/// What of a camera decides about its connection.
#[derive(Clone, PartialEq, Eq)]
struct Plan {
    url: String,
    user: Option<String>,
    password: Option<Secret>,
    transport: registry::Transport,
    certificate: Option<[u8; 32]>,
}

impl Plan {
    fn of(camera: &Camera) -> Self {
        Self {
            url: camera.url.clone(),
            user: camera.user.clone(),
            password: camera.password.clone(),
            transport: camera.transport,
            certificate: camera.certificate,
        }
    }

    fn config(&self, rules: &Rules) -> Config {
        let (user, password) = (self.user.as_deref(), self.password.clone());
        source(&self.url, user, password, self.transport, self.certificate, rules)
    }
}

/// What was seen at the last look, and what changed since the one before it.
struct Pace {
    at: Instant,
    bytes: u64,
    per_second: u64,
    fragments: u64,
    moved: Option<Instant>,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { at: now, bytes: 0, per_second: 0, fragments: 0, moved: None }
    }

    fn look(&mut self, now: Instant, bytes: u64, fragments: u64) {
        if fragments != self.fragments {
            (self.fragments, self.moved) = (fragments, Some(now));
        }
        let elapsed = now.duration_since(self.at);
        if elapsed >= Duration::from_secs(1) {
            self.per_second =
                (bytes.saturating_sub(self.bytes) as f64 / elapsed.as_secs_f64()) as u64;
            (self.at, self.bytes) = (now, bytes);
        }
    }

    fn moves(&self, now: Instant) -> bool {
        self.moved.is_some_and(|at| now.duration_since(at) < RECORDING_MAX)
    }
}

/// The hub's name of a camera's frames: what `api` asks for.
fn path_of(camera: CameraId) -> String {
    camera.to_string()
}

/// A source's configuration from what is known of the camera.
pub(crate) fn source(
    url: &str,
    user: Option<&str>,
    password: Option<Secret>,
    transport: registry::Transport,
    pin: Option<[u8; 32]>,
    rules: &Rules,
) -> Config {
    Config {
        url: url.to_owned(),
        credentials: user.map(|u| (u.to_owned(), password.unwrap_or_else(|| Secret::from("")))),
        transport: match transport {
            registry::Transport::Tcp => Transport::Tcp,
            registry::Transport::Udp => Transport::Udp,
        },
        trust: rules.ca.clone().map_or(Trust::Pin(pin), Trust::Ca),
        allow_redirect: rules.allow_redirect,
    }
}

/// Values under these locks are changed in whole steps; a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Must be called inside a runtime.
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, registry, pictures, limits, rules } = parts;
        Arc::new(Self {
            hub: Hub::new(),
            writer: store.writer(),
            store,
            registry,
            pictures,
            picture_turn: Semaphore::new(1),
            limits,
            rules,
            cameras: Mutex::new(BTreeMap::new()),
            settling: tokio::sync::Mutex::new(()),
            closed: AtomicBool::new(false),
            panics: AtomicU64::new(0),
            warning: Mutex::new(None),
            runtime: Handle::current(),
        })
    }

    /// Finds out whether pictures can be decoded, and says so on the status page if not. Blocks.
    pub(crate) fn check_pictures(&self) {
        let (code, message) = match self.pictures.check() {
            Ok(facts) if facts.is_caged() => return,
            Ok(_) => {
                let message = "pictures are decoded without a cage: this kernel lacks Landlock or \
                               seccomp, and pixels.allow_uncaged is set";
                ("pixels-uncaged", message.to_owned())
            }
            Err(e) => {
                tracing::error!("no previews and snapshots: {}", e.chain());
                ("pixels", e.message().to_owned())
            }
        };
        *lock(&self.warning) = Some(api::Detail { code: code.to_owned(), message });
    }

    /// Starts every enabled camera.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn start_all(self: &Arc<Self>) -> Result<()> {
        let registry = self.registry.clone();
        let cameras = blocking(move || registry.cameras()).await?;
        for camera in cameras {
            self.settle(camera.id).await?;
        }
        Ok(())
    }

    /// Makes one camera run as the registry has it now.
    async fn settle(self: &Arc<Self>, id: CameraId) -> Result<()> {
        let _turn = self.settling.lock().await;
        let engine = Arc::clone(self);
        let camera = blocking(move || {
            engine.apply_limits()?;
            match engine.registry.camera(id) {
                Ok(camera) => Ok(Some(camera)),
                Err(e) if e.kind() == Kind::NotFound => Ok(None),
                Err(e) => Err(e),
            }
        })
        .await?;
        let wanted = camera.as_ref().filter(|c| c.enabled).map(Plan::of);
        let present = lock(&self.cameras).get(&id).map(|r| r.plan.clone());
        if let Some(camera) = &camera {
            self.writer.name(id, &camera.name);
        }
        if wanted == present {
            return Ok(());
        }
        for task in self.stop(id) {
            let _ = task.await;
        }
        if let Some(plan) = wanted
            && !self.closed.load(Ordering::Relaxed)
        {
            self.start(id, plan);
        }
        Ok(())
    }

    /// Hands the limits of all cameras to the store. Blocks.
    fn apply_limits(&self) -> Result<()> {
        let cameras = self.registry.cameras()?;
        let own = cameras.into_iter().filter_map(|c| Some((c.id, c.retention?))).collect();
        self.store.set_limits(Limits { cameras: own, ..self.limits.clone() });
        Ok(())
    }

    fn start(self: &Arc<Self>, id: CameraId, plan: Plan) {
        let (stopper, stop) = Stopper::new();
        let (report, status) = watch::channel(Status::new(net::now().wall));
        let counts = Arc::new(Counts::default());
        let path = path_of(id);
        let source = {
            let (engine, path, first) = (Arc::clone(self), path.clone(), plan.clone());
            let stop = stop.clone();
            self.keep(id, "source", stop.clone(), move || {
                let (engine, path, first) = (Arc::clone(&engine), path.clone(), first.clone());
                let (report, stop) = (report.clone(), stop.clone());
                Box::pin(async move {
                    let config = engine.present(id, first).await.config(&engine.rules);
                    net::source::rtsp::run(engine.hub.clone(), path, config, report, stop).await;
                })
            })
        };
        let recorder = {
            let (hub, stop) = (self.hub.clone(), stop.clone());
            let (writer, counts) = (self.writer.clone(), Arc::clone(&counts));
            self.keep(id, "recorder", stop.clone(), move || {
                let recorder = Recorder::new(id, writer.clone(), Arc::clone(&counts));
                Box::pin(recorder.run(hub.clone(), path.clone(), stop.clone()))
            })
        };
        let watch = self.runtime.spawn(Arc::clone(self).watch(id, status.clone(), stop));
        let pace = Mutex::new(Pace::new(Instant::now()));
        let tasks = vec![source, recorder, watch];
        lock(&self.cameras).insert(id, Running { plan, stopper, status, counts, tasks, pace });
    }

    /// The plan as it is now: a source that begins again must not trust anew whoever answers.
    async fn present(&self, id: CameraId, first: Plan) -> Plan {
        let registry = self.registry.clone();
        match blocking(move || registry.camera(id)).await {
            Ok(camera) => Plan::of(&camera),
            Err(_) => lock(&self.cameras).get(&id).map_or(first, |r| r.plan.clone()),
        }
    }

    /// Runs a task of one camera and starts it again if it panics.
    fn keep<F>(
        self: &Arc<Self>,
        id: CameraId,
        what: &'static str,
        stop: Stop,
        make: F,
    ) -> JoinHandle<()>
    where
        F: Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static,
    {
        let engine = Arc::clone(self);
        let span = tracing::info_span!("camera", %id, what);
        let mut stop = stop;
        self.runtime.spawn(async move {
            loop {
                let e = match tokio::spawn(make().instrument(span.clone())).await {
                    Err(e) if e.is_panic() => e,
                    Ok(()) | Err(_) => return,
                };
                engine.panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(camera = %id, what, "panicked and is started again: {e}");
                tokio::select! {
                    () = stop.wanted() => return,
                    () = tokio::time::sleep(RESTART) => {}
                }
            }
        })
    }

    /// Pins the certificate of a camera at its first use, and says why there is no footage while
    /// a camera does not come up.
    async fn watch(
        self: Arc<Self>,
        id: CameraId,
        mut status: watch::Receiver<Status>,
        mut stop: Stop,
    ) {
        let mut told: Option<Cause> = None;
        loop {
            tokio::select! {
                changed = status.changed() => if changed.is_err() { return },
                () = stop.wanted() => return,
            }
            let now = status.borrow_and_update().clone();
            if now.state == State::Streaming {
                told = None;
                if let Some(certificate) = &now.certificate {
                    self.pin(id, certificate.sha256).await;
                }
            }
            if let Some(trouble) = &now.trouble
                && told.replace(trouble.cause) != Some(trouble.cause)
            {
                self.writer.gap_open(id, now.since, trouble.cause);
            }
        }
    }

    /// Keeps the certificate that a camera showed first. One that is kept already stays, and that
    /// of an address from which the camera has moved meanwhile is none of its own.
    async fn pin(&self, id: CameraId, sha256: [u8; 32]) {
        let shown_at = match lock(&self.cameras).get(&id).map(|r| &r.plan) {
            Some(plan) if plan.certificate.is_none() && self.rules.ca.is_none() => plan.url.clone(),
            _ => return,
        };
        let registry = self.registry.clone();
        let pinned = blocking(move || {
            registry.edit_camera(id, |c| {
                if c.url == shown_at {
                    c.certificate.get_or_insert(sha256);
                }
                Ok(())
            })
        });
        match pinned.await {
            Ok(camera) if camera.certificate.is_none() => {}
            Ok(camera) => {
                if let Some(running) = lock(&self.cameras).get_mut(&id) {
                    running.plan.certificate = camera.certificate;
                }
                tracing::info!(camera = %id, "certificate pinned");
            }
            // Removed meanwhile.
            Err(e) if e.kind() == Kind::NotFound => {}
            Err(e) => tracing::error!(camera = %id, "cannot keep the pin: {}", e.chain()),
        }
    }

    fn stop(&self, id: CameraId) -> Vec<JoinHandle<()>> {
        let Some(running) = lock(&self.cameras).remove(&id) else { return Vec::new() };
        running.stopper.stop();
        running.tasks
    }

    /// Stops everything and waits until each recorder has handed over its last fragment.
    pub(crate) async fn stop_all(&self, patience: Duration) {
        self.closed.store(true, Ordering::Relaxed);
        let ids: Vec<CameraId> = lock(&self.cameras).keys().copied().collect();
        let tasks: Vec<_> = ids.into_iter().flat_map(|id| self.stop(id)).collect();
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("some cameras did not end in time");
        }
    }

    async fn picture(self: Arc<Self>, id: CameraId) -> Result<Bytes> {
        let mut subscriber = self.hub.subscribe(&path_of(id), HubKind::Live);
        let frame = async {
            loop {
                if let Item::Frame { frame, .. } = subscriber.next().await
                    && frame.random_access
                    && frame.params.kind() == TrackKind::Video
                {
                    return frame;
                }
            }
        };
        let frame = tokio::time::timeout(SNAPSHOT_MAX, frame).await.map_err(|_| {
            Error::new(Kind::Unavailable, "the camera sends no picture now")
                .with_code("camera-offline")
        })?;
        drop(subscriber);
        self.jpeg(frame).await
    }

    async fn jpeg(&self, frame: media::Frame) -> Result<Bytes> {
        let _turn = self.picture_turn.acquire().await;
        let pictures = Arc::clone(&self.pictures);
        blocking(move || pictures.jpeg(&frame.params, &frame.data, PREVIEW_WIDTH)).await
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let joined = tokio::task::spawn_blocking(f).await;
    joined.map_err(|e| Error::new(Kind::Internal, "a blocking step failed").with_source(e))?
}

#[cfg(test)]
mod tests;
