//! `gaps.log`, one per camera: every change of its gaps as a line of text, so that causes survive
//! the loss of the index; and what retention deleted.
//!
//! ```text
//! + <from_us> <to_us or -> <cause> <noticed_us>     a gap that begins at from_us is (now) this
//! - <from_us>                                       there is no gap that begins at from_us
//! x <from_us> <to_us>                               footage and gaps of this span have expired
//! ```
//!
//! A line counts only if it ends in a newline: a torn last line is ignored.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use media::{CameraId, Gap, Wall};

use crate::disk::Disk;
use crate::format::camera_dir;
use crate::index::Op;
use crate::timeline::{Span, merge};

/// A longer journal is written anew, without the lines that others replaced.
const COMPACT_BYTES: u64 = 1 << 20;
/// More than this is not read.
const READ_BYTES_MAX: u64 = 256 << 20;

pub(crate) fn path(dir: &Path, camera: CameraId) -> PathBuf {
    camera_dir(dir, camera).join("gaps.log")
}

/// The line of a change; segments have none.
fn line(op: &Op, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = match op {
        Op::Segment(_) => Ok(()),
        Op::Gap(_, gap, noticed) => match gap.to {
            Some(to) => writeln!(out, "+ {} {} {} {}", gap.from.0, to.0, gap.cause, noticed.0),
            None => writeln!(out, "+ {} - {} {}", gap.from.0, gap.cause, noticed.0),
        },
        Op::NoGap(_, from) => writeln!(out, "- {}", from.0),
    };
}

/// Appends the gap changes among `ops` and syncs the journals.
pub(crate) fn append(disk: &dyn Disk, dir: &Path, ops: &[Op]) -> io::Result<()> {
    let mut texts: BTreeMap<CameraId, String> = BTreeMap::new();
    for op in ops {
        if let Op::Gap(camera, ..) | Op::NoGap(camera, _) = op {
            line(op, texts.entry(*camera).or_default());
        }
    }
    for (camera, text) in texts {
        let file = disk.open_append(&path(dir, camera))?;
        let len = file.len()?;
        if let Err(e) = file.append(&mut [IoSlice::new(text.as_bytes())]) {
            file.truncate(len)?;
            return Err(e);
        }
        file.sync_data()?;
    }
    Ok(())
}

/// Appends spans that expired. Not synced: losing a line costs a word, not footage.
pub(crate) fn expired(
    disk: &dyn Disk,
    dir: &Path,
    camera: CameraId,
    spans: &[Span],
) -> io::Result<()> {
    let mut text = String::new();
    for span in spans {
        let _ = writeln!(text, "x {} {}", span.from.0, span.to.0);
    }
    let file = disk.open_append(&path(dir, camera))?;
    let len = file.len()?;
    if let Err(e) = file.append(&mut [IoSlice::new(text.as_bytes())]) {
        file.truncate(len)?;
        return Err(e);
    }
    Ok(())
}

/// What a journal tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Gaps by start, each with the time it was noticed.
    pub(crate) gaps: Vec<(Gap, Wall)>,
    /// Expired spans by start; the gaps inside them are gone.
    pub(crate) expired: Vec<Span>,
}

enum Line {
    Gap(Gap, Wall),
    NoGap(Wall),
    Expired(Span),
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let (sign, from) = (words.next()?, Wall(words.next()?.parse().ok()?));
    match sign {
        "-" => Some(Line::NoGap(from)),
        "x" => Some(Line::Expired(Span { from, to: Wall(words.next()?.parse().ok()?) })),
        "+" => {
            let to = match words.next()? {
                "-" => None,
                us => Some(Wall(us.parse().ok()?)),
            };
            let cause = words.next()?.parse().ok()?;
            let noticed = Wall(words.next()?.parse().ok()?);
            Some(Line::Gap(Gap { from, to, cause }, noticed))
        }
        _ => None,
    }
}

/// What a camera's journal tells. Lines that cannot be read are skipped.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, camera: CameraId) -> io::Result<Told> {
    let file = match disk.open_read(&path(dir, camera)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Told::default()),
        Err(e) => return Err(e),
    };
    let len = file.len()?.min(READ_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let n = file.read_at(0, &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..n]);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut gaps = BTreeMap::new();
    let mut expired = BTreeMap::new();
    for line in whole.lines().filter_map(parse) {
        match line {
            Line::Gap(gap, noticed) => {
                gaps.insert(gap.from, (gap, noticed));
            }
            Line::NoGap(from) => {
                gaps.remove(&from);
            }
            Line::Expired(span) => {
                expired.insert(span.from, span.to);
                gaps.retain(|_, (gap, _)| {
                    gap.from < span.from || gap.to.is_none_or(|to| to > span.to)
                });
            }
        }
    }
    let expired = expired.into_iter().map(|(from, to)| Span { from, to }).collect();
    Ok(Told { gaps: gaps.into_values().collect(), expired: merge(expired, 0) })
}

/// Writes a journal anew, without the lines that others replaced, if it has grown long.
pub(crate) fn compact(disk: &dyn Disk, dir: &Path, camera: CameraId) -> io::Result<()> {
    let len = match disk.open_read(&path(dir, camera)) {
        Ok(file) => file.len()?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if len > READ_BYTES_MAX || len <= COMPACT_BYTES {
        return Ok(());
    }
    let told = read(disk, dir, camera)?;
    rewrite(disk, dir, camera, &told)
}

fn rewrite(disk: &dyn Disk, dir: &Path, camera: CameraId, told: &Told) -> io::Result<()> {
    let path = path(dir, camera);
    let new = path.with_extension("new");
    match disk.remove(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut text = String::new();
    for span in &told.expired {
        let _ = writeln!(text, "x {} {}", span.from.0, span.to.0);
    }
    for (gap, noticed) in &told.gaps {
        line(&Op::Gap(camera, *gap, *noticed), &mut text);
    }
    let file = disk.create(&new)?;
    file.append(&mut [IoSlice::new(text.as_bytes())])?;
    file.sync_data()?;
    disk.rename(&new, &path)?;
    disk.sync_dir(&camera_dir(dir, camera))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use media::Cause;

    #[test]
    fn later_lines_win_and_torn_ones_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let camera = CameraId::from_bits(3);
        let open = Gap { from: Wall(5), to: None, cause: Cause::NetworkCut };
        let closed = Gap { to: Some(Wall(9)), ..open };
        let other = Gap { from: Wall(20), to: Some(Wall(30)), cause: Cause::DiskFull };
        let ops = [
            Op::Gap(camera, open, Wall(6)),
            Op::Gap(camera, other, Wall(31)),
            Op::Gap(camera, closed, Wall(9)),
            Op::Gap(camera, Gap { from: Wall(40), ..open }, Wall(41)),
            Op::NoGap(camera, Wall(40)),
        ];
        append(&RealDisk, dir.path(), &ops).unwrap();
        let want = Told { gaps: vec![(closed, Wall(9)), (other, Wall(31))], expired: vec![] };
        assert_eq!(read(&RealDisk, dir.path(), camera).unwrap(), want);
        let file = RealDisk.open_append(&path(dir.path(), camera)).unwrap();
        file.append(&mut [IoSlice::new(b"? what\n+ 50 60 disk_full 1\n+ 77 88 disk_")]).unwrap();
        let got = read(&RealDisk, dir.path(), camera).unwrap();
        assert_eq!((got.gaps.len(), got.gaps[2].0.from), (3, Wall(50)));
        rewrite(&RealDisk, dir.path(), camera, &want).unwrap();
        assert_eq!(read(&RealDisk, dir.path(), camera).unwrap(), want);
    }

    #[test]
    fn what_expired_takes_its_gaps_along() {
        let dir = tempfile::tempdir().unwrap();
        let camera = CameraId::from_bits(3);
        let gap = |from, to| Gap { from: Wall(from), to: Some(Wall(to)), cause: Cause::Shed };
        let ops = [gap(5, 9), gap(20, 30)].map(|g| Op::Gap(camera, g, Wall(0)));
        append(&RealDisk, dir.path(), &ops).unwrap();
        for to in [12, 15] {
            let span = Span { from: Wall(0), to: Wall(to) };
            expired(&RealDisk, dir.path(), camera, &[span]).unwrap();
        }
        let told = read(&RealDisk, dir.path(), camera).unwrap();
        let want = Told {
            gaps: vec![(gap(20, 30), Wall(0))],
            expired: vec![Span { from: Wall(0), to: Wall(15) }],
        };
        assert_eq!(told, want);
        rewrite(&RealDisk, dir.path(), camera, &told).unwrap();
        assert_eq!(read(&RealDisk, dir.path(), camera).unwrap(), want);
    }

    #[test]
    fn only_a_long_journal_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let camera = CameraId::from_bits(3);
        compact(&RealDisk, dir.path(), camera).unwrap();
        let gap = Gap { from: Wall(5), to: Some(Wall(9)), cause: Cause::Shed };
        let len = || std::fs::metadata(path(dir.path(), camera)).unwrap().len();
        append(&RealDisk, dir.path(), &vec![Op::Gap(camera, gap, Wall(7)); 2]).unwrap();
        compact(&RealDisk, dir.path(), camera).unwrap();
        assert_eq!(len(), 2 * "+ 5 9 shed 7\n".len() as u64);
        append(&RealDisk, dir.path(), &vec![Op::Gap(camera, gap, Wall(7)); 100_000]).unwrap();
        compact(&RealDisk, dir.path(), camera).unwrap();
        assert_eq!(len(), "+ 5 9 shed 7\n".len() as u64);
    }
}
