//! What all RTSP viewers of a path share: the packetizers and the packets of recent frames.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ::rtsp::pay::{Packetizer, Packets};
use bytes::Bytes;
use media::{Frame, Track, Wall};

use crate::random;

/// Frames whose packets are remembered; a viewer further behind than this skips.
const MEMO_FRAMES_MAX: usize = 512;
const MEMO_BYTES_MAX: usize = 8 << 20;

/// Payload bytes per packet: fits an Ethernet frame with IPv6, UDP and room for a tunnel.
const MTU: usize = 1_400;

/// The egresses of all paths that have viewers.
pub(super) struct Egresses(Mutex<HashMap<String, Weak<Egress>>>);

impl Egresses {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The egress of `path` for these tracks. Other tracks than last time (the publisher came
    /// back with something else) make a new one.
    pub(super) fn get(&self, path: &str, tracks: &Arc<[Track]>) -> Arc<Egress> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(egress) = all.get(path).and_then(Weak::upgrade)
            && Arc::ptr_eq(&egress.tracks, tracks)
        {
            return egress;
        }
        all.retain(|_, e| e.strong_count() > 0);
        let egress = Arc::new(Egress::new(Arc::clone(tracks)));
        all.insert(path.to_owned(), Arc::downgrade(&egress));
        egress
    }
}

pub(super) struct Egress {
    pub(super) tracks: Arc<[Track]>,
    state: Mutex<State>,
}

struct State {
    packetizers: Vec<Packetizer>,
    memo: VecDeque<(u64, Arc<Packets>)>,
    bytes: usize,
}

impl Egress {
    fn new(tracks: Arc<[Track]>) -> Self {
        let mut dynamic = 96_u8;
        let packetizers = tracks
            .iter()
            .enumerate()
            .map(|(index, track)| {
                let payload_type = ::rtsp::pay::payload_type(track, &mut dynamic);
                let [a, b] = [random(), random()];
                // RFC 3550 wants all three unpredictable.
                let (ssrc, seq, offset) = (a as u32, (a >> 32) as u16, b as u32);
                let channel = u8::try_from(index * 2).unwrap_or(0);
                Packetizer::new(track, payload_type, ssrc, seq, offset, MTU).with_channel(channel)
            })
            .collect();
        let state = State { packetizers, memo: VecDeque::new(), bytes: 0 };
        Self { tracks, state: Mutex::new(state) }
    }

    /// The packets of frame `seq`, made now if nobody needed them before.
    pub(super) fn packets(&self, seq: u64, frame: &Frame) -> Option<Arc<Packets>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(at) = state.memo.binary_search_by_key(&seq, |(s, _)| *s) {
            return state.memo.get(at).map(|(_, p)| Arc::clone(p));
        }
        if state.memo.back().is_some_and(|(newest, _)| *newest > seq) {
            // Sequence numbers only go forward: what was passed over cannot be sent any more.
            return None;
        }
        let index = self.tracks.iter().position(|t| t.id == frame.track)?;
        let packets = Arc::new(state.packetizers.get_mut(index)?.packetize(frame));
        state.bytes += packets.data.len();
        state.memo.push_back((seq, Arc::clone(&packets)));
        while state.memo.len() > MEMO_FRAMES_MAX || state.bytes > MEMO_BYTES_MAX {
            let Some((_, old)) = state.memo.pop_front() else { break };
            state.bytes -= old.data.len();
        }
        Some(packets)
    }

    /// Index of a track.
    pub(super) fn index(&self, frame: &Frame) -> Option<usize> {
        self.tracks.iter().position(|t| t.id == frame.track)
    }

    /// Per track: SSRC, next sequence number, and the RTP time of `frame` if it is that track's.
    pub(super) fn info(&self, index: usize) -> Option<(u32, u16)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let p = state.packetizers.get(index)?;
        Some((p.ssrc(), p.next_seq()))
    }

    /// RTP time stamp of a frame.
    pub(super) fn rtp_time(&self, index: usize, frame: &Frame) -> Option<u32> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Some(state.packetizers.get(index)?.rtp_timestamp(frame))
    }

    /// A sender report that says which instant `frame` was.
    pub(super) fn report(&self, index: usize, frame: &Frame, wall: Wall) -> Option<Bytes> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let p = state.packetizers.get(index)?;
        Some(p.sender_report(wall, p.rtp_timestamp(frame)))
    }
}
