//! Byte sizes and bit rates that parse the way people write them ("500 GiB", "4 Mbps") and print
//! the same way back.

use std::fmt;
use std::str::FromStr;

/// A number of bytes. Parses `512`, `64 KiB`, `2MB`, `1.5 TiB`; prints in the largest binary unit
/// that divides it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(pub u64);

/// A number of bits per second. Parses `4 Mbps`, `400kbps`, `800 kbit/s`; units are decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bitrate(pub u64);

/// The text is not a size: the message says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSizeError(String);

impl fmt::Display for ParseSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseSizeError {}

type Unit = (&'static str, u64);

const BYTE_UNITS: &[Unit] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

const RATE_UNITS: &[Unit] = &[
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
    ("Gbps", 1_000_000_000),
    ("Mbps", 1_000_000),
    ("kbps", 1_000),
    ("bps", 1),
];

fn parse(text: &str, units: &[Unit], what: &str, example: &str) -> Result<u64, ParseSizeError> {
    let bad = || ParseSizeError(format!("\"{text}\" is not a {what}; write it like \"{example}\""));
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'));
    let (number, unit) = trimmed.split_at(split.unwrap_or(trimmed.len()));
    let unit = unit.trim();
    let factor = if unit.is_empty() {
        1
    } else {
        units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(bad)?.1
    };
    let digits = number.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if fraction.len() > 6 {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let mut total = whole.checked_mul(factor).ok_or_else(bad)?;
    if !fraction.is_empty() {
        let numerator: u64 = fraction.parse().map_err(|_| bad())?;
        let denominator = 10_u64.pow(u32::try_from(fraction.len()).map_err(|_| bad())?);
        let part = u128::from(numerator) * u128::from(factor) / u128::from(denominator);
        total = total.checked_add(u64::try_from(part).map_err(|_| bad())?).ok_or_else(bad)?;
    }
    Ok(total)
}

fn print(f: &mut fmt::Formatter<'_>, value: u64, units: &[Unit], base: &str) -> fmt::Result {
    let unit = units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    match unit {
        Some((name, factor)) => write!(f, "{} {name}", value / factor),
        None => write!(f, "{value} {base}"),
    }
}

impl FromStr for ByteSize {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, BYTE_UNITS, "size", "500 GiB").map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, BYTE_UNITS, "B")
    }
}

impl FromStr for Bitrate {
    type Err = ParseSizeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, RATE_UNITS, "bit rate", "4 Mbps").map(Self)
    }
}

impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, &RATE_UNITS[4..], "bps")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_and_print_back() {
        for (text, bytes, printed) in [
            ("500 GiB", 500 << 30, "500 GiB"),
            ("2MB", 2_000_000, "2 MB"),
            ("1.5 KiB", 1536, "1536 B"),
            ("0", 0, "0 B"),
            ("1_000", 1000, "1 KB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, printed), "{text}");
            assert_eq!(size.to_string().parse(), Ok(size));
        }
    }

    #[test]
    fn rates_parse_and_print_back() {
        for (text, bits, printed) in [
            ("4Mbps", 4_000_000, "4 Mbps"),
            ("400 kbit/s", 400_000, "400 kbps"),
            ("12", 12, "12 bps"),
        ] {
            let rate: Bitrate = text.parse().unwrap();
            assert_eq!((rate.0, rate.to_string().as_str()), (bits, printed), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["", "GiB", "-1", "5 parsecs", "99999999999999999999", "1e9", "1.2.3 MB"] {
            let e = text.parse::<ByteSize>().unwrap_err();
            assert!(e.to_string().contains("500 GiB"), "{text}: {e}");
        }
    }
}
