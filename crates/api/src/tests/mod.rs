//! The whole desk behind a fake engine, asked as the listeners would ask it.

mod access;
mod account;
mod cameras;
mod history;
mod http;
mod listeners;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::http::{HeaderMap, Request};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hub::Hub;
use media::{CameraId, Wall};
use net::sink::fmp4;
use serde_json::Value;
use stdx::{Error, Kind, Secret};
use store::Store;
use store::registry::{NewCamera, NewUser, Registry, Role};
use tower::ServiceExt as _;

use crate::auth::{Peer, session};
use crate::control::{CameraState, CameraStatus, Detail, Later};
use crate::{App, Clock, Control, Parts, Probe, ProbeRequest, routes};

pub(super) const NOW: Wall = Wall(1_785_567_600_000_000);
pub(super) const PASSWORD: &str = "gate otter brisk 91";
pub(super) const JPEG: &[u8] = b"\xff\xd8 picture \xff\xd9";

/// An engine that remembers what it was told.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) changed: Mutex<Vec<CameraId>>,
    pub(super) probed: Mutex<Vec<ProbeRequest>>,
    pub(super) fails: Mutex<Option<(Kind, &'static str)>>,
}

impl Fake {
    fn answer<T: Send + 'static>(&self, good: T) -> Later<T> {
        let result = match *self.fails.lock().unwrap() {
            None => Ok(good),
            Some((kind, code)) => Err(Error::new(kind, "the camera says no").with_code(code)),
        };
        Box::pin(std::future::ready(result))
    }
}

impl Control for Fake {
    fn changed(&self, camera: CameraId) {
        self.changed.lock().unwrap().push(camera);
    }

    fn status(&self, _: CameraId) -> Option<CameraStatus> {
        Some(CameraStatus {
            state: CameraState::Refused,
            since: NOW,
            detail: Some(Detail {
                code: "camera-auth".to_owned(),
                message: "the camera refuses the password".to_owned(),
            }),
            tracks: Vec::new(),
            quirks: vec![("base-url".to_owned(), 3, "common".to_owned())],
            bytes_per_s: 12,
        })
    }

    fn probe(&self, request: ProbeRequest) -> Later<Probe> {
        self.probed.lock().unwrap().push(request);
        let certificate = crate::Certificate {
            sha256: [0xab; 32],
            subject: "CN=camera".to_owned(),
            not_after: NOW,
        };
        self.answer(Probe {
            preview_jpeg: Some(Bytes::from_static(JPEG)),
            certificate: Some(certificate),
            ..Probe::default()
        })
    }

    fn snapshot(&self, _: CameraId) -> Later<Bytes> {
        self.answer(Bytes::from_static(JPEG))
    }

    fn metrics(&self, out: &mut String) {
        out.push_str("khien_fake 1\n");
    }
}

/// Who asks.
#[derive(Clone)]
pub(super) enum Who {
    Nobody,
    Local,
    Token(Secret),
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub(super) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        for field in ["type", "title", "detail", "code"] {
            assert!(json[field].as_str().is_some_and(|s| !s.is_empty()), "{field}: {json}");
        }
        json["code"].as_str().unwrap().to_owned()
    }

    /// The session token in `Set-Cookie`.
    pub(super) fn token(&self) -> Secret {
        let cookie = self.headers["set-cookie"].to_str().unwrap();
        let value = cookie.split(['=', ';']).nth(1).unwrap();
        Secret::from(value)
    }
}

pub(super) struct Desk {
    pub(super) app: App,
    pub(super) control: Arc<Fake>,
    pub(super) dir: tempfile::TempDir,
    pub(super) hub: Hub,
    now: Arc<Mutex<(Instant, Wall)>>,
    router: axum::Router,
}

impl Desk {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = Arc::new(Mutex::new((Instant::now(), NOW)));
        let control = Arc::new(Fake::default());
        let hub = Hub::new();
        let clock = Arc::clone(&now);
        let app = App::new(Parts {
            store: Store::open(dir.path(), store::Options::default(), NOW).unwrap(),
            registry: Registry::open(dir.path()).unwrap(),
            live: fmp4::Live::new(hub.clone()),
            control: Arc::clone(&control) as Arc<dyn Control>,
            names: vec!["nvr.lan".to_owned()],
            version: "1.2.3".to_owned(),
            metrics_token: Some(Secret::from("canary-metrics-token")),
            ca_pem: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
            clock: Clock::new(move || *clock.lock().unwrap()),
        })
        .unwrap();
        let router = routes::router(&app);
        Self { app, control, dir, hub, now, router }
    }

    /// Time passes.
    pub(super) fn wait(&self, seconds: u64) {
        let d = Duration::from_secs(seconds);
        let mut now = self.now.lock().unwrap();
        *now = (now.0 + d, now.1.plus(d));
    }

    pub(super) async fn user(&self, name: &str, role: Role) {
        let password_hash =
            self.app.hasher().turn().await.unwrap().hash(Secret::from(PASSWORD)).await.unwrap();
        let new = NewUser { name: name.to_owned(), role, password_hash, language: "en".to_owned() };
        self.app.registry().add_user(new, NOW).unwrap();
    }

    pub(super) async fn session(&self, name: &str) -> Who {
        let address = IpAddr::from([192, 0, 2, 7]);
        let token = self.app.open_session(name.to_owned(), &HeaderMap::new(), address, None).await;
        Who::Token(token.unwrap())
    }

    pub(super) fn camera(&self, name: &str) -> CameraId {
        let new = NewCamera {
            name: name.to_owned(),
            url: "rtsp://192.0.2.9/stream".to_owned(),
            user: Some("admin".to_owned()),
            password: Some(Secret::from("canary-camera-password")),
            ..NewCamera::default()
        };
        self.app.registry().add_camera(new, NOW).unwrap().id
    }

    /// A request as our own page would send it over TLS.
    pub(super) fn request(
        method: &str,
        path: &str,
        who: &Who,
        body: Option<&Value>,
    ) -> Request<Body> {
        let mut builder = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "nvr.lan:8443")
            .header("origin", "https://nvr.lan:8443");
        let peer = match who {
            Who::Local => Peer::local(None),
            _ => Peer { address: IpAddr::from([192, 0, 2, 7]), tls: true, ..Peer::unknown() },
        };
        if let Who::Token(token) = who {
            builder = builder.header("cookie", format!("__Host-khien={}", token.reveal()));
        }
        if body.is_some() {
            builder = builder.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
        let mut request = builder.body(body).unwrap();
        request.extensions_mut().insert(peer);
        request
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        who: &Who,
        body: Option<Value>,
    ) -> Answer {
        self.send(Self::request(method, path, who, body.as_ref())).await
    }
}

/// Whether a token is a live session.
pub(super) fn alive(desk: &Desk, who: &Who) -> bool {
    let Who::Token(token) = who else { return false };
    desk.app.registry().session(&session::hash(token.reveal())).unwrap().is_some()
}
