use super::*;

use bytes::Bytes;
use media::codec::aac;
use media::{Rate, TrackId};

const S: i64 = 1_000_000;
const START: Wall = Wall(1_785_567_600 * S);

fn h264(width_640: bool) -> Arc<Params> {
    let hex = |t: &str| -> Vec<u8> {
        (0..t.len()).step_by(2).map(|i| u8::from_str_radix(&t[i..i + 2], 16).unwrap()).collect()
    };
    let (sps, pps) = if width_640 {
        ("6742c016d900a02ff930110000030001000003001e0f162e48", "68cb83cb20")
    } else {
        ("67640028acb200f0044fcb8088000003000800000301e078c19240", "68ebc3cb22c0")
    };
    Arc::new(Params::H264(h264::Params::parse(&hex(sps), &hex(pps)).unwrap()))
}

fn track() -> Track {
    Track { id: TrackId(0), rate: Rate::VIDEO, params: h264(true) }
}

/// Frame `n` of a camera with ten frames a second and a group each second.
fn frame(n: i64) -> Frame {
    let key = n % 10 == 0;
    Frame {
        track: TrackId(0),
        pts: Ticks(777 + n * 9_000),
        dts: Ticks(777 + n * 9_000),
        wall: START.plus_us(n * S / 10),
        random_access: key,
        damaged: false,
        discontinuity: false,
        params: h264(true),
        data: Bytes::from_static(if key { b"\0\0\0\x02\x65\x88" } else { b"\0\0\0\x02\x41\x9a" }),
    }
}

fn sound(n: i64) -> Frame {
    let params = Arc::new(Params::Aac(aac::Params::parse_config(&[0x14, 0x08]).unwrap()));
    Frame {
        track: TrackId(1),
        pts: Ticks(5 + n * 1_024),
        dts: Ticks(5 + n * 1_024),
        wall: START.plus_us(n * 64_000),
        random_access: true,
        params,
        data: Bytes::from_static(b"sound"),
        ..frame(0)
    }
}

fn assembler() -> Assembler {
    Assembler::new(CameraId::from_bits(1), &[track()])
}

fn push_all(a: &mut Assembler, frames: impl IntoIterator<Item = Frame>) -> Vec<Fragment> {
    frames.into_iter().filter_map(|f| a.push(f)).collect()
}

fn end(s_tenths: i64) -> Wall {
    START.plus_us(s_tenths * S / 10)
}

#[test]
fn a_group_of_a_second_is_a_fragment() {
    let mut a = assembler();
    let mut got = push_all(&mut a, (0..35).map(frame));
    got.extend(a.flush());
    let told: Vec<_> = got.iter().map(|f| (f.number, f.start, f.end, f.frames)).collect();
    let want = [(1, 0, 10, 10), (2, 10, 20, 10), (3, 20, 30, 10), (4, 30, 35, 5)]
        .map(|(n, from, to, frames)| (n, end(from), end(to), frames));
    assert_eq!(told, want);
    assert!(got.iter().all(|f| f.random_access && f.gap.is_none() && !f.damaged));
    assert_eq!(got[1].decode_time, 90_000);
    assert_eq!(got[0].run.anchor, START);
    let samples = &got[0].tracks[0].samples;
    assert!(samples.iter().all(|s| s.duration == 9_000));
    assert_eq!(samples.iter().map(|s| s.sync).filter(|s| *s).count(), 1);
    assert_eq!(a.dropped(), 0);
}

#[test]
fn what_comes_before_random_access_belongs_to_the_gap() {
    let mut a = assembler();
    let mut got = push_all(&mut a, (3..25).map(frame));
    got.extend(a.flush());
    assert_eq!(a.dropped(), 7);
    assert_eq!(got[0].start, end(10));
    let want = Gap { from: end(3), to: Some(end(10)), cause: Cause::CameraSilent };
    assert_eq!(got[0].gap, Some(want));
}

#[test]
fn silence_is_a_hole_and_the_run_goes_on() {
    let mut a = assembler();
    let mut got = push_all(&mut a, (0..15).chain(60..75).map(frame));
    got.extend(a.flush());
    let told: Vec<_> = got.iter().map(|f| (f.start, f.end, f.gap.map(|g| g.cause))).collect();
    let silent = Some(Cause::CameraSilent);
    let want = [(0, 10, None), (10, 15, None), (60, 70, silent), (70, 75, None)];
    assert_eq!(told, want.map(|(from, to, cause)| (end(from), end(to), cause)));
    assert_eq!(got[2].gap.map(|g| (g.from, g.to)), Some((end(15), Some(end(60)))));
    assert!(Arc::ptr_eq(&got[0].run, &got[3].run));
    assert_eq!(got[2].decode_time, 540_000);
}

#[test]
fn lost_pictures_are_a_hole_however_short() {
    let mut a = assembler();
    let lost = |n| Frame { damaged: n == 16, ..frame(n) };
    let mut got = push_all(&mut a, (0..14).chain(16..25).map(lost));
    got.extend(a.flush());
    let gap = got.iter().find_map(|f| f.gap).unwrap();
    assert_eq!(gap, Gap { from: end(14), to: Some(end(16)), cause: Cause::PacketLoss });
    let damaged: Vec<_> = got.iter().map(|f| f.damaged).collect();
    assert_eq!(damaged, [false, false, true, false]);
}

#[test]
fn another_size_or_a_broken_time_line_is_another_run() {
    for (change, cause) in [
        (Frame { params: h264(false), ..frame(20) }, Cause::CodecChange),
        (Frame { discontinuity: true, ..frame(20) }, Cause::NetworkCut),
        (Frame { dts: Ticks(0), pts: Ticks(0), damaged: true, ..frame(20) }, Cause::PacketLoss),
    ] {
        let mut a = assembler();
        let mut got = push_all(&mut a, (0..20).map(frame).chain([change.clone()]));
        got.extend(a.flush());
        assert_eq!(got.len(), 3, "{cause}");
        assert!(!Arc::ptr_eq(&got[1].run, &got[2].run), "{cause}");
        assert_eq!((got[2].number, got[2].start, got[2].decode_time), (1, end(20), 0), "{cause}");
        // Nothing is missing between the two.
        assert_eq!((got[1].end, got[2].gap), (end(20), None), "{cause}");
        // In the middle of a group something is.
        let mut a = assembler();
        let broken = Frame { random_access: false, ..change };
        let shift = broken.dts.0 - 777 - 15 * 9_000;
        let at = |n: i64| Frame {
            dts: Ticks(frame(n).dts.0 + shift),
            pts: Ticks(frame(n).pts.0 + shift),
            params: Arc::clone(&broken.params),
            ..frame(n)
        };
        let broken = Frame { wall: end(15), ..broken.clone() };
        let frames = (0..15).map(frame).chain([broken.clone()]).chain((16..25).map(at));
        let mut got = push_all(&mut a, frames);
        got.extend(a.flush());
        let gap = got.last().unwrap().gap.unwrap();
        assert_eq!(gap, Gap { from: end(15), to: Some(end(20)), cause });
    }
}

#[test]
fn a_silent_camera_does_not_keep_what_it_sent_in_memory() {
    let mut a = assembler();
    assert!(push_all(&mut a, (0..5).map(frame)).is_empty());
    assert!(a.tick(end(19)).is_none());
    let got = a.tick(end(21)).unwrap();
    assert_eq!((got.start, got.end, got.frames), (end(0), end(5), 5));
    assert!(a.tick(end(50)).is_none());
    let mut got = push_all(&mut a, (30..35).map(frame));
    got.extend(a.flush());
    assert_eq!(
        got[0].gap,
        Some(Gap { from: end(5), to: Some(end(30)), cause: Cause::CameraSilent })
    );
}

#[test]
fn sound_rides_along_and_keeps_its_time() {
    let rate = Rate::new(16_000).unwrap();
    let tracks = [track(), Track { id: TrackId(1), rate, params: sound(0).params }];
    let mut a = Assembler::new(CameraId::from_bits(1), &tracks);
    let mut all: Vec<Frame> = (0..30).map(frame).chain((0..47).map(sound)).collect();
    all.sort_by_key(|f| (f.wall, f.track));
    let mut got = push_all(&mut a, all);
    got.extend(a.flush());
    assert_eq!(got[0].run.tracks.len(), 2);
    let mut next = 0;
    let mut frames = 0;
    for f in &got {
        let s = f.tracks.iter().find(|t| t.track == 2).unwrap();
        assert_eq!(s.decode_time, next);
        assert!(s.samples.iter().all(|s| s.duration == 1_024 && s.sync));
        next += 1_024 * s.samples.len() as u64;
        frames += s.samples.len();
    }
    assert_eq!((frames, a.dropped()), (47, 0));
}

#[test]
fn limits_hold() {
    let mut a = assembler();
    let big = Frame { data: vec![0x65; FRAME_BYTES_MAX + 1].into(), ..frame(0) };
    assert!(a.push(big).is_none());
    assert!(a.push(Frame { data: Bytes::new(), ..frame(0) }).is_none());
    assert!(a.push(Frame { track: TrackId(9), ..frame(0) }).is_none());
    assert_eq!(a.dropped(), 3);
    // A camera without groups: fragments are cut all the same.
    let long = |n| Frame { random_access: n == 0, ..frame(n) };
    let mut got = push_all(&mut a, (0..100).map(long));
    got.extend(a.flush());
    assert!(got.iter().all(|f| f.end.us_since(f.start) <= FRAGMENT_US_DEFAULT));
    assert_eq!(got.iter().map(|f| f.frames).sum::<u32>(), 100);
}
