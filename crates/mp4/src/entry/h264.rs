//! `avc1` and `avcC`, ISO/IEC 14496-15 clause 5. The parameter sets stand here and in band.

use media::Params;
use media::codec::{Codec, h264};

use super::{VISUAL_BYTES, inner, mistake, visual};
use crate::Error;
use crate::read::Cursor;
use crate::write::Writer;

pub(super) fn write(w: &mut Writer, p: &h264::Params) -> Result<(), Error> {
    let len = |set: &[u8]| u16::try_from(set.len()).map_err(|_| Error::Limit("parameter set"));
    let (sps, pps) = (len(&p.sps)?, len(&p.pps)?);
    w.boxed(b"avc1", |w| {
        visual(w, p.width, p.height);
        w.boxed(b"avcC", |w| {
            w.bytes(&[1, p.profile, p.constraints, p.level, 0xff, 0xe1]);
            w.u16(sps);
            w.bytes(&p.sps);
            w.u8(1);
            w.u16(pps);
            w.bytes(&p.pps);
            if !matches!(p.profile, 66 | 77 | 88) {
                let (chroma, luma_bits, chroma_bits) = p.chroma_and_depths();
                let depth = |bits: u8| 0xf8 | (bits.saturating_sub(8) & 7);
                w.bytes(&[0xfc | chroma, depth(luma_bits), depth(chroma_bits), 0]);
            }
        });
    });
    Ok(())
}

pub(super) fn read(body: &[u8]) -> Result<Params, Error> {
    let mut c = Cursor::new(inner(body, VISUAL_BYTES, b"avcC")?);
    c.skip(4)?;
    if c.u8()? & 3 != 3 {
        return Err(Error::Unsupported("NAL length that is not 4 bytes"));
    }
    let mut sets = [&[][..]; 2];
    for set in &mut sets {
        let count = c.u8()? & 0x1f;
        for n in 0..count {
            let len = usize::from(c.u16()?);
            let bytes = c.take(len)?;
            if n == 0 {
                *set = bytes;
            }
        }
    }
    let [sps, pps] = sets;
    if sps.is_empty() {
        // `avc3` may leave the sets to the frames.
        return Ok(Params::Pending(Codec::H264));
    }
    h264::Params::parse(sps, pps).map(Params::H264).map_err(|e| mistake(e, "avcC"))
}
