//! `khien export`: a span as an MP4 file, complete or absent.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use http_body_util::BodyExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use stdx::{Error, Kind, Result};

use crate::cli::Export;
use crate::local::Local;
use crate::server::Signals;
use crate::text;

pub(crate) async fn run(args: Export) -> Result<()> {
    if !args.force && args.out.symlink_metadata().is_ok() {
        return Err(taken(&args.out));
    }
    // Before the file is begun: whatever ends this removes what there is of it.
    let mut signals = Signals::new()?;
    tokio::select! {
        written = write(&args) => written,
        () = signals.next() => {
            Err(Error::new(Kind::Cancelled, "ended by a signal; no file was written"))
        }
    }
}

async fn write(args: &Export) -> Result<()> {
    let local = Local::open(&args.data.data).await?;
    let id = local.footage_id(&args.camera).await?;
    let uri =
        format!("/api/v1/cameras/{id}/export.mp4?from={}&to={}", args.span.from.0, args.span.to.0);
    let response = local.send("GET", &uri, None).await?;
    let number = |name: &str| -> Option<u64> {
        response.headers().get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok())
    };
    let (length, gaps) = (number("content-length"), number("x-khien-gaps"));
    let mut file = Partial::create(&args.out)?;
    let bar = progress(length.unwrap_or(0));
    let mut body = response.into_body();
    let mut written = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|e| Error::new(Kind::Unavailable, format!("the export broke off: {e}")))?;
        if let Some(data) = frame.data_ref() {
            file.file.write_all(data)?;
            written += data.len() as u64;
            bar.set_position(written);
        }
    }
    if length.is_some_and(|l| l != written) {
        return Err(Error::new(Kind::DataLoss, "the export broke off before its end"));
    }
    file.finish(&args.out, args.force)?;
    bar.finish_and_clear();
    let gaps = match gaps.unwrap_or(0) {
        0 => "no gaps".to_owned(),
        1 => "1 gap inside".to_owned(),
        n => format!("{n} gaps inside"),
    };
    text::line(&format!("{} ({written} bytes, {gaps})", args.out.display()));
    Ok(())
}

fn taken(out: &Path) -> Error {
    let message = format!("{} is there already; --force replaces it", out.display());
    Error::new(Kind::AlreadyExists, message).with_code("file-exists")
}

fn progress(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar
}

/// A file that has its name only once it is whole. Until then it has one that nobody could have
/// prepared, beside it, and is closed to others.
struct Partial {
    path: PathBuf,
    file: std::fs::File,
    finished: bool,
}

impl Partial {
    fn create(out: &Path) -> Result<Self> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|e| {
            Error::new(Kind::Internal, "the system has no randomness").with_source(e)
        })?;
        let mut name = OsString::from(".");
        name.push(out.file_name().ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("{} names no file", out.display()))
        })?);
        name.push(format!(".{:016x}.partial", u64::from_ne_bytes(random)));
        let path = out.with_file_name(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::from(e).map_message(|m| format!("{}: {m}", path.display())))?;
        Ok(Self { path, file, finished: false })
    }

    fn finish(&mut self, out: &Path, force: bool) -> Result<()> {
        self.file.sync_all()?;
        if force {
            std::fs::rename(&self.path, out)?;
        } else {
            match renameat_with(CWD, &self.path, CWD, out, RenameFlags::NOREPLACE) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Err(taken(out)),
                // Not every file system knows this kind of renaming.
                Err(Errno::INVAL | Errno::NOSYS) if out.symlink_metadata().is_err() => {
                    std::fs::rename(&self.path, out)?;
                }
                Err(Errno::INVAL | Errno::NOSYS) => return Err(taken(out)),
                Err(e) => return Err(std::io::Error::from(e).into()),
            }
        }
        self.finished = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_complete_or_absent_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let names = || std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name());
        let out = dir.path().join("x.mp4");
        let (first, mut second) = (Partial::create(&out).unwrap(), Partial::create(&out).unwrap());
        assert_ne!(first.path, second.path);
        let mode = first.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        assert_eq!(names().count(), 1, "what was given up is gone");
        second.file.write_all(b"second").unwrap();
        second.finish(&out, false).unwrap();
        let mut third = Partial::create(&out).unwrap();
        third.file.write_all(b"third").unwrap();
        let e = third.finish(&out, false).unwrap_err();
        assert_eq!((e.kind(), e.code()), (Kind::AlreadyExists, Some("file-exists")));
        assert_eq!(std::fs::read(&out).unwrap(), b"second");
        third.finish(&out, true).unwrap();
        assert_eq!(std::fs::read(&out).unwrap(), b"third");
        drop(third);
        assert_eq!(names().collect::<Vec<_>>(), ["x.mp4"]);
    }
}
