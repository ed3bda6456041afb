//! The header of a JPEG picture, which RFC 2435 leaves out: appendices A and B.

use bytes::{BufMut, BytesMut};

use crate::pay::mjpeg::{
    AC_CHROMA, AC_CHROMA_SYMBOLS, AC_LUMA, AC_LUMA_SYMBOLS, DC_CHROMA, DC_LUMA,
};

/// Most different values of Q whose tables are remembered.
const REMEMBERED_MAX: usize = 8;
/// Longest header extension that is read.
const SEGMENTS_BYTES_MAX: usize = 4 << 10;

/// The payload of one packet.
#[derive(Debug)]
pub(super) struct Fragment<'a> {
    /// Where in the scan it belongs.
    pub(super) offset: usize,
    /// 0: 4:2:2, 1: 4:2:0.
    pub(super) sampling: u8,
    pub(super) q: u8,
    /// Pixels; 0 if more than 2040.
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) restart: u16,
    /// Which tables are of 16 bits, from the lowest bit, and the tables; of the first packet of
    /// a picture with Q from 128.
    pub(super) tables: (u8, &'a [u8]),
    pub(super) scan: &'a [u8],
}

impl<'a> Fragment<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let (&[_, o2, o1, o0, kind, q, width, height], mut rest) = payload.split_first_chunk()?;
        let offset = usize::try_from(u32::from_be_bytes([0, o2, o1, o0])).ok()?;
        let mut restart = 0;
        if (64..=127).contains(&kind) {
            let (&[r1, r0, _, _], after) = rest.split_first_chunk()?;
            restart = u16::from_be_bytes([r1, r0]);
            rest = after;
        }
        let sampling = match kind & 0x3f {
            sampling @ (0 | 1) if kind < 128 => sampling,
            // Interlaced and other types that no camera sends.
            _ => return None,
        };
        let mut tables: (u8, &[u8]) = (0, &[]);
        if offset == 0 && q >= 128 {
            let (&[_, precision, l1, l0], after) = rest.split_first_chunk()?;
            let (bytes, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes([l1, l0])))?;
            tables = (precision, bytes);
            rest = after;
        }
        let (width, height) = (u16::from(width) * 8, u16::from(height) * 8);
        Some(Self { offset, sampling, q, width, height, restart, tables, scan: rest })
    }
}

/// Quantization tables as they stand in a JPEG: luma and chroma, 64 or 128 bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    precision: u8,
    luma: Vec<u8>,
    chroma: Vec<u8>,
}

impl Pair {
    fn read((precision, bytes): (u8, &[u8])) -> Option<Self> {
        let len = |bit: u8| if precision >> bit & 1 == 0 { 64 } else { 128 };
        let (luma, rest) = bytes.split_at_checked(len(0))?;
        // One table alone is for all components.
        let (chroma, precision) = match rest.get(..len(1)) {
            Some(chroma) => (chroma, precision),
            None => (luma, precision & 1 | (precision & 1) << 1),
        };
        Some(Self { precision, luma: luma.to_vec(), chroma: chroma.to_vec() })
    }

    /// Appendix A: Q from 1 to 99.
    fn scaled(q: u8) -> Self {
        let q = u32::from(q.clamp(1, 99));
        let factor = if q < 50 { 5_000 / q } else { 200 - q * 2 };
        let scale = |table: &[u8; 64]| {
            let entry = |v: &u8| ((u32::from(*v) * factor + 50) / 100).clamp(1, 255) as u8;
            table.iter().map(entry).collect()
        };
        Self { precision: 0, luma: scale(&LUMA), chroma: scale(&CHROMA) }
    }
}

/// Tables of Q from 128 to 254, which need not be sent each time.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<(u8, Pair)>);

impl Tables {
    /// The tables of the picture that begins with `fragment`.
    pub(super) fn of(&mut self, fragment: &Fragment<'_>) -> Option<Pair> {
        match fragment.q {
            0 => None,
            q @ 1..=127 => Some(Pair::scaled(q)),
            q => {
                if fragment.tables.1.is_empty() {
                    return self.0.iter().find(|(known, _)| *known == q).map(|(_, t)| t.clone());
                }
                let pair = Pair::read(fragment.tables)?;
                if q < 255 {
                    self.0.retain(|(known, _)| *known != q);
                    if self.0.len() >= REMEMBERED_MAX {
                        self.0.remove(0);
                    }
                    self.0.push((q, pair.clone()));
                }
                Some(pair)
            }
        }
    }
}

/// Everything up to the scan, from what RFC 2435 carries; the size of the picture.
pub(super) fn from_fragment(
    out: &mut BytesMut,
    fragment: &Fragment<'_>,
    tables: &Pair,
) -> Option<(u32, u32)> {
    start(out);
    for (id, table) in [(0, &tables.luma), (1, &tables.chroma)] {
        segment(out, 0xdb, &[&[(tables.precision >> id & 1) << 4 | id], table]);
    }
    let [h1, h0] = fragment.height.to_be_bytes();
    let [w1, w0] = fragment.width.to_be_bytes();
    let luma = if fragment.sampling == 0 { 0x21 } else { 0x22 };
    let components = [1, luma, 0, 2, 0x11, 1, 3, 0x11, 1];
    segment(out, 0xc0, &[&[8, h1, h0, w1, w0, 3], &components]);
    huffman(out);
    if fragment.restart > 0 {
        segment(out, 0xdd, &[&fragment.restart.to_be_bytes()]);
    }
    segment(out, 0xda, &[&[3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]]);
    Some((u32::from(fragment.width), u32::from(fragment.height)))
}

/// The same from the segments of ONVIF's extension; what they leave out comes from `fragment`.
/// `None`, and nothing written, if there is no size in them.
pub(super) fn from_segments(
    out: &mut BytesMut,
    segments: &[u8],
    fragment: &Fragment<'_>,
) -> Option<(u32, u32)> {
    let segments = segments.get(..segments.len().min(SEGMENTS_BYTES_MAX))?;
    let frame = each(segments).find(|(marker, _)| *marker == 0xc0)?.1;
    let (&[_, h1, h0, w1, w0, count], components) = frame.split_first_chunk()?;
    let size = [[w1, w0], [h1, h0]].map(|side| u32::from(u16::from_be_bytes(side)));
    let [width, height] = size;
    if width == 0 || height == 0 || !matches!(count, 1 | 3) {
        return None;
    }
    let has = |wanted: u8| each(segments).any(|(marker, _)| marker == wanted);
    let own_tables = if has(0xdb) { None } else { Some(Tables::default().of(fragment)?) };
    start(out);
    for (id, table) in own_tables.iter().flat_map(|t| [(0, &t.luma), (1, &t.chroma)]) {
        segment(out, 0xdb, &[&[id], table]);
    }
    for (marker, body) in each(segments) {
        // Tables, frame header and restart interval. The scan header is made below.
        if matches!(marker, 0xdb | 0xc0 | 0xc4 | 0xdd) {
            segment(out, marker, &[body]);
        }
    }
    if !has(0xc4) {
        huffman(out);
    }
    if !has(0xdd) && fragment.restart > 0 {
        segment(out, 0xdd, &[&fragment.restart.to_be_bytes()]);
    }
    let mut scan = vec![count];
    for (i, component) in components.chunks_exact(3).take(usize::from(count)).enumerate() {
        let id = component.first().copied().unwrap_or(0);
        scan.extend_from_slice(&[id, if i == 0 { 0x00 } else { 0x11 }]);
    }
    scan.extend_from_slice(&[0, 63, 0]);
    segment(out, 0xda, &[&scan]);
    Some((width, height))
}

/// The segments of a header: marker and body. Ends at the first thing that is none.
fn each(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let (&first, rest) = bytes.split_first()?;
            let (&marker, rest) = rest.split_first()?;
            match (first, marker) {
                (0xff, 0xff) => bytes = bytes.get(1..)?,
                (0xff, 0xd8) => bytes = rest,
                (0xff, _) => {
                    let (&len, rest) = rest.split_first_chunk()?;
                    let len = usize::from(u16::from_be_bytes(len)).checked_sub(2)?;
                    let (body, rest) = rest.split_at_checked(len)?;
                    bytes = rest;
                    return Some((marker, body));
                }
                _ => return None,
            }
        }
    })
}

fn start(out: &mut BytesMut) {
    out.put_slice(&[0xff, 0xd8]);
    segment(out, 0xe0, &[b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"]);
}

fn huffman(out: &mut BytesMut) {
    let dc: [u8; 12] = std::array::from_fn(|i| i as u8);
    segment(out, 0xc4, &[&[0x00], &DC_LUMA, &dc]);
    segment(out, 0xc4, &[&[0x10], &AC_LUMA, &AC_LUMA_SYMBOLS]);
    segment(out, 0xc4, &[&[0x01], &DC_CHROMA, &dc]);
    segment(out, 0xc4, &[&[0x11], &AC_CHROMA, &AC_CHROMA_SYMBOLS]);
}

fn segment(out: &mut BytesMut, marker: u8, parts: &[&[u8]]) {
    let len: usize = 2 + parts.iter().map(|p| p.len()).sum::<usize>();
    out.put_slice(&[0xff, marker]);
    out.put_u16(u16::try_from(len).unwrap_or(u16::MAX));
    parts.iter().for_each(|part| out.put_slice(part));
}

// ITU-T T.81, tables K.1 and K.2, in zigzag order.
#[rustfmt::skip]
const LUMA: [u8; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];
#[rustfmt::skip]
const CHROMA: [u8; 64] = [
    17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];
