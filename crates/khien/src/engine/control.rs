//! The engine as the desk sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use api::{CameraState, CameraStatus, Certificate, Control, Detail, Later, Probe, ProbeRequest};
use bytes::Bytes;
use media::{CameraId, Wall};
use net::source::{State, Status};
use rtsp::quirk::{Level, Quirk};

use super::{Engine, Running, lock, source};

/// The engine's handle for the desk.
pub(crate) struct Handles(pub(crate) Arc<Engine>);

impl Control for Handles {
    fn changed(&self, camera: CameraId) {
        let engine = Arc::clone(&self.0);
        self.0.runtime.spawn(async move {
            if let Err(e) = engine.settle(camera).await {
                tracing::error!(%camera, "cannot do as the registry says: {}", e.chain());
            }
        });
    }

    fn status(&self, camera: CameraId) -> Option<CameraStatus> {
        let cameras = lock(&self.0.cameras);
        let running = cameras.get(&camera)?;
        let status = running.status.borrow().clone();
        let (recording, bytes_per_s) = look(running);
        let troubles = self.0.store.troubles();
        let written = troubles.iter().all(|t| !matches!(t.code, "disk-full" | "disk" | "dead"));
        Some(CameraStatus {
            state: state(&status, recording && written),
            since: status.since,
            detail: status.trouble.map(|t| Detail { code: t.code.to_owned(), message: t.message }),
            tracks: status.tracks.to_vec(),
            quirks: quirks(&status.quirks),
            bytes_per_s,
        })
    }

    fn probe(&self, request: ProbeRequest) -> Later<Probe> {
        let engine = Arc::clone(&self.0);
        Box::pin(async move {
            let ProbeRequest { url, user, password, transport, accept_certificate } = request;
            let user = user.as_deref();
            let config = source(&url, user, password, transport, accept_certificate, &engine.rules);
            let found = net::source::rtsp::probe(config).await?;
            let preview_jpeg = match found.key_frame {
                // A preview that cannot be drawn is no reason to refuse the camera.
                Some(frame) => {
                    let drawn = engine.jpeg(frame).await;
                    drawn.inspect_err(|e| tracing::warn!("no preview: {}", e.chain())).ok()
                }
                None => None,
            };
            Ok(Probe {
                tracks: found.tracks,
                server: found.server,
                quirks: quirks(&found.quirks),
                preview_jpeg,
                certificate: found.certificate.map(|c| Certificate {
                    sha256: c.sha256,
                    subject: c.subject,
                    not_after: Wall(c.not_after_s.saturating_mul(1_000_000)),
                }),
            })
        })
    }

    fn snapshot(&self, camera: CameraId) -> Later<Bytes> {
        Box::pin(Arc::clone(&self.0).picture(camera))
    }

    fn metrics(&self, out: &mut String) {
        self.0.figures(out);
    }

    fn warnings(&self) -> Vec<Detail> {
        let troubles = self.0.store.troubles().into_iter();
        let mut all: Vec<Detail> =
            troubles.map(|t| Detail { code: t.code.to_owned(), message: t.message }).collect();
        all.extend(lock(&self.0.warning).clone());
        all
    }
}

/// Whether the recorder hands over fragments, and bytes per second.
fn look(running: &Running) -> (bool, u64) {
    let now = Instant::now();
    let count = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
    let mut pace = lock(&running.pace);
    pace.look(now, count(&running.counts.bytes), count(&running.counts.fragments));
    (pace.moves(now), pace.per_second)
}

fn state(status: &Status, recording: bool) -> CameraState {
    match status.state {
        State::Connecting => CameraState::Connecting,
        State::Streaming if recording => CameraState::Recording,
        State::Streaming => CameraState::Live,
        State::Offline => CameraState::Offline,
        State::Refused => CameraState::Refused,
    }
}

fn quirks(seen: &[(Quirk, u64)]) -> Vec<(String, u64, String)> {
    let word = |level| match level {
        Level::Counter => "counter",
        Level::Note => "note",
        Level::Warning => "warning",
    };
    seen.iter().map(|(q, n)| (q.slug().to_owned(), *n, word(q.level()).to_owned())).collect()
}
