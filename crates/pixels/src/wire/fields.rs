//! The fields of a body, written and read.

use super::{Broken, TEXT_BYTES_MAX};

pub(super) struct Body<'a> {
    pub(super) words: Vec<u8>,
    pub(super) tail: &'a [u8],
}

impl Body<'_> {
    pub(super) fn u8(mut self, value: u8) -> Self {
        self.words.push(value);
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.words.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn i64(mut self, value: i64) -> Self {
        self.words.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Longer texts are cut.
    pub(super) fn text(self, text: &str) -> Self {
        let mut end = text.len().min(TEXT_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut this = self.u32(u32::try_from(end).unwrap_or(0));
        this.words.extend_from_slice(&text.as_bytes()[..end]);
        this
    }
}

pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(Broken("body ends early"))?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Broken> {
        self.array::<1>().map(|[b]| b)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Broken> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Broken> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Broken> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken("flag")),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Broken> {
        let length = usize::try_from(self.u32()?).map_err(|_| Broken("text"))?;
        if length > TEXT_BYTES_MAX {
            return Err(Broken("text"));
        }
        let (text, rest) = self.0.split_at_checked(length).ok_or(Broken("body ends early"))?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Broken("text"))
    }

    pub(super) fn tail(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn done(self) -> Result<(), Broken> {
        if self.0.is_empty() { Ok(()) } else { Err(Broken("body too long")) }
    }
}
