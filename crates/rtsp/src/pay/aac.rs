//! AAC (RFC 3640, mode AAC-hbr): one access unit per packet with one AU header of 13 bits of size
//! and 3 bits of index, or one access unit over several packets, the marker on the last.

use media::Frame;

use super::Writer;
use crate::Error;

/// What 13 bits can say.
const UNIT_BYTES_MAX: usize = (1 << 13) - 1;

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    let size = match u16::try_from(frame.data.len()) {
        Ok(size) if frame.data.len() <= UNIT_BYTES_MAX => size,
        _ => return Err(Error::TooLarge("AAC access unit")),
    };
    let [hi, lo] = (size << 3).to_be_bytes();
    // Sixteen bits of AU headers, then the only one; the size is that of the whole unit.
    let head = [0, 16, hi, lo];
    let piece_bytes = out.payload_max - head.len();
    let packets = frame.data.len().div_ceil(piece_bytes);
    out.reserve(packets, frame.data.len() + packets * head.len());
    for piece in frame.data.chunks(piece_bytes) {
        out.packet(&head, piece);
    }
    out.mark();
    Ok(())
}
