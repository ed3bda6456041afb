//! Ids are types of their own: a camera is never mistaken for a track.

use std::fmt;
use std::str::FromStr;

/// A camera, for ever: random, never reused, printed as 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId(u64);

/// One track of a camera (0 is the first picture track).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TrackId(pub u8);

/// An unbroken time line of one camera with one set of codec parameters. Grows by one with every
/// break; (run, sequence) orders recordings whatever the wall clock said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RunId(pub u32);

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 16 hexadecimal digits")
    }
}

impl std::error::Error for ParseIdError {}

impl CameraId {
    /// From 64 random bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits, for files and databases.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for CameraId {
    type Err = ParseIdError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        if s.len() != 16 || !s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(ParseIdError);
        }
        u64::from_str_radix(s, 16).map(Self).map_err(|_| ParseIdError)
    }
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl RunId {
    /// The run after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_ids_print_and_parse_back_and_refuse_anything_else() {
        let id = CameraId::from_bits(0xdead_beef);
        assert_eq!(id.to_string(), "00000000deadbeef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "1", "00000000DEADBEEF", "../../../../etc/x", "+0000000deadbeef"] {
            assert_eq!(bad.parse::<CameraId>(), Err(ParseIdError), "{bad}");
        }
    }
}
