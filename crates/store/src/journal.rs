//! `gaps.log`, one per camera: every change of its gaps as a line of text, so that causes survive
//! the loss of the index.
//!
//! ```text
//! + <from_us> <to_us or -> <cause> <noticed_us>     a gap that begins at from_us is (now) this
//! - <from_us>                                       there is no gap that begins at from_us
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

/// A longer journal is written anew at the next start, without the lines that others replaced.
pub(crate) const COMPACT_BYTES: u64 = 1 << 20;
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

fn parse(line: &str) -> Option<(Wall, Option<(Gap, Wall)>)> {
    let mut words = line.split(' ');
    let (sign, from) = (words.next()?, Wall(words.next()?.parse().ok()?));
    match sign {
        "-" => Some((from, None)),
        "+" => {
            let to = match words.next()? {
                "-" => None,
                us => Some(Wall(us.parse().ok()?)),
            };
            let cause = words.next()?.parse().ok()?;
            let noticed = Wall(words.next()?.parse().ok()?);
            Some((from, Some((Gap { from, to, cause }, noticed))))
        }
        _ => None,
    }
}

/// The gaps a journal tells of, by start, each with the time it was noticed. Lines that cannot be
/// read are skipped.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, camera: CameraId) -> io::Result<Vec<(Gap, Wall)>> {
    let file = match disk.open_read(&path(dir, camera)) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let len = file.len()?.min(READ_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let n = file.read_at(0, &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..n]);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut gaps = BTreeMap::new();
    for (from, gap) in whole.lines().filter_map(parse) {
        match gap {
            Some(gap) => gaps.insert(from, gap),
            None => gaps.remove(&from),
        };
    }
    Ok(gaps.into_values().collect())
}

/// Writes a journal anew from the gaps it should tell.
pub(crate) fn rewrite(
    disk: &dyn Disk,
    dir: &Path,
    camera: CameraId,
    gaps: &[(Gap, Wall)],
) -> io::Result<()> {
    let path = path(dir, camera);
    let new = path.with_extension("new");
    match disk.remove(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut text = String::new();
    for (gap, noticed) in gaps {
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
        let want = [(closed, Wall(9)), (other, Wall(31))];
        assert_eq!(read(&RealDisk, dir.path(), camera).unwrap(), want);
        let file = RealDisk.open_append(&path(dir.path(), camera)).unwrap();
        file.append(&mut [IoSlice::new(b"? what\n+ 50 60 disk_full 1\n+ 77 88 disk_")]).unwrap();
        let got = read(&RealDisk, dir.path(), camera).unwrap();
        assert_eq!((got.len(), got[2].0.from), (3, Wall(50)));
        rewrite(&RealDisk, dir.path(), camera, &want).unwrap();
        assert_eq!(read(&RealDisk, dir.path(), camera).unwrap(), want);
    }
}
