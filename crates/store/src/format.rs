//! What lies on disk, byte by byte: names of files and the three `uuid` boxes that make a segment
//! describe itself. `docs/ref/storage.md` is the normative description of the same thing; version
//! 1. All integers are big-endian, all times microseconds since 1970 UTC.
//!
//! ```text
//! DIR/lock                                        who records here
//! DIR/khien.db                                    cameras, users, settings
//! DIR/index.db                                    a cache of what follows
//! DIR/media/<camera>/gaps.log                     journal of gaps
//! DIR/media/<camera>/<run>/<sequence>.mp4         one segment:
//!
//!   ftyp
//!   moov … uuid(header)                           who, when, which tracks
//!   ( uuid(mark) moof mdat )*                     fragments of at most a second
//!   uuid(footer)                                  only when sealed: the table of fragments
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use media::{CameraId, Rate, RunId, Wall};

/// The version of the format that this code writes and the newest it reads.
pub const VERSION: u16 = 1;
/// Extended type of the header box, inside `moov`.
pub(crate) const HEADER_BOX: [u8; 16] = *b"khien\x00header\x8e\x4a\x01\xd7";
/// Extended type of the mark in front of each fragment.
pub(crate) const MARK_BOX: [u8; 16] = *b"khien\x00mark\x00\x00\x8e\x4a\x01\xd7";
/// Extended type of the footer of a sealed segment.
pub(crate) const FOOTER_BOX: [u8; 16] = *b"khien\x00footer\x8e\x4a\x01\xd7";
/// Whole length of a mark box.
pub(crate) const MARK_BYTES: usize = 88;
/// The last bytes of a sealed segment.
pub(crate) const SEAL: [u8; 8] = *b"khienEND";
/// Longest `ftyp` + `moov` that is read.
pub(crate) const INIT_BYTES_MAX: u64 = 1 << 20;
/// Most fragments one segment may hold; the footer stays below 3 MiB.
pub(crate) const FRAGMENTS_MAX: usize = 65_536;
/// Longest camera name kept in a segment, bytes of UTF-8; longer ones are cut.
pub(crate) const NAME_BYTES_MAX: usize = 256;

const ENTRY_BYTES: usize = 40;
const FOOTER_FIXED_BYTES: usize = 24 + 36;
const TAIL_BYTES: usize = 16;

/// Names one segment of a camera. Prints as `<run, 8 hex>-<sequence, 8 digits>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey {
    /// The run.
    pub run: RunId,
    /// 1 for the first segment of the run, without holes.
    pub sequence: u32,
}

impl fmt::Display for SegmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08}", self.run, self.sequence)
    }
}

impl FromStr for SegmentKey {
    type Err = media::ParseIdError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (run, sequence) = s.split_once('-').ok_or(media::ParseIdError)?;
        let run = parse_run(run).ok_or(media::ParseIdError)?;
        let sequence = parse_sequence(sequence).ok_or(media::ParseIdError)?;
        Ok(Self { run, sequence })
    }
}

/// Equal for segments whose codec parameters are equal: a player that has one needs no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InitKey(pub u64);

impl fmt::Display for InitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The directory of all media.
pub(crate) fn media_dir(dir: &Path) -> PathBuf {
    dir.join("media")
}

/// The directory of one camera.
pub(crate) fn camera_dir(dir: &Path, camera: CameraId) -> PathBuf {
    media_dir(dir).join(camera.to_string())
}

/// The file of one segment.
pub(crate) fn segment_path(dir: &Path, camera: CameraId, key: SegmentKey) -> PathBuf {
    camera_dir(dir, camera).join(key.run.to_string()).join(format!("{:08}.mp4", key.sequence))
}

/// The run a directory's name stands for.
pub(crate) fn parse_run(name: &str) -> Option<RunId> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if name.len() != 8 || !name.bytes().all(hex) {
        return None;
    }
    u32::from_str_radix(name, 16).ok().map(RunId)
}

fn parse_sequence(digits: &str) -> Option<u32> {
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The sequence a segment file's name stands for.
pub(crate) fn parse_segment_name(name: &str) -> Option<u32> {
    parse_sequence(name.strip_suffix(".mp4")?)
}

/// The header box: what a segment says of itself as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whose it is.
    pub camera: CameraId,
    /// The camera's name when the segment was begun; for people who find the file without us.
    pub name: String,
    /// Which segment.
    pub key: SegmentKey,
    /// The recorder that wrote it: random, new with each start of the process.
    pub recorder: u64,
    /// The wall time of media time zero.
    pub anchor: Wall,
    /// The `track_ID` that spans and random access are told by: the picture, if there is one.
    pub primary: u32,
    /// Ticks per second of that track.
    pub rate: Rate,
    /// Hash of the codec parameters.
    pub init: InitKey,
}

/// First primary frame of the fragment can be decoded alone.
pub(crate) const FLAG_RANDOM_ACCESS: u16 = 1;
/// Something in the fragment, or just before it, was lost.
pub(crate) const FLAG_DAMAGED: u16 = 2;
/// Frames are missing between the fragment before and this one.
pub(crate) const FLAG_AFTER_HOLE: u16 = 4;

/// The mark in front of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whose it is.
    pub camera: CameraId,
    /// Which segment it belongs to.
    pub key: SegmentKey,
    /// 1 for the first fragment of the run; holes mean fragments that were never written.
    pub number: u32,
    /// When its first primary frame was taken.
    pub start: Wall,
    /// When its last primary frame ended.
    pub end: Wall,
    /// Media time of its first primary frame, ticks of the header's rate.
    pub decode_time: u64,
    /// Number of primary frames.
    pub frames: u32,
    /// `FLAG_*`.
    pub flags: u16,
    /// Length of the `moof` and `mdat` that follow.
    pub body_bytes: u32,
    /// CRC-32 (IEEE) of the `moof` and `mdat` that follow.
    pub crc: u32,
}

/// One row of a footer's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where the fragment's `moof` begins in the file.
    pub offset: u64,
    /// Length of `moof` and `mdat`.
    pub bytes: u32,
    /// When its first primary frame was taken.
    pub start: Wall,
    /// When its last primary frame ended.
    pub end: Wall,
    /// Media time of its first primary frame, ticks of the header's rate.
    pub decode_time: u64,
    /// Number of primary frames.
    pub frames: u16,
    /// `FLAG_*`.
    pub flags: u16,
}

impl Entry {
    /// Starts with a frame that can be decoded alone.
    pub(crate) const fn random_access(&self) -> bool {
        self.flags & FLAG_RANDOM_ACCESS != 0
    }
}

/// The segment was cut and sealed at a later start, not by the recorder that wrote it.
pub(crate) const FOOTER_ADOPTED: u16 = 1;

/// The footer of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Whose it is.
    pub camera: CameraId,
    /// Which segment.
    pub key: SegmentKey,
    /// `FOOTER_*`.
    pub flags: u16,
    /// The fragments in order of the file.
    pub entries: Vec<Entry>,
}

fn uuid_box(kind: &[u8; 16], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 24).expect("our boxes have limits far below 4 GiB");
    let mut out = Vec::with_capacity(payload.len() + 24);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(b"uuid");
    out.extend_from_slice(kind);
    out.extend_from_slice(payload);
    out
}

impl Header {
    /// The whole box.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut cut = self.name.len().min(NAME_BYTES_MAX);
        while !self.name.is_char_boundary(cut) {
            cut -= 1;
        }
        let name = &self.name.as_bytes()[..cut];
        let mut p = Vec::with_capacity(64 + name.len());
        p.extend_from_slice(&VERSION.to_be_bytes());
        p.extend_from_slice(&0_u16.to_be_bytes());
        p.extend_from_slice(&self.camera.to_bits().to_be_bytes());
        p.extend_from_slice(&self.key.run.0.to_be_bytes());
        p.extend_from_slice(&self.key.sequence.to_be_bytes());
        p.extend_from_slice(&self.recorder.to_be_bytes());
        p.extend_from_slice(&self.anchor.0.to_be_bytes());
        p.extend_from_slice(&self.primary.to_be_bytes());
        p.extend_from_slice(&self.rate.get().to_be_bytes());
        p.extend_from_slice(&self.init.0.to_be_bytes());
        p.extend_from_slice(&u16::try_from(cut).unwrap_or(0).to_be_bytes());
        p.extend_from_slice(name);
        uuid_box(&HEADER_BOX, &p)
    }

    /// Reads the payload behind the extended type; `None` if it is not one we understand.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut r = Reader(payload);
        r.version()?;
        r.u16()?;
        let camera = CameraId::from_bits(r.u64()?);
        let key = SegmentKey { run: RunId(r.u32()?), sequence: r.u32()? };
        let recorder = r.u64()?;
        let anchor = r.wall()?;
        let primary = r.u32()?;
        let rate = Rate::new(r.u32()?)?;
        let init = InitKey(r.u64()?);
        let len = usize::from(r.u16()?);
        let name = String::from_utf8_lossy(r.take(len)?).into_owned();
        Some(Self { camera, name, key, recorder, anchor, primary, rate, init })
    }
}

impl Mark {
    /// The whole box, [`MARK_BYTES`] long, appended to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&88_u32.to_be_bytes());
        out.extend_from_slice(b"uuid");
        out.extend_from_slice(&MARK_BOX);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(&self.camera.to_bits().to_be_bytes());
        out.extend_from_slice(&self.key.run.0.to_be_bytes());
        out.extend_from_slice(&self.key.sequence.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.start.0.to_be_bytes());
        out.extend_from_slice(&self.end.0.to_be_bytes());
        out.extend_from_slice(&self.decode_time.to_be_bytes());
        out.extend_from_slice(&self.frames.to_be_bytes());
        out.extend_from_slice(&self.body_bytes.to_be_bytes());
        out.extend_from_slice(&self.crc.to_be_bytes());
        let crc = crc32fast::hash(&out[from..]);
        out.extend_from_slice(&crc.to_be_bytes());
        debug_assert_eq!(out.len() - from, MARK_BYTES);
    }

    /// Reads a whole box; `None` if these bytes are not an intact mark.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes.get(..MARK_BYTES)?);
        if r.u32()? != 88 || r.take(4)? != b"uuid" || r.take(16)? != MARK_BOX {
            return None;
        }
        r.version()?;
        let flags = r.u16()?;
        let camera = CameraId::from_bits(r.u64()?);
        let key = SegmentKey { run: RunId(r.u32()?), sequence: r.u32()? };
        let number = r.u32()?;
        let (start, end) = (r.wall()?, r.wall()?);
        let decode_time = r.u64()?;
        let (frames, body_bytes, crc) = (r.u32()?, r.u32()?, r.u32()?);
        if r.u32()? != crc32fast::hash(&bytes[..MARK_BYTES - 4]) {
            return None;
        }
        Some(Self { camera, key, number, start, end, decode_time, frames, flags, body_bytes, crc })
    }

    /// The row of the table for a fragment whose mark begins at `mark_offset`.
    pub(crate) fn entry(&self, mark_offset: u64) -> Entry {
        Entry {
            offset: mark_offset + MARK_BYTES as u64,
            bytes: self.body_bytes,
            start: self.start,
            end: self.end,
            decode_time: self.decode_time,
            frames: u16::try_from(self.frames).unwrap_or(u16::MAX),
            flags: self.flags,
        }
    }
}

impl Footer {
    /// The whole box. Its last 16 bytes are a CRC-32 of everything before, the box's size and
    /// [`SEAL`], so that a reader finds it from the end of the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut p = Vec::with_capacity(64 + self.entries.len() * ENTRY_BYTES);
        p.extend_from_slice(&VERSION.to_be_bytes());
        p.extend_from_slice(&self.flags.to_be_bytes());
        p.extend_from_slice(&self.camera.to_bits().to_be_bytes());
        p.extend_from_slice(&self.key.run.0.to_be_bytes());
        p.extend_from_slice(&self.key.sequence.to_be_bytes());
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        p.extend_from_slice(&count.to_be_bytes());
        // Reserved: room for a hash chain without another version.
        p.extend_from_slice(&[0; 12]);
        for e in &self.entries {
            p.extend_from_slice(&e.offset.to_be_bytes());
            p.extend_from_slice(&e.bytes.to_be_bytes());
            p.extend_from_slice(&e.start.0.to_be_bytes());
            p.extend_from_slice(&e.end.0.to_be_bytes());
            p.extend_from_slice(&e.decode_time.to_be_bytes());
            p.extend_from_slice(&e.frames.to_be_bytes());
            p.extend_from_slice(&e.flags.to_be_bytes());
        }
        let crc = crc32fast::hash(&p);
        p.extend_from_slice(&crc.to_be_bytes());
        let size = u32::try_from(p.len() + 24 + 12).unwrap_or(u32::MAX);
        p.extend_from_slice(&size.to_be_bytes());
        p.extend_from_slice(&SEAL);
        uuid_box(&FOOTER_BOX, &p)
    }

    /// The size of the footer whose last [`Footer::TAIL_BYTES`] are `tail`; `None` if the file
    /// does not end in a seal.
    pub(crate) fn size_from_tail(tail: &[u8]) -> Option<usize> {
        let mut r = Reader(tail.get(tail.len().checked_sub(TAIL_BYTES)?..)?);
        let (_crc, size) = (r.u32()?, r.u32()?);
        let size = usize::try_from(size).ok()?;
        let most = FOOTER_FIXED_BYTES + TAIL_BYTES + FRAGMENTS_MAX * ENTRY_BYTES;
        (r.0 == SEAL && size <= most).then_some(size)
    }

    /// How many bytes [`Footer::size_from_tail`] wants.
    pub(crate) const TAIL_BYTES: usize = TAIL_BYTES;

    /// Reads a whole box; `None` if it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        let size = usize::try_from(r.u32()?).ok()?;
        if size != bytes.len() || r.take(4)? != b"uuid" || r.take(16)? != FOOTER_BOX {
            return None;
        }
        let covered = bytes.get(24..size.checked_sub(TAIL_BYTES)?)?;
        r.version()?;
        let flags = r.u16()?;
        let camera = CameraId::from_bits(r.u64()?);
        let key = SegmentKey { run: RunId(r.u32()?), sequence: r.u32()? };
        let count = usize::try_from(r.u32()?).ok()?;
        r.take(12)?;
        if count > FRAGMENTS_MAX || r.0.len() != count * ENTRY_BYTES + TAIL_BYTES {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(Entry {
                offset: r.u64()?,
                bytes: r.u32()?,
                start: r.wall()?,
                end: r.wall()?,
                decode_time: r.u64()?,
                frames: r.u16()?,
                flags: r.u16()?,
            });
        }
        (r.u32()? == crc32fast::hash(covered)).then_some(Self { camera, key, flags, entries })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn wall(&mut self) -> Option<Wall> {
        Some(Wall(i64::from_be_bytes(self.take(8)?.try_into().ok()?)))
    }

    /// Reads a version and refuses one from the future.
    fn version(&mut self) -> Option<u16> {
        let version = self.u16()?;
        (1..=VERSION).contains(&version).then_some(version)
    }
}

#[cfg(test)]
mod tests;
