//! The disk fills up, refuses to write or to sync; what was recorded stays, what is missing is
//! told, and recording goes on.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this file is all tests")]

mod scene;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use scene::{Camera, S, START, at, copy_dir, gap, id, open, open_with, put, segments, tick, told};
use store::{Depth, Faults, FaultyDisk, Limits, Options, Store, check};

fn faulty(dir: &Path) -> (Store, Arc<Faults>) {
    let (disk, faults) = FaultyDisk::new();
    let options = Options { disk: Arc::new(disk), segment_us: 4 * S, ..Options::default() };
    (open_with(dir, options, START), faults)
}

fn codes(store: &Store) -> Vec<&'static str> {
    store.troubles().iter().map(|t| t.code).collect()
}

fn wrong(dir: &Path) -> Vec<&'static str> {
    let report = check(dir, Depth::Bytes, &mut |_, _| ()).unwrap();
    report.findings.iter().filter(|f| f.wrong).map(|f| f.code).collect()
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_fragment() {
    // However far the first fragment that does not fit gets.
    for room in [0, 1, 80, 90, 300, 2_000, 5_000] {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = faulty(dir.path());
        let mut camera = Camera::new(1);
        let writer = store.writer();
        put(&writer, camera.sends(0, 2));
        store.flush();
        let before = std::fs::read(&segments(dir.path())[0]).unwrap();
        faults.room_bytes.store(room, SeqCst);
        put(&writer, camera.sends(2, 5));
        store.flush();
        let (spans, gaps) = told(&store, id(1));
        assert_eq!(spans, [(0.0, 2.0)], "{room}");
        assert_eq!(gaps, [gap(2.0, -1.0, "disk_full")], "{room}");
        assert!(codes(&store).contains(&"disk-full"), "{room}: {:?}", store.troubles());
        assert_eq!(store.stats().fragments_lost, 3);
        assert!(std::fs::read(&segments(dir.path())[0]).unwrap().starts_with(&before));
        // Somebody makes room.
        faults.room_bytes.store(u64::MAX, SeqCst);
        put(&writer, camera.sends(5, 7));
        store.flush();
        // Twice: what the journal refused comes with the next batch.
        store.flush();
        let want = (vec![(0.0, 2.0), (5.0, 7.0)], vec![gap(2.0, 5.0, "disk_full")]);
        assert_eq!(told(&store, id(1)), want, "{room}");
        assert_eq!(codes(&store), [""; 0], "{room}");
        // What could not be sealed is sealed with the next look.
        tick(&store, 100);
        drop(store);
        assert_eq!(wrong(dir.path()), [""; 0], "{room}");
        assert_eq!(told(&open(dir.path(), at(8)), id(1)).0, want.0, "{room}");
        assert_eq!(wrong(dir.path()), [""; 0], "{room}");
    }
}

#[test]
fn the_oldest_makes_room_and_nothing_new_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = faulty(dir.path());
    let mut camera = Camera::with_frame_bytes(1, 20_000);
    let writer = store.writer();
    put(&writer, camera.sends(0, 12));
    store.flush();
    assert_eq!(segments(dir.path()).len(), 3);
    writer.end(id(1));
    put(&writer, camera.sends(12, 13));
    store.flush();
    faults.room_bytes.store(150_000, SeqCst);
    put(&writer, camera.sends(13, 16));
    store.flush();
    let (spans, gaps) = told(&store, id(1));
    // As much as the writer needed, no more.
    assert_eq!((spans, gaps), (vec![(4.0, 16.0)], vec![]));
    assert_eq!(store.stats().fragments_lost, 0);
    assert_eq!(store.stats().segments_deleted, 1);
    let line = store.timeline(id(1), at(0), at(99)).unwrap();
    assert_eq!(line.expired.iter().map(|s| (s.from, s.to)).collect::<Vec<_>>(), [(at(0), at(4))]);
    drop(store);
    assert_eq!(wrong(dir.path()), [""; 0]);
}

#[test]
fn a_disk_that_refuses_everything_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = faulty(dir.path());
    let mut camera = Camera::new(1);
    let writer = store.writer();
    put(&writer, camera.sends(0, 3));
    store.flush();
    faults.eio.store(true, SeqCst);
    put(&writer, camera.sends(3, 6));
    writer.end(id(1));
    store.flush();
    assert!(codes(&store).contains(&"disk"), "{:?}", store.troubles());
    // Readers see it though no journal could be written.
    assert_eq!(told(&store, id(1)), (vec![(0.0, 3.0)], vec![gap(3.0, -1.0, "disk_lost")]));
    faults.eio.store(false, SeqCst);
    put(&writer, camera.sends(6, 8));
    store.flush();
    store.flush();
    let want = (vec![(0.0, 3.0), (6.0, 8.0)], vec![gap(3.0, 6.0, "disk_lost")]);
    assert_eq!(told(&store, id(1)), want);
    assert_eq!(codes(&store), [""; 0]);
    drop(store);
    assert_eq!(told(&Store::open_read(dir.path()).unwrap(), id(1)), want);
    assert_eq!(wrong(dir.path()), [""; 0]);
}

/// Waits until the janitor has done what a failed sync asks of it.
fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

#[test]
fn a_sync_that_fails_once_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let (store, faults) = faulty(dir.path());
    let mut camera = Camera::new(1);
    let writer = store.writer();
    faults.sync_failures.store(1, SeqCst);
    put(&writer, camera.sends(0, 3));
    store.flush();
    assert_eq!(store.stats().syncs_failed, 1);
    // The file is not written to any more; what follows goes into the next.
    let saved = |dir: &Path| {
        let read = Store::open_read(dir).unwrap();
        store.flush();
        read.fragments(id(1), at(0), at(3), 9).unwrap().len() == 3
            && check(dir, Depth::Bytes, &mut |_, _| ()).unwrap().findings.is_empty()
    };
    until(|| saved(dir.path()));
    put(&writer, camera.sends(3, 5));
    store.flush();
    assert_eq!(told(&store, id(1)), (vec![(0.0, 5.0)], vec![]));
    assert_eq!(segments(dir.path()).len(), 2);
    copy_dir(dir.path(), copy.path());
    drop(store);
    let after = open(copy.path(), at(9));
    assert_eq!(told(&after, id(1)), (vec![(0.0, 5.0)], vec![gap(5.0, -1.0, "process_crash")]));
}

#[test]
fn syncs_that_go_on_failing_are_told_as_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = faulty(dir.path());
    let mut camera = Camera::new(1);
    let writer = store.writer();
    put(&writer, camera.sends(0, 3));
    store.flush();
    faults.sync_fails.store(true, SeqCst);
    put(&writer, camera.sends(3, 6));
    store.flush();
    assert!(codes(&store).contains(&"sync-failed"), "{:?}", store.troubles());
    let lost = gap(3.0, 6.0, "fsync_error");
    until(|| told(&store, id(1)).1 == [lost.clone()]);
    faults.sync_fails.store(false, SeqCst);
    put(&writer, camera.sends(6, 8));
    store.flush();
    assert_eq!(told(&store, id(1)), (vec![(0.0, 3.0), (6.0, 8.0)], vec![lost]));
    assert!(!codes(&store).contains(&"sync-failed"), "{:?}", store.troubles());
    drop(store);
    assert_eq!(wrong(dir.path()), [""; 0]);
}

#[test]
fn one_write_per_fragment() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = faulty(dir.path());
    let mut camera = Camera::new(1);
    put(&store.writer(), camera.sends(0, 2));
    store.flush();
    let before = faults.appends.load(SeqCst);
    put(&store.writer(), camera.sends(2, 3));
    store.flush();
    // A new publication is a new run: a footer, a head and the fragment.
    assert_eq!(faults.appends.load(SeqCst) - before, 3);
}

/// How many segments are deleted, by this or by the janitor, once the limits are kept.
fn deleted(store: &Store) -> u64 {
    store.retain().unwrap();
    store.stats().segments_deleted
}

/// Ten seconds in five segments of 400 kB on a volume of this size, of which `min` is to be free.
fn on_a_volume(dir: &Path, total: u64, min: u64) -> (Store, Arc<Faults>, Camera) {
    let (disk, faults) = FaultyDisk::new();
    faults.total_bytes.store(total, SeqCst);
    let limits = Limits { free_bytes_min: min, ..Limits::default() };
    let options = Options { disk: Arc::new(disk), limits, segment_us: 2 * S, ..Options::default() };
    let store = open_with(dir, options, START);
    let mut camera = Camera::with_frame_bytes(1, 40_000);
    put(&store.writer(), camera.sends(0, 10));
    store.writer().end(id(1));
    store.flush();
    assert_eq!(segments(dir).len(), 5);
    (store, faults, camera)
}

#[test]
fn of_a_small_volume_at_most_a_twentieth_is_kept_free() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults, _) = on_a_volume(dir.path(), 20_000_000, 2 << 30);
    faults.room_bytes.store(1_000_000, SeqCst);
    assert_eq!((deleted(&store), codes(&store)), (0, vec![]));
    faults.room_bytes.store(900_000, SeqCst);
    assert_eq!((deleted(&store), codes(&store)), (1, vec![]));
    assert_eq!(told(&store, id(1)).0, [(2.0, 10.0)]);
}

#[test]
fn free_space_that_cannot_be_reached_costs_no_recording() {
    // Whatever the share of the volume, others have filled it.
    for (total, min, room) in [
        (1 << 40, 2 << 30, 500 << 20),
        (1 << 40, 2 << 30, 0),
        (40_000_000, 2 << 30, 0),
        // It could be reached, but at most as much is deleted for it as stays.
        (40_000_000, 2 << 30, 700_000),
        (1 << 40, 1_200_000, 200_000),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults, _) = on_a_volume(dir.path(), total, min);
        faults.room_bytes.store(room, SeqCst);
        assert_eq!((deleted(&store), codes(&store)), (0, vec!["space"]), "{total} {min}");
        let message = store.troubles().remove(0).message;
        assert!(message.contains("other files") && message.contains("larger disk"), "{message}");
        tick(&store, 60);
        store.flush();
        assert_eq!(told(&store, id(1)).0, [(0.0, 10.0)]);
        // The others go.
        faults.room_bytes.store(u64::MAX, SeqCst);
        faults.total_bytes.store(20_000_000, SeqCst);
        assert_eq!((deleted(&store), codes(&store)), (0, vec![]));
    }
}

#[test]
fn a_disk_that_others_fill_keeps_as_much_as_fits() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults, mut camera) = on_a_volume(dir.path(), 1 << 40, 2 << 30);
    faults.room_bytes.store(250_000, SeqCst);
    let writer = store.writer();
    // One fragment of 200 kB still fits; then the oldest makes room, one by one.
    for (to, oldest) in [(11, 0.0), (12, 2.0), (13, 2.0), (14, 4.0), (15, 4.0), (16, 6.0)] {
        put(&writer, camera.sends(to - 1, to));
        store.flush();
        store.retain().unwrap();
        assert_eq!(told(&store, id(1)), (vec![(oldest, to as f64)], vec![]), "{to}");
    }
    assert_eq!(store.stats().fragments_lost, 0);
    assert_eq!(codes(&store), ["space"]);
    drop(store);
    assert_eq!(wrong(dir.path()), [""; 0]);
}

#[test]
fn free_space_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, faults) = FaultyDisk::new();
    let limits = Limits { free_bytes_min: 1 << 20, ..Limits::default() };
    let options = Options { disk: Arc::new(disk), limits, segment_us: 2 * S, ..Options::default() };
    let store = open_with(dir.path(), options, START);
    let mut camera = Camera::with_frame_bytes(1, 40_000);
    put(&store.writer(), camera.sends(0, 10));
    store.flush();
    assert_eq!(deleted(&store), 0);
    faults.room_bytes.store(900_000, SeqCst);
    assert_eq!(deleted(&store), 1);
    assert!(store.space().unwrap().free >= 1 << 20);
    assert_eq!(told(&store, id(1)).0, [(2.0, 10.0)]);
}

/// A small volume of its own; unmounted when dropped.
struct Volume(tempfile::TempDir);

impl Volume {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=24m,mode=0700", "khien-test"];
        let output = Command::new("mount").args(options).arg(dir.path()).output().ok()?;
        output.status.success().then_some(Self(dir))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Fills a volume to its last byte.
fn fill(path: &Path) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    for block in [64 << 10, 4096, 512] {
        while file.write_all(&vec![0; block]).is_ok() {}
    }
}

#[test]
fn a_volume_that_others_fill_records_on_in_the_room_that_is_left() {
    let Some(volume) = Volume::mount() else {
        println!("skipped: mounting a small volume needs root");
        return;
    };
    let dir = volume.0.path().join("data");
    let limits = Limits { free_bytes_min: 2 << 30, ..Limits::default() };
    let store = open_with(&dir, Options { limits, segment_us: 2 * S, ..Options::default() }, START);
    let mut camera = Camera::with_frame_bytes(1, 40_000);
    let all = camera.sends(0, 60);
    let mut all = all.into_iter();
    put(&store.writer(), all.by_ref().take(20));
    store.flush();
    // Others take all there is, again and again; for SQLite nothing is free either.
    let ballast = volume.0.path().join("ballast");
    for (n, fragment) in all.enumerate() {
        if n < 5 {
            fill(&ballast);
        }
        put(&store.writer(), [fragment]);
        store.flush();
    }
    assert_eq!(store.stats().fragments_lost, 0);
    let (spans, gaps) = told(&store, id(1));
    assert_eq!((spans.len(), spans[0].1, gaps), (1, 60.0, vec![]));
    std::fs::remove_file(ballast).unwrap();
    store.flush();
    drop(store);
    assert_eq!(wrong(&dir), [""; 0]);
}
