//! What every route can reach, and who a request is from.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, StatusCode};
use media::{CameraId, Wall};
use net::sink::fmp4;
use stdx::{Kind, Result, Secret};
use store::Store;
use store::registry::{Camera, Registry, Session, User};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::password::Hasher;
use crate::auth::throttle::Throttle;
use crate::auth::{Caller, Peer, session};
use crate::control::Control;
use crate::problem::Problem;

/// How long the set-up link is good.
pub const SETUP_LINK: Duration = Duration::from_secs(30 * 60);
/// Most live viewers at once, over all cameras.
pub const VIEWERS_MAX: usize = 256;
/// Most connections at once from the network.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Most connections at once over the Unix socket: a full network does not shut the operator out.
pub(crate) const LOCAL_CONNECTIONS_MAX: usize = 64;
/// Exports that are planned at once: a long one takes hundreds of megabytes for its tables.
pub(crate) const PLANS_MAX: usize = 2;
/// Exports that are open at once, each with its tables in memory until it was read.
pub(crate) const EXPORTS_MAX: usize = 8;
/// How long an export waits for its turn.
const EXPORT_WAIT: Duration = Duration::from_secs(5);

/// Both clocks. A test brings its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> (Instant, Wall) + Send + Sync>);

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self::new(|| (Instant::now(), Wall::from_system(SystemTime::now())))
    }

    /// Clocks of the caller's making.
    pub fn new(read: impl Fn() -> (Instant, Wall) + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Monotonic time.
    pub fn mono(&self) -> Instant {
        (self.0)().0
    }

    /// Wall time.
    pub fn wall(&self) -> Wall {
        (self.0)().1
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What the desk is made of.
pub struct Parts {
    /// The recordings.
    pub store: Store,
    /// Cameras, users, sessions.
    pub registry: Registry,
    /// The live pictures. The hub path of a camera is its id as it prints.
    pub live: fmp4::Live,
    /// The engine.
    pub control: Arc<dyn Control>,
    /// Names other than `localhost` and addresses under which people reach this server.
    pub names: Vec<String>,
    /// The version that `/status` tells to people who are logged in.
    pub version: String,
    /// The local CA's certificate, where there is one.
    pub ca_pem: Option<String>,
    /// What a collector of figures presents instead of a session, for `/metrics` only.
    pub metrics_token: Option<Secret>,
    /// The clocks.
    pub clock: Clock,
}

/// The desk. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    hasher: Hasher,
    throttle: Mutex<Throttle>,
    setup: Mutex<Option<SetupLink>>,
    counters: Counters,
    viewers: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    local_connections: Arc<Semaphore>,
    plans: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    /// Held while it is looked whether a name is free and the account is added.
    accounts: Mutex<()>,
    metrics_sha256: Option<[u8; 32]>,
}

struct SetupLink {
    sha256: [u8; 32],
    until: Instant,
}

/// What `/metrics` counts here.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Answers by hundreds of their status, from 1xx to 5xx.
    pub(crate) answers: [AtomicU64; 5],
    pub(crate) logins_ok: AtomicU64,
    pub(crate) logins_failed: AtomicU64,
    pub(crate) logins_locked: AtomicU64,
}

impl Counters {
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// Puts the desk together. Takes a moment: it hashes a password that nobody knows.
    ///
    /// # Errors
    /// `Internal` when the system gives no randomness.
    pub fn new(parts: Parts) -> Result<Self> {
        let metrics_sha256 = parts.metrics_token.as_ref().map(|t| session::hash(t.reveal()));
        Ok(Self(Arc::new(Inner {
            parts,
            hasher: Hasher::new()?,
            throttle: Mutex::default(),
            setup: Mutex::new(None),
            counters: Counters::default(),
            viewers: Arc::new(Semaphore::new(VIEWERS_MAX)),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            local_connections: Arc::new(Semaphore::new(LOCAL_CONNECTIONS_MAX)),
            plans: Arc::new(Semaphore::new(PLANS_MAX)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            accounts: Mutex::new(()),
            metrics_sha256,
        })))
    }

    /// A fresh one-time token for `/setup?token=…`, good for [`SETUP_LINK`] or until the next
    /// call; `None` once there is an owner. Blocks on the database.
    ///
    /// # Errors
    /// The database's, or `Internal` without randomness.
    pub fn setup_link_token(&self) -> Result<Option<Secret>> {
        if self.registry().has_owner()? {
            return Ok(None);
        }
        let (token, sha256) = session::token()?;
        *lock(&self.0.setup) = Some(SetupLink { sha256, until: self.clock().mono() + SETUP_LINK });
        Ok(Some(token))
    }

    pub(crate) fn setup_token_is(&self, token: &str) -> bool {
        let given = session::hash(token);
        lock(&self.0.setup).as_ref().is_some_and(|link| {
            bool::from(link.sha256.ct_eq(&given)) && self.clock().mono() < link.until
        })
    }

    /// The link has done its work.
    pub(crate) fn close_setup(&self) {
        *lock(&self.0.setup) = None;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.parts.store
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.parts.registry
    }

    pub(crate) fn live(&self) -> &fmp4::Live {
        &self.0.parts.live
    }

    pub(crate) fn control(&self) -> &dyn Control {
        &*self.0.parts.control
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0.parts.names
    }

    pub(crate) fn version(&self) -> &str {
        &self.0.parts.version
    }

    pub(crate) fn ca_pem(&self) -> Option<&str> {
        self.0.parts.ca_pem.as_deref()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.parts.clock
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.0.throttle)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn viewers(&self) -> &Arc<Semaphore> {
        &self.0.viewers
    }

    pub(crate) fn connections(&self) -> &Arc<Semaphore> {
        &self.0.connections
    }

    pub(crate) fn local_connections(&self) -> &Arc<Semaphore> {
        &self.0.local_connections
    }

    pub(crate) fn accounts(&self) -> MutexGuard<'_, ()> {
        lock(&self.0.accounts)
    }

    /// Whether the request carries the token of `/metrics`.
    pub(crate) fn may_collect(&self, headers: &HeaderMap) -> bool {
        let Some(want) = &self.0.metrics_sha256 else { return false };
        let given = headers.get(http::header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = given
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        token.is_some_and(|(_, token)| session::hash(token.trim()).ct_eq(want).into())
    }

    /// A turn to plan an export, and its place among those that are read.
    pub(crate) async fn export_turn(
        &self,
    ) -> std::result::Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Problem> {
        let both = async {
            let place = Arc::clone(&self.0.exports).acquire_owned().await.ok()?;
            let turn = Arc::clone(&self.0.plans).acquire_owned().await.ok()?;
            Some((turn, place))
        };
        let got = tokio::time::timeout(EXPORT_WAIT, both).await.ok().flatten();
        got.ok_or_else(|| {
            let detail = "other exports are being made; try again in a moment";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "exports-busy", detail);
            problem.retry_after(EXPORT_WAIT.as_secs())
        })
    }

    /// Runs what blocks (database, files) where it may.
    pub(crate) async fn blocking<T, E>(
        &self,
        f: impl FnOnce(&Self) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let app = self.clone();
        match tokio::task::spawn_blocking(move || f(&app)).await {
            Ok(result) => result.map_err(Into::into),
            Err(e) => {
                tracing::error!("a request's blocking part failed: {e}");
                Err(Problem::internal())
            }
        }
    }

    /// Who sends this request: decided by the connection and the session cookie, by nothing else.
    pub(crate) async fn caller(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> std::result::Result<Caller, Problem> {
        if peer.local {
            return Ok(Caller::Local);
        }
        let Some(token) = session::presented(headers, peer) else { return Ok(Caller::Anonymous) };
        self.session(token).await
    }

    /// Who a session belongs to, if it is still good; notes that it was used.
    pub(crate) async fn session(&self, token: [u8; 32]) -> std::result::Result<Caller, Problem> {
        let found = self.blocking(move |app| app.look_up(token)).await?;
        Ok(found.map_or(Caller::Anonymous, |(session, user)| Caller::User {
            name: user.name,
            role: user.role,
            language: user.language,
            session: session.token_sha256,
        }))
    }

    fn look_up(&self, token: [u8; 32]) -> Result<Option<(Session, User)>> {
        let now = self.clock().wall();
        let Some((session, user)) = self.registry().session(&token)? else { return Ok(None) };
        if !session::alive(&session, now) {
            self.registry().remove_session(&token)?;
            return Ok(None);
        }
        if now.us_since(session.last_seen) >= session::TOUCH_US {
            self.registry().touch_session(&token, now)?;
        }
        Ok(Some((session, user)))
    }

    /// Opens a session. The token goes into the cookie.
    pub(crate) async fn open_session(
        &self,
        user: String,
        headers: &HeaderMap,
        address: IpAddr,
        replaces: Option<[u8; 32]>,
    ) -> std::result::Result<Secret, Problem> {
        let agent = headers.get(http::header::USER_AGENT).and_then(|v| v.to_str().ok());
        let agent = agent.unwrap_or_default().to_owned();
        self.blocking(move |app| {
            let (token, token_sha256) = session::token()?;
            let now = app.clock().wall();
            let registry = app.registry();
            registry.purge_sessions(now, now.plus_us(-session::IDLE_US))?;
            if let Some(old) = replaces {
                registry.remove_session(&old)?;
            }
            registry.add_session(&Session {
                token_sha256,
                user,
                created: now,
                last_seen: now,
                expires: now.plus_us(session::ABSOLUTE_S * 1_000_000),
                agent,
                address: address.to_string(),
            })?;
            Ok::<_, stdx::Error>(token)
        })
        .await
    }

    /// The camera that a path names, if this caller may know of it. Every route about one camera
    /// gets it here or by [`App::footage`], so that rights per camera have one place.
    pub(crate) async fn camera(
        &self,
        caller: &Caller,
        id: &str,
    ) -> std::result::Result<Camera, Problem> {
        let id = camera_id(caller, id)?;
        self.blocking(move |app| app.registry().camera(id)).await
    }

    /// Id and name of a camera whose recordings are asked for. Owners also reach those of a
    /// removed camera, whose name is its id.
    pub(crate) async fn footage(
        &self,
        caller: &Caller,
        id: &str,
    ) -> std::result::Result<(CameraId, String), Problem> {
        let (id, owner) = (camera_id(caller, id)?, caller.is_owner());
        self.blocking(move |app| match app.registry().camera(id) {
            Ok(camera) => Ok((id, camera.name)),
            Err(e) if e.kind() == Kind::NotFound && owner => {
                if app.store().cameras()?.contains(&id) { Ok((id, id.to_string())) } else { Err(e) }
            }
            Err(e) => Err(e),
        })
        .await
    }
}

fn camera_id(caller: &Caller, id: &str) -> std::result::Result<CameraId, Problem> {
    if caller.role().is_none() {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "session", "log in first"));
    }
    let unknown = "there is no such camera";
    id.parse().map_err(|_| Problem::new(StatusCode::NOT_FOUND, "camera-unknown", unknown))
}

/// Guarded values are changed in whole steps; a panic elsewhere does not spoil them.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
