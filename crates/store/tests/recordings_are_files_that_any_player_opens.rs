//! FFmpeg judges what is recorded and what is exported.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use std::path::Path;

use media::Frame;
use scene::{S, START, at, bytes_of, decodes, id, open_with, pictures, record, run, shown};
use scene::{segments, sound, video};
use store::{Options, Store};

/// Segments of about two seconds.
fn short() -> Options {
    Options { segment_us: 2 * S, ..Options::default() }
}

fn export(store: &Store, from_us: i64, to_us: i64, path: &Path) -> usize {
    let export = store.export(id(1), START.plus_us(from_us), START.plus_us(to_us)).unwrap();
    std::fs::write(path, bytes_of(&export)).unwrap();
    export.gaps().len()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.002
}

#[test]
fn each_segment_alone_and_all_of_them_exported() {
    if !scene::has_tools() {
        return;
    }
    for clip in ["h264.h264", "h264-b.h264", "h264-open.h264", "h265.h265", "h265-cra.h265"] {
        let dir = tempfile::tempdir().unwrap();
        let store = open_with(dir.path(), short(), START);
        let frames = video(clip, START);
        let count = frames.len();
        record(&store, id(1), frames);
        let files = segments(dir.path());
        // The open groups of H.264 have one IDR picture, the first.
        assert_eq!(files.len(), if clip == "h264-open.h264" { 1 } else { 3 }, "{clip}");
        files.iter().for_each(|f| decodes(f));
        if !clip.contains("open") && !clip.contains("cra") {
            // Groups that lean on the one before lose their first pictures when played alone.
            assert_eq!(files.iter().map(|f| shown(f).len()).sum::<usize>(), count, "{clip}");
        }
        let out = dir.path().join("out.mp4");
        assert_eq!(export(&store, -S, 100 * S, &out), 0);
        decodes(&out);
        let times = shown(&out);
        assert_eq!(times.len(), count, "{clip}");
        assert!(close(times[0], 0.0) && close(times[count - 1], 89.0 / 15.0), "{clip}: {times:?}");
        let duration = run(
            "ffprobe",
            &["-show_entries", "format=duration", "-of", "csv=p=0", out.to_str().unwrap()],
        );
        assert!(close(duration.parse().unwrap(), 6.0), "{clip}: {duration}");
        // The moov stands before the pictures.
        let bytes = std::fs::read(&out).unwrap();
        let find = |what: &[u8]| bytes.windows(4).position(|w| w == what).unwrap();
        assert!(find(b"moov") < find(b"mdat"));
    }
}

#[test]
fn a_span_that_begins_and_ends_in_the_middle_of_a_group_is_exact() {
    if !scene::has_tools() {
        return;
    }
    for clip in ["h264.h264", "h264-b.h264", "h264-open.h264", "h265-cra.h265"] {
        let dir = tempfile::tempdir().unwrap();
        let store = open_with(dir.path(), short(), START);
        record(&store, id(1), video(clip, START));
        let whole = dir.path().join("whole.mp4");
        export(&store, 0, 6 * S, &whole);
        let all = pictures(&whole);
        // From picture 22 (the eighth of the second group) to before picture 67.
        for (from, to) in [(22_i64, 67_i64), (22, 24), (1, 90), (44, 46), (29, 31)] {
            let out = dir.path().join("part.mp4");
            export(&store, from * S / 15, to * S / 15, &out);
            decodes(&out);
            let times = shown(&out);
            let what = format!("{clip} {from}..{to}: {times:?}");
            assert_eq!(times.len(), usize::try_from(to - from).unwrap(), "{what}");
            assert!(close(times[0], 0.0), "{what}");
            let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
            assert_eq!(pictures(&out), all[from..to], "{what}");
        }
    }
}

#[test]
fn sound_stays_with_the_picture() {
    if !scene::has_tools() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), short(), START);
    let frames: Vec<Frame> = video("h264.h264", START).into_iter().chain(sound(START)).collect();
    let sounds = frames.len() - 90;
    record(&store, id(1), frames);
    segments(dir.path()).iter().for_each(|f| decodes(f));
    let out = dir.path().join("out.mp4");
    export(&store, 0, 6 * S, &out);
    decodes(&out);
    let count = |select: &str, path: &Path| -> usize {
        let args = ["-count_packets", "-select_streams", select, "-show_entries"];
        let rest = ["stream=nb_read_packets", "-of", "csv=p=0", path.to_str().unwrap()];
        run("ffprobe", &[&args[..], &rest].concat()).trim_end_matches(',').parse().unwrap()
    };
    assert_eq!(count("v", &out), 90);
    // The last ones may lie behind the last picture.
    assert!((sounds - 2..=sounds).contains(&count("a", &out)), "{sounds}");
    // Cut in the middle: both begin together.
    let part = dir.path().join("part.mp4");
    export(&store, 2 * S + 500_000, 4 * S, &part);
    decodes(&part);
    let begin = |select: &str| -> f64 {
        let args = ["-select_streams", select, "-show_entries", "stream=start_time,duration"];
        let said =
            run("ffprobe", &[&args[..], &["-of", "csv=p=0", part.to_str().unwrap()]].concat());
        let (start, duration) = said.split_once(',').unwrap();
        let duration: f64 = duration.trim_end_matches(',').parse().unwrap();
        assert!((duration - 1.5).abs() < 0.07, "{select}: {said}");
        start.parse().unwrap()
    };
    assert!((begin("v") - begin("a")).abs() < 0.065);
}

#[test]
fn a_hole_and_another_size_keep_the_time_on_the_wall() {
    if !scene::has_tools() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), short(), START);
    record(&store, id(1), video("h264.h264", START));
    store.writer().gap_open(id(1), at(6), media::Cause::NetworkCut);
    record(&store, id(1), video("h264-alt.h264", at(9)));
    let out = dir.path().join("out.mp4");
    assert_eq!(export(&store, 0, 15 * S, &out), 1);
    decodes(&out);
    let times = shown(&out);
    assert_eq!(times.len(), 180);
    assert!(close(times[89], 89.0 / 15.0) && close(times[90], 9.0), "{:?}", &times[88..92]);
    assert!(close(times[179], 9.0 + 89.0 / 15.0));
    // What begins in the hole begins with the first picture after it.
    let part = dir.path().join("part.mp4");
    assert_eq!(export(&store, 7 * S, 10 * S, &part), 1);
    assert_eq!(shown(&part).len(), 15);
    let e = store.export(id(1), at(7), at(8)).unwrap_err();
    assert_eq!(e.code(), Some("nothing-recorded"));
}

#[test]
fn another_codec_is_another_track() {
    if !scene::has_tools() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), short(), START);
    record(&store, id(1), video("h264.h264", START));
    record(&store, id(1), video("h265.h265", at(6)));
    let out = dir.path().join("out.mp4");
    assert_eq!(export(&store, 0, 12 * S, &out), 0);
    decodes(&out);
    let args = ["-count_packets", "-show_entries", "stream=codec_name,nb_read_packets"];
    let said = run("ffprobe", &[&args[..], &["-of", "csv=p=0", out.to_str().unwrap()]].concat());
    assert_eq!(
        said.lines().map(|l| l.trim_end_matches(',')).collect::<Vec<_>>(),
        ["h264,90", "hevc,90"]
    );
}

#[test]
fn any_part_of_an_export_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), short(), START);
    let mut camera = scene::Camera::new(1);
    scene::put(&store.writer(), camera.sends(0, 7));
    store.flush();
    let export = store.export(id(1), at(0), at(7)).unwrap();
    let whole = bytes_of(&export);
    assert!(export.head().len() < whole.len());
    for (from, len) in
        [(0, 1), (0, 10_000), (5_000, 7_777), (whole.len() - 3, 10), (whole.len(), 5)]
    {
        let mut buf = vec![0; len];
        let n = export.read_at(from as u64, &mut buf).unwrap();
        assert_eq!(buf[..n], whole[from..(from + len).min(whole.len())], "{from}+{len}");
    }
    assert_eq!(export.read_at(u64::MAX, &mut [0; 4]).unwrap(), 0);
}

#[test]
fn what_is_being_recorded_can_be_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), Options::default(), START);
    let mut camera = scene::Camera::new(1);
    let writer = store.writer();
    writer.name(id(1), "front door");
    scene::put(&writer, camera.sends(0, 5));
    store.flush();
    let pieces = store.fragments(id(1), at(0), at(99), 100).unwrap();
    assert_eq!(pieces.len(), 5);
    assert_eq!((pieces[2].start, pieces[2].end, pieces[2].media_time_s), (at(2), at(3), 2.0));
    assert!(pieces.iter().all(|p| p.random_access));
    assert_eq!(store.fragments(id(1), at(1), at(99), 2).unwrap(), pieces[1..3]);
    let key = pieces[0].segment;
    let path = store.segment_path(id(1), key).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let init = store.init_bytes(id(1), key).unwrap();
    assert!(bytes.starts_with(&init));
    assert!(init.windows(10).any(|w| w == b"front door"));
    let piece = &pieces[1];
    let moof = &bytes[usize::try_from(piece.offset).unwrap()..];
    assert_eq!(&moof[4..8], b"moof");
    assert_eq!(store.bytes(Some(id(1))).unwrap(), bytes.len() as u64);
    let other = "000000ff-00000001".parse().unwrap();
    assert_eq!(store.segment_path(id(1), other).unwrap_err().code(), Some("no-segment"));
    // No file name tells a local time, or any other.
    let names: Vec<_> = segments(dir.path());
    assert!(names[0].ends_with("media/0000000000000001/00000001/00000001.mp4"));
}
