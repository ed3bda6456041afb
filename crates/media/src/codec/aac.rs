//! AAC (ISO/IEC 14496-3): AudioSpecificConfig and ADTS.

use bytes::Bytes;

use super::Error;
use super::bits::Bits;

/// What a decoder must know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Params {
    /// The AudioSpecificConfig, as in `esds` and in SDP's `config=`.
    pub config: Bytes,
    /// Audio object type: 2 is AAC-LC, 5 is SBR.
    pub object_type: u8,
    /// Samples per second of the output.
    pub sample_rate: u32,
    /// Channels of the output.
    pub channels: u8,
}

/// Samples per channel of one access unit.
pub const FRAME_SAMPLES: u32 = 1_024;

const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Longest AudioSpecificConfig that is read.
const CONFIG_BYTES_MAX: usize = 64;

impl Params {
    /// Reads an AudioSpecificConfig, clause 1.6.2.1.
    ///
    /// # Errors
    /// When it ends too early or names a rate or channel layout that does not exist.
    pub fn parse_config(config: &[u8]) -> Result<Self, Error> {
        if config.len() > CONFIG_BYTES_MAX {
            return Err(Error::Unsupported("AudioSpecificConfig longer than 64 bytes"));
        }
        // The bit reader skips emulation prevention, which this syntax does not have; no legal
        // configuration begins with two zero bytes.
        let mut bits = Bits::new(config);
        let mut object_type = object_type(&mut bits)?;
        let mut sample_rate = sample_rate_of(&mut bits)?;
        let channels = match bits.bits(4)? {
            n @ 1..=6 => u8::try_from(n).unwrap_or(1),
            7 => 8,
            11 => 7,
            12 | 14 => 8,
            _ => return Err(Error::Unsupported("channel configuration")),
        };
        if matches!(object_type, 5 | 29) {
            sample_rate = sample_rate_of(&mut bits)?;
            let base = self::object_type(&mut bits)?;
            object_type = if base == 2 { 5 } else { base };
        }
        Ok(Self { config: Bytes::copy_from_slice(config), object_type, sample_rate, channels })
    }

    /// RFC 6381: `mp4a.40.2`.
    pub fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }
}

fn object_type(bits: &mut Bits<'_>) -> Result<u8, Error> {
    match bits.byte(5)? {
        31 => Ok(32 + bits.byte(6)?),
        0 => Err(Error::Malformed("audio object type")),
        n => Ok(n),
    }
}

fn sample_rate_of(bits: &mut Bits<'_>) -> Result<u32, Error> {
    let index = bits.bits(4)?;
    if index == 15 {
        return match bits.bits(24)? {
            rate @ 1_000..=192_000 => Ok(rate),
            _ => Err(Error::Malformed("sample rate")),
        };
    }
    let rate = usize::try_from(index).ok().and_then(|i| RATES.get(i));
    rate.copied().ok_or(Error::Malformed("sample rate"))
}

/// An ADTS header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adts {
    /// Bytes before the access unit: 7, or 9 with a checksum.
    pub header_len: usize,
    /// Bytes of header and access unit.
    pub frame_len: usize,
    /// What it says about the stream.
    pub params: Params,
}

/// Reads an ADTS header, clause 1.A.2.2. `None` where there is none.
pub fn adts(data: &[u8]) -> Option<Adts> {
    let [0xff, b1, b2, b3, b4, b5, _, ..] = *data else { return None };
    if b1 & 0xf6 != 0xf0 {
        return None;
    }
    let header_len = if b1 & 1 == 1 { 7 } else { 9 };
    let object_type = (b2 >> 6) + 1;
    let rate_index = b2 >> 2 & 0xf;
    let channels = (b2 & 1) << 2 | b3 >> 6;
    let frame_len = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5);
    if frame_len <= header_len {
        return None;
    }
    let config = [object_type << 3 | rate_index >> 1, (rate_index & 1) << 7 | channels << 3];
    let params = Params::parse_config(&config).ok()?;
    Some(Adts { header_len, frame_len, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_as_cameras_send_them() {
        for (config, object_type, rate, channels, string) in [
            (&[0x14, 0x08][..], 2, 16_000, 1, "mp4a.40.2"),
            (&[0x11, 0x90], 2, 48_000, 2, "mp4a.40.2"),
            (&[0x15, 0x88], 2, 8_000, 1, "mp4a.40.2"),
            // HE-AAC: 24 kHz core, 48 kHz output.
            (&[0x2b, 0x11, 0x88, 0x00], 5, 48_000, 2, "mp4a.40.5"),
        ] {
            let p = Params::parse_config(config).unwrap();
            assert_eq!((p.object_type, p.sample_rate, p.channels), (object_type, rate, channels));
            assert_eq!(p.codec_string(), string);
        }
        for bad in [&[][..], &[0x14], &[0x00, 0x00], &[0x17, 0xff, 0xff], &[0xff; 65]] {
            assert!(Params::parse_config(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn adts_headers() {
        let header = [0xff, 0xf1, 0x60, 0x40, 0x02, 0x7f, 0xfc, 1, 2];
        let adts = adts(&header).unwrap();
        assert_eq!((adts.header_len, adts.frame_len), (7, 19));
        assert_eq!((adts.params.sample_rate, adts.params.channels), (16_000, 1));
        assert_eq!(adts.params.config[..], [0x14, 0x08]);
        assert_eq!(super::adts(&[0xff, 0xf1, 0x60]), None);
        assert_eq!(super::adts(&[0x21; 9]), None);
    }
}
