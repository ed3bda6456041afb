//! What `pay` takes apart comes out of here as it was.

use media::codec::{aac, g711, opus};
use media::{Frame, Ticks, Track, TrackId, Wall};

use super::*;
use crate::pay::Packetizer;

fn frame(params: &Arc<Params>, time: i64, data: Vec<u8>, random_access: bool) -> Frame {
    Frame {
        track: TrackId(0),
        pts: Ticks(time),
        dts: Ticks(time),
        wall: Wall(0),
        random_access,
        damaged: false,
        discontinuity: false,
        params: Arc::clone(params),
        data: data.into(),
    }
}

/// Sends every frame in packets of every size, and checks what comes out.
fn check(params: Params, frames: &[(Vec<u8>, bool)], mtus: &[usize]) {
    let params = Arc::new(params);
    for &mtu in mtus {
        let track = Track { id: TrackId(0), rate: Rate::VIDEO, params: Arc::clone(&params) };
        let mut packetizer = Packetizer::new(&track, 96, 1, 65_000, 0, mtu);
        let mut line = Line::new((*params).clone());
        for (time, (data, key)) in (0_i64..).zip(frames) {
            let sent = frame(&params, time * 3_000, data.clone(), *key);
            let packets = packetizer.packetize(&sent);
            assert!(!packets.is_empty(), "{mtu}: refused");
            for bytes in packets.iter() {
                let packet = Packet::parse(bytes).unwrap();
                line.depacketizer.push(line.now, &packet, false, &mut line.quirks);
            }
            line.take();
            let unit = line.unit();
            assert_eq!(unit.data, sent.data, "{mtu}");
            assert_eq!((i64::from(unit.timestamp), unit.random_access), (time * 3_000, *key));
            assert!(!unit.damaged && *unit.params == *params, "{mtu}");
            assert!(line.units.is_empty());
        }
        assert!(line.quirks.is_empty(), "{mtu}: {:?}", line.quirks.list());
    }
}

/// A slice of a length, without anything that looks like a start code.
fn slice(head: &[u8], len: usize) -> Vec<u8> {
    let body = (0..len).map(|i| (i % 250 + 4) as u8);
    head.iter().copied().chain(body).collect()
}

const MTUS: [usize; 5] = [80, 200, 1_400, 8_192, 65_535];

#[test]
fn h264() {
    let (sps, pps) = (hex(SPS), hex(PPS));
    let idr = slice(&[0x65, 0x88], 5_000);
    let key = prefixed(&[&[0x09, 0xf0], &sps, &pps, &[0x06, 5, 1, 0, 0x80], &idr]);
    let two = prefixed(&[&slice(&[0x41, 0x9a], 70), &slice(&[0x41, 0x5a], 300)]);
    let mut frames = vec![(key, true), (two, false)];
    frames.extend((1..200).step_by(7).map(|n| (prefixed(&[&slice(&[0x41, 0x9a], n)]), false)));
    check(avc_params(), &frames, &MTUS);
}

#[test]
fn h265() {
    let [vps, sps, pps] = HEVC.map(hex);
    let key = prefixed(&[&[70, 1, 0x50], &vps, &sps, &pps, &slice(&[38, 1, 0xa0], 5_000)]);
    let two = prefixed(&[&slice(&[2, 1, 0x80], 70), &slice(&[2, 1, 0x20], 300)]);
    let mut frames = vec![(key, true), (two, false)];
    frames.extend((1..200).step_by(7).map(|n| (prefixed(&[&slice(&[2, 1, 0x80], n)]), false)));
    check(hevc_params(), &frames, &MTUS);
}

#[test]
fn sound_and_documents() {
    let sizes = |max| (1..max).step_by(max / 9 + 1).map(|n| (slice(&[0x21], n), true)).collect();
    let all: Vec<_> = sizes(8_000);
    let opus = Params::Opus(opus::Params { channels: 2, pre_skip: 0 });
    check(opus, &all, &MTUS);
    check(Params::Metadata, &[(b"<a><b/></a>".repeat(900), true)], &MTUS);
    // What fits a packet comes out as it was; more is several units, all of it.
    let law = g711::Params { law: g711::Law::A, sample_rate: 8_000, channels: 1 };
    check(Params::G711(law), &[(slice(&[1], 1_000), true)], &MTUS[2..]);
}

#[test]
fn aac_whole_and_in_parts() {
    let params = Params::Aac(aac::Params::parse_config(&[0x14, 0x08]).unwrap());
    check(params.clone(), &[(slice(&[0x21], 300), true), (slice(&[0x21], 9), true)], &MTUS[2..]);
    let params = Arc::new(params);
    let track = Track { id: TrackId(0), rate: Rate::VIDEO, params: Arc::clone(&params) };
    let mut packetizer = Packetizer::new(&track, 96, 1, 0, 0, 100);
    let sent = frame(&params, 0, slice(&[0x21], 700), true);
    let mut line = Line::new((*params).clone());
    for bytes in packetizer.packetize(&sent).iter() {
        let packet = Packet::parse(bytes).unwrap();
        line.depacketizer.push(line.now, &packet, false, &mut line.quirks);
    }
    line.take();
    assert_eq!(line.unit().data, sent.data);
    line.saw(&[(Quirk::AacFrag, 1)]);
}

#[test]
fn a_picture_made_here_goes_out_and_comes_back() {
    let head = [0, 0, 0, 0, 65, 255, 5, 2, 1, 4, 0xff, 0xff, 0, 0, 0, 128];
    let payload = [&head[..], &[11; 64], &[22; 64], &slice(&[], 3_000)].concat();
    let mut line = Line::new(Params::Pending(Codec::Mjpeg));
    line.packet(0, true, &payload);
    let picture = line.unit();
    let data = picture.data.to_vec();
    check((*picture.params).clone(), &[(data.clone(), true), (data, true)], &[200, 1_400, 8_192]);
}
