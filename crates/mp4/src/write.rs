//! The box writer: one buffer, sizes patched when a box ends.

use bytes::Bytes;

use crate::Error;

/// Collects boxes.
pub(crate) struct Writer {
    out: Vec<u8>,
    /// A box grew past 4 GiB.
    overflow: bool,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), overflow: false }
    }

    pub(crate) fn u8(&mut self, v: u8) {
        self.out.push(v);
    }

    pub(crate) fn u16(&mut self, v: u16) {
        self.out.extend_from_slice(&v.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, v: u32) {
        self.out.extend_from_slice(&v.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, v: u64) {
        self.out.extend_from_slice(&v.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, v: &[u8]) {
        self.out.extend_from_slice(v);
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, 0);
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// A box of `kind` around what `inside` writes.
    pub(crate) fn boxed<T>(&mut self, kind: &[u8; 4], inside: impl FnOnce(&mut Self) -> T) -> T {
        let start = self.out.len();
        self.u32(0);
        self.bytes(kind);
        let result = inside(self);
        match u32::try_from(self.out.len() - start) {
            Ok(size) => self.patch(start, size),
            Err(_) => self.overflow = true,
        }
        result
    }

    /// A full box: version and flags first.
    pub(crate) fn full<T>(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        inside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.boxed(kind, |w| {
            w.u32(u32::from(version) << 24 | flags & 0xff_ffff);
            inside(w)
        })
    }

    /// Writes a 32-bit value over an earlier place.
    pub(crate) fn patch(&mut self, at: usize, value: u32) {
        if let Some(place) = self.out.get_mut(at..at.saturating_add(4)) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    pub(crate) fn finish(self) -> Result<Bytes, Error> {
        Ok(self.into_vec()?.into())
    }

    pub(crate) fn into_vec(self) -> Result<Vec<u8>, Error> {
        if self.overflow { Err(Error::Limit("a box's size")) } else { Ok(self.out) }
    }
}

/// A `uuid` box: the way to carry data of one's own that players pass over. `payload` must be
/// shorter than 4 GiB.
pub fn uuid_box(id: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::with_capacity(24 + payload.len());
    w.boxed(b"uuid", |w| {
        w.bytes(&id);
        w.bytes(payload);
    });
    w.out
}
