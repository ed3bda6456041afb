//! What the behaviour tests share: cameras that send, stores in temporary directories, and FFmpeg
//! as the foreign judge.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this file is all tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use media::codec::{Params, aac, h264, h265, nal};
use media::{CameraId, Frame, Rate, Ticks, Track, TrackId, Wall};
use store::{Assembler, Fragment, Full, Options, Store, Writer};

pub(crate) const S: i64 = 1_000_000;
/// When most tests begin.
pub(crate) const START: Wall = Wall(1_785_567_600 * S);

/// `START` and so many seconds.
pub(crate) fn at(seconds: i64) -> Wall {
    START.plus_us(seconds * S)
}

/// Where the monotonic clock stood at `START`.
#[allow(clippy::disallowed_methods, reason = "any instant serves as the first")]
static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The monotonic clock so many seconds after `START`.
pub(crate) fn mono(seconds: i64) -> Instant {
    *ZERO + Duration::from_secs(u64::try_from(seconds).unwrap())
}

/// Tells that it is so many seconds after `START`, by both clocks.
pub(crate) fn tick(store: &Store, seconds: i64) {
    store.tick(at(seconds), mono(seconds));
}

pub(crate) fn id(n: u64) -> CameraId {
    CameraId::from_bits(n)
}

fn hex(t: &str) -> Vec<u8> {
    (0..t.len()).step_by(2).map(|i| u8::from_str_radix(&t[i..i + 2], 16).unwrap()).collect()
}

fn synthetic() -> Arc<Params> {
    let (sps, pps) = (hex("6742c016d900a02ff930110000030001000003001e0f162e48"), hex("68cb83cb20"));
    Arc::new(Params::H264(h264::Params::parse(&sps, &pps).unwrap()))
}

/// A camera of five frames and one group a second, whose pictures nobody looks at.
pub(crate) struct Camera {
    pub(crate) id: CameraId,
    frame_bytes: usize,
    assembler: Assembler,
    ticks: i64,
}

impl Camera {
    pub(crate) fn new(n: u64) -> Self {
        Self::with_frame_bytes(n, 1_000)
    }

    pub(crate) fn with_frame_bytes(n: u64, frame_bytes: usize) -> Self {
        let track = Track { id: TrackId(0), rate: Rate::VIDEO, params: synthetic() };
        Self { id: id(n), frame_bytes, assembler: Assembler::new(id(n), &[track]), ticks: 0 }
    }

    fn frame(&mut self, wall: Wall, random_access: bool) -> Frame {
        let mut data = vec![0x5a; self.frame_bytes];
        let len = u32::try_from(self.frame_bytes - 4).unwrap();
        data[..4].copy_from_slice(&len.to_be_bytes());
        data[4] = if random_access { 0x65 } else { 0x41 };
        let ticks = Ticks(self.ticks);
        self.ticks += 18_000;
        Frame {
            track: TrackId(0),
            pts: ticks,
            dts: ticks,
            wall,
            random_access,
            damaged: false,
            discontinuity: false,
            params: synthetic(),
            data: data.into(),
        }
    }

    /// What it sends in `[from, to)` seconds as one publication: one fragment a second.
    pub(crate) fn sends(&mut self, from: i64, to: i64) -> Vec<Fragment> {
        let mut out = Vec::new();
        for second in from..to {
            for n in 0..5 {
                let frame = self.frame(at(second).plus_us(n * S / 5), n == 0);
                out.extend(self.assembler.push(frame));
            }
        }
        out.extend(self.assembler.flush());
        out
    }
}

/// Hands fragments over, as patient as a recorder.
pub(crate) fn put(writer: &Writer, fragments: impl IntoIterator<Item = Fragment>) {
    for mut fragment in fragments {
        while let Err(Full(back)) = writer.try_append(fragment) {
            assert!(!writer.is_closed(), "the writer thread is gone");
            fragment = *back;
            std::thread::yield_now();
        }
    }
}

pub(crate) fn open(dir: &Path, now: Wall) -> Store {
    open_with(dir, Options::default(), now)
}

/// A store that has put everything in order.
pub(crate) fn open_with(dir: &Path, options: Options, now: Wall) -> Store {
    let store = Store::open(dir, options, now).unwrap();
    store.wait_recovered();
    store.flush();
    store
}

/// Copies a data directory as it is at this moment: what a process that is killed now leaves.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else if let Err(e) = std::fs::copy(entry.path(), &target) {
            assert_eq!(e.kind(), std::io::ErrorKind::NotFound);
        }
    }
}

/// The segment files below a data directory, in order.
pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.join("media")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "mp4") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A gap in seconds since `START`, and its cause.
pub(crate) type Gap = (f64, f64, String);

/// Spans and gaps in seconds since `START`, an open gap ending at -1, with causes.
pub(crate) fn told(store: &Store, camera: CameraId) -> (Vec<(f64, f64)>, Vec<Gap>) {
    let line = store.timeline(camera, at(-10_000_000), at(10_000_000)).unwrap();
    let s = |w: Wall| w.us_since(START) as f64 / 1e6;
    let gap = |g: &media::Gap| (s(g.from), g.to.map_or(-1.0, s), g.cause.slug().to_owned());
    (line.spans.iter().map(|x| (s(x.from), s(x.to))).collect(), line.gaps.iter().map(gap).collect())
}

/// `(from, to, cause)` as [`told`] gives it.
pub(crate) fn gap(from: f64, to: f64, cause: &str) -> Gap {
    (from, to, cause.to_owned())
}

/// Reads a whole export.
pub(crate) fn bytes_of(export: &store::Export) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(export.len()).unwrap()];
    assert_eq!(export.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// Whether FFmpeg and the clips of `scripts/make-media` are there; says so if not.
pub(crate) fn has_tools() -> bool {
    for tool in ["ffmpeg", "ffprobe"] {
        let said = Command::new(tool).arg("-version").stdout(Stdio::null()).status();
        if said.is_err() {
            println!("skipped: {tool} is not installed");
            return false;
        }
    }
    if !clip_path("h264.h264").is_file() {
        println!("skipped: no clips; scripts/make-media makes them");
        return false;
    }
    true
}

fn clip_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/.made").join(name)
}

/// Runs a program that must have nothing to complain about; what it printed.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(["-v", "warning"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(output.status.success(), "{program} {args:?}: {complaints}");
    assert_eq!(complaints, "", "{program} {args:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Decodes all tracks of a file without an error.
pub(crate) fn decodes(path: &Path) {
    let path = path.to_str().unwrap();
    run("ffmpeg", &["-err_detect", "explode", "-i", path, "-map", "0", "-f", "null", "-"]);
}

/// The times of all pictures that a player shows, seconds.
pub(crate) fn shown(path: &Path) -> Vec<f64> {
    let path = path.to_str().unwrap();
    let args = ["-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path];
    let said = run("ffprobe", &args);
    said.lines()
        .map(|l| l.trim_end_matches(','))
        .filter(|l| !l.is_empty())
        .map(|l| l.parse().unwrap())
        .collect()
}

/// MD5 of every decoded picture, in order.
pub(crate) fn pictures(path: &Path) -> Vec<String> {
    let args = ["-i", path.to_str().unwrap(), "-map", "0:v", "-fps_mode", "passthrough"];
    let said = run("ffmpeg", &[&args[..], &["-f", "framemd5", "-"]].concat());
    let lines = said.lines().filter(|l| !l.starts_with('#'));
    lines.map(|l| l.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// The frames of a clip that `scripts/make-media` made: fifteen a second.
pub(crate) fn video(name: &str, from: Wall) -> Vec<Frame> {
    let hevc = name.ends_with("h265");
    let bytes = std::fs::read(clip_path(name)).unwrap();
    let stem = name.split('.').next().unwrap();
    let order = std::fs::read_to_string(clip_path(&format!("{stem}.pts"))).unwrap();
    let order: Vec<i64> = order.lines().map(|l| l.parse().unwrap()).collect();
    let kind = |unit: &[u8]| if hevc { (unit[0] >> 1) & 0x3f } else { unit[0] & 0x1f };
    let delimiter = if hevc { 35 } else { 9 };
    let mut units: Vec<Vec<&[u8]>> = Vec::new();
    for unit in nal::annexb(&bytes) {
        if kind(unit) == delimiter {
            units.push(Vec::new());
        }
        units.last_mut().unwrap().push(unit);
    }
    assert_eq!(units.len(), order.len());
    let of = |units: &[&[u8]], wanted: u8| {
        units.iter().find(|u| kind(u) == wanted).map(|u| u.to_vec()).unwrap()
    };
    let params = if hevc {
        let (vps, sps, pps) = (of(&units[0], 32), of(&units[0], 33), of(&units[0], 34));
        Params::H265(h265::Params::parse(&vps, &sps, &pps).unwrap())
    } else {
        Params::H264(h264::Params::parse(&of(&units[0], 7), &of(&units[0], 8)).unwrap())
    };
    let params = Arc::new(params);
    let random = |units: &[&[u8]]| {
        units.iter().any(|u| if hevc { (16..24).contains(&kind(u)) } else { kind(u) == 5 })
    };
    let first = order[0];
    let frame = |(n, units): (usize, &Vec<&[u8]>)| {
        let n_dts = i64::try_from(n).unwrap();
        let mut data = BytesMut::new();
        units.iter().for_each(|u| nal::push_prefixed(&mut data, u));
        Frame {
            track: TrackId(0),
            pts: Ticks(90_000 + order[n] * 6_000),
            dts: Ticks(90_000 + n_dts * 6_000),
            wall: from.plus_us((order[n] - first) * S / 15),
            random_access: random(units),
            damaged: false,
            discontinuity: false,
            params: Arc::clone(&params),
            data: data.freeze(),
        }
    };
    units.iter().enumerate().map(frame).collect()
}

/// The sound of `aac.adts`: 16 kHz, one channel.
pub(crate) fn sound(from: Wall) -> Vec<Frame> {
    let bytes = Bytes::from(std::fs::read(clip_path("aac.adts")).unwrap());
    let (mut at, mut frames) = (0, Vec::new());
    while let Some(header) = aac::adts(&bytes[at..]) {
        let n = i64::try_from(frames.len()).unwrap();
        frames.push(Frame {
            track: TrackId(1),
            pts: Ticks(n * 1_024),
            dts: Ticks(n * 1_024),
            wall: from.plus_us(n * 64_000),
            random_access: true,
            damaged: false,
            discontinuity: false,
            params: Arc::new(Params::Aac(header.params)),
            data: bytes.slice(at + header.header_len..at + header.frame_len),
        });
        at += header.frame_len;
    }
    frames
}

/// The tracks that frames belong to.
pub(crate) fn tracks(frames: &[Frame]) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for f in frames {
        if tracks.iter().all(|t| t.id != f.track) {
            let rate = f.params.audio().map_or(Rate::VIDEO, |(hz, _)| Rate::new(hz).unwrap());
            tracks.push(Track { id: f.track, rate, params: Arc::clone(&f.params) });
        }
    }
    tracks.sort_by_key(|t| t.id);
    tracks
}

/// Records frames as one publication, in the order in which they would arrive.
pub(crate) fn record(store: &Store, camera: CameraId, mut frames: Vec<Frame>) {
    let mut assembler = Assembler::new(camera, &tracks(&frames));
    // Pictures arrive in decoding order, sound beside them.
    let first = frames[0].dts;
    let from = frames.iter().map(|f| f.wall).min().unwrap();
    frames.sort_by_key(|f| match f.track {
        TrackId(0) => from.plus_us(Rate::VIDEO.to_us(f.dts.since(first))),
        _ => f.wall,
    });
    let writer = store.writer();
    for frame in frames {
        put(&writer, assembler.push(frame));
    }
    put(&writer, assembler.flush());
    assert_eq!(assembler.dropped(), 0);
    writer.end(camera);
    store.flush();
}
