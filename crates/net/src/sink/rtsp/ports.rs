//! Both UDP sockets that all viewers share, and who was heard on them.
//!
//! What viewers send is not read, it only shows that they are still there: some send nothing but
//! receiver reports.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::net::UdpSocket;

/// How often a free pair is looked for.
const TRIES: usize = 64;
/// Room for packets that wait to be sent: one large key frame for several viewers.
const SEND_BYTES: usize = 2 << 20;

/// RTP on the even port, RTCP on the next.
pub(super) struct Ports {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    heard: Mutex<HashMap<SocketAddr, Weak<AtomicBool>>>,
}

/// Whether somebody was heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    /// Whether it was since the last call.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Ports {
    /// A pair at the address of the listener. `None` if none is free.
    pub(super) async fn bind(address: SocketAddr) -> Option<Self> {
        for _ in 0..TRIES {
            let rtp = UdpSocket::bind((address.ip(), 0)).await.ok()?;
            let port = rtp.local_addr().ok()?.port();
            if port % 2 == 1 {
                continue;
            }
            if let Ok(rtcp) = UdpSocket::bind((address.ip(), port + 1)).await {
                // The system may give less.
                let _ = socket2::SockRef::from(&rtp).set_send_buffer_size(SEND_BYTES);
                return Some(Self { rtp, rtcp, heard: Mutex::default() });
            }
        }
        None
    }

    /// The port of RTP.
    pub(super) fn number(&self) -> u16 {
        self.rtp.local_addr().map_or(0, |a| a.port())
    }

    /// Sends now or not at all: a full buffer loses the packet, as UDP does.
    pub(super) fn send(&self, rtcp: bool, to: SocketAddr, packet: &[u8]) {
        let socket = if rtcp { &self.rtcp } else { &self.rtp };
        let _ = socket.try_send_to(packet, to);
    }

    /// Listens for packets of this address until the answer is dropped.
    pub(super) fn listen(&self, to: SocketAddr) -> Heard {
        let heard = Heard::default();
        let mut all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, h| h.strong_count() > 0);
        all.insert(to, Arc::downgrade(&heard.0));
        heard
    }

    /// Takes in what comes, for ever.
    pub(super) async fn run(&self) {
        let (mut a, mut b) = ([0; 2_048], [0; 2_048]);
        loop {
            let received = tokio::select! {
                received = self.rtcp.recv_from(&mut a) => received,
                received = self.rtp.recv_from(&mut b) => received,
            };
            // An error is that of an earlier packet whose receiver is gone.
            let Ok((_, from)) = received else { continue };
            let all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(heard) = all.get(&from).and_then(Weak::upgrade) {
                heard.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_sends_anything_is_heard_once() {
        let ports = Ports::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        assert_eq!(ports.number() % 2, 0);
        let viewer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let heard = ports.listen(viewer.local_addr().unwrap());
        let other = ports.listen((Ipv4Addr::LOCALHOST, 9).into());
        let report = async {
            for port in [ports.number(), ports.number() + 1] {
                for socket in [&stranger, &viewer] {
                    socket.send_to(b"report", (Ipv4Addr::LOCALHOST, port)).await.unwrap();
                }
            }
            tokio::time::timeout(Duration::from_secs(10), async {
                while !heard.take() {
                    tokio::task::yield_now().await;
                }
            })
            .await
        };
        tokio::select! {
            () = ports.run() => {}
            heard = report => heard.expect("heard"),
        }
        assert!(!other.take());
        ports.send(true, viewer.local_addr().unwrap(), b"answer");
        let mut buf = [0; 16];
        assert_eq!(viewer.recv(&mut buf).await.unwrap(), 6);
    }
}
