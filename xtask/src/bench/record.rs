//! Recording by copy: `khien serve` and `ffmpeg -c copy` take the same streams from the same
//! source, one after the other. Counted are the recorder's processor time and memory, and every
//! frame that did not reach its files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::proc::{self, Running};
use super::{Bench, Options, PASSWORD, USER, median, say, short};

/// From the last camera's start until the window opens.
const WARM_UP: Duration = Duration::from_secs(10);
const FRAMES_PER_SECOND: f64 = 30.0;
/// Seconds at the edges of the window in which frames are not counted: export cuts at groups.
const EDGE_S: u64 = 4;

/// One recorder over one window.
struct Sample {
    cpu_ms: f64,
    memory: proc::Memory,
    busy_cores: f64,
    from_s: u64,
    to_s: u64,
}

/// Frames of all cameras inside the window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Frames {
    expected: u64,
    lost: u64,
}

pub(super) fn run(bench: &Bench, options: &Options) -> Result<Value, String> {
    let (_source, url) = bench.source()?;
    let (mut khien, mut ffmpeg) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}: khien", options.rounds));
        khien.push(khien_round(bench, options, &url)?);
        say(&format!("round {round} of {}: ffmpeg", options.rounds));
        ffmpeg.push(ffmpeg_round(bench, options, &url)?);
    }
    let khien = summary(&khien, options);
    let ffmpeg = summary(&ffmpeg, options);
    let cpu = |v: &Value| v["cpu_ms_per_camera_second"].as_f64().unwrap_or(f64::NAN);
    Ok(json!({
        "bench": "record",
        "cameras": options.cameras,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "cores": thread::available_parallelism().map_or(0, usize::from),
        "stream": "H.264 1920x1080 30/s 4 Mbit/s, key frame every 2 s, RTSP over TCP",
        "cpu_ratio_khien_to_ffmpeg": short(cpu(&khien) / cpu(&ffmpeg)),
        "khien": khien,
        "ffmpeg": ffmpeg,
    }))
}

fn khien_round(bench: &Bench, options: &Options, url: &str) -> Result<(Sample, Frames), String> {
    let data = bench.dir.join("data");
    let (serve, _) = bench.serve(&data)?;
    let password = bench.password.to_string_lossy();
    let names: Vec<String> = (1..=options.cameras).map(|n| format!("cam{n}")).collect();
    for name in &names {
        let login = ["--user", USER, "--password-file", &password];
        bench.verb(&[&["cameras", "add", name, url][..], &login].concat(), &data)?;
    }
    let sample = sample(&[serve.id()], options.seconds);
    let frames = exported(bench, &names, &data, &sample)?;
    if !serve.end(Duration::from_secs(10)) {
        return Err("khien serve did not end within 10 s of SIGTERM".to_owned());
    }
    bench.verb(&["check"], &data)?;
    std::fs::remove_dir_all(&data).map_err(|e| e.to_string())?;
    Ok((sample, frames))
}

fn ffmpeg_round(bench: &Bench, options: &Options, url: &str) -> Result<(Sample, Frames), String> {
    let dir = bench.dir.join("ffmpeg");
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    let url = url.replacen("://", &format!("://{USER}:{PASSWORD}@"), 1);
    let mut running = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for n in 1..=options.cameras {
        let file = dir.join(format!("cam{n}.mp4"));
        let mut command = Command::new("ffmpeg");
        command
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
            .args(["-rtsp_transport", "tcp", "-i", &url, "-map", "0", "-c", "copy"])
            .args(["-movflags", "+frag_keyframe+empty_moov", "-f", "mp4"])
            .arg(&file);
        running.push(Running::start(&mut command, &dir.join(format!("cam{n}.log")))?);
        files.push(file);
    }
    let ids: Vec<u32> = running.iter().map(Running::id).collect();
    let sample = sample(&ids, options.seconds);
    if let Some(n) = running.iter_mut().position(|r| !r.alive()) {
        return Err(format!("ffmpeg {} ended early; see its log in {}", n + 1, dir.display()));
    }
    for one in running {
        one.end(Duration::from_secs(10));
    }
    let mut frames = Frames::default();
    for file in &files {
        // The file has more than the window: what is counted is holes, and nothing at the edges.
        let lost = holes(&times(file)?);
        frames.lost += lost;
        frames.expected += expected(&sample);
    }
    std::fs::remove_dir_all(&dir).map_err(|e| e.to_string())?;
    Ok((sample, frames))
}

fn sample(ids: &[u32], seconds: u64) -> Sample {
    thread::sleep(WARM_UP);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (from_s, cpu, busy) = (now(), proc::cpu_ms(ids), proc::busy_s());
    thread::sleep(Duration::from_secs(seconds));
    Sample {
        cpu_ms: proc::cpu_ms(ids) - cpu,
        busy_cores: (proc::busy_s() - busy) / seconds as f64,
        memory: proc::memory(ids),
        from_s,
        to_s: now(),
    }
}

fn expected(sample: &Sample) -> u64 {
    ((sample.to_s - sample.from_s) as f64 * FRAMES_PER_SECOND) as u64
}

/// Exports the inner part of the window of each camera and counts what is missing in it.
fn exported(
    bench: &Bench,
    names: &[String],
    data: &Path,
    sample: &Sample,
) -> Result<Frames, String> {
    say("counting frames");
    // The last seconds of the window are sealed or in the open file by now.
    thread::sleep(Duration::from_secs(2));
    let inner = (sample.from_s + EDGE_S / 2, sample.to_s - EDGE_S / 2);
    let (from, to) = (rfc3339(inner.0)?, rfc3339(inner.1)?);
    let wanted = ((inner.1 - inner.0) as f64 * FRAMES_PER_SECOND) as u64;
    let out = bench.dir.join("export.mp4");
    let mut frames = Frames::default();
    for name in names {
        let file = out.to_string_lossy();
        let span = ["--from", &from, "--to", &to, "--force", "--out", &file];
        bench.verb(&[&["export", "--camera", name][..], &span].concat(), data)?;
        let times = times(&out)?;
        let short = wanted.saturating_sub(times.len() as u64);
        frames.lost += holes(&times).max(short);
        frames.expected += wanted;
    }
    let _ = std::fs::remove_file(out);
    Ok(frames)
}

fn rfc3339(seconds: u64) -> Result<String, String> {
    let output = Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .map_err(|e| format!("date: {e}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Presentation times of all pictures of a file, seconds, in order.
fn times(file: &Path) -> Result<Vec<f64>, String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .map_err(|e| format!("ffprobe: {e}"))?;
    if !output.status.success() {
        return Err(format!("ffprobe cannot read {}", file.display()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |line: &str| line.split(',').next().and_then(|f| f.trim().parse().ok());
    let mut times: Vec<f64> = text.lines().filter_map(field).collect();
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Frames missing between frames that are there.
fn holes(times: &[f64]) -> u64 {
    let steps = times.windows(2).map(|w| ((w[1] - w[0]) * FRAMES_PER_SECOND).round());
    steps.map(|step| (step - 1.0).max(0.0) as u64).sum()
}

fn summary(rounds: &[(Sample, Frames)], options: &Options) -> Value {
    let cameras = options.cameras as f64;
    let mid = |value: &dyn Fn(&Sample) -> f64| {
        short(median(&mut rounds.iter().map(|(s, _)| value(s)).collect::<Vec<_>>()))
    };
    let mb = |bytes: u64| bytes as f64 / 1e6;
    json!({
        "cpu_ms_per_camera_second": mid(&|s| s.cpu_ms / cameras / options.seconds as f64),
        "rss_mb": mid(&|s| mb(s.memory.rss)),
        "pss_mb": mid(&|s| mb(s.memory.pss)),
        "pss_mb_per_camera": mid(&|s| mb(s.memory.pss) / cameras),
        "machine_busy_cores": mid(&|s| s.busy_cores),
        "frames_expected": rounds.iter().map(|(_, f)| f.expected).sum::<u64>(),
        "frames_lost": rounds.iter().map(|(_, f)| f.lost).sum::<u64>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_counted_in_frames() {
        let at = |frames: &[u32]| frames.iter().map(|f| f64::from(*f) / 30.0).collect::<Vec<_>>();
        assert_eq!(holes(&at(&[0, 1, 2, 3])), 0);
        assert_eq!(holes(&at(&[0, 1, 4, 5, 7])), 3);
        assert_eq!(holes(&[]), 0);
        // A clock that trembles by a few milliseconds loses nothing.
        assert_eq!(holes(&[0.0, 0.036, 0.066, 0.1]), 0);
    }

    #[test]
    fn seconds_become_text() {
        assert_eq!(rfc3339(951_782_400).as_deref(), Ok("2000-02-29T00:00:00Z"));
    }

    #[test]
    fn rounds_are_summed_up_by_the_median() {
        let options = Options { cameras: 2, seconds: 10, rounds: 3 };
        let round = |cpu_ms, lost| {
            let memory = proc::Memory { rss: 8_000_000, pss: 6_000_000 };
            let sample = Sample { cpu_ms, memory, busy_cores: 1.0, from_s: 0, to_s: 10 };
            (sample, Frames { expected: 600, lost })
        };
        let value = summary(&[round(100.0, 0), round(20.0, 1), round(40.0, 0)], &options);
        assert_eq!(value["cpu_ms_per_camera_second"], 2.0);
        assert_eq!(value["pss_mb_per_camera"], 3.0);
        assert_eq!(value["frames_expected"], 1_800);
        assert_eq!(value["frames_lost"], 1);
    }
}
