//! A pair of UDP sockets per track: RTP on the even port, RTCP on the next.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;

use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Kernel buffer of the RTP socket: some cameras burst a key frame at line speed.
const RECEIVE_BUFFER: usize = 4 << 20;
/// How many port pairs are tried before giving up.
const TRIES: usize = 64;

pub(super) struct Pair {
    pub(super) track: usize,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    peer: IpAddr,
    rtp_peer: Option<u16>,
    rtcp_peer: Option<u16>,
}

/// What arrived: which track, whether it is RTCP, and how many bytes of the buffer.
pub(super) struct Arrival {
    pub(super) track: usize,
    pub(super) rtcp: bool,
    pub(super) len: usize,
}

impl Pair {
    /// Binds an even port and the one behind it on the address family of `peer`.
    pub(super) async fn bind(track: usize, peer: IpAddr) -> io::Result<Self> {
        let any: IpAddr = if peer.is_ipv4() {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let first = UdpSocket::bind((any, 0)).await?;
            let port = first.local_addr()?.port();
            let (even, odd) = if port % 2 == 0 {
                (first, UdpSocket::bind((any, port + 1)).await)
            } else {
                match UdpSocket::bind((any, port - 1)).await {
                    Ok(even) => (even, Ok(first)),
                    Err(e) => {
                        last = e;
                        continue;
                    }
                }
            };
            match odd {
                Ok(rtcp) => {
                    let _ = SockRef::from(&even).set_recv_buffer_size(RECEIVE_BUFFER);
                    return Ok(Self {
                        track,
                        rtp: even,
                        rtcp,
                        peer,
                        rtp_peer: None,
                        rtcp_peer: None,
                    });
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    pub(super) fn port(&self) -> u16 {
        self.rtp.local_addr().map_or(0, |a| a.port())
    }

    pub(super) const fn set_peer(&mut self, rtp: u16, rtcp: u16) {
        self.rtp_peer = Some(rtp);
        self.rtcp_peer = Some(rtcp);
    }

    /// Sends without waiting: a lost report is repaired by the next.
    pub(super) fn send(&self, rtcp: bool, data: &[u8]) {
        let (socket, port) =
            if rtcp { (&self.rtcp, self.rtcp_peer) } else { (&self.rtp, self.rtp_peer) };
        if let Some(port) = port {
            let _ = socket.try_send_to(data, SocketAddr::new(self.peer, port));
        }
    }
}

/// Waits for a datagram on any pair. Datagrams from another host than the camera are dropped:
/// ports are easy to guess.
pub(super) async fn receive(pairs: &mut [Pair], buf: &mut [u8]) -> Arrival {
    poll_fn(|cx| {
        for pair in &mut *pairs {
            for rtcp in [false, true] {
                let socket = if rtcp { &pair.rtcp } else { &pair.rtp };
                loop {
                    let mut read = ReadBuf::new(buf);
                    match socket.poll_recv_from(cx, &mut read) {
                        Poll::Ready(Ok(from))
                            if from.ip().to_canonical() == pair.peer.to_canonical() =>
                        {
                            // A camera that named no port is answered where it sends from.
                            let peer = if rtcp { &mut pair.rtcp_peer } else { &mut pair.rtp_peer };
                            if peer.is_none_or(|p| p == 0) {
                                *peer = Some(from.port());
                            }
                            let len = read.filled().len();
                            return Poll::Ready(Arrival { track: pair.track, rtcp, len });
                        }
                        Poll::Ready(_) => {}
                        Poll::Pending => break,
                    }
                }
            }
        }
        Poll::Pending
    })
    .await
}
