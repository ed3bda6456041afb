//! Saves a segment whose sync failed: its bytes, as far as they can still be read and are what
//! their marks say, go into a new file, which is synced and takes the old one's name.

use std::io::{self, IoSlice};
use std::path::Path;

use media::CameraId;
use stdx::{Error, Kind, Result};

use crate::disk::{Disk, File};
use crate::format::{self, FOOTER_ADOPTED, Footer, SegmentKey};
use crate::segment::{self, Scan};

/// The extension of the new file until it has its name.
pub(crate) const EXTENSION: &str = "new";
const CHUNK_BYTES: usize = 1 << 20;

/// See the module's description. What is returned describes the new file.
pub(crate) fn rewrite(
    disk: &dyn Disk,
    dir: &Path,
    camera: CameraId,
    key: SegmentKey,
) -> Result<Scan> {
    let path = format::segment_path(dir, camera, key);
    let old = disk.open_read(&path)?;
    let mut scan = segment::scan(&*old)?;
    let mut whole = scan.head.init.len() as u64;
    let mut good = 0;
    for entry in &scan.entries {
        if !segment::intact(&*old, entry)? {
            break;
        }
        whole = entry.offset.saturating_add(u64::from(entry.bytes));
        good += 1;
    }
    scan.entries.truncate(good);
    if scan.entries.is_empty() {
        return Err(Error::new(Kind::DataLoss, "nothing of it can be read"));
    }
    let new = path.with_extension(EXTENSION);
    match disk.remove(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
        _ => {}
    }
    let file = disk.create(&new)?;
    let written = copy(&*old, &*file, whole).and_then(|()| {
        let entries = scan.entries.clone();
        let footer = Footer { camera, key, flags: FOOTER_ADOPTED, entries }.encode();
        file.append(&mut [IoSlice::new(&footer)])?;
        file.sync_data()?;
        disk.rename(&new, &path)?;
        if let Some(parent) = path.parent() {
            disk.sync_dir(parent)?;
        }
        Ok(whole + footer.len() as u64)
    });
    match written {
        Ok(len) => Ok(Scan { whole, len, sealed: true, ..scan }),
        Err(e) => {
            // The error that matters is the first; what stays is removed at the next start.
            let _ = disk.remove(&new);
            Err(e.into())
        }
    }
}

fn copy(from: &dyn File, to: &dyn File, bytes: u64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < bytes {
        let want = usize::try_from(bytes - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let n = from.read_at(at, &mut chunk[..want])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.append(&mut [IoSlice::new(&chunk[..n])])?;
        at += n as u64;
    }
    Ok(())
}
