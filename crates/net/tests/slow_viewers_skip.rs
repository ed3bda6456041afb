//! A viewer that does not keep up skips to the newest group, the skip is counted, and neither the
//! publisher nor another viewer notices.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod stage;

use std::sync::Arc;

use bytes::Bytes;
use hub::Hub;
use media::codec::h264;
use media::{Frame, Params, Rate, Ticks, Track, TrackId};
use net::sink::fmp4;
use net::{Stopper, now};
use stage::viewer::Viewer;
use stage::{PATH, config};
use tokio::net::TcpListener;

/// Bytes of a frame, and frames of a group: each frame much more than a socket holds.
const FRAME_BYTES: usize = 200_000;
const GROUP: u64 = 10;
const GROUPS: u64 = 16;

/// 80x48 pictures that nobody decodes; each carries its number.
fn track() -> Track {
    let sps = [0x67, 66, 0xc0, 10, 0xf4, 0x0a, 0x0d, 0x88];
    let params = h264::Params::parse(&sps, &[0x68, 0xce, 0x38, 0x80]).unwrap();
    Track { id: TrackId(0), rate: Rate::VIDEO, params: Arc::new(Params::H264(params)) }
}

fn frame(track: &Track, n: u64, start: media::Wall) -> Frame {
    let key = n.is_multiple_of(GROUP);
    let mut unit = vec![0x55; FRAME_BYTES];
    unit[..2].copy_from_slice(if key { &[0x65, 0x88] } else { &[0x41, 0x9a] });
    // Seven bits a byte, so that nothing looks like a start code.
    unit[2..4].copy_from_slice(&[(n >> 7) as u8 | 0x80, n as u8 | 0x80]);
    let mut data = (unit.len() as u32).to_be_bytes().to_vec();
    data.append(&mut unit);
    let pts = Ticks(n as i64 * 9_000);
    Frame {
        track: track.id,
        pts,
        dts: pts,
        wall: start.plus_us(n as i64 * 100_000),
        random_access: key,
        damaged: false,
        discontinuity: false,
        params: Arc::clone(&track.params),
        data: Bytes::from(data),
    }
}

/// The number that [`frame`] wrote into a picture's only slice.
fn number(data: &[u8]) -> u64 {
    let [high, low] = [2, 3].map(|i| u64::from(data[data.len() - FRAME_BYTES + i] & 0x7f));
    high << 7 | low
}

/// The numbers of the pictures that came.
fn numbers(viewer: &Viewer) -> Vec<u64> {
    viewer.units.iter().map(|u| number(&u.data)).collect()
}

/// Publishes frames one after the other, as fast as the hub takes them.
struct Source {
    publisher: hub::Publisher,
    track: Track,
    start: media::Wall,
    next: u64,
}

impl Source {
    fn new(hub: &Hub) -> Self {
        let track = track();
        let publisher = hub.publish(PATH, vec![track.clone()]).unwrap();
        Self { publisher, track, start: now().wall, next: 0 }
    }

    fn push(&mut self, count: u64) {
        for _ in 0..count {
            let frame = frame(&self.track, self.next, self.start);
            self.publisher.push(frame);
            self.next += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_rtsp() {
    let hub = Hub::new();
    let (_stopper, stop) = Stopper::new();
    let mut source = Source::new(&hub);
    source.push(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(net::sink::rtsp::serve(listener, hub.clone(), config(None), stop));
    let mut slow = Viewer::watch(address, track()).await;
    let mut good = Viewer::watch(address, track()).await;
    // Much more than sockets hold; only one of the viewers reads. That this loop goes on is that
    // the publisher does not wait.
    for n in 1..GROUPS * GROUP {
        source.push(1);
        while numbers(&good).last() != Some(&n) {
            good.read().await;
        }
    }
    let whole: Vec<u64> = (0..GROUPS * GROUP).collect();
    assert_eq!(numbers(&good), whole, "the other viewer gets everything");
    let skipped = hub.stats(PATH).unwrap().skipped;
    assert!(slow.units.is_empty());
    source.push(1);
    while numbers(&slow).last() != Some(&(GROUPS * GROUP)) {
        slow.read().await;
    }
    let seen = numbers(&slow);
    let total = hub.stats(PATH).unwrap().skipped;
    assert!(total > skipped, "{total} skipped");
    // What came is whole groups or their beginnings, and one jump leads to the start of one.
    let jumps: Vec<(u64, u64)> =
        seen.windows(2).filter(|w| w[1] != w[0] + 1).map(|w| (w[0], w[1])).collect();
    assert!(!jumps.is_empty(), "{:?}", seen);
    assert!(jumps.iter().all(|(_, to)| to % GROUP == 0), "{jumps:?}");
    assert!(slow.quirks.is_empty(), "{:?}", slow.quirks.list());
    let missing = GROUPS * GROUP + 1 - seen.len() as u64;
    assert_eq!(missing, total, "every frame came or was counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_fragments_for_browsers() {
    let hub = Hub::new();
    let mut source = Source::new(&hub);
    source.push(1);
    let live = fmp4::Live::new(hub.clone());
    let mut slow = fmp4::Viewer::open(&live, PATH).unwrap();
    let mut good = fmp4::Viewer::open(&live, PATH).unwrap();
    let mut media = 0;
    for _ in 1..GROUPS * GROUP {
        source.push(1);
        while media < source.next {
            match good.next().await {
                fmp4::Event::Media(_) => media += 1,
                fmp4::Event::Drop { .. } | fmp4::Event::Ended => panic!("it kept up"),
                _ => {}
            }
        }
    }
    let (mut drops, mut after) = (Vec::new(), Vec::new());
    source.push(1);
    while after.last() != Some(&(GROUPS * GROUP)) {
        match slow.next().await {
            fmp4::Event::Media(data) => after.push(number(&data)),
            fmp4::Event::Drop { frames } => drops.push(frames),
            _ => {}
        }
    }
    assert_eq!(after.first().map(|n| n % GROUP), Some(0));
    assert_eq!(drops.iter().sum::<u64>() + after.len() as u64, GROUPS * GROUP + 1);
    assert_eq!(hub.stats(PATH).unwrap().skipped, drops.iter().sum::<u64>());
}
