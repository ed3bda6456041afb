//! The server end of a connection: who may watch what, and over which transport.
//!
//! [`Connection`] is given bytes and deadlines with `handle` and is asked with `poll` until it
//! answers [`Output::Wait`]. Three events wait for a call of the driver before the peer gets its
//! answer: [`Event::Describe`] for [`Connection::describe`], [`Event::Setup`] over UDP for
//! [`Connection::udp_ready`], and [`Event::Play`] for [`Connection::play_info`].
//!
//! One connection is one session: it ends with its connection, over UDP as well, so that nobody
//! else can take it over. Not here: sockets, the hub, and the packets of media.

mod address;
mod requests;
mod transport;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::Track;

use crate::auth::{Peer, ServerAuth};
use crate::message::{Item, Reader, Request, Response};
use crate::{Error, Now, sdp};
use address::Target;
pub use transport::Transport;

/// Requests of one connection that wait for their turn.
const REQUESTS_MAX: usize = 16;
/// A connection without a session may be idle for this long.
const IDLE: Duration = Duration::from_secs(15);
/// What a session may be late beyond its announced timeout.
const GRACE: Duration = Duration::from_secs(15);

/// How a connection is served.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who may come in; `None`: everybody.
    pub auth: Option<Arc<ServerAuth>>,
    /// The `Server` header.
    pub server_name: String,
    /// Seconds without a request after which a session over UDP, or one that does not play,
    /// ends. One that plays over TCP ends with its connection.
    pub session_timeout_s: u32,
    /// Whether UDP is accepted.
    pub udp: bool,
}

/// What happened outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Bytes of the connection.
    Tcp(&'a [u8]),
    /// The instant of the last [`Output::Wait`] has come.
    Timeout,
    /// The peer showed in another way that it is there, such as by RTCP over UDP.
    Alive,
    /// The peer closed the connection.
    Closed,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this on the connection.
    Transmit(Bytes),
    /// React to this.
    Event(Event),
    /// Nothing; call again after the next input, at the latest with [`Input::Timeout`] at this
    /// instant.
    Wait(Option<Instant>),
}

/// What the driver must know or do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What is at this path? Answer with [`Connection::describe`].
    Describe {
        /// Percent-decoded, without slashes at its ends, without query, never with control
        /// characters.
        path: String,
    },
    /// A track was set up. Over UDP: answer with [`Connection::udp_ready`].
    Setup {
        /// Its index in the presentation.
        track: usize,
        /// Where its packets go to.
        transport: Transport,
    },
    /// Media shall flow. Answer with [`Connection::play_info`].
    Play {
        /// The tracks that were set up.
        tracks: Vec<(usize, Transport)>,
    },
    /// Media shall stop flowing until the next `Play`.
    Pause,
    /// The peer has ended the session.
    Teardown,
    /// The connection is to be closed, after what is to be transmitted.
    Closed,
    /// Somebody tried a wrong user or password.
    AuthFailed,
    /// An RTCP packet came on the connection.
    Rtcp {
        /// The index of its track.
        track: usize,
        /// The compound packet.
        packet: Bytes,
    },
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Presentation {
    /// In the order of their indices.
    pub tracks: Vec<Track>,
    /// The SSRC of each.
    pub ssrcs: Vec<u32>,
}

/// The server end of one connection.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    id: String,
    peer: Option<Peer>,
    reader: Reader,
    requests: VecDeque<Request>,
    out: VecDeque<Output>,
    waiting: Option<Waiting>,
    described: Option<Described>,
    /// By index of the presentation.
    set_up: Vec<Option<Transport>>,
    state: State,
    now: Instant,
    /// When the peer last showed that it is there.
    alive: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No track is set up.
    Init,
    Ready,
    Playing,
    Closed,
}

/// A request whose answer the driver owes.
#[derive(Debug)]
enum Waiting {
    Describe(Request, Target),
    /// A SETUP without a DESCRIBE before it.
    DescribeFirst(Request, Target),
    Udp(Request, usize, Transport),
    Play(Request),
}

#[derive(Debug)]
struct Described {
    path: String,
    /// With a slash at its end.
    base: String,
    presentation: Presentation,
}

impl Connection {
    /// `seed`: random bytes, new for every connection; the session's id is made of them.
    pub fn new(config: Config, seed: [u8; 32], now: Now) -> Self {
        let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
        let id = seed.iter().take(16).flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect();
        Self {
            peer: config.auth.as_ref().map(|auth| auth.peer()),
            config,
            id,
            reader: Reader::new(),
            requests: VecDeque::new(),
            out: VecDeque::new(),
            waiting: None,
            described: None,
            set_up: Vec::new(),
            state: State::Init,
            now: now.mono,
            alive: now.mono,
        }
    }

    /// Takes notice of something.
    ///
    /// # Errors
    /// The peer cannot be understood; what [`Self::poll`] still gives out may be sent, then the
    /// connection is to be closed.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Error> {
        self.now = now.mono;
        match input {
            Input::Tcp(_) if self.state == State::Closed => {}
            Input::Tcp(bytes) => {
                if let Err(e) = self.read(bytes) {
                    self.serve();
                    self.transmit(Response::new(if matches!(e, Error::TooLarge(_)) {
                        413
                    } else {
                        400
                    }));
                    self.close();
                    return Err(e);
                }
                self.serve();
            }
            Input::Timeout => {
                if self.deadline().is_some_and(|at| now.mono >= at) {
                    self.close();
                }
            }
            Input::Alive => self.alive = now.mono,
            Input::Closed => self.close(),
        }
        Ok(())
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// Answers [`Event::Describe`]; `None`: there is nothing at that path.
    pub fn describe(&mut self, presentation: Option<&Presentation>) {
        match self.waiting.take() {
            Some(Waiting::Describe(request, target)) => {
                match self.learn(&request, target, presentation) {
                    true => self.send_description(&request),
                    false => self.refuse(&request, 404),
                }
            }
            Some(Waiting::DescribeFirst(request, target)) => {
                let track = target.track;
                match self.learn(&request, target, presentation) {
                    true => self.set_up_track(request, track),
                    false => self.refuse(&request, 404),
                }
            }
            other => self.waiting = other,
        }
        self.serve();
    }

    /// Answers [`Event::Setup`] over UDP: RTP comes from this port, RTCP from the next.
    pub fn udp_ready(&mut self, track: usize, server_port: u16) {
        match self.waiting.take() {
            Some(Waiting::Udp(request, of, transport)) if of == track => {
                self.finish_setup(&request, track, transport, Some(server_port));
            }
            other => self.waiting = other,
        }
        self.serve();
    }

    /// Answers [`Event::Play`] with what is known of the first packets: track, sequence number,
    /// RTP time.
    pub fn play_info(&mut self, info: &[(usize, u16, u32)]) {
        match self.waiting.take() {
            Some(Waiting::Play(request)) => {
                let base = self.described.as_ref().map_or("", |d| d.base.as_str());
                let entry = |(track, seq, time): &(usize, u16, u32)| {
                    format!("url={base}{};seq={seq};rtptime={time}", sdp::write::control(*track))
                };
                let rtp_info = info.iter().map(entry).collect::<Vec<_>>().join(",");
                let mut response = self.answer(&request, 200);
                response.headers.push("Session", self.session_header());
                response.headers.push("Range", "npt=0.000-");
                if !rtp_info.is_empty() {
                    response.headers.push("RTP-Info", rtp_info);
                }
                self.transmit(response);
            }
            other => self.waiting = other,
        }
        self.serve();
    }

    fn deadline(&self) -> Option<Instant> {
        let timeout = Duration::from_secs(u64::from(self.config.session_timeout_s)) + GRACE;
        match self.state {
            State::Closed => None,
            State::Init => Some(self.alive + IDLE),
            State::Ready => Some(self.alive + timeout),
            State::Playing => {
                let udp = |t: &Transport| matches!(t, Transport::Udp { .. });
                let by_udp = self.set_up.iter().flatten().any(udp);
                by_udp.then(|| self.alive + timeout)
            }
        }
    }

    fn close(&mut self) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.requests.clear();
            self.waiting = None;
            self.out.push_back(Output::Event(Event::Closed));
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Self { reader, requests, set_up, out, alive, now, .. } = self;
        let mut too_many = false;
        let result = reader.read(bytes, &mut |item| match item {
            Item::Request(request) if requests.len() < REQUESTS_MAX => requests.push_back(request),
            Item::Request(_) => too_many = true,
            // Answers to nothing.
            Item::Response(_) => {}
            Item::Data { channel, payload } => {
                let of = |t: &Option<Transport>| {
                    matches!(t, Some(Transport::Tcp { rtcp, .. }) if *rtcp == channel)
                };
                *alive = *now;
                if let Some(track) = set_up.iter().position(of)
                    && out.len() < REQUESTS_MAX * 4
                {
                    let packet = Bytes::copy_from_slice(payload);
                    out.push_back(Output::Event(Event::Rtcp { track, packet }));
                }
            }
        });
        if too_many {
            return Err(Error::PeerMisbehaved("too many requests at once"));
        }
        result
    }
}

#[cfg(test)]
mod tests;
