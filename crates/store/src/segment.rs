//! One file of about a minute. [`Open`] takes fragments, [`Open::seal`] makes it [`Sealed`], and
//! only those two types write segments. A file that nobody sealed is scanned and adopted.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use media::{CameraId, Wall};
use stdx::{Error, Kind, Result};

use crate::disk::{Disk, File};
use crate::format::{
    self, Entry, FLAG_AFTER_HOLE, FLAG_DAMAGED, FLAG_RANDOM_ACCESS, FRAGMENTS_MAX, Footer,
    HEADER_BOX, Header, INIT_BYTES_MAX, MARK_BYTES, Mark, SegmentKey,
};
use crate::fragment::{Fragment, Run};

/// How many of the last fragments of an unsealed file are checked against their CRC: those that a
/// power cut may have torn lie within the last seconds.
const CHECKED_FRAGMENTS: usize = 8;

/// A segment that is being written.
#[derive(Debug)]
pub(crate) struct Open {
    file: Arc<dyn File>,
    path: PathBuf,
    camera: CameraId,
    key: SegmentKey,
    bytes: u64,
    entries: Vec<Entry>,
}

/// A segment with its footer: it never changes again.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// For the sync that is still due.
    pub file: Arc<dyn File>,
    /// Which one.
    pub key: SegmentKey,
    /// Length of the file.
    pub bytes: u64,
    /// Its fragments.
    pub entries: Vec<Entry>,
}

impl Open {
    /// Creates the file and writes `ftyp` and `moov`. Nothing is left of it if that fails.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        run: &Run,
        name: &str,
        key: SegmentKey,
        recorder: u64,
    ) -> io::Result<Self> {
        let primary = run.tracks.get(run.primary).map_or(0, |t| t.id);
        let header = Header {
            camera: run.camera,
            name: name.to_owned(),
            key,
            recorder,
            anchor: run.anchor,
            primary,
            rate: run.rate(),
            init: run.init,
        };
        let init = mp4::init(&run.tracks, &header.encode())
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        let path = format::segment_path(dir, run.camera, key);
        let file = disk.create(&path)?;
        if let Err(e) = file.append(&mut [IoSlice::new(&init)]) {
            // The error that matters is the first one; a file that stays is found by the check.
            let _ = disk.remove(&path);
            return Err(e);
        }
        let bytes = init.len() as u64;
        let camera = run.camera;
        Ok(Self { file, path, camera, key, bytes, entries: Vec::with_capacity(64) })
    }

    /// Appends one fragment in one write; the frames' bytes are not copied. After an error the
    /// file is cut back to whole fragments.
    pub(crate) fn append(&mut self, fragment: &Fragment) -> io::Result<Entry> {
        if self.entries.len() >= FRAGMENTS_MAX {
            return Err(io::Error::other("the segment has as many fragments as it may have"));
        }
        let (head, mark) = encode_head(fragment, self.camera, self.key)?;
        let parts = fragment.tracks.iter().map(|t| t.data.len()).sum::<usize>() + 1;
        let mut slices = Vec::with_capacity(parts);
        slices.push(IoSlice::new(&head));
        slices.extend(fragment.tracks.iter().flat_map(|t| &t.data).map(|d| IoSlice::new(d)));
        if let Err(e) = self.file.append(&mut slices) {
            self.file.truncate(self.bytes)?;
            return Err(e);
        }
        let entry = mark.entry(self.bytes);
        self.bytes = entry.offset + u64::from(entry.bytes);
        self.entries.push(entry);
        Ok(entry)
    }

    /// Writes the footer. On an error the segment stays as it is, unsealed: it is complete up to
    /// its last fragment and is adopted at the next start.
    pub(crate) fn seal(self) -> std::result::Result<Sealed, (Box<Self>, io::Error)> {
        match write_footer(&*self.file, self.bytes, self.footer(0)) {
            Ok(bytes) => {
                Ok(Sealed { file: self.file, key: self.key, bytes, entries: self.entries })
            }
            Err(e) => Err((Box::new(self), e)),
        }
    }

    fn footer(&self, flags: u16) -> Footer {
        Footer { camera: self.camera, key: self.key, flags, entries: self.entries.clone() }
    }

    /// Which one.
    pub(crate) const fn key(&self) -> SegmentKey {
        self.key
    }

    /// Length of the file.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fragments written.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file, for the sync.
    pub(crate) const fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The first primary frame's time; `None` without fragments.
    pub(crate) fn start(&self) -> Option<Wall> {
        self.entries.first().map(|e| e.start)
    }
}

fn write_footer(file: &dyn File, bytes: u64, footer: Footer) -> io::Result<u64> {
    let footer = footer.encode();
    if let Err(e) = file.append(&mut [IoSlice::new(&footer)]) {
        file.truncate(bytes)?;
        return Err(e);
    }
    Ok(bytes + footer.len() as u64)
}

/// Mark, `moof` and `mdat` header in one piece.
fn encode_head(
    fragment: &Fragment,
    camera: CameraId,
    key: SegmentKey,
) -> io::Result<(Vec<u8>, Mark)> {
    let runs: Vec<mp4::Run<'_>> = fragment
        .tracks
        .iter()
        .map(|t| mp4::Run { track: t.track, decode_time: t.decode_time, samples: &t.samples })
        .collect();
    let moof = mp4::fragment_header(fragment.number, &runs)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&moof);
    for data in fragment.tracks.iter().flat_map(|t| &t.data) {
        crc.update(data);
    }
    let body = moof.len() as u64 + fragment.payload_bytes();
    let body_bytes =
        u32::try_from(body).map_err(|_| io::Error::other("a fragment is larger than 4 GiB"))?;
    let mut flags = 0;
    for (set, flag) in [
        (fragment.random_access, FLAG_RANDOM_ACCESS),
        (fragment.damaged, FLAG_DAMAGED),
        (fragment.gap.is_some(), FLAG_AFTER_HOLE),
    ] {
        flags |= if set { flag } else { 0 };
    }
    let mark = Mark {
        camera,
        key,
        number: fragment.number,
        start: fragment.start,
        end: fragment.end,
        decode_time: fragment.decode_time,
        frames: fragment.frames,
        flags,
        body_bytes,
        crc: crc.finalize(),
    };
    let mut head = Vec::with_capacity(MARK_BYTES + moof.len());
    mark.encode(&mut head);
    head.extend_from_slice(&moof);
    Ok((head, mark))
}

/// The beginning of a segment file.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// What it says of itself.
    pub header: Header,
    /// `ftyp` and `moov`, as they stand in the file.
    pub init: Bytes,
}

fn not_ours(what: &str) -> Error {
    Error::new(Kind::DataLoss, format!("this is not a segment of khien: {what}"))
}

/// Size and type of the box whose first bytes these are, and the length of its header.
fn box_at(bytes: &[u8]) -> Option<(u64, [u8; 4], u64)> {
    let size = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = bytes.get(4..8)?.try_into().ok()?;
    if size == 1 {
        let large = u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?);
        return (large >= 16).then_some((large, kind, 16));
    }
    (size >= 8).then_some((u64::from(size), kind, 8))
}

/// The `moov` box of an init segment.
pub(crate) fn moov(mut init: &[u8]) -> Option<&[u8]> {
    loop {
        let (size, kind, _) = box_at(init)?;
        let (this, rest) = init.split_at_checked(usize::try_from(size).ok()?)?;
        if kind == *b"moov" {
            return Some(this);
        }
        init = rest;
    }
}

/// Reads `ftyp` and `moov` and the header box in it.
pub(crate) fn read_head(file: &dyn File) -> Result<Head> {
    let mut at = 0;
    let mut probe = [0; 16];
    let moov = loop {
        let n = file.read_at(at, &mut probe)?;
        let (size, kind, header) =
            box_at(&probe[..n]).ok_or_else(|| not_ours("it does not begin with ftyp and moov"))?;
        let end = at.saturating_add(size);
        if !matches!(&kind, b"ftyp" | b"moov") || end > INIT_BYTES_MAX {
            return Err(not_ours("it does not begin with ftyp and moov"));
        }
        if kind == *b"moov" {
            break at + header..end;
        }
        at = end;
    };
    let len = usize::try_from(moov.end).map_err(|_| not_ours("its moov is too large"))?;
    let mut init = vec![0; len];
    if file.read_at(0, &mut init)? != len {
        return Err(not_ours("it ends inside its moov"));
    }
    let mut children = usize::try_from(moov.start).ok().and_then(|s| init.get(s..)).unwrap_or(&[]);
    while let Some((size, kind, header)) = box_at(children) {
        let Ok(size) = usize::try_from(size) else { break };
        let Some((child, rest)) = children.split_at_checked(size) else { break };
        let body = child.get(usize::try_from(header).unwrap_or(8)..).unwrap_or(&[]);
        if kind == *b"uuid" && body.starts_with(&HEADER_BOX) {
            let header =
                Header::decode(&body[16..]).ok_or_else(|| not_ours("its header is damaged"))?;
            return Ok(Head { header, init: init.into() });
        }
        children = rest;
    }
    Err(not_ours("it has no header"))
}

/// What a walk over a segment file found.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    /// The file's own head.
    pub head: Head,
    /// Its whole fragments in order.
    pub entries: Vec<Entry>,
    /// Where the last whole fragment ends.
    pub whole: u64,
    /// Length of the file.
    pub len: u64,
    /// It has a footer, and the entries are the footer's.
    pub sealed: bool,
}

/// Reads the table of a segment: the footer of a sealed one, a walk over the marks of another. A
/// file being written by another process may be read too.
pub(crate) fn scan(file: &dyn File) -> Result<Scan> {
    let head = read_head(file)?;
    let len = file.len()?;
    if let Some(footer) = read_footer(file, len)?
        && footer.camera == head.header.camera
        && footer.key == head.header.key
    {
        let whole = footer
            .entries
            .last()
            .map_or(head.init.len() as u64, |e| e.offset.saturating_add(u64::from(e.bytes)));
        return Ok(Scan { head, entries: footer.entries, whole, len, sealed: true });
    }
    walk(file, head, len)
}

/// The footer, if the file ends in an intact one.
pub(crate) fn read_footer(file: &dyn File, len: u64) -> Result<Option<Footer>> {
    let mut tail = [0; Footer::TAIL_BYTES];
    let Some(at) = len.checked_sub(tail.len() as u64) else { return Ok(None) };
    if file.read_at(at, &mut tail)? != tail.len() {
        return Ok(None);
    }
    let Some(size) = Footer::size_from_tail(&tail) else { return Ok(None) };
    let Some(at) = len.checked_sub(size as u64) else { return Ok(None) };
    let mut bytes = vec![0; size];
    let n = file.read_at(at, &mut bytes)?;
    Ok(Footer::decode(&bytes[..n]))
}

/// Walks over the fragments, mark by mark, as if there were no footer.
pub(crate) fn walk(file: &dyn File, head: Head, len: u64) -> Result<Scan> {
    let mut at = head.init.len() as u64;
    let mut entries = Vec::new();
    let mut bytes = [0; MARK_BYTES];
    while entries.len() < FRAGMENTS_MAX && file.read_at(at, &mut bytes)? == MARK_BYTES {
        let Some(mark) = Mark::decode(&bytes) else { break };
        let entry = mark.entry(at);
        let end = entry.offset + u64::from(entry.bytes);
        let ours = mark.key == head.header.key && mark.camera == head.header.camera;
        if !ours || end > len {
            break;
        }
        entries.push(entry);
        at = end;
    }
    Ok(Scan { head, entries, whole: at, len, sealed: false })
}

/// Whether a fragment's bytes are what its mark says.
pub(crate) fn intact(file: &dyn File, entry: &Entry) -> Result<bool> {
    let mut mark = [0; MARK_BYTES];
    let Some(at) = entry.offset.checked_sub(MARK_BYTES as u64) else { return Ok(false) };
    if file.read_at(at, &mut mark)? != MARK_BYTES {
        return Ok(false);
    }
    let Some(mark) = Mark::decode(&mark) else { return Ok(false) };
    if mark.body_bytes != entry.bytes {
        return Ok(false);
    }
    let mut crc = crc32fast::Hasher::new();
    let mut chunk = vec![0; 64 << 10];
    let (mut at, mut left) = (entry.offset, u64::from(entry.bytes));
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        let n = file.read_at(at, &mut chunk[..want])?;
        if n == 0 {
            return Ok(false);
        }
        crc.update(&chunk[..n]);
        at += n as u64;
        left -= n as u64;
    }
    Ok(crc.finalize() == mark.crc)
}

/// A file nobody sealed, after its writer has died.
#[derive(Debug)]
pub(crate) enum Adopted {
    /// Cut after its last whole fragment and sealed, or sealed already; synced.
    Segment(Box<Scan>),
    /// It held no whole fragment and was removed.
    Empty,
}

/// Cuts an unsealed file after its last whole fragment, seals and syncs it. Its earlier bytes are
/// not touched.
pub(crate) fn adopt(disk: &dyn Disk, path: &Path) -> Result<Adopted> {
    let file = disk.open_append(path)?;
    let mut scan = match scan(&*file) {
        Ok(scan) => scan,
        // Killed while it wrote the very first bytes.
        Err(_) if file.len()? < INIT_BYTES_MAX && no_moov(&*file)? => {
            disk.remove(path)?;
            return Ok(Adopted::Empty);
        }
        Err(e) => return Err(e),
    };
    if scan.sealed {
        return Ok(Adopted::Segment(Box::new(scan)));
    }
    let suspect = scan.entries.len().saturating_sub(CHECKED_FRAGMENTS);
    for i in suspect..scan.entries.len() {
        if !intact(&*file, &scan.entries[i])? {
            scan.whole = scan.entries[i].offset - MARK_BYTES as u64;
            scan.entries.truncate(i);
            break;
        }
    }
    if scan.entries.is_empty() {
        disk.remove(path)?;
        return Ok(Adopted::Empty);
    }
    if scan.whole < scan.len {
        file.truncate(scan.whole)?;
    }
    let footer = Footer {
        camera: scan.head.header.camera,
        key: scan.head.header.key,
        flags: format::FOOTER_ADOPTED,
        entries: scan.entries.clone(),
    };
    scan.len = write_footer(&*file, scan.whole, footer)?;
    scan.sealed = true;
    file.sync_data()?;
    Ok(Adopted::Segment(Box::new(scan)))
}

/// Whether a file is nothing but the torn beginning of a segment: empty, zeros, or `ftyp` and part
/// of a `moov`. Anything else that cannot be read is left alone and reported.
fn no_moov(file: &dyn File) -> Result<bool> {
    let len = file.len()?;
    let mut start = vec![0; usize::try_from(len.min(64)).unwrap_or(64)];
    let n = file.read_at(0, &mut start)?;
    let start = &start[..n];
    let zeros = start.iter().all(|b| *b == 0);
    if zeros {
        return Ok(true);
    }
    let Some((size, kind, _)) = box_at(start) else { return Ok(len < 16) };
    if kind != *b"ftyp" {
        return Ok(false);
    }
    let mut probe = [0; 16];
    let n = file.read_at(size, &mut probe)?;
    Ok(match box_at(&probe[..n]) {
        Some((moov, kind, _)) => kind == *b"moov" && size.saturating_add(moov) > len,
        None => true,
    })
}
