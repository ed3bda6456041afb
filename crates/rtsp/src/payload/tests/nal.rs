//! H.264 and H.265: access units, fragments, markers, parameter sets.

use super::*;

const IDR: &[u8] = &[0x65, 0x88, 0x84, 1];
/// P slices: the first of a picture, and the second.
const P: &[u8] = &[0x41, 0x9a, 0x24, 2];
const P_MORE: &[u8] = &[0x41, 0x5a, 0x24, 3];
const B: &[u8] = &[0x01, 0xa8, 0x10, 4];

fn avc() -> Line {
    Line::new(avc_params())
}

#[test]
fn units_alone_together_and_in_fragments_become_one_access_unit() {
    let mut line = Line::new(Params::Pending(Codec::H264));
    let (sps, pps) = (hex(SPS), hex(PPS));
    let together =
        [&[24_u8][..], &[0, sps.len() as u8], &sps, &[0, pps.len() as u8], &pps].concat();
    line.packet(9, false, &together);
    line.packet(9, false, &[0x06, 5, 1, 0, 0x80]);
    line.packet(9, false, &[0x7c, 0x85, 0x88, 1]);
    line.packet(9, false, &[0x7c, 0x05, 2]);
    assert!(line.units.is_empty());
    line.packet(9, true, &[0x7c, 0x45, 3]);
    let unit = line.unit();
    let expect = prefixed(&[&sps, &pps, &[0x06, 5, 1, 0, 0x80], &[0x65, 0x88, 1, 2, 3]]);
    assert_eq!((unit.timestamp, &unit.data[..]), (9, &expect[..]));
    assert!(unit.random_access && !unit.damaged && !unit.reordered);
    assert_eq!(*unit.params, avc_params());
    line.packet(10, true, P);
    let next = line.unit();
    assert!(!next.random_access && Arc::ptr_eq(&next.params, &unit.params));
    assert_eq!(next.data, prefixed(&[P]));
    line.saw(&[(Quirk::PsInbandOnly, 1)]);
}

#[test]
fn without_parameter_sets_nothing_can_be_joined() {
    let mut line = Line::new(Params::Pending(Codec::H264));
    line.packet(1, true, IDR);
    let unit = line.unit();
    assert!(!unit.random_access);
    assert_eq!(*unit.params, Params::Pending(Codec::H264));
    let mut line = avc();
    line.packet(1, true, IDR);
    assert!(line.unit().random_access);
    line.saw(&[(Quirk::PsSdpOnly, 1)]);
}

#[test]
fn lost_packets_damage_the_picture_they_are_missing_from() {
    let mut line = avc();
    line.packet(1, true, P);
    // The beginning of the second picture is lost, or the end of the first: nobody knows.
    line.after_loss(2, true, P);
    // The end of a fragmented slice.
    line.packet(3, false, P);
    line.packet(3, false, &[0x7c, 0x81, 0x5a, 1]);
    line.after_loss(4, true, P);
    // The middle.
    line.packet(5, false, &[0x7c, 0x81, 0x9a, 1]);
    line.after_loss(5, true, &[0x7c, 0x41, 0x9a, 1]);
    line.packet(6, true, P);
    // The first fragment.
    line.after_loss(7, false, &[0x7c, 0x01, 1]);
    line.packet(7, false, &[0x7c, 0x41, 1]);
    line.packet(7, true, P_MORE);
    line.packet(8, true, P);
    let got: Vec<(u32, bool)> = line.units.iter().map(|u| (u.timestamp, u.damaged)).collect();
    let expect = [(1, false), (2, true), (3, true), (4, true), (6, true), (7, true), (8, false)];
    assert_eq!(got, expect);
    assert_eq!(line.units[2].data, prefixed(&[P]));
    assert_eq!(line.units[5].data, prefixed(&[P_MORE]));
    assert_eq!(line.count(Quirk::FuBroken), 3);
}

#[test]
fn markers_before_the_first_slice_end_nothing() {
    let mut line = avc();
    line.packet(1, true, &hex(SPS));
    line.packet(1, true, &hex(PPS));
    line.packet(1, true, IDR);
    assert_eq!(line.unit().data, prefixed(&[&hex(SPS), &hex(PPS), IDR]));
    line.saw(&[(Quirk::RtpMarkerPs, 2)]);
}

#[test]
fn markers_in_the_middle_are_seen_through() {
    let mut line = avc();
    line.packet(1, true, P);
    line.packet(1, true, P_MORE);
    line.packet(2, true, P);
    assert_eq!(line.unit().data, prefixed(&[P]));
    assert!(line.unit().damaged, "came too late for the first one");
    // From now on they are not believed.
    line.packet(2, true, P_MORE);
    line.packet(3, true, P);
    let unit = line.unit();
    assert_eq!((unit.data, unit.damaged), (prefixed(&[P, P_MORE]).into(), false));
    line.now += PATIENCE;
    assert_eq!(line.depacketizer.deadline(), Some(line.now));
    line.flush();
    assert_eq!(line.unit().data, prefixed(&[P]));
    line.saw(&[(Quirk::RtpMarkerPs, 1)]);
}

#[test]
fn without_markers_time_ends_a_picture() {
    let mut line = avc();
    line.packet(1, false, P);
    assert_eq!(line.depacketizer.deadline(), Some(line.now + PATIENCE));
    line.packet(2, false, P);
    assert_eq!(line.unit().timestamp, 1);
    line.flush();
    assert_eq!(line.unit().timestamp, 2);
    assert_eq!(line.depacketizer.deadline(), None);
    line.saw(&[(Quirk::RtpNoMarker, 2)]);
    // Where markers come, a slow packet is waited for.
    line.packet(3, true, P);
    line.packet(4, false, P);
    assert_eq!(line.depacketizer.deadline(), None);
}

#[test]
fn two_pictures_of_one_time_are_told_apart_by_their_first_slices() {
    let mut line = avc();
    line.packet(1, true, P);
    line.packet(1, true, P);
    line.packet(2, false, P);
    line.packet(2, false, P_MORE);
    line.packet(2, false, &[0x06, 5, 1, 0, 0x80]);
    line.packet(2, true, P);
    let got: Vec<_> = line.units.iter().map(|u| (u.timestamp, u.data.clone(), u.damaged)).collect();
    let unit = |time, units: &[&[u8]]| (time, Bytes::from(prefixed(units)), false);
    let expect = [
        unit(1, &[P]),
        unit(1, &[P]),
        unit(2, &[P, P_MORE]),
        unit(2, &[&[0x06, 5, 1, 0, 0x80], P]),
    ];
    assert_eq!(got, expect);
    line.saw(&[(Quirk::RtpTsSame, 2)]);
}

#[test]
fn sets_with_the_time_of_the_picture_before_go_with_the_next() {
    let mut line = avc();
    line.packet(1, false, P);
    line.packet(1, false, &hex(SPS));
    line.packet(1, true, &hex(PPS));
    line.packet(2, true, IDR);
    assert_eq!(line.unit().data, prefixed(&[P]));
    let unit = line.unit();
    assert_eq!((unit.timestamp, unit.random_access), (2, true));
    assert_eq!(unit.data, prefixed(&[&hex(SPS), &hex(PPS), IDR]));
}

#[test]
fn start_codes_inside_payloads_are_seen_through() {
    let (sps, pps) = (hex(SPS), hex(PPS));
    let code = &[0, 0, 0, 1][..];
    let expect = prefixed(&[&sps, &pps, IDR]);
    let glued = [&sps, code, &pps, &code[1..], IDR].concat();
    let mut line = avc();
    line.packet(1, true, &glued);
    line.packet(2, true, &[code, &glued].concat());
    // The same in fragments.
    line.packet(3, false, &[&[0x7c, 0x87], &glued[1..20]].concat());
    line.packet(3, true, &[&[0x7c, 0x47], &glued[20..]].concat());
    line.packet(4, true, &[&[0, 0, 1], P].concat());
    for _ in 0..3 {
        assert_eq!(line.unit().data, expect);
    }
    assert_eq!(line.unit().data, prefixed(&[P]));
    line.saw(&[(Quirk::NalAnnexb, 4)]);
}

#[test]
fn odd_fragments_are_understood() {
    let mut line = avc();
    // First and last at once; a whole unit inside; a part without content; another type.
    line.packet(1, true, &[0x7c, 0xc1, 0x9a, 7]);
    line.packet(2, true, &[0x7c, 0xc5, 0x65, 0x88, 7]);
    line.packet(3, false, &[0x7c, 0x81, 0x9a, 1]);
    line.packet(3, false, &[0x7c, 0x01]);
    line.packet(3, true, &[0x7c, 0x62, 2]);
    let got: Vec<&[u8]> = line.units.iter().map(|u| &u.data[4..]).collect();
    assert_eq!(got, [&[0x61, 0x9a, 7][..], &[0x65, 0x88, 7], &[0x61, 0x9a, 1, 2]]);
    assert!(line.units.iter().all(|u| !u.damaged));
    let quirks =
        [(Quirk::FuStartEnd, 1), (Quirk::FuType, 1), (Quirk::FuEmpty, 2), (Quirk::PsSdpOnly, 1)];
    line.saw(&quirks);
    // A recovery point begins with the type of its unit.
    let mut line = avc();
    line.packet(1, false, &[0x1c, 0xc6, 6, 1, 0xc4, 0x80]);
    line.packet(1, true, P);
    assert_eq!(line.unit().data, prefixed(&[&[6, 6, 1, 0xc4, 0x80], P]));
    line.saw(&[(Quirk::FuStartEnd, 1), (Quirk::IdrOpen, 1)]);
}

#[test]
fn new_parameter_sets_are_new_parameters() {
    let group = |line: &mut Line, time, sps: &str, pps: &str| {
        line.packet(time, false, &hex(sps));
        line.packet(time, false, &hex(pps));
        line.packet(time, true, IDR);
        line.unit()
    };
    let mut line = avc();
    let first = group(&mut line, 1, SPS, PPS);
    let padded = format!("{SPS}0000");
    let same = group(&mut line, 2, &padded, PPS);
    assert!(Arc::ptr_eq(&first.params, &same.params));
    assert!(same.data.windows(4).any(|w| w == [0x92, 0x40, 0, 0]), "bytes stay as they came");
    assert_eq!(line.count(Quirk::SpsTrailing), 1);
    let other = group(&mut line, 3, OTHER_SPS, OTHER_PPS);
    assert_eq!(other.params.resolution(), Some((640, 362)));
    assert!(other.random_access);
    assert_eq!(line.count(Quirk::SpsFlap), 0, "another size is another matter");
    let flap = group(&mut line, 4, OTHER_SPS, PPS);
    assert!(flap.params != other.params && flap.params.resolution() == Some((640, 362)));
    assert_eq!(line.count(Quirk::SpsFlap), 1);
    // A set that cannot be read: what it cannot say stays.
    let hard = group(&mut line, 5, "6742c016ff", PPS);
    assert!(hard.random_access && hard.params.resolution() == Some((640, 362)));
    assert_eq!(hard.params.codec_string().as_deref(), Some("avc1.42C016"));
    assert_eq!(line.count(Quirk::SpsHard), 1);
}

#[test]
fn b_slices_say_that_the_order_differs() {
    let mut line = avc();
    line.packet(1, true, P);
    line.packet(2, true, B);
    line.packet(3, true, P);
    let got: Vec<bool> = line.units.iter().map(|u| u.reordered).collect();
    assert_eq!(got, [false, true, true]);
    line.saw(&[(Quirk::Bframes, 1)]);
}

#[test]
fn an_access_unit_has_limits() {
    let mut line = avc();
    for _ in 0..NALS_MAX + 5 {
        line.packet(1, false, P_MORE);
    }
    line.packet(1, true, P_MORE);
    let unit = line.unit();
    assert_eq!(unit.data.len(), NALS_MAX * (4 + P_MORE.len()));
    assert!(unit.damaged);
    let big = vec![0x7c; 60_000];
    let first = [&[0x7c, 0x81, 0x9a][..], &big].concat();
    line.packet(2, false, P);
    line.packet(2, false, &first);
    for _ in 0..UNIT_BYTES_MAX / 60_000 + 2 {
        line.packet(2, false, &[&[0x7c, 0x01][..], &big].concat());
    }
    line.packet(2, true, &[0x7c, 0x41, 1]);
    let unit = line.unit();
    assert_eq!((unit.data, unit.damaged), (prefixed(&[P]).into(), true));
    line.packet(3, true, P);
    assert!(!line.unit().damaged);
    // What never has a slice is never given out, and is let go of.
    let mut line = avc();
    for time in 0..2_000 {
        line.packet(time, true, &[0x06, 5, 1, 0, 0x80]);
    }
    line.packet(2_000, true, P);
    let unit = line.unit();
    assert!(unit.damaged && unit.data.len() < NALS_MAX * 16);
}

#[test]
fn modes_that_nobody_uses_are_damage() {
    for payload in [&[25, 0, 0, 0, 1, 0x41][..], &[26, 1], &[27, 1], &[29, 0x81, 0, 0, 1], &[31]] {
        let mut line = avc();
        line.packet(1, false, payload);
        line.packet(1, true, P);
        let unit = line.unit();
        assert_eq!((unit.data, unit.damaged), (prefixed(&[P]).into(), true));
    }
    let mut line = avc();
    line.packet(1, true, &[24, 0, 4, 0x41, 0x9a, 0x24, 2, 0, 9, 1]);
    let unit = line.unit();
    assert_eq!((unit.data, unit.damaged), (prefixed(&[P]).into(), true));
}

#[test]
fn a_broken_time_line_forgets_what_is_incomplete() {
    let mut line = avc();
    line.packet(1, false, P);
    line.depacketizer.reset();
    line.packet(7, true, IDR);
    assert_eq!(line.unit().timestamp, 7);
    assert!(line.units.is_empty());
}

const IDR_W: &[u8] = &[19 << 1, 1, 0x80, 1];
const CRA: &[u8] = &[21 << 1, 1, 0x80, 2];
const RASL: &[u8] = &[9 << 1, 1, 0x80, 3];
const TRAIL: &[u8] = &[1 << 1, 1, 0x80, 4];
const TRAIL_MORE: &[u8] = &[1 << 1, 1, 0x00, 5];

#[test]
fn h265_units_alone_together_and_in_fragments() {
    let mut line = Line::new(Params::Pending(Codec::H265));
    let [vps, sps, pps] = HEVC.map(hex);
    let mut together = vec![48 << 1, 1];
    for set in [&vps, &sps, &pps] {
        together.extend_from_slice(&(set.len() as u16).to_be_bytes());
        together.extend_from_slice(set);
    }
    line.packet(1, false, &together);
    line.packet(1, false, &[49 << 1, 1, 0x80 | 19, 0x80, 1]);
    line.packet(1, false, &[49 << 1, 1, 19, 2]);
    line.packet(1, true, &[49 << 1, 1, 0x40 | 19, 3]);
    let unit = line.unit();
    let slice = [19 << 1, 1, 0x80, 1, 2, 3];
    assert_eq!(unit.data, prefixed(&[&vps, &sps, &pps, &slice]));
    assert!(unit.random_access && *unit.params == hevc_params());
    line.saw(&[(Quirk::PsInbandOnly, 1)]);
    // First and last at once; a whole unit inside; start codes.
    line.packet(2, true, &[49 << 1, 1, 0xc0 | 1, 0x80, 4]);
    line.packet(3, true, &[49 << 1, 1, 0xc0 | 1, 1 << 1, 1, 0x80, 4]);
    line.packet(4, true, &[&[0, 0, 0, 1], TRAIL].concat());
    line.packet(5, true, &[&vps, &[0, 0, 1][..], &sps, &[0, 0, 1], &pps, &[0, 0, 1], CRA].concat());
    for _ in 0..3 {
        assert_eq!(line.unit().data, prefixed(&[TRAIL]));
    }
    assert_eq!(line.unit().data, prefixed(&[&vps, &sps, &pps, CRA]));
    assert_eq!(line.count(Quirk::FuStartEnd), 1);
    assert_eq!(line.count(Quirk::FuEmpty), 1);
    assert_eq!(line.count(Quirk::NalAnnexb), 2);
}

#[test]
fn h265_pictures_are_told_apart() {
    let mut line = Line::new(hevc_params());
    line.packet(1, false, TRAIL);
    line.packet(1, false, TRAIL_MORE);
    line.packet(1, true, TRAIL);
    assert_eq!(line.unit().data, prefixed(&[TRAIL, TRAIL_MORE]));
    assert_eq!(line.unit().data, prefixed(&[TRAIL]));
    line.packet(2, true, &[50 << 1, 1, 0, 0]);
    line.packet(3, true, TRAIL);
    assert!(line.unit().damaged, "PACI");
    line.saw(&[(Quirk::RtpMarkerPs, 1), (Quirk::RtpTsSame, 1)]);
}

#[test]
fn leading_pictures_are_dropped_where_nothing_was_before() {
    let mut line = Line::new(hevc_params());
    let mut time = 0;
    let mut play = |line: &mut Line, pictures: &[&[u8]]| {
        for picture in pictures {
            time += 1;
            line.packet(time, true, picture);
        }
        std::mem::take(&mut line.units).iter().map(|u| u.data[4] >> 1).collect::<Vec<_>>()
    };
    let round = [CRA, RASL, TRAIL, CRA, RASL];
    assert_eq!(play(&mut line, &round), [21, 1, 21, 9]);
    line.depacketizer.reset();
    assert_eq!(play(&mut line, &round), [21, 1, 21, 9]);
    line.depacketizer.reset();
    assert_eq!(play(&mut line, &[IDR_W, TRAIL, CRA, RASL]), [19, 1, 21, 9]);
    assert_eq!(line.count(Quirk::IdrOpen), 5);
    // A CRA that cannot be decoded for want of parameters joins nothing.
    let mut line = Line::new(Params::Pending(Codec::H265));
    assert_eq!(play(&mut line, &[CRA]), [21]);
    let [vps, sps, pps] = HEVC.map(hex);
    line.packet(90, false, &vps);
    line.packet(90, false, &sps);
    line.packet(90, false, &pps);
    line.packet(90, true, CRA);
    assert!(line.unit().random_access);
    assert_eq!(play(&mut line, &[RASL, TRAIL]), [1]);
}

#[test]
fn broken_payloads_do_no_harm() {
    let (sps, pps) = (hex(SPS), hex(PPS));
    let stap = [&[24, 0, 27][..], &sps, &[0, 6], &pps].concat();
    let fragments = [vec![0x7c, 0x85, 0x88, 1, 2], vec![0x7c, 0x05, 3, 4], vec![0x7c, 0x45, 5]];
    torture(&avc_params(), &[&[stap][..], &fragments].concat());
    let [vps, sps, pps] = HEVC.map(hex);
    let ap = [&[96, 1, 0, 24][..], &vps, &[0, 43], &sps, &[0, 7], &pps].concat();
    let fragments = [vec![98, 1, 0x93, 0x80, 1], vec![98, 1, 0x13, 2], vec![98, 1, 0x53, 3]];
    torture(&hevc_params(), &[&[ap][..], &fragments].concat());
}
