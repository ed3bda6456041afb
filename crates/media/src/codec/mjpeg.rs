//! Motion JPEG (ITU-T T.81): one baseline picture per frame.

use super::Error;

/// What a player must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Params {
    /// Width of the picture.
    pub width: u32,
    /// Height of the picture.
    pub height: u32,
}

impl Params {
    /// Finds the frame header (SOF0 to SOF2) of a JPEG picture.
    ///
    /// # Errors
    /// When it is not a JPEG, or has no frame header before its scan.
    pub fn parse(jpeg: &[u8]) -> Result<Self, Error> {
        let mut rest = jpeg.strip_prefix(&[0xff, 0xd8]).ok_or(Error::Malformed("not a JPEG"))?;
        loop {
            let [0xff, marker, behind @ ..] = rest else {
                return Err(if rest.len() < 2 {
                    Error::Truncated
                } else {
                    Error::Malformed("marker")
                });
            };
            match marker {
                0xff => rest = rest.get(1..).ok_or(Error::Truncated)?,
                0x01 | 0xd0..=0xd8 => rest = behind,
                0xd9 | 0xda => return Err(Error::Malformed("no frame header")),
                0xc0..=0xc2 => {
                    let [_, _, _, h1, h0, w1, w0, ..] = *behind else {
                        return Err(Error::Truncated);
                    };
                    let width = u32::from(u16::from_be_bytes([w1, w0]));
                    let height = u32::from(u16::from_be_bytes([h1, h0]));
                    if width == 0 || height == 0 {
                        return Err(Error::Malformed("empty picture"));
                    }
                    return Ok(Self { width, height });
                }
                _ => {
                    let [l1, l0, ..] = *behind else { return Err(Error::Truncated) };
                    let len = usize::from(u16::from_be_bytes([l1, l0]));
                    rest = behind.get(len.max(2)..).ok_or(Error::Truncated)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_found_behind_other_segments() {
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc0, 0, 17, 8];
        jpeg.extend([0x01, 0x68, 0x02, 0x80, 3]);
        assert_eq!(Params::parse(&jpeg), Ok(Params { width: 640, height: 360 }));
        for end in 0..jpeg.len() - 1 {
            assert!(Params::parse(&jpeg[..end]).is_err(), "{end}");
        }
        assert!(Params::parse(&[0xff, 0xd8, 0xff, 0xd9]).is_err());
    }
}
