//! A process that is killed leaves a copy of its directory as it is at that moment, or less.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use std::path::Path;
use std::time::Duration;

use media::{Cause, Wall};
use scene::{Camera, S, START, at, copy_dir, gap, id, open, open_with, put, segments, tick, told};
use store::{Depth, Options, Store, check};

/// Nothing is synced unless somebody asks.
fn lazy() -> Options {
    Options { sync_interval: Duration::from_secs(3_600), segment_us: 4 * S, ..Options::default() }
}

fn sound(dir: &Path) {
    let report = check(dir, Depth::Bytes, &mut |_, _| ()).unwrap();
    assert!(report.sound(), "{:#?}", report.findings);
    let noted: Vec<_> = report.findings.iter().map(|f| f.code).collect();
    assert!(noted.iter().all(|c| *c == "unsealed"), "{noted:?}");
}

#[test]
fn all_that_was_written_is_there_and_the_rest_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let store = open_with(&first, lazy(), START);
    put(&store.writer(), Camera::new(1).sends(0, 6));
    // The fence: everything is written; rows of the first segment are in the index.
    store.flush();
    put(&store.writer(), Camera::new(2).sends(0, 3));
    store.writer().gap_open(id(3), at(2), Cause::CameraAuth);
    while store.stats().fragments < 9 {
        std::thread::yield_now();
    }
    copy_dir(&first, &killed);
    drop(store);

    let after = open(&killed, at(20));
    let crash = gap(6.0, -1.0, "process_crash");
    assert_eq!(told(&after, id(1)), (vec![(0.0, 6.0)], vec![crash]));
    // Nothing of this camera had reached the index.
    assert_eq!(told(&after, id(2)), (vec![(0.0, 3.0)], vec![gap(3.0, -1.0, "process_crash")]));
    sound(&killed);
    let writer = after.writer();
    put(&writer, Camera::new(1).sends(22, 25));
    after.flush();
    let want = (vec![(0.0, 6.0), (22.0, 25.0)], vec![gap(6.0, 22.0, "process_crash")]);
    assert_eq!(told(&after, id(1)), want);
    drop(after);
    sound(&killed);
    assert_eq!(told(&Store::open_read(&killed).unwrap(), id(1)), want);
}

#[test]
fn recording_does_not_wait_for_what_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let store = open_with(&first, lazy(), START);
    put(&store.writer(), Camera::new(1).sends(0, 6));
    store.flush();
    copy_dir(&first, &killed);
    drop(store);
    // Not waiting for recovery: whichever of the two comes first, the same comes out.
    for _ in 0..20 {
        let again = dir.path().join("again");
        copy_dir(&killed, &again);
        let after = Store::open(&again, lazy(), at(20)).unwrap();
        after.writer().gap_open(id(1), at(21), Cause::CameraAddress);
        put(&after.writer(), Camera::new(1).sends(22, 24));
        after.wait_recovered();
        after.flush();
        let gaps = vec![gap(6.0, 21.0, "process_crash"), gap(21.0, 22.0, "camera_address")];
        assert_eq!(told(&after, id(1)), (vec![(0.0, 6.0), (22.0, 24.0)], gaps));
        drop(after);
        sound(&again);
        std::fs::remove_dir_all(&again).unwrap();
    }
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_fragments() {
    let dir = tempfile::tempdir().unwrap();
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let store = open_with(&first, lazy(), START);
    put(&store.writer(), Camera::new(1).sends(0, 3));
    store.flush();
    copy_dir(&first, &killed);
    let pieces = store.fragments(id(1), at(0), at(9), 9).unwrap();
    drop(store);
    let file = segments(&killed).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let init = usize::try_from(pieces[0].offset).unwrap() - 88;
    let ends: Vec<usize> =
        pieces.iter().map(|p| usize::try_from(p.offset + u64::from(p.len)).unwrap()).collect();
    assert_eq!(ends[2], whole.len());
    // In ftyp, in moov, at its end, in a mark, after it, in moof, at the beginning of mdat, in a
    // frame, one byte before and right at the end of a fragment, and of the file.
    let second = ends[0];
    let cuts = [0, 3, 20, 40, init - 1, init, init + 1, init + 87, init + 88, init + 100];
    let more = [second - 1, second, second + 50, second + 88, second + 300, second + 2_000];
    for cut in cuts.into_iter().chain(more).chain([ends[2] - 1, ends[2]]) {
        let again = dir.path().join("again");
        copy_dir(&killed, &again);
        let file = segments(&again).remove(0);
        std::fs::write(&file, &whole[..cut]).unwrap();
        let kept = ends.iter().filter(|e| **e <= cut).count();
        let after = open(&again, at(20));
        let (spans, gaps) = told(&after, id(1));
        let end = kept as f64;
        let want = if kept == 0 { vec![] } else { vec![(0.0, end)] };
        assert_eq!(spans, want, "cut at {cut}");
        assert!(gaps.iter().all(|g| g.2 == "process_crash"), "cut at {cut}: {gaps:?}");
        if kept > 0 {
            assert_eq!(gaps, [gap(end, -1.0, "process_crash")], "cut at {cut}");
            assert_eq!(after.fragments(id(1), at(0), at(9), 9).unwrap(), pieces[..kept]);
            assert!(std::fs::read(&file).unwrap().starts_with(&whole[..ends[kept - 1]]));
        } else {
            assert!(!file.exists(), "cut at {cut}");
        }
        drop(after);
        sound(&again);
        std::fs::remove_dir_all(&again).unwrap();
    }
}

#[test]
fn bytes_torn_by_a_power_cut_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let store = open_with(&first, lazy(), START);
    put(&store.writer(), Camera::new(1).sends(0, 3));
    store.flush();
    copy_dir(&first, &killed);
    drop(store);
    // The length reached the disk, the data of the last block did not; and the machine started
    // anew.
    let file = segments(&killed).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let len = bytes.len();
    bytes[len - 2_000..].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    let lock = std::fs::read_to_string(killed.join("lock")).unwrap();
    let boot = lock.lines().find_map(|l| l.strip_prefix("boot ")).unwrap();
    std::fs::write(killed.join("lock"), lock.replace(boot, "another")).unwrap();
    let after = open(&killed, at(20));
    assert_eq!(told(&after, id(1)), (vec![(0.0, 2.0)], vec![gap(2.0, -1.0, "power_loss")]));
    drop(after);
    sound(&killed);
}

#[test]
fn an_orderly_end_is_no_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), START);
    put(&store.writer(), Camera::new(1).sends(0, 3));
    store.writer().gap_open(id(1), at(3), Cause::NetworkCut);
    tick(&store, 5);
    store.shutdown();
    assert!(store.writer().is_closed());
    assert!(store.writer().try_append(Camera::new(1).sends(3, 4).remove(0)).is_err());
    // What it knows can still be read.
    assert_eq!(told(&store, id(1)).0, [(0.0, 3.0)]);
    drop(store);
    sound(dir.path());
    let again = open(dir.path(), at(50));
    let gaps = vec![gap(3.0, 5.0, "network_cut"), gap(5.0, -1.0, "switched_off")];
    assert_eq!(told(&again, id(1)), (vec![(0.0, 3.0)], gaps.clone()));
    // Still off at the next start: the same gap goes on.
    drop(again);
    let again = open(dir.path(), at(60));
    assert_eq!(told(&again, id(1)).1, gaps);
    assert_eq!(again.open_gap(id(1)).unwrap().map(|g| g.from), Some(at(5)));
    assert_eq!(again.recorded(id(1)).unwrap().map(|s| s.to), Some(at(3)));
}

#[test]
fn a_gap_that_footage_ended_does_not_swallow_it_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (first, killed) = (dir.path().join("first"), dir.path().join("killed"));
    let store = open_with(&first, lazy(), START);
    let mut camera = Camera::new(1);
    let writer = store.writer();
    put(&writer, camera.sends(0, 3));
    writer.gap_open(id(1), at(3), Cause::NetworkCut);
    // The open gap is on the disk, what ends it is not.
    store.flush();
    put(&writer, camera.sends(8, 11));
    while store.stats().fragments < 6 {
        std::thread::yield_now();
    }
    copy_dir(&first, &killed);
    drop(store);
    let after = open(&killed, Wall(at(20).0));
    let gaps = vec![gap(3.0, 8.0, "network_cut"), gap(11.0, -1.0, "process_crash")];
    assert_eq!(told(&after, id(1)), (vec![(0.0, 3.0), (8.0, 11.0)], gaps));
}
