//! `khien export`: a span as an MP4 file, complete or absent.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use http_body_util::BodyExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use stdx::{Error, Kind, Result};

use crate::cli::Export;
use crate::local::Local;
use crate::text;

pub(crate) async fn run(args: Export) -> Result<()> {
    let local = Local::open(&args.data.data).await?;
    let id = local.camera_id(&args.camera).await?;
    let uri =
        format!("/api/v1/cameras/{id}/export.mp4?from={}&to={}", args.span.from.0, args.span.to.0);
    let response = local.send("GET", &uri, None).await?;
    let length = response
        .headers()
        .get("content-length")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
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
    file.finish(&args.out)?;
    bar.finish_and_clear();
    text::line(&format!("{} ({written} bytes)", args.out.display()));
    Ok(())
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

/// A file that has its name only once it is whole.
struct Partial {
    path: PathBuf,
    file: std::fs::File,
    finished: bool,
}

impl Partial {
    fn create(out: &Path) -> Result<Self> {
        let mut name = OsString::from(".");
        name.push(out.file_name().ok_or_else(|| {
            Error::new(Kind::InvalidArgument, format!("{} names no file", out.display()))
        })?);
        name.push(".partial");
        let path = out.with_file_name(name);
        let file = std::fs::File::create(&path)
            .map_err(|e| Error::from(e).map_message(|m| format!("{}: {m}", path.display())))?;
        Ok(Self { path, file, finished: false })
    }

    fn finish(&mut self, out: &Path) -> Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, out)?;
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
