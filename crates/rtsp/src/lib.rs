//! The camera's wire, both ends, without sockets or clocks: RTSP (RFC 2326), SDP (RFC 8866), RTP
//! and RTCP (RFC 3550) and the payload formats, bytes to frames and back.
//!
//! Both machines have one shape: [`client::Client`] and [`server::Connection`] are given inputs
//! with `handle(now, input)` and asked with `poll()` until they answer `Wait`. Whoever drives them
//! owns the sockets, the clock and the randomness.
//!
//! A peer that breaks a rule harmlessly is not an error but a [`quirk::Quirk`], counted.

pub mod auth;
pub mod client;
pub mod message;
pub mod pay;
pub mod payload;
pub mod quirk;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod server;
pub mod url;

mod clock;
mod reorder;

use std::fmt;
use std::time::Instant;

use media::Wall;

/// What time it is, given with every input: the monotonic clock for deadlines, the wall clock for
/// what a person will read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time.
    pub mono: Instant,
    /// Time of day.
    pub wall: Wall,
}

/// Why bytes from the wire, or a call, could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Ends too early.
    Truncated,
    /// Says something its standard forbids.
    Malformed(&'static str),
    /// Legal, but not something khien speaks.
    Unsupported(&'static str),
    /// Larger than the limit named.
    TooLarge(&'static str),
    /// The peer broke the order of the conversation.
    PeerMisbehaved(&'static str),
    /// The caller broke the order of calls.
    Misuse(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("ends too early"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
            Self::TooLarge(what) => write!(f, "too large: {what}"),
            Self::PeerMisbehaved(what) => write!(f, "the peer misbehaved: {what}"),
            Self::Misuse(what) => write!(f, "used wrongly: {what}"),
        }
    }
}

impl std::error::Error for Error {}
