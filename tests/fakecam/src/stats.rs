//! What the camera saw and did, for a test to assert on.

use std::time::Duration;

/// One request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which connection, from 0.
    pub connection: u64,
    /// Since the camera started.
    pub at: Duration,
    /// Its method.
    pub method: String,
    /// Its URI.
    pub uri: String,
    /// Its headers as they came.
    pub headers: Vec<(String, String)>,
    /// The status that was answered; 0 for none.
    pub status: u16,
}

impl Seen {
    /// A header's value, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// One picture or sound unit that left the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentFrame {
    /// Which connection.
    pub connection: u64,
    /// Media of the SDP, from 0.
    pub track: usize,
    /// Its number since PLAY, from 0: the one [`crate::frame_number`] reads back.
    pub number: u64,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// Can be decoded alone.
    pub key: bool,
    /// Sum of its RTP payloads.
    pub bytes: usize,
    /// Since the camera started.
    pub at: Duration,
}

/// What the camera saw and did since it started.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Every request, in order (the first 10 000).
    pub requests: Vec<Seen>,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// TEARDOWN requests.
    pub teardowns: u64,
    /// PLAY requests that succeeded.
    pub plays: u64,
    /// Requests that only keep the session: OPTIONS, GET_PARAMETER or SET_PARAMETER after PLAY.
    pub keep_alives: u64,
    /// RTCP packets from the viewer that begin with a receiver report.
    pub receiver_reports: u64,
    /// Requests refused for their credentials, the first of a connection included.
    pub unauthorized: u64,
    /// Sessions the camera dropped because nothing kept them.
    pub expired: u64,
    /// RTP packets sent.
    pub packets: u64,
    /// RTP packets thrown away on purpose.
    pub lost: u64,
    /// Longest time that a write blocked.
    pub blocked_max: Duration,
    /// Units sent (the first 100 000).
    pub frames: Vec<SentFrame>,
}

impl Stats {
    /// How many requests of a method came.
    pub fn count(&self, method: &str) -> usize {
        self.requests.iter().filter(|r| r.method == method).count()
    }

    /// Pictures sent, over all connections.
    pub fn pictures(&self) -> usize {
        self.frames.iter().filter(|f| f.track == 0).count()
    }
}
