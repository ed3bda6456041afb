//! A house for one test: a directory, programs that end with it, and ways to ask them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use media::Wall;
use pixels::pattern::{Stamp, read_sei};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const KHIEN: &str = env!("CARGO_BIN_EXE_khien");
/// The user of every test camera, and its password.
pub(crate) const USER: &str = "recorder";
pub(crate) const PASSWORD: &str = "lamp-Over-The-Gate-4";
/// The owner's.
pub(crate) const OWNER_PASSWORD: &str = "gate otter brisk 91";
/// Programs are slow to start on a busy machine.
const READY: Duration = Duration::from_secs(60);

pub(crate) fn now() -> Wall {
    Wall::from_system(SystemTime::now())
}

/// Waits for something that another process does.
pub(crate) fn until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < end, "not within {patience:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Builds khien-pixels if nobody has.
fn pixels() {
    let beside = Path::new(KHIEN).with_file_name("khien-pixels");
    if beside.is_file() {
        return;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--quiet", "-p", "pixels"]).status().unwrap();
    assert!(built.success() && beside.is_file(), "{} is missing", beside.display());
}

/// A running program.
pub(crate) struct Running {
    child: Child,
    /// What it printed before and with its ready line.
    pub(crate) said: Vec<String>,
    log: PathBuf,
}

impl Running {
    /// What stands behind `ready `.
    pub(crate) fn url(&self) -> &str {
        self.said.iter().find_map(|l| l.strip_prefix("ready ")).expect("a ready line")
    }

    /// The set-up link's token, if one was printed.
    pub(crate) fn token(&self) -> Option<&str> {
        let link = self.said.iter().find_map(|l| l.strip_prefix("setup "))?;
        link.split_once("/setup?token=").map(|(_, token)| token)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let url = self.url();
        let rest = url.split_once("://").expect("a URL").1;
        rest.split('/').next().unwrap().parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; how long the end took. It must be one in order.
    pub(crate) fn end(mut self) -> Duration {
        let start = Instant::now();
        self.signal(Signal::TERM);
        until("an end after SIGTERM", Duration::from_secs(30), || {
            self.child.try_wait().unwrap().is_some()
        });
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
        start.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

pub(crate) struct House {
    dir: tempfile::TempDir,
    started: Mutex<u32>,
}

impl House {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("camera.password"), PASSWORD).unwrap();
        fs::write(dir.path().join("owner.password"), OWNER_PASSWORD).unwrap();
        Self { dir, started: Mutex::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Starts khien and waits for its ready line.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let log = {
            let mut n = self.started.lock().unwrap();
            *n += 1;
            self.path(&format!("{}-{n}.log", args[0]))
        };
        let mut child = Command::new(KHIEN)
            .args(args)
            .env_remove("KHIEN_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut running = Running { child, said: Vec::new(), log };
        let end = Instant::now() + READY;
        while !running.said.iter().any(|l| l.starts_with("ready ")) {
            let left = end.saturating_duration_since(Instant::now());
            match told.recv_timeout(left) {
                Ok(line) => running.said.push(line),
                Err(e) => panic!("khien {args:?} is not ready ({e})"),
            }
        }
        running
    }

    /// `serve` on a free loopback port.
    pub(crate) fn serve(&self) -> Running {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, more: &[&str]) -> Running {
        let data = self.text("data");
        let mut args = vec!["serve", "--data", &data];
        if !more.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        args.extend(more);
        self.start(&args)
    }

    /// A small pattern camera.
    pub(crate) fn camera(&self, tag: u32) -> Running {
        self.camera_with(&["--tag", &tag.to_string(), "--listen", "127.0.0.1:0"])
    }

    /// One over RTSPS, with a certificate made now.
    pub(crate) fn tls_camera(&self, listen: &str) -> Running {
        self.camera_with(&["--tls", "--listen", listen])
    }

    fn camera_with(&self, more: &[&str]) -> Running {
        pixels();
        let password = self.text("camera.password");
        let args = [
            "camera",
            "--pattern",
            "--user",
            USER,
            "--password-file",
            &password,
            "--size",
            "640x360",
            "--fps",
            "15",
            "--bitrate",
            "400kbps",
            "--gop",
            "1s",
            "--allow-uncaged",
            "--with-parent",
        ];
        self.start(&[&args, more].concat())
    }

    /// Starts a verb that is not waited for.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        Command::new(KHIEN).args(args).stdin(Stdio::null()).spawn().unwrap()
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(KHIEN).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a verb on the data directory, which must go well.
    pub(crate) fn verb(&self, args: &[&str]) -> String {
        let output = self.run(&[args, &["--data", &self.text("data")]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {}: {said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code and what was said of a verb that must fail.
    pub(crate) fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?} went well");
        assert!(said.starts_with("khien: ") || said.starts_with("error: "), "{said}");
        (output.status.code().unwrap(), said)
    }

    /// Adds a camera to the recorder.
    pub(crate) fn add(&self, name: &str, url: &str) {
        let password = self.text("camera.password");
        self.verb(&["cameras", "add", name, url, "--user", USER, "--password-file", &password]);
    }

    /// Waits until a camera is being recorded.
    pub(crate) fn recorded(&self, name: &str) {
        until(&format!("{name} is recorded"), READY, || {
            let cameras = self.json(&["cameras", "list"]);
            let all = cameras.as_array().unwrap();
            all.iter().any(|c| c["name"] == name && c["state"] == "recording")
        });
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.verb(&[args, &["--json"]].concat())).unwrap()
    }

    /// What `recordings list` says of a span.
    pub(crate) fn timeline(&self, camera: &str, from: Wall, to: Wall) -> Timeline {
        let (from, to) = (from.to_string(), to.to_string());
        let answer =
            self.json(&["recordings", "list", "--camera", camera, "--from", &from, "--to", &to]);
        let list = |key: &str| -> Vec<(Wall, Option<Wall>, String)> {
            let wall = |v: &Value| v.as_str().map(|t| t.parse().unwrap());
            let entries = answer[key].as_array().unwrap().iter();
            entries
                .map(|e| {
                    let cause = e["cause"].as_str().unwrap_or_default().to_owned();
                    (wall(&e["from"]).unwrap(), wall(&e["to"]), cause)
                })
                .collect()
        };
        let spans = list("spans").into_iter().map(|(from, to, _)| (from, to.unwrap())).collect();
        Timeline { spans, gaps: list("gaps") }
    }

    /// Exports a span, lets FFmpeg judge the file, and reads the pattern's stamps from it.
    pub(crate) fn export(&self, camera: &str, from: Wall, to: Wall) -> Vec<Stamp> {
        let out = self.text(&format!("{camera}.mp4"));
        let (from, to) = (from.to_string(), to.to_string());
        let span = ["--from", &from, "--to", &to];
        self.verb(&[&["export", "--camera", camera, "--force", "--out", &out], &span[..]].concat());
        judge(Path::new(&out));
        stamps(Path::new(&out))
    }
}

/// Spans, and gaps with their cause.
pub(crate) struct Timeline {
    pub(crate) spans: Vec<(Wall, Wall)>,
    pub(crate) gaps: Vec<(Wall, Option<Wall>, String)>,
}

/// FFmpeg reads and decodes a file without a single complaint.
fn judge(file: &Path) {
    let commands: [(&str, &[&str]); 2] = [
        ("ffprobe", &["-v", "error", "-show_streams", "-of", "compact"]),
        ("ffmpeg", &["-v", "error", "-xerror", "-f", "null", "-"]),
    ];
    for (program, args) in commands {
        let mut command = Command::new(program);
        if program == "ffmpeg" {
            command.arg("-nostdin");
        }
        let output = match command.arg("-i").arg(file).args(args).output() {
            Ok(output) => output,
            Err(e) => {
                eprintln!("skipped: {program} as judge ({e})");
                continue;
            }
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{program} {}: {said}", file.display());
    }
}

/// The stamps of all pictures of an MP4 file, in decoding order.
fn stamps(file: &Path) -> Vec<Stamp> {
    let bytes = fs::read(file).unwrap();
    let mut at = 0;
    let moov = loop {
        let header = mp4::read::box_header(&bytes[at..]).unwrap().expect("a moov box");
        let end = at + usize::try_from(header.size.expect("a size")).unwrap();
        if &header.kind == b"moov" {
            break &bytes[at..end];
        }
        at = end;
    };
    let init = mp4::read::moov(moov).unwrap();
    let video = init.tracks.first().expect("a track");
    let frames = video.tables.iter().map(|located| {
        let from = usize::try_from(located.offset).unwrap();
        &bytes[from..from + located.sample.size as usize]
    });
    frames.map(|frame| read_sei(frame).expect("a stamp in every picture")).collect()
}

/// The pictures' numbers. A recorder that comes back soon begins with a group that it has already,
/// so that some may be there twice.
pub(crate) fn numbers(frames: &[Stamp]) -> BTreeSet<u32> {
    frames.iter().map(|f| f.frame).collect()
}

/// An answer over plain HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `name=value` of the cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|l| l.strip_prefix("set-cookie: ")).unwrap();
        line.split(';').next().unwrap().to_owned()
    }
}

/// One request of a page of the server's own.
pub(crate) fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    cookie: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let body = body.map(Value::to_string).unwrap_or_default();
    let cookie = cookie.map(|c| format!("cookie: {c}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\norigin: http://{to}\r\nconnection: close\r\n\
         {cookie}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..split].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[split + 4..].to_vec() }
}
