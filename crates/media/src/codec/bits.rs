//! A bit reader with Exp-Golomb codes (ITU-T H.264 clause 9.1), over NAL units with emulation
//! prevention removed on the fly, or over plain bytes.

use super::Error;

/// Reads bits from the most significant down.
pub(crate) struct Bits<'a> {
    data: &'a [u8],
    byte: usize,
    bit: u8,
    zeros: u8,
    escaped: bool,
}

impl<'a> Bits<'a> {
    /// Over a NAL unit: `03` after two zero bytes is skipped.
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, byte: 0, bit: 0, zeros: 0, escaped: true }
    }

    /// Over bytes that mean what they say.
    pub(crate) const fn plain(data: &'a [u8]) -> Self {
        Self { data, byte: 0, bit: 0, zeros: 0, escaped: false }
    }

    pub(crate) fn bit(&mut self) -> Result<bool, Error> {
        let escape = self.escaped && self.bit == 0 && self.zeros >= 2;
        if escape && self.data.get(self.byte) == Some(&3) {
            self.byte += 1;
            self.zeros = 0;
        }
        let byte = *self.data.get(self.byte).ok_or(Error::Truncated)?;
        let value = byte >> (7 - self.bit) & 1 == 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.byte += 1;
            self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        }
        Ok(value)
    }

    /// At most 32 bits.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, Error> {
        let mut value = 0_u32;
        for _ in 0..count.min(32) {
            value = value << 1 | u32::from(self.bit()?);
        }
        Ok(value)
    }

    /// A byte-sized field of at most eight bits.
    pub(crate) fn byte(&mut self, count: u32) -> Result<u8, Error> {
        u8::try_from(self.bits(count.min(8))?).map_err(|_| Error::Malformed("field"))
    }

    pub(crate) fn skip(&mut self, count: u32) -> Result<(), Error> {
        for _ in 0..count {
            self.bit()?;
        }
        Ok(())
    }

    /// ue(v).
    pub(crate) fn ue(&mut self) -> Result<u32, Error> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Error::Malformed("Exp-Golomb code"));
            }
        }
        let rest = self.bits(zeros)?;
        Ok((1_u32 << zeros) - 1 + rest)
    }

    /// ue(v) that may not exceed `max`.
    pub(crate) fn ue_max(&mut self, max: u32, what: &'static str) -> Result<u32, Error> {
        let value = self.ue()?;
        if value > max { Err(Error::Malformed(what)) } else { Ok(value) }
    }

    /// se(v).
    pub(crate) fn se(&mut self) -> Result<i64, Error> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_codes_of_the_standard() {
        // 1 010 011 00100 00101 1 → 0 1 2 3 4 0
        let mut b = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1100_0000]);
        let read: Vec<u32> = (0..6).map(|_| b.ue().unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3, 4, 0]);
        let mut b = Bits::new(&[0b0100_1100, 0b1000_0101, 0b1000_0000]);
        let read: Vec<i64> = (0..4).map(|_| b.se().unwrap()).collect();
        assert_eq!(read, [1, -1, 2, -2]);
    }

    #[test]
    fn skips_emulation_prevention_and_ends_politely() {
        let mut b = Bits::new(&[0, 0, 3, 1]);
        assert_eq!(b.bits(24), Ok(1));
        assert_eq!(Bits::plain(&[0, 0, 3, 1]).bits(32), Ok(0x301));
        assert_eq!(b.bit(), Err(Error::Truncated));
        assert_eq!(Bits::new(&[0; 8]).ue(), Err(Error::Malformed("Exp-Golomb code")));
    }
}
