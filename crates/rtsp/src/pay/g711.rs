//! G.711 (RFC 3551, section 4.5.14): samples, each packet with the time of its first.

use media::Frame;
use media::codec::Params;

use super::Writer;
use crate::Error;

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    let channels = match &*frame.params {
        Params::G711(p) => usize::from(p.channels.max(1)),
        _ => 1,
    };
    let piece_bytes = (out.payload_max / channels).max(1) * channels;
    out.reserve(frame.data.len().div_ceil(piece_bytes), frame.data.len());
    for (i, piece) in frame.data.chunks(piece_bytes).enumerate() {
        out.packet(&[], piece);
        // The first packet after a pause (RFC 3551, section 4.1).
        if i == 0 && frame.discontinuity {
            out.mark();
        }
        out.timestamp = out.timestamp.wrapping_add((piece.len() / channels) as u32);
    }
    Ok(())
}
