use super::*;

fn key() -> SegmentKey {
    SegmentKey { run: RunId(0xab), sequence: 12 }
}

fn entry(n: u64) -> Entry {
    Entry {
        offset: 1000 * n,
        bytes: 900,
        start: Wall(n.cast_signed() * 10),
        end: Wall(n.cast_signed() * 10 + 10),
        decode_time: n,
        frames: 25,
        flags: FLAG_RANDOM_ACCESS,
    }
}

fn mark() -> Mark {
    Mark {
        camera: CameraId::from_bits(7),
        key: key(),
        number: 3,
        start: Wall(-5),
        end: Wall(5),
        decode_time: 90_000,
        frames: 25,
        flags: FLAG_DAMAGED,
        body_bytes: 1234,
        crc: 0xdead_beef,
    }
}

#[test]
fn names_read_back_and_nothing_else_is_a_name() {
    assert_eq!(key().to_string(), "000000ab-00000012");
    assert_eq!(key().to_string().parse(), Ok(key()));
    for bad in ["", "000000ab", "000000AB-00000012", "000000ab-12", "../000ab-00000012"] {
        assert!(bad.parse::<SegmentKey>().is_err(), "{bad}");
    }
    assert_eq!(parse_segment_name("00000012.mp4"), Some(12));
    assert_eq!(parse_segment_name("00000012.mp4~"), None);
    let path = segment_path(Path::new("/d"), CameraId::from_bits(1), key());
    assert_eq!(path, Path::new("/d/media/0000000000000001/000000ab/00000012.mp4"));
}

#[test]
fn boxes_read_back() {
    let header = Header {
        camera: CameraId::from_bits(u64::MAX),
        name: "Sân trước".into(),
        key: key(),
        recorder: 9,
        anchor: Wall(1_000_000),
        primary: 1,
        rate: Rate::VIDEO,
        init: InitKey(5),
    };
    let bytes = header.encode();
    assert_eq!(Header::decode(&bytes[24..]), Some(header.clone()));
    let long = Header { name: "ư".repeat(200), ..header };
    assert_eq!(Header::decode(&long.encode()[24..]).map(|h| h.name.len()), Some(256));

    let mut bytes = Vec::new();
    mark().encode(&mut bytes);
    assert_eq!((bytes.len(), Mark::decode(&bytes)), (MARK_BYTES, Some(mark())));

    let entries = (1..=60).map(entry).collect();
    let footer = Footer { camera: CameraId::from_bits(1), key: key(), flags: 1, entries };
    let bytes = footer.encode();
    assert_eq!(Footer::size_from_tail(&bytes), Some(bytes.len()));
    assert_eq!(Footer::decode(&bytes), Some(footer));
}

#[test]
fn every_damaged_or_cut_box_is_refused() {
    let mut bytes = Vec::new();
    mark().encode(&mut bytes);
    let footer =
        Footer { camera: CameraId::from_bits(1), key: key(), flags: 0, entries: vec![entry(1)] };
    let foot = footer.encode();
    for i in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[i] ^= 0x40;
        assert_eq!(Mark::decode(&bad), None, "mark byte {i}");
        assert_eq!(Mark::decode(&bytes[..i]), None);
    }
    for i in 0..foot.len() - TAIL_BYTES + 4 {
        let mut bad = foot.clone();
        bad[i] ^= 0x40;
        assert_eq!(Footer::decode(&bad), None, "footer byte {i}");
        assert_eq!(Footer::decode(&foot[..i]), None);
    }
    assert_eq!(Footer::size_from_tail(&foot[..foot.len() - 1]), None);
    assert_eq!(Header::decode(&[0, 2, 0, 0]), None);
}
