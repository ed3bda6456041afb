//! The client end of a session: whatever a camera says, over either transport and at whatever
//! time, the machine waits in the end, and its frames keep their promises.
//!
//! The input is a byte of flags and then steps: what happens, two bytes of length or time, and the
//! bytes that came.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::{Frame, Wall};
use rtsp::Now;
use rtsp::client::{Client, Config, Event, Input, Learned, Output, Reason, Transport, Want};
use rtsp::url::Url;
use stdx::Secret;

/// What came out of the session so far.
#[derive(Default)]
struct Seen {
    last: [Option<Frame>; 3],
    tracks: usize,
    closed: Option<Reason>,
}

impl Seen {
    fn frame(&mut self, frame: Frame) {
        let track = usize::from(frame.track.0);
        assert!(self.tracks > 0, "a frame before it plays");
        assert!(frame.dts <= frame.pts, "{} is shown before it is decoded", frame.dts.0);
        let Some(last) = self.last.get_mut(track) else { panic!("track {track}") };
        if let Some(last) = last.as_ref().filter(|_| !frame.discontinuity) {
            assert!(frame.dts > last.dts, "{} after {}", frame.dts.0, last.dts.0);
        }
        *last = Some(frame);
    }

    fn drain(&mut self, client: &mut Client, now: Now) -> Option<Instant> {
        for _ in 0..100_000 {
            match client.poll() {
                Output::Transmit(bytes) => assert!(!bytes.is_empty()),
                Output::TransmitUdp { track, .. } => assert!(track < 3),
                Output::Event(Event::NeedUdp { track }) => {
                    let _ = client.handle(now, Input::UdpBound { track, rtp_port: 5_000 });
                }
                Output::Event(Event::Playing { tracks }) => self.tracks = tracks.len(),
                Output::Event(Event::Frame(frame)) => self.frame(frame),
                Output::Event(Event::Closed(reason)) => {
                    assert_eq!(self.closed.replace(reason), None, "it closes once");
                }
                Output::Event(Event::Redirect { location }) => {
                    assert!(location.contains("://192.0.2.5"), "leaves the host");
                }
                Output::Event(_) => {}
                Output::Wait(at) => return at,
            }
        }
        panic!("it never waits");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, mut data)) = data.split_first() else { return };
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let mut now = Now { mono: Instant::now(), wall: Wall(1_800_000_000_000_000) };
    let config = Config {
        url: Url::parse("rtsp://192.0.2.5/stream").expect("is an address"),
        credentials: flag(0).then(|| ("admin".to_owned(), Secret::from("pass"))),
        transport: if flag(1) { Transport::Udp } else { Transport::Tcp },
        allow_redirect: flag(2),
        user_agent: "khien".to_owned(),
        learned: Learned { by_the_book: flag(3), ..Learned::default() },
        want: Want { video: true, audio: !flag(4), metadata: !flag(5) },
    };
    let mut client = Client::new(config, now);
    let mut seen = Seen::default();
    let mut wait = seen.drain(&mut client, now);
    while let Some((&[kind, hi, lo], rest)) = data.split_first_chunk() {
        let size = u16::from_be_bytes([hi, lo]);
        let mut taken = 0;
        let mut take = |n: usize| {
            taken = n.min(rest.len());
            rest.get(..taken).unwrap_or_default()
        };
        let track = usize::from(kind >> 4) % 4;
        let input = match kind & 7 {
            0 | 1 => Input::Tcp(take(size.into())),
            2 => Input::Udp { track, rtcp: false, data: take(size.into()) },
            3 => Input::Udp { track, rtcp: true, data: take(size.into()) },
            4 => {
                let step = Duration::from_millis(size.into());
                now.mono += step;
                now.wall = now.wall.plus(step);
                Input::Timeout
            }
            5 => {
                // To when it wants to be called.
                let step = wait.map_or(Duration::ZERO, |at| at.saturating_duration_since(now.mono));
                now.mono += step;
                now.wall = now.wall.plus(step);
                Input::Timeout
            }
            6 => Input::Teardown,
            _ => Input::Closed,
        };
        let handled = client.handle(now, input);
        data = rest.get(taken..).unwrap_or_default();
        wait = seen.drain(&mut client, now);
        if handled.is_err() {
            assert!(seen.closed.is_some(), "an error closes");
        }
    }
    let _ = client.handle(now, Input::Closed);
    seen.drain(&mut client, now);
    assert!(seen.closed.is_some(), "it is over");
});
