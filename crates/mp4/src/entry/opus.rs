//! `Opus` and `dOps`, "Encapsulation of Opus in ISO Base Media File Format" 1.0.

use media::Params;
use media::codec::opus;

use super::{audio, audio_fields, inner};
use crate::Error;
use crate::read::Cursor;
use crate::write::Writer;

pub(super) fn write(w: &mut Writer, p: opus::Params) -> Result<(), Error> {
    w.boxed(b"Opus", |w| {
        audio(w, p.channels, 48_000);
        w.boxed(b"dOps", |w| {
            w.u8(0);
            w.u8(p.channels);
            w.u16(p.pre_skip);
            w.u32(48_000);
            w.u16(0);
            w.u8(0);
        });
    });
    Ok(())
}

pub(super) fn read(body: &[u8]) -> Result<Params, Error> {
    let (_, _, fields) = audio_fields(body)?;
    let mut c = Cursor::new(inner(body, fields, b"dOps")?);
    c.skip(1)?;
    let (channels, pre_skip) = (c.u8()?, c.u16()?);
    if !matches!(channels, 1 | 2) {
        return Err(Error::Unsupported("Opus with more than two channels"));
    }
    Ok(Params::Opus(opus::Params { channels, pre_skip }))
}
