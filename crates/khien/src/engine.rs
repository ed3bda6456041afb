//! The running recorder: per camera one source and one recorder, started, stopped and, when one
//! of them panics, started again without touching another camera.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::{CameraStatus, Control, ProbeRequest};
use bytes::Bytes;
use hub::{Hub, Item, Kind as HubKind};
use media::{CameraId, TrackKind, Wall};
use net::source::{State, Status};
use net::tls::Trust;
use net::{Stop, Stopper};
use stdx::{Error, Kind, Result, Secret};
use store::registry::Registry;
use store::{Store, Writer};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::record::{Counts, Recorder};

/// A camera's task that panicked begins again after this long.
const RESTART: Duration = Duration::from_secs(1);
/// Width of previews and snapshots.
const PREVIEW_WIDTH: u32 = 640;

pub(crate) struct Engine {
    pub(crate) hub: Hub,
    registry: Arc<Registry>,
    writer: Writer,
    pictures: Arc<pixels::Worker>,
    allow_redirect: bool,
    cameras: Mutex<BTreeMap<CameraId, Running>>,
    panics: AtomicU64,
    runtime: Handle,
}

struct Running {
    stopper: Stopper,
    status: watch::Receiver<Status>,
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
    rate: Mutex<Rate>,
}

/// Bytes per second, measured between looks at least a second apart.
struct Rate {
    at: Instant,
    bytes: u64,
    per_second: u64,
}

/// The hub's name of a camera's frames.
fn path_of(camera: CameraId) -> String {
    camera.to_string()
}

/// A source's configuration from what is known of the camera.
pub(crate) fn source_config(
    url: &str,
    user: Option<&str>,
    password: Option<Secret>,
    udp: bool,
    pin: Option<[u8; 32]>,
    allow_redirect: bool,
) -> net::source::rtsp::Config {
    use net::source::rtsp::Transport;
    net::source::rtsp::Config {
        url: url.to_owned(),
        credentials: user.map(|u| (u.to_owned(), password.unwrap_or_else(|| Secret::from("")))),
        transport: if udp { Transport::Udp } else { Transport::Tcp },
        trust: Trust::Pin(pin),
        allow_redirect,
    }
}

impl Engine {
    pub(crate) fn new(
        store: &Store,
        registry: Arc<Registry>,
        pictures: Arc<pixels::Worker>,
        allow_redirect: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            hub: Hub::new(),
            registry,
            writer: store.writer(),
            pictures,
            allow_redirect,
            cameras: Mutex::new(BTreeMap::new()),
            panics: AtomicU64::new(0),
            runtime: Handle::current(),
        })
    }

    fn cameras(&self) -> MutexGuard<'_, BTreeMap<CameraId, Running>> {
        // The map is changed by whole inserts and removes.
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts every enabled camera.
    pub(crate) fn start_all(self: &Arc<Self>) -> Result<()> {
        for camera in self.registry.cameras()? {
            self.start(camera.id)?;
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, id: CameraId) -> Result<()> {
        let Some(camera) = self.registry.camera(id)? else { return Ok(()) };
        if !camera.enabled {
            return Ok(());
        }
        let config = source_config(
            &camera.url,
            camera.user.as_deref(),
            camera.password.clone(),
            camera.udp(),
            camera.pin,
            self.allow_redirect,
        );
        let (stopper, stop) = Stopper::new();
        let (report, status) = watch::channel(Status::new(net::now().wall));
        let counts = Arc::new(Counts::default());
        let path = path_of(id);
        let source = {
            let engine = Arc::clone(self);
            let (stop, path) = (stop.clone(), path.clone());
            self.keep(id, "source", stop.clone(), move || {
                let run = net::source::rtsp::run(
                    engine.hub.clone(),
                    path.clone(),
                    config.clone(),
                    report.clone(),
                    stop.clone(),
                );
                Box::pin(run)
            })
        };
        let recorder = {
            let engine = Arc::clone(self);
            let counts = Arc::clone(&counts);
            self.keep(id, "recorder", stop.clone(), move || {
                let recorder = Recorder::new(id, engine.writer.clone(), Arc::clone(&counts));
                Box::pin(recorder.run(engine.hub.clone(), path.clone(), stop.clone()))
            })
        };
        let pin = self.runtime.spawn(Arc::clone(self).watch(id, status.clone(), stopper.listen()));
        let rate = Mutex::new(Rate { at: Instant::now(), bytes: 0, per_second: 0 });
        let tasks = vec![source, recorder, pin];
        self.cameras().insert(id, Running { stopper, status, counts, tasks, rate });
        Ok(())
    }

    /// Runs a task of one camera and starts it again if it panics.
    fn keep<F>(self: &Arc<Self>, id: CameraId, what: &'static str, stop: Stop, make: F) -> JoinHandle<()>
    where
        F: Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static,
    {
        let engine = Arc::clone(self);
        self.runtime.spawn(async move {
            loop {
                match tokio::spawn(make()).await {
                    Ok(()) => return,
                    Err(e) if e.is_panic() => {
                        engine.panics.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(camera = %id, what, "panicked and is started again: {e}");
                    }
                    Err(_) => return,
                }
                if stop.is_wanted() {
                    return;
                }
                tokio::time::sleep(RESTART).await;
            }
        })
    }

    /// Pins the certificate of a camera at its first use, and opens the gap of a camera that does
    /// not come up.
    async fn watch(self: Arc<Self>, id: CameraId, mut status: watch::Receiver<Status>, mut stop: Stop) {
        loop {
            tokio::select! {
                changed = status.changed() => if changed.is_err() { return },
                () = stop.wanted() => return,
            }
            let now = status.borrow_and_update().clone();
            if let (State::Streaming, Some(certificate)) = (now.state, &now.certificate) {
                let registry = Arc::clone(&self.registry);
                let sha256 = certificate.sha256;
                let pinned = tokio::task::spawn_blocking(move || registry.pin_first(id, sha256));
                if let Ok(Err(e)) = pinned.await {
                    tracing::error!(camera = %id, "cannot keep the certificate's pin: {e}");
                }
            }
            if let Some(trouble) = &now.trouble {
                self.writer.gap_open(id, now.since, trouble.cause);
            }
        }
    }

    fn stop(&self, id: CameraId) -> Vec<JoinHandle<()>> {
        let Some(running) = self.cameras().remove(&id) else { return Vec::new() };
        running.stopper.stop();
        running.tasks
    }

    /// Stops everything and waits until each recorder has handed over its last fragment.
    pub(crate) async fn stop_all(&self, patience: Duration) {
        let ids: Vec<CameraId> = self.cameras().keys().copied().collect();
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

    fn snapshot_of(self: &Arc<Self>, id: CameraId) -> impl Future<Output = Result<Bytes>> + Send + use<> {
        let engine = Arc::clone(self);
        async move {
            let mut subscriber = engine.hub.subscribe(&path_of(id), HubKind::Live);
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
            let frame = tokio::time::timeout(Duration::from_secs(3), frame).await.map_err(|_| {
                Error::new(Kind::Unavailable, "the camera sends no picture now")
                    .with_code("camera-offline")
            })?;
            engine.jpeg(frame).await
        }
    }

    async fn jpeg(&self, frame: media::Frame) -> Result<Bytes> {
        let pictures = Arc::clone(&self.pictures);
        tokio::task::spawn_blocking(move || pictures.jpeg(&frame.params, &frame.data, PREVIEW_WIDTH))
            .await
            .map_err(|e| Error::new(Kind::Internal, e.to_string()))?
    }
}

/// The engine as the API sees it.
pub(crate) struct Handles(pub(crate) Arc<Engine>);

impl Control for Handles {
    fn changed(&self, camera: CameraId) {
        let engine = Arc::clone(&self.0);
        self.0.runtime.spawn(async move {
            for task in engine.stop(camera) {
                let _ = task.await;
            }
            if let Err(e) = engine.start(camera) {
                tracing::error!(%camera, "cannot start: {}", e.chain());
            }
        });
    }

    fn status(&self, camera: CameraId) -> Option<CameraStatus> {
        let cameras = self.0.cameras();
        let running = cameras.get(&camera)?;
        let status = running.status.borrow().clone();
        let bytes = running.counts.bytes.load(Ordering::Relaxed);
        let mut rate = running.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = rate.at.elapsed();
        if elapsed >= Duration::from_secs(1) {
            rate.per_second = ((bytes - rate.bytes) as f64 / elapsed.as_secs_f64()) as u64;
            rate.at = Instant::now();
            rate.bytes = bytes;
        }
        Some(CameraStatus {
            state: status.state,
            since: status.since,
            recorded_at: Some(Wall(running.counts.newest_us.load(Ordering::Relaxed)))
                .filter(|w| w.0 > 0),
            detail: status.trouble.map(|t| (t.code.to_owned(), t.message)),
            tracks: status.tracks.to_vec(),
            quirks: status
                .quirks
                .iter()
                .map(|(q, n)| (q.slug().to_owned(), *n, q.level().to_owned()))
                .collect(),
            bytes_per_s: rate.per_second,
            certificate: status.certificate,
        })
    }

    fn probe(
        &self,
        request: ProbeRequest,
    ) -> Pin<Box<dyn Future<Output = Result<api::Probe>> + Send>> {
        let engine = Arc::clone(&self.0);
        Box::pin(async move {
            let config = source_config(
                &request.url,
                request.user.as_deref(),
                request.password,
                request.udp,
                request.accept_certificate,
                engine.allow_redirect,
            );
            let found = net::source::rtsp::probe(config).await?;
            let preview = match found.key_frame {
                // A preview that cannot be drawn is no reason to refuse the camera.
                Some(frame) => engine.jpeg(frame).await.ok(),
                None => None,
            };
            Ok(api::Probe {
                tracks: found.tracks,
                server: found.server,
                quirks: found
                    .quirks
                    .iter()
                    .map(|(q, n)| (q.slug().to_owned(), *n, q.level().to_owned()))
                    .collect(),
                preview_jpeg: preview,
                certificate: found.certificate,
            })
        })
    }

    fn snapshot(&self, camera: CameraId) -> Pin<Box<dyn Future<Output = Result<Bytes>> + Send>> {
        Box::pin(self.0.snapshot_of(camera))
    }

    fn metrics(&self, out: &mut String) {
        use std::fmt::Write as _;
        let cameras = self.0.cameras();
        let mut put = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Running) -> Vec<(String, u64)>| {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (id, running) in cameras.iter() {
                for (labels, value) in value(running) {
                    let _ = writeln!(out, "{name}{{camera=\"{id}\"{labels}}} {value}");
                }
            }
        };
        let plain = |v: u64| vec![(String::new(), v)];
        put("khien_camera_up", "gauge", "1 while frames come", &|r| {
            plain(u64::from(r.status.borrow().state == State::Streaming))
        });
        put("khien_camera_recorded_bytes_total", "counter", "Bytes handed to the disk", &|r| {
            plain(r.counts.bytes.load(Ordering::Relaxed))
        });
        put("khien_camera_fragments_total", "counter", "Fragments handed to the disk", &|r| {
            plain(r.counts.fragments.load(Ordering::Relaxed))
        });
        put("khien_camera_packets_lost_total", "counter", "Packets lost on the way", &|r| {
            plain(r.status.borrow().lost)
        });
        put("khien_camera_attempts_total", "counter", "Connections tried", &|r| {
            plain(r.status.borrow().attempts)
        });
        put("khien_camera_quirk_total", "counter", "Tolerated deviations", &|r| {
            let quirks = r.status.borrow().quirks.clone();
            quirks.iter().map(|(q, n)| (format!(",quirk=\"{}\"", q.slug()), *n)).collect()
        });
        let _ = writeln!(
            out,
            "# HELP khien_panics_total Camera tasks that panicked and were started again\n\
             # TYPE khien_panics_total counter\nkhien_panics_total {}",
            self.0.panics.load(Ordering::Relaxed)
        );
    }
}
