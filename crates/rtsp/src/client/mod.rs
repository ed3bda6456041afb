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
mod interface;
mod keep_alive;
mod setup;
mod track;
mod transport;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use media::Frame;

use crate::auth::ClientAuth;
use crate::message::{Item, Method, Reader};
use crate::quirk::{Quirk, QuirkCounts};
use crate::sdp::{Media, Session};
use crate::url::Url;
use crate::{Error, Now, rtcp};

pub use interface::{Config, Event, Input, Output, Reason, Transport, Want};
pub use keep_alive::{KeepAlive, Learned};

use exchange::Exchange;
use track::Lane;

/// Packets that are kept until PLAY is answered.
const EARLY_PACKETS_MAX: usize = 64;
/// Distance of receiver reports.
const REPORT: Duration = Duration::from_secs(5);
/// How long after the last goodbye a session ends: what was under way still counts.
const FAREWELL: Duration = Duration::from_millis(500);
/// Without a packet for this long, a session that is ended has died by itself.
const SILENCE: Duration = Duration::from_secs(2);
/// Garbage was all that came.
const NOT_RTSP: Error = Error::PeerMisbehaved("this is not RTSP");
/// Most that waits for [`Client::poll`]; a driver that polls as it should never gets near.
const OUTPUTS_MAX: usize = 16_384;

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
    /// Lane, whether RTCP, packet.
    early: Vec<(usize, bool, Bytes)>,
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
    /// Something came, and whether it could be understood.
    received: bool,
    understood: bool,
    /// The other way to resolve controls has been tried.
    resolved_anew: bool,
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
        let credentials = config.credentials.as_ref();
        let auth = credentials.map(|(user, password)| ClientAuth::new(user, password));
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
            received: false,
            understood: false,
            resolved_anew: false,
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
                self.arrived(now, track, rtcp, data);
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
        lanes.chain(report).chain(alive).chain(self.farewell()).min()
    }

    /// When the session ends because every track has said goodbye.
    fn farewell(&self) -> Option<Instant> {
        let gone = self.lanes.iter().map(|lane| lane.gone);
        let last = gone.collect::<Option<Vec<Instant>>>()?.into_iter().max()?;
        Some(last + FAREWELL)
    }

    fn bytes(&mut self, now: Now, data: &[u8]) -> Result<(), Error> {
        // Taken out while it calls back.
        let Some(mut reader) = self.reader.take() else { return Ok(()) };
        self.received |= !data.is_empty();
        let mut wrong = Ok(());
        let read = reader.read(data, &mut |item| {
            if wrong.is_err() || self.step == Step::Closed {
                return;
            }
            self.understood = true;
            match item {
                Item::Data { channel, payload } => self.interleaved(now, channel, payload),
                Item::Response(response) => wrong = self.answered(now, response),
                Item::Request(request) => self.asked(&request),
            }
        });
        if reader.skipped_bytes() > 0 && !self.understood {
            return Err(NOT_RTSP);
        }
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
        self.arrived(now, lane, rtcp, data);
    }

    /// A packet of a lane; before the answer to PLAY it has to wait.
    fn arrived(&mut self, now: Now, lane: usize, rtcp: bool, data: &[u8]) {
        if self.step == Step::Playing {
            return self.packet(now, lane, rtcp, data);
        }
        self.quirks.add(Quirk::SessEarlyData);
        if self.early.len() < EARLY_PACKETS_MAX {
            self.early.push((lane, rtcp, Bytes::copy_from_slice(data)));
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
        if self.farewell().is_some_and(|at| now.mono >= at) {
            self.leave(now);
            return self.close(Reason::Ended);
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
        let mut reason = Reason::Ended;
        match self.step {
            Step::Describe if self.received && !self.understood => {
                reason = Reason::Protocol(NOT_RTSP);
            }
            Step::Describe if self.auth.as_ref().is_some_and(ClientAuth::is_challenged) => {
                self.quirks.add(Quirk::AuthDrop);
                reason = Reason::Auth;
            }
            Step::Describe | Step::Closed => {}
            // Who describes and then hangs up has no room for another session.
            Step::Setup(_) | Step::Play => {
                self.quirks.add(Quirk::SessLimit);
            }
            Step::Playing => {
                self.quirks.add(Quirk::SessConfigDrop);
                self.learn(now);
            }
        }
        self.close(reason);
    }

    fn teardown(&mut self, now: Now) {
        self.leave(now);
        let quiet = |at: Instant| now.mono.saturating_duration_since(at) >= SILENCE;
        if self.step == Step::Playing && self.last_media.or(self.playing_since).is_some_and(quiet) {
            self.learn(now);
        }
        self.close(Reason::Silent);
    }

    /// Gives out what is left and frees the camera's session: many allow only one or two.
    fn leave(&mut self, now: Now) {
        for lane in &mut self.lanes {
            lane.finish(now, &mut self.frames, &mut self.quirks);
        }
        if self.id.is_some() {
            let url = self.aggregate.clone();
            self.ask(Method::Teardown, &url, &[]);
        }
    }

    /// A session that died says something about keep-alives.
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
