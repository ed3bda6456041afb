//! `DIR/lock`: one process records into a data directory, and the next one learns how it ended.
//!
//! The lock is the kernel's (`flock`), so that it goes with the process however that ends. The
//! file's text is for people and for the next start:
//!
//! ```text
//! khien <format version>
//! pid <process>
//! boot <the kernel's id of this start of the machine>
//! since <us>
//! ended <us>            only after an orderly end
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use media::{Cause, Wall};
use stdx::{Error, Kind, Result};

use crate::format::VERSION;

const FILE: &str = "lock";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const TEXT_BYTES_MAX: usize = 1_024;

/// How the process before ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// There was none.
    Nobody,
    /// In order, at this time.
    Ended(Wall),
    /// It was killed or crashed.
    Crashed,
    /// The machine went down under it.
    PowerLoss,
}

impl Before {
    /// Why nothing was recorded since.
    pub(crate) const fn cause(self) -> Cause {
        match self {
            Self::Nobody | Self::Crashed => Cause::ProcessCrash,
            Self::Ended(_) => Cause::SwitchedOff,
            Self::PowerLoss => Cause::PowerLoss,
        }
    }
}

/// Held for as long as it lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    file: File,
    since: Wall,
}

impl DirLock {
    /// Takes the directory, which must exist.
    pub(crate) fn take(dir: &Path, now: Wall) -> Result<(Self, Before)> {
        let path = dir.join(FILE);
        let at =
            |e: std::io::Error| Error::from(e).map_message(|m| format!("{}: {m}", path.display()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, &read(&file))),
            Err(TryLockError::Error(e)) => return Err(at(e)),
        }
        let before = before(&read(&file), &boot_id());
        let lock = Self { file, since: now };
        lock.write(None).map_err(at)?;
        Ok((lock, before))
    }

    fn write(&self, ended: Option<Wall>) -> std::io::Result<()> {
        let mut text = format!(
            "khien {VERSION}\npid {}\nboot {}\nsince {}\n",
            std::process::id(),
            boot_id(),
            self.since.0
        );
        if let Some(ended) = ended {
            text.push_str(&format!("ended {}\n", ended.0));
        }
        self.file.set_len(0)?;
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.sync_data()
    }

    /// The orderly end.
    pub(crate) fn end(&self, now: Wall) {
        if let Err(e) = self.write(Some(now)) {
            // The next start will call this a crash, which changes no more than the word.
            tracing::warn!("cannot note the end in the lock file: {e}");
        }
    }
}

/// Whether a directory has a lock file of ours.
pub(crate) fn is_lock(dir: &Path) -> bool {
    let path = dir.join(FILE);
    path.is_file() && File::open(path).is_ok_and(|file| field(&read(&file), "khien").is_some())
}

fn in_use(dir: &Path, text: &str) -> Error {
    let holder = field(text, "pid").map_or(String::new(), |pid| format!(" (process {pid})"));
    let message = format!(
        "{} is being recorded into by another khien{holder}; stop it first, or use another \
         data directory",
        dir.display()
    );
    Error::new(Kind::FailedPrecondition, message).with_code("in-use")
}

fn read(file: &File) -> String {
    let mut buf = vec![0; TEXT_BYTES_MAX];
    let n = file.read_at(&mut buf, 0).unwrap_or(0);
    String::from_utf8_lossy(&buf[..n]).into_owned()
}

fn boot_id() -> String {
    let id = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let id = id.trim();
    if id.is_empty() { "unknown".to_owned() } else { id.to_owned() }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|l| l.split_once(' ').filter(|(n, _)| *n == name).map(|(_, v)| v))
}

fn before(text: &str, boot: &str) -> Before {
    if let Some(ended) = field(text, "ended").and_then(|us| us.parse().ok()) {
        return Before::Ended(Wall(ended));
    }
    match field(text, "boot") {
        None if text.is_empty() => Before::Nobody,
        Some(then) if then != boot => Before::PowerLoss,
        _ => Before::Crashed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_the_next_learns_how_it_went() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, before) = DirLock::take(dir.path(), Wall(5)).unwrap();
        assert_eq!(before, Before::Nobody);
        let e = DirLock::take(dir.path(), Wall(6)).unwrap_err();
        assert_eq!((e.kind(), e.code()), (Kind::FailedPrecondition, Some("in-use")));
        assert!(e.message().contains(&std::process::id().to_string()), "{e}");
        drop(lock);
        let (lock, before) = DirLock::take(dir.path(), Wall(7)).unwrap();
        assert_eq!(before, Before::Crashed);
        lock.end(Wall(9));
        drop(lock);
        assert_eq!(DirLock::take(dir.path(), Wall(10)).unwrap().1, Before::Ended(Wall(9)));
    }

    #[test]
    fn another_boot_is_a_power_loss() {
        assert_eq!(before("khien 1\npid 3\nboot a\nsince 5\n", "b"), Before::PowerLoss);
        assert_eq!(before("khien 1\npid 3\nboot a\nsince 5\n", "a"), Before::Crashed);
        assert_eq!(before("torn", "a"), Before::Crashed);
    }
}
