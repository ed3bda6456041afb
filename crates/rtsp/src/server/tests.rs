use std::collections::HashMap;

use media::codec::{Codec, g711};
use media::{Params, Rate, TrackId, Wall};
use stdx::Secret;

use super::*;
use crate::auth::{self, Challenge, ClientAuth, Offer};
use crate::message::Method;

const CHANNELS: &str = "RTP/AVP/TCP;unicast;interleaved=0-1";
const PORTS: &str = "RTP/AVP;unicast;client_port=5000-5001";

/// The only place of these tests that needs an instant to start from.
#[allow(clippy::disallowed_methods)]
fn start() -> Now {
    Now { mono: Instant::now(), wall: Wall(0) }
}

fn presentation() -> Presentation {
    let video = Params::Pending(Codec::H264);
    let sound = Params::G711(g711::Params { law: g711::Law::Mu, sample_rate: 8_000, channels: 1 });
    let track = |id, rate, params| Track { id: TrackId(id), rate, params: Arc::new(params) };
    Presentation {
        tracks: vec![track(0, Rate::VIDEO, video), track(1, Rate::new(8_000).unwrap(), sound)],
        ssrcs: vec![0xa, 0xb],
    }
}

struct Talk {
    connection: Connection,
    reader: Reader,
    now: Now,
    cseq: u32,
    events: Vec<Event>,
    session: String,
}

impl Talk {
    fn new(auth: Option<Arc<ServerAuth>>) -> Self {
        let config = Config { auth, server_name: "khien".into(), session_timeout_s: 60, udp: true };
        let now = start();
        let connection = Connection::new(config, [0xab; 32], now);
        let reader = Reader::new();
        Self { connection, reader, now, cseq: 0, events: Vec::new(), session: String::new() }
    }

    fn open() -> Self {
        Self::new(None)
    }

    /// Everything that the server sends now; events are answered as a driver would.
    fn drain(&mut self) -> Vec<Response> {
        let mut answers = Vec::new();
        loop {
            match self.connection.poll() {
                Output::Transmit(bytes) => self
                    .reader
                    .read(&bytes, &mut |item| match item {
                        Item::Response(response) => answers.push(response),
                        other => panic!("{other:?}"),
                    })
                    .unwrap(),
                Output::Event(event) => {
                    match &event {
                        Event::Describe { path } => {
                            let found = (path == "main").then(presentation);
                            self.connection.describe(found.as_ref());
                        }
                        Event::Setup { track, transport: Transport::Udp { .. } } => {
                            self.connection.udp_ready(*track, 6000);
                        }
                        Event::Play { .. } => self.connection.play_info(&[(0, 7, 9)]),
                        _ => {}
                    }
                    self.events.push(event);
                }
                Output::Wait(_) => return answers,
            }
        }
    }

    fn send(&mut self, request: &Request) -> Vec<Response> {
        self.connection.handle(self.now, Input::Tcp(&request.encode())).unwrap();
        self.drain()
    }

    fn request(&mut self, method: &str, uri: &str) -> Request {
        self.cseq += 1;
        let request = Request::new(Method::from(method), uri).with("CSeq", self.cseq.to_string());
        if self.session.is_empty() { request } else { request.with("Session", &*self.session) }
    }

    fn ask(&mut self, method: &str, uri: &str) -> Response {
        let request = self.request(method, uri);
        self.one(&request)
    }

    fn one(&mut self, request: &Request) -> Response {
        let mut answers = self.send(request);
        assert_eq!(answers.len(), 1, "{request:?}");
        let answer = answers.remove(0);
        assert_eq!(answer.headers.cseq(), request.headers.cseq());
        if let Some(session) = answer.headers.get("Session") {
            self.session = session.split(';').next().unwrap().to_owned();
        }
        answer
    }

    fn setup(&mut self, uri: &str, transport: &str) -> Response {
        let request = self.request("SETUP", uri).with("Transport", transport);
        self.one(&request)
    }

    fn wait(&mut self) -> Option<Instant> {
        match self.connection.poll() {
            Output::Wait(at) => at,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_viewer_comes_watches_and_goes() {
    let mut t = Talk::open();
    assert!(t.ask("OPTIONS", "*").headers.get("Public").unwrap().contains("DESCRIBE"));
    let description = t.ask("DESCRIBE", "rtsp://h:8554/main?x");
    assert_eq!(description.headers.get("Content-Base"), Some("rtsp://h:8554/main/"));
    assert_eq!(description.headers.get("Content-Type"), Some("application/sdp"));
    assert!(description.body.starts_with(b"v=0"));
    let first = t.setup("rtsp://h:8554/main/trackID=0", CHANNELS);
    let expect = "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000000A";
    assert_eq!(first.headers.get("Transport"), Some(expect));
    assert_eq!(first.headers.get("Session"), Some(&*format!("{};timeout=60", "ab".repeat(16))));
    let second = t.setup("rtsp://h:8554/main/trackID=1", PORTS);
    let expect = "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;ssrc=0000000B";
    assert_eq!(second.headers.get("Transport"), Some(expect));
    let played = t.ask("PLAY", "rtsp://h:8554/main/");
    let expect = "url=rtsp://h:8554/main/trackID=0;seq=7;rtptime=9";
    assert_eq!(played.headers.get("RTP-Info"), Some(expect));
    assert_eq!(t.ask("PLAY", "rtsp://h:8554/main/").status, 200);
    assert_eq!(t.ask("GET_PARAMETER", "rtsp://h:8554/main/").status, 200);
    assert_eq!(t.ask("PAUSE", "rtsp://h:8554/main/").status, 200);
    assert_eq!(t.ask("PLAY", "rtsp://h:8554/main/").status, 200);
    assert_eq!(t.ask("TEARDOWN", "rtsp://h:8554/main/").status, 200);
    let tcp = Transport::Tcp { rtp: 0, rtcp: 1 };
    let udp = Transport::Udp { rtp: 5000, rtcp: 5001 };
    let play = Event::Play { tracks: vec![(0, tcp), (1, udp)] };
    let expect = [
        Event::Describe { path: "main".to_owned() },
        Event::Setup { track: 0, transport: tcp },
        Event::Setup { track: 1, transport: udp },
        play.clone(),
        Event::Pause,
        play,
        Event::Teardown,
    ];
    assert_eq!(t.events, expect);
}

#[test]
fn wrong_requests_get_the_status_that_says_why() {
    let mut t = Talk::open();
    assert_eq!(t.ask("DESCRIBE", "rtsp://h/nothing").status, 404);
    assert_eq!(t.ask("DESCRIBE", "http://h/main").status, 400);
    assert_eq!(t.ask("DESCRIBE", "rtsp://h/ma%0ain").status, 400);
    assert_eq!(t.ask("PLAY", "rtsp://h/main").status, 455);
    assert_eq!(t.ask("TEARDOWN", "rtsp://h/main").status, 454);
    assert_eq!(t.ask("RECORD", "rtsp://h/main").status, 405);
    assert_eq!(t.ask("FROBNICATE", "rtsp://h/main").status, 501);
    let request = t.request("DESCRIBE", "rtsp://h/main").with("Accept", "text/plain");
    assert_eq!(t.one(&request).status, 406);
    let feature = "www.onvif.org/ver20/backchannel";
    let request = t.request("DESCRIBE", "rtsp://h/main").with("Require", feature);
    assert_eq!(t.one(&request).headers.get("Unsupported"), Some(feature));
    let unnumbered = t.send(&Request::new(Method::Options, "*"));
    assert_eq!(unnumbered.first().map(|r| r.status), Some(400));

    assert_eq!(t.setup("rtsp://h/main/trackID=2", CHANNELS).status, 404);
    assert_eq!(t.setup("rtsp://h/main/trackID=x", CHANNELS).status, 404);
    assert_eq!(t.setup("rtsp://h/main", CHANNELS).status, 459, "two tracks");
    assert_eq!(t.setup("rtsp://h/main/trackID=0", "RTP/AVP;multicast").status, 461);
    assert_eq!(t.ask("SETUP", "rtsp://h/main/trackID=0").status, 461);
    assert_eq!(t.setup("rtsp://h/main/trackID=0", CHANNELS).status, 200);
    assert_eq!(t.setup("rtsp://h/main/trackID=1", CHANNELS).status, 461, "channels taken");
    assert_eq!(t.setup("rtsp://h/other/trackID=1", PORTS).status, 459, "another source");
    assert_eq!(t.setup("rtsp://h/main/trackID=1", PORTS).status, 200);
    assert_eq!(t.ask("PLAY", "rtsp://h/main/trackID=0").status, 460);
    assert_eq!(t.ask("PLAY", "rtsp://h/other").status, 404);
    assert_eq!(t.ask("PLAY", "rtsp://h/main").status, 200);
    assert_eq!(t.setup("rtsp://h/main/trackID=1", PORTS).status, 455, "while it plays");
    assert_eq!(t.ask("DESCRIBE", "rtsp://h/main").status, 200);
    assert_eq!(t.ask("DESCRIBE", "rtsp://h/other").status, 455);
    let mut request = t.request("GET_PARAMETER", "rtsp://h/main");
    request.body = Bytes::from_static(b"position\r\n");
    assert_eq!(t.one(&request).status, 451);
    let session = std::mem::replace(&mut t.session, "1234".to_owned());
    for method in ["PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "OPTIONS"] {
        assert_eq!(t.ask(method, "rtsp://h/main").status, 454, "{method}");
    }
    t.session = String::new();
    assert_eq!(t.ask("PAUSE", "rtsp://h/main").status, 454);
    t.session = session;
    assert_eq!(t.ask("PAUSE", "rtsp://h/main").status, 200);
}

#[test]
fn setup_needs_no_description_before() {
    let mut t = Talk::open();
    assert_eq!(t.setup("rtsp://h/nothing/trackID=0", CHANNELS).status, 404);
    assert_eq!(t.setup("rtsp://h/main/trackID=0", CHANNELS).status, 200);
    assert_eq!(t.events.len(), 3);
}

#[test]
fn requests_at_once_are_answered_in_order() {
    let mut t = Talk::open();
    let mut all = Vec::new();
    for (method, uri) in [
        ("OPTIONS", "*"),
        ("DESCRIBE", "rtsp://h/main"),
        ("DESCRIBE", "rtsp://h/x"),
        ("OPTIONS", "*"),
    ] {
        all.extend_from_slice(&t.request(method, uri).encode());
    }
    t.connection.handle(t.now, Input::Tcp(&all)).unwrap();
    let answers = t.drain();
    let got: Vec<_> = answers.iter().map(|r| (r.headers.cseq().unwrap(), r.status)).collect();
    assert_eq!(got, [(1, 200), (2, 200), (3, 404), (4, 200)]);
    let flood = t.request("DESCRIBE", "rtsp://h/main").encode().repeat(40);
    let error = t.connection.handle(t.now, Input::Tcp(&flood));
    assert_eq!(error, Err(Error::PeerMisbehaved("too many requests at once")));
}

fn guarded(offer: Offer) -> Arc<ServerAuth> {
    let users = HashMap::from([("anna".to_owned(), Secret::from("s3cret"))]);
    let config = auth::Config { realm: "khien".into(), users, offer, basic: false };
    Arc::new(ServerAuth::new(config, [3; 32]))
}

fn challenge(answer: &Response, client: &mut ClientAuth) {
    assert_eq!(answer.status, 401);
    client.challenge(&Challenge::parse_all(answer.headers.get_all("WWW-Authenticate")));
}

#[test]
fn only_who_knows_the_password_comes_in() {
    for offer in [Offer::Md5, Offer::Sha256, Offer::Both] {
        let mut t = Talk::new(Some(guarded(offer)));
        assert_eq!(t.ask("OPTIONS", "*").status, 200);
        // Nobody learns from outside what exists.
        assert_eq!(t.ask("DESCRIBE", "rtsp://h/nothing").status, 401);
        let mut client = ClientAuth::new("anna", &Secret::from("s3cret"));
        challenge(&t.ask("DESCRIBE", "rtsp://h/main"), &mut client);
        let sign = |t: &mut Talk, client: &mut ClientAuth, method: &str, uri: &str| {
            let request = t.request(method, uri).with("Transport", CHANNELS);
            let value = client.authorize(&request.method, &request.uri).unwrap();
            request.with("Authorization", value)
        };
        let request = sign(&mut t, &mut client, "DESCRIBE", "rtsp://h/main");
        assert_eq!(t.one(&request).status, 200);
        let request = sign(&mut t, &mut client, "SETUP", "rtsp://h/main/trackID=0");
        assert_eq!(t.one(&request).status, 200);
        t.now.mono += auth::NONCE_LIFE + Duration::from_secs(1);
        // An old nonce is enough to keep a session, for nothing else.
        let request = sign(&mut t, &mut client, "GET_PARAMETER", "rtsp://h/main");
        assert_eq!(t.one(&request).status, 200);
        let request = sign(&mut t, &mut client, "PLAY", "rtsp://h/main");
        let stale = t.one(&request);
        assert!(stale.headers.get("WWW-Authenticate").unwrap().contains("stale=true"));
        challenge(&stale, &mut client);
        let request = sign(&mut t, &mut client, "PLAY", "rtsp://h/main");
        assert_eq!(t.one(&request).status, 200);
        assert!(!t.events.contains(&Event::AuthFailed));
    }
}

#[test]
fn who_guesses_passwords_is_shown_out() {
    let mut t = Talk::new(Some(guarded(Offer::Md5)));
    let mut client = ClientAuth::new("anna", &Secret::from("guess"));
    challenge(&t.ask("DESCRIBE", "rtsp://h/main"), &mut client);
    for n in 1..=5 {
        let request = t.request("DESCRIBE", "rtsp://h/main");
        let value = client.authorize(&request.method, &request.uri).unwrap();
        challenge(&t.one(&request.with("Authorization", value)), &mut client);
        assert_eq!(t.events.contains(&Event::Closed), n == 5);
    }
    assert_eq!(t.events.iter().filter(|e| **e == Event::AuthFailed).count(), 5);
    let request = t.request("OPTIONS", "*");
    assert!(t.send(&request).is_empty());
}

#[test]
fn sessions_end_when_nobody_asks_for_them() {
    let mut t = Talk::open();
    assert_eq!(t.wait(), Some(t.now.mono + IDLE));
    t.setup("rtsp://h/main/trackID=0", CHANNELS);
    let limit = Duration::from_secs(60) + GRACE;
    assert_eq!(t.wait(), Some(t.now.mono + limit));
    t.ask("PLAY", "rtsp://h/main");
    assert_eq!(t.wait(), None, "over TCP the connection is the session");
    t.ask("PAUSE", "rtsp://h/main");
    t.setup("rtsp://h/main/trackID=1", PORTS);
    t.ask("PLAY", "rtsp://h/main");
    t.now.mono += Duration::from_secs(59);
    t.ask("GET_PARAMETER", "rtsp://h/main");
    assert_eq!(t.wait(), Some(t.now.mono + limit));
    t.now.mono += limit - Duration::from_millis(1);
    t.connection.handle(t.now, Input::Timeout).unwrap();
    assert!(t.wait().is_some(), "not yet");
    t.connection.handle(t.now, Input::Alive).unwrap();
    assert_eq!(t.wait(), Some(t.now.mono + limit));
    t.now.mono += limit - Duration::from_millis(1);
    t.now.mono += Duration::from_millis(1);
    t.connection.handle(t.now, Input::Timeout).unwrap();
    assert_eq!(t.connection.poll(), Output::Event(Event::Closed));
    assert_eq!(t.wait(), None);
}

#[test]
fn reports_of_the_viewer_are_told_by_track() {
    let mut t = Talk::open();
    t.setup("rtsp://h/main/trackID=1", "RTP/AVP/TCP;interleaved=4-5");
    t.events.clear();
    let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    for channel in [4, 5, 9] {
        let frame = crate::pay::interleave(channel, &report);
        t.connection.handle(t.now, Input::Tcp(&frame)).unwrap();
    }
    t.drain();
    let packet = Bytes::copy_from_slice(&report);
    assert_eq!(t.events, [Event::Rtcp { track: 1, packet }]);
}

#[test]
fn what_cannot_be_understood_ends_the_connection_with_a_word() {
    for (bytes, status) in [
        (&b"DESCRIBE rtsp://h/main RTSP/1.0\r\nCSeq: 1\r\nX: a\x07b\r\n\r\n"[..], 400),
        (b"DESCRIBE rtsp://h/ma\tin RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400),
        (b"DESCRIBE rtsp://h/main RTSP/3.0\r\nCSeq: 1\r\n\r\n", 400),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 999999999\r\n\r\n", 413),
    ] {
        let mut t = Talk::open();
        assert!(t.connection.handle(t.now, Input::Tcp(bytes)).is_err());
        let answers = t.drain();
        assert_eq!(answers.iter().map(|r| r.status).collect::<Vec<_>>(), [status]);
        assert_eq!(t.events, [Event::Closed]);
    }
}

#[test]
fn answers_come_out_of_order_to_nobody() {
    let mut t = Talk::open();
    t.connection.describe(Some(&presentation()));
    t.connection.udp_ready(0, 1);
    t.connection.play_info(&[(0, 0, 0)]);
    assert!(t.drain().is_empty());
    let request = t.request("DESCRIBE", "rtsp://h/main").encode();
    t.connection.handle(t.now, Input::Tcp(&request)).unwrap();
    assert!(matches!(t.connection.poll(), Output::Event(Event::Describe { .. })));
    t.connection.play_info(&[]);
    t.connection.udp_ready(7, 1);
    assert!(matches!(t.connection.poll(), Output::Wait(_)));
    t.connection.handle(t.now, Input::Closed).unwrap();
    t.connection.describe(Some(&presentation()));
    assert!(t.drain().is_empty());
    assert_eq!(t.events, [Event::Closed]);
}
