//! A viewer that does not keep up skips to the newest group, the skip is counted, and neither the
//! publisher nor another viewer notices.

mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{Hub, Kind};
use media::codec::h264;
use media::{Frame, Params, Rate, Ticks, Track, TrackId};
use net::sink::fmp4;
use net::{Stopper, now};
use rtsp::message::{Item, Method, Reader, Request, Response};
use rtsp::payload::{AuHeader, Depacketizer};
use rtsp::quirk::QuirkCounts;
use rtsp::rtp::Packet;
use stage::{PATH, config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Bytes of a frame, and frames of a group: each frame much more than a socket holds.
const FRAME_BYTES: usize = 200_000;
const GROUP: u64 = 10;

/// 80x48 pictures that nobody decodes; each carries its number.
fn track() -> Track {
    let sps = [0x67, 66, 0xc0, 10, 0xf4, 0x0a, 0x0d, 0x88];
    let params = h264::Params::parse(&sps, &[0x68, 0xce, 0x38, 0x80]).unwrap();
    Track { id: TrackId(0), rate: Rate::VIDEO, params: Arc::new(Params::H264(params)) }
}

fn frame(track: &Track, n: u64, start: media::Wall) -> Frame {
    let key = n.is_multiple_of(GROUP);
    let mut unit = vec![0x55; FRAME_BYTES];
    unit[..2].copy_from_slice(if key { &[0x65, 0x88] } else { &[0x41, 0x9a] });
    unit[2..10].copy_from_slice(&n.to_be_bytes().map(|b| b | 0x80));
    let mut data = (unit.len() as u32).to_be_bytes().to_vec();
    data.append(&mut unit);
    let pts = Ticks(n as i64 * 9_000);
    Frame {
        track: track.id,
        pts,
        dts: pts,
        wall: start.plus_us(n as i64 * 100_000),
        random_access: key,
        damaged: false,
        discontinuity: false,
        params: Arc::clone(&track.params),
        data: Bytes::from(data),
    }
}

/// The low seven bits of the number that [`frame`] wrote into a picture's last slice.
fn number(data: &[u8]) -> u64 {
    u64::from(data[data.len() - FRAME_BYTES + 9] & 0x7f)
}

/// Publishes frames `from..to`, as fast as the hub takes them.
struct Source {
    publisher: hub::Publisher,
    track: Track,
    start: media::Wall,
    next: u64,
    slowest: Duration,
}

impl Source {
    fn new(hub: &Hub) -> Self {
        let track = track();
        let publisher = hub.publish(PATH, vec![track.clone()]).unwrap();
        Self { publisher, track, start: now().wall, next: 0, slowest: Duration::ZERO }
    }

    fn push(&mut self, count: u64) {
        for _ in 0..count {
            let frame = frame(&self.track, self.next, self.start);
            let begin = Instant::now();
            self.publisher.push(frame);
            self.slowest = self.slowest.max(begin.elapsed());
            self.next += 1;
        }
    }
}

/// A viewer of the only track, over TCP.
struct Viewer {
    tcp: TcpStream,
    reader: Reader,
    depacketizer: Depacketizer,
    quirks: QuirkCounts,
    cseq: u32,
    session: String,
    last_seq: Option<u16>,
    /// Numbers of the pictures that came.
    seen: Vec<u64>,
}

impl Viewer {
    async fn connect(address: std::net::SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Little room, so that the server notices soon that nobody reads.
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let tcp = socket.connect(address).await.unwrap();
        let track = track();
        let depacketizer = Depacketizer::new(track.params, track.rate, AuHeader::default());
        let mut viewer = Self {
            tcp,
            reader: Reader::new(),
            depacketizer,
            quirks: QuirkCounts::default(),
            cseq: 0,
            session: String::new(),
            last_seq: None,
            seen: Vec::new(),
        };
        let url = format!("rtsp://{address}/{PATH}");
        viewer.ask(Method::Describe, &url).await;
        let answer = viewer.ask(Method::Setup, &format!("{url}/trackID=0")).await;
        let session = answer.headers.get("Session").unwrap();
        viewer.session = session.split(';').next().unwrap().to_owned();
        viewer.ask(Method::Play, &url).await;
        viewer
    }

    async fn ask(&mut self, method: Method, url: &str) -> Response {
        self.cseq += 1;
        let request = Request::new(method, url)
            .with("CSeq", self.cseq.to_string())
            .with("Transport", "RTP/AVP/TCP;interleaved=0-1")
            .with("Session", self.session.as_str());
        let mut request = request;
        if self.session.is_empty() {
            request.headers = request.headers.iter().filter(|(n, _)| *n != "Session").collect();
        }
        self.tcp.write_all(&request.encode()).await.unwrap();
        loop {
            if let Some(response) = self.read().await {
                assert_eq!(response.status, 200);
                return response;
            }
        }
    }

    /// Reads once.
    async fn read(&mut self) -> Option<Response> {
        let mut buf = vec![0; 64 << 10];
        let read = tokio::time::timeout(Duration::from_secs(20), self.tcp.read(&mut buf));
        let n = read.await.expect("something comes").unwrap();
        assert!(n > 0, "the server closed the connection");
        let (mut response, mut packets) = (None, Vec::new());
        self.reader
            .read(&buf[..n], &mut |item| match item {
                Item::Response(r) => response = Some(r),
                Item::Data { channel: 0, payload } => packets.push(payload.to_vec()),
                _ => {}
            })
            .unwrap();
        for bytes in packets {
            let packet = Packet::parse(&bytes).unwrap();
            let lost = self.last_seq.is_some_and(|s| s.wrapping_add(1) != packet.header.seq);
            self.last_seq = Some(packet.header.seq);
            self.depacketizer.push(Instant::now(), &packet, lost, &mut self.quirks);
            while let Some(unit) = self.depacketizer.pop() {
                self.seen.push(number(&unit.data));
            }
        }
        response
    }

    async fn read_until(&mut self, wanted: u64) {
        while self.seen.last() != Some(&wanted) {
            self.read().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rtsp() {
    let hub = Hub::new();
    let (_stopper, stop) = Stopper::new();
    let mut source = Source::new(&hub);
    source.push(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(net::sink::rtsp::serve(listener, hub.clone(), config(None), stop));
    let mut slow = Viewer::connect(address).await;
    let mut good = Viewer::connect(address).await;
    // Eight groups of 2 MB each; only one of the viewers reads.
    for n in 1..8 * GROUP {
        source.push(1);
        good.read_until(n).await;
    }
    let whole: Vec<u64> = (0..8 * GROUP).collect();
    assert_eq!(good.seen, whole, "the other viewer gets everything");
    let skipped = hub.stats(PATH).unwrap().skipped;
    assert!(slow.seen.is_empty());
    source.push(1);
    slow.read_until(8 * GROUP).await;
    let total = hub.stats(PATH).unwrap().skipped;
    assert!(total > skipped, "{total} skipped");
    // What came is whole groups or their beginnings, and one jump leads to the start of one.
    let jumps: Vec<(u64, u64)> =
        slow.seen.windows(2).filter(|w| w[1] != w[0] + 1).map(|w| (w[0], w[1])).collect();
    assert!(!jumps.is_empty(), "{:?}", slow.seen);
    assert!(jumps.iter().all(|(_, to)| to % GROUP == 0), "{jumps:?}");
    assert!(slow.quirks.is_empty(), "{:?}", slow.quirks.list());
    let missing = 8 * GROUP + 1 - slow.seen.len() as u64;
    assert_eq!(missing, total, "every frame came or was counted");
    assert!(source.slowest < Duration::from_millis(500), "{:?}", source.slowest);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_fragments_for_browsers() {
    let hub = Hub::new();
    let mut source = Source::new(&hub);
    source.push(1);
    let live = fmp4::Live::new(hub.clone());
    let mut slow = fmp4::Viewer::open(&live, PATH).unwrap();
    let mut good = fmp4::Viewer::open(&live, PATH).unwrap();
    let mut media = 0;
    for _ in 1..8 * GROUP {
        source.push(1);
        while media < source.next {
            match good.next().await {
                fmp4::Event::Media(_) => media += 1,
                fmp4::Event::Drop { .. } | fmp4::Event::Ended => panic!("it kept up"),
                _ => {}
            }
        }
    }
    let (mut drops, mut after) = (Vec::new(), Vec::new());
    source.push(1);
    while after.last() != Some(&(8 * GROUP)) {
        match slow.next().await {
            fmp4::Event::Media(data) => after.push(number(&data)),
            fmp4::Event::Drop { frames } => drops.push(frames),
            _ => {}
        }
    }
    assert_eq!(after.first().map(|n| n % GROUP), Some(0));
    assert_eq!(drops.iter().sum::<u64>() + after.len() as u64, 8 * GROUP + 1);
    assert_eq!(hub.stats(PATH).unwrap().skipped, drops.iter().sum::<u64>());
}
