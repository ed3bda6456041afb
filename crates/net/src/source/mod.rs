//! Ways in: each file pulls from one kind of source and publishes to the hub.

pub mod rtsp;

use std::sync::Arc;

use ::rtsp::quirk::Quirk;
use media::{Cause, Track, Wall};

use crate::tls::Certificate;

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On the way to its first frame.
    Connecting,
    /// Frames come.
    Streaming,
    /// It does not answer or broke off; tried again by itself.
    Offline,
    /// It answers and refuses (credentials, certificate, path, codec): a person must act. Tried
    /// again from time to time.
    Refused,
}

/// A source's state with its reasons, for pages and metrics.
#[derive(Debug, Clone)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Wall,
    /// What is wrong, while something is.
    pub trouble: Option<Trouble>,
    /// Tracks of the present or last session.
    pub tracks: Arc<[Track]>,
    /// What the camera does differently from the standards, with counts over all sessions.
    pub quirks: Vec<(Quirk, u64)>,
    /// What the camera calls itself.
    pub server: Option<String>,
    /// Its certificate, where it speaks TLS.
    pub certificate: Option<Certificate>,
    /// Connections tried.
    pub attempts: u64,
    /// Packets lost on the way.
    pub lost: u64,
}

/// A problem with a source: a code for machines and translators, a sentence for people, and the
/// cause that a gap in the recording gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// `camera-auth`, `camera-host`, ...
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// Why footage is missing meanwhile.
    pub cause: Cause,
}

impl Status {
    /// Before the first try.
    pub fn new(since: Wall) -> Self {
        Self {
            state: State::Connecting,
            since,
            trouble: None,
            tracks: Arc::from([]),
            quirks: Vec::new(),
            server: None,
            certificate: None,
            attempts: 0,
            lost: 0,
        }
    }
}
