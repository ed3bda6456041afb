//! `hvc1` and `hvcC`, ISO/IEC 14496-15 clause 8. Safari plays `hvc1` and not `hev1`.

use media::Params;
use media::codec::{Codec, h265};

use super::{VISUAL_BYTES, inner, mistake, visual};
use crate::Error;
use crate::read::Cursor;
use crate::write::Writer;

pub(super) fn write(w: &mut Writer, p: &h265::Params) -> Result<(), Error> {
    let len = |set: &[u8]| u16::try_from(set.len()).map_err(|_| Error::Limit("parameter set"));
    let sets = [
        (h265::VPS, &p.vps, len(&p.vps)?),
        (h265::SPS, &p.sps, len(&p.sps)?),
        (h265::PPS, &p.pps, len(&p.pps)?),
    ];
    w.boxed(b"hvc1", |w| {
        visual(w, p.width, p.height);
        w.boxed(b"hvcC", |w| {
            w.u8(1);
            w.bytes(&p.profile_tier_level);
            // No spatial segmentation, unknown parallelism.
            w.u16(0xf000);
            w.u8(0xfc);
            w.u8(0xfc | p.chroma_format);
            w.u8(0xf8 | (p.luma_bits.saturating_sub(8) & 7));
            w.u8(0xf8 | (p.chroma_bits.saturating_sub(8) & 7));
            // Unknown frame rate; then temporal layers, whether they nest, 4-byte lengths. The
            // first two stand in the set's third byte, layers less one.
            w.u16(0);
            let layers = p.sps.get(2).copied().unwrap_or(1);
            w.u8(((layers >> 1 & 7) + 1) << 3 | (layers & 1) << 2 | 3);
            w.u8(3);
            for (kind, set, len) in sets {
                w.u8(0x80 | kind);
                w.u16(1);
                w.u16(len);
                w.bytes(set);
            }
        });
    });
    Ok(())
}

pub(super) fn read(body: &[u8]) -> Result<Params, Error> {
    let mut c = Cursor::new(inner(body, VISUAL_BYTES, b"hvcC")?);
    c.skip(21)?;
    if c.u8()? & 3 != 3 {
        return Err(Error::Unsupported("NAL length that is not 4 bytes"));
    }
    let mut sets = [&[][..]; 3];
    for _ in 0..c.u8()? {
        let kind = c.u8()? & 0x3f;
        for _ in 0..c.u16()? {
            let len = usize::from(c.u16()?);
            let bytes = c.take(len)?;
            let slot = kind.checked_sub(h265::VPS).and_then(|i| sets.get_mut(usize::from(i)));
            if let Some(slot) = slot
                && slot.is_empty()
            {
                *slot = bytes;
            }
        }
    }
    let [vps, sps, pps] = sets;
    if sps.is_empty() {
        // `hev1` may leave the sets to the frames.
        return Ok(Params::Pending(Codec::H265));
    }
    h265::Params::parse(vps, sps, pps).map(Params::H265).map_err(|e| mistake(e, "hvcC"))
}
