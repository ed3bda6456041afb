//! Two small readers: of fields and of boxes.

use super::box_header;
use crate::Error;

/// Reads big-endian fields; every read is checked.
pub(crate) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(len).ok_or(Error::Malformed("length"))?;
        let bytes = self.data.get(self.at..end).ok_or(Error::Truncated { at: self.data.len() })?;
        self.at = end;
        Ok(bytes)
    }

    pub(crate) fn skip(&mut self, len: usize) -> Result<(), Error> {
        self.take(len).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Error::Truncated { at: self.at })
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A count of entries of `entry` bytes each, refused when they cannot be there.
    pub(crate) fn count(&mut self, entry: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.u32()?).map_err(|_| Error::Limit("table"))?;
        self.room(count, entry)?;
        Ok(count)
    }

    /// Refuses `count` entries of `entry` bytes each when fewer bytes are left.
    pub(crate) fn room(&self, count: usize, entry: usize) -> Result<(), Error> {
        match count.checked_mul(entry) {
            Some(bytes) if bytes <= self.data.len().saturating_sub(self.at) => Ok(()),
            _ => Err(Error::Truncated { at: self.data.len() }),
        }
    }

    /// Version and flags of a full box.
    pub(crate) fn full(&mut self) -> Result<(u8, u32), Error> {
        let [version, a, b, c] = self.array()?;
        Ok((version, u32::from_be_bytes([0, a, b, c])))
    }
}

/// Kind and content of a box.
type Found<'a> = ([u8; 4], &'a [u8]);

/// The boxes that lie side by side in `data`: kind and content. Ends after the first mistake.
pub(crate) struct Boxes<'a> {
    data: &'a [u8],
    ended: bool,
}

impl<'a> Boxes<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, ended: false }
    }

    fn step(&mut self) -> Result<Option<Found<'a>>, Error> {
        if self.data.is_empty() {
            return Ok(None);
        }
        let truncated = Error::Truncated { at: self.data.len() };
        let header = box_header(self.data)?.ok_or(truncated)?;
        let whole = header.size.map_or(Ok(self.data.len()), usize::try_from);
        let whole = whole.map_err(|_| Error::Limit("box size"))?;
        let (this, rest) = self.data.split_at_checked(whole).ok_or(truncated)?;
        self.data = rest;
        Ok(Some((header.kind, this.get(usize::from(header.header_len)..).ok_or(truncated)?)))
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Found<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.step() {
            Ok(None) => None,
            Ok(Some(found)) => Some(Ok(found)),
            Err(e) => {
                self.ended = true;
                Some(Err(e))
            }
        }
    }
}

/// The content of the first box of `kind`.
pub(crate) fn find<'a>(data: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    Boxes::new(data).map_while(Result::ok).find_map(|(k, b)| (k == *kind).then_some(b))
}

/// As [`find`], when it must be there.
pub(super) fn need<'a>(
    data: &'a [u8],
    kind: &[u8; 4],
    what: &'static str,
) -> Result<&'a [u8], Error> {
    find(data, kind).ok_or(Error::Malformed(what))
}
