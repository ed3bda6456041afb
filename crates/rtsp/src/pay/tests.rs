use std::sync::Arc;

use media::codec::{Params, g711, h264, h265, opus};
use media::{Rate, Ticks, TrackId};

use super::*;

fn h264_params() -> Params {
    Params::H264(h264::Params {
        sps: Bytes::from_static(&[0x67, 1, 2, 3]),
        pps: Bytes::from_static(&[0x68, 4]),
        width: 16,
        height: 16,
        profile: 66,
        constraints: 0,
        level: 10,
        frame_rate: None,
        reordered: false,
    })
}

fn h265_params() -> Params {
    Params::H265(h265::Params {
        vps: Bytes::from_static(&[0x40, 1, 2]),
        sps: Bytes::from_static(&[0x42, 1, 3]),
        pps: Bytes::from_static(&[0x44, 1, 4]),
        width: 16,
        height: 16,
        profile_tier_level: [0; 12],
        chroma_format: 1,
        luma_bits: 8,
        chroma_bits: 8,
        frame_rate: None,
        reordered: false,
    })
}

fn frame(params: Params, data: impl Into<Bytes>, random_access: bool) -> Frame {
    Frame {
        track: TrackId(0),
        pts: Ticks(-1),
        dts: Ticks(-1),
        wall: Wall(0),
        random_access,
        damaged: false,
        discontinuity: false,
        params: Arc::new(params),
        data: data.into(),
    }
}

fn units(units: &[&[u8]]) -> Vec<u8> {
    let with_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes(), *unit].concat();
    units.iter().flat_map(with_length).collect()
}

fn packetizer(frame: &Frame, mtu: usize) -> Packetizer {
    let track = Track { id: frame.track, rate: Rate::VIDEO, params: frame.params.clone() };
    Packetizer::new(&track, 96, 0x0102_0304, 65_535, 11, mtu).channel(6)
}

/// Payloads and markers; checks the headers on the way.
fn payloads(frame: &Frame, mtu: usize) -> Vec<(bool, Vec<u8>)> {
    let mut packetizer = packetizer(frame, mtu);
    let packets = packetizer.packetize(frame);
    let mut out = Vec::new();
    let mut at = 0;
    for (i, (packet, &end)) in packets.iter().zip(&packets.ends).enumerate() {
        let len = u16::try_from(packet.len()).unwrap().to_be_bytes();
        assert_eq!(packets.data[at..at + 4], [b'$', 6, len[0], len[1]]);
        at += 4 + packet.len();
        assert_eq!(at, end as usize);
        assert!(packet.len() <= mtu, "{} > {mtu}", packet.len());
        let seq = 65_535_u16.wrapping_add(u16::try_from(i).unwrap());
        assert_eq!((packet[0], packet[1] & 0x7f), (0x80, 96));
        assert_eq!(packet[2..4], seq.to_be_bytes());
        assert_eq!(packet[8..12], [1, 2, 3, 4]);
        out.push((packet[1] & 0x80 != 0, packet[12..].to_vec()));
    }
    assert_eq!(at, packets.data.len());
    assert_eq!(packetizer.next_seq(), 65_535_u16.wrapping_add(out.len() as u16));
    let timestamp = |p: &[u8]| u32::from_be_bytes(p[4..8].try_into().unwrap());
    let first = packets.iter().next().map(timestamp);
    assert!(first.is_none_or(|t| t == 10), "media time -1 plus an offset of 11");
    out
}

#[test]
fn h264_small_units_go_together_and_large_ones_apart() {
    let big: Vec<u8> = (0..200).map(|i| if i == 0 { 0x65 } else { i }).collect();
    let data = units(&[&[0x09, 0xf0], &[0x67, 1, 2, 3], &[0x68, 4], &[0x06, 9], &big]);
    let got = payloads(&frame(h264_params(), data, true), 100);
    let together =
        vec![24 | 0x60, 0, 2, 0x09, 0xf0, 0, 4, 0x67, 1, 2, 3, 0, 2, 0x68, 4, 0, 2, 0x06, 9];
    let part = |head: u8, from: usize, to: usize| [&[0x7c, head], &big[from..to]].concat();
    let expect = vec![
        (false, together),
        (false, part(0x85, 1, 87)),
        (false, part(0x05, 87, 173)),
        (true, part(0x45, 173, 200)),
    ];
    assert_eq!(got, expect);
}

#[test]
fn h264_sets_are_put_in_front_of_a_key_frame_without_them() {
    let key: &[u8] = &[0x65, 9];
    let stap = |rest: &[u8]| [&[0x78][..], rest].concat();
    let sets = [0, 4, 0x67, 1, 2, 3, 0, 2, 0x68, 4];
    for (data, random_access, expect) in [
        (units(&[key]), true, stap(&[&sets[..], &[0, 2, 0x65, 9]].concat())),
        (
            units(&[&[0x09, 1], key]),
            true,
            stap(&[&[0, 2, 9, 1][..], &sets, &[0, 2, 0x65, 9]].concat()),
        ),
        (units(&[&[0x41, 9]]), false, vec![0x41, 9]),
        (
            units(&[&[0x67, 7], &[0x68, 8], key]),
            true,
            stap(&[0, 2, 0x67, 7, 0, 2, 0x68, 8, 0, 2, 0x65, 9]),
        ),
    ] {
        assert_eq!(payloads(&frame(h264_params(), data, random_access), 1_400), [(true, expect)]);
    }
}

#[test]
fn h264_of_every_size_around_the_limit() {
    for len in 1..400 {
        let unit = vec![0x41; len];
        let got = payloads(&frame(h264_params(), units(&[&unit]), false), 100);
        let body: usize = got.iter().map(|(_, p)| p.len().saturating_sub(2)).sum();
        assert_eq!(got.iter().filter(|(marker, _)| *marker).count(), 1);
        if len <= 88 {
            assert_eq!(got, [(true, unit)]);
        } else {
            assert_eq!(body, len - 1);
            assert!(got.iter().all(|(_, p)| p[0] & 0x1f == 28 && p[1] & 0xc0 != 0xc0));
        }
    }
    let many: Vec<&[u8]> = vec![&[0x41, 1]; 100];
    let got = payloads(&frame(h264_params(), units(&many), false), 1_400);
    assert_eq!(got.len(), 100_usize.div_ceil(16));
}

#[test]
fn h265_units_and_fragments() {
    let big: Vec<u8> = (0..150).map(|i| [0x26, 0x01].get(i).copied().unwrap_or(i as u8)).collect();
    let got = payloads(&frame(h265_params(), units(&[&[0x46, 1, 0x50], &big]), true), 100);
    let part = |head: u8, from: usize, to: usize| [&[0x62, 0x01, head], &big[from..to]].concat();
    let expect = vec![
        (false, vec![0x46, 1, 0x50]),
        (false, vec![0x40, 1, 2]),
        (false, vec![0x42, 1, 3]),
        (false, vec![0x44, 1, 4]),
        (false, part(0x80 | 19, 2, 87)),
        (true, part(0x40 | 19, 87, 150)),
    ];
    assert_eq!(got, expect);
}

#[test]
fn aac_has_one_header_per_packet_with_the_whole_size() {
    let params = || {
        Params::Aac(media::codec::aac::Params {
            config: Bytes::from_static(&[0x12, 0x10]),
            object_type: 2,
            sample_rate: 44_100,
            channels: 2,
        })
    };
    let unit = vec![7; 100];
    let head = [0, 16, 100 >> 5, (100 << 3) as u8];
    let whole = payloads(&frame(params(), unit.clone(), true), 1_400);
    assert_eq!(whole, [(true, [&head[..], &unit].concat())]);
    let parts = payloads(&frame(params(), unit.clone(), true), 64);
    let sizes: Vec<_> = parts.iter().map(|(m, p)| (*m, p.len(), p[..4] == head)).collect();
    assert_eq!(sizes, [(false, 52, true), (false, 52, true), (true, 8, true)]);
    let mut packetizer = packetizer(&frame(params(), unit, true), 1_400);
    assert!(packetizer.packetize(&frame(params(), vec![0; 8_192], true)).is_empty());
    assert_eq!((packetizer.refused(), packetizer.next_seq()), (1, 65_535));
}

#[test]
fn g711_is_split_with_growing_timestamps() {
    let params = g711::Params { law: Law::A, sample_rate: 8_000, channels: 1 };
    let mut sound = frame(Params::G711(params), vec![0xd5; 100], true);
    sound.discontinuity = true;
    let packets = packetizer(&sound, 64).packetize(&sound);
    let got: Vec<_> = packets.iter().map(|p| (p[1] & 0x80, p.len() - 12, p[7])).collect();
    assert_eq!(got, [(0x80, 52, 10), (0, 48, 62)]);
}

#[test]
fn opus_is_never_split_and_metadata_is() {
    let params = || Params::Opus(opus::Params { channels: 2, pre_skip: 312 });
    let sound = frame(params(), vec![3; 500], true);
    let mut out = packetizer(&sound, 100);
    assert_eq!(out.packetize(&sound).ends, [516]);
    assert!(out.packetize(&frame(params(), vec![3; 70_000], true)).is_empty());
    let xml = vec![b'x'; 100];
    let got = payloads(&frame(Params::Metadata, xml, true), 64);
    assert_eq!(got, [(false, vec![b'x'; 52]), (true, vec![b'x'; 48])]);
}

#[test]
fn broken_frames_do_no_harm() {
    for params in [h264_params(), h265_params(), Params::Metadata] {
        for data in
            [&[][..], &[0], &[0, 0, 0, 0], &[0, 0, 0, 9, 1], &[0xff; 40], &[0, 0, 0, 1, 0x65]]
        {
            let frame = frame(params.clone(), data.to_vec(), true);
            packetizer(&frame, 64).packetize(&frame);
        }
    }
    let video = frame(h264_params(), units(&[&[0x41, 1]]), false);
    let mut out = packetizer(&video, 1_400);
    assert!(out.packetize(&frame(h265_params(), video.data.clone(), false)).is_empty());
    assert_eq!(out.refused(), 1);
}

#[test]
fn the_data_of_a_frame_is_one_allocation() {
    let big = vec![0x65; 100_000];
    let data = units(&[&[0x67, 1, 2, 3], &[0x68, 4], &big]);
    let frame = frame(h264_params(), data, true);
    let mut out = Writer {
        data: Vec::new(),
        ends: Vec::new(),
        header: Header { channel: 0, payload_type: 96, ssrc: 0, seq: 0 },
        timestamp: 0,
        payload_max: 1_388,
        last: 0,
    };
    super::h264::write(&mut out, &frame).unwrap();
    let (len, room) = (out.data.len(), out.data.capacity());
    assert!(room - len < len / 50, "{len} of {room} bytes used");
}

#[test]
fn another_channel_changes_nothing_else() {
    let frame = frame(Params::Metadata, vec![b'$'; 100], true);
    let packets = packetizer(&frame, 64).packetize(&frame);
    let other = packetizer(&frame, 64).channel(200).packetize(&frame);
    assert_eq!(packets.with_channel(200), other.data);
}

#[test]
fn sender_reports_say_what_was_sent_and_when() {
    let xml = frame(Params::Metadata, vec![b'x'; 100], true);
    let mut out = packetizer(&xml, 64).cname("abc");
    out.packetize(&xml);
    let report = out.sender_report(Wall(1_500_000), 0xdead_beef);
    let mut expect = vec![0x80, 200, 0, 6, 1, 2, 3, 4];
    expect.extend_from_slice(&(2_208_988_801_u32).to_be_bytes());
    expect.extend_from_slice(&[0x80, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 2, 0, 0, 0, 100]);
    expect.extend_from_slice(&[0x81, 202, 0, 3, 1, 2, 3, 4, 1, 3, b'a', b'b', b'c', 0, 0, 0]);
    assert_eq!(report, expect);
    for cname in ["", "a", "ab", "abcd", "abcde", "abcdef", &"\u{e9}".repeat(200)] {
        let report = out.clone().cname(cname).sender_report(Wall(0), 0);
        let words = u16::from_be_bytes([report[30], report[31]]);
        assert_eq!(report.len(), 28 + 4 + 4 * usize::from(words), "{cname}");
        assert_eq!(report.last(), Some(&0));
    }
    assert_eq!(interleave(3, &report)[..6], [b'$', 3, 0, 44, 0x80, 200]);
}
