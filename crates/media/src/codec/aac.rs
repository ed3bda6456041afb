//! AAC (ISO/IEC 14496-3): AudioSpecificConfig and ADTS.

use bytes::Bytes;

use super::Error;
use super::bits::Bits;

/// What a decoder must know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Params {
    /// The AudioSpecificConfig, as in `esds` and in SDP's `config=`.
    pub config: Bytes,
    /// Audio object type: 2 is AAC-LC, 5 is HE-AAC (SBR), 29 is HE-AAC v2 (PS).
    pub object_type: u8,
    /// Samples per second of the output.
    pub sample_rate: u32,
    /// Channels of the output.
    pub channels: u8,
}

const LC: u8 = 2;
const SBR: u8 = 5;
const PS: u8 = 29;

/// Samples per channel of one access unit of AAC-LC. [`Params::frame_samples`] knows the rest.
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
        let mut bits = Bits::plain(config);
        let mut object_type = object_type(&mut bits)?;
        let mut sample_rate = sample_rate_of(&mut bits)?;
        let mut channels = match bits.bits(4)? {
            n @ 1..=6 => u8::try_from(n).unwrap_or(1),
            7 => 8,
            11 => 7,
            12 | 14 => 8,
            _ => return Err(Error::Unsupported("channel configuration")),
        };
        if matches!(object_type, SBR | PS) {
            sample_rate = sample_rate_of(&mut bits)?;
            let base = self::object_type(&mut bits)?;
            object_type = if base == LC { object_type } else { base };
        } else if object_type == LC
            && let Ok(Some((extended, rate))) = extension(&mut bits)
        {
            (object_type, sample_rate) = (extended, rate);
        }
        if object_type == PS {
            channels = channels.max(2);
        }
        Ok(Self { config: Bytes::copy_from_slice(config), object_type, sample_rate, channels })
    }

    /// Samples per channel of one access unit, at the output's rate: 1,024 or, with SBR, 2,048;
    /// 960 and 1,920 where the configuration says so (GASpecificConfig, clause 4.4.1).
    pub fn frame_samples(&self) -> u32 {
        let base = if short_frames(&self.config).unwrap_or(false) { 960 } else { FRAME_SAMPLES };
        if matches!(self.object_type, SBR | PS) { base * 2 } else { base }
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

/// GASpecificConfig of AAC-LC: whether frames are 960 samples long.
fn general(bits: &mut Bits<'_>) -> Result<bool, Error> {
    let short = bits.bit()?;
    if bits.bit()? {
        bits.skip(14)?;
    }
    bits.bit()?;
    Ok(short)
}

fn short_frames(config: &[u8]) -> Result<bool, Error> {
    let mut bits = Bits::plain(config);
    let first = object_type(&mut bits)?;
    sample_rate_of(&mut bits)?;
    bits.skip(4)?;
    if matches!(first, SBR | PS) {
        sample_rate_of(&mut bits)?;
        object_type(&mut bits)?;
    }
    general(&mut bits)
}

/// SBR and PS said behind a configuration that old decoders understand: object type and rate.
fn extension(bits: &mut Bits<'_>) -> Result<Option<(u8, u32)>, Error> {
    general(bits)?;
    if bits.bits(11)? != 0x2b7 || object_type(bits)? != SBR || !bits.bit()? {
        return Ok(None);
    }
    let rate = sample_rate_of(bits)?;
    let ps = bits.bits(11).is_ok_and(|sync| sync == 0x548) && bits.bit().unwrap_or(false);
    Ok(Some((if ps { PS } else { SBR }, rate)))
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
        for (config, object_type, rate, channels, samples, string) in [
            (&[0x14, 0x08][..], 2, 16_000, 1, 1_024, "mp4a.40.2"),
            (&[0x11, 0x90], 2, 48_000, 2, 1_024, "mp4a.40.2"),
            (&[0x15, 0x88], 2, 8_000, 1, 1_024, "mp4a.40.2"),
            // 960 samples a frame.
            (&[0x14, 0x0c], 2, 16_000, 1, 960, "mp4a.40.2"),
            // The rate in full: 13,000.
            (&[0x17, 0x80, 0x19, 0x64, 0x08], 2, 13_000, 1, 1_024, "mp4a.40.2"),
            // HE-AAC: 24 kHz core, 48 kHz output, said first and said behind.
            (&[0x2b, 0x11, 0x88, 0x00], 5, 48_000, 2, 2_048, "mp4a.40.5"),
            (&[0x13, 0x10, 0x56, 0xe5, 0x98], 5, 48_000, 2, 2_048, "mp4a.40.5"),
            // HE-AAC v2: one channel coded, two heard.
            (&[0xeb, 0x09, 0x88, 0x00], 29, 48_000, 2, 2_048, "mp4a.40.29"),
            (&[0x13, 0x08, 0x56, 0xe5, 0x9d, 0x48, 0x80], 29, 48_000, 2, 2_048, "mp4a.40.29"),
        ] {
            let p = Params::parse_config(config).unwrap();
            let read = (p.object_type, p.sample_rate, p.channels, p.frame_samples());
            assert_eq!(read, (object_type, rate, channels, samples), "{config:02x?}");
            assert_eq!(p.codec_string(), string);
            for end in 0..config.len() {
                let _ = Params::parse_config(&config[..end]).map(|p| p.frame_samples());
            }
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
        // With a checksum the header is two bytes longer.
        let adts = super::adts(&[0xff, 0xf0, 0x60, 0x40, 0x02, 0x7f, 0xfc]).unwrap();
        assert_eq!((adts.header_len, adts.frame_len), (9, 19));
        for end in 0..7 {
            assert_eq!(super::adts(&header[..end]), None);
        }
        // Shorter than its own header.
        assert_eq!(super::adts(&[0xff, 0xf1, 0x60, 0x40, 0x00, 0x1f, 0xfc]), None);
        assert_eq!(super::adts(&[0x21; 9]), None);
    }
}
