//! JPEG (RFC 2435): the scan in fragments, the quantization tables in the first (Q = 255), and
//! a restart header where the picture has restart intervals.
//!
//! The format carries baseline pictures of three components, sampled 4:2:2 or 4:2:0, with the
//! Huffman tables of ITU-T T.81, annex K.3, up to 2040 by 2040. Anything else is refused.

use media::Frame;

use super::Writer;
use crate::Error;

/// Tables in band, and not to be remembered (RFC 2435, section 3.1.8).
const Q_IN_BAND: u8 = 255;
const TYPE_422: u8 = 0;
const TYPE_420: u8 = 1;
const TYPE_RESTART: u8 = 64;
const TABLE_BYTES: usize = 64;
/// Type-specific byte, three of offset, type, Q, width and height.
const HEADER_BYTES: usize = 8;
/// First and last interval of a frame that is reassembled as a whole (section 3.1.7).
const RESTART_WHOLE: [u8; 2] = [0xff, 0xff];
/// What the three bytes of fragment offset can say.
const SCAN_BYTES_MAX: usize = 1 << 24;
/// What one byte can say in units of eight.
const SIDE_MAX: u16 = 2_040;

/// What of a picture goes on the wire.
#[derive(Debug, PartialEq, Eq)]
struct Picture<'a> {
    kind: u8,
    width: u16,
    height: u16,
    luma: &'a [u8; TABLE_BYTES],
    chroma: &'a [u8; TABLE_BYTES],
    restart_interval: u16,
    /// Entropy-coded bytes, without the end-of-image marker.
    scan: &'a [u8],
}

pub(super) fn write(out: &mut Writer, frame: &Frame) -> Result<(), Error> {
    let picture = parse(&frame.data)?;
    let mut head = Vec::with_capacity(HEADER_BYTES + 8 + 2 * TABLE_BYTES);
    let side = |pixels: u16| pixels.div_ceil(8).min(255) as u8;
    let restart = if picture.restart_interval > 0 { TYPE_RESTART } else { 0 };
    head.extend_from_slice(&[0, 0, 0, 0, picture.kind | restart, Q_IN_BAND]);
    head.extend_from_slice(&[side(picture.width), side(picture.height)]);
    if restart != 0 {
        head.extend_from_slice(&picture.restart_interval.to_be_bytes());
        head.extend_from_slice(&RESTART_WHOLE);
    }
    let later_head_bytes = head.len();
    // Reserved, all tables of 8 bits, and their length.
    head.extend_from_slice(&[0, 0, 0, 2 * TABLE_BYTES as u8]);
    head.extend_from_slice(picture.luma);
    head.extend_from_slice(picture.chroma);
    if head.len() >= out.payload_max {
        return Err(Error::Unsupported("JPEG tables in so small a packet"));
    }

    let (first, rest) = picture.scan.split_at(picture.scan.len().min(out.payload_max - head.len()));
    let piece_bytes = out.payload_max - later_head_bytes;
    let later = rest.len().div_ceil(piece_bytes);
    out.reserve(1 + later, head.len() + later * later_head_bytes + picture.scan.len());
    out.packet(&head, first);
    head.truncate(later_head_bytes);
    let mut offset = first.len();
    for piece in rest.chunks(piece_bytes) {
        let [_, a, b, c] = (offset as u32).to_be_bytes();
        if let Some(place) = head.get_mut(1..4) {
            place.copy_from_slice(&[a, b, c]);
        }
        out.packet(&head, piece);
        offset += piece.len();
    }
    out.mark();
    Ok(())
}

/// One component of the frame header.
#[derive(Debug, Clone, Copy, Default)]
struct Component {
    sampling: u8,
    table: u8,
}

fn parse(jpeg: &[u8]) -> Result<Picture<'_>, Error> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8]).ok_or(Error::Malformed("no JPEG"))?;
    let mut tables: [Option<&[u8; TABLE_BYTES]>; 4] = [None; 4];
    let mut frame: Option<(u16, u16, [Component; 3])> = None;
    let mut restart_interval = 0;
    loop {
        let (marker, segment, after) = next_segment(rest)?;
        rest = after;
        match marker {
            0xdb => read_tables(segment, &mut tables)?,
            0xc4 => check_huffman(segment)?,
            0xc0 => frame = Some(read_frame(segment)?),
            0xc1..=0xcf => return Err(Error::Unsupported("JPEG that is not baseline")),
            0xdd => {
                let &[hi, lo] = segment.first_chunk().ok_or(Error::Truncated)?;
                restart_interval = u16::from_be_bytes([hi, lo]);
            }
            0xda => break,
            _ => {}
        }
    }
    let (width, height, components) = frame.ok_or(Error::Malformed("scan before frame header"))?;
    let [y, cb, cr] = components;
    let kind = match [y.sampling, cb.sampling, cr.sampling] {
        [0x21, 0x11, 0x11] => TYPE_422,
        [0x22, 0x11, 0x11] => TYPE_420,
        _ => return Err(Error::Unsupported("JPEG sampling")),
    };
    let table = |c: Component| {
        let found = tables.get(usize::from(c.table)).copied().flatten();
        found.ok_or(Error::Malformed("JPEG table missing"))
    };
    let (luma, chroma) = (table(y)?, table(cb)?);
    if table(cr)? != chroma {
        return Err(Error::Unsupported("JPEG with three tables"));
    }
    let scan = until_end(rest);
    if scan.len() >= SCAN_BYTES_MAX {
        return Err(Error::TooLarge("JPEG scan"));
    }
    Ok(Picture { kind, width, height, luma, chroma, restart_interval, scan })
}

/// The scan up to the end-of-image marker, which stands at the end but for padding.
fn until_end(scan: &[u8]) -> &[u8] {
    let end = scan.windows(2).rposition(|pair| pair == [0xff, 0xd9]);
    scan.get(..end.unwrap_or(scan.len())).unwrap_or(scan)
}

/// Marker, contents, and what follows.
fn next_segment(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Error> {
    let [0xff, after @ ..] = bytes else { return Err(Error::Malformed("JPEG marker")) };
    // Any number of fill bytes may stand before the code.
    let fill = after.iter().take_while(|b| **b == 0xff).count();
    let (&marker, after) =
        after.get(fill..).and_then(<[u8]>::split_first).ok_or(Error::Truncated)?;
    if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd9) {
        return Err(Error::Malformed("JPEG marker"));
    }
    let (&[hi, lo], after) = after.split_first_chunk().ok_or(Error::Truncated)?;
    let len = usize::from(u16::from_be_bytes([hi, lo])).checked_sub(2);
    let len = len.ok_or(Error::Malformed("JPEG segment length"))?;
    let (segment, after) = after.split_at_checked(len).ok_or(Error::Truncated)?;
    Ok((marker, segment, after))
}

fn read_tables<'a>(
    mut segment: &'a [u8],
    tables: &mut [Option<&'a [u8; TABLE_BYTES]>; 4],
) -> Result<(), Error> {
    while let Some((&id, after)) = segment.split_first() {
        if id >> 4 != 0 {
            return Err(Error::Unsupported("JPEG table of 16 bits"));
        }
        let (table, after) = after.split_first_chunk().ok_or(Error::Truncated)?;
        *tables.get_mut(usize::from(id)).ok_or(Error::Malformed("JPEG table number"))? =
            Some(table);
        segment = after;
    }
    Ok(())
}

fn read_frame(segment: &[u8]) -> Result<(u16, u16, [Component; 3]), Error> {
    let (&[bits, h1, h0, w1, w0, count], mut rest) =
        segment.split_first_chunk().ok_or(Error::Truncated)?;
    if bits != 8 || count != 3 {
        return Err(Error::Unsupported("JPEG that is not of three components of 8 bits"));
    }
    let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
    if width == 0 || height == 0 {
        return Err(Error::Malformed("JPEG size"));
    }
    if width > SIDE_MAX || height > SIDE_MAX {
        return Err(Error::TooLarge("JPEG picture side"));
    }
    let mut components = [Component::default(); 3];
    for component in &mut components {
        let (&[_, sampling, table], after) = rest.split_first_chunk().ok_or(Error::Truncated)?;
        *component = Component { sampling, table };
        rest = after;
    }
    Ok((width, height, components))
}

/// Receivers know only the usual tables (RFC 2435, appendix B), so no others may be meant.
fn check_huffman(mut segment: &[u8]) -> Result<(), Error> {
    while let Some((&id, after)) = segment.split_first() {
        let (counts, after) = after.split_first_chunk::<16>().ok_or(Error::Truncated)?;
        let symbols = counts.iter().map(|&n| usize::from(n)).sum();
        let (symbols, after) = after.split_at_checked(symbols).ok_or(Error::Truncated)?;
        let usual = match id {
            0x00 => *counts == DC_LUMA && symbols.iter().copied().eq(0..12),
            0x01 => *counts == DC_CHROMA && symbols.iter().copied().eq(0..12),
            0x10 => *counts == AC_LUMA && symbols == AC_LUMA_SYMBOLS,
            0x11 => *counts == AC_CHROMA && symbols == AC_CHROMA_SYMBOLS,
            _ => false,
        };
        if !usual {
            return Err(Error::Unsupported("JPEG Huffman tables of its own"));
        }
        segment = after;
    }
    Ok(())
}

// ITU-T T.81, annex K.3: how many codes of each length, and what they stand for.
pub(crate) const DC_LUMA: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
pub(crate) const DC_CHROMA: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
pub(crate) const AC_LUMA: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d];
pub(crate) const AC_CHROMA: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77];
#[rustfmt::skip]
pub(crate) const AC_LUMA_SYMBOLS: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];
#[rustfmt::skip]
pub(crate) const AC_CHROMA_SYMBOLS: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[cfg(test)]
mod tests;
