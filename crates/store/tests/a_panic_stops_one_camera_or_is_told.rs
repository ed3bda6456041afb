//! Our own mistakes: a panic in the writer costs one camera a fragment, one in another thread ends
//! the store where everybody sees it.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod scene;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use media::Cause;
use scene::{Camera, S, START, at, gap, id, open, open_with, put, segments, told};
use store::{Depth, Faults, FaultyDisk, Options, Store, check};

fn faulty(dir: &Path) -> (Store, Arc<Faults>) {
    let (disk, faults) = FaultyDisk::new();
    let options = Options { disk: Arc::new(disk), segment_us: 4 * S, ..Options::default() };
    (open_with(dir, options, START), faults)
}

fn findings(dir: &Path) -> Vec<&'static str> {
    let report = check(dir, Depth::Bytes, &mut |_, _| ()).unwrap();
    report.findings.iter().map(|f| f.code).collect()
}

#[test]
fn a_panic_of_the_writer_is_one_cameras_gap() {
    // In the middle of a segment, while one is created, and while one is sealed.
    for (before, publications) in [(2, 1), (0, 1), (2, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let (store, faults) = faulty(dir.path());
        let (mut camera, mut other) = (Camera::new(1), Camera::new(2));
        let writer = store.writer();
        let mut first = camera.sends(0, if publications == 1 { 5 } else { before });
        let mut second = first.split_off(usize::try_from(before).unwrap());
        if publications == 2 {
            second = camera.sends(before, 5);
        }
        put(&writer, other.sends(0, 2));
        put(&writer, first);
        store.flush();
        faults.panics.store(1, SeqCst);
        put(&writer, second);
        put(&writer, other.sends(2, 5));
        store.flush();
        assert_eq!((store.stats().panics, faults.panics.load(SeqCst)), (1, 0));
        assert!(!store.is_dead() && !writer.is_closed());
        assert_eq!(told(&store, id(2)), (vec![(0.0, 5.0)], vec![]));
        let cut = before as f64;
        let mut spans = vec![(0.0, cut), (cut + 1.0, 5.0)];
        spans.retain(|(from, to)| from < to);
        let want = (spans, vec![gap(cut, cut + 1.0, "process_crash")]);
        assert_eq!(told(&store, id(1)), want);
        // What was let go is adopted while recording goes on.
        writer.end(id(1));
        writer.end(id(2));
        store.flush();
        while !findings(dir.path()).is_empty() {
            store.flush();
        }
        drop(store);
        assert_eq!(findings(dir.path()), [""; 0]);
        assert_eq!(told(&Store::open_read(dir.path()).unwrap(), id(1)), want);
    }
}

#[test]
fn a_thread_that_ends_is_told_and_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, faults) = faulty(dir.path());
    let writer = store.writer();
    put(&writer, Camera::new(1).sends(0, 3));
    store.flush();
    assert!(!store.is_dead());
    // The journal of gaps is the sync thread's.
    faults.panics.store(1, SeqCst);
    writer.gap_open(id(2), at(1), Cause::CameraAuth);
    store.flush();
    while !store.is_dead() {
        std::thread::yield_now();
    }
    let troubles = store.troubles();
    assert_eq!(troubles.iter().map(|t| t.code).collect::<Vec<_>>(), ["dead"]);
    assert!(troubles[0].message.contains("start khien again"), "{}", troubles[0].message);
    assert!(writer.is_closed());
    // None of these waits for ever.
    store.flush();
    store.wait_recovered();
    store.shutdown();
    drop(store);
    assert_eq!(segments(dir.path()).len(), 1);
    let again = open(dir.path(), at(9));
    assert_eq!(told(&again, id(1)), (vec![(0.0, 3.0)], vec![gap(3.0, -1.0, "process_crash")]));
}
