//! The pattern's SEI message: `user_data_unregistered` (ITU-T H.264 clause D.1.7, H.265 clause
//! D.2.7) with a UUID of khien's own, in front of the first slice of every picture.
//!
//! ```text
//! UUID       16 bytes
//! version     1 byte    1
//! camera      4 bytes   big-endian
//! frame       4 bytes   big-endian
//! wall        8 bytes   big-endian, signed: microseconds since 1970 UTC
//! ```

use media::Wall;
use media::codec::{Codec, h264, h265, nal};

use super::Stamp;

/// Says that an unregistered SEI message is the pattern's: 8f1c2b7e-5a44-4d0b-9e63-6b6869656e01.
pub const UUID: [u8; 16] = [
    0x8f, 0x1c, 0x2b, 0x7e, 0x5a, 0x44, 0x4d, 0x0b, 0x9e, 0x63, 0x6b, 0x68, 0x69, 0x65, 0x6e, 0x01,
];

const UNREGISTERED: u32 = 5;
const VERSION: u8 = 1;
const BYTES: usize = 33;
/// SEI messages of a unit that are looked at.
const MESSAGES_MAX: usize = 64;
/// Bytes of a unit that are looked at.
const UNIT_BYTES_MAX: usize = 4_096;

/// The two ways to write a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    H264,
    H265,
}

impl Syntax {
    pub(crate) const fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::H264 => Some(Self::H264),
            Codec::H265 => Some(Self::H265),
            _ => None,
        }
    }
}

/// The whole NAL unit, without start code or length.
pub(crate) fn unit(syntax: Syntax, stamp: &Stamp) -> Vec<u8> {
    let mut body = Vec::with_capacity(BYTES + 3);
    body.extend_from_slice(&[5, 33]);
    body.extend_from_slice(&UUID);
    body.push(VERSION);
    body.extend_from_slice(&stamp.camera.to_be_bytes());
    body.extend_from_slice(&stamp.frame.to_be_bytes());
    body.extend_from_slice(&stamp.wall.0.to_be_bytes());
    body.push(0x80);
    let mut out = match syntax {
        Syntax::H264 => vec![h264::SEI],
        Syntax::H265 => vec![h265::SEI << 1, 1],
    };
    let mut zeros = 0;
    for byte in body {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Finds the pattern's message in an access unit of H.264 or H.265 with 4-byte length prefixes,
/// as frames carry it. `None` when there is none. Never panics.
pub fn read_sei(frame: &[u8]) -> Option<Stamp> {
    nal::prefixed(frame).find_map(|unit| {
        // The two codecs' SEI headers cannot be mistaken for one another: 6 in the low bits of
        // one byte, 39 in the high bits of two.
        let body = match unit {
            [first, rest @ ..] if h264::unit_type(*first) == h264::SEI => rest,
            [first, _, rest @ ..] if h265::unit_type(*first) == h265::SEI => rest,
            _ => return None,
        };
        messages(&unescaped(body.get(..body.len().min(UNIT_BYTES_MAX))?))
    })
}

fn unescaped(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut zeros = 0;
    for &byte in body {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

fn messages(mut body: &[u8]) -> Option<Stamp> {
    for _ in 0..MESSAGES_MAX {
        let (kind, rest) = number(body)?;
        let (size, rest) = number(rest)?;
        let (payload, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        if kind == UNREGISTERED
            && let Some(stamp) = parse(payload)
        {
            return Some(stamp);
        }
        body = rest;
    }
    None
}

/// A number as SEI writes it: a 255 for every 255, then the rest.
fn number(mut body: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u32;
    loop {
        let (byte, rest) = body.split_first()?;
        value = value.checked_add(u32::from(*byte))?;
        body = rest;
        if *byte != 0xff {
            return Some((value, body));
        }
    }
}

fn parse(payload: &[u8]) -> Option<Stamp> {
    let rest = payload.strip_prefix(&UUID)?.strip_prefix(&[VERSION])?;
    let (camera, rest) = rest.split_first_chunk::<4>()?;
    let (frame, rest) = rest.split_first_chunk::<4>()?;
    let (wall, _) = rest.split_first_chunk::<8>()?;
    Some(Stamp {
        camera: u32::from_be_bytes(*camera),
        frame: u32::from_be_bytes(*frame),
        wall: Wall(i64::from_be_bytes(*wall)),
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn framed(units: &[&[u8]]) -> BytesMut {
        let mut frame = BytesMut::new();
        for unit in units {
            nal::push_prefixed(&mut frame, unit);
        }
        frame
    }

    #[test]
    fn stamps_go_there_and_back_in_both_codecs() {
        for syntax in [Syntax::H264, Syntax::H265] {
            for (camera, frame, wall) in
                [(0, 0, 0), (1, 2, 3), (u32::MAX, 0x0001_0000, i64::MAX), (7, 65_536, -1)]
            {
                let stamp = Stamp { camera, frame, wall: Wall(wall) };
                let sei = unit(syntax, &stamp);
                // No start code may appear inside.
                assert!(!sei.windows(3).any(|w| w[..2] == [0, 0] && w[2] < 3), "{sei:x?}");
                let slice: &[u8] = if syntax == Syntax::H264 { &[0x65, 1] } else { &[0x26, 1, 1] };
                assert_eq!(read_sei(&framed(&[&sei, slice])), Some(stamp));
            }
        }
    }

    #[test]
    fn other_messages_and_torn_ones_are_passed_over() {
        let stamp = Stamp { camera: 5, frame: 6, wall: Wall(1_800_000_000_000_000) };
        let mut sei = unit(Syntax::H264, &stamp);
        let foreign = [6, 5, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0x80];
        assert_eq!(read_sei(&framed(&[&foreign, &[0x65]])), None);
        assert_eq!(read_sei(&framed(&[&foreign, &sei])), Some(stamp));
        // Both messages in one unit.
        let mut both = foreign[..20].to_vec();
        both.extend_from_slice(&sei[1..]);
        assert_eq!(read_sei(&framed(&[&both])), Some(stamp));
        while sei.len() > 1 {
            sei.pop();
            if sei.len() < 34 {
                assert_eq!(read_sei(&framed(&[&sei])), None, "{}", sei.len());
            }
        }
        assert_eq!(read_sei(&framed(&[&[6, 0xff, 0xff, 0xff]])), None);
        assert_eq!(read_sei(&[0xff; 40]), None);
        assert_eq!(read_sei(&[]), None);
    }
}
