//! The camera as a whole: listener, threads, what connections share.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::clip::{self, Clip};
use crate::connection;
use crate::tls::{self, Identity};
use crate::{Config, Faults, Media, Quirk, Stats};

/// What the connections of one camera share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) started: Instant,
    pub(crate) pictures: Clip,
    pub(crate) alternate: Option<Clip>,
    pub(crate) sound: Option<Clip>,
    faults: Mutex<Faults>,
    stats: Mutex<Stats>,
    stop: AtomicBool,
    identity: Mutex<Option<Identity>>,
    nonce: Mutex<(u64, Instant)>,
    /// From here on counts the cut that some quirks bring once.
    pub(crate) first_play: Mutex<Option<Instant>>,
    /// Connections that were set up.
    pub(crate) viewers: AtomicU64,
}

/// A lock that a panicking test left behind still holds good data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.stats)
    }

    pub(crate) fn faults(&self) -> Faults {
        lock(&self.faults).clone()
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.config.has(quirk)
    }

    /// The nonce of now, for a connection.
    pub(crate) fn nonce(&self, connection: u64) -> String {
        if self.has(Quirk::AuthNoncePerConn) {
            return format!("c{connection:08x}{:08x}", self.config.seed);
        }
        let mut nonce = lock(&self.nonce);
        let rotates = self.has(Quirk::AuthNonceExpires);
        if rotates && nonce.1.elapsed() >= self.config.timers.nonce {
            *nonce = (nonce.0 + 1, Instant::now());
        }
        format!("n{:08x}{:08x}", nonce.0, self.config.seed)
    }
}

/// A camera that runs until it is dropped.
pub struct Camera {
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Camera").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Camera {
    /// Loads the clips, listens, and returns at once. Fails where the clips cannot be made or the
    /// address is taken.
    pub fn start(config: Config) -> io::Result<Self> {
        let dir = match &config.media_dir {
            Some(dir) => dir.clone(),
            None => clip::ensure_media()?,
        };
        let pictures = if config.has(Quirk::SpsFlap) {
            clip::flapping(&dir)?
        } else {
            clip::pictures(&dir, config.media)?
        };
        let alternate = match pictures.codec {
            clip::Codec::H264 => Some(clip::pictures(&dir, Media::H264Alt)?),
            _ => None,
        };
        let sound = clip::sound(&dir, config.audio)?;
        let identity = if config.tls { Some(tls::identity(&config)?) } else { None };
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let now = Instant::now();
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            started: now,
            pictures,
            alternate,
            sound,
            faults: Mutex::new(config.faults.clone()),
            stats: Mutex::new(Stats::default()),
            stop: AtomicBool::new(false),
            identity: Mutex::new(identity),
            nonce: Mutex::new((1, now)),
            first_play: Mutex::new(None),
            viewers: AtomicU64::new(0),
            config,
        });
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("fakecam".into())
            .spawn(move || listen(&listener, &for_thread))?;
        Ok(Self { shared, listener: Some(thread) })
    }

    /// Where to connect, without credentials.
    pub fn url(&self) -> String {
        let scheme = if self.shared.config.tls { "rtsps" } else { "rtsp" };
        let path = if self.shared.has(Quirk::UrlControlJoin) {
            "/stream?channel=1&subtype=0"
        } else {
            "/stream"
        };
        format!("{scheme}://{}{path}", self.shared.address)
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.shared.address.port()
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// What it saw and did until now.
    pub fn stats(&self) -> Stats {
        self.shared.stats().clone()
    }

    /// Waits until `enough` says so, at most `limit`. Returns what it said last.
    pub fn wait(&self, limit: Duration, enough: impl Fn(&Stats) -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            if enough(&self.shared.stats()) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Changes the faults while it runs.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.shared.faults));
    }

    /// From the next connection on, another certificate. Does nothing without TLS.
    pub fn change_certificate(&self) -> io::Result<()> {
        if self.shared.config.tls {
            *lock(&self.shared.identity) = Some(tls::identity(&self.shared.config)?);
        }
        Ok(())
    }

    /// SHA-256 of the certificate in lower-case hexadecimal; `None` without TLS.
    pub fn certificate_sha256(&self) -> Option<String> {
        lock(&self.shared.identity).as_ref().map(|i| i.sha256.clone())
    }

    /// The certificate itself, in DER; `None` without TLS.
    pub fn certificate_der(&self) -> Option<Vec<u8>> {
        lock(&self.shared.identity).as_ref().map(|i| i.der.clone())
    }

    /// Closes every connection and the port, and waits until all threads are gone. A camera
    /// started again on the same address has rebooted.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.listener.take() {
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    while !shared.stopping() {
        let Ok((tcp, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(5));
            threads.retain(|t| !t.is_finished());
            continue;
        };
        let id = {
            let mut stats = shared.stats();
            stats.connections += 1;
            stats.connections - 1
        };
        if shared.faults().refuse {
            continue;
        }
        let tls = lock(&shared.identity).as_ref().map(|i| Arc::clone(&i.config));
        let shared = Arc::clone(shared);
        let serve = move || {
            shared.stats().open += 1;
            // Connections of misbehaving cameras end with errors all the time; the viewer's side
            // is what a test judges.
            let _ = connection::serve(&shared, tcp, tls, id);
            shared.stats().open -= 1;
        };
        if let Ok(thread) = thread::Builder::new().name(format!("fakecam-{id}")).spawn(serve) {
            threads.push(thread);
        }
    }
    for thread in threads {
        // As above.
        let _ = thread.join();
    }
}
