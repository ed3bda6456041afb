//! The byte stream to one viewer: TCP, or TLS over it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// One connection.
pub(crate) struct Link {
    stream: Stream,
    pub(crate) peer: IpAddr,
    /// Longest time that a write took.
    pub(crate) blocked_max: Duration,
}

impl Link {
    pub(crate) fn new(tcp: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        tcp.set_nonblocking(false)?;
        tcp.set_nodelay(true)?;
        let peer = tcp.peer_addr()?.ip();
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let session = ServerConnection::new(config).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(session, tcp)))
            }
        };
        Ok(Self { stream, peer, blocked_max: Duration::ZERO })
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// The longest a write may block before it fails.
    pub(crate) fn limit_writes(&self, limit: Duration) -> io::Result<()> {
        self.tcp().set_write_timeout(Some(limit))
    }

    /// Waits at most `wait` for bytes. `None`: nothing came; `Some(0)`: closed.
    pub(crate) fn receive(&mut self, buf: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        self.tcp().set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        let read = match &mut self.stream {
            Stream::Plain(tcp) => tcp.read(buf),
            Stream::Tls(tls) => tls.read(buf),
        };
        match read {
            Ok(n) => Ok(Some(n)),
            Err(e) if is_patience(e.kind()) => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn send(&mut self, data: &[u8]) -> io::Result<()> {
        let began = Instant::now();
        let done = match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(data),
            Stream::Tls(tls) => tls.write_all(data).and_then(|()| tls.flush()),
        };
        self.blocked_max = self.blocked_max.max(began.elapsed());
        done
    }
}

fn is_patience(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
