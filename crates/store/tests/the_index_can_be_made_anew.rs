//! The index is a cache: without it, or with a damaged one, the files and journals tell the same.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use std::path::Path;

use media::{Cause, Gap};
use scene::{Camera, S, START, at, id, open, open_with, put, told};
use store::{Depth, Limits, Options, Store, check};

const CAMERAS: [u64; 3] = [1, 2, 3];

/// Holes of every kind, two cameras, several runs, and an expired beginning.
fn recorded(dir: &Path) -> Store {
    let store = open_with(dir, Options { segment_us: 3 * S, ..Options::default() }, START);
    let writer = store.writer();
    let (mut one, mut two) = (Camera::new(1), Camera::new(2));
    put(&writer, one.sends(0, 5));
    writer.gap_open(id(1), at(5), Cause::NetworkCut);
    writer.gap_open(id(1), at(7), Cause::CameraAuth);
    put(&writer, one.sends(9, 14));
    writer.gap(id(1), Gap { from: at(14), to: Some(at(16)), cause: Cause::Shed });
    put(&writer, one.sends(16, 20));
    put(&writer, two.sends(3, 8));
    writer.end(id(2));
    writer.gap_open(id(2), at(8), Cause::CameraSilent);
    writer.gap_open(id(3), at(4), Cause::CameraAddress);
    store.flush();
    store
}

fn all(store: &Store) -> Vec<store::Timeline> {
    CAMERAS.iter().map(|n| store.timeline(id(*n), at(-99), at(99)).unwrap()).collect()
}

fn sound(dir: &Path) {
    let report = check(dir, Depth::Bytes, &mut |_, _| ()).unwrap();
    assert_eq!(report.findings, []);
    assert!(report.segments >= 8 && report.fragments >= 19 && report.gaps >= 5, "{report:?}");
}

/// The time line before, and after the index met with `accident`; both after an orderly end.
fn survives(accident: impl Fn(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path()).shutdown();
    let before = all(&Store::open_read(dir.path()).unwrap());
    sound(dir.path());
    accident(dir.path());
    assert!(!check(dir.path(), Depth::Tables, &mut |_, _| ()).unwrap().sound());
    let store = open(dir.path(), at(50));
    store.flush();
    let again = all(&store);
    for (before, again) in before.iter().zip(&again) {
        assert_eq!(again.spans, before.spans);
        assert_eq!(again.expired, before.expired);
        // This start adds what it knows of itself behind all that.
        let closed = |t: &store::Timeline| -> Vec<Gap> {
            t.gaps.iter().copied().filter(|g| g.to.is_some_and(|to| to < at(20))).collect()
        };
        let want = closed(before);
        assert_eq!(closed(again)[..want.len()], want);
    }
    drop(store);
    sound(dir.path());
}

#[test]
fn when_it_is_missing() {
    survives(|dir| {
        for side in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.join(format!("index.db{side}")));
        }
    });
}

#[test]
fn when_it_is_damaged() {
    survives(|dir| {
        let path = dir.join("index.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let len = bytes.len();
        bytes[100..len / 2].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
    });
}

#[test]
fn when_it_is_no_database() {
    survives(|dir| std::fs::write(dir.join("index.db"), vec![7; 9_999]).unwrap());
}

#[test]
fn while_cameras_are_recording() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path()).shutdown();
    let before = told(&Store::open_read(dir.path()).unwrap(), id(1));
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let store = Store::open(dir.path(), Options::default(), at(50)).unwrap();
    put(&store.writer(), Camera::new(1).sends(51, 53));
    store.wait_recovered();
    store.flush();
    let (spans, gaps) = told(&store, id(1));
    let mut want = before;
    want.0.push((51.0, 53.0));
    want.1.push(scene::gap(20.0, 51.0, "switched_off"));
    assert_eq!((spans, gaps), want);
    drop(store);
    sound(dir.path());
}

#[test]
fn what_expired_stays_expired() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    // Leaves about eight seconds of each.
    let bytes = store.bytes(None).unwrap();
    store.set_limits(Limits { bytes_max: Some(bytes / 2), ..Limits::default() });
    store.retain().unwrap();
    let before = all(&store);
    assert!(before.iter().any(|t| !t.expired.is_empty()), "{before:?}");
    store.shutdown();
    drop(store);
    std::fs::remove_file(dir.path().join("index.db")).unwrap();
    let again = all(&open(dir.path(), at(50)));
    for (before, again) in before.iter().zip(&again) {
        assert_eq!((&again.spans, &again.expired), (&before.spans, &before.expired));
        let old = before.gaps.iter().filter(|g| g.to.is_some_and(|to| to < at(20))).count();
        assert_eq!(again.gaps[..old], before.gaps[..old]);
    }
}
