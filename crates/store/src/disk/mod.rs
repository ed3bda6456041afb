//! The one seam of this crate: everything the recorder does to media files goes through [`Disk`],
//! so that a test can fill, tear or break it. The databases and the lock file do not: SQLite has
//! its own layer and the lock is the kernel's.

mod faulty;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

pub use faulty::{Faults, FaultyDisk};

/// What `list` tells about one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name inside the directory; names that are not UTF-8 are shown lossily.
    pub name: String,
    /// True for a directory. Symbolic links are neither followed nor directories.
    pub directory: bool,
    /// Length of a file in bytes, 0 for a directory.
    pub bytes: u64,
}

/// Bytes of the volume a directory lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Usable by this process.
    pub free: u64,
    /// Whole size of the volume.
    pub total: u64,
}

/// An open file.
#[allow(clippy::len_without_is_empty, reason = "nobody asks a file whether it is empty")]
pub trait File: Send + Sync + fmt::Debug {
    /// Writes all `parts` at the end, in one system call as long as the kernel takes them. On an
    /// error any part of them may be in the file: the caller truncates.
    fn append(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// `fdatasync`: data and length are on the disk when it returns. After an error the file
    /// must not be trusted or synced again: the kernel may have dropped the dirty pages.
    fn sync_data(&self) -> io::Result<()>;
    /// Fills `buf` from `offset`; returns how many bytes there were (fewer only at the end).
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file to `len` bytes.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// A filesystem, as far as the recorder needs one.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Creates a file for appending and reading, mode 0640, with its directories. An existing
    /// file is an error.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens for appending and reading, creating it if it is missing.
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens for reading.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// `fsync` of a directory: names made or removed in it are on the disk when it returns.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames within the volume.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// The names in a directory, sorted; a directory that does not exist has none.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Free and total bytes of the volume at `path`.
    fn space(&self, path: &Path) -> io::Result<Space>;
}

/// The machine's own filesystem.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn append(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut file = &self.0;
        let mut left = parts;
        while left.iter().any(|p| !p.is_empty()) {
            // The kernel takes at most 1,024 parts; what it leaves goes in the next call.
            match file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut left, n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let at = offset.saturating_add(done as u64);
            match self.0.read_at(&mut buf[done..], at) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).read(true).create_new(true).mode(0o640);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).read(true).create(true).mode(0o640);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile(fs::File::open(path)?)))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let found = match fs::read_dir(path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut entries = Vec::new();
        for entry in found {
            let entry = entry?;
            // A file removed while we look is simply not there.
            let Ok(meta) = entry.metadata() else { continue };
            let directory = meta.is_dir();
            entries.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                directory,
                bytes: if directory { 0 } else { meta.len() },
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_parts_in_order_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        let file = RealDisk.create(&path).unwrap();
        let bytes: Vec<[u8; 1]> = (0..3000_u32).map(|i| [i.to_le_bytes()[0]]).collect();
        let mut parts: Vec<IoSlice<'_>> = bytes.iter().map(|b| IoSlice::new(b)).collect();
        file.append(&mut parts).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes.concat());
        file.truncate(10).unwrap();
        file.append(&mut [IoSlice::new(b"xy")]).unwrap();
        assert_eq!(file.len().unwrap(), 12);
        let mut buf = [0; 8];
        assert_eq!(file.read_at(9, &mut buf).unwrap(), 3);
        assert_eq!(&buf[..3], [9, b'x', b'y']);
        assert!(RealDisk.create(&path).is_err());
        assert_eq!(RealDisk.list(&dir.path().join("nothing")).unwrap(), []);
        assert!(RealDisk.space(dir.path()).unwrap().total > 0);
    }
}
