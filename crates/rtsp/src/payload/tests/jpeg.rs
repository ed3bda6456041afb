//! JPEG: headers made, tables, sizes.

use media::codec::mjpeg;

use super::*;

/// The payload header of 4:2:0, 32x16.
fn head(offset: u32, kind: u8, q: u8) -> Vec<u8> {
    let [_, a, b, c] = offset.to_be_bytes();
    vec![0, a, b, c, kind, q, 4, 2]
}

fn tables() -> Vec<u8> {
    [&[0, 0, 0, 128][..], &[11; 64], &[22; 64]].concat()
}

fn line() -> Line {
    Line::new(Params::Pending(Codec::Mjpeg))
}

/// The bodies of the segments of this kind.
fn segments(jpeg: &[u8], wanted: u8) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8]).unwrap();
    loop {
        let [0xff, marker, hi, lo, ..] = *rest else { panic!("no segment") };
        let len = usize::from(u16::from_be_bytes([hi, lo]));
        if marker == wanted {
            found.push(rest[4..2 + len].to_vec());
        }
        rest = &rest[2 + len..];
        if marker == 0xda {
            return found;
        }
    }
}

#[test]
fn a_picture_gets_its_header_back() {
    let mut line = line();
    line.packet(1, false, &[&head(0, 1, 255)[..], &tables(), &[1, 2, 3]].concat());
    line.packet(1, true, &[&head(3, 1, 255)[..], &[4, 5]].concat());
    let unit = line.unit();
    assert!(unit.random_access && !unit.damaged);
    assert_eq!(*unit.params, Params::Mjpeg(mjpeg::Params { width: 32, height: 16 }));
    assert_eq!(mjpeg::Params::parse(&unit.data), Ok(mjpeg::Params { width: 32, height: 16 }));
    assert!(unit.data.ends_with(&[0, 63, 0, 1, 2, 3, 4, 5, 0xff, 0xd9]));
    assert_eq!(segments(&unit.data, 0xe0)[0][..5], *b"JFIF\0");
    let quant: Vec<Vec<u8>> = vec![[&[0][..], &[11; 64]].concat(), [&[1][..], &[22; 64]].concat()];
    assert_eq!(segments(&unit.data, 0xdb), quant);
    let frame = [8, 0, 16, 0, 32, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    assert_eq!(segments(&unit.data, 0xc0), [frame]);
    assert_eq!(segments(&unit.data, 0xc4).len(), 4);
    assert!(segments(&unit.data, 0xdd).is_empty());
    line.packet(2, true, &[&head(0, 1, 255)[..], &tables(), &[1, 0xff, 0xd9]].concat());
    let next = line.unit();
    assert!(next.data.ends_with(&[0, 1, 0xff, 0xd9]), "no second end");
    assert!(Arc::ptr_eq(&next.params, &unit.params));
    line.saw(&[]);
}

#[test]
fn restart_intervals_and_sampling() {
    let mut line = line();
    let restart = [1, 4, 0xff, 0xff];
    line.packet(1, false, &[&head(0, 64, 255)[..], &restart, &tables(), &[1]].concat());
    line.packet(1, true, &[&head(1, 64, 255)[..], &restart, &[2]].concat());
    let jpeg = line.unit().data;
    assert_eq!(segments(&jpeg, 0xdd), [[1, 4]]);
    assert_eq!(segments(&jpeg, 0xc0)[0][7], 0x21);
    assert!(jpeg.ends_with(&[1, 2, 0xff, 0xd9]));
}

#[test]
fn tables_are_scaled_sent_or_remembered() {
    let mut line = line();
    let table = |line: &mut Line, q: u8, tables: &[u8]| {
        line.packet(u32::from(q), true, &[&head(0, 1, q)[..], tables, &[1]].concat());
        let unit = line.units.pop()?;
        Some(segments(&unit.data, 0xdb)[0][1..].to_vec())
    };
    // Appendix A: 50 leaves the tables of the standard as they are.
    assert_eq!(table(&mut line, 50, &[]).unwrap()[..4], [16, 11, 12, 14]);
    assert_eq!(table(&mut line, 75, &[]).unwrap()[..4], [8, 6, 6, 7]);
    assert_eq!(table(&mut line, 25, &[]).unwrap()[..4], [32, 22, 24, 28]);
    assert_eq!(table(&mut line, 1, &[]).unwrap()[..4], [255; 4]);
    assert_eq!(table(&mut line, 99, &[]).unwrap()[..4], [1; 4]);
    let none = [0, 0, 0, 0];
    assert_eq!(table(&mut line, 128, &none), None, "not sent yet");
    assert_eq!(table(&mut line, 128, &tables()).unwrap(), [11; 64]);
    assert_eq!(table(&mut line, 128, &none).unwrap(), [11; 64]);
    assert_eq!(table(&mut line, 255, &tables()).unwrap(), [11; 64]);
    assert_eq!(table(&mut line, 255, &none), None, "never remembered");
    assert_eq!(table(&mut line, 0, &[]), None);
    // Sixteen bits.
    let wide = [&[0, 1, 0, 192][..], &[3; 128], &[4; 64]].concat();
    assert_eq!(table(&mut line, 255, &wide).unwrap(), [3; 128]);
}

#[test]
fn a_picture_with_a_hole_is_dropped() {
    let first = [&head(0, 1, 255)[..], &tables(), &[1, 2, 3]].concat();
    let second = [&head(3, 1, 255)[..], &[4, 5]].concat();
    let mut line = line();
    line.packet(1, false, &first);
    line.after_loss(2, false, &first);
    line.packet(2, true, &second);
    let unit = line.unit();
    assert_eq!((unit.timestamp, unit.damaged), (2, true));
    // The first fragment is lost; the middle is lost.
    line.after_loss(3, true, &second);
    line.packet(4, false, &first);
    line.packet(4, true, &[&head(9, 1, 255)[..], &[4, 5]].concat());
    line.packet(5, false, &first);
    line.packet(5, true, &second);
    let unit = line.unit();
    assert_eq!((unit.timestamp, unit.damaged), (5, true));
    assert!(line.units.is_empty());
    // Without a marker, time ends it.
    let mut line = self::line();
    line.packet(6, false, &first);
    assert_eq!(line.depacketizer.deadline(), Some(line.now + PATIENCE));
    line.packet(7, false, &first);
    assert_eq!(line.unit().timestamp, 6);
    line.flush();
    assert_eq!(line.unit().timestamp, 7);
    line.saw(&[(Quirk::RtpNoMarker, 2)]);
}

#[test]
fn pictures_too_large_for_the_header_say_their_size_in_an_extension() {
    let mut start = head(0, 1, 255);
    (start[6], start[7]) = (0, 0);
    let payload = [&start[..], &tables(), &[1, 2]].concat();
    let frame = [8, 5, 160, 10, 0, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1];
    let frame_segment = [&[0xff, 0xc0, 0, 17][..], &frame].concat();
    let quant = [&[0xff, 0xdb, 0, 67, 0][..], &[33; 64], &[0xff, 0xdb, 0, 67, 1], &[44; 64]];
    let filled = [&quant.concat()[..], &frame_segment, &[0xff; 3]].concat();
    let mut line = line();
    line.full(1, true, &payload, Some((0xffd8, &filled)), false);
    let unit = line.unit();
    assert_eq!(unit.params.resolution(), Some((2_560, 1_440)));
    assert_eq!(segments(&unit.data, 0xc0), [frame]);
    assert_eq!(segments(&unit.data, 0xdb)[1], [&[1][..], &[44; 64]].concat());
    assert_eq!(segments(&unit.data, 0xda), [[3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]]);
    // Tables from the payload; a restart interval and Huffman tables from the extension.
    let own = [&frame_segment[..], &[0xff, 0xdd, 0, 4, 0, 7], &[0xff, 0xc4, 0, 3, 0]].concat();
    line.full(2, true, &payload, Some((0xffd8, &own)), false);
    let jpeg = line.unit().data;
    assert_eq!(segments(&jpeg, 0xdb)[0], [&[0][..], &[11; 64]].concat());
    assert_eq!((segments(&jpeg, 0xdd), segments(&jpeg, 0xc4)), (vec![vec![0, 7]], vec![vec![0]]));
    // Without it, or with something else in it, nothing can be told.
    line.packet(3, true, &payload);
    for other in [(0xbede, &filled[..]), (0xffd8, &[][..]), (0xffd8, &filled[..140])] {
        line.full(4, true, &payload, Some(other), false);
    }
    assert!(line.units.is_empty());
    line.saw(&[(Quirk::Jpeg2040, 6)]);
}

#[test]
fn broken_payloads_do_no_harm() {
    let first = [&head(0, 65, 255)[..], &[0, 9, 0xff, 0xff], &tables(), &[1, 2, 3]].concat();
    let second = [&head(3, 65, 255)[..], &[0, 9, 0xff, 0xff], &[4, 5]].concat();
    torture(&Params::Pending(Codec::Mjpeg), &[first, second]);
}
