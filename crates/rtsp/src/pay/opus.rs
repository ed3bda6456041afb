//! Opus (RFC 7587): one packet in one packet, never split.

use media::Frame;

use super::{PACKET_BYTES_MAX, RTP_HEADER_BYTES, Writer};
use crate::Error;

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    if frame.data.len() > PACKET_BYTES_MAX - RTP_HEADER_BYTES {
        return Err(Error::TooLarge("Opus packet"));
    }
    if frame.data.is_empty() {
        return Ok(());
    }
    out.reserve(1, frame.data.len());
    out.packet(&[], &frame.data);
    // The first packet after a pause (RFC 3551, section 4.1).
    if frame.discontinuity {
        out.mark();
    }
    Ok(())
}
