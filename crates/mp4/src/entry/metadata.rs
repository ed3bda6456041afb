//! `metx`, XMLMetaDataSampleEntry, clause 12.3.3: ONVIF metadata, one XML document per frame.

use crate::Error;
use crate::write::Writer;

pub(super) fn write(w: &mut Writer) -> Result<(), Error> {
    w.boxed(b"metx", |w| {
        w.zeros(6);
        w.u16(1);
        // No content encoding; the namespace of the root element; no schema location.
        w.bytes(b"\0http://www.onvif.org/ver10/schema\0\0");
    });
    Ok(())
}
