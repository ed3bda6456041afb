//! The client end of a connection to a camera (RFC 2326): bytes and packets in; requests, events
//! and frames out.
//!
//! ```text
//! Describe ──▶ Setup (each track) ──▶ Play ──▶ Playing ──▶ Closed
//!     └─ 401: once more, signed      └─ 461: over the other transport, by the driver
//! ```
//!
//! The driver connects, calls [`Client::handle`] with what happened and then [`Client::poll`]
//! until it answers [`Output::Wait`]. It owns the sockets, decides when silence has lasted too
//! long, and connects again. What one session learned about its camera, [`Client::learned`], it
//! gives to the next.
//!
//! Not here: SRTP, tunnels through HTTP, back channels.

mod exchange;
mod keep_alive;
mod track;
mod transport;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use media::{Frame, Track, TrackId};
use stdx::Secret;

use crate::auth::ClientAuth;
use crate::message::{Item, Method, Reader};
use crate::quirk::{Quirk, QuirkCounts};
use crate::sdp::{Media, Session};
use crate::url::Url;
use crate::{Error, Now, rtcp};

pub use keep_alive::{KeepAlive, Learned};

use exchange::Exchange;
use track::Lane;

/// Packets that are kept until PLAY is answered.
const EARLY_PACKETS_MAX: usize = 64;
/// Distance of receiver reports.
const REPORT: Duration = Duration::from_secs(5);
/// Most that waits for [`Client::poll`]; a driver that polls as it should never gets near.
const OUTPUTS_MAX: usize = 16_384;

/// How media travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Interleaved with the requests, on their connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// Which kinds of tracks are set up, the first of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Pictures.
    pub video: bool,
    /// Sound.
    pub audio: bool,
    /// ONVIF metadata.
    pub metadata: bool,
}

/// What a session is begun with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The camera's address.
    pub url: Url,
    /// User and password; sent only in answer to a challenge.
    pub credentials: Option<(String, Secret)>,
    /// Asked for at SETUP.
    pub transport: Transport,
    /// Report a redirect to the same host instead of failing.
    pub allow_redirect: bool,
    /// What we call ourselves; some cameras refuse who says nothing.
    pub user_agent: String,
    /// What earlier sessions learned.
    pub learned: Learned,
    /// What to set up.
    pub want: Want,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Bytes came over the connection.
    Tcp(&'a [u8]),
    /// A datagram came.
    Udp {
        /// Which track's sockets.
        track: usize,
        /// The RTCP socket.
        rtcp: bool,
        /// The datagram.
        data: &'a [u8],
    },
    /// Answers [`Event::NeedUdp`]: the even port of the pair; 0 if there is none.
    UdpBound {
        /// Which track's sockets.
        track: usize,
        /// The RTP port.
        rtp_port: u16,
    },
    /// The time that `Wait` named has come.
    Timeout,
    /// The connection has ended.
    Closed,
    /// The driver wants to end: says so to the camera and closes.
    Teardown,
}

/// What is to be done.
#[derive(Debug)]
pub enum Output {
    /// Bytes for the connection.
    Transmit(Bytes),
    /// A datagram for the camera.
    TransmitUdp {
        /// Which track's sockets.
        track: usize,
        /// From the RTCP socket to the RTCP port.
        rtcp: bool,
        /// The datagram.
        data: Bytes,
    },
    /// Something to know.
    Event(Event),
    /// Nothing until more comes in, or until then.
    Wait(Option<Instant>),
}

/// What a driver learns.
#[derive(Debug)]
pub enum Event {
    /// The camera told what it has.
    Described {
        /// What its software calls itself.
        server: Option<String>,
    },
    /// A pair of ports is needed for this track; answered with [`Input::UdpBound`].
    NeedUdp {
        /// Which track.
        track: usize,
    },
    /// Where the camera sends from; zero where it did not say.
    PeerUdp {
        /// Which track.
        track: usize,
        /// RTP.
        rtp_port: u16,
        /// RTCP.
        rtcp_port: u16,
    },
    /// Media follows.
    Playing {
        /// The tracks; their parameters are those announced.
        tracks: Vec<Track>,
    },
    /// A frame.
    Frame(Frame),
    /// Packets did not come.
    Lost {
        /// Of which track.
        track: TrackId,
        /// How many.
        packets: u64,
    },
    /// Seen for the first time in this session.
    Quirk(Quirk),
    /// Go there instead; same host, same credentials.
    Redirect {
        /// The address.
        location: String,
    },
    /// It is over.
    Closed(Reason),
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The camera closed the connection or said goodbye.
    Ended,
    /// No such path.
    NotFound,
    /// User or password are wrong, or were not given.
    Auth,
    /// Nothing there that khien knows.
    Unsupported,
    /// What the camera says cannot be understood.
    Protocol(Error),
    /// A status that says no.
    Refused(u16),
    /// It does not do TCP.
    TryUdp,
    /// It does not do UDP.
    TryTcp,
    /// We ended it because nothing came.
    Silent,
}

/// One session.
#[derive(Debug)]
pub struct Client {
    config: Config,
    auth: Option<ClientAuth>,
    reader: Option<Reader>,
    exchange: Exchange,
    step: Step,
    base: Url,
    aggregate: Url,
    session: Option<Session>,
    /// The medias that are set up, beside `lanes`.
    medias: Vec<Media>,
    lanes: Vec<Lane>,
    /// Channels or ports of each lane.
    routes: Vec<Route>,
    /// The session's name as the camera gave it, and a later one that differs.
    id: Option<String>,
    other_id: Option<String>,
    timeout: Duration,
    early: Vec<(u8, Bytes)>,
    playing_since: Option<Instant>,
    reported: Option<Instant>,
    kept_alive: Option<Instant>,
    keep_alives: u32,
    unanswered: u32,
    ssrc: u32,
    skipped: u64,
    last_media: Option<Instant>,
    quirks: QuirkCounts,
    learned: Learned,
    frames: Vec<Frame>,
    out: VecDeque<Output>,
}

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Describe,
    /// Which lane.
    Setup(usize),
    Play,
    Playing,
    Closed,
}

/// Where a lane's packets come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Channels(u8, u8),
    Udp,
}

impl Client {
    /// A session that is to begin on a fresh connection: the first request is ready.
    pub fn new(config: Config, now: Now) -> Self {
        let auth = config.credentials.as_ref().map(|(user, password)| {
            // Over TLS nobody reads Basic; without it the quirk warns.
            ClientAuth::new(user, password)
        });
        let base = config.url.clone();
        let learned = config.learned;
        // Distinct between sessions is all that a receiver's source must be.
        let ssrc = u32::try_from(now.wall.0 & 0xffff_ffff).unwrap_or(1);
        let mut client = Self {
            auth,
            reader: Some(Reader::new()),
            exchange: Exchange::default(),
            step: Step::Describe,
            aggregate: base.clone(),
            base,
            session: None,
            medias: Vec::new(),
            lanes: Vec::new(),
            routes: Vec::new(),
            id: None,
            other_id: None,
            timeout: keep_alive::TIMEOUT,
            early: Vec::new(),
            playing_since: None,
            reported: None,
            kept_alive: None,
            keep_alives: 0,
            unanswered: 0,
            ssrc,
            skipped: 0,
            last_media: None,
            quirks: QuirkCounts::default(),
            learned,
            frames: Vec::new(),
            out: VecDeque::new(),
            config,
        };
        let url = client.config.url.clone();
        client.ask(Method::Describe, &url, &[("Accept", "application/sdp")]);
        client
    }

    /// Says what happened; afterwards [`Client::poll`] until it waits.
    ///
    /// # Errors
    /// The camera cannot be understood; [`Event::Closed`] says so too, and nothing works any more.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Error> {
        if self.step == Step::Closed {
            return Ok(());
        }
        let result = match input {
            Input::Tcp(data) => self.bytes(now, data),
            Input::Udp { track, rtcp, data } => {
                self.packet(now, track, rtcp, data);
                Ok(())
            }
            Input::UdpBound { track, rtp_port } => {
                self.bound(track, rtp_port);
                Ok(())
            }
            Input::Timeout => {
                self.timeout(now);
                Ok(())
            }
            Input::Closed => {
                self.ended(now);
                Ok(())
            }
            Input::Teardown => {
                self.teardown(now);
                Ok(())
            }
        };
        if let Err(e) = result {
            self.close(Reason::Protocol(e));
        }
        self.tell();
        result
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// What the camera did differently so far.
    pub const fn quirks(&self) -> &QuirkCounts {
        &self.quirks
    }

    /// When the last packet of media came.
    pub const fn last_media(&self) -> Option<Instant> {
        self.last_media
    }

    /// What the next session should know.
    pub const fn learned(&self) -> Learned {
        self.learned
    }

    fn deadline(&self) -> Option<Instant> {
        if self.step != Step::Playing {
            return None;
        }
        let report = self.reported.map(|at| at + REPORT);
        let alive = self.kept_alive.map(|at| at + self.learned.interval(self.timeout));
        let lanes = self.lanes.iter().filter_map(Lane::deadline);
        lanes.chain(report).chain(alive).min()
    }

    fn bytes(&mut self, now: Now, data: &[u8]) -> Result<(), Error> {
        // Taken out while it calls back.
        let Some(mut reader) = self.reader.take() else { return Ok(()) };
        let mut wrong = Ok(());
        let read = reader.read(data, &mut |item| {
            if wrong.is_err() || self.step == Step::Closed {
                return;
            }
            match item {
                Item::Data { channel, payload } => self.interleaved(now, channel, payload),
                Item::Response(response) => wrong = self.answered(now, response),
                Item::Request(request) => self.asked(&request),
            }
        });
        if reader.skipped_bytes() > self.skipped {
            self.skipped = reader.skipped_bytes();
            self.quirks.add(Quirk::SessCrlf);
        }
        for route in &self.routes {
            if let Route::Channels(rtp, rtcp) = *route {
                reader.expect_channel(rtp);
                reader.expect_channel(rtcp);
            }
        }
        self.reader = Some(reader);
        wrong.and(read)
    }

    fn interleaved(&mut self, now: Now, channel: u8, data: &[u8]) {
        let found = self.routes.iter().enumerate().find_map(|(lane, route)| match *route {
            Route::Channels(rtp, _) if rtp == channel => Some((lane, false)),
            Route::Channels(_, rtcp) if rtcp == channel => Some((lane, true)),
            _ => None,
        });
        let Some((lane, rtcp)) = found else {
            let old = self.session.as_ref().and_then(|s| s.tool.as_deref());
            self.quirks.add(if old.is_some_and(is_old_live555) {
                Quirk::SessStaleLive555
            } else {
                Quirk::SessUnassignedChannel
            });
            return;
        };
        if self.step == Step::Playing {
            self.packet(now, lane, rtcp, data);
        } else {
            self.quirks.add(Quirk::SessEarlyData);
            if self.early.len() < EARLY_PACKETS_MAX {
                self.early.push((channel, Bytes::copy_from_slice(data)));
            }
        }
    }

    /// A packet of a lane, from either transport.
    fn packet(&mut self, now: Now, lane: usize, rtcp: bool, data: &[u8]) {
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        // Some cameras send both on one channel or port.
        if rtcp || crate::rtp::is_rtcp(data) {
            lane.rtcp(data, now, &mut self.quirks);
            return;
        }
        if lane.packet(data, now, &mut self.frames, &mut self.quirks) {
            self.last_media = Some(now.mono);
        }
    }

    fn timeout(&mut self, now: Now) {
        if self.step != Step::Playing {
            return;
        }
        for lane in &mut self.lanes {
            lane.timeout(now, &mut self.frames, &mut self.quirks);
        }
        if self.reported.is_none_or(|at| now.mono >= at + REPORT) {
            self.reported = Some(now.mono);
            self.report(now);
        }
        let due = self.learned.interval(self.timeout);
        if self.kept_alive.is_none_or(|at| now.mono >= at + due) {
            self.kept_alive = Some(now.mono);
            self.keep_alive();
        }
    }

    /// Receiver reports for all lanes: some cameras end who sends none.
    fn report(&mut self, now: Now) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let block = lane.block(now);
            let data = rtcp::receiver_report(self.ssrc, block.as_ref(), "khien");
            match self.routes.get(index) {
                Some(Route::Channels(_, channel)) => {
                    let mut out = BytesMut::with_capacity(data.len() + 4);
                    out.put_u8(b'$');
                    out.put_u8(*channel);
                    out.put_u16(u16::try_from(data.len()).unwrap_or(0));
                    out.extend_from_slice(&data);
                    self.out.push_back(Output::Transmit(out.freeze()));
                }
                Some(Route::Udp) => {
                    self.out.push_back(Output::TransmitUdp { track: index, rtcp: true, data });
                }
                None => {}
            }
        }
    }

    /// The connection ended by itself.
    fn ended(&mut self, now: Now) {
        for lane in &mut self.lanes {
            lane.finish(now, &mut self.frames, &mut self.quirks);
        }
        match self.step {
            Step::Describe if self.auth.as_ref().is_some_and(ClientAuth::is_challenged) => {
                self.quirks.add(Quirk::AuthDrop);
                self.close(Reason::Auth);
                return;
            }
            Step::Playing => {
                self.quirks.add(Quirk::SessConfigDrop);
                self.learn(now);
            }
            _ => {}
        }
        self.close(Reason::Ended);
    }

    fn teardown(&mut self, now: Now) {
        for lane in &mut self.lanes {
            lane.finish(now, &mut self.frames, &mut self.quirks);
        }
        if self.id.is_some() {
            let url = self.aggregate.clone();
            self.ask(Method::Teardown, &url, &[]);
        }
        if self.step == Step::Playing {
            self.learn(now);
        }
        self.close(Reason::Silent);
    }

    /// A session that ended in silence says something about keep-alives.
    fn learn(&mut self, now: Now) {
        let Some(since) = self.playing_since else { return };
        let lasted = now.mono.saturating_duration_since(since);
        if let Some(quirk) = self.learned.ended(lasted, self.timeout, self.keep_alives) {
            self.quirks.add(quirk);
        }
    }

    fn close(&mut self, reason: Reason) {
        if self.step != Step::Closed {
            self.step = Step::Closed;
            self.tell();
            self.out.push_back(Output::Event(Event::Closed(reason)));
        }
    }

    /// Turns what was collected into events.
    fn tell(&mut self) {
        for frame in self.frames.drain(..) {
            if self.out.len() < OUTPUTS_MAX {
                self.out.push_back(Output::Event(Event::Frame(frame)));
            }
        }
        for lane in &mut self.lanes {
            let packets = std::mem::take(&mut lane.lost);
            if packets > 0 {
                let event = Event::Lost { track: lane.track.id, packets };
                self.out.push_back(Output::Event(event));
            }
        }
        while let Some(quirk) = self.quirks.take_first() {
            self.out.push_back(Output::Event(Event::Quirk(quirk)));
        }
    }
}

/// live555 kept sending to ended sessions until its release of 4 June 2017.
fn is_old_live555(tool: &str) -> bool {
    let Some((_, version)) = tool.split_once("LIVE555 Streaming Media v") else { return false };
    version.trim() < "2017.06.04"
}

#[cfg(test)]
mod tests;
