//! The sample tables of an ordinary file, clause 8.6 and 8.7: where each frame is and when.

use super::cursor::{Cursor, find};
use crate::{Error, Sample};

/// Most frames of a track: ten days at 100 frames a second.
const SAMPLES_MAX: usize = 86_400_000;

/// Tables as they stand in the file, compact.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleTables {
    /// (frames, ticks each)
    durations: Vec<(u32, u32)>,
    /// (frames, ticks)
    offsets: Vec<(u32, i32)>,
    /// (first chunk from 1, frames per chunk, sample entry from 1)
    chunks: Vec<(u32, u32, u32)>,
    chunk_offsets: Vec<u64>,
    /// One size for all, or one each.
    size: u32,
    sizes: Vec<u32>,
    count: usize,
    /// Numbers from 1; `None` when every frame is one.
    sync: Option<Vec<u32>>,
    edit_start: Option<i64>,
}

/// A frame and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// Offset in the file.
    pub offset: u64,
    /// Decode time, ticks.
    pub decode_time: u64,
    /// Size, duration and so on.
    pub sample: Sample,
    /// Sample entry, from 0.
    pub entry: usize,
}

fn entries<T>(
    stbl: &[u8],
    kind: &[u8; 4],
    bytes: usize,
    mut read: impl FnMut(&mut Cursor<'_>, u8) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let Some(content) = find(stbl, kind) else { return Ok(Vec::new()) };
    let mut c = Cursor::new(content);
    let (version, _) = c.full()?;
    let count = c.count(bytes)?;
    (0..count).map(|_| read(&mut c, version)).collect()
}

impl SampleTables {
    pub(super) fn read(stbl: &[u8], edts: Option<&[u8]>) -> Result<Self, Error> {
        let durations = entries(stbl, b"stts", 8, |c, _| Ok((c.u32()?, c.u32()?)))?;
        let offsets = entries(stbl, b"ctts", 8, |c, _| Ok((c.u32()?, c.i32()?)))?;
        let chunks = entries(stbl, b"stsc", 12, |c, _| Ok((c.u32()?, c.u32()?, c.u32()?)))?;
        let mut chunk_offsets = entries(stbl, b"stco", 4, |c, _| c.u32().map(u64::from))?;
        if chunk_offsets.is_empty() {
            chunk_offsets = entries(stbl, b"co64", 8, |c, _| c.u64())?;
        }
        let sync = match find(stbl, b"stss") {
            Some(_) => Some(entries(stbl, b"stss", 4, |c, _| c.u32())?),
            None => None,
        };
        let (mut size, mut sizes, mut count) = (0, Vec::new(), 0);
        if let Some(content) = find(stbl, b"stsz") {
            let mut c = Cursor::new(content);
            c.full()?;
            size = c.u32()?;
            if size == 0 {
                count = c.count(4)?;
                sizes = (0..count).map(|_| c.u32()).collect::<Result<_, _>>()?;
            } else {
                count = usize::try_from(c.u32()?).map_err(|_| Error::Limit("frames"))?;
            }
        }
        if count > SAMPLES_MAX {
            return Err(Error::Limit("frames"));
        }
        let edit_start = edts.and_then(|e| find(e, b"elst")).and_then(|e| first_edit(e).ok());
        Ok(Self { durations, offsets, chunks, chunk_offsets, size, sizes, count, sync, edit_start })
    }

    /// Frames in the tables.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// True for fragmented files.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Media time at which the first edit begins, where there is an edit list.
    pub const fn edit_start(&self) -> Option<i64> {
        self.edit_start
    }

    /// All frames in order. Ends early where the tables contradict one another.
    pub fn iter(&self) -> Samples<'_> {
        Samples {
            tables: self,
            index: 0,
            chunk: 0,
            group: 0,
            left: 0,
            offset: 0,
            time: 0,
            duration: Runs::default(),
            composition: Runs::default(),
            sync: 0,
        }
    }
}

impl<'a> IntoIterator for &'a SampleTables {
    type Item = Located;
    type IntoIter = Samples<'a>;
    fn into_iter(self) -> Samples<'a> {
        self.iter()
    }
}

fn first_edit(elst: &[u8]) -> Result<i64, Error> {
    let mut c = Cursor::new(elst);
    let (version, _) = c.full()?;
    for _ in 0..c.u32()?.min(16) {
        let start = if version == 1 {
            c.skip(8)?;
            i64::try_from(c.u64()?).unwrap_or(-1)
        } else {
            c.skip(4)?;
            i64::from(c.i32()?)
        };
        c.skip(4)?;
        // -1 is an empty edit: a pause before the media.
        if start >= 0 {
            return Ok(start);
        }
    }
    Err(Error::Malformed("elst"))
}

/// Walks a run-length table.
#[derive(Debug, Clone, Copy, Default)]
struct Runs {
    entry: usize,
    used: u32,
}

impl Runs {
    fn next<T: Copy>(&mut self, table: &[(u32, T)]) -> Option<T> {
        loop {
            let (count, value) = *table.get(self.entry)?;
            if self.used < count {
                self.used += 1;
                return Some(value);
            }
            self.entry += 1;
            self.used = 0;
        }
    }
}

/// The frames of [`SampleTables`].
#[derive(Debug, Clone)]
pub struct Samples<'a> {
    tables: &'a SampleTables,
    index: usize,
    /// Chunks begun so far.
    chunk: usize,
    /// Entry of `chunks` in force.
    group: usize,
    /// Frames left in the chunk.
    left: u32,
    offset: u64,
    time: u64,
    duration: Runs,
    composition: Runs,
    sync: usize,
}

impl Iterator for Samples<'_> {
    type Item = Located;

    fn next(&mut self) -> Option<Located> {
        let t = self.tables;
        if self.index >= t.count {
            return None;
        }
        while self.left == 0 {
            self.offset = *t.chunk_offsets.get(self.chunk)?;
            self.chunk += 1;
            let number = u32::try_from(self.chunk).ok()?;
            while t.chunks.get(self.group + 1).is_some_and(|(first, ..)| *first <= number) {
                self.group += 1;
            }
            self.left = t.chunks.get(self.group)?.1;
        }
        let entry = usize::try_from(t.chunks.get(self.group)?.2).ok()?.checked_sub(1)?;
        let size = if t.size == 0 { *t.sizes.get(self.index)? } else { t.size };
        let duration = self.duration.next(&t.durations)?;
        let composition_offset =
            if t.offsets.is_empty() { 0 } else { self.composition.next(&t.offsets).unwrap_or(0) };
        let number = u32::try_from(self.index + 1).ok()?;
        let sync = match &t.sync {
            None => true,
            Some(list) => {
                while list.get(self.sync).is_some_and(|n| *n < number) {
                    self.sync += 1;
                }
                list.get(self.sync) == Some(&number)
            }
        };
        let sample = Sample { size, duration, composition_offset, sync };
        let located = Located { offset: self.offset, decode_time: self.time, sample, entry };
        self.index += 1;
        self.left -= 1;
        self.offset = self.offset.checked_add(u64::from(size))?;
        self.time = self.time.checked_add(u64::from(duration))?;
        Some(located)
    }
}
