//! How the other verbs reach the recorder: through the Unix socket in the data directory while
//! `serve` runs there, and otherwise by opening the directory in this process, with the same
//! routes and the same answers.
//!
//! In this process the directory's lock is held for as long as a verb takes, so that no `serve`
//! starts on what is being changed. `check` needs neither: it only reads.

use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::{App, Clock, Idle, Parts};
use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hub::Hub;
use hyper_util::rt::TokioIo;
use net::sink::fmp4;
use serde_json::Value;
use stdx::{Error, Kind, Result};
use store::Store;
use store::registry::{self, Registry};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt as _;

/// The socket's name inside the data directory.
const SOCKET: &str = "khien.sock";
/// Longest path that fits into a socket's address.
const SOCKET_PATH_MAX: usize = 100;
/// Another verb, or a `serve` that starts or ends, holds the directory this long at most.
const BUSY_MAX: Duration = Duration::from_secs(5);
const BUSY_STEP: Duration = Duration::from_millis(100);
/// Longer than the server itself gives an answer.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// Largest JSON that is taken from the server.
const JSON_BYTES_MAX: usize = 64 << 20;

/// Where the socket of a data directory is. Its path must be used while this lives.
pub(crate) struct Socket {
    pub(crate) path: PathBuf,
    /// A long path is reached through the directory's descriptor.
    _dir: Option<File>,
}

impl Socket {
    /// # Errors
    /// When the directory cannot be opened.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let path = dir.join(SOCKET);
        if path.as_os_str().len() <= SOCKET_PATH_MAX {
            return Ok(Self { path, _dir: None });
        }
        let dir = File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()));
        Ok(Self { path, _dir: Some(dir) })
    }

    /// A connection to the server, if one listens.
    pub(crate) async fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(&self.path).await.ok()
    }
}

/// The way to the recorder of one data directory.
pub(crate) enum Local {
    /// `serve` runs.
    Socket(Socket),
    /// It does not; the directory is open here.
    Here(Box<api::Local>),
}

impl Local {
    /// For verbs that need a data directory which is there already.
    ///
    /// # Errors
    /// `NotFound` when it is not, `FailedPrecondition` while another process holds it.
    pub(crate) async fn open(dir: &Path) -> Result<Self> {
        directory(dir)?;
        let has = |name: &str| dir.join(name).exists();
        if ![registry::FILE, "index.db", "media", SOCKET].iter().any(|name| has(name)) {
            let message = format!(
                "{} is no data directory of khien: nothing was ever recorded or set up there",
                dir.display()
            );
            return Err(Error::new(Kind::NotFound, message).with_code("no-directory"));
        }
        Self::open_or_create(dir).await
    }

    /// As [`Local::open`], but makes a directory that is missing.
    pub(crate) async fn open_or_create(dir: &Path) -> Result<Self> {
        directory(dir)?;
        let until = Instant::now() + BUSY_MAX;
        loop {
            if dir.is_dir() {
                let socket = Socket::of(dir)?;
                if socket.connect().await.is_some() {
                    return Ok(Self::Socket(socket));
                }
            }
            let here = dir.to_owned();
            let opened = tokio::task::spawn_blocking(move || open_here(&here)).await;
            let opened = opened.map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
            match opened {
                Ok(app) => return Ok(Self::Here(Box::new(app.local_router()))),
                Err(e) if e.code() == Some("in-use") && Instant::now() < until => {
                    sleep(BUSY_STEP).await;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Asks and returns the answer if it is a good one; the body is still to be read.
    ///
    /// # Errors
    /// What the server answered, or that it does not answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        body: Option<&Value>,
    ) -> Result<Response<Body>> {
        let mut request = Request::builder().method(method).uri(uri).header(header::HOST, "khien");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        let request = request.body(body).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        let silent = || Error::new(Kind::Unavailable, "khien serve does not answer");
        let response = match self {
            Self::Socket(socket) => timeout(ANSWER_MAX, over(socket, request)).await,
            Self::Here(router) => {
                let answer = router.as_ref().clone().oneshot(request);
                timeout(ANSWER_MAX, async { answer.await.map_err(|e| match e {}) }).await
            }
        };
        let response = response.map_err(|_| silent())??;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        Err(refusal(status, &read(response).await.unwrap_or_default()))
    }

    /// The JSON at `uri`.
    ///
    /// # Errors
    /// As [`Local::send`].
    pub(crate) async fn get(&self, uri: &str) -> Result<Value> {
        json(&read(self.send("GET", uri, None).await?).await?)
    }

    /// Posts JSON and returns what comes back: null for nothing.
    ///
    /// # Errors
    /// As [`Local::send`].
    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Result<Value> {
        let answer = read(self.send("POST", uri, Some(body)).await?).await?;
        if answer.is_empty() { Ok(Value::Null) } else { json(&answer) }
    }

    /// The id of the camera of this name, or of this id.
    ///
    /// # Errors
    /// `NotFound`, naming those that there are.
    pub(crate) async fn camera_id(&self, name: &str) -> Result<String> {
        let cameras = self.get("/api/v1/cameras").await?;
        let all = cameras.as_array().map(Vec::as_slice).unwrap_or_default();
        let by = |key: &str| all.iter().find(|c| c[key] == name);
        if let Some(id) = by("name").or_else(|| by("id")).and_then(|c| c["id"].as_str()) {
            return Ok(id.to_owned());
        }
        let names: Vec<&str> = all.iter().filter_map(|c| c["name"].as_str()).collect();
        let known = if names.is_empty() {
            "there are none yet; add one with `khien cameras add`".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        let message = format!("there is no camera \"{name}\"; {known}");
        Err(Error::new(Kind::NotFound, message).with_code("camera-unknown"))
    }

    /// As [`Local::camera_id`], for what was recorded: also the id of a removed camera.
    ///
    /// # Errors
    /// `NotFound`, naming those that there are and those that were.
    pub(crate) async fn footage_id(&self, name: &str) -> Result<String> {
        let e = match self.camera_id(name).await {
            Err(e) if e.kind() == Kind::NotFound => e,
            found => return found,
        };
        let removed = self.get("/api/v1/cameras/removed").await?;
        let all = removed.as_array().map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<&str> = all.iter().filter_map(|c| c["id"].as_str()).collect();
        if ids.contains(&name) {
            return Ok(name.to_owned());
        }
        if ids.is_empty() {
            return Err(e);
        }
        Err(e.map_message(|m| format!("{m}; removed, but with recordings: {}", ids.join(", "))))
    }
}

/// # Errors
/// `InvalidArgument` when `dir` is there and no directory.
pub(crate) fn directory(dir: &Path) -> Result<()> {
    if !dir.exists() || dir.is_dir() {
        return Ok(());
    }
    let message = format!(
        "{} is a file; --data takes a directory, which khien makes where there is none",
        dir.display()
    );
    Err(Error::new(Kind::InvalidArgument, message).with_code("no-directory"))
}

/// Opens a data directory in this process. Blocks.
fn open_here(dir: &Path) -> Result<App> {
    let clock = Clock::system();
    let full = |e: &Error| matches!(e.kind(), Kind::ResourceExhausted | Kind::PermissionDenied);
    // A full or write-protected disk can still be looked at.
    let store = match Store::open(dir, store::Options::default(), clock.wall()) {
        Err(e) if full(&e) => Store::open_read(dir).map_err(|_| e)?,
        opened => opened?,
    };
    // What a crash left is in the answer only once it was put in order.
    store.wait_recovered();
    store.flush();
    let registry = match open_registry(dir) {
        Err(e) if full(&e) => Registry::open_read(dir).map_err(|_| e)?,
        opened => opened?,
    };
    App::new(Parts {
        store,
        registry,
        live: fmp4::Live::new(Hub::new()),
        control: Arc::new(Idle),
        names: Vec::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ca_pem: None,
        metrics_token: None,
        clock,
    })
}

/// Opens cameras and accounts, and says what to do when they are damaged.
pub(crate) fn open_registry(dir: &Path) -> Result<Registry> {
    Registry::open(dir).map_err(|e| match e.kind() {
        Kind::DataLoss => e.map_message(|m| {
            format!(
                "{m}; the database of cameras and accounts is damaged. Put a backup in its place, \
                 or move it away to begin with a new one: recordings are not touched"
            )
        }),
        _ => e,
    })
}

/// One request over a connection of its own.
async fn over(socket: &Socket, request: Request<Body>) -> Result<Response<Body>> {
    let broken = |e: hyper::Error| {
        Error::new(Kind::Unavailable, "the connection to khien serve broke").with_source(e)
    };
    let stream = UnixStream::connect(&socket.path).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok(response.map(Body::new))
}

async fn read(response: Response<Body>) -> Result<bytes::Bytes> {
    let body = Limited::new(response.into_body(), JSON_BYTES_MAX).collect().await;
    let body =
        body.map_err(|e| Error::new(Kind::Unavailable, format!("the answer broke off: {e}")));
    Ok(body?.to_bytes())
}

fn json(body: &[u8]) -> Result<Value> {
    serde_json::from_slice(body)
        .map_err(|e| Error::new(Kind::Internal, "the answer is not JSON").with_source(e))
}

/// What the server said no with, as an error of ours.
fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let kind = match status.as_u16() {
        401 => Kind::Unauthenticated,
        403 => Kind::PermissionDenied,
        404 | 410 => Kind::NotFound,
        409 => Kind::AlreadyExists,
        429 => Kind::ResourceExhausted,
        400..=499 => Kind::InvalidArgument,
        501 => Kind::Unsupported,
        502..=504 => Kind::Unavailable,
        _ => Kind::Internal,
    };
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    Error::new(kind, detail)
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-_~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_segment_is_one_segment() {
        for (text, want) in [
            ("an", "an"),
            ("../an", "%2E%2E%2Fan"),
            ("a b?c#d%", "a%20b%3Fc%23d%25"),
            ("Cổng", "C%E1%BB%95ng"),
        ] {
            assert_eq!(segment(text), want);
        }
    }

    #[tokio::test]
    async fn without_a_server_the_directory_is_opened_here() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        let e = Local::open(&dir).await.err().expect("there is nothing");
        assert_eq!((e.kind(), e.code()), (Kind::NotFound, Some("no-directory")));
        assert!(!dir.exists(), "looking makes nothing");

        let local = Local::open_or_create(&dir).await.unwrap();
        let body = json!({ "name": "gate", "url": "rtsp://192.0.2.1/x", "password": "secret" });
        let added = local.post("/api/v1/cameras", &body).await.unwrap();
        assert_eq!(local.camera_id("gate").await.unwrap(), added["id"].as_str().unwrap());
        let e = local.camera_id("yard").await.unwrap_err();
        assert!(e.message().contains("there are: gate"), "{e}");
        let e = local.post("/api/v1/cameras", &body).await.unwrap_err();
        assert_eq!(e.kind(), Kind::AlreadyExists);
        let e = local.get("/api/v1/cameras/0123456789abcdef").await.unwrap_err();
        assert_eq!((e.kind(), e.message()), (Kind::NotFound, "there is no such camera"));
        drop(local);
        let again = Local::open(&dir).await.unwrap();
        assert_eq!(again.get("/api/v1/cameras").await.unwrap()[0]["name"], "gate");
    }

    #[tokio::test]
    async fn recordings_of_a_removed_camera_are_found_by_its_id() {
        let temp = tempfile::tempdir().unwrap();
        let id = media::CameraId::from_bits(7);
        {
            let now = Clock::system().wall();
            let store = Store::open(temp.path(), store::Options::default(), now).unwrap();
            store.writer().gap_open(id, now, media::Cause::SwitchedOff);
            store.flush();
            store.shutdown();
        }
        let local = Local::open(temp.path()).await.unwrap();
        let id = id.to_string();
        assert_eq!(local.footage_id(&id).await.unwrap(), id);
        let e = local.footage_id("gate").await.unwrap_err();
        assert!(e.kind() == Kind::NotFound && e.message().contains(&id), "{e}");
        assert!(local.camera_id(&id).await.is_err(), "there is nothing to remove or to accept");
    }

    #[tokio::test]
    async fn a_file_is_no_data_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for opened in [Local::open(file.path()).await, Local::open_or_create(file.path()).await] {
            let e = opened.err().expect("refused");
            assert!(e.kind() == Kind::InvalidArgument && e.message().contains("--data"), "{e}");
        }
    }

    #[tokio::test]
    async fn a_server_is_spoken_to_also_behind_a_long_path() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("d".repeat(120));
        std::fs::create_dir(&dir).unwrap();
        let open = dir.clone();
        let app = tokio::task::spawn_blocking(move || open_here(&open)).await.unwrap().unwrap();
        let (stopper, stop) = net::Stopper::new();
        let socket = Socket::of(&dir).unwrap();
        let path = socket.path.clone();
        let serving = tokio::spawn(async move { api::serve_unix(&path, app, stop).await });
        let local = loop {
            if socket.connect().await.is_some() {
                break Local::open(&dir).await.unwrap();
            }
            tokio::task::yield_now().await;
        };
        assert!(matches!(local, Local::Socket(_)));
        assert_eq!(local.get("/api/v1/cameras").await.unwrap(), json!([]));
        stopper.stop();
        serving.await.unwrap().unwrap();
    }
}
