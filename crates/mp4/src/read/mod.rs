//! Reading MP4: boxes, `moov`, `moof`, and the sample tables of ordinary files.
//!
//! Everything is a function of bytes already in memory; who reads a file decides how much of it
//! that is, with [`box_header`] to find out what comes next.

mod cursor;
mod moof;
mod moov;
mod tables;

pub(crate) use cursor::{Cursor, find};
pub use moof::{Fragment, Part, ReadRun, moof, moof_of};
pub use moov::{Init, ReadTrack, moov};
pub use tables::{Located, SampleTables, Samples};

use crate::Error;

/// Largest `moov` or `moof` that is read into memory.
pub const META_BYTES_MAX: u64 = 64 << 20;

/// The header of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxHeader {
    /// Four letters.
    pub kind: [u8; 4],
    /// Bytes of the header: 8 or 16.
    pub header_len: u8,
    /// Bytes of the whole box; `None` when it reaches to the end of the file.
    pub size: Option<u64>,
}

/// Reads a box header. `Ok(None)` when more bytes are needed (16 are always enough).
///
/// # Errors
/// When the size is smaller than the header.
pub fn box_header(data: &[u8]) -> Result<Option<BoxHeader>, Error> {
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return Ok(None) };
    let [a, b, c, d, kind @ ..] = *head;
    match u32::from_be_bytes([a, b, c, d]) {
        0 => Ok(Some(BoxHeader { kind, header_len: 8, size: None })),
        1 => {
            let Some(large) = rest.first_chunk::<8>() else { return Ok(None) };
            let size = u64::from_be_bytes(*large);
            if size < 16 {
                return Err(Error::Malformed("box size"));
            }
            Ok(Some(BoxHeader { kind, header_len: 16, size: Some(size) }))
        }
        size if size < 8 => Err(Error::Malformed("box size")),
        size => Ok(Some(BoxHeader { kind, header_len: 8, size: Some(u64::from(size)) })),
    }
}
