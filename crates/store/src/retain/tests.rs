use media::RunId;

use super::*;
use crate::format::InitKey;
use crate::index::Op;

fn row(camera: u64, run: u32, start: i64) -> SegmentRow {
    SegmentRow {
        camera: CameraId::from_bits(camera),
        key: SegmentKey { run: RunId(run), sequence: 1 },
        start: Wall(start),
        end: Wall(start + 10),
        bytes: 100,
        sealed: true,
        init: InitKey(0),
        params: String::new(),
    }
}

#[test]
fn as_much_as_must_go_and_no_more() {
    let rows = || vec![row(1, 1, 0), row(1, 2, 10), row(1, 3, 20)];
    for (bytes, want) in [(0, 0), (1, 1), (100, 1), (101, 2), (10_000, 3)] {
        assert_eq!(choose(rows(), bytes).len(), want, "{bytes}");
    }
}

/// Which (camera, run) go, in order, until nothing is left.
fn order(starts: &[(u64, u32, i64)], now: i64) -> Vec<(u64, u32)> {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("index.db")).unwrap();
    let ops: Vec<Op> = starts.iter().map(|s| Op::Segment(row(s.0, s.1, s.2))).collect();
    index.apply(&ops).unwrap();
    let mut gone = Vec::new();
    loop {
        let rows = oldest_of_all(&index, Wall(now), 1).unwrap();
        let Some(row) = rows.first() else { return gone };
        assert_eq!(rows.len(), 1);
        gone.push((row.camera.to_bits(), row.key.run.0));
        index.deleted(&[(row.camera, row.key)]).unwrap();
    }
}

#[test]
fn cameras_take_turns_by_time_and_keep_their_own_order() {
    let all = [(1, 1, 0), (1, 2, 20), (2, 1, 10), (2, 2, 30)];
    assert_eq!(order(&all, 99), [(1, 1), (2, 1), (1, 2), (2, 2)]);
    // A clock that was behind: the earlier time waits for its turn.
    let all = [(1, 1, 20), (1, 2, 0), (2, 1, 10), (2, 2, 30)];
    assert_eq!(order(&all, 99), [(2, 1), (1, 1), (1, 2), (2, 2)]);
    // One that was ahead: it goes when it is the oldest of its camera.
    let all = [(1, 1, AHEAD_US_MAX + 900), (1, 2, 20), (2, 1, 10), (2, 2, 30)];
    assert_eq!(order(&all, 99), [(1, 1), (2, 1), (1, 2), (2, 2)]);
    // One that is behind now: no camera is emptied before the others.
    let all = [(1, 1, 10), (1, 2, 30), (2, 1, 20), (2, 2, 40)];
    assert_eq!(order(&all, -AHEAD_US_MAX), [(1, 1), (2, 1), (1, 2), (2, 2)]);
}

#[test]
fn more_than_is_looked_at_keeps_the_order() {
    let cameras = u64::try_from(BATCH / EACH_MIN).unwrap() + 1;
    let rows: u32 = 3 * u32::try_from(EACH_MIN).unwrap();
    // The first camera's are the oldest, more of them than are looked at at once.
    let mut all: Vec<(u64, u32, i64)> = (1..=rows).map(|run| (1, run, run.into())).collect();
    all.extend((2..=cameras).map(|camera| (camera, 1, 1_000)));
    let gone = order(&all, 9_999);
    assert_eq!(gone.len(), all.len());
    assert!(gone[..24].iter().enumerate().all(|(i, g)| *g == (1, i as u32 + 1)), "{gone:?}");
}
