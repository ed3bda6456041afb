//! From a URL to a byte stream: name, TCP, TLS; each failure says which and what to do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::rtsp::url::Url;
use media::Cause;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::Trouble;
use super::ANSWER_MAX;
use crate::tls::{self, Seen, Trust};

/// A plain or TLS byte stream.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connected stream and the address at its other end.
pub(super) struct Connected {
    pub(super) wire: Box<dyn Wire>,
    pub(super) peer: SocketAddr,
}

/// Whether trying again soon may help.
pub(super) enum Failure {
    Unreachable(Trouble),
    Refused(Trouble),
}

/// A stream's kernel buffer for what the camera sends: a key frame of a 4K camera arrives in one
/// burst.
const RECEIVE_BUFFER: usize = 1 << 20;

pub(super) async fn connect(url: &Url, trust: &Trust, seen: &Seen) -> Result<Connected, Failure> {
    let tcp = tcp(url).await?;
    let _ = tcp.set_nodelay(true);
    let _ = socket2::SockRef::from(&tcp).set_recv_buffer_size(RECEIVE_BUFFER);
    let peer = tcp.peer_addr().map_err(|e| unreachable(url, &e.to_string()))?;
    if !url.tls() {
        return Ok(Connected { wire: Box::new(tcp), peer });
    }
    let wire = handshake(url, tcp, trust, seen).await?;
    Ok(Connected { wire, peer })
}

async fn tcp(url: &Url) -> Result<TcpStream, Failure> {
    let host = url.host();
    let place = (host.trim_start_matches('[').trim_end_matches(']'), url.port());
    let found = timeout(ANSWER_MAX, tokio::net::lookup_host(place)).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.take(8).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        return Err(Failure::Unreachable(Trouble {
            code: "camera-host",
            message: format!("no device is known as \"{host}\"; check the name or use its address"),
            cause: Cause::CameraAddress,
        }));
    }
    let each = ANSWER_MAX / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut refused = false;
    for address in &addresses {
        match timeout(each.max(Duration::from_secs(1)), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(e)) => refused |= e.kind() == std::io::ErrorKind::ConnectionRefused,
            Err(_) => {}
        }
    }
    Err(Failure::Unreachable(if refused {
        Trouble {
            code: "camera-port",
            message: format!(
                "{host} is there, but nothing answers on port {}; is RTSP switched on at the camera?",
                url.port()
            ),
            cause: Cause::CameraAddress,
        }
    } else {
        Trouble {
            code: "camera-host",
            message: format!("{host} does not answer; is the camera on and in this network?"),
            cause: Cause::CameraAddress,
        }
    }))
}

fn unreachable(url: &Url, why: &str) -> Failure {
    Failure::Unreachable(Trouble {
        code: "camera-host",
        message: format!("{}: {why}", url.host()),
        cause: Cause::NetworkCut,
    })
}

async fn handshake(
    url: &Url,
    tcp: TcpStream,
    trust: &Trust,
    seen: &Seen,
) -> Result<Box<dyn Wire>, Failure> {
    let refuse = |code, message: String| {
        Err(Failure::Refused(Trouble { code, message, cause: Cause::CameraAuth }))
    };
    let config = match tls::client(trust.clone(), seen.clone()) {
        Ok(config) => config,
        Err(e) => return refuse("camera-tls", e.message().to_owned()),
    };
    let host = url.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let Ok(name) = ServerName::try_from(host) else {
        return refuse("camera-tls", format!("\"{}\" cannot be a TLS name", url.host()));
    };
    let connector = TlsConnector::from(Arc::clone(&config));
    match timeout(ANSWER_MAX, connector.connect(name, tcp)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(e)) => {
            if let (Trust::Pin(Some(pin)), Some(shown)) = (trust, seen.get())
                && shown.sha256 != *pin
            {
                // The page takes the fingerprint from this sentence, for a person to compare.
                let sha256: String = shown.sha256.iter().map(|b| format!("{b:02x}")).collect();
                return refuse(
                    "camera-certificate",
                    format!(
                        "the camera's certificate has changed, its SHA-256 is now {sha256}; check \
                         that it is your camera, then accept the new certificate"
                    ),
                );
            }
            if matches!(trust, Trust::Ca(_)) && seen.get().is_some() {
                return refuse(
                    "camera-certificate",
                    format!("the camera's certificate is not signed by the given CA: {e}"),
                );
            }
            refuse("camera-tls", format!("no TLS connection: {e}; is this an rtsps port?"))
        }
        Err(_) => refuse("camera-tls", "no answer to TLS; is this an rtsps port?".to_owned()),
    }
}
