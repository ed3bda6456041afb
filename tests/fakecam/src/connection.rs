//! One viewer: requests in, answers and media out, in one thread.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use crate::Quirk as Q;
use crate::auth::Offer;
use crate::camera::{Shared, lock};
use crate::describe;
use crate::link::Link;
use crate::play::{Dice, Emit, Play};
use crate::setup::{self, Dest, Setup};
use crate::stats::Seen;
use crate::wire::{Inbox, Incoming, Reply, Request, path_of};

/// What to do with a request.
enum Answer {
    Reply(Reply),
    Silent,
    Close,
}

pub(crate) struct Connection<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) link: Link,
    id: u64,
    born: Instant,
    described: u32,
    pub(crate) setups: Vec<Setup>,
    /// Session ids given out, oldest first.
    ids: Vec<String>,
    pub(crate) play: Option<Play>,
    pub(crate) queue: VecDeque<Emit>,
    pub(crate) muted: bool,
    pub(crate) half_open: bool,
    pub(crate) close: bool,
    alive: Instant,
    reported: Instant,
    previous_cseq: String,
    pub(crate) dice: Dice,
    /// A datagram that waits to change places with the next.
    pub(crate) held: Option<(usize, Vec<u8>)>,
}

/// Serves a viewer until either side has enough.
pub(crate) fn serve(
    shared: &Shared,
    tcp: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    id: u64,
) -> io::Result<()> {
    let link = Link::new(tcp, tls)?;
    let patience = if shared.has(Q::TrTcpStall) { 1 } else { 10 };
    link.limit_writes(Duration::from_secs(patience))?;
    let now = Instant::now();
    let mut connection = Connection {
        shared,
        link,
        id,
        born: now,
        described: 0,
        setups: Vec::new(),
        ids: Vec::new(),
        play: None,
        queue: VecDeque::new(),
        muted: false,
        half_open: false,
        close: false,
        alive: now,
        reported: now,
        previous_cseq: "0".into(),
        dice: Dice::new(shared.config.seed ^ 0x00c0_ffee ^ id),
        held: None,
    };
    let done = connection.run();
    let mut stats = shared.stats();
    stats.blocked_max = stats.blocked_max.max(connection.link.blocked_max);
    drop(stats);
    if !connection.ids.is_empty() {
        shared.viewers.fetch_sub(1, Ordering::Relaxed);
    }
    done
}

impl Connection<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut inbox = Inbox::default();
        let mut buf = [0; 4096];
        while !self.shared.stopping() && !self.close {
            let due = self.play.as_ref().map(|p| p.due(self.shared));
            let most = Duration::from_millis(20);
            let wait =
                due.map_or(most, |at| at.saturating_duration_since(Instant::now()).min(most));
            match self.link.receive(&mut buf, wait)? {
                Some(0) => return Ok(()),
                Some(n) => inbox.push(&buf[..n]),
                None => {}
            }
            while !self.close
                && let Some(item) = inbox.next()
            {
                self.incoming(item)?;
            }
            self.datagrams();
            if self.expired() {
                return Ok(());
            }
            self.media(usize::MAX)?;
        }
        Ok(())
    }

    fn incoming(&mut self, item: Incoming) -> io::Result<()> {
        match item {
            _ if self.half_open => Ok(()),
            Incoming::Garbage => {
                self.close = true;
                Ok(())
            }
            Incoming::Data(payload) => {
                self.rtcp(&payload);
                Ok(())
            }
            Incoming::Request(request) => self.request(&request),
        }
    }

    fn rtcp(&mut self, packet: &[u8]) {
        if packet.get(1) == Some(&201) {
            self.shared.stats().receiver_reports += 1;
            self.reported = Instant::now();
            let by_request = [Q::KaGetParameterOnly, Q::KaBaseUrl, Q::KaShort, Q::AuthNonceExpires];
            if !by_request.iter().any(|&q| self.shared.has(q)) {
                self.alive = self.reported;
            }
        }
    }

    /// RTCP that came by UDP, on either socket of a pair.
    fn datagrams(&mut self) {
        let mut buf = [0; 2048];
        let mut got = Vec::new();
        for setup in &self.setups {
            let Dest::Udp { rtp, rtcp, .. } = &setup.dest else { continue };
            for socket in [rtp, rtcp] {
                while let Ok((n, _)) = socket.recv_from(&mut buf) {
                    got.push(buf[..n].to_vec());
                }
            }
        }
        for packet in got {
            self.rtcp(&packet);
        }
    }

    /// Is it time to end this connection?
    fn expired(&self) -> bool {
        let timers = &self.shared.config.timers;
        let once = [Q::SessConfigDrop, Q::AuthNoncePerConn, Q::SessDescribeAgain];
        if once.iter().any(|&q| self.shared.has(q))
            && let Some(first) = *lock(&self.shared.first_play)
            && self.born < first + timers.cut
            && first.elapsed() > timers.cut
        {
            return true;
        }
        if self.play.is_none() || self.half_open {
            return false;
        }
        let quiet = if self.shared.has(Q::KaRtcp5s) {
            self.reported.elapsed() > timers.reports
        } else {
            self.alive.elapsed() > timers.session
        };
        if quiet {
            self.shared.stats().expired += 1;
        }
        quiet
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        let at = self.shared.started.elapsed();
        let delay = self.shared.faults().answer_delay;
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        let answer = if request.http || self.shared.has(Q::TrTunnelPost) {
            return self.tunnel(request);
        } else {
            self.answer(request)
        };
        let status = if let Answer::Reply(r) = &answer { r.status } else { 0 };
        self.remember(request, at, status);
        match answer {
            Answer::Close => self.close = true,
            Answer::Silent => {}
            Answer::Reply(reply) => {
                let cseq = request.header("CSeq").unwrap_or("0").to_owned();
                let odd = self.shared.has(Q::KaSetParameter400) && is_keep_alive(&request.method);
                let mut text = if odd && self.play.is_some() {
                    self.previous_cseq.clone()
                } else {
                    cseq.clone()
                };
                if self.shared.has(Q::SdpSpace) {
                    text.push_str(" \t ");
                }
                self.previous_cseq = cseq;
                self.link.send(&reply.encode(&text))?;
            }
        }
        Ok(())
    }

    fn remember(&self, request: &Request, at: Duration, status: u16) {
        let mut stats = self.shared.stats();
        stats.unauthorized += u64::from(status == 401);
        if stats.requests.len() < 10_000 {
            stats.requests.push(Seen {
                connection: self.id,
                at,
                method: request.method.clone(),
                uri: request.uri.clone(),
                headers: request.headers.clone(),
                status,
            });
        }
    }

    /// A server that has nothing but an HTTP tunnel, and half of that.
    fn tunnel(&mut self, request: &Request) -> io::Result<()> {
        self.remember(request, self.shared.started.elapsed(), 0);
        match request.method.as_str() {
            "GET" if self.shared.has(Q::TrTunnelPost) => {
                thread::sleep(Duration::from_millis(500));
                self.link
                    .send(b"HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n")
            }
            "POST" if self.shared.has(Q::TrTunnelPost) => Ok(()),
            _ => {
                self.close = true;
                self.link.send(b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            }
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let method = request.method.as_str();
        let playing = self.play.is_some();
        if playing && is_keep_alive(method) {
            return self.keep_alive(request);
        }
        if method == "OPTIONS" {
            let methods =
                "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";
            return Answer::Reply(Reply::new(200).with("Public", methods));
        }
        if self.shared.has(Q::AuthDrop)
            && method == "DESCRIBE"
            && request.header("Authorization").is_some()
        {
            return Answer::Close;
        }
        let nameless = self.shared.has(Q::AuthNeedsUserAgent)
            && method == "DESCRIBE"
            && request.header("User-Agent").is_none_or(str::is_empty);
        if nameless || !self.authorized(request) {
            return Answer::Reply(self.challenge());
        }
        match method {
            "DESCRIBE" => self.describe(request),
            "SETUP" => self.setup(request),
            "PLAY" => self.start(request),
            "PAUSE" => self.in_session(request, |me| me.play = None),
            "TEARDOWN" => {
                self.shared.stats().teardowns += 1;
                self.in_session(request, |me| {
                    me.play = None;
                    me.setups.clear();
                })
            }
            _ => Answer::Reply(Reply::new(405)),
        }
    }

    fn offer(&self) -> Offer {
        let config = &self.shared.config;
        let nonce = self.shared.nonce(self.id);
        let basic = config.basic && !self.shared.has(Q::AuthManyChallenges);
        Offer { nonce, md5: config.md5, sha256: config.sha256, basic }
    }

    fn authorized(&self, request: &Request) -> bool {
        let Some((user, password)) = &self.shared.config.credentials else { return true };
        let Some(header) = request.header("Authorization") else { return false };
        self.offer().accepts(header, &request.method, &request.uri, (user, password))
    }

    fn challenge(&self) -> Reply {
        let many = self.shared.has(Q::AuthManyChallenges);
        let all = Offer { basic: self.shared.config.basic, ..self.offer() }.challenges();
        if many && self.shared.config.variant == 0 {
            return Reply::new(401).with("WWW-Authenticate", all.join(", "));
        }
        all.iter().fold(Reply::new(401), |r, c| r.with("WWW-Authenticate", c))
    }

    fn describe(&mut self, request: &Request) -> Answer {
        let shared = self.shared;
        let booting = shared.started.elapsed() < shared.config.timers.boot;
        if shared.has(Q::SessSlowBoot) && booting {
            let status = if shared.config.variant == 0 { 404 } else { 503 };
            return Answer::Reply(Reply::new(status));
        }
        let asked = request.path().trim_end_matches('/');
        if shared.has(Q::UrlRedirect) && asked == "/stream" {
            let location = format!("rtsp://{}/moved", shared.address);
            return Answer::Reply(Reply::new(302).with("Location", location));
        }
        let known = if shared.has(Q::KaBaseUrl) { "/stream" } else { describe::base_path(shared) };
        if asked != known {
            return Answer::Reply(Reply::new(404));
        }
        if shared.has(Q::SessDescribeOnce) && self.described > 0 {
            return Answer::Reply(Reply::new(500));
        }
        self.described += 1;
        let mut reply = Reply::new(200)
            .with("Server", "fakecam")
            .with("Content-Base", describe::content_base(shared));
        if !shared.has(Q::SdpNoContentType) {
            reply = reply.with("Content-Type", "application/sdp");
        }
        reply.body = describe::sdp(shared);
        Answer::Reply(reply)
    }

    fn setup(&mut self, request: &Request) -> Answer {
        let shared = self.shared;
        if shared.has(Q::SessDescribeAgain) && self.described == 0 {
            return Answer::Reply(Reply::new(455));
        }
        let Some(track) = describe::track_of(shared, request.path()) else {
            return Answer::Reply(Reply::new(404));
        };
        if self.ids.is_empty() && shared.has(Q::SessLimit) {
            let others = shared.viewers.load(Ordering::Relaxed) > 0;
            if others || shared.started.elapsed() < shared.config.timers.busy {
                return match shared.config.variant {
                    0 => Answer::Reply(Reply::new(453)),
                    1 => Answer::Reply(Reply::new(503)),
                    _ => Answer::Close,
                };
            }
        }
        let ssrc = self.dice.roll() as u32;
        let header = request.header("Transport").unwrap_or_default();
        let (setup, transport) = match setup::setup(shared, header, track, self.link.peer, ssrc) {
            Ok(done) => done,
            Err(status) => return Answer::Reply(Reply::new(status)),
        };
        self.setups.retain(|s| s.track != track);
        self.setups.push(setup);
        if self.ids.is_empty() {
            shared.viewers.fetch_add(1, Ordering::Relaxed);
        }
        if self.ids.is_empty() || shared.has(Q::SessIdChanges) {
            self.ids.push(format!("{:016X}", self.dice.roll()));
        }
        let id = self.ids.last().cloned().unwrap_or_default();
        let announced = shared.config.timers.session_announced_s;
        let session = if announced == 0 { id } else { format!("{id};timeout={announced}") };
        Answer::Reply(Reply::new(200).with("Transport", transport).with("Session", session))
    }

    /// The session that a request must name.
    fn valid_id(&self) -> Option<&str> {
        let latest = self.shared.config.form(Q::SessIdChanges, 1);
        let id = if latest { self.ids.last() } else { self.ids.first() };
        id.map(String::as_str)
    }

    fn names_session(&self, request: &Request) -> bool {
        let named = request.header("Session").and_then(|s| s.split(';').next()).map(str::trim);
        named.is_some() && named == self.valid_id()
    }

    fn on_base(&self, uri: &str) -> bool {
        path_of(uri).trim_end_matches('/') == describe::base_path(self.shared).trim_end_matches('/')
    }

    fn in_session(&mut self, request: &Request, act: impl FnOnce(&mut Self)) -> Answer {
        if !self.names_session(request) {
            return Answer::Reply(Reply::new(454));
        }
        if !self.on_base(&request.uri) {
            return Answer::Reply(Reply::new(404));
        }
        act(self);
        let id = self.valid_id().unwrap_or_default().to_owned();
        Answer::Reply(Reply::new(200).with("Session", id))
    }

    fn start(&mut self, request: &Request) -> Answer {
        let refusal = self.in_session(request, |_| {});
        let Answer::Reply(mut reply) = refusal else { return refusal };
        if reply.status != 200 || self.play.is_some() {
            return Answer::Reply(reply);
        }
        let tracks: Vec<(usize, u32)> = self.setups.iter().map(|s| (s.track, s.ssrc)).collect();
        let play = Play::new(self.shared, self.id, &tracks);
        reply = reply.with("Range", "npt=0.000-").with("RTP-Info", play.rtp_info(self.shared));
        self.play = Some(play);
        let now = Instant::now();
        (self.alive, self.reported) = (now, now);
        lock(&self.shared.first_play).get_or_insert(now);
        self.shared.stats().plays += 1;
        if self.shared.has(Q::SessEarlyData) && self.media(10).is_err() {
            return Answer::Close;
        }
        Answer::Reply(reply)
    }

    fn keep_alive(&mut self, request: &Request) -> Answer {
        let shared = self.shared;
        shared.stats().keep_alives += 1;
        if shared.has(Q::AuthKaUnsigned) && request.header("Authorization").is_none() {
            self.muted = true;
        } else if !self.authorized(request) {
            return Answer::Reply(self.challenge());
        }
        let method = request.method.as_str();
        if shared.has(Q::KaGetParameterBad) && method == "GET_PARAMETER" {
            return Answer::Close;
        }
        if shared.has(Q::KaBaseUrl) && !self.on_base(&request.uri) {
            return Answer::Reply(Reply::new(404));
        }
        if shared.has(Q::KaSetParameter400) && method == "SET_PARAMETER" {
            return Answer::Reply(Reply::new(400));
        }
        let named = self.names_session(request);
        if request.header("Session").is_some() && !named {
            return Answer::Reply(Reply::new(454));
        }
        if named && (!shared.has(Q::KaGetParameterOnly) || method == "GET_PARAMETER") {
            self.alive = Instant::now();
        }
        if shared.has(Q::KaSilent) {
            return Answer::Silent;
        }
        let id = self.valid_id().unwrap_or_default().to_owned();
        Answer::Reply(Reply::new(200).with("Session", id))
    }
}

fn is_keep_alive(method: &str) -> bool {
    matches!(method, "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER")
}
