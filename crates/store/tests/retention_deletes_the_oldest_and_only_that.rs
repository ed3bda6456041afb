//! Limits by bytes, days and free space, of all cameras and of one.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use std::collections::BTreeMap;
use std::path::Path;

use scene::{Camera, S, START, at, id, mono, open, open_with, put, segments, tick, told};
use store::registry::Retention;
use store::{Depth, Limits, Options, Store, check};

const DAY: i64 = 86_400;

fn short() -> Options {
    Options { segment_us: 2 * S, ..Options::default() }
}

/// Two cameras, ten seconds each, the second one second later; segments of two seconds.
fn recorded(dir: &Path) -> Store {
    let store = open_with(dir, short(), START);
    put(&store.writer(), Camera::new(1).sends(0, 10));
    put(&store.writer(), Camera::new(2).sends(1, 11));
    store.writer().end(id(1));
    store.writer().end(id(2));
    store.flush();
    assert_eq!(segments(dir).len(), 10);
    store
}

fn sound(dir: &Path) {
    let report = check(dir, Depth::Bytes, &mut |_, _| ()).unwrap();
    assert_eq!(report.findings, []);
}

fn spans(store: &Store) -> [Vec<(f64, f64)>; 2] {
    [told(store, id(1)).0, told(store, id(2)).0]
}

#[test]
fn by_bytes_over_all_cameras() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    let all = store.bytes(None).unwrap();
    let one = std::fs::metadata(&segments(dir.path())[0]).unwrap().len();
    store.set_limits(Limits { bytes_max: Some(all - 2 * one - 1), ..Limits::default() });
    store.retain().unwrap();
    assert_eq!(spans(&store), [vec![(4.0, 10.0)], vec![(3.0, 11.0)]]);
    assert!(store.bytes(None).unwrap() < all - 2 * one);
    assert_eq!(store.stats().segments_deleted, 3);
    let line = store.timeline(id(1), at(-5), at(50)).unwrap();
    assert_eq!(line.expired.iter().map(|s| (s.from, s.to)).collect::<Vec<_>>(), [(at(0), at(4))]);
    assert_eq!(line.gaps, []);
    sound(dir.path());
}

#[test]
fn by_days_as_of_the_time_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    store.set_limits(Limits { days_max: Some(2), ..Limits::default() });
    tick(&store, 2 * DAY);
    assert_eq!(store.retain().unwrap(), 0);
    tick(&store, 2 * DAY + 5);
    store.retain().unwrap();
    // What ended more than two days ago, no more.
    assert_eq!(spans(&store), [vec![(4.0, 10.0)], vec![(5.0, 11.0)]]);
    tick(&store, 400 * DAY);
    store.retain().unwrap();
    assert_eq!(spans(&store), [vec![], vec![]]);
    assert_eq!(segments(dir.path()), [] as [std::path::PathBuf; 0]);
    assert_eq!(store.bytes(None).unwrap(), 0);
    sound(dir.path());
    // Not even a run's directory is left.
    let camera = dir.path().join("media").join(id(1).to_string());
    assert!(std::fs::read_dir(camera).unwrap().all(|e| !e.unwrap().path().is_dir()));
}

#[test]
fn by_limits_of_one_camera() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    let half = store.bytes(Some(id(2))).unwrap() / 2;
    let own = |max_days, max_bytes| Retention { max_days, max_bytes };
    let cameras = BTreeMap::from([(id(2), own(None, Some(half)))]);
    store.set_limits(Limits { cameras, ..Limits::default() });
    store.retain().unwrap();
    assert_eq!(spans(&store), [vec![(0.0, 10.0)], vec![(7.0, 11.0)]]);
    // Days of its own stand instead of the system's.
    let cameras = BTreeMap::from([(id(1), own(Some(9), None))]);
    store.set_limits(Limits { days_max: Some(1), cameras, ..Limits::default() });
    tick(&store, 5 * DAY);
    store.retain().unwrap();
    assert_eq!(spans(&store), [vec![(0.0, 10.0)], vec![]]);
    sound(dir.path());
}

#[test]
fn what_is_being_written_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), Options::default(), START);
    put(&store.writer(), Camera::new(1).sends(0, 5));
    store.flush();
    store.set_limits(Limits { bytes_max: Some(1), days_max: Some(1), ..Limits::default() });
    tick(&store, 99 * DAY);
    assert_eq!(store.retain().unwrap(), 0);
    assert_eq!(told(&store, id(1)).0, [(0.0, 5.0)]);
}

#[test]
fn the_janitor_does_it_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    store.set_limits(Limits { days_max: Some(1), ..Limits::default() });
    tick(&store, 2 * DAY);
    while store.stats().segments_deleted < 10 {
        std::thread::yield_now();
    }
    assert_eq!(spans(&store), [vec![], vec![]]);
}

#[test]
fn a_deletion_that_a_crash_interrupted_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path()).shutdown();
    let files = segments(dir.path());
    // Intended, one of the two removed, then killed.
    let index = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
    for sequence in [1, 2] {
        let sql = "INSERT INTO deleting VALUES(?1, 1, ?2)";
        index.execute(sql, (id(1).to_string(), sequence)).unwrap();
    }
    drop(index);
    std::fs::remove_file(&files[0]).unwrap();
    let report = check(dir.path(), Depth::Tables, &mut |_, _| ()).unwrap();
    assert!(report.sound(), "{report:?}");
    assert_eq!(report.findings.iter().filter(|f| f.code == "deleting").count(), 2);
    let store = open(dir.path(), at(20));
    store.retain().unwrap();
    assert_eq!(told(&store, id(1)).0, [(4.0, 10.0)]);
    assert!(!files[1].exists() && files[2].exists());
    drop(store);
    sound(dir.path());
}

#[test]
fn a_volume_that_is_not_there_is_not_taken_for_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    let media = dir.path().join("media");
    std::fs::rename(&media, dir.path().join("elsewhere")).unwrap();
    store.set_limits(Limits { bytes_max: Some(1), ..Limits::default() });
    let e = store.retain().unwrap_err();
    assert!(e.message().contains("cannot be deleted"), "{e}");
    std::fs::rename(dir.path().join("elsewhere"), &media).unwrap();
    store.set_limits(Limits::default());
    assert_eq!(told(&store, id(1)).0, [(0.0, 10.0)]);
}

fn codes(store: &Store) -> Vec<&'static str> {
    store.troubles().iter().map(|t| t.code).collect()
}

/// How many segments are deleted, by this or by the janitor, once the limits are kept.
fn deleted(store: &Store) -> u64 {
    store.retain().unwrap();
    store.stats().segments_deleted
}

#[test]
fn a_clock_that_jumps_ahead_deletes_nothing_for_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = recorded(dir.path());
    store.set_limits(Limits { days_max: Some(30), ..Limits::default() });
    tick(&store, 11);
    // A year in a second.
    store.tick(at(365 * DAY), mono(12));
    assert_eq!(deleted(&store), 0);
    assert_eq!(codes(&store), ["clock"]);
    // Other limits hold as ever.
    let (all, days_max) = (store.bytes(None).unwrap(), Some(30));
    store.set_limits(Limits { bytes_max: Some(all - 1), days_max, ..Limits::default() });
    assert_eq!(deleted(&store), 1);
    // It is put right.
    tick(&store, 20);
    assert_eq!(deleted(&store), 1);
    assert_eq!(codes(&store), [""; 0]);
    // It jumps again, and stays there.
    store.tick(at(365 * DAY), mono(30));
    assert_eq!(deleted(&store), 1);
    store.tick(at(366 * DAY), mono(30 + DAY));
    assert_eq!(deleted(&store), 10);
    assert_eq!(codes(&store), [""; 0]);
    assert_eq!(spans(&store), [vec![], vec![]]);
}

#[test]
fn a_start_with_a_wrong_clock_deletes_nothing_and_a_restart_is_no_excuse() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path()).shutdown();
    let limits = Limits { days_max: Some(30), ..Limits::default() };
    let far = 400 * DAY;
    let again = |from: i64| {
        let store = open_with(dir.path(), Options { limits: limits.clone(), ..short() }, at(from));
        store.tick(at(from), mono(0));
        store
    };
    let store = again(far);
    assert_eq!((deleted(&store), codes(&store)), (0, vec!["clock"]));
    // What is recorded now has the wrong time, and does not prove it right.
    put(&store.writer(), Camera::new(1).sends(far, far + 4));
    store.writer().end(id(1));
    store.flush();
    assert_eq!(deleted(&store), 0);
    drop(store);
    let store = again(far + 5);
    assert_eq!((deleted(&store), codes(&store)), (0, vec!["clock"]));
    store.tick(at(far + 5 + DAY), mono(DAY));
    assert_eq!((deleted(&store), codes(&store)), (10, vec![]));
    drop(store);
    let store = again(far + 2 * DAY);
    assert_eq!((deleted(&store), codes(&store)), (0, vec![]));
    // A camera that was off for long is no wrong clock: time has passed by both.
    store.tick(at(far + 20 * DAY), mono(18 * DAY));
    store.tick(at(far + 40 * DAY), mono(38 * DAY));
    assert_eq!((deleted(&store), codes(&store)), (2, vec![]));
}

#[test]
fn the_oldest_is_what_was_recorded_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), short(), START);
    let record = |n: u64, from: i64| {
        put(&store.writer(), Camera::new(n).sends(from, from + 4));
        store.writer().end(id(n));
        store.flush();
    };
    // The first camera's clock was ahead at first, then put right.
    record(1, 500);
    record(1, 0);
    record(2, 200);
    tick(&store, 1_000);
    let one = std::fs::metadata(&segments(dir.path())[0]).unwrap().len();
    let go = |segments: u64| {
        let max = store.bytes(None).unwrap() - segments * one;
        store.set_limits(Limits { bytes_max: Some(max), ..Limits::default() });
        store.retain().unwrap();
    };
    let own = |max_bytes| Retention { max_days: None, max_bytes: Some(max_bytes) };
    let cameras = BTreeMap::from([(id(1), own(3 * one))]);
    store.set_limits(Limits { cameras, ..Limits::default() });
    assert_eq!(deleted(&store), 1);
    assert_eq!(spans(&store), [vec![(0.0, 4.0), (502.0, 504.0)], vec![(200.0, 204.0)]]);
    // Between cameras the earlier goes first, in each what was recorded first.
    go(1);
    assert_eq!(spans(&store), [vec![(0.0, 4.0), (502.0, 504.0)], vec![(202.0, 204.0)]]);
    go(2);
    assert_eq!(spans(&store), [vec![(0.0, 4.0)], vec![]]);
    sound(dir.path());
}

#[test]
fn footage_from_the_future_does_not_outlive_all_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), short(), START);
    for (n, from) in [(1, 900 * DAY), (1, 10), (2, 10)] {
        put(&store.writer(), Camera::new(n).sends(from, from + 4));
        store.writer().end(id(n));
    }
    store.flush();
    tick(&store, 20);
    let one = std::fs::metadata(&segments(dir.path())[0]).unwrap().len();
    store.set_limits(Limits { bytes_max: Some(4 * one), ..Limits::default() });
    assert_eq!(deleted(&store), 2);
    assert_eq!(spans(&store), [vec![(10.0, 14.0)], vec![(10.0, 14.0)]]);
}
