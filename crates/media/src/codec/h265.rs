//! H.265 (ITU-T H.265): NAL unit types and what the parameter sets say.

use bytes::Bytes;

use super::bits::Bits;
use super::h264::{SET_BYTES_MAX, crop_unit, cropped, rate};
use super::{Error, nal};

/// Video parameter set.
pub const VPS: u8 = 32;
/// Sequence parameter set.
pub const SPS: u8 = 33;
/// Picture parameter set.
pub const PPS: u8 = 34;
/// Access unit delimiter.
pub const AUD: u8 = 35;
/// Supplemental enhancement information before the picture.
pub const SEI: u8 = 39;
/// A random-access picture whose leading pictures may refer to what was before it.
pub const CRA: u8 = 21;

/// What a decoder and a player must know. Equality is of the bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The video parameter set NAL unit, two header bytes included.
    pub vps: Bytes,
    /// The sequence parameter set NAL unit.
    pub sps: Bytes,
    /// The picture parameter set NAL unit.
    pub pps: Bytes,
    /// Width of the picture as shown.
    pub width: u32,
    /// Height of the picture as shown.
    pub height: u32,
    /// The 12 bytes of general profile, tier and level as they stand in `hvcC`.
    pub profile_tier_level: [u8; 12],
    /// `chroma_format_idc`.
    pub chroma_format: u8,
    /// Bits per luma sample.
    pub luma_bits: u8,
    /// Bits per chroma sample.
    pub chroma_bits: u8,
    /// Frames per second from VUI or VPS timing.
    pub frame_rate: Option<f64>,
    /// True when pictures may be shown in another order than decoded.
    pub reordered: bool,
}

/// The type of a NAL unit from its first byte.
pub const fn unit_type(first: u8) -> u8 {
    first >> 1 & 0x3f
}

/// True for slices: NAL units that carry picture.
pub const fn is_vcl(unit_type: u8) -> bool {
    unit_type < 32
}

/// True for pictures that decoding can begin at: BLA, IDR, CRA and the two reserved types.
pub const fn is_irap(unit_type: u8) -> bool {
    matches!(unit_type, 16..=23)
}

/// True for leading pictures that cannot be decoded when decoding begins at the CRA before them.
pub const fn is_rasl(unit_type: u8) -> bool {
    matches!(unit_type, 8 | 9)
}

/// Type of the first slice of a frame (4-byte length prefixes).
pub fn picture_type(frame: &[u8]) -> Option<u8> {
    nal::prefixed(frame).filter_map(|u| u.first()).map(|b| unit_type(*b)).find(|t| is_vcl(*t))
}

/// `first_slice_segment_in_pic_flag` of a slice NAL unit.
pub fn first_slice_in_picture(unit: &[u8]) -> bool {
    matches!(unit, [first, _, flag, ..] if is_vcl(unit_type(*first)) && flag & 0x80 != 0)
}

impl Params {
    /// Reads the three sets. What stands behind the size is read as far as it goes.
    ///
    /// # Errors
    /// When the units are not VPS, SPS and PPS, or the size cannot be found.
    pub fn parse(vps: &[u8], sps: &[u8], pps: &[u8]) -> Result<Self, Error> {
        let sets = [(vps, VPS), (sps, SPS), (pps, PPS)].map(|(set, kind)| {
            let set = nal::trim_zeros(set);
            match set {
                [first, _, ..] if unit_type(*first) == kind => Ok(set),
                _ => Err(Error::Malformed("not the parameter set expected")),
            }
        });
        let [vps, sps, pps] = sets;
        let (vps, sps, pps) = (vps?, sps?, pps?);
        if [vps, sps, pps].iter().any(|s| s.len() > SET_BYTES_MAX) {
            return Err(Error::Unsupported("parameter set longer than 64 KiB"));
        }
        let mut bits = Bits::new(sps.get(2..).ok_or(Error::Truncated)?);
        let main = main(&mut bits)?;
        let more = more(&mut bits, &main);
        let copy = Bytes::copy_from_slice;
        Ok(Self {
            vps: copy(vps),
            sps: copy(sps),
            pps: copy(pps),
            width: main.width,
            height: main.height,
            profile_tier_level: main.profile_tier_level,
            chroma_format: main.chroma,
            luma_bits: more.luma_bits,
            chroma_bits: more.chroma_bits,
            frame_rate: more.frame_rate.or_else(|| vps_rate(vps).ok().flatten()),
            reordered: more.reordered,
        })
    }

    /// ISO/IEC 14496-15 annex E: `hvc1.1.6.L93.B0`.
    pub fn codec_string(&self) -> String {
        let [general, c0, c1, c2, c3, constraints @ .., level] = self.profile_tier_level;
        let space = ["", "A", "B", "C"][usize::from(general >> 6)];
        let tier = if general & 0x20 == 0 { 'L' } else { 'H' };
        let compatibility = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
        let mut out = format!("hvc1.{space}{}.{compatibility:X}.{tier}{level}", general & 0x1f);
        let used = constraints.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        for byte in constraints.iter().take(used) {
            out.push_str(&format!(".{byte:X}"));
        }
        out
    }
}

struct Main {
    width: u32,
    height: u32,
    profile_tier_level: [u8; 12],
    chroma: u8,
    sub_layers: u32,
}

/// Clause 7.3.2.2.1 up to and with the conformance window.
fn main(bits: &mut Bits<'_>) -> Result<Main, Error> {
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    if sub_layers > 6 {
        return Err(Error::Malformed("sps_max_sub_layers"));
    }
    bits.skip(1)?;
    let mut profile_tier_level = [0; 12];
    for byte in &mut profile_tier_level {
        *byte = bits.byte(8)?;
    }
    sub_layer_levels(bits, sub_layers)?;
    bits.ue_max(15, "sps_seq_parameter_set_id")?;
    let chroma = bits.ue_max(3, "chroma_format_idc")?;
    let separate = chroma == 3 && bits.bit()?;
    let width = bits.ue_max(16_384, "width")?;
    let height = bits.ue_max(16_384, "height")?;
    if width == 0 || height == 0 {
        return Err(Error::Malformed("empty picture"));
    }
    let chroma = u8::try_from(chroma).unwrap_or(1);
    let unit = crop_unit(if separate { 0 } else { chroma });
    let (width, height) = cropped(bits, (width, height), unit);
    Ok(Main { width, height, profile_tier_level, chroma, sub_layers })
}

/// The part of clause 7.3.3 behind the general level.
fn sub_layer_levels(bits: &mut Bits<'_>, sub_layers: u32) -> Result<(), Error> {
    let mut present = [(false, false); 8];
    for slot in present.iter_mut().take(sub_layers as usize) {
        *slot = (bits.bit()?, bits.bit()?);
    }
    if sub_layers > 0 {
        bits.skip((8 - sub_layers) * 2)?;
    }
    for (profile, level) in present.into_iter().take(sub_layers as usize) {
        bits.skip(if profile { 88 } else { 0 })?;
        bits.skip(if level { 8 } else { 0 })?;
    }
    Ok(())
}

struct More {
    luma_bits: u8,
    chroma_bits: u8,
    reordered: bool,
    frame_rate: Option<f64>,
}

/// What stands behind the size, as far as it can be read.
fn more(bits: &mut Bits<'_>, main: &Main) -> More {
    let mut more = More { luma_bits: 8, chroma_bits: 8, reordered: false, frame_rate: None };
    let _ = more_fields(bits, main, &mut more);
    more
}

fn more_fields(bits: &mut Bits<'_>, main: &Main, more: &mut More) -> Result<(), Error> {
    more.luma_bits = 8 + u8::try_from(bits.ue_max(8, "bit_depth_luma")?).unwrap_or(0);
    more.chroma_bits = 8 + u8::try_from(bits.ue_max(8, "bit_depth_chroma")?).unwrap_or(0);
    let lsb_bits = bits.ue_max(12, "log2_max_pic_order_cnt_lsb")? + 4;
    let all = bits.bit()?;
    for _ in if all { 0 } else { main.sub_layers }..=main.sub_layers {
        bits.ue()?;
        more.reordered |= bits.ue_max(16, "sps_max_num_reorder_pics")? > 0;
        bits.ue()?;
    }
    for _ in 0..6 {
        bits.ue()?;
    }
    if bits.bit()? && bits.bit()? {
        scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.bit()? {
        bits.skip(8)?;
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    reference_sets(bits)?;
    if bits.bit()? {
        for _ in 0..bits.ue_max(32, "num_long_term_ref_pics_sps")? {
            bits.skip(lsb_bits + 1)?;
        }
    }
    bits.skip(2)?;
    if bits.bit()? {
        more.frame_rate = vui_rate(bits)?;
    }
    Ok(())
}

/// Clause 7.3.4.
fn scaling_lists(bits: &mut Bits<'_>) -> Result<(), Error> {
    for size in 0..4_u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.bit()? {
                bits.ue()?;
                continue;
            }
            if size > 1 {
                bits.se()?;
            }
            for _ in 0..64.min(1_u32 << (4 + (size << 1))) {
                bits.se()?;
            }
        }
    }
    Ok(())
}

/// Clause 7.3.7: only how many pictures each set has matters here, because the next set may be
/// told from it.
fn reference_sets(bits: &mut Bits<'_>) -> Result<(), Error> {
    let count = bits.ue_max(64, "num_short_term_ref_pic_sets")?;
    let mut pictures = 0_u32;
    for set in 0..count {
        if set > 0 && bits.bit()? {
            bits.skip(1)?;
            bits.ue()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let used = bits.bit()?;
                if used || bits.bit()? {
                    kept += 1;
                }
            }
            pictures = kept;
        } else {
            let negative = bits.ue_max(16, "num_negative_pics")?;
            let positive = bits.ue_max(16, "num_positive_pics")?;
            pictures = negative + positive;
            for _ in 0..pictures {
                bits.ue()?;
                bits.skip(1)?;
            }
        }
    }
    Ok(())
}

/// Annex E.2.1 up to the timing.
fn vui_rate(bits: &mut Bits<'_>) -> Result<Option<f64>, Error> {
    if bits.bit()? && bits.bits(8)? == 255 {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.skip(1)?;
    }
    if bits.bit()? {
        bits.skip(4)?;
        if bits.bit()? {
            bits.skip(24)?;
        }
    }
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    bits.skip(3)?;
    if bits.bit()? {
        for _ in 0..4 {
            bits.ue()?;
        }
    }
    if !bits.bit()? {
        return Ok(None);
    }
    let (tick, scale) = (bits.bits(32)?, bits.bits(32)?);
    Ok(rate(scale, tick))
}

/// Timing in the video parameter set, clause 7.3.2.1.
fn vps_rate(vps: &[u8]) -> Result<Option<f64>, Error> {
    let mut bits = Bits::new(vps.get(2..).ok_or(Error::Truncated)?);
    bits.skip(12)?;
    let sub_layers = bits.bits(3)?;
    if sub_layers > 6 {
        return Err(Error::Malformed("vps_max_sub_layers"));
    }
    bits.skip(17 + 96)?;
    sub_layer_levels(&mut bits, sub_layers)?;
    let all = bits.bit()?;
    for _ in if all { 0 } else { sub_layers }..=sub_layers {
        for _ in 0..3 {
            bits.ue()?;
        }
    }
    let max_layer = bits.bits(6)?;
    let sets = bits.ue_max(1023, "vps_num_layer_sets")?;
    bits.skip(sets * (max_layer + 1))?;
    if !bits.bit()? {
        return Ok(None);
    }
    let (tick, scale) = (bits.bits(32)?, bits.bits(32)?);
    Ok(rate(scale, tick))
}

#[cfg(test)]
mod tests;
