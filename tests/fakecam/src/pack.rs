//! Units into RTP payloads: H.264 (RFC 6184), H.265 (RFC 7798), JPEG (RFC 2435), AAC (RFC 3640),
//! and those that go in as they are.

use crate::clip::{Codec, is_slice, nal_type};
use crate::{Config, Quirk as Q};

/// One RTP packet without its header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) payload: Vec<u8>,
    pub(crate) marker: bool,
    /// Profile and words of a header extension.
    pub(crate) extension: Option<(u16, Vec<u8>)>,
    /// First fragment of a unit.
    pub(crate) start: bool,
    /// Last fragment of a unit.
    pub(crate) end: bool,
}

impl Packet {
    fn new(payload: Vec<u8>) -> Self {
        Self { payload, ..Self::default() }
    }
}

/// The packets of one access unit.
pub(crate) fn unit(config: &Config, codec: Codec, nals: &[Vec<u8>]) -> Vec<Packet> {
    let mut packets = match codec {
        Codec::H264 | Codec::H265 => video(config, codec, nals),
        Codec::Jpeg => nals.first().map_or_else(Vec::new, |jpeg| jpeg_packets(config, jpeg)),
        Codec::Aac => nals.iter().flat_map(|n| aac(config, n)).collect(),
        Codec::Pcm if !config.has(Q::SdpPcmName) => {
            let swap = |n: &Vec<u8>| n.chunks_exact(2).flat_map(|c| [c[1], c[0]]).collect();
            nals.iter().map(|n| Packet::new(swap(n))).collect()
        }
        _ => nals.iter().map(|n| Packet::new(n.clone())).collect(),
    };
    let marked = matches!(codec, Codec::H264 | Codec::H265 | Codec::Jpeg | Codec::Aac);
    if let Some(last) = packets.last_mut() {
        last.marker = marked;
    }
    if config.has(Q::RtpNoMarker) {
        for packet in &mut packets {
            packet.marker = false;
        }
    }
    packets
}

/// AU headers of 13 and 3 bits, one access unit.
fn aac(config: &Config, data: &[u8]) -> Vec<Packet> {
    let mut unit = data.to_vec();
    if config.has(Q::AacAdts) {
        // AAC-LC, 16 kHz, mono, as the clip is.
        let len = data.len() + 7;
        let high = 0x40 | (len >> 11) as u8;
        let head = [0xff, 0xf1, 0x60, high, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc];
        unit.splice(0..0, head);
        if config.variant == 1 {
            return vec![Packet::new(unit)];
        }
    }
    let size = ((unit.len() as u16) << 3).to_be_bytes();
    let parts = if config.has(Q::AacFrag) { 3 } else { 1 };
    let piece = unit.len().div_ceil(parts).max(1);
    unit.chunks(piece).map(|c| Packet::new([&[0, 16, size[0], size[1]], c].concat())).collect()
}

fn video(config: &Config, codec: Codec, nals: &[Vec<u8>]) -> Vec<Packet> {
    let header = if codec == Codec::H265 { 2 } else { 1 };
    let alone = [Q::RtpMarkerPs, Q::NalAnnexb, Q::FuStartEnd].iter().any(|&q| config.has(q))
        || config.form(Q::FuEmpty, 1);
    let mut out = Vec::new();
    let mut small: Vec<&[u8]> = Vec::new();
    for nal in nals {
        if nal.len() <= header {
            continue;
        }
        let slice = is_slice(codec, nal);
        let room: usize = small.iter().map(|n| n.len() + 2).sum::<usize>() + header;
        if !slice && !alone && room + nal.len() + 2 <= config.payload_max {
            small.push(nal);
            continue;
        }
        aggregate(codec, &mut small, &mut out);
        let before = out.len();
        one_nal(config, codec, nal, &mut out);
        if !slice && config.has(Q::RtpMarkerPs) {
            out[before..].iter_mut().for_each(|p| p.marker = true);
        }
    }
    aggregate(codec, &mut small, &mut out);
    out
}

/// STAP-A or AP.
fn aggregate(codec: Codec, small: &mut Vec<&[u8]>, out: &mut Vec<Packet>) {
    if let [only] = small[..] {
        out.push(Packet::new(only.to_vec()));
    } else if let Some(first) = small.first() {
        let mut payload = match codec {
            Codec::H265 => vec![48 << 1, first[1]],
            _ => vec![small.iter().fold(24, |h, n| h | (n[0] & 0x60))],
        };
        for nal in small.iter() {
            payload.extend((nal.len() as u16).to_be_bytes());
            payload.extend_from_slice(nal);
        }
        out.push(Packet::new(payload));
    }
    small.clear();
}

/// The header of a fragment.
fn fragment_header(codec: Codec, nal: &[u8], start: bool, end: bool) -> Vec<u8> {
    let flags = u8::from(start) << 7 | u8::from(end) << 6;
    let t = nal_type(codec, nal);
    match codec {
        Codec::H265 => vec![(nal[0] & 0x81) | 49 << 1, nal[1], flags | t],
        _ => vec![(nal[0] & 0xe0) | 28, flags | t],
    }
}

fn one_nal(config: &Config, codec: Codec, nal: &[u8], out: &mut Vec<Packet>) {
    let header = if codec == Codec::H265 { 2 } else { 1 };
    if nal.len() <= config.payload_max {
        let whole = config.form(Q::FuEmpty, 1);
        let mut payload = Vec::new();
        if config.has(Q::FuStartEnd) || whole {
            payload = fragment_header(codec, nal, true, true);
            payload.extend_from_slice(if whole { nal } else { &nal[header..] });
        } else {
            if config.form(Q::NalAnnexb, 1) {
                payload.extend([0, 0, 0, 1]);
            }
            payload.extend_from_slice(nal);
        }
        out.push(Packet::new(payload));
        return;
    }
    let pieces: Vec<&[u8]> = nal[header..].chunks(config.payload_max - header - 1).collect();
    let last = pieces.len() - 1;
    for (i, piece) in pieces.iter().enumerate() {
        if i == last && config.form(Q::FuEmpty, 0) {
            out.push(Packet::new(fragment_header(codec, nal, false, false)));
        }
        let mut payload = fragment_header(codec, nal, i == 0, i == last);
        if config.has(Q::FuType) && i > 0 {
            let at = header;
            let t = (payload[at] + 1) & 0x1f;
            payload[at] = (payload[at] & 0xc0) | if codec == Codec::H264 { 0x20 | t } else { t };
        }
        payload.extend_from_slice(piece);
        out.push(Packet { start: i == 0, end: i == last, ..Packet::new(payload) });
    }
}

/// What RFC 2435 needs of a JPEG picture.
struct Jpeg<'a> {
    tables: [[u8; 64]; 2],
    second: u8,
    frame: &'a [u8],
    quantizers: Vec<&'a [u8]>,
    scan: &'a [u8],
}

fn jpeg_parts(data: &[u8]) -> Option<Jpeg<'_>> {
    let mut jpeg =
        Jpeg { tables: [[0; 64]; 2], second: 0, frame: &[], quantizers: Vec::new(), scan: &[] };
    let mut rest = data.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let (marker, len) = (*rest.get(1)?, u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        let (segment, after) = rest.split_at_checked(usize::from(len) + 2)?;
        match marker {
            0xdb => {
                for table in segment.get(4..)?.chunks_exact(65) {
                    let slot = usize::from(table[0] & 1);
                    jpeg.tables[slot].copy_from_slice(&table[1..]);
                }
                jpeg.quantizers.push(segment);
            }
            0xc0 => {
                jpeg.frame = segment;
                jpeg.second = *segment.get(15)?;
            }
            0xda => {
                jpeg.scan = after.strip_suffix(&[0xff, 0xd9]).unwrap_or(after);
                break;
            }
            _ => {}
        }
        rest = after;
    }
    if jpeg.second == 0 {
        jpeg.tables[1] = jpeg.tables[0];
    }
    (jpeg.frame.len() >= 17).then_some(jpeg)
}

fn jpeg_packets(config: &Config, data: &[u8]) -> Vec<Packet> {
    let Some(jpeg) = jpeg_parts(data) else { return Vec::new() };
    let height = u16::from_be_bytes([jpeg.frame[5], jpeg.frame[6]]);
    let width = u16::from_be_bytes([jpeg.frame[7], jpeg.frame[8]]);
    // Luma sampled 2x2 is 4:2:0 (type 1), else 4:2:2 (type 0).
    let kind = u8::from(jpeg.frame[11] == 0x22);
    let size = |pixels: u16| u8::try_from(pixels.div_ceil(8)).unwrap_or(0);
    let (w, h) = if width > 2040 || height > 2040 { (0, 0) } else { (size(width), size(height)) };
    let mut out = Vec::new();
    for (i, piece) in jpeg.scan.chunks(config.payload_max.saturating_sub(8 + 132)).enumerate() {
        let offset: usize = out.iter().map(|p: &(usize, Packet)| p.0).sum();
        let at = (offset as u32).to_be_bytes();
        let mut payload = vec![0, at[1], at[2], at[3], kind, 255, w, h];
        let mut extension = None;
        if i == 0 {
            payload.extend([0, 0, 0, 128]);
            payload.extend(jpeg.tables.as_flattened());
            if config.form(Q::Jpeg2040, 0) {
                extension = Some((0xffd8, onvif_headers(&jpeg)));
            }
        }
        payload.extend_from_slice(piece);
        out.push((piece.len(), Packet { extension, ..Packet::new(payload) }));
    }
    out.into_iter().map(|(_, p)| p).collect()
}

/// The segments that ONVIF puts into the header extension of a picture's first packet, filled up
/// with FF to whole words.
fn onvif_headers(jpeg: &Jpeg<'_>) -> Vec<u8> {
    let mut out = jpeg.quantizers.concat();
    out.extend_from_slice(jpeg.frame);
    out.resize(out.len().next_multiple_of(4), 0xff);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nal(first: u8, len: usize) -> Vec<u8> {
        let mut nal = vec![first; len];
        nal[0] = first;
        nal
    }

    fn packets(config: &Config, codec: Codec, nals: &[Vec<u8>]) -> Vec<(u8, usize, bool)> {
        unit(config, codec, nals)
            .iter()
            .map(|p| (p.payload[0] & 31, p.payload.len(), p.marker))
            .collect()
    }

    #[test]
    fn h264_goes_out_aggregated_whole_and_in_fragments() {
        let config = Config { payload_max: 100, ..Config::default() };
        let nals = [nal(0x67, 10), nal(0x68, 4), nal(0x65, 250)];
        let got = packets(&config, Codec::H264, &nals);
        // STAP-A: 1 + 2+10 + 2+4; fragments: 249 bytes in pieces of 98 with 2 in front.
        assert_eq!(got, [(24, 19, false), (28, 100, false), (28, 100, false), (28, 55, true)]);
    }

    #[test]
    fn h265_fragments_carry_the_unit_type_and_keep_the_layer() {
        let config = Config { payload_max: 100, ..Config::default() };
        let got = unit(&config, Codec::H265, &[nal(19 << 1, 150)]);
        assert_eq!(got[0].payload[..3], [49 << 1, 38, 0x80 | 19]);
        assert_eq!(got.last().map(|p| p.payload[2]), Some(0x40 | 19));
    }

    #[test]
    fn quirks_change_fragments_as_they_say() {
        let base = Config { payload_max: 100, ..Config::default() };
        let se = Config { quirks: vec![Q::FuStartEnd], ..base.clone() };
        assert_eq!(unit(&se, Codec::H264, &[nal(0x65, 50)])[0].payload[..2], [0x7c, 0xc5]);
        let empty = Config { quirks: vec![Q::FuEmpty], ..base.clone() };
        let sizes: Vec<usize> =
            unit(&empty, Codec::H264, &[nal(0x65, 150)]).iter().map(|p| p.payload.len()).collect();
        assert_eq!(sizes, [100, 2, 53]);
        let kind = Config { quirks: vec![Q::FuType], ..base };
        let second = unit(&kind, Codec::H264, &[nal(0x65, 150)])[1].payload[1];
        assert_eq!(second, 0x40 | 0x20 | 6);
    }

    #[test]
    fn a_broken_jpeg_makes_no_packet() {
        for bad in [&b""[..], &[0xff, 0xd8], &[0xff, 0xd8, 0xff, 0xdb, 0xff, 0xff, 1]] {
            assert!(unit(&Config::default(), Codec::Jpeg, &[bad.to_vec()]).is_empty());
        }
    }
}
