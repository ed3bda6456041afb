//! What all RTSP viewers of a path share: the packetizers and the packets of recent frames.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ::rtsp::pay::{self, MTU_UDP, Packetizer, Packets};
use bytes::Bytes;
use media::{Frame, Track, TrackKind, Wall};

use super::super::memo::Memo;
use crate::random;

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
    /// A group begins with a picture if there are any.
    pub(super) has_video: bool,
    state: Mutex<State>,
}

struct State {
    packetizers: Vec<Packetizer>,
    memo: Memo<Arc<Packets>>,
}

impl Egress {
    fn new(tracks: Arc<[Track]>) -> Self {
        let types = pay::payload_types(&tracks);
        // The tracks of one camera belong together, and nobody can tell which camera it is.
        let cname = format!("{:016x}", random());
        let packetizers = tracks
            .iter()
            .zip(types)
            .enumerate()
            .map(|(index, (track, payload_type))| {
                let [a, b] = [random(), random()];
                // RFC 3550 wants all three unpredictable.
                let (ssrc, seq, offset) = (a as u32, (a >> 32) as u16, b as u32);
                let channel = u8::try_from(index * 2).unwrap_or(0);
                Packetizer::new(track, payload_type, ssrc, seq, offset, MTU_UDP)
                    .channel(channel)
                    .cname(&cname)
            })
            .collect();
        let has_video = tracks.iter().any(|t| t.kind() == TrackKind::Video);
        let state = Mutex::new(State { packetizers, memo: Memo::new() });
        Self { tracks, has_video, state }
    }

    /// Changed in whole steps; a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a viewer can begin with `frame`.
    pub(super) fn starts(&self, frame: &Frame) -> bool {
        frame.random_access && (!self.has_video || frame.params.kind() == TrackKind::Video)
    }

    /// The packets of frame `seq`, made now if nobody needed them before. `None` if others have
    /// gone on and these packets are forgotten: sequence numbers only go forward.
    pub(super) fn packets(&self, seq: u64, frame: &Frame) -> Option<Arc<Packets>> {
        let index = self.index(frame)?;
        let mut state = self.lock();
        if let Some(packets) = state.memo.get(seq) {
            return Some(Arc::clone(packets));
        }
        if state.memo.has_passed(seq) {
            return None;
        }
        let packets = Arc::new(state.packetizers.get_mut(index)?.packetize(frame));
        let bytes = packets.data.len();
        state.memo.push(seq, frame.wall, self.starts(frame), bytes, Arc::clone(&packets));
        Some(packets)
    }

    /// Index of a frame's track.
    pub(super) fn index(&self, frame: &Frame) -> Option<usize> {
        self.tracks.iter().position(|t| t.id == frame.track)
    }

    /// The SSRC of every track.
    pub(super) fn ssrcs(&self) -> Vec<u32> {
        self.lock().packetizers.iter().map(Packetizer::ssrc).collect()
    }

    /// RTP time stamp of a frame.
    pub(super) fn rtp_time(&self, index: usize, frame: &Frame) -> Option<u32> {
        Some(self.lock().packetizers.get(index)?.rtp_timestamp(frame))
    }

    /// A sender report that says which instant `frame` was.
    pub(super) fn report(&self, index: usize, frame: &Frame, wall: Wall) -> Option<Bytes> {
        let state = self.lock();
        let p = state.packetizers.get(index)?;
        Some(p.sender_report(wall, p.rtp_timestamp(frame)))
    }
}
