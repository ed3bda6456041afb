//! Whatever else lies in the data directory is reported and not touched; whatever does not agree
//! is found.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use std::path::{Path, PathBuf};

use scene::{Camera, S, START, at, id, open, open_with, put, segments, told};
use stdx::Kind;
use store::{Depth, Limits, Options, Store, check};

fn recorded(dir: &Path) -> Vec<PathBuf> {
    let store = open_with(dir, Options { segment_us: 2 * S, ..Options::default() }, START);
    put(&store.writer(), Camera::new(1).sends(0, 8));
    store.writer().gap_open(id(1), at(8), media::Cause::CameraAuth);
    store.shutdown();
    segments(dir)
}

/// Codes of what is wrong, and of what is only noted.
fn found(dir: &Path) -> (Vec<&'static str>, Vec<&'static str>) {
    let report = check(dir, Depth::Bytes, &mut |_, _| ()).unwrap();
    let of = |wrong| report.findings.iter().filter(|f| f.wrong == wrong).map(|f| f.code).collect();
    (of(true), of(false))
}

#[test]
fn files_of_others_survive_everything() {
    let dir = tempfile::tempdir().unwrap();
    let files = recorded(dir.path());
    let run = files[0].parent().unwrap();
    let camera = run.parent().unwrap();
    let media = camera.parent().unwrap();
    let foreign = [
        media.join("notes.txt"),
        media.join("not-a-camera/deep"),
        camera.join("holiday.mp4"),
        camera.join("zzzzzzzz/00000001.mp4"),
        run.join("00000001.mp4.bak"),
        run.join("thumbs.db"),
    ];
    for path in &foreign {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"precious").unwrap();
    }
    assert_eq!(found(dir.path()), (vec![], vec!["foreign"; 6]));
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = open(dir.path(), at(20));
    store.set_limits(Limits { bytes_max: Some(0), ..Limits::default() });
    store.retain().unwrap();
    assert_eq!(told(&store, id(1)).0, []);
    drop(store);
    for path in &foreign {
        assert_eq!(std::fs::read(path).unwrap(), b"precious", "{}", path.display());
    }
}

#[test]
fn a_file_in_a_segments_place_is_no_segment() {
    let dir = tempfile::tempdir().unwrap();
    let files = recorded(dir.path());
    let run = files[0].parent().unwrap();
    // Older than the newest: nobody's unfinished business.
    let elsewhere = run.parent().unwrap().join("00000000");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("00000001.mp4"), b"\0\0\0\x08ftyp\0\0\0\x08free").unwrap();
    std::fs::copy(&files[1], elsewhere.join("00000002.mp4")).unwrap();
    let (wrong, _) = found(dir.path());
    assert_eq!(wrong, ["not-a-segment", "misplaced"]);
    let report = check(dir.path(), Depth::Tables, &mut |_, _| ()).unwrap();
    for finding in report.findings.iter().filter(|f| f.wrong) {
        let path = finding.path.as_ref().unwrap().display();
        let advice = format!("move {path} away");
        assert!(finding.message.contains(&advice), "{}", finding.message);
    }
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = open(dir.path(), at(20));
    assert_eq!(told(&store, id(1)).0, [(0.0, 8.0)]);
    drop(store);
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 2);
}

#[test]
fn each_disagreement_has_a_name() {
    type Accident = fn(&Path, &[PathBuf]);
    let cases: [(&str, Accident); 7] = [
        ("missing-file", |_, files| std::fs::remove_file(&files[1]).unwrap()),
        ("missing-row", |dir, _| sql(dir, "DELETE FROM segment WHERE sequence=2")),
        ("differs", |dir, _| sql(dir, "UPDATE segment SET bytes=bytes+1 WHERE sequence=2")),
        ("differs", |_, files| {
            let bytes = std::fs::read(&files[1]).unwrap();
            std::fs::write(&files[1], &bytes[..bytes.len() - 1_000]).unwrap();
        }),
        ("bit-rot", |_, files| {
            let mut bytes = std::fs::read(&files[1]).unwrap();
            let last = bytes.len() - 1_000;
            bytes[last] ^= 1;
            std::fs::write(&files[1], bytes).unwrap();
        }),
        ("damaged", |_, files| std::fs::write(&files[1], vec![0; 5_000]).unwrap()),
        ("gap", |dir, _| sql(dir, "UPDATE gap SET cause='shed'")),
    ];
    for (code, accident) in cases {
        let dir = tempfile::tempdir().unwrap();
        let files = recorded(dir.path());
        assert_eq!(found(dir.path()), (vec![], vec![]));
        accident(dir.path(), &files);
        assert_eq!(found(dir.path()), (vec![code], vec![]));
    }
}

fn sql(dir: &Path, text: &str) {
    rusqlite::Connection::open(dir.join("index.db")).unwrap().execute_batch(text).unwrap();
}

#[test]
fn a_damaged_segment_does_not_hide_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let files = recorded(dir.path());
    std::fs::write(&files[1], vec![0; 5_000]).unwrap();
    std::fs::remove_file(&files[2]).unwrap();
    let store = open(dir.path(), at(20));
    let pieces = store.fragments(id(1), at(0), at(9), 99).unwrap();
    let starts: Vec<_> = pieces.iter().map(|p| p.start).collect();
    assert_eq!(starts, [at(0), at(1), at(6), at(7)]);
    assert!(store.export(id(1), at(0), at(9)).is_ok());
}

#[test]
fn one_records_and_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let e = Store::open_read(dir.path()).unwrap_err();
    assert_eq!((e.kind(), e.code()), (Kind::NotFound, Some("no-index")));
    let store = open(dir.path(), START);
    let e = Store::open(dir.path(), Options::default(), START).unwrap_err();
    assert_eq!((e.kind(), e.code()), (Kind::FailedPrecondition, Some("in-use")));
    assert!(e.message().contains(&*dir.path().to_string_lossy()), "{e}");
    put(&store.writer(), Camera::new(1).sends(0, 3));
    store.flush();
    put(&store.writer(), Camera::new(2).sends(0, 1));
    let read = Store::open_read(dir.path()).unwrap();
    assert_eq!(told(&read, id(1)).0, [(0.0, 3.0)]);
    assert_eq!(read.fragments(id(1), at(0), at(9), 9).unwrap().len(), 3);
    assert_eq!(read.export(id(1), at(1), at(2)).unwrap().gaps(), []);
    assert!(read.writer().try_append(Camera::new(1).sends(3, 4).remove(0)).is_err());
    assert_eq!(read.retain().unwrap_err().kind(), Kind::FailedPrecondition);
    // Beside a process that records, what it is doing now is no disagreement.
    let (wrong, noted) = found(dir.path());
    assert_eq!(wrong, [""; 0]);
    assert!(noted.iter().all(|c| *c == "unsealed"), "{noted:?}");
    drop(store);
    assert_eq!(found(dir.path()), (vec![], vec![]));
    let empty = tempfile::tempdir().unwrap();
    let e = check(&empty.path().join("none"), Depth::Tables, &mut |_, _| ()).unwrap_err();
    assert_eq!((e.kind(), e.code()), (Kind::NotFound, Some("no-directory")));
}

#[test]
fn a_directory_of_others_is_not_called_sound() {
    let dir = tempfile::tempdir().unwrap();
    let sound = || check(dir.path(), Depth::Tables, &mut |_, _| ()).map(|report| report.sound());
    let refused = || {
        let e = sound().unwrap_err();
        assert_eq!((e.kind(), e.code()), (Kind::NotFound, Some("no-data")));
        assert!(e.message().contains(&*dir.path().to_string_lossy()), "{e}");
        assert!(e.message().contains("khien serve"), "{e}");
    };
    refused();
    std::fs::create_dir_all(dir.path().join("media/cdrom")).unwrap();
    std::fs::write(dir.path().join("passwd"), "root").unwrap();
    std::fs::write(dir.path().join("lock"), "pid 7").unwrap();
    refused();
    // Ours, though it recorded nothing yet.
    for (name, text) in [("khien.db", ""), ("lock", "khien 1\npid 7\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
        assert!(sound().unwrap(), "{name}");
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let recordings = dir.path().join("media").join(id(1).to_string());
    std::fs::create_dir(&recordings).unwrap();
    assert!(!sound().unwrap(), "recordings without an index");
}
