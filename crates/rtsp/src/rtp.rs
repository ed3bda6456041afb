//! RTP packets (RFC 3550, section 5.1), and what makes their 16-bit sequence numbers and 32-bit
//! time stamps endless.
//!
//! Not here: payloads (see [`crate::payload`], [`crate::pay`]) and RTCP.

use crate::Error;

/// Bytes of the fixed header.
pub const HEADER_BYTES: usize = 12;

/// A packet that borrows its payload. CSRCs and padding are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed header.
    pub header: Header,
    /// The header extension, if there is one: what its profile calls it, and its words.
    pub extension: Option<(u16, &'a [u8])>,
    /// Without padding; may be empty.
    pub payload: &'a [u8],
}

/// The fields of the fixed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Last packet of a picture, mostly.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Sequence number, wraps.
    pub seq: u16,
    /// Time stamp in the track's clock, wraps.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
}

impl Header {
    /// The 12 bytes of version 2 without padding, extension and CSRCs.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let [s0, s1] = self.seq.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [i0, i1, i2, i3] = self.ssrc.to_be_bytes();
        let second = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        [0x80, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3]
    }
}

impl<'a> Packet<'a> {
    /// Reads one packet.
    ///
    /// # Errors
    /// `Truncated`, or `Malformed` if it is not version 2 or its padding is longer than it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let Some((fixed, mut rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(Error::Truncated);
        };
        let &[first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = fixed;
        if first >> 6 != 2 {
            return Err(Error::Malformed("RTP version"));
        }
        rest = rest.get(usize::from(first & 15) * 4..).ok_or(Error::Truncated)?;
        let mut extension = None;
        if first & 0x10 != 0 {
            let (&[p1, p0, w1, w0], behind) =
                rest.split_first_chunk::<4>().ok_or(Error::Truncated)?;
            let words = usize::from(u16::from_be_bytes([w1, w0]));
            let (body, behind) = behind.split_at_checked(words * 4).ok_or(Error::Truncated)?;
            extension = Some((u16::from_be_bytes([p1, p0]), body));
            rest = behind;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(rest.last().copied().ok_or(Error::Truncated)?);
            let end = rest.len().checked_sub(padding.max(1)).ok_or(Error::Malformed("padding"))?;
            rest = rest.get(..end).unwrap_or_default();
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
        };
        Ok(Self { header, extension, payload: rest })
    }
}

/// Whether a packet on a shared port is RTCP: packet types 192 to 223 (RFC 5761, section 4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|t| (192..=223).contains(t))
}

/// Counts on where 16-bit sequence numbers wrap: each is taken for the nearest to the one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeqUnwrap {
    last: Option<i64>,
}

impl SeqUnwrap {
    /// The endless number of `seq`. Starts within the first 65 536, so that going back a little
    /// from the first one stays positive.
    pub fn unwrap(&mut self, seq: u16) -> i64 {
        let full = match self.last {
            None => i64::from(seq) + (1 << 16),
            Some(last) => last + i64::from(seq.wrapping_sub(low16(last)).cast_signed()),
        };
        self.last = Some(full);
        full
    }

    /// Forgets what came before.
    pub const fn reset(&mut self) {
        self.last = None;
    }
}

/// Counts on where 32-bit time stamps wrap (every 13 h 15 min at 90 kHz): each is taken for the
/// nearest to the one before.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeUnwrap {
    last: Option<i64>,
}

impl TimeUnwrap {
    /// The endless time of `timestamp`; its low 32 bits are `timestamp`. A start close to zero is
    /// moved up by one wrap, so that pictures shown before the first one do not get negative.
    pub fn unwrap(&mut self, timestamp: u32) -> i64 {
        let full = match self.last {
            None if timestamp < NEAR_ZERO => i64::from(timestamp) + (1 << 32),
            None => i64::from(timestamp),
            Some(last) => self.near(last, timestamp),
        };
        self.last = Some(full);
        full
    }

    /// The endless time of a stamp that is not the next one, such as that of a sender report.
    pub fn peek(&self, timestamp: u32) -> Option<i64> {
        self.last.map(|last| self.near(last, timestamp))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are what is wanted")]
    const fn near(self, last: i64, timestamp: u32) -> i64 {
        last.saturating_add(timestamp.wrapping_sub(last as u32).cast_signed() as i64)
    }

    /// Forgets what came before.
    pub const fn reset(&mut self) {
        self.last = None;
    }
}

/// Twenty seconds at 90 kHz.
const NEAR_ZERO: u32 = 1_800_000;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "low 16 bits wanted")]
const fn low16(v: i64) -> u16 {
    v as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 96,
        seq: 0x1234,
        timestamp: 0x5678_9abc,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn what_is_built_reads_back_and_extras_are_passed_over() {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes.extend_from_slice(b"abc");
        let plain = Packet { header: HEADER, extension: None, payload: b"abc" };
        assert_eq!(Packet::parse(&bytes), Ok(plain));

        let mut odd = bytes[..12].to_vec();
        odd[0] = 0x80 | 0x20 | 0x10 | 1;
        odd.extend_from_slice(&[9; 4]);
        odd.extend_from_slice(&[0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        odd.extend_from_slice(b"abc\0\x02");
        let extension = Some((0xbede, &[1, 2, 3, 4][..]));
        assert_eq!(Packet::parse(&odd), Ok(Packet { extension, ..plain }));
        for end in 0..odd.len() {
            assert!(Packet::parse(&odd[..end]).is_ok_and(|p| p.payload.len() < 4) || end < 28);
        }
    }

    #[test]
    fn bad_packets_are_refused() {
        let whole = HEADER.to_bytes();
        for (change, expect) in [
            ((0, 0x40), Error::Malformed("RTP version")),
            ((0, 0x81), Error::Truncated),
            ((0, 0x90), Error::Truncated),
            ((0, 0xa0), Error::Truncated),
        ] {
            let mut bytes = whole;
            bytes[change.0] = change.1;
            assert_eq!(Packet::parse(&bytes), Err(expect));
        }
        assert_eq!(Packet::parse(&whole[..11]), Err(Error::Truncated));
        let mut padded = whole.to_vec();
        padded[0] = 0xa0;
        padded.push(2);
        assert_eq!(Packet::parse(&padded), Err(Error::Malformed("padding")));
    }

    #[test]
    fn numbers_go_on_over_the_wrap_both_ways() {
        let mut seq = SeqUnwrap::default();
        let first = seq.unwrap(65_534);
        for (raw, step) in [(65_535, 1), (0, 2), (2, 4), (65_535, 1), (32_766, 32_768)] {
            assert_eq!(seq.unwrap(raw) - first, step, "{raw}");
        }
        let mut time = TimeUnwrap::default();
        let first = time.unwrap(u32::MAX);
        assert_eq!(time.unwrap(2_999) - first, 3_000);
        assert_eq!(time.peek(u32::MAX), Some(first));
        assert_eq!(time.unwrap(0) - first, 1);
        let mut low = TimeUnwrap::default();
        assert_eq!(low.unwrap(5), (1 << 32) + 5);
        assert!(low.unwrap(u32::MAX - 3_000) > 0);
    }
}
