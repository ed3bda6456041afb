//! QuickTime's `jpeg` entry: each frame is one JFIF picture.

use media::Params;
use media::codec::mjpeg;

use super::visual;
use crate::Error;
use crate::read::Cursor;
use crate::write::Writer;

pub(super) fn write(w: &mut Writer, p: mjpeg::Params) -> Result<(), Error> {
    w.boxed(b"jpeg", |w| visual(w, p.width, p.height));
    Ok(())
}

pub(super) fn read(body: &[u8]) -> Result<Params, Error> {
    let mut c = Cursor::new(body);
    c.skip(24)?;
    let (width, height) = (u32::from(c.u16()?), u32::from(c.u16()?));
    if width == 0 || height == 0 {
        return Err(Error::Malformed("jpeg sample entry"));
    }
    Ok(Params::Mjpeg(mjpeg::Params { width, height }))
}
