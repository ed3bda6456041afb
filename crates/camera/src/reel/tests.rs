use std::path::PathBuf;

use bytes::Bytes;
use media::Wall;
use media::codec::nal;

use super::*;
use crate::clip;

/// A sequence and a picture parameter set of 640x360 at 15 pictures a second.
const SPS: &[u8] = &[
    0x67, 0x4d, 0x40, 0x16, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04,
    0x00, 0x00, 0x03, 0x00, 0x78, 0x3c, 0x58, 0xba, 0x80,
];
const PPS: &[u8] = &[0x68, 0xef, 0x3c, 0x80];

fn annexb(units: &[&[u8]]) -> Bytes {
    let mut out = Vec::new();
    for unit in units {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(unit);
    }
    out.into()
}

/// One key picture of two slices, two that follow; first_mb_in_slice 0 is a leading one bit, 1 is
/// 010.
fn small() -> Bytes {
    annexb(&[
        &[9, 0xf0],
        SPS,
        PPS,
        &[0x65, 0xb8, 1],
        &[0x65, 0x50, 2],
        &[0x41, 0xe0, 3],
        &[0x06, 5, 1, 9, 0x80],
        &[0x41, 0xe0, 4],
    ])
}

/// Plays without waiting.
fn played(clip: &Clip, count: usize) -> Vec<(Frame, i64)> {
    let (mut reel, anchor) = (Reel::new(clip), Anchor::now());
    let mut frames = Vec::new();
    for _ in 0..count {
        let (entry, round) = reel.next();
        let due = reel.due_us(entry, round);
        let data = clip.read(entry).unwrap();
        if let Some(frame) = reel.frame(entry, round, data, &anchor) {
            frames.push((frame, due));
        }
    }
    frames
}

/// What holds for every loop.
fn check(clip: &Clip, rounds: usize) -> Vec<(Frame, i64)> {
    let frames = played(clip, clip.entries.len() * rounds);
    let mut last: Vec<Option<Ticks>> = vec![None; clip.tracks.len()];
    let mut due_last = 0;
    for (frame, due) in &frames {
        let index = usize::from(frame.track.0);
        assert!(frame.pts >= frame.dts && frame.dts.0 >= 0);
        assert!(last[index].is_none_or(|l| l < frame.dts), "decode times grow");
        if let Some(last) = last[index] {
            let gap_us = clip.tracks[index].rate.to_us(frame.dts.since(last));
            assert!(gap_us < 250_000, "no hole in track {index}: {gap_us}");
        }
        last[index] = Some(frame.dts);
        assert!(*due >= due_last, "in the order they are due");
        due_last = *due;
        assert!(!frame.data.is_empty() && !frame.discontinuity);
    }
    frames
}

#[test]
fn a_raw_stream_loops_on_one_time_line() {
    let clip = clip::annexb_clip(small()).unwrap();
    let frames = check(&clip, 5);
    assert_eq!(frames.len(), 15);
    let dts: Vec<i64> = frames.iter().map(|(f, _)| f.dts.0).collect();
    assert_eq!(dts, (0..15).map(|n| n * 6_000).collect::<Vec<_>>());
    let keys: Vec<bool> = frames.iter().map(|(f, _)| f.random_access).collect();
    assert_eq!(keys[..6], [true, false, false, true, false, false]);
    let first: Vec<&[u8]> = nal::prefixed(&frames[0].0.data).collect();
    assert_eq!(first, [&[9, 0xf0][..], SPS, PPS, &[0x65, 0xb8, 1], &[0x65, 0x50, 2]]);
    let third: Vec<&[u8]> = nal::prefixed(&frames[2].0.data).collect();
    assert_eq!(third, [&[6, 5, 1, 9, 0x80][..], &[0x41, 0xe0, 4]]);
}

#[test]
fn pictures_before_the_first_key_are_left_out_each_round() {
    let clip = clip::annexb_clip(annexb(&[
        SPS,
        PPS,
        &[0x41, 0xe0, 1],
        &[0x65, 0xb8, 2],
        &[0x41, 0xe0, 3],
    ]));
    let frames = played(&clip.unwrap(), 9);
    let bodies: Vec<u8> = frames.iter().map(|(f, _)| f.data[f.data.len() - 1]).collect();
    assert_eq!(bodies, [2, 3, 2, 3, 2, 3]);
}

#[test]
fn leading_pictures_of_the_first_cra_are_left_out_each_round() {
    let Some(clip) = made("h265-cra.h265", Clip::open) else { return };
    // It has B pictures, whose times a raw stream does not tell.
    assert_eq!(clip.unwrap_err().kind(), Kind::Unsupported);
    let Some(clip) = made("h265.h265", Clip::open) else { return };
    let clip = clip.unwrap();
    let mut reel = Reel::new(&clip);
    let frame = |kind: u8| [0, 0, 0, 3, kind << 1, 1, 0x80];
    // CRA, its leading picture, a trailing one, another CRA with a leading one.
    let kinds = [h265::CRA, 9, 1, h265::CRA, 9];
    let seen = |reel: &mut Reel<'_>| {
        let looked = kinds.iter().enumerate();
        let looked = looked.map(|(i, k)| reel.picture(Codec::H265, &frame(*k), i == 0));
        looked.collect::<Vec<_>>()
    };
    let want = [Some(true), None, Some(false), Some(true), Some(false)];
    assert_eq!(seen(&mut reel), want);
    assert_eq!(seen(&mut reel), want, "the second round as the first");
}

/// A clip of `scripts/make-media`; `None`, with a word, where it is not made.
fn made<T>(name: &str, look: impl Fn(&Path) -> T) -> Option<T> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/.made");
    let path = root.join(name);
    if !path.exists() {
        eprintln!("skipped: {name} is not made; scripts/make-media makes it");
        return None;
    }
    Some(look(&path))
}

#[test]
fn files_of_a_foreign_muxer_loop_with_sound() {
    if let Some(clip) = made("h264-aac.mp4", Clip::open) {
        let clip = clip.unwrap();
        assert_eq!(clip.tracks.len(), 2);
        assert_eq!(clip.tracks[0].params[0].resolution(), Some((640, 360)));
        assert_eq!(clip.tracks[1].params[0].audio(), Some((16_000, 1)));
        assert_eq!(clip.tracks[1].rate.get(), 16_000);
        let frames = check(&clip, 3);
        let pictures = frames.iter().filter(|(f, _)| f.track == TrackId(0)).count();
        assert_eq!(pictures, 3 * 90);
        // The rounds of the pictures are exactly as long as one another.
        let keys = frames.iter().filter(|(f, _)| f.track == TrackId(0) && f.random_access);
        let starts: Vec<i64> = keys.map(|(f, _)| f.dts.0).step_by(6).collect();
        assert_eq!(starts[1] - starts[0], starts[2] - starts[1]);
    }
    if let Some(clip) = made("h265.mp4", Clip::open) {
        let frames = check(&clip.unwrap(), 2);
        assert!(frames[0].0.random_access);
        assert_eq!(frames[0].0.params.codec(), Codec::H265);
    }
    if let Some(clip) = made("h264.h264", Clip::open) {
        let clip = clip.unwrap();
        assert_eq!(clip.entries.len(), 90);
        check(&clip, 2);
    }
    if let Some(clip) = made("h264-b.h264", Clip::open) {
        assert_eq!(clip.unwrap_err().kind(), Kind::Unsupported);
    }
}

/// A folder of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("khien-reel-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn open(&self, bytes: &[u8]) -> Result<Clip> {
        let path = self.0.join("clip");
        std::fs::write(&path, bytes).unwrap();
        Clip::open(&path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fragmented file as the recorder writes it: two fragments of two pictures, the second shown
/// late.
fn fragmented() -> Vec<u8> {
    let params = Arc::new(media::Params::H264(h264::Params::parse(SPS, PPS).unwrap()));
    let track = mp4::InitTrack { id: 1, rate: media::Rate::VIDEO, params };
    let mut file = mp4::init(&[track], &[]).unwrap().to_vec();
    let sample = |composition_offset, sync| mp4::Sample {
        size: 7,
        duration: 3_000,
        composition_offset,
        sync,
    };
    for n in 0..2 {
        let samples = [sample(0, true), sample(6_000, false)];
        let decode_time = 900_000 + n * 6_000;
        let run = mp4::Run { track: 1, decode_time, samples: &samples };
        file.extend(mp4::fragment_header(u32::try_from(n).unwrap(), &[run]).unwrap());
        file.extend([0, 0, 0, 3, 0x65, 0xb8, 1, 0, 0, 0, 3, 0x41, 0xe0, 2]);
    }
    file
}

#[test]
fn fragmented_files_loop_as_well() {
    let dir = Dir::new("fragmented");
    let file = fragmented();
    let clip = dir.open(&file).unwrap();
    let frames = check(&clip, 2);
    let times: Vec<_> = frames.iter().map(|(f, _)| (f.dts.0, f.pts.0)).collect();
    assert_eq!(times[..4], [(0, 0), (3_000, 9_000), (6_000, 6_000), (9_000, 15_000)]);
    assert_eq!(times[4], (12_000, 12_000));
    // The wall time of a picture shown late is not in the future.
    let anchor = Anchor::now();
    let mut reel = Reel::new(&clip);
    let (entry, round) = reel.next();
    let frame = reel.frame(entry, round, clip.read(entry).unwrap(), &anchor).unwrap();
    let zero = anchor.wall(0);
    assert_eq!(frame.wall, Wall(zero.0 - 66_666));
    // Cut anywhere behind the first fragment, it is played as far as it goes.
    let whole = file.len();
    let cut = dir.open(&file[..whole - 3]).unwrap();
    assert!((2..4).contains(&cut.entries.len()));
}

#[test]
fn what_is_not_a_film_is_refused_with_a_reason() {
    let dir = Dir::new("refused");
    for (bytes, says) in [
        (&b""[..], "neither"),
        (b"hello, I am not a film", "neither"),
        (&[0, 0, 0, 1, 9, 0xf0], "parameter sets"),
        (b"\0\0\0\x10ftypisom\0\0\0\0", "moov"),
        (b"\0\0\0\x04ftypisom\0\0\0\0", "malformed"),
    ] {
        let e = dir.open(bytes).unwrap_err();
        assert_eq!(e.kind(), Kind::InvalidArgument);
        assert!(e.message().contains(says), "{e:?}");
        assert!(e.message().contains("clip: "), "names the file: {e:?}");
    }
    let e = Clip::open(&dir.0.join("absent")).unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
    assert!(Clip::open(&dir.0).is_err());
}

#[test]
fn broken_files_never_panic() {
    let dir = Dir::new("broken");
    let mut files = vec![fragmented(), small().to_vec()];
    files.extend(made("h264-aac.mp4", |p| std::fs::read(p).unwrap()));
    let mut seed = 0x6a09_e667_f3bc_c908_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..300 {
        let file = &files[round % files.len()];
        let mut bytes = file.clone();
        // What matters stands at the beginning.
        let range = bytes.len().min(12_000) as u64;
        for _ in 0..1 + random() % 8 {
            bytes[(random() % range) as usize] = random() as u8;
        }
        if random() % 3 == 0 {
            bytes.truncate((random() % bytes.len() as u64) as usize);
        }
        if let Ok(clip) = dir.open(&bytes) {
            let (mut reel, anchor) = (Reel::new(&clip), Anchor::now());
            for _ in 0..clip.entries.len().min(500) * 2 {
                let (entry, round) = reel.next();
                let due = reel.due_us(entry, round);
                let _ = anchor.due(due);
                if let Ok(data) = clip.read(entry) {
                    let _ = reel.frame(entry, round, data, &anchor);
                }
            }
        }
    }
}
