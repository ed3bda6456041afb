//! Every row of `crates/rtsp/quirks.toml` in every form, through the whole of `khien serve`: what
//! can be played is recorded for at least three seconds, what is refused is refused with a word
//! that says why, what can be noticed is counted, no task panics, and index and files agree in the
//! end.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fakecam::{Camera, Config, Quirk};
use media::Wall;
use serde_json::Value;
use tempfile::TempDir;

/// Microseconds that must be recorded.
const RECORDED_US: i64 = 3_000_000;
/// Longest that a batch may take; the slowest quirk needs 20 s on a machine that is free.
const PATIENCE: Duration = Duration::from_secs(150);
/// The user's password at the cameras that ask for one.
const PASSWORD: &str = "pass";

const CONFIG: &str = "\
[storage]
min_free = \"16 MiB\"
[camera]
allow_redirect = true
[log]
level = \"warn\"
";

/// A running recorder; killed if the test fails.
struct Recorder {
    child: Child,
    dir: TempDir,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Recorder {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("khien.toml");
        std::fs::write(&config, CONFIG).unwrap();
        std::fs::write(dir.path().join("password"), PASSWORD).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_khien"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(dir.path().join("data"));
        command.arg("--config").arg(config).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let recorder = Self { child, dir };
        let ready =
            BufReader::new(out).lines().map_while(Result::ok).any(|l| l.starts_with("ready "));
        assert!(ready, "serve ended: {}", recorder.log());
        recorder
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// What a verb prints as JSON.
    fn verb(&self, words: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_khien"));
        command.args(words).arg("--json").arg("--data").arg(self.dir.path().join("data"));
        let output = command.output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {complaint}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// `/metrics`, from the socket that the verbs use: sample to value.
    fn metrics(&self) -> BTreeMap<String, u64> {
        let mut socket = UnixStream::connect(self.dir.path().join("data/khien.sock")).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        socket.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        let samples = text.lines().filter(|l| l.starts_with("khien_"));
        let pairs = samples.filter_map(|l| l.rsplit_once(' '));
        pairs.filter_map(|(name, n)| Some((name.to_owned(), n.parse().ok()?))).collect()
    }

    fn recorded_us(&self, camera: &str) -> i64 {
        let now = net::now().wall;
        let (from, to) = (now.plus_us(-3_600_000_000), now.plus_us(3_600_000_000));
        let (from, to) = (from.to_string(), to.to_string());
        let words = ["recordings", "list", "--camera", camera, "--from", &from, "--to", &to];
        let answer = self.verb(&words);
        let time = |v: &Value| v.as_str().unwrap().parse::<Wall>().unwrap();
        let spans = answer["spans"].as_array().unwrap();
        spans.iter().map(|s| time(&s["to"]).us_since(time(&s["from"]))).sum()
    }

    fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(asked.elapsed() < Duration::from_secs(10), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let log = self.log();
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("panicked"), "{log}");
        self.verb(&["check"]);
    }
}

/// One camera of a batch.
struct Case {
    name: String,
    id: String,
    quirk: Quirk,
    plays: bool,
    counted: bool,
    _camera: Camera,
}

impl Case {
    fn count(&self, metrics: &BTreeMap<String, u64>) -> u64 {
        let (id, quirk) = (&self.id, self.quirk.id());
        let sample = format!("khien_camera_quirk_total{{camera=\"{id}\",quirk=\"{quirk}\"}}");
        metrics.get(&sample).copied().unwrap_or(0)
    }

    /// What is still missing.
    fn missing(&self, recorder: &Recorder, metrics: &BTreeMap<String, u64>) -> Option<String> {
        if self.counted && self.count(metrics) == 0 {
            return Some(format!("{} is not counted", self.name));
        }
        if !self.plays {
            return None;
        }
        let us = recorder.recorded_us(&self.name);
        (us < RECORDED_US).then(|| format!("{}: {us} us are recorded", self.name))
    }
}

fn rows() -> Vec<(Quirk, String, bool)> {
    let data = include_str!("../../rtsp/quirks.toml").parse::<toml::Table>().unwrap();
    let row = |row: &toml::Value| {
        let text = |key: &str| row[key].as_str().unwrap();
        let counted = row["counted"].as_bool().unwrap();
        (text("id").parse().unwrap(), text("expect").to_owned(), counted)
    };
    data["quirk"].as_array().unwrap().iter().map(row).collect()
}

fn add(recorder: &Recorder, quirk: Quirk, variant: u32, expect: &str, counted: bool) -> Case {
    let camera = Camera::start(Config::for_quirk(quirk).variant(variant)).unwrap();
    let name = format!("{quirk}-{variant}");
    let url = camera.url();
    let udp = matches!(
        quirk,
        Quirk::Tr461Udp
            | Quirk::TrNoServerPort
            | Quirk::TrUdpJumbo
            | Quirk::TrUdpSilent
            | Quirk::TrUdpLoss
    );
    let mut words = vec!["cameras", "add", &name, &url];
    words.extend(["--transport", if udp { "udp" } else { "tcp" }]);
    let file = recorder.dir.path().join("password");
    let file = file.to_str().unwrap();
    if let Some((user, password)) = &camera.config().credentials {
        assert_eq!(password, PASSWORD);
        words.extend(["--user", user, "--password-file", file]);
    }
    let id = recorder.verb(&words)["id"].as_str().unwrap().to_owned();
    let plays = expect == "plays" || (expect == "quirk-only" && variant == 0);
    Case { name, id, quirk, plays, counted, _camera: camera }
}

/// Every fourth quirk, in all its forms.
fn batch(first: usize) {
    fakecam::ensure_media().unwrap();
    let recorder = Recorder::start();
    let mut cases = Vec::new();
    for (quirk, expect, counted) in rows().into_iter().skip(first).step_by(4) {
        for variant in 0..quirk.variants() {
            cases.push(add(&recorder, quirk, variant, &expect, counted));
        }
    }
    assert!(cases.len() > 20);
    let began = Instant::now();
    loop {
        let metrics = recorder.metrics();
        let missing: Vec<String> =
            cases.iter().filter_map(|c| c.missing(&recorder, &metrics)).collect();
        if missing.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{}\n{}", missing.join("\n"), recorder.log());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(recorder.metrics().get("khien_panics_total"), Some(&0));
    let listed = recorder.verb(&["cameras", "list"]);
    for case in cases.iter().filter(|c| !c.plays) {
        let all = listed.as_array().unwrap();
        let camera = all.iter().find(|c| c["id"] == case.id.as_str()).unwrap();
        let why = camera["detail"]["message"].as_str().unwrap_or_default();
        assert!(why.len() > 20 || case.quirk == Quirk::Jpeg2040, "{}: {camera}", case.name);
        assert_eq!(recorder.recorded_us(&case.name), 0, "{}", case.name);
    }
    // Cameras that end first would leave gaps to explain; khien ends while they still play.
    recorder.end();
}

#[test]
fn first_quarter() {
    batch(0);
}

#[test]
fn second_quarter() {
    batch(1);
}

#[test]
fn third_quarter() {
    batch(2);
}

#[test]
fn last_quarter() {
    batch(3);
}
