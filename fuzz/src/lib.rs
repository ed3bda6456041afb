//! What several fuzz targets do with their input.

use std::sync::Arc;
use std::time::Instant;

use media::{Params, Rate};
use rtsp::payload::{AuHeader, Depacketizer, UNIT_BYTES_MAX, Unit};
use rtsp::quirk::QuirkCounts;
use rtsp::rtp::{Header, Packet};

/// Room for a made header and the end of a picture.
const MADE_BYTES_MAX: usize = 8 << 10;

/// Takes the input for packets of one track: a byte of flags, two of length, then the payload.
/// Every unit that comes out is checked by `check`.
pub fn payloads(params: Params, mut input: &[u8], check: impl Fn(&Unit)) {
    let now = Instant::now();
    let rate = Rate::new(16_000).expect("not zero");
    let mut depacketizer = Depacketizer::new(Arc::new(params), rate, AuHeader::default());
    let mut quirks = QuirkCounts::default();
    let mut timestamp = 0_u32;
    let take = |depacketizer: &mut Depacketizer| {
        while let Some(unit) = depacketizer.pop() {
            assert!(unit.data.len() <= UNIT_BYTES_MAX + MADE_BYTES_MAX);
            assert!(!unit.data.is_empty());
            check(&unit);
        }
    };
    while let Some((&[flags, hi, lo], rest)) = input.split_first_chunk() {
        let at = usize::from(u16::from_be_bytes([hi, lo])).min(rest.len());
        let (payload, rest) = rest.split_at(at);
        input = rest;
        let flag = |bit: u8| flags >> bit & 1 == 1;
        if flag(2) {
            timestamp = timestamp.wrapping_add(u32::from(lo));
        }
        let (extension, payload) = match payload.split_at_checked(usize::from(hi)) {
            Some((extension, payload)) if flag(5) => (Some((0xffd8, extension)), payload),
            _ => (None, payload),
        };
        let header = Header { marker: flag(0), payload_type: 96, seq: 0, timestamp, ssrc: 1 };
        let packet = Packet { header, extension, payload };
        depacketizer.push(now, &packet, flag(1), &mut quirks);
        if flag(3) {
            depacketizer.flush(now, &mut quirks);
        }
        if flag(4) {
            depacketizer.reset();
        }
        take(&mut depacketizer);
        let _ = (depacketizer.deadline(), depacketizer.params());
    }
    depacketizer.flush(now, &mut quirks);
    take(&mut depacketizer);
}

/// An access unit is NAL units with their lengths in front, and nothing else.
pub fn is_whole(unit: &Unit) {
    let units: usize = media::codec::nal::prefixed(&unit.data).map(|u| u.len() + 4).sum();
    assert_eq!(units, unit.data.len());
}
