//! What goes into a client session and what comes out of it.

use std::time::Instant;

use bytes::Bytes;
use media::{Frame, Track, TrackId};
use stdx::Secret;

use super::Learned;
use crate::Error;
use crate::quirk::Quirk;
use crate::url::Url;

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
