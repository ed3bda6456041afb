//! What the desk asks of the engine. The wiring in the top crate implements it; the desk itself
//! never starts or stops a camera.

use std::pin::Pin;

use bytes::Bytes;
use media::{CameraId, Track, Wall};
use stdx::{Error, Kind, Secret};
use store::registry::Transport;

/// An answer that takes time.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The engine behind the desk.
pub trait Control: Send + Sync + 'static {
    /// A camera was added, edited or removed in the registry: start, restart or stop it. Must not
    /// block.
    fn changed(&self, camera: CameraId);

    /// How a camera is doing; `None` for one that is not run.
    fn status(&self, camera: CameraId) -> Option<CameraStatus>;

    /// Connects once to a camera that is not in the registry yet.
    ///
    /// Errors carry a code of `camera-host`, `camera-port`, `camera-auth`, `camera-path`,
    /// `camera-codec`, `camera-timeout`, `camera-certificate`, `camera-tls`, `camera-protocol` or
    /// `camera-url`.
    fn probe(&self, request: ProbeRequest) -> Later<Probe>;

    /// The newest key frame of a camera as JPEG.
    fn snapshot(&self, camera: CameraId) -> Later<Bytes>;

    /// Appends the engine's figures in the Prometheus text format.
    fn metrics(&self, out: &mut String);

    /// What a person should look at besides the cameras' own states.
    fn warnings(&self) -> Vec<Detail> {
        Vec::new()
    }
}

/// A code for machines and translators with its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Stable slug.
    pub code: String,
    /// What happened and what to do, in English.
    pub message: String,
}

/// The state of an enabled camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraState {
    /// Frames come and are recorded.
    Recording,
    /// Frames come and are not recorded.
    Live,
    /// On the way to its first frame.
    Connecting,
    /// It does not answer; tried again.
    Offline,
    /// It answers and refuses; a person must act.
    Refused,
}

/// How a camera is doing.
#[derive(Debug, Clone)]
pub struct CameraStatus {
    /// The state.
    pub state: CameraState,
    /// Since when.
    pub since: Wall,
    /// What is wrong, while something is.
    pub detail: Option<Detail>,
    /// Tracks of the present or last session.
    pub tracks: Vec<Track>,
    /// What it does differently from the standards: id, count, level.
    pub quirks: Vec<(String, u64, String)>,
    /// Bytes per second that come from it.
    pub bytes_per_s: u64,
}

/// A camera to connect to once.
#[derive(Debug, Clone)]
pub struct ProbeRequest {
    /// `rtsp://` or `rtsps://` address without credentials.
    pub url: String,
    /// User at the camera.
    pub user: Option<String>,
    /// Password at the camera.
    pub password: Option<Secret>,
    /// How it is to send.
    pub transport: Transport,
    /// SHA-256 of the certificate that it must show.
    pub accept_certificate: Option<[u8; 32]>,
}

/// What a camera showed.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// Its tracks.
    pub tracks: Vec<Track>,
    /// What it calls itself.
    pub server: Option<String>,
    /// As in [`CameraStatus::quirks`].
    pub quirks: Vec<(String, u64, String)>,
    /// Its first key frame as JPEG.
    pub preview_jpeg: Option<Bytes>,
    /// Its certificate, where it speaks TLS.
    pub certificate: Option<Certificate>,
}

/// A camera's certificate as people look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
    /// Whom it names.
    pub subject: String,
    /// End of its validity.
    pub not_after: Wall,
}

/// The engine that does nothing: for commands that change the registry while no server runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Idle;

impl Control for Idle {
    fn changed(&self, _: CameraId) {}

    fn status(&self, _: CameraId) -> Option<CameraStatus> {
        None
    }

    fn probe(&self, _: ProbeRequest) -> Later<Probe> {
        Box::pin(std::future::ready(Err(not_running())))
    }

    fn snapshot(&self, _: CameraId) -> Later<Bytes> {
        Box::pin(std::future::ready(Err(not_running())))
    }

    fn metrics(&self, _: &mut String) {}
}

fn not_running() -> Error {
    Error::new(Kind::Unavailable, "the recorder is not running").with_code("not-running")
}
