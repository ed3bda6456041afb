//! RTSP and RTSPS out: one listener, any number of viewers of any path of the hub.
//!
//! A frame is payloaded once, however many viewers: all viewers of a path share its SSRCs and
//! sequence numbers, so the packets of a frame, interleaving headers and all, are one shared
//! buffer that is written as it is. A viewer that cannot keep up is behind in the hub, not in a
//! queue here, and skips to the newest group.

mod door;
mod egress;
mod ports;
mod viewer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::rtsp::auth::ServerAuth;
use hub::Hub;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::Stop;
use door::Door;
use egress::Egresses;
use ports::Ports;
use viewer::Viewer;

/// How viewers are served.
#[derive(Clone)]
pub struct Config {
    /// Who may watch; `None` lets everybody in, for loopback tests only.
    pub auth: Option<Arc<ServerAuth>>,
    /// Serve RTSPS with this certificate.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What the server calls itself.
    pub name: String,
    /// Offer UDP as well.
    pub udp: bool,
}

/// Viewers at once; more are turned away at the door.
pub const VIEWERS_MAX: usize = 2_048;
/// A TLS handshake that takes longer has failed.
const HANDSHAKE: Duration = Duration::from_secs(10);

struct Shared {
    hub: Hub,
    config: Config,
    egresses: Egresses,
    ports: Option<Ports>,
    door: Arc<Door>,
}

/// Serves `listener` until `stop`.
///
/// # Errors
/// None but those of the socket; a viewer's error ends that viewer.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    config: Config,
    mut stop: Stop,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let ports = if config.udp { Ports::bind(address).await } else { None };
    if config.udp && ports.is_none() {
        tracing::warn!("no pair of UDP ports is free; viewers are served over TCP only");
    }
    let egresses = Egresses::new();
    let shared = Arc::new(Shared { hub, config, egresses, ports, door: Arc::default() });
    loop {
        let (tcp, peer) = tokio::select! {
            () = listen(&shared.ports) => continue,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    // Out of descriptors or the like: wait a little, it passes or stays.
                    tracing::warn!("accept: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.wanted() => return Ok(()),
        };
        let Some(inside) = shared.door.enter(peer, Instant::now()) else { continue };
        let shared = Arc::clone(&shared);
        let stop = stop.clone();
        tokio::spawn(async move {
            welcome(&shared, tcp, peer, stop).await;
            drop(inside);
        });
    }
}

async fn welcome(shared: &Arc<Shared>, tcp: TcpStream, peer: SocketAddr, stop: Stop) {
    let _ = tcp.set_nodelay(true);
    match &shared.config.tls {
        None => Viewer::new(shared, peer).run(tcp, stop).await,
        Some(config) => {
            let acceptor = TlsAcceptor::from(Arc::clone(config));
            match timeout(HANDSHAKE, acceptor.accept(tcp)).await {
                Ok(Ok(stream)) => Viewer::new(shared, peer).run(stream, stop).await,
                Ok(Err(e)) => tracing::debug!(%peer, "TLS: {e}"),
                Err(_) => tracing::debug!(%peer, "TLS: too slow"),
            }
        }
    }
}

async fn listen(ports: &Option<Ports>) {
    match ports {
        Some(ports) => ports.run().await,
        None => std::future::pending().await,
    }
}
