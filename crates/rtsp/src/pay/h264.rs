//! H.264 (RFC 6184, packetization-mode 1): small NAL units together in STAP-A, those that fit
//! alone, larger ones in FU-A. Every unit arrives as it was.

use media::Frame;
use media::codec::{Params, h264, nal};

use super::Writer;
use crate::Error;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// Indicator and FU header.
const FU_BYTES: usize = 2;
/// Most units of one aggregate.
const TOGETHER_MAX: usize = 16;
/// `nal_ref_idc`, of which an aggregate carries the highest.
const REF_IDC: u8 = 0x60;
/// `forbidden_zero_bit`, of which an aggregate carries any.
const FORBIDDEN: u8 = 0x80;

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    let missing = missing_sets(frame);
    let units = || nal::prefixed(&frame.data).filter(|unit| !unit.is_empty());
    let lengths = units().chain(missing).map(<[u8]>::len);
    let packets = lengths.map(|len| len.div_ceil(out.payload_max - FU_BYTES).max(1)).sum();
    let sets: usize = missing.iter().map(|set| set.len()).sum();
    // An aggregate adds three bytes to each unit, and a fragment two to each packet.
    out.reserve(packets, frame.data.len() + sets + 3 * packets);

    let mut before = Some(missing);
    let mut batch = Batch::default();
    for unit in units() {
        // A delimiter is the first unit of its access unit, or none.
        if unit.first().map(|&b| h264::unit_type(b)) != Some(h264::AUD) {
            for set in before.take().into_iter().flatten().filter(|set| !set.is_empty()) {
                batch.add(out, set);
            }
        }
        batch.add(out, unit);
    }
    batch.flush(out);
    out.mark();
    Ok(())
}

/// What a decoder that starts here needs and the access unit does not carry; empty if nothing.
fn missing_sets(frame: &Frame) -> [&[u8]; 2] {
    let params = match &*frame.params {
        Params::H264(params) if frame.random_access => params,
        _ => return [&[]; 2],
    };
    let seen = |kind| {
        let mut kinds = nal::prefixed(&frame.data).filter_map(<[u8]>::first);
        kinds.any(|&first| h264::unit_type(first) == kind)
    };
    if seen(h264::SPS) && seen(h264::PPS) { [&[]; 2] } else { [&params.sps, &params.pps] }
}

/// Units that may go together into the next packet.
#[derive(Default)]
struct Batch<'a> {
    units: [&'a [u8]; TOGETHER_MAX],
    count: usize,
    /// Payload bytes if they do.
    bytes: usize,
}

impl<'a> Batch<'a> {
    fn add(&mut self, out: &mut Writer, unit: &'a [u8]) {
        // The packet's own header byte, then two bytes of length before each unit.
        let with_length = 2 + unit.len();
        let full = self.count == TOGETHER_MAX || self.bytes + with_length > out.payload_max;
        if full || self.count == 0 {
            self.flush(out);
            if 1 + with_length > out.payload_max {
                return write_alone(out, unit);
            }
            self.bytes = 1;
        }
        if let Some(slot) = self.units.get_mut(self.count) {
            *slot = unit;
            self.count += 1;
            self.bytes += with_length;
        }
    }

    fn flush(&mut self, out: &mut Writer) {
        match self.units.get(..self.count) {
            None | Some([]) => {}
            Some([unit]) => write_alone(out, unit),
            Some(units) => write_together(out, units),
        }
        self.count = 0;
        self.bytes = 0;
    }
}

fn write_together(out: &mut Writer, units: &[&[u8]]) {
    let firsts = || units.iter().filter_map(|unit| unit.first().copied());
    let ref_idc = firsts().map(|b| b & REF_IDC).max().unwrap_or(0);
    let forbidden = firsts().fold(0, |all, b| all | b & FORBIDDEN);
    out.packet_of(STAP_A | ref_idc | forbidden, units);
}

fn write_alone(out: &mut Writer, unit: &[u8]) {
    let Some((&first, body)) = unit.split_first() else { return };
    if unit.len() <= out.payload_max {
        return out.packet(&[], unit);
    }
    let indicator = first & !0x1f | FU_A;
    let kind = h264::unit_type(first);
    let piece_bytes = out.payload_max - FU_BYTES;
    let last = (body.len() - 1) / piece_bytes;
    for (i, piece) in body.chunks(piece_bytes).enumerate() {
        let start = if i == 0 { FU_START } else { 0 };
        let end = if i == last { FU_END } else { 0 };
        out.packet(&[indicator, start | end | kind], piece);
    }
}

impl Writer {
    /// An aggregate: its header byte, then each unit with its length in two bytes in front.
    fn packet_of(&mut self, head: u8, units: &[&[u8]]) {
        let body_bytes: usize = units.iter().map(|unit| 2 + unit.len()).sum();
        self.packet(&[head], &[]);
        for unit in units {
            self.data.extend_from_slice(&(unit.len() as u16).to_be_bytes());
            self.data.extend_from_slice(unit);
        }
        let rtp_bytes = super::RTP_HEADER_BYTES + 1 + body_bytes;
        if let Some(len) = self.data.get_mut(self.last + 2..self.last + 4) {
            len.copy_from_slice(&(rtp_bytes as u16).to_be_bytes());
        }
        if let Some(end) = self.ends.last_mut() {
            *end = self.data.len() as u32;
        }
    }
}
