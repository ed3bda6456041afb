//! `cargo xtask bench record|live`: khien measured beside FFmpeg on this machine. One JSON object
//! on standard output, progress on standard error. How to read it: `docs/ref/bench.md`.

mod live;
mod proc;
mod record;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{generate, root};
use proc::Running;

/// The source's user; its password is in a file that each run writes.
const USER: &str = "bench";
const PASSWORD: &str = "bench-password-1";

/// What the command line chose.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    cameras: usize,
    seconds: u64,
    rounds: usize,
}

pub(crate) fn run(what: &str, args: &[&str]) -> Result<(), String> {
    let options = options(args)?;
    let bench = Bench::prepare()?;
    let result = match what {
        "record" => record::run(&bench, &options)?,
        "live" => live::run(&bench, options.rounds)?,
        other => return Err(format!("there is no bench \"{other}\"; there are record and live")),
    };
    let text = serde_json::to_string_pretty(&result).map_err(|e| e.to_string())?;
    println!("{text}");
    Ok(())
}

fn options(args: &[&str]) -> Result<Options, String> {
    let mut options = Options { cameras: 32, seconds: 60, rounds: 1 };
    for pair in args.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number: u64 = value.parse().map_err(|_| format!("{name}: {value} is not a number"))?;
        match (*name, number) {
            ("--cameras", 1..=256) => options.cameras = number as usize,
            ("--seconds", 5..=3_600) => options.seconds = number,
            ("--rounds", 1..=20) => options.rounds = number as usize,
            ("--cameras" | "--seconds" | "--rounds", _) => {
                return Err(format!("{name} {value} is out of range"));
            }
            _ => return Err(format!("unknown {name}; known: --cameras, --seconds, --rounds")),
        }
    }
    Ok(options)
}

/// Release binaries and a directory that is empty at the start of every run.
struct Bench {
    root: PathBuf,
    khien: PathBuf,
    /// Kept between runs: the clip.
    kept: PathBuf,
    /// This run's data.
    dir: PathBuf,
    password: PathBuf,
}

impl Bench {
    fn prepare() -> Result<Self, String> {
        let root = root();
        say("building the release binaries");
        let built = Command::new("cargo")
            .args(["build", "--release", "--locked", "-p", "khien", "-p", "pixels"])
            .current_dir(&root)
            .stdout(Stdio::null())
            .status()
            .map_err(|e| format!("cargo: {e}"))?;
        if !built.success() {
            return Err("the release build failed".to_owned());
        }
        let target = generate::target(&root);
        let kept = target.join("bench");
        let dir = kept.join("run");
        let fresh = |dir: &Path| {
            match std::fs::remove_dir_all(dir) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            std::fs::create_dir_all(dir)
        };
        fresh(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let password = dir.join("password");
        std::fs::write(&password, PASSWORD).map_err(|e| e.to_string())?;
        Ok(Self { khien: target.join("release/khien"), root, kept, dir, password })
    }

    /// 1080p30 H.264 of 4 Mbit/s with a key frame every 2 s and no B-frames, 20 s long. Noise
    /// makes it fill its bit rate as a picture of the world does.
    fn clip(&self) -> Result<PathBuf, String> {
        let clip = self.kept.join("1080p30-4M.mp4");
        if clip.is_file() {
            return Ok(clip);
        }
        say("making the clip");
        let part = self.kept.join("part.mp4");
        let x264 = "keyint=60:min-keyint=60:scenecut=0:bframes=0:open-gop=0";
        let source = "testsrc2=size=1920x1080:rate=30:duration=20,noise=alls=8:allf=t";
        let made = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi"])
            .args(["-i", source, "-pix_fmt", "yuv420p", "-c:v", "libx264"])
            .args(["-preset", "veryfast", "-x264-params", x264])
            .args(["-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-movflags", "+faststart"])
            .arg(&part)
            .status()
            .map_err(|e| format!("ffmpeg: {e}"))?;
        if !made.success() {
            return Err("ffmpeg could not make the clip".to_owned());
        }
        std::fs::rename(&part, &clip).map_err(|e| e.to_string())?;
        Ok(clip)
    }

    /// `khien camera --file`, ready, and its address.
    fn source(&self) -> Result<(Running, String), String> {
        let clip = self.clip()?;
        let mut command = Command::new(&self.khien);
        command.args(["camera", "--listen", "127.0.0.1:0", "--user", USER]);
        command.arg("--password-file").arg(&self.password).arg("--file").arg(clip);
        let (running, ready) =
            Running::start_until(&mut command, &self.dir.join("source.log"), "ready ", READY)?;
        Ok((running, ready))
    }

    /// `khien serve` on an empty data directory, ready, and its address.
    fn serve(&self, data: &Path) -> Result<(Running, String), String> {
        let mut command = Command::new(&self.khien);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        Running::start_until(&mut command, &self.dir.join("serve.log"), "ready ", READY)
    }

    /// Runs a khien verb to its end and returns what it printed.
    fn verb(&self, args: &[&str], data: &Path) -> Result<String, String> {
        let output = Command::new(&self.khien)
            .args(args)
            .arg("--data")
            .arg(data)
            .output()
            .map_err(|e| format!("khien: {e}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("khien {}: {}: {}", args.join(" "), output.status, said.trim()))
    }
}

/// How long a program may take until it says that it is ready.
const READY: Duration = Duration::from_secs(30);

fn say(what: &str) {
    eprintln!("bench: {what}");
}

/// The middle one; of two in the middle, their mean.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// Two digits behind the point: what is measured is not better than that.
fn short(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_defaults_and_ranges() {
        let all = |cameras, seconds, rounds| Ok(Options { cameras, seconds, rounds });
        assert_eq!(options(&[]), all(32, 60, 1));
        assert_eq!(options(&["--cameras", "8", "--rounds", "3"]), all(8, 60, 3));
        for bad in [&["--cameras"][..], &["--cameras", "0"], &["--seconds", "x"], &["--x", "1"]] {
            assert!(options(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }
}
