//! Three clocks, three types; none converts silently. Media time is [`Ticks`] at a [`Rate`]; the
//! house's time line is [`Wall`]; monotonic time is `std::time::Instant`, always a parameter named
//! `now`, and not of this crate.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// Media time: a count in one track's own clock. Meaningless without its [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticks(pub i64);

/// Ticks per second: 90 000 for pictures, the sample rate for sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate(NonZeroU32);

/// An instant of the house's time line: microseconds since 1970 UTC, without leap seconds. Prints
/// and parses as RFC 3339 in UTC with microseconds. Fits a JavaScript number until 2255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub i64);

impl Rate {
    /// The clock of every RTP picture payload.
    pub const VIDEO: Self = Self(NonZeroU32::new(90_000).expect("not zero"));

    /// `None` for zero.
    pub const fn new(per_second: u32) -> Option<Self> {
        match NonZeroU32::new(per_second) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// Ticks per second.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// Microseconds of `ticks`, rounded down, saturating.
    pub fn to_us(self, ticks: Ticks) -> i64 {
        let us = i128::from(ticks.0) * 1_000_000;
        saturate(us.div_euclid(i128::from(self.get())))
    }

    /// Ticks of `us` microseconds, rounded to the nearest, saturating.
    pub fn from_us(self, us: i64) -> Ticks {
        let scaled = i128::from(us) * i128::from(self.get());
        Ticks(saturate((scaled + 500_000).div_euclid(1_000_000)))
    }
}

fn saturate(v: i128) -> i64 {
    i64::try_from(v).unwrap_or(if v < 0 { i64::MIN } else { i64::MAX })
}

impl Ticks {
    /// `self - earlier`, saturating.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// `self + more`, saturating.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Wall {
    /// Later by `us` microseconds (earlier if negative), saturating.
    #[must_use]
    pub const fn plus_us(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Later by a duration, saturating.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        self.plus_us(i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
    }

    /// Microseconds from `earlier` to `self`, negative if `self` is before it.
    pub const fn us_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From the system clock's reading; before 1970 is 1970.
    pub fn from_system(t: std::time::SystemTime) -> Self {
        let us = t.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros());
        Self(i64::try_from(us).unwrap_or(i64::MAX))
    }
}

const DAY_S: i64 = 86_400;

/// Days since 1970-01-01 to a proleptic Gregorian date (H. Hinnant's civil_from_days).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1_000_000);
        let us = self.0.rem_euclid(1_000_000);
        let (y, mo, d) = civil(seconds.div_euclid(DAY_S));
        let s = seconds.rem_euclid(DAY_S);
        let (h, mi, s) = (s / 3600, s / 60 % 60, s % 60);
        write!(f, "{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}.{us:06}Z")
    }
}

/// The text is not an RFC 3339 instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseWallError;

impl fmt::Display for ParseWallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time; write it like \"2026-08-01T07:00:00Z\"")
    }
}

impl std::error::Error for ParseWallError {}

impl FromStr for Wall {
    type Err = ParseWallError;

    /// RFC 3339 with any offset and up to nine fractional digits (cut to microseconds).
    fn from_str(text: &str) -> Result<Self, ParseWallError> {
        parse_wall(text).ok_or(ParseWallError)
    }
}

fn parse_wall(text: &str) -> Option<Wall> {
    let b = text.as_bytes();
    let num = |from: usize, to: usize| -> Option<i64> {
        let part = b.get(from..to)?;
        if !part.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(part).ok()?.parse().ok()
    };
    let at = |i: usize| b.get(i).copied();
    let (y, mo, d) = (num(0, 4)?, num(5, 7)?, num(8, 10)?);
    let (h, mi, s) = (num(11, 13)?, num(14, 16)?, num(17, 19)?);
    let separators = [at(4)?, at(7)?, at(13)?, at(16)?] == *b"--::";
    if !separators || !matches!(at(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let in_range = (1..=12).contains(&mo) && h < 24 && mi < 60 && s <= 60;
    if !in_range || d < 1 || civil(days(y, mo, d)) != (y, mo, d) {
        return None;
    }
    let mut i = 19;
    let mut us = 0;
    if at(i) == Some(b'.') {
        let start = i + 1;
        let end = start + b.get(start..)?.iter().take_while(|c| c.is_ascii_digit()).count();
        if end == start || end - start > 9 {
            return None;
        }
        for k in 0..6 {
            us = us * 10 + if start + k < end { num(start + k, start + k + 1)? } else { 0 };
        }
        i = end;
    }
    let offset_s = match at(i)? {
        b'Z' | b'z' if b.len() == i + 1 => 0,
        sign @ (b'+' | b'-') if b.len() == i + 6 && at(i + 3)? == b':' => {
            let (oh, om) = (num(i + 1, i + 3)?, num(i + 4, i + 6)?);
            if oh > 23 || om > 59 {
                return None;
            }
            (oh * 3600 + om * 60) * if sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = days(y, mo, d) * DAY_S + h * 3600 + mi * 60 + s - offset_s;
    Some(Wall(seconds * 1_000_000 + us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_print_and_parse_back() {
        for (us, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_000_000_000_000_001, "2001-09-09T01:46:40.000001Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (4_102_444_799_999_999, "2099-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Wall(us).to_string(), text);
            assert_eq!(text.parse(), Ok(Wall(us)));
        }
    }

    #[test]
    fn walls_parse_what_people_write() {
        let noon = "2026-08-01T12:00:00Z".parse::<Wall>().unwrap();
        assert_eq!("2026-08-01T19:00:00+07:00".parse(), Ok(noon));
        assert_eq!("2026-08-01 12:00:00.5Z".parse(), Ok(noon.plus_us(500_000)));
        assert_eq!("2026-08-01T12:00:00.123456789Z".parse(), Ok(noon.plus_us(123_456)));
        for bad in [
            "",
            "2026-08-01",
            "2026-02-30T00:00:00Z",
            "2026-08-01T12:00:00",
            "2026-08-01T24:00:00Z",
            "é026-08-01T12:00:00Z",
            "2026-08-01T12:00:00.Z",
        ] {
            assert_eq!(bad.parse::<Wall>(), Err(ParseWallError), "{bad}");
        }
    }

    #[test]
    fn ticks_and_microseconds() {
        assert_eq!(Rate::VIDEO.to_us(Ticks(3_000)), 33_333);
        assert_eq!(Rate::VIDEO.from_us(33_333), Ticks(3_000));
        assert_eq!(Rate::VIDEO.to_us(Ticks(i64::MAX)), i64::MAX);
        assert_eq!(Rate::new(1).unwrap().to_us(Ticks(i64::MAX)), i64::MAX);
        assert_eq!(Rate::VIDEO.to_us(Ticks(-1)), -12);
    }
}
