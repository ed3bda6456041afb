//! H.265 (RFC 7798, without DONL): NAL units that fit alone, larger ones in fragments.

use media::Frame;
use media::codec::{Params, h265, nal};

use super::Writer;
use crate::Error;

const FU: u8 = 49;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
/// Payload header and FU header.
const FU_BYTES: usize = 3;
const HEADER_BYTES: usize = 2;

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    let missing = missing_sets(frame);
    let units = || nal::prefixed(&frame.data).filter(|unit| unit.len() >= HEADER_BYTES);
    let lengths = units().chain(missing).map(<[u8]>::len);
    let packets = lengths.map(|len| len.div_ceil(out.payload_max - FU_BYTES).max(1)).sum();
    let sets: usize = missing.iter().map(|set| set.len()).sum();
    out.reserve(packets, frame.data.len() + sets + FU_BYTES * packets);

    let mut before = Some(missing);
    for unit in units() {
        // A delimiter is the first unit of its access unit, or none.
        if unit.first().map(|&b| h265::unit_type(b)) != Some(h265::AUD) {
            for set in before.take().into_iter().flatten().filter(|set| !set.is_empty()) {
                write_unit(out, set);
            }
        }
        write_unit(out, unit);
    }
    out.mark();
    Ok(())
}

/// What a decoder that starts here needs and the access unit does not carry; empty if nothing.
fn missing_sets(frame: &Frame) -> [&[u8]; 3] {
    let params = match &*frame.params {
        Params::H265(params) if frame.random_access => params,
        _ => return [&[]; 3],
    };
    let seen = |kind| {
        let mut kinds = nal::prefixed(&frame.data).filter_map(<[u8]>::first);
        kinds.any(|&first| h265::unit_type(first) == kind)
    };
    if [h265::VPS, h265::SPS, h265::PPS].into_iter().all(seen) {
        return [&[]; 3];
    }
    [&params.vps, &params.sps, &params.pps]
}

fn write_unit(out: &mut Writer, unit: &[u8]) {
    let Some((&[first, second], body)) = unit.split_first_chunk() else { return };
    if unit.len() <= out.payload_max {
        return out.packet(&[], unit);
    }
    let payload_header = first & 0x81 | FU << 1;
    let kind = h265::unit_type(first);
    let piece_bytes = out.payload_max - FU_BYTES;
    let last = (body.len() - 1) / piece_bytes;
    for (i, piece) in body.chunks(piece_bytes).enumerate() {
        let start = if i == 0 { FU_START } else { 0 };
        let end = if i == last { FU_END } else { 0 };
        out.packet(&[payload_header, second, start | end | kind], piece);
    }
}
