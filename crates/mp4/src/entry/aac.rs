//! `mp4a` and `esds`, ISO/IEC 14496-14 clause 3.1 and 14496-1 clause 7.2.6.

use media::Params;
use media::codec::aac;

use super::{audio, audio_fields, inner, mistake};
use crate::Error;
use crate::read::Cursor;
use crate::write::Writer;

const ES: u8 = 3;
const DECODER: u8 = 4;
const SPECIFIC: u8 = 5;
const SYNC_LAYER: u8 = 6;

pub(super) fn write(w: &mut Writer, p: &aac::Params) -> Result<(), Error> {
    // One length byte per descriptor: enough for the configuration's own limit of 64 bytes.
    let config = u8::try_from(p.config.len()).ok().filter(|n| *n <= 64);
    let config = config.ok_or(Error::Limit("AudioSpecificConfig"))?;
    w.boxed(b"mp4a", |w| {
        audio(w, p.channels, p.sample_rate);
        w.full(b"esds", 0, 0, |w| {
            w.bytes(&[ES, 3 + 2 + 13 + 2 + config + 3, 0, 0, 0]);
            w.bytes(&[DECODER, 13 + 2 + config, 0x40, 0x15, 0, 0, 0]);
            w.u32(0);
            w.u32(0);
            w.bytes(&[SPECIFIC, config]);
            w.bytes(&p.config);
            w.bytes(&[SYNC_LAYER, 1, 2]);
        });
    });
    Ok(())
}

pub(super) fn read(body: &[u8]) -> Result<Params, Error> {
    let (_, _, fields) = audio_fields(body)?;
    let mut c = Cursor::new(inner(body, fields, b"esds")?);
    c.skip(4)?;
    if descriptor(&mut c)?.0 != ES {
        return Err(Error::Malformed("esds"));
    }
    c.skip(2)?;
    let flags = c.u8()?;
    if flags & 0x80 != 0 {
        c.skip(2)?;
    }
    if flags & 0x40 != 0 {
        let len = usize::from(c.u8()?);
        c.skip(len)?;
    }
    if flags & 0x20 != 0 {
        c.skip(2)?;
    }
    if descriptor(&mut c)?.0 != DECODER {
        return Err(Error::Malformed("esds"));
    }
    if c.u8()? != 0x40 {
        return Err(Error::Unsupported("sound in mp4a that is not AAC"));
    }
    c.skip(12)?;
    let (tag, len) = descriptor(&mut c)?;
    if tag != SPECIFIC {
        return Err(Error::Malformed("esds"));
    }
    let config = c.take(len)?;
    let parsed = aac::Params::parse_config(config);
    parsed.map(Params::Aac).map_err(|e| mistake(e, "AudioSpecificConfig"))
}

/// Tag and length of a descriptor; the length is up to four bytes of seven bits.
fn descriptor(c: &mut Cursor<'_>) -> Result<(u8, usize), Error> {
    let tag = c.u8()?;
    let mut len = 0_usize;
    for _ in 0..4 {
        let byte = c.u8()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok((tag, len))
}
