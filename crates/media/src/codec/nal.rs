//! NAL units in a byte stream: Annex B start codes and 4-byte length prefixes.

use bytes::{BufMut, BytesMut};

/// The NAL units of an Annex B byte stream, without start codes and without the zero bytes that
/// may stand before the next one. Bytes before the first start code are passed over.
pub fn annexb(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = start_code(data, 0).map(|(_, after)| after);
    std::iter::from_fn(move || {
        loop {
            let start = next?;
            let end = match start_code(data, start) {
                Some((at, after)) => {
                    next = Some(after);
                    at
                }
                None => {
                    next = None;
                    data.len()
                }
            };
            let unit = trim_zeros(data.get(start..end)?);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// Where the next `00 00 01` at or behind `from` begins and ends.
pub fn start_code(data: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    while let Some(&third) = data.get(at + 2) {
        if third > 1 {
            at += 3;
        } else if third == 1 && data.get(at) == Some(&0) && data.get(at + 1) == Some(&0) {
            return Some((at, at + 3));
        } else {
            at += 1;
        }
    }
    None
}

/// Without the zero bytes at the end, which are padding: a NAL unit never ends in zero.
pub fn trim_zeros(mut unit: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = unit {
        unit = rest;
    }
    unit
}

/// The NAL units of a frame with 4-byte big-endian lengths. Ends at the first length that does
/// not fit.
pub fn prefixed(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (head, rest) = data.split_at_checked(4)?;
            let len = u32::from_be_bytes(head.try_into().ok()?);
            let (unit, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
            data = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// Appends a NAL unit with its length in front. A unit of 4 GiB or more, which no limit lets get
/// this far, is left out.
pub fn push_prefixed(out: &mut BytesMut, unit: &[u8]) {
    if let Ok(len) = u32::try_from(unit.len()) {
        out.reserve(unit.len() + 4);
        out.put_u32(len);
        out.put_slice(unit);
    }
}

/// A frame with length prefixes as an Annex B byte stream.
pub fn to_annexb(frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len() + 16);
    for unit in prefixed(frame) {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(unit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annexb_is_walked_with_every_kind_of_start_code() {
        let data = [9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 0, 0, 0];
        let units: Vec<&[u8]> = annexb(&data).collect();
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 2], &[0x65]]);
        for empty in [&[][..], &[0, 0, 1], &[0, 0], &[1, 2, 3]] {
            assert_eq!(annexb(empty).count(), 0);
        }
    }

    #[test]
    fn prefixes_there_and_back() {
        let mut frame = BytesMut::new();
        push_prefixed(&mut frame, &[0x67, 1]);
        push_prefixed(&mut frame, &[0x65, 2, 3]);
        assert_eq!(prefixed(&frame).collect::<Vec<_>>(), [&[0x67, 1][..], &[0x65, 2, 3]]);
        assert_eq!(to_annexb(&frame), [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 2, 3]);
        frame.truncate(frame.len() - 1);
        assert_eq!(prefixed(&frame).count(), 1);
        assert_eq!(prefixed(&[0xff; 9]).count(), 0);
    }
}
