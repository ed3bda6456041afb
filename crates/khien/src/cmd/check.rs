//! `khien check`: do index and files agree? Reads and changes nothing, so it needs no server and
//! may run beside one.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use stdx::{Error, Kind, Result};
use store::{Depth, Finding, Report};

use crate::text;

pub(crate) fn run(dir: &Path, bytes: bool, as_json: bool) -> Result<()> {
    let depth = if bytes { Depth::Bytes } else { Depth::Tables };
    let bar = progress();
    let report = store::check(dir, depth, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = report?;
    if as_json {
        text::line(&value(&report).to_string());
    } else {
        print(&report);
    }
    if report.sound() {
        return Ok(());
    }
    let wrong = report.findings.iter().filter(|f| f.wrong).count();
    let message = format!("index and files do not agree: {wrong} findings");
    Err(Error::new(Kind::DataLoss, message).with_code("check"))
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} segments {eta}") {
        bar.set_style(style);
    }
    bar
}

fn value(report: &Report) -> Value {
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    json!({
        "sound": report.sound(),
        "cameras": report.cameras,
        "segments": report.segments,
        "bytes": report.bytes,
        "fragments": report.fragments,
        "gaps": report.gaps,
        "findings": findings,
    })
}

fn finding(f: &Finding) -> Value {
    json!({
        "wrong": f.wrong,
        "code": f.code,
        "camera": f.camera.map(|c| c.to_string()),
        "segment": f.segment.map(|s| s.to_string()),
        "path": f.path.as_ref().map(|p| p.display().to_string()),
        "message": f.message,
    })
}

fn print(report: &Report) {
    let rows: Vec<Vec<String>> = report
        .findings
        .iter()
        .map(|f| {
            let what = if f.wrong { "WRONG" } else { "note" };
            let place = match (&f.path, f.camera, f.segment) {
                (Some(path), _, _) => path.display().to_string(),
                (None, Some(camera), Some(segment)) => format!("{camera} {segment}"),
                (None, Some(camera), None) => camera.to_string(),
                (None, None, _) => String::new(),
            };
            vec![what.to_owned(), f.code.to_owned(), place, f.message.clone()]
        })
        .collect();
    if !rows.is_empty() {
        text::table(&["", "CODE", "WHERE", "WHAT"], &rows);
    }
    let Report { cameras, segments, fragments, bytes, gaps, .. } = report;
    text::line(&format!(
        "{cameras} cameras, {segments} segments, {fragments} fragments, {bytes} bytes, {gaps} gaps"
    ));
    if report.sound() {
        text::line("index and files agree");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_khiens_is_not_called_sound() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("passwd"), "root").unwrap();
        for as_json in [false, true] {
            let e = run(dir.path(), false, as_json).unwrap_err();
            assert_eq!((text::exit_code(e.kind()), e.code()), (3, Some("no-data")));
            assert!(e.message().contains("khien serve"), "{e}");
        }
    }
}
