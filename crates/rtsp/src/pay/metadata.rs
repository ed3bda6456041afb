//! ONVIF metadata (ONVIF Streaming Specification, section 5.1.2.1.1): the XML document in
//! pieces, the marker on the last.

use media::Frame;

use super::Writer;
use crate::Error;

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    out.split(&frame.data);
    Ok(())
}
