//! Listeners: TLS for the network, plain HTTP for this machine only, a Unix socket for the command
//! line. Each connection is a task of its own; none can hold another up.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs::Permissions;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::routing::future::RouteFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use net::Stop;
use rustls::ServerConfig;
use stdx::{Error, Kind, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::app::{App, lock};
use crate::auth::Peer;
use crate::routes;

/// A TLS handshake that takes longer has failed.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The head of a request must be there within this time, and an idle connection ends after it.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// A peer that takes no byte for this long is gone.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// Answers under way may end within this time after the stop.
const FAREWELL: Duration = Duration::from_secs(3);
/// Connections of one address.
const PER_ADDRESS_MAX: usize = 128;
const H1_BUFFER_BYTES: usize = 64 << 10;
const H2_HEADERS_BYTES: u32 = 16 << 10;
const H2_STREAMS_MAX: u32 = 64;

impl App {
    /// The desk as a service for this process: requests come with an owner's rights. For the
    /// command line while no server runs.
    pub fn local_router(&self) -> Local {
        Local(routes::router(self))
    }
}

/// See [`App::local_router`]. Takes origin-form targets such as `/api/v1/cameras`.
#[derive(Debug, Clone)]
pub struct Local(axum::Router);

impl Service<Request<Body>> for Local {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.extensions_mut().insert(Peer::local(None));
        self.0.call(request)
    }
}

/// Serves plain HTTP until `stop`, on a loopback address only.
///
/// # Errors
/// `FailedPrecondition`, code `plain-http`, for any other address.
pub async fn serve_plain(listener: TcpListener, app: App, stop: Stop) -> Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!(
            "plain HTTP is served on loopback addresses only, not on {address}: passwords and \
             pictures would cross the network in the clear"
        );
        return Err(Error::new(Kind::FailedPrecondition, message).with_code("plain-http"));
    }
    serve_tcp(listener, None, app, stop).await
}

/// Serves HTTPS (HTTP/2 and HTTP/1.1) until `stop`.
///
/// # Errors
/// Only the listener's own.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: App,
    stop: Stop,
) -> Result<()> {
    serve_tcp(listener, Some(TlsAcceptor::from(tls)), app, stop).await
}

async fn serve_tcp(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: App,
    mut stop: Stop,
) -> Result<()> {
    let router = routes::router(&app);
    let crowd = Crowd::default();
    loop {
        let accepted = tokio::select! {
            accepted = with_place(app.connections(), listener.accept()) => accepted,
            () = stop.wanted() => return Ok(()),
        };
        let Some((place, (stream, address))) = accepted else { continue };
        let address = address.ip().to_canonical();
        let Some(member) = crowd.join(address) else { continue };
        // Small answers should not wait for each other.
        let _ = stream.set_nodelay(true);
        let (router, stop, tls) = (router.clone(), stop.clone(), tls.clone());
        tokio::spawn(async move {
            let _held = (place, member);
            let peer = Peer { address, tls: tls.is_some(), local: false, stop: Some(stop.clone()) };
            match tls {
                None => connection(stream, false, router, peer, stop).await,
                Some(acceptor) => match timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        connection(stream, h2, router, peer, stop).await;
                    }
                    Ok(Err(e)) => tracing::debug!(%address, "TLS handshake failed: {e}"),
                    Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
                },
            }
        });
    }
}

/// Serves the Unix socket at `path`, mode 0600, until `stop`. Its directory must be closed to
/// others. Whoever runs as the same user, or as root, comes with an owner's rights.
///
/// # Errors
/// `FailedPrecondition` when something that is no socket lies at `path`; else the listener's own.
pub async fn serve_unix(path: &Path, app: App, mut stop: Stop) -> Result<()> {
    let at = |e: io::Error| Error::from(e).map_message(|m| format!("{}: {m}", path.display()));
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path).map_err(at)?,
        Ok(_) => {
            let message = format!("{} is in the way: it is no socket", path.display());
            return Err(Error::new(Kind::FailedPrecondition, message));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(at(e)),
    }
    let listener = UnixListener::bind(path).map_err(at)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(at)?;
    let router = routes::router(&app);
    let ours = rustix::process::geteuid().as_raw();
    loop {
        let accepted = tokio::select! {
            accepted = with_place(app.local_connections(), listener.accept()) => accepted,
            () = stop.wanted() => break,
        };
        let Some((place, (stream, _))) = accepted else { continue };
        // The kernel says who connected; the file's mode alone is not trusted.
        if !stream.peer_cred().is_ok_and(|c| c.uid() == ours || c.uid() == 0) {
            tracing::warn!("another user tried the local socket");
            continue;
        }
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            let _held = place;
            let peer = Peer::local(Some(stop.clone()));
            connection(stream, false, router, peer, stop).await;
        });
    }
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// A new connection, if there is room for it. `None` otherwise, and after a failure that may pass.
async fn with_place<T>(
    places: &Arc<Semaphore>,
    accept: impl Future<Output = io::Result<T>>,
) -> Option<(OwnedSemaphorePermit, T)> {
    match accept.await {
        Ok(accepted) => {
            let place = Arc::clone(places).try_acquire_owned().ok()?;
            Some((place, accepted))
        }
        Err(e) => {
            // Too many open files, or the peer has left already.
            tracing::warn!("accept failed: {e}");
            sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// One connection from its first byte to its last.
async fn connection<I>(stream: I, h2: bool, router: axum::Router, peer: Peer, mut stop: Stop)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    let builder = builder(h2);
    let io = TokioIo::new(Patient { stream, stalled: None });
    let serving = builder.serve_connection_with_upgrades(io, service);
    tokio::pin!(serving);
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = stop.wanted() => {
            serving.as_mut().graceful_shutdown();
            timeout(FAREWELL, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(e) = result {
        tracing::debug!("connection ended: {e}");
    }
}

/// The version is known from ALPN: guessing it from the first bytes would wait for them for ever.
fn builder(h2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(H1_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_MAX)
        .keep_alive_timeout(HEAD_MAX)
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(H2_HEADERS_BYTES);
    if h2 { builder.http2_only() } else { builder.http1_only() }
}

/// How many connections each address has.
#[derive(Debug, Clone, Default)]
struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; leaves when dropped.
struct Member(Crowd, IpAddr);

impl Crowd {
    fn join(&self, address: IpAddr) -> Option<Member> {
        let mut counts = lock(&self.0);
        let count = counts.entry(address).or_default();
        if *count >= PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Member(self.clone(), address))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut counts = lock(&self.0.0);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// A stream whose writes fail once the peer has taken nothing for [`WRITE_STALL_MAX`].
struct Patient<T> {
    stream: T,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> Patient<T> {
    fn judge<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(WRITE_STALL_MAX)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share() {
        let crowd = Crowd::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let members: Vec<_> = (0..PER_ADDRESS_MAX).map(|_| crowd.join(address).unwrap()).collect();
        assert!(crowd.join(address).is_none());
        assert!(crowd.join(IpAddr::from([192, 0, 2, 2])).is_some());
        drop(members);
        assert!(lock(&crowd.0).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        use tokio::io::AsyncWriteExt as _;
        let (near, _far) = tokio::io::duplex(16);
        let mut patient = Patient { stream: near, stalled: None };
        let e = patient.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::TimedOut);
    }
}
