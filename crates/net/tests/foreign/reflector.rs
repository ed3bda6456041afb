//! A meeting point: one pushes by ANNOUNCE and RECORD, interleaved; one plays what is pushed, by
//! the same SDP, packet for packet, interleaved or by UDP. The pusher is let go once the other
//! plays, so that nothing is missed. Plain code of its own, for one session.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

pub(crate) struct Reflector {
    pub(crate) push_url: String,
    pub(crate) play_url: String,
    listener: JoinHandle<()>,
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// A channel and a packet.
type Packet = (u8, Vec<u8>);

struct Middle {
    sdp: watch::Sender<Option<String>>,
    plays: watch::Sender<bool>,
    into: mpsc::UnboundedSender<Packet>,
    out: Mutex<mpsc::UnboundedReceiver<Packet>>,
    base: String,
}

impl Reflector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("rtsp://{}", listener.local_addr().unwrap());
        let (into, out) = mpsc::unbounded_channel();
        let middle = Arc::new(Middle {
            sdp: watch::channel(None).0,
            plays: watch::channel(false).0,
            into,
            out: Mutex::new(out),
            base: base.clone(),
        });
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let talk = Talk { stream, buf: Vec::new() };
                tokio::spawn(serve(talk, Arc::clone(&middle)));
            }
        });
        Self { push_url: format!("{base}/in"), play_url: format!("{base}/out"), listener }
    }
}

struct Talk {
    stream: TcpStream,
    buf: Vec<u8>,
}

enum Heard {
    /// Method, URI, headers in lower case, body.
    Request(String, String, String, String),
    Packet(Packet),
}

impl Talk {
    async fn hear(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.whole() {
                return Some(heard);
            }
            let n = self.stream.read_buf(&mut self.buf).await.ok()?;
            if n == 0 {
                return None;
            }
        }
    }

    fn whole(&mut self) -> Option<Heard> {
        if *self.buf.first()? == b'$' {
            let head = self.buf.get(..4)?;
            let (channel, len) = (head[1], usize::from(u16::from_be_bytes([head[2], head[3]])));
            let packet = self.buf.get(4..4 + len)?.to_vec();
            self.buf.drain(..4 + len);
            return Some(Heard::Packet((channel, packet)));
        }
        let end = self.buf.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.buf[..end]).into_owned();
        let (first, headers) = head.split_once("\r\n")?;
        let headers = headers.to_ascii_lowercase();
        let body: usize = value(&headers, "content-length").map_or(0, |v| v.parse().unwrap());
        let text = self.buf.get(end + 4..end + 4 + body)?;
        let text = String::from_utf8_lossy(text).into_owned();
        self.buf.drain(..end + 4 + body);
        let mut words = first.split(' ');
        let (method, uri) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Heard::Request(method, uri, headers, text))
    }

    async fn answer(&mut self, headers: &str, more: &str) {
        let cseq = value(headers, "cseq").unwrap_or_default();
        let text = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: one\r\n{more}\r\n");
        // Who went away needs no answer.
        let _ = self.stream.write_all(text.as_bytes()).await;
    }
}

fn value<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let line = headers.split("\r\n").find(|l| l.starts_with(name))?;
    Some(line[name.len()..].trim_start_matches(':').trim())
}

/// Where a track's two kinds of packets go.
enum Lane {
    Tcp,
    Udp([(UdpSocket, SocketAddr); 2]),
}

async fn serve(mut talk: Talk, middle: Arc<Middle>) {
    let mut lanes = Vec::new();
    while let Some(heard) = talk.hear().await {
        let (method, uri, headers, body) = match heard {
            Heard::Request(method, uri, headers, body) => (method, uri, headers, body),
            Heard::Packet(packet) => {
                if uri_is_pushed(&lanes) {
                    let _ = middle.into.send(packet);
                }
                continue;
            }
        };
        match method.as_str() {
            "ANNOUNCE" => {
                middle.sdp.send_replace(Some(body));
                talk.answer(&headers, "").await;
            }
            "DESCRIBE" => {
                let mut sdp = middle.sdp.subscribe();
                let sdp = sdp.wait_for(Option::is_some).await.unwrap().clone().unwrap();
                let (base, len) = (&middle.base, sdp.len());
                let more = format!(
                    "Content-Base: {base}/out/\r\nContent-Type: application/sdp\r\n\
                     Content-Length: {len}\r\n\r\n{sdp}"
                );
                // The blank line behind the headers is in the middle already.
                let cseq = value(&headers, "cseq").unwrap_or_default();
                let text = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{more}");
                let _ = talk.stream.write_all(text.as_bytes()).await;
            }
            "SETUP" => {
                let transport = value(&headers, "transport").unwrap_or_default();
                let (lane, answer) = set_up(transport).await;
                if uri.contains("/out") {
                    lanes.push(lane);
                }
                talk.answer(&headers, &format!("Transport: {answer}\r\n")).await;
            }
            "RECORD" => {
                let _ = middle.plays.subscribe().wait_for(|plays| *plays).await;
                talk.answer(&headers, "").await;
            }
            "PLAY" => {
                talk.answer(&headers, "").await;
                middle.plays.send_replace(true);
                return play(talk, &lanes, &middle).await;
            }
            _ => talk.answer(&headers, "Public: OPTIONS\r\n").await,
        }
    }
}

/// Only the pusher sets nothing up for itself.
fn uri_is_pushed(lanes: &[Lane]) -> bool {
    lanes.is_empty()
}

async fn set_up(transport: &str) -> (Lane, String) {
    let parameter = |name: &str| {
        let (_, rest) = transport.split_once(name)?;
        let (a, b) = rest.split(';').next()?.split_once('-')?;
        Some((a.parse::<u16>().ok()?, b.parse::<u16>().ok()?))
    };
    let Some((rtp, rtcp)) = parameter("client_port=") else {
        return (Lane::Tcp, transport.to_ascii_uppercase().replace("INTERLEAVED", "interleaved"));
    };
    let mut sockets = Vec::new();
    for port in [rtp, rtcp] {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sockets.push((socket, SocketAddr::from(([127, 0, 0, 1], port))));
    }
    let from = |n: usize| sockets[n].0.local_addr().unwrap().port();
    let answer =
        format!("RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={}-{}", from(0), from(1));
    let Ok(sockets) = sockets.try_into() else { panic!("two sockets") };
    (Lane::Udp(sockets), answer)
}

/// Hands on what comes, and answers keep-alives.
async fn play(mut talk: Talk, lanes: &[Lane], middle: &Middle) {
    let mut out = middle.out.lock().await;
    loop {
        tokio::select! {
            packet = out.recv() => {
                let Some((channel, data)) = packet else { return };
                let lane = lanes.get(usize::from(channel / 2));
                match lane {
                    Some(Lane::Tcp) => {
                        let len = u16::try_from(data.len()).unwrap().to_be_bytes();
                        let framed = [&[b'$', channel, len[0], len[1]], &data[..]].concat();
                        if talk.stream.write_all(&framed).await.is_err() {
                            return;
                        }
                    }
                    Some(Lane::Udp(sockets)) => {
                        let (socket, to) = &sockets[usize::from(channel % 2)];
                        let _ = socket.send_to(&data, to).await;
                    }
                    None => {}
                }
            }
            heard = talk.hear() => match heard {
                Some(Heard::Request(_, _, headers, _)) => talk.answer(&headers, "").await,
                Some(Heard::Packet(_)) => {}
                None => return,
            },
        }
    }
}
