//! The recorder put together: store, registry, engine and desk on one data directory, started in
//! order and ended in order. `serve` and `demo` both are this.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::tls::{self, Tls};
use api::{App, Clock, Parts};
use net::sink::fmp4;
use net::{Stop, Stopper};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use stdx::{Error, Kind, Result, Secret};
use store::registry::Registry;
use store::{Limits, Options, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::config::Config;
use crate::engine::{self, Engine, Handles, Rules};
use crate::local::{self, Socket};
use crate::{log, text, token};

/// The store is told the time this often.
const TICK: Duration = Duration::from_secs(1);
/// The certificate is looked after this often.
const REFRESH: Duration = Duration::from_secs(24 * 3_600);
/// A verb that changes something while no server runs holds the directory for a moment.
const BUSY_MAX: Duration = Duration::from_secs(5);
const BUSY_STEP: Duration = Duration::from_millis(100);
/// Shares of the three seconds that an orderly end may take: recorders, then files. What a slow
/// disk holds up beyond that is adopted at the next start.
const RECORDERS_MAX: Duration = Duration::from_millis(1_000);
const FILES_MAX: Duration = Duration::from_millis(1_300);
/// A second signal sooner than this after the first one belongs to it.
const AGAIN_MIN: Duration = Duration::from_secs(1);

/// A running recorder.
pub(crate) struct Server {
    store: Store,
    pub(crate) registry: Registry,
    pub(crate) engine: Arc<Engine>,
    app: App,
    /// What to type into a browser.
    url: String,
    ca_sha256: Option<String>,
    stopper: Stopper,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Opens the data directory and begins to listen. No camera runs yet.
    ///
    /// # Errors
    /// Each says what to do: a directory in use, an address in use, a damaged database, a
    /// certificate that cannot be used.
    pub(crate) async fn start(
        dir: &Path,
        config: &Config,
        listen: Option<SocketAddr>,
    ) -> Result<Self> {
        log::start(&config.log)?;
        local::directory(dir)?;
        let rules = rules(config)?;
        let clock = Clock::system();
        let limits = limits(config);
        let store = open_store(dir, &clock, &limits).await?;
        warn_if_open_to_others(dir);
        let listen = listen.unwrap_or(config.http.listen);
        let listener = TcpListener::bind(listen).await.map_err(|e| bind(listen, e))?;
        let address = listener.local_addr()?;
        let registry = local::open_registry(dir)?;
        let mut names = config.http.names.clone();
        names.extend(tls::host_names());
        let tls = certificate(dir, config, &names, address, &clock).await?;
        let engine = Engine::new(engine::Parts {
            store: store.clone(),
            registry: registry.clone(),
            pictures: Arc::new(pixels::Worker::new(pixels::Config::new(
                config.pixels.allow_uncaged,
            ))),
            limits,
            rules,
        });
        let app = App::new(Parts {
            store: store.clone(),
            registry: registry.clone(),
            live: fmp4::Live::new(engine.hub.clone()),
            control: Arc::new(Handles(Arc::clone(&engine))),
            names,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ca_pem: tls.as_ref().and_then(|t| t.ca_pem().map(str::to_owned)),
            metrics_token: metrics_token(dir),
            clock: clock.clone(),
        })?;
        let (stopper, stop) = Stopper::new();
        let mut server = Self {
            url: url(address, tls.is_some()).await,
            ca_sha256: tls.as_ref().and_then(Tls::ca_sha256),
            tasks: Vec::new(),
            store,
            registry,
            engine,
            app,
            stopper,
        };
        server.listen(dir, listener, tls, &stop)?;
        server.tasks.push(tokio::spawn(tick(server.store.clone(), clock, stop)));
        server.look_after_pictures();
        Ok(server)
    }

    /// Starts both listeners: the verbs' socket, and the network's.
    fn listen(
        &mut self,
        dir: &Path,
        listener: TcpListener,
        tls: Option<Tls>,
        stop: &Stop,
    ) -> Result<()> {
        let socket = Socket::of(dir)?;
        let (app, until) = (self.app.clone(), stop.clone());
        self.tasks.push(tokio::spawn(async move {
            // Without it the verbs do not reach this process; recording goes on.
            if let Err(e) = api::serve_unix(&socket.path, app, until).await {
                tracing::error!("the socket for other khien commands: {}", e.chain());
            }
        }));
        let (app, until) = (self.app.clone(), stop.clone());
        let config = tls.as_ref().map(Tls::config);
        self.tasks.push(tokio::spawn(async move {
            let served = match config {
                Some(config) => api::serve_tls(listener, config, app, until).await,
                None => api::serve_plain(listener, app, until).await,
            };
            if let Err(e) = served {
                tracing::error!("the web server ended: {}", e.chain());
            }
        }));
        if let Some(tls) = tls {
            self.tasks.push(tokio::spawn(refresh(tls, stop.clone())));
        }
        Ok(())
    }

    /// Finds out in the background whether pictures can be decoded, and says so if not.
    fn look_after_pictures(&self) {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || engine.check_pictures());
    }

    /// Starts the cameras, says where the pages are, and records until a signal comes.
    ///
    /// # Errors
    /// The database's, before recording begins; `Internal` if a thread of the store broke.
    pub(crate) async fn run(self) -> Result<()> {
        let mut signals = Signals::new()?;
        self.engine.start_all().await?;
        let app = self.app.clone();
        let token = tokio::task::spawn_blocking(move || app.setup_link_token())
            .await
            .map_err(|e| Error::new(Kind::Internal, e.to_string()))??;
        self.announce(token.as_ref());
        let why = tokio::select! {
            () = signals.next() => Ok(()),
            e = broken(&self.store) => Err(e),
        };
        tracing::info!("ending");
        self.end(signals).await;
        why
    }

    fn announce(&self, token: Option<&Secret>) {
        if let Some(sha256) = &self.ca_sha256 {
            text::line(&format!("ca sha256 {sha256}"));
        }
        if let Some(token) = token {
            // Works once and for half an hour.
            text::line(&format!("setup {}/setup?token={}", self.url, token.reveal()));
        }
        text::line(&format!("ready {}", self.url));
    }

    /// Takes what the cameras have sent, seals the files, and lets go of the directory.
    async fn end(self, mut signals: Signals) {
        let Self { store, engine, stopper, tasks, .. } = self;
        stopper.stop();
        let orderly = async {
            engine.stop_all(RECORDERS_MAX).await;
            let now = net::now();
            store.tick(now.wall, now.mono);
            let files = tokio::task::spawn_blocking(move || store.shutdown());
            match timeout(FILES_MAX, files).await {
                Ok(Ok(())) => tracing::info!("all files are sealed"),
                Ok(Err(e)) => tracing::error!("sealing the files failed: {e}"),
                Err(_) => tracing::error!("the disk is too slow; the next start seals the files"),
            }
        };
        tokio::select! {
            () = orderly => {}
            () = signals.again(Instant::now()) => {
                tracing::warn!("ended at once by a second signal");
            }
        }
        for task in tasks {
            task.abort();
        }
    }
}

/// SIGTERM, SIGINT and SIGHUP: all mean to end in order. Of a second one, see
/// [`Signals::again`].
pub(crate) struct Signals([tokio::signal::unix::Signal; 3]);

impl Signals {
    /// # Errors
    /// When the system gives no handler.
    pub(crate) fn new() -> Result<Self> {
        let on = |kind| signal(kind);
        Ok(Self([
            on(SignalKind::terminate())?,
            on(SignalKind::interrupt())?,
            on(SignalKind::hangup())?,
        ]))
    }

    pub(crate) async fn next(&mut self) {
        let [term, int, hup] = &mut self.0;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = hup.recv() => {}
        }
    }

    /// Waits for a second SIGTERM or SIGINT at least [`AGAIN_MIN`] after `first`: some programs
    /// send two at once (`timeout`, a shell with its group), and nobody means haste by that.
    async fn again(&mut self, first: Instant) {
        let [term, int, _] = &mut self.0;
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if first.elapsed() >= AGAIN_MIN {
                return;
            }
        }
    }
}

/// Reads the CA of cameras, where one is given.
fn rules(config: &Config) -> Result<Rules> {
    let allow_redirect = config.camera.allow_redirect;
    let path = &config.camera.ca;
    if path.as_os_str().is_empty() {
        return Ok(Rules { allow_redirect, ca: None });
    }
    let bad = |e: String| {
        let message = format!("camera.ca: {}: {e}", path.display());
        Error::new(Kind::InvalidArgument, message).with_code("config")
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))?;
    let ca: Vec<_> =
        certificates.collect::<std::result::Result<_, _>>().map_err(|e| bad(e.to_string()))?;
    if ca.is_empty() {
        return Err(bad("there is no certificate in it".to_owned()));
    }
    Ok(Rules { allow_redirect, ca: Some(ca) })
}

/// Without it `/metrics` is for owners only; recording goes on.
fn metrics_token(dir: &Path) -> Option<Secret> {
    token::metrics(dir).inspect_err(|e| tracing::error!("no token: {}", e.chain())).ok()
}

fn limits(config: &Config) -> Limits {
    let storage = &config.storage;
    Limits {
        bytes_max: Some(storage.max_size.0).filter(|n| *n > 0),
        days_max: Some(storage.max_days).filter(|n| *n > 0),
        free_bytes_min: storage.min_free.0,
        ..Limits::default()
    }
}

/// Takes the directory. Waits while a verb holds it, but not for another server.
async fn open_store(dir: &Path, clock: &Clock, limits: &Limits) -> Result<Store> {
    let until = Instant::now() + BUSY_MAX;
    loop {
        let (here, now) = (dir.to_owned(), clock.wall());
        let options = Options { limits: limits.clone(), ..Options::default() };
        let opened = tokio::task::spawn_blocking(move || Store::open(&here, options, now)).await;
        match opened.map_err(|e| Error::new(Kind::Internal, e.to_string()))? {
            Err(e) if e.code() == Some("in-use") && Instant::now() < until => {
                if Socket::of(dir)?.connect().await.is_some() {
                    return Err(e);
                }
            }
            other => return other,
        }
        sleep(BUSY_STEP).await;
    }
}

/// A directory that khien makes is closed to others; one that was there may not be.
fn warn_if_open_to_others(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(dir).map_or(0, |m| m.permissions().mode());
    if mode & 0o077 != 0 {
        let dir = dir.display();
        tracing::warn!(
            "other users of this machine can look into {dir}; close it: chmod 700 {dir}"
        );
    }
}

fn bind(listen: SocketAddr, e: std::io::Error) -> Error {
    let what = match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there; choose another port with --listen"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one of its own, or 0.0.0.0 for all"
        }
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need the right to bind them",
        _ => "cannot listen there",
    };
    Error::from(e).with_code("listen").map_message(|m| format!("{listen}: {what} ({m})"))
}

/// TLS for every address but loopback; there too if the owner gave a certificate.
async fn certificate(
    dir: &Path,
    config: &Config,
    names: &[String],
    address: SocketAddr,
    clock: &Clock,
) -> Result<Option<Tls>> {
    let (certificate, key) = (&config.http.certificate, &config.http.key);
    match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (false, false) => return Tls::files(certificate, key).map(Some),
        (true, true) if address.ip().is_loopback() => return Ok(None),
        (true, true) => {}
        _ => {
            let message = "http.certificate and http.key belong together: give both or neither";
            return Err(Error::new(Kind::InvalidArgument, message).with_code("config"));
        }
    }
    let mut addresses = tls::local_addresses().await;
    addresses.push(address.ip());
    let (dir, names, now) = (dir.join("tls"), names.to_vec(), clock.wall());
    let made = tokio::task::spawn_blocking(move || Tls::local(&dir, &names, &addresses, now)).await;
    made.map_err(|e| Error::new(Kind::Internal, e.to_string()))?.map(Some)
}

/// What to type into a browser. An address that stands for all is replaced by one of them.
async fn url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let ip = if address.ip().is_unspecified() {
        let v4 = |a: &IpAddr| a.is_ipv4() == address.is_ipv4();
        let found = tls::local_addresses().await.into_iter().find(v4);
        found.unwrap_or_else(|| match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16]),
        })
    } else {
        address.ip()
    };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

async fn tick(store: Store, clock: Clock, mut stop: Stop) {
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => store.tick(clock.wall(), clock.mono()),
            () = stop.wanted() => return,
        }
    }
}

/// Waits until nothing is recorded any more though nobody asked for it. The process then ends with
/// an error, so that its supervisor starts it anew.
async fn broken(store: &Store) -> Error {
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !store.is_dead() {
        every.tick().await;
    }
    let message = "a thread of the store broke and nothing is recorded any more; start khien again";
    Error::new(Kind::Internal, message).with_code("dead")
}

async fn refresh(tls: Tls, mut stop: Stop) {
    let tls = Arc::new(tls);
    loop {
        tokio::select! {
            () = sleep(REFRESH) => {}
            () = stop.wanted() => return,
        }
        let tls = Arc::clone(&tls);
        let done = tokio::task::spawn_blocking(move || tls.refresh(net::now().wall)).await;
        if let Ok(Err(e)) = done {
            tracing::error!("the certificate cannot be renewed: {}", e.chain());
        }
    }
}

/// Panics are logged with their place, in the log's own form.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let what = info.payload();
        let text = what
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| what.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::error!(place, "panic: {text}");
    }));
}

/// A directory for this process's own files inside the data directory, closed to others.
pub(crate) fn private_dir(dir: &Path, name: &str) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = dir.join(name);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_limit() {
        let config = Config::load(None).unwrap();
        let all = limits(&config);
        assert_eq!((all.bytes_max, all.days_max, all.free_bytes_min), (None, None, 2 << 30));
    }

    #[tokio::test]
    async fn addresses_are_such_as_a_browser_takes() {
        for (address, tls, want) in [
            ("127.0.0.1:8480", false, "http://127.0.0.1:8480"),
            ("[::1]:1", true, "https://[::1]:1"),
            ("192.0.2.7:443", true, "https://192.0.2.7:443"),
        ] {
            assert_eq!(url(address.parse().unwrap(), tls).await, want);
        }
        let all = url("0.0.0.0:8480".parse().unwrap(), true).await;
        assert!(!all.contains("0.0.0.0"), "{all}");
    }

    #[tokio::test]
    async fn of_two_signals_at_once_only_the_first_counts() {
        let me = rustix::process::getpid();
        let send = || rustix::process::kill_process(me, rustix::process::Signal::TERM).unwrap();
        let mut signals = Signals::new().unwrap();
        send();
        signals.next().await;
        send();
        let soon = timeout(Duration::from_millis(300), signals.again(Instant::now()));
        assert!(soon.await.is_err(), "the second came too soon");
        let long_ago = Instant::now().checked_sub(AGAIN_MIN).unwrap();
        send();
        timeout(Duration::from_secs(20), signals.again(long_ago)).await.expect("obeyed");
    }

    #[test]
    fn the_ca_of_cameras_is_read_or_refused() {
        let mut config = Config::load(None).unwrap();
        assert!(rules(&config).unwrap().ca.is_none());
        let dir = tempfile::tempdir().unwrap();
        config.camera.ca = dir.path().join("ca.pem");
        assert!(rules(&config).unwrap_err().message().contains("ca.pem"));
        std::fs::write(&config.camera.ca, "nothing").unwrap();
        assert_eq!(rules(&config).unwrap_err().kind(), Kind::InvalidArgument);
        let made = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).unwrap();
        std::fs::write(&config.camera.ca, made.cert.pem()).unwrap();
        assert_eq!(rules(&config).unwrap().ca.unwrap(), [made.cert.der().clone()]);
    }

    #[tokio::test]
    async fn a_store_that_broke_ends_the_process_with_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, faults) = store::FaultyDisk::new();
        let options = Options { disk: Arc::new(disk), ..Options::default() };
        let store = Store::open(dir.path(), options, net::now().wall).unwrap();
        let mut broken = Box::pin(broken(&store));
        assert!(timeout(Duration::ZERO, broken.as_mut()).await.is_err());
        faults.panics.store(1, std::sync::atomic::Ordering::SeqCst);
        let cause = media::Cause::CameraAuth;
        store.writer().gap_open(media::CameraId::from_bits(1), net::now().wall, cause);
        store.flush();
        let e = timeout(Duration::from_secs(20), broken).await.expect("in time");
        assert_ne!(text::exit_code(e.kind()), 0);
    }

    #[tokio::test]
    async fn half_a_certificate_is_none() {
        let mut config = Config::load(None).unwrap();
        config.http.key = PathBuf::from("key.pem");
        let dir = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:1".parse().unwrap();
        let clock = Clock::system();
        let e = certificate(dir.path(), &config, &[], address, &clock).await.unwrap_err();
        assert_eq!(e.code(), Some("config"));
    }
}
