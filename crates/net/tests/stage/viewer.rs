//! A viewer of one track over TCP that reads only when it is told to.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "a test of a door has a clock")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use media::Track;
use rtsp::message::{Item, Method, Reader, Request, Response};
use rtsp::payload::{AuHeader, Depacketizer, Unit};
use rtsp::quirk::QuirkCounts;
use rtsp::rtp::Packet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::PATH;

pub(crate) struct Viewer {
    tcp: TcpStream,
    url: String,
    reader: Reader,
    depacketizer: Option<Depacketizer>,
    pub(crate) quirks: QuirkCounts,
    cseq: u32,
    pub(crate) session: Option<String>,
    last_seq: Option<u16>,
    /// What came so far.
    pub(crate) units: Vec<Unit>,
    pub(crate) closed: bool,
}

impl Viewer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Little room, so that the server notices soon that nobody reads.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Self {
            tcp: socket.connect(address).await.unwrap(),
            url: format!("rtsp://{address}/{PATH}"),
            reader: Reader::new(),
            depacketizer: None,
            quirks: QuirkCounts::default(),
            cseq: 0,
            session: None,
            last_seq: None,
            units: Vec::new(),
            closed: false,
        }
    }

    /// Connects and plays the first track.
    pub(crate) async fn watch(address: SocketAddr, track: Track) -> Self {
        let mut viewer = Self::connect(address).await;
        let depacketizer = Depacketizer::new(track.params, track.rate, AuHeader::default());
        viewer.depacketizer = Some(depacketizer);
        assert_eq!(viewer.ask(Method::Describe, "").await.status, 200);
        let answer = viewer.ask(Method::Setup, "/trackID=0").await;
        let session = answer.headers.get("Session").unwrap();
        viewer.session = session.split(';').next().map(str::to_owned);
        assert_eq!(viewer.ask(Method::Play, "").await.status, 200);
        viewer
    }

    /// The answer to a request for the path or something below it.
    pub(crate) async fn ask(&mut self, method: Method, below: &str) -> Response {
        self.cseq += 1;
        let mut request = Request::new(method, format!("{}{below}", self.url))
            .with("CSeq", self.cseq.to_string())
            .with("Transport", "RTP/AVP/TCP;interleaved=0-1");
        if let Some(session) = &self.session {
            request.headers.push("Session", session.as_str());
        }
        self.tcp.write_all(&request.encode()).await.unwrap();
        loop {
            if let Some(response) = self.read().await {
                return response;
            }
            assert!(!self.closed, "the server closed the connection");
        }
    }

    /// Reads once.
    pub(crate) async fn read(&mut self) -> Option<Response> {
        let mut buf = vec![0; 64 << 10];
        let read = tokio::time::timeout(Duration::from_secs(20), self.tcp.read(&mut buf));
        let n = read.await.expect("something comes").unwrap();
        self.closed = n == 0;
        let (mut response, mut packets) = (None, Vec::new());
        self.reader
            .read(&buf[..n], &mut |item| match item {
                Item::Response(r) => response = Some(r),
                Item::Data { channel: 0, payload } => packets.push(payload.to_vec()),
                _ => {}
            })
            .unwrap();
        let Some(depacketizer) = &mut self.depacketizer else { return response };
        for bytes in packets {
            let packet = Packet::parse(&bytes).unwrap();
            let lost = self.last_seq.is_some_and(|s| s.wrapping_add(1) != packet.header.seq);
            self.last_seq = Some(packet.header.seq);
            depacketizer.push(Instant::now(), &packet, lost, &mut self.quirks);
            while let Some(unit) = depacketizer.pop() {
                self.units.push(unit);
            }
        }
        response
    }
}
