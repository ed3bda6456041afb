//! H.264 (ITU-T H.264): NAL unit types and what the parameter sets say.

use bytes::Bytes;

use super::bits::Bits;
use super::{Error, nal};

/// A coded slice of a non-IDR picture.
pub const SLICE: u8 = 1;
/// A coded slice of an IDR picture: the only random access there is.
pub const IDR: u8 = 5;
/// Supplemental enhancement information.
pub const SEI: u8 = 6;
/// Sequence parameter set.
pub const SPS: u8 = 7;
/// Picture parameter set.
pub const PPS: u8 = 8;
/// Access unit delimiter.
pub const AUD: u8 = 9;

/// What a decoder and a player must know. Equality is of the bytes: two sets that differ only in
/// spelling differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The sequence parameter set NAL unit, header byte included, no start code, trailing zero
    /// padding removed.
    pub sps: Bytes,
    /// The picture parameter set NAL unit, likewise.
    pub pps: Bytes,
    /// Width of the picture as shown.
    pub width: u32,
    /// Height of the picture as shown.
    pub height: u32,
    /// `profile_idc`.
    pub profile: u8,
    /// The constraint flags byte.
    pub constraints: u8,
    /// `level_idc`.
    pub level: u8,
    /// Frames per second from VUI timing.
    pub frame_rate: Option<f64>,
    /// True when pictures may be shown in another order than decoded (B-frames).
    pub reordered: bool,
}

/// The type of a NAL unit from its first byte.
pub const fn unit_type(first: u8) -> u8 {
    first & 0x1f
}

/// True for slices: NAL units that carry picture.
pub const fn is_vcl(unit_type: u8) -> bool {
    matches!(unit_type, 1..=5)
}

/// Whether a frame (4-byte length prefixes) holds an IDR slice.
pub fn is_idr(frame: &[u8]) -> bool {
    nal::prefixed(frame).any(|u| u.first().is_some_and(|b| unit_type(*b) == IDR))
}

/// `first_mb_in_slice` of a slice NAL unit: zero begins a picture.
pub fn first_mb_in_slice(unit: &[u8]) -> Option<u32> {
    let (first, rest) = unit.split_first()?;
    if !is_vcl(unit_type(*first)) {
        return None;
    }
    Bits::new(rest.get(..rest.len().min(16))?).ue().ok()
}

/// Whether a slice NAL unit is of a B slice.
pub fn is_b_slice(unit: &[u8]) -> bool {
    let Some((first, rest)) = unit.split_first() else { return false };
    if !matches!(unit_type(*first), 1 | 2 | 5) {
        return false;
    }
    let mut bits = Bits::new(rest.get(..rest.len().min(16)).unwrap_or_default());
    bits.ue().is_ok() && bits.ue().is_ok_and(|t| t % 5 == 1)
}

impl Params {
    /// Reads both sets. What stands behind the size (VUI) is read as far as it goes: cameras
    /// write broken VUIs and decoders do not mind.
    ///
    /// # Errors
    /// When the units are not an SPS and a PPS, or the size cannot be found.
    pub fn parse(sps: &[u8], pps: &[u8]) -> Result<Self, Error> {
        let (sps, pps) = (nal::trim_zeros(sps), nal::trim_zeros(pps));
        let [head, profile, constraints, level, body @ ..] = sps else {
            return Err(Error::Truncated);
        };
        if unit_type(*head) != SPS {
            return Err(Error::Malformed("not a sequence parameter set"));
        }
        if pps.first().is_none_or(|b| unit_type(*b) != PPS) {
            return Err(Error::Malformed("not a picture parameter set"));
        }
        if sps.len() > SET_BYTES_MAX || pps.len() > SET_BYTES_MAX {
            return Err(Error::Unsupported("parameter set longer than 64 KiB"));
        }
        let mut bits = Bits::new(body);
        let size = size(&mut bits, *profile)?;
        let vui = vui(&mut bits).unwrap_or_default();
        Ok(Self {
            sps: Bytes::copy_from_slice(sps),
            pps: Bytes::copy_from_slice(pps),
            width: size.0,
            height: size.1,
            profile: *profile,
            constraints: *constraints,
            level: *level,
            frame_rate: vui.frame_rate,
            reordered: vui.reorder_frames.is_some_and(|n| n > 0),
        })
    }

    /// `chroma_format_idc`, bits per luma sample and bits per chroma sample, as `avcC` wants them.
    /// (1, 8, 8), which is what cameras send, where the set does not say.
    pub fn chroma_and_depths(&self) -> (u8, u8, u8) {
        let mut bits = Bits::new(self.sps.get(4..).unwrap_or_default());
        format(&mut bits, self.profile)
            .map_or((1, 8, 8), |f| (f.chroma, f.luma_bits, f.chroma_bits))
    }

    /// RFC 6381: `avc1.PPCCLL`.
    pub fn codec_string(&self) -> String {
        format!("avc1.{:02X}{:02X}{:02X}", self.profile, self.constraints, self.level)
    }
}

/// Longest parameter set that is read: `avcC` has 16 bits for it.
pub const SET_BYTES_MAX: usize = 65_535;

/// How samples are stored.
struct Format {
    chroma: u8,
    separate: bool,
    luma_bits: u8,
    chroma_bits: u8,
}

const fn has_format(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// The start of a sequence parameter set, up to and with the bit depths.
fn format(bits: &mut Bits<'_>, profile: u8) -> Result<Format, Error> {
    let byte = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
    bits.ue_max(31, "seq_parameter_set_id")?;
    let mut format = Format { chroma: 1, separate: false, luma_bits: 8, chroma_bits: 8 };
    if has_format(profile) {
        format.chroma = byte(bits.ue_max(3, "chroma_format_idc")?);
        format.separate = format.chroma == 3 && bits.bit()?;
        format.luma_bits = 8 + byte(bits.ue_max(6, "bit_depth_luma")?);
        format.chroma_bits = 8 + byte(bits.ue_max(6, "bit_depth_chroma")?);
    }
    Ok(format)
}

/// Everything up to and with the cropping rectangle; clause 7.3.2.1.1.
fn size(bits: &mut Bits<'_>, profile: u8) -> Result<(u32, u32), Error> {
    let format = format(bits, profile)?;
    if has_format(profile) {
        bits.bit()?;
        if bits.bit()? {
            for list in 0..if format.chroma == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.ue_max(12, "log2_max_frame_num")?;
    match bits.ue_max(2, "pic_order_cnt_type")? {
        0 => {
            bits.ue_max(12, "log2_max_pic_order_cnt_lsb")?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue_max(255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.se()?;
            }
        }
        _ => {}
    }
    // Cameras exceed the standard's 16, and nothing here depends on it.
    bits.ue()?;
    bits.bit()?;
    let width = (bits.ue_max(1023, "width")? + 1) * 16;
    let map_units = bits.ue_max(1023, "height")? + 1;
    let frame_mbs_only = bits.bit()?;
    if !frame_mbs_only {
        bits.bit()?;
    }
    bits.bit()?;
    let fields = if frame_mbs_only { 1 } else { 2 };
    let chroma = if format.separate { 0 } else { format.chroma };
    let (unit_x, unit_y) = crop_unit(chroma);
    Ok(cropped(bits, (width, map_units * 16 * fields), (unit_x, unit_y * fields)))
}

/// Luma samples per unit of the cropping rectangle, H.264 clause 7.4.2.1.1 and H.265 clause
/// 7.4.3.2.1.
pub(super) const fn crop_unit(chroma_format: u8) -> (u32, u32) {
    match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    }
}

/// Reads a cropping rectangle and takes it off `size`. One that is not all there or leaves
/// nothing is passed over, as decoders do.
pub(super) fn cropped(bits: &mut Bits<'_>, size: (u32, u32), unit: (u32, u32)) -> (u32, u32) {
    rectangle(bits, size, unit).ok().flatten().unwrap_or(size)
}

fn rectangle(
    bits: &mut Bits<'_>,
    (width, height): (u32, u32),
    (unit_x, unit_y): (u32, u32),
) -> Result<Option<(u32, u32)>, Error> {
    if !bits.bit()? {
        return Ok(None);
    }
    let mut crop = [0_u32; 4];
    for side in &mut crop {
        *side = bits.ue()?;
    }
    let [left, right, top, bottom] = crop;
    let less = |size: u32, a: u32, b: u32, unit: u32| {
        let gone = a.checked_add(b)?.checked_mul(unit)?;
        size.checked_sub(gone).filter(|rest| *rest > 0)
    };
    Ok(less(width, left, right, unit_x).zip(less(height, top, bottom, unit_y)))
}

fn scaling_list(bits: &mut Bits<'_>, len: u32) -> Result<(), Error> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..len {
        if next != 0 {
            next = (last + bits.se()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Vui {
    frame_rate: Option<f64>,
    reorder_frames: Option<u32>,
}

/// Annex E.1.1. What was read before a mistake is kept.
fn vui(bits: &mut Bits<'_>) -> Option<Vui> {
    let mut vui = Vui::default();
    if bits.bit().ok()? {
        let _ = vui_fields(bits, &mut vui);
    }
    Some(vui)
}

fn vui_fields(bits: &mut Bits<'_>, vui: &mut Vui) -> Result<(), Error> {
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
    if bits.bit()? {
        let (tick, scale) = (bits.bits(32)?, bits.bits(32)?);
        bits.skip(1)?;
        vui.frame_rate = rate(scale, tick.saturating_mul(2));
    }
    let nal_hrd = bits.bit()?;
    if nal_hrd {
        hrd(bits)?;
    }
    let vcl_hrd = bits.bit()?;
    if vcl_hrd {
        hrd(bits)?;
    }
    if nal_hrd || vcl_hrd {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    if bits.bit()? {
        bits.skip(1)?;
        for _ in 0..4 {
            bits.ue()?;
        }
        vui.reorder_frames = Some(bits.ue_max(16, "max_num_reorder_frames")?);
    }
    Ok(())
}

/// A frame rate that makes sense, or none.
pub(super) fn rate(scale: u32, ticks: u32) -> Option<f64> {
    if ticks == 0 {
        return None;
    }
    let rate = f64::from(scale) / f64::from(ticks);
    (0.1..=480.0).contains(&rate).then_some(rate)
}

fn hrd(bits: &mut Bits<'_>) -> Result<(), Error> {
    let count = bits.ue_max(31, "cpb_cnt")? + 1;
    bits.skip(8)?;
    for _ in 0..count {
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    bits.skip(20)
}

#[cfg(test)]
mod tests;
