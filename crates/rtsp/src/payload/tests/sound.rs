//! AAC, G.711, Opus and metadata.

use media::codec::{aac, g711, opus};

use super::*;

fn aac_params() -> Params {
    // AAC-LC, 16 kHz, one channel.
    Params::Aac(aac::Params::parse_config(&[0x14, 0x08]).unwrap())
}

fn aac_line() -> Line {
    Line::with_rate(aac_params(), 16_000)
}

/// An ADTS header for `len` bytes of AAC-LC at 16 kHz in one channel.
fn adts(len: usize) -> [u8; 7] {
    let len = len + 7;
    [0xff, 0xf1, 0x60, 0x40 | (len >> 11) as u8, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc]
}

#[test]
fn access_units_of_one_packet_have_their_own_times() {
    let mut line = aac_line();
    line.packet(100, true, &[0, 48, 0, 2 << 3, 0, 3 << 3, 0, 1 << 3, 1, 2, 3, 4, 5, 6]);
    let got: Vec<_> = line.units.iter().map(|u| (u.timestamp, u.data.to_vec())).collect();
    assert_eq!(got, [(100, vec![1, 2]), (1_124, vec![3, 4, 5]), (2_148, vec![6])]);
    assert!(line.units.iter().all(|u| u.random_access && !u.damaged));
    line.saw(&[]);
    // A clock that is not that of the samples.
    let mut line = Line::with_rate(aac_params(), 8_000);
    line.packet(0, true, &[0, 32, 0, 1 << 3, 0, 1 << 3, 1, 2]);
    assert_eq!(line.units[1].timestamp, 512);
}

#[test]
fn an_access_unit_over_several_packets_is_put_together() {
    let mut line = aac_line();
    let head = [0, 16, 0, 5 << 3];
    line.packet(1, false, &[&head[..], &[1, 2]].concat());
    line.packet(1, false, &[&head[..], &[3, 4]].concat());
    line.packet(1, true, &[&head[..], &[5]].concat());
    assert_eq!(line.unit().data[..], [1, 2, 3, 4, 5]);
    line.saw(&[(Quirk::AacFrag, 1)]);
    // With its end lost, the next one is marked.
    line.packet(2, false, &[&head[..], &[1, 2]].concat());
    line.packet(3, true, &[0, 16, 0, 1 << 3, 9]);
    let unit = line.unit();
    assert_eq!((unit.timestamp, unit.damaged), (3, true));
    line.packet(4, false, &[&head[..], &[1, 2]].concat());
    line.after_loss(4, true, &[&head[..], &[5]].concat());
    line.packet(5, true, &[0, 16, 0, 1 << 3, 9]);
    let unit = line.unit();
    assert_eq!((unit.timestamp, unit.damaged), (5, true));
    assert!(line.units.is_empty());
}

#[test]
fn adts_headers_are_taken_off() {
    let inside = [&[0, 16, 0, 10 << 3][..], &adts(3), &[1, 2, 3]].concat();
    let bare = [&adts(3)[..], &[1, 2, 3]].concat();
    let two = [&bare[..], &adts(1), &[4]].concat();
    let mut line = aac_line();
    line.packet(1, true, &inside);
    line.packet(2, true, &bare);
    line.packet(3, true, &two);
    let got: Vec<_> = line.units.iter().map(|u| (u.timestamp, u.data.to_vec())).collect();
    let whole = vec![1, 2, 3];
    assert_eq!(got, [(1, whole.clone()), (2, whole.clone()), (3, whole), (1_027, vec![4])]);
    let first = line.units[0].params.clone();
    assert!(line.units.iter().all(|u| Arc::ptr_eq(&u.params, &first)));
    line.saw(&[(Quirk::AacAdts, 4)]);
    // Bare over two packets.
    let mut line = aac_line();
    line.packet(1, false, &bare[..8]);
    line.packet(1, true, &bare[8..]);
    assert_eq!(line.unit().data[..], [1, 2, 3]);
    // What they say wins over the SDP.
    let wrong = Params::Aac(aac::Params::parse_config(&[0x12, 0x10]).unwrap());
    for params in [wrong, Params::Pending(Codec::Aac)] {
        let mut line = Line::with_rate(params, 16_000);
        line.packet(1, true, &inside);
        assert_eq!(*line.unit().params, aac_params());
    }
    // The rate of the core is no disagreement.
    let sbr = Params::Aac(aac::Params::parse_config(&[0x2c, 0x0a, 0x88, 0x00]).unwrap());
    assert_eq!(sbr.audio(), Some((32_000, 1)));
    let mut line = Line::with_rate(sbr.clone(), 32_000);
    line.packet(1, true, &inside);
    assert_eq!(*line.unit().params, sbr);
}

#[test]
fn wrong_aac_sizes_are_damage() {
    let mut line = aac_line();
    for payload in [
        &[][..],
        &[0],
        &[0, 0, 1],
        &[0, 32, 0, 1 << 3, 0, 9 << 3, 1, 2],
        &[0xff, 0xff, 1, 2, 3],
        &[0, 8, 1, 2],
    ] {
        line.packet(1, true, payload);
    }
    assert_eq!(line.unit().data[..], [1], "what is whole is used");
    line.packet(2, true, &[0, 16, 0, 1 << 3, 7]);
    assert!(line.unit().damaged);
    let many = [&[4, 16][..], &[0, 8].repeat(65), &[1; 65]].concat();
    line.packet(3, true, &many);
    assert!(line.units.is_empty(), "more units than any packet holds");
    let bytes = [&[0, 32, 0, 2 << 3, 0, 1 << 3][..], &adts(3), &[1, 2, 3]].concat();
    torture(&aac_params(), &[bytes, [&adts(9)[..], &[1, 2]].concat(), vec![3, 4, 5]]);
}

#[test]
fn samples_and_packets_pass_through_whole() {
    let law = g711::Params { law: g711::Law::Mu, sample_rate: 8_000, channels: 1 };
    let opus = opus::Params { channels: 2, pre_skip: 0 };
    for params in [Params::G711(law), Params::Opus(opus)] {
        let mut line = Line::with_rate(params.clone(), 8_000);
        for len in [1_usize, 160, 1_000, 1_600] {
            let payload = vec![len as u8; len];
            line.packet(len as u32, false, &payload);
            let unit = line.unit();
            assert_eq!((unit.timestamp, &unit.data[..]), (len as u32, &payload[..]));
            assert!(unit.random_access && !unit.damaged && *unit.params == params);
        }
        line.packet(1, false, &[]);
        line.after_loss(2, false, &[]);
        assert!(line.units.is_empty());
        line.packet(3, false, &[1]);
        assert!(line.unit().damaged);
        line.packet(4, false, &[1]);
        assert!(!line.unit().damaged);
        line.depacketizer.reset();
        line.flush();
        line.saw(&[]);
    }
}

#[test]
fn documents_are_put_together() {
    let mut line = Line::new(Params::Metadata);
    line.packet(1, false, b"<a>");
    line.packet(1, true, b"</a>");
    assert_eq!(line.unit().data[..], *b"<a></a>");
    // Without a marker, the next time ends it.
    line.packet(2, false, b"<b/>");
    line.packet(3, false, b"\xef\xbb\xbf <c/>");
    assert_eq!((line.unit().timestamp, line.units.len()), (2, 0));
    line.flush();
    assert_eq!(line.unit().timestamp, 3);
    // With a hole it is of no use.
    line.packet(4, false, b"<d>");
    line.after_loss(4, true, b"</d>");
    assert!(line.units.is_empty());
    line.after_loss(5, true, b"</e>");
    assert!(line.units.is_empty());
    line.after_loss(6, true, b"<f/>");
    let unit = line.unit();
    assert_eq!((unit.timestamp, unit.damaged), (6, true));
    line.packet(7, true, b"<g/>");
    assert!(!line.unit().damaged);
    // Too long.
    for _ in 0..40 {
        line.packet(8, false, &[b'<'; 60_000]);
    }
    line.packet(8, true, b"x");
    line.packet(9, true, b"<h/>");
    assert_eq!(line.unit().timestamp, 9);
    assert!(line.units.is_empty());
}
