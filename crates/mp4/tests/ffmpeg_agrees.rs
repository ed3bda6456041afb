//! FFmpeg is the foreign judge: we read what it writes, and it reads what we write from that.
//! Skipped with a message where it is not installed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this file is all tests")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use media::codec::g711::{self, Law};
use media::{Params, Rate, Wall};
use mp4::progressive::{self, Chunk, Edit, ExportTrack};
use mp4::read::{self, Init, Located};
use mp4::{InitTrack, Run, Sample};

const VIDEO: &[&str] = &["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2"];
const AUDIO: &[&str] = &["-f", "lavfi", "-i", "sine=r=48000:d=2"];
const H264: &[&str] = &["-c:v", "libx264", "-bf", "2", "-g", "10", "-pix_fmt", "yuv420p"];

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    /// `None`, with a message, when FFmpeg is not there.
    fn new(name: &str) -> Option<Self> {
        if Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_err() {
            println!("skipped: ffmpeg is not installed");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("khien-mp4-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Some(Self(dir))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// Makes a file with FFmpeg.
    fn make(&self, name: &str, args: &[&[&str]]) -> Vec<u8> {
        assert_eq!(run("ffmpeg", &[&["-y"], &args.concat()[..], &[&self.path(name)]].concat()), "");
        self.read(name)
    }

    /// Writes a file and wants FFmpeg to decode all of it without a word. Packets of each track.
    fn judge(&self, name: &str, file: &[u8]) -> String {
        std::fs::write(self.0.join(name), file).unwrap();
        let said = run("ffmpeg", &["-i", &self.path(name), "-map", "0", "-f", "null", "-"]);
        assert_eq!(said, "", "{name}");
        packets(&self.path(name))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the program says, errors included.
fn run(program: &str, args: &[&str]) -> String {
    let output =
        Command::new(program).args(["-v", "error"]).args(args).stdin(Stdio::null()).output();
    let output = output.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
}

/// Codec, tag, packets and duration of each track.
fn packets(path: &str) -> String {
    let entries = "stream=codec_name,codec_tag_string,nb_read_packets";
    run("ffprobe", &["-count_packets", "-show_entries", entries, "-of", "csv=p=0", path])
}

/// (offset, size) of the top-level boxes of a kind.
fn boxes(file: &[u8], kind: [u8; 4]) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < file.len() {
        let header = read::box_header(&file[at..]).unwrap().unwrap();
        let size = header.size.map_or(file.len() - at, |s| usize::try_from(s).unwrap());
        if header.kind == kind {
            found.push((at, size));
        }
        at += size;
    }
    found
}

fn moov(file: &[u8]) -> Init {
    let (at, size) = boxes(file, *b"moov")[0];
    read::moov(&file[at..at + size]).unwrap()
}

/// A track in memory.
struct Lane {
    rate: Rate,
    entry: Arc<Params>,
    edit_start: u64,
    frames: Vec<(Sample, Vec<u8>)>,
}

fn bytes_of(file: &[u8], l: &Located) -> Vec<u8> {
    let at = usize::try_from(l.offset).unwrap();
    file[at..at + usize::try_from(l.sample.size).unwrap()].to_vec()
}

fn lanes(file: &[u8]) -> Vec<Lane> {
    let lane = |t: &read::ReadTrack| Lane {
        rate: t.rate,
        entry: Arc::clone(&t.entries[0]),
        edit_start: t.tables.edit_start().map_or(0, |s| u64::try_from(s).unwrap()),
        frames: t.tables.iter().map(|l| (l.sample, bytes_of(file, &l))).collect(),
    };
    moov(file).tracks.iter().map(lane).collect()
}

/// Some of a track's frames.
struct Part<'a> {
    track: u32,
    time: u64,
    samples: Vec<Sample>,
    frames: &'a [(Sample, Vec<u8>)],
}

impl Part<'_> {
    fn run(&self) -> Run<'_> {
        Run { track: self.track, decode_time: self.time, samples: &self.samples }
    }
}

/// A fragmented file, `per` frames of each track in a fragment.
fn fragmented(lanes: &[Lane], per: usize) -> Vec<u8> {
    let tracks: Vec<InitTrack> = (1..)
        .zip(lanes)
        .map(|(id, l)| InitTrack { id, rate: l.rate, params: Arc::clone(&l.entry) })
        .collect();
    let mut out = mp4::init(&tracks, &mp4::uuid_box([7; 16], b"ours")).unwrap().to_vec();
    let longest = lanes.iter().map(|l| l.frames.len()).max().unwrap();
    for (sequence, from) in (1..).zip((0..longest).step_by(per)) {
        let parts: Vec<Part<'_>> = (1..)
            .zip(lanes)
            .filter(|(_, l)| from < l.frames.len())
            .map(|(track, l)| Part {
                track,
                time: l.frames[..from].iter().map(|(s, _)| u64::from(s.duration)).sum(),
                samples: l.frames.iter().map(|(s, _)| *s).skip(from).take(per).collect(),
                frames: &l.frames[from..l.frames.len().min(from + per)],
            })
            .collect();
        let runs: Vec<Run<'_>> = parts.iter().map(Part::run).collect();
        out.extend(mp4::fragment_header(sequence, &runs).unwrap());
        parts.iter().flat_map(|p| p.frames).for_each(|(_, bytes)| out.extend(bytes));
    }
    out
}

/// An ordinary file in chunks of seven frames, track after track.
fn whole(lanes: &[Lane], edit: bool, created: Option<Wall>) -> Vec<u8> {
    let (mut chunks, mut payload) = (Vec::new(), Vec::<u8>::new());
    for (track, lane) in lanes.iter().enumerate() {
        for part in lane.frames.chunks(7) {
            let size = part.iter().map(|(s, _)| u64::from(s.size)).sum();
            let samples = u32::try_from(part.len()).unwrap();
            chunks.push(Chunk { track, samples, entry: 0, size });
            part.iter().for_each(|(_, bytes)| payload.extend(bytes));
        }
    }
    let track = |l: &Lane| ExportTrack {
        rate: l.rate,
        entries: vec![Arc::clone(&l.entry)],
        samples: l.frames.iter().map(|(s, _)| *s).collect(),
        edit: edit.then_some(Edit { delay_us: 0, start: l.edit_start, duration_us: 2_000_000 }),
    };
    let tracks: Vec<ExportTrack> = lanes.iter().map(track).collect();
    let mut out = progressive::head(&tracks, &chunks, created).unwrap().to_vec();
    out.extend(payload);
    out
}

/// Reads a file of FFmpeg's and rewrites it both ways.
fn rewrite(name: &str, args: &[&[&str]]) {
    let Some(dir) = Dir::new(name) else { return };
    let source = dir.make("in.mp4", args);
    let lanes = lanes(&source);
    let expect = packets(&dir.path("in.mp4"));
    assert_eq!(lanes.len(), expect.lines().count(), "{name}: {expect}");
    for per in [1, 17] {
        assert_eq!(dir.judge("f.mp4", &fragmented(&lanes, per)), expect, "{name}");
    }
    assert_eq!(dir.judge("p.mp4", &whole(&lanes, true, None)), expect, "{name}");
    // What is shown, and when, is the same to the frame.
    let shown = |n: &str| {
        let entries = ["-select_streams", "v", "-show_entries", "frame=pts_time,pict_type"];
        let said = run("ffprobe", &[&entries[..], &["-of", "csv=p=0", &dir.path(n)]].concat());
        // A frame with side data has a comma and an empty line of its own.
        let lines = said.lines().map(|l| l.trim_end_matches(',').to_owned());
        lines.filter(|l| !l.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(shown("in.mp4"), shown("p.mp4"), "{name}");
    assert_eq!(shown("in.mp4").len(), 50, "{name}");
}

#[test]
fn h264_and_aac() {
    rewrite("h264-aac", &[VIDEO, AUDIO, H264, &["-c:a", "aac"]]);
}

#[test]
fn h265_and_opus() {
    let x265 = ["-c:v", "libx265", "-x265-params", "log-level=error", "-tag:v", "hvc1"];
    rewrite("h265-opus", &[VIDEO, AUDIO, &x265, &["-pix_fmt", "yuv420p", "-c:a", "libopus"]]);
}

#[test]
fn hev1_and_ten_bits() {
    let x265 = ["-c:v", "libx265", "-x265-params", "log-level=error", "-tag:v", "hev1"];
    let Some(dir) = Dir::new("hev1") else { return };
    let lanes = lanes(&dir.make("in.mp4", &[VIDEO, &x265, &["-pix_fmt", "yuv422p10le"]]));
    assert_eq!(dir.judge("f.mp4", &fragmented(&lanes, 9)), "hevc,hvc1,50");
}

#[test]
fn motion_jpeg() {
    let Some(dir) = Dir::new("mjpeg") else { return };
    let jpegs = dir.make("in.mjpeg", &[VIDEO, &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]]);
    let starts: Vec<usize> = (0..jpegs.len() - 2)
        .filter(|&at| jpegs[at..].starts_with(&[0xff, 0xd8, 0xff]))
        .chain([jpegs.len()])
        .collect();
    let frame = |bytes: &[u8]| {
        let size = u32::try_from(bytes.len()).unwrap();
        (Sample { size, duration: 3_600, composition_offset: 0, sync: true }, bytes.to_vec())
    };
    let frames: Vec<_> = starts.windows(2).map(|w| frame(&jpegs[w[0]..w[1]])).collect();
    let params = media::codec::mjpeg::Params::parse(&frames[0].1).unwrap();
    assert_eq!((params.width, params.height), (320, 240));
    let entry = Arc::new(Params::Mjpeg(params));
    let lanes = [Lane { rate: Rate::VIDEO, entry, edit_start: 0, frames }];
    assert_eq!(dir.judge("f.mp4", &fragmented(&lanes, 1)), "mjpeg,jpeg,50");
    assert_eq!(dir.judge("p.mp4", &whole(&lanes, true, None)), "mjpeg,jpeg,50");
}

/// G.711 as cameras send it, 20 ms a frame, beside metadata, in both kinds of file: the samples
/// come out as they went in.
#[test]
fn g711_and_metadata() {
    let Some(dir) = Dir::new("g711") else { return };
    for (law, name) in [(Law::A, "alaw"), (Law::Mu, "mulaw")] {
        let raw = format!("in.{name}");
        let samples = dir.make(&raw, &[AUDIO, &["-ar", "8000", "-ac", "1", "-f", name]]);
        let frame = |bytes: &[u8], duration| {
            let size = u32::try_from(bytes.len()).unwrap();
            (Sample { size, duration, composition_offset: 0, sync: true }, bytes.to_vec())
        };
        let params = g711::Params { law, sample_rate: 8_000, channels: 1 };
        let sound = Lane {
            rate: Rate::new(8_000).unwrap(),
            entry: Arc::new(Params::G711(params)),
            edit_start: 0,
            frames: samples.chunks(160).map(|b| frame(b, 160)).collect(),
        };
        let words = Lane {
            rate: Rate::VIDEO,
            entry: Arc::new(Params::Metadata),
            edit_start: 0,
            frames: vec![frame(b"<tt:MetadataStream/>", 90_000); 2],
        };
        let lanes = [sound, words];
        let tag = if law == Law::A { "alaw" } else { "ulaw" };
        for (out, file) in [("f.mp4", fragmented(&lanes, 1)), ("p.mp4", whole(&lanes, false, None))]
        {
            std::fs::write(dir.path(out), file).unwrap();
            let said = packets(&dir.path(out));
            assert_eq!(said.lines().next(), Some(&*format!("pcm_{name},{tag},100")), "{out}");
            let back = dir.make(
                &format!("{out}.{name}"),
                &[&["-i", &dir.path(out), "-map", "0:a", "-c", "copy", "-f", name]],
            );
            assert!(back == samples, "{name} {out}");
        }
    }
}

#[test]
fn an_export_says_when_it_was_recorded() {
    let Some(dir) = Dir::new("created") else { return };
    let lanes = lanes(&dir.make("in.mp4", &[VIDEO, H264]));
    let when: Wall = "2026-08-01T07:00:00.5Z".parse().unwrap();
    dir.judge("p.mp4", &whole(&lanes, true, Some(when)));
    let entries = ["-show_entries", "format_tags=creation_time:format=duration", "-of", "csv=p=0"];
    let said = run("ffprobe", &[&entries[..], &[&dir.path("p.mp4")]].concat());
    assert_eq!(said, "2.000000,2026-08-01T07:00:00.000000Z");
}

/// The ways of writing fragments that FFmpeg knows: with offsets from the start of the file, from
/// `moof`, one `moof` per track, sizes and times left to `trex`.
#[test]
fn fragments_of_others() {
    let Some(dir) = Dir::new("others") else { return };
    let plain = dir.make("in.mp4", &[VIDEO, AUDIO, H264, &["-c:a", "aac"]]);
    let expect = lanes(&plain);
    for flags in [
        "frag_keyframe",
        "frag_keyframe+empty_moov+default_base_moof",
        "frag_keyframe+empty_moov+separate_moof",
        "frag_keyframe+empty_moov+omit_tfhd_offset",
        "dash+delay_moov",
    ] {
        let copy = ["-i", &dir.path("in.mp4"), "-c", "copy", "-movflags", flags];
        let file = dir.make("frag.mp4", &[&copy]);
        let init = moov(&file);
        assert!(init.fragmented, "{flags}");
        let mut read_back: Vec<Vec<Vec<u8>>> = init
            .tracks
            .iter()
            .map(|t| t.tables.iter().map(|l| bytes_of(&file, &l)).collect())
            .collect();
        for (at, size) in boxes(&file, *b"moof") {
            let moof = &file[at..at + size];
            let fragment = read::moof_of(moof, u64::try_from(at).unwrap(), &init).unwrap();
            for run in &fragment.runs {
                let mut place = at + usize::try_from(run.data_offset).unwrap();
                let track = init.tracks.iter().position(|t| t.id == run.track).unwrap();
                for sample in &run.samples {
                    let end = place + usize::try_from(sample.size).unwrap();
                    read_back[track].push(file[place..end].to_vec());
                    place = end;
                }
            }
        }
        for (lane, back) in expect.iter().zip(read_back) {
            let was: Vec<&Vec<u8>> = lane.frames.iter().map(|(_, bytes)| bytes).collect();
            assert_eq!(was.len(), back.len(), "{flags}");
            assert!(was.into_iter().eq(&back), "{flags}");
        }
    }
}

#[test]
fn tables_of_others_never_panic_when_bits_flip() {
    let Some(dir) = Dir::new("flips") else { return };
    let file = dir.make("in.mp4", &[VIDEO, AUDIO, H264, &["-c:a", "aac", "-metadata", "title=x"]]);
    let (at, size) = boxes(&file, *b"moov")[0];
    let moov = &file[at..at + size];
    for at in (0..moov.len() * 8).step_by(17) {
        let mut flipped = moov.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        let Ok(init) = read::moov(&flipped) else { continue };
        for track in &init.tracks {
            assert!(track.tables.iter().count() <= track.tables.len());
        }
    }
}
