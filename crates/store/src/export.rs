//! A span of recordings as one ordinary MP4 file that exists only while it is read: a head with
//! all tables in front (progressive players can start at once), then the frames, which are read
//! from their segments when they are asked for. Nothing is encoded again and nothing is copied
//! before it is wanted.
//!
//! - It begins at the last random-access fragment before the span; an edit list hides what comes
//!   before the span and behind it, so that what is shown is exact.
//! - Time in the file is time on the wall: over a hole the picture before it stands still. Which
//!   holes there are is told by [`Export::gaps`].
//! - Other parameters of the same codec are another sample entry of the same track; another codec
//!   is another track, which begins later.

mod plan;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use media::Gap;
use stdx::{Error, Kind, Result};

use crate::disk::{Disk, File};

/// Segment files held open while frames are read.
const OPEN_MAX: usize = 4;

/// See the module's description.
#[derive(Debug)]
pub struct Export {
    head: Bytes,
    pieces: Vec<Piece>,
    files: Vec<PathBuf>,
    len: u64,
    gaps: Vec<Gap>,
    disk: Arc<dyn Disk>,
    open: Mutex<Vec<(usize, Arc<dyn File>)>>,
}

/// Bytes of a segment that stand in the export.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Where they begin in the export.
    at: u64,
    /// Index into the files.
    file: usize,
    offset: u64,
    len: u64,
}

impl Export {
    /// Bytes of the whole file.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Never: an export has at least a head.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `ftyp`, `moov` and the beginning of `mdat`. It names the size and time of every frame: two
    /// exports with equal heads are equal for practical purposes (entity tags).
    pub const fn head(&self) -> &Bytes {
        &self.head
    }

    /// What is missing in the span, in order.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Fills `buf` from `offset`; returns how many bytes there were, fewer only at the end.
    ///
    /// # Errors
    /// `DataLoss`, code `gone`, if retention deleted a segment meanwhile.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let at = offset.saturating_add(done as u64);
            let n = self.read_some(at, &mut buf[done..])?;
            if n == 0 {
                break;
            }
            done += n;
        }
        Ok(done)
    }

    fn read_some(&self, at: u64, buf: &mut [u8]) -> Result<usize> {
        if let Some(head) = usize::try_from(at).ok().and_then(|at| self.head.get(at..))
            && !head.is_empty()
        {
            let n = head.len().min(buf.len());
            buf[..n].copy_from_slice(&head[..n]);
            return Ok(n);
        }
        let next = self.pieces.partition_point(|p| p.at <= at);
        let Some(piece) = next.checked_sub(1).and_then(|i| self.pieces.get(i)) else {
            return Ok(0);
        };
        let skip = at - piece.at;
        let left = usize::try_from(piece.len.saturating_sub(skip)).unwrap_or(usize::MAX);
        let n = left.min(buf.len());
        if n == 0 {
            return Ok(0);
        }
        let file = self.file(piece.file)?;
        if file.read_at(piece.offset + skip, &mut buf[..n])? != n {
            return Err(Error::new(Kind::DataLoss, "a segment is shorter than it was"));
        }
        Ok(n)
    }

    fn file(&self, index: usize) -> Result<Arc<dyn File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = open.iter().find(|(i, _)| *i == index) {
            return Ok(Arc::clone(file));
        }
        let gone = |e: std::io::Error| {
            let message = "a recording was deleted while it was being exported; export again";
            match e.kind() {
                std::io::ErrorKind::NotFound => {
                    Error::new(Kind::DataLoss, message).with_code("gone").with_source(e)
                }
                _ => e.into(),
            }
        };
        let path = self.files.get(index).ok_or_else(|| Error::new(Kind::Internal, "no file"))?;
        let file = self.disk.open_read(path).map_err(gone)?;
        if open.len() >= OPEN_MAX {
            open.remove(0);
        }
        open.push((index, Arc::clone(&file)));
        Ok(file)
    }
}
