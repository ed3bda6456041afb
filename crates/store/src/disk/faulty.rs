//! A disk that misbehaves on request, over a real directory. Faults that every media file must
//! survive: space runs out in the middle of an append (the part that fitted stays in the file), any
//! append fails with EIO, any sync fails. And one that no disk makes but our own mistakes do: a
//! panic.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Disk, Entry, File, RealDisk, Space};

/// The switches of a [`FaultyDisk`], shared with the test.
#[derive(Debug)]
pub struct Faults {
    /// Bytes that still fit; `u64::MAX` is no limit. Appends use it up, removals give back.
    pub room_bytes: AtomicU64,
    /// Size of the volume; `u64::MAX` is that of the real one.
    pub total_bytes: AtomicU64,
    /// So many appends panic.
    pub panics: AtomicU64,
    /// Appends and creates fail with EIO.
    pub eio: AtomicBool,
    /// Syncs of files fail with EIO.
    pub sync_fails: AtomicBool,
    /// So many syncs of files fail with EIO.
    pub sync_failures: AtomicU64,
    /// How many appends there were: the measure of "one system call per fragment".
    pub appends: AtomicU64,
}

/// See the module's description.
#[derive(Debug, Clone)]
pub struct FaultyDisk(Arc<Faults>);

#[derive(Debug)]
struct FaultyFile {
    real: Arc<dyn File>,
    faults: Arc<Faults>,
}

impl FaultyDisk {
    /// A disk without faults, and its switches.
    pub fn new() -> (Self, Arc<Faults>) {
        let faults = Arc::new(Faults {
            room_bytes: AtomicU64::new(u64::MAX),
            total_bytes: AtomicU64::new(u64::MAX),
            panics: AtomicU64::new(0),
            eio: AtomicBool::new(false),
            sync_fails: AtomicBool::new(false),
            sync_failures: AtomicU64::new(0),
            appends: AtomicU64::new(0),
        });
        (Self(Arc::clone(&faults)), faults)
    }

    fn wrap(&self, real: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(FaultyFile { real, faults: Arc::clone(&self.0) })
    }

    fn check(&self) -> io::Result<()> {
        if self.0.eio.load(Ordering::SeqCst) { Err(eio()) } else { Ok(()) }
    }
}

fn eio() -> io::Error {
    rustix::io::Errno::IO.into()
}

/// Takes one from a number of times that something is to happen. False if none is left.
fn once(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

impl Faults {
    fn give_back(&self, bytes: u64) {
        let _ = self.room_bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| {
            (room != u64::MAX).then(|| room.saturating_add(bytes))
        });
    }

    /// Takes up to `bytes` of the room and says how many there were.
    fn take(&self, bytes: u64) -> u64 {
        let mut got = bytes;
        let _ = self.room_bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| {
            got = bytes.min(room);
            (room != u64::MAX).then(|| room - got)
        });
        got
    }
}

impl File for FaultyFile {
    fn append(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.faults.appends.fetch_add(1, Ordering::SeqCst);
        assert!(!once(&self.faults.panics), "the disk was told to panic");
        if self.faults.eio.load(Ordering::SeqCst) {
            return Err(eio());
        }
        let want: u64 = parts.iter().map(|p| p.len() as u64).sum();
        let mut left = self.faults.take(want);
        if left == want {
            return self.real.append(parts);
        }
        for part in parts {
            let fits = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
            self.real.append(&mut [IoSlice::new(&part[..fits])])?;
            left -= fits as u64;
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        if once(&self.faults.sync_failures) || self.faults.sync_fails.load(Ordering::SeqCst) {
            Err(eio())
        } else {
            Ok(())
        }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.real.read_at(offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let before = self.real.len()?;
        self.real.truncate(len)?;
        self.faults.give_back(before.saturating_sub(len));
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.check()?;
        Ok(self.wrap(RealDisk.create(path)?))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.check()?;
        Ok(self.wrap(RealDisk.open_append(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(RealDisk.open_read(path)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check()
            .and_then(|()| if path.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let bytes = RealDisk.open_read(path)?.len()?;
        RealDisk.remove(path)?;
        self.0.give_back(bytes);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let real = RealDisk.space(path)?;
        let room = self.0.room_bytes.load(Ordering::SeqCst);
        let total = real.total.min(self.0.total_bytes.load(Ordering::SeqCst));
        Ok(Space { free: real.free.min(room), total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_up_in_the_middle_and_breaks_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, faults) = FaultyDisk::new();
        faults.room_bytes.store(5, Ordering::SeqCst);
        let file = disk.create(&dir.path().join("f")).unwrap();
        let e = file.append(&mut [IoSlice::new(b"abc"), IoSlice::new(b"def")]).unwrap_err();
        assert_eq!((e.kind(), file.len().unwrap()), (io::ErrorKind::StorageFull, 5));
        file.truncate(0).unwrap();
        assert_eq!(disk.space(dir.path()).unwrap().free, 5);
        faults.eio.store(true, Ordering::SeqCst);
        assert_eq!(file.append(&mut [IoSlice::new(b"a")]).unwrap_err().raw_os_error(), Some(5));
        assert!(disk.create(&dir.path().join("g")).is_err());
    }
}
