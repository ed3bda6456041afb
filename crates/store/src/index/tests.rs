use super::*;

fn row(camera: u64, run: u32, sequence: u32, start_s: i64) -> SegmentRow {
    SegmentRow {
        camera: CameraId::from_bits(camera),
        key: SegmentKey { run: RunId(run), sequence },
        start: Wall(start_s * 1_000_000),
        end: Wall((start_s + 60) * 1_000_000),
        bytes: 100,
        sealed: true,
        init: InitKey(u64::MAX - 1),
        params: "avc1.64001f 1920x1080".into(),
    }
}

fn span(from_s: i64, to_s: i64) -> Span {
    Span { from: Wall(from_s * 1_000_000), to: Wall(to_s * 1_000_000) }
}

#[test]
fn rows_read_back_by_time_and_order() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("index.db")).unwrap();
    let rows: Vec<_> = (0..10).map(|i| row(1, 1, i + 1, i64::from(i) * 60)).collect();
    let ops: Vec<_> = rows.iter().cloned().map(Op::Segment).collect();
    index.apply(&ops).unwrap();
    index.apply(&[Op::Segment(row(2, 7, 1, 0))]).unwrap();
    let camera = CameraId::from_bits(1);
    let got = index.segments(camera, Wall(60_000_000), Wall(180_000_000)).unwrap();
    assert_eq!(got, rows[1..3]);
    assert_eq!(index.newest(camera, RunId(9)).unwrap().as_ref(), rows.last());
    assert_eq!(index.last_run(CameraId::from_bits(2)).unwrap(), Some(RunId(7)));
    assert_eq!(index.bytes(None).unwrap(), 1100);
    assert_eq!(index.oldest(camera, 2).unwrap(), rows[..2]);
    assert_eq!(index.sealed_bytes().unwrap(), 1100);
    assert_eq!(index.recorded(camera).unwrap(), Some(span(0, 600)));
    let reader = Index::open_read(&dir.path().join("index.db")).unwrap();
    assert_eq!(reader.all_segments(camera).unwrap(), rows);
    assert_eq!(reader.apply(&ops).unwrap_err().kind(), Kind::FailedPrecondition);
}

#[test]
fn deleting_makes_one_expired_span_and_swallows_its_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("index.db")).unwrap();
    let camera = CameraId::from_bits(1);
    let rows = [row(1, 1, 1, 0), row(1, 2, 1, 100), row(1, 2, 2, 160)];
    let mut ops: Vec<_> = rows.iter().cloned().map(Op::Segment).collect();
    let gap = Gap { from: Wall(60_000_000), to: Some(Wall(100_000_000)), cause: Cause::DiskFull };
    let open = Gap { from: Wall(220_000_000), to: None, cause: Cause::NetworkCut };
    ops.push(Op::Gap(camera, gap, Wall(0)));
    ops.push(Op::Gap(camera, open, Wall(0)));
    index.apply(&ops).unwrap();
    index.intend(&rows[..2]).unwrap();
    assert_eq!(index.intended().unwrap().len(), 2);
    index.deleted(&[(camera, rows[0].key)]).unwrap();
    assert_eq!(index.expired(camera, Wall(0), Wall(i64::MAX)).unwrap(), [span(0, 60)]);
    assert_eq!(index.gaps(camera, Wall(0), Wall(i64::MAX)).unwrap(), [gap, open]);
    index.deleted(&[(camera, rows[1].key), (camera, rows[1].key)]).unwrap();
    assert_eq!(index.expired(camera, Wall(0), Wall(i64::MAX)).unwrap(), [span(0, 160)]);
    assert_eq!(index.gaps(camera, Wall(0), Wall(i64::MAX)).unwrap(), [open]);
    assert_eq!(index.intended().unwrap(), []);
    assert_eq!(index.first_known(camera).unwrap(), Some(Wall(0)));
}

#[test]
fn a_damaged_database_is_data_loss() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    std::fs::write(&path, vec![0x55; 8192]).unwrap();
    assert_eq!(Index::open(&path).unwrap_err().kind(), Kind::DataLoss);
}

#[test]
fn age_goes_by_the_order_of_recording() {
    let camera = CameraId::from_bits(1);
    let day = 86_400;
    // Starts in days, in order of recording; now it is day 100 and 30 days are kept.
    for (days, want) in [
        (&[] as &[i64], 0),
        (&[80, 90], 0),
        (&[10, 20, 80, 90], 2),
        // A clock that was behind for a while: nothing goes before what was recorded earlier.
        (&[80, 0, 90], 0),
        (&[10, 80, 0, 20, 90], 1),
        // One that was ahead: it goes with what follows it, and holds up nothing.
        (&[10, 9_000, 20, 90], 3),
        (&[10, 9_000, 80], 1),
        (&[9_000, 9_001], 0),
        (&[10, 20], 2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(&dir.path().join("index.db")).unwrap();
        let rows: Vec<_> = (1..).zip(days).map(|(run, d)| row(1, run, 1, d * day)).collect();
        let ops: Vec<_> = rows.iter().cloned().map(Op::Segment).collect();
        index.apply(&ops).unwrap();
        let (limit, latest) = (Wall(70 * day * 1_000_000), Wall(100 * day * 1_000_000));
        assert_eq!(index.aged(camera, limit, latest, 99).unwrap(), rows[..want], "{days:?}");
        assert_eq!(index.aged(camera, limit, latest, 1).unwrap().len(), want.min(1), "{days:?}");
    }
}
