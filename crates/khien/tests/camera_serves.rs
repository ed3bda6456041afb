//! `khien camera` serves what it says to a foreign player, to those who know the password, and
//! ends when told.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse battery";

/// A running camera; killed if the test fails.
struct Camera {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn khien() -> Command {
    let khien = Path::new(env!("CARGO_BIN_EXE_khien"));
    let pixels = khien.with_file_name("khien-pixels");
    assert!(pixels.exists(), "{} is missing: run `cargo build -p pixels` first", pixels.display());
    Command::new(khien)
}

impl Camera {
    fn start(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
        let mut command = khien();
        command.args(["camera", "--listen", "127.0.0.1:0", "--user", "viewer", "--password-file"]);
        command.arg(&file).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("it said why it did not start").unwrap();
        let url = line.strip_prefix("ready ").expect("the first line says where").to_owned();
        Self { child, url, _dir: dir }
    }

    fn url_with(&self, password: &str) -> String {
        let password = password.replace(' ', "%20");
        self.url.replace("://", &format!("://viewer:{password}@"))
    }

    /// SIGTERM, and the status it ended with.
    fn end(mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < Duration::from_secs(3), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// `None`, with a word, where FFmpeg's tools are not installed.
fn ffmpeg(program: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    match command.args(["-v", "error"]).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(_) => {
            eprintln!("skipped: {program} is not installed");
            None
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[test]
fn the_pattern_reaches_a_foreign_player_and_only_with_the_password() {
    let small = ["--pattern", "--tag", "9", "--size", "320x180", "--fps", "15", "--gop", "1s"];
    let camera = Camera::start(&small);
    assert!(camera.url.starts_with("rtsp://127.0.0.1:") && camera.url.ends_with("/main"));
    for transport in ["tcp", "udp"] {
        let url = camera.url_with(PASSWORD);
        let entries = "stream=codec_name,width,height,r_frame_rate";
        let arguments =
            ["-rtsp_transport", transport, "-show_entries", entries, "-of", "csv=p=0", &url];
        let Some(output) = ffmpeg("ffprobe", &arguments) else { break };
        assert_eq!(text(&output.stdout), "h264,320,180,15/1", "{}", text(&output.stderr));
        // Decoded without a word of complaint.
        let decode =
            ["-rtsp_transport", transport, "-i", &url, "-frames:v", "20", "-f", "null", "-"];
        let output = ffmpeg("ffmpeg", &decode).unwrap();
        assert!(output.status.success());
        assert_eq!(text(&output.stderr), "", "{transport}");
    }
    if let Some(output) = ffmpeg("ffprobe", &["-rtsp_transport", "tcp", &camera.url_with("wrong")])
    {
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("401"), "{}", text(&output.stderr));
    }
    assert!(camera.end().success());
}

#[test]
fn h265_over_tls_and_a_file_with_sound() {
    let camera = Camera::start(&[
        "--pattern",
        "--size",
        "320x180",
        "--fps",
        "15",
        "--codec",
        "h265",
        "--tls",
    ]);
    assert!(camera.url.starts_with("rtsps://"));
    let entries = ["-show_entries", "stream=codec_name", "-of", "csv=p=0"];
    let url = camera.url_with(PASSWORD);
    let probe = |url: &str| {
        let mut arguments = vec!["-rtsp_transport", "tcp"];
        arguments.extend(entries);
        arguments.push(url);
        ffmpeg("ffprobe", &arguments).map(|o| (text(&o.stdout), text(&o.stderr)))
    };
    if let Some((found, said)) = probe(&url) {
        assert_eq!(found, "hevc", "{said}");
    }
    assert!(camera.end().success());
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/.made/h264-aac.mp4");
    if !made.exists() {
        eprintln!("skipped: scripts/make-media was not run");
        return;
    }
    let camera = Camera::start(&["--file", made.to_str().unwrap(), "--digest", "sha256"]);
    // FFmpeg 5.1 answers only MD5, so it must be turned away.
    if let Some((found, said)) = probe(&camera.url_with(PASSWORD)) {
        assert!(found.is_empty() || found == "h264\naac", "{found} {said}");
    }
    assert!(camera.end().success());
    let camera = Camera::start(&["--file", made.to_str().unwrap()]);
    if let Some((found, said)) = probe(&camera.url_with(PASSWORD)) {
        assert_eq!(found, "h264\naac", "{said}");
    }
    assert!(camera.end().success());
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let password: PathBuf = dir.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let film = dir.path().join("film.mp4");
    std::fs::write(&film, "not a film").unwrap();
    let film = film.to_str().unwrap();
    for (arguments, says) in [
        (&["--file", "/nonexistent.mp4"][..], "/nonexistent.mp4"),
        (&["--file", film], "neither MP4 nor an Annex B stream"),
        (&["--pattern", "--listen", "192.0.2.1:1"], "--listen"),
        (&["--device", "/dev/nonexistent"], "khien"),
    ] {
        let mut command = khien();
        command.args(["camera", "--user", "u", "--password-file"]).arg(&password);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let output = command.args(arguments).output().unwrap();
        assert!(!output.status.success());
        assert_eq!(text(&output.stdout), "");
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
}

/// Children of a process.
fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().filter_map(|n| n.parse::<u32>().ok()));
    }
    found
}

#[test]
fn a_camera_that_is_killed_leaves_no_encoder_behind() {
    let mut camera = Camera::start(&["--pattern", "--size", "320x180", "--fps", "5"]);
    let encoders = children(camera.child.id());
    assert_eq!(encoders.len(), 1);
    camera.child.kill().unwrap();
    camera.child.wait().unwrap();
    let lives = || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", encoders[0]));
        name.is_ok_and(|n| n.starts_with("khien-pixels"))
            && std::fs::read_to_string(format!("/proc/{}/stat", encoders[0]))
                .is_ok_and(|s| !s.contains(") Z "))
    };
    let killed = Instant::now();
    while lives() {
        assert!(killed.elapsed() < Duration::from_secs(30), "khien-pixels lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}
