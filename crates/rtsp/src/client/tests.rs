//! Conversations as scripts: what the camera says goes in, what we say comes out.

mod conversation;
mod media;
mod trouble;

use std::collections::VecDeque;

use ::media::{TrackKind, Wall};
use stdx::Secret;

use super::*;
use crate::message::{Headers, Request};
use crate::rtp::Header;

const URL: &str = "rtsp://192.0.2.5/stream";
/// H.264 (640x362), G.711 and nothing odd.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=x\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 sprop-parameter-sets=Z0LAFtkAoC/5MBEAAAMAAQAAAwAeDxYuSA==,aMuDyyA=\r\n\
    a=control:trackID=0\r\n\
    m=audio 0 RTP/AVP 0\r\na=control:trackID=1\r\n";
const CHANNELS: &str = "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000000A";
const SESSION: (&str, &str) = ("Session", "1234;timeout=60");
const SSRC: u32 = 10;

/// The only place of these tests that needs an instant to start from.
#[allow(clippy::disallowed_methods)]
fn start() -> Now {
    Now { mono: Instant::now(), wall: Wall(1_800_000_000_000_000) }
}

fn config() -> Config {
    Config {
        url: Url::parse(URL).unwrap(),
        credentials: None,
        transport: Transport::Tcp,
        allow_redirect: false,
        user_agent: "khien/test".to_owned(),
        learned: Learned::default(),
        want: Want { video: true, audio: true, metadata: true },
    }
}

fn with_account() -> Config {
    Config { credentials: Some(("admin".to_owned(), Secret::from("pass"))), ..config() }
}

fn video_only() -> Config {
    Config { want: Want { video: true, audio: false, metadata: false }, ..config() }
}

/// A client and everything that came out of it, sorted.
struct Talk {
    client: Client,
    now: Now,
    reader: Reader,
    requests: VecDeque<Request>,
    answered: Request,
    /// Interleaved packets of ours: channel and packet.
    data: Vec<(u8, Vec<u8>)>,
    datagrams: Vec<(usize, bool, Bytes)>,
    events: VecDeque<Event>,
    frames: Vec<Frame>,
    wait: Option<Instant>,
    error: Option<Error>,
}

impl Talk {
    fn new(config: Config) -> Self {
        let now = start();
        let mut talk = Self {
            client: Client::new(config, now),
            now,
            reader: Reader::new(),
            requests: VecDeque::new(),
            answered: Request::new(Method::Options, "*"),
            data: Vec::new(),
            datagrams: Vec::new(),
            events: VecDeque::new(),
            frames: Vec::new(),
            wait: None,
            error: None,
        };
        talk.drain();
        talk
    }

    fn drain(&mut self) {
        loop {
            match self.client.poll() {
                Output::Transmit(bytes) => {
                    let (requests, data) = (&mut self.requests, &mut self.data);
                    let read = self.reader.read(&bytes, &mut |item| match item {
                        Item::Request(request) => requests.push_back(request),
                        Item::Data { channel, payload } => data.push((channel, payload.to_vec())),
                        Item::Response(_) => {}
                    });
                    read.expect("what we say can be read");
                }
                Output::TransmitUdp { track, rtcp, data } => {
                    self.datagrams.push((track, rtcp, data));
                }
                Output::Event(Event::Frame(frame)) => self.frames.push(frame),
                Output::Event(event) => self.events.push_back(event),
                Output::Wait(at) => {
                    self.wait = at;
                    return;
                }
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        if let Err(e) = self.client.handle(self.now, input) {
            self.error = Some(e);
        }
        self.drain();
    }

    fn say(&mut self, text: &str) {
        self.handle(Input::Tcp(text.as_bytes()));
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall = self.now.wall.plus(time);
    }

    /// Lets time pass, ringing whenever the machine wants it.
    fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.wait.filter(|at| *at <= end) {
            self.pass(at.saturating_duration_since(self.now.mono));
            self.handle(Input::Timeout);
        }
        self.pass(end.saturating_duration_since(self.now.mono));
    }

    /// The next request, which must be this.
    #[track_caller]
    fn asked(&mut self, method: Method, uri: &str) -> Headers {
        let request = self.requests.pop_front().expect("a request");
        assert_eq!((&request.method, request.uri.as_str()), (&method, uri));
        assert_eq!(request.headers.get("User-Agent"), Some("khien/test"));
        self.answered = request.clone();
        request.headers
    }

    /// Answers the request that was asked for last.
    fn answer(&mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        let cseq = self.answered.headers.get("CSeq").unwrap().to_owned();
        let mut text = format!("RTSP/1.0 {status} x\r\nCSeq: {cseq}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.say(&text);
    }

    fn describe(&mut self, sdp: &str) {
        self.asked(Method::Describe, URL);
        let base = format!("{URL}/");
        self.answer(200, &[("Content-Type", "application/sdp"), ("Content-Base", &base)], sdp);
    }

    /// Up to PLAY, with the video alone or with sound.
    fn play(config: Config) -> Self {
        let sound = config.want.audio;
        let mut talk = Self::new(config);
        talk.describe(SDP);
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
        talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
        if sound {
            talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=1");
            let transport = "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=0000000B";
            talk.answer(200, &[("Transport", transport), SESSION], "");
        }
        talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
        talk.answer(200, &[SESSION], "");
        talk
    }

    /// An interleaved packet.
    fn packet(&mut self, channel: u8, packet: &[u8]) {
        let len = u16::try_from(packet.len()).unwrap().to_be_bytes();
        self.handle(Input::Tcp(&[&[b'$', channel, len[0], len[1]], packet].concat()));
    }

    #[track_caller]
    fn closed(&self) -> Reason {
        let last = self.events.iter().rev().find_map(|e| match e {
            Event::Closed(reason) => Some(*reason),
            _ => None,
        });
        last.expect("is closed")
    }

    #[track_caller]
    fn saw(&self, expect: &[Quirk]) {
        let seen: Vec<Quirk> = self.client.quirks().list().into_iter().map(|(q, _)| q).collect();
        assert_eq!(seen, expect);
        let told: Vec<Quirk> = self.events.iter().filter_map(quirk).collect();
        assert!(seen.iter().all(|q| told.contains(q)), "{told:?}");
    }
}

const fn quirk(event: &Event) -> Option<Quirk> {
    match event {
        Event::Quirk(quirk) => Some(*quirk),
        _ => None,
    }
}

/// A video packet with one slice, which ends its picture.
fn picture(seq: u16, timestamp: u32, key: bool) -> Vec<u8> {
    let slice: &[u8] = if key { &[0x65, 0x88, 0x84, 1] } else { &[0x41, 0x9a, 0x24, 2] };
    rtp(96, seq, timestamp, SSRC, slice)
}

fn rtp(payload_type: u8, seq: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header { marker: true, payload_type, seq, timestamp, ssrc };
    [&header.to_bytes()[..], payload].concat()
}

/// A length and these bytes.
fn prefixed(unit: &[u8]) -> Vec<u8> {
    [&u32::try_from(unit.len()).unwrap().to_be_bytes()[..], unit].concat()
}
