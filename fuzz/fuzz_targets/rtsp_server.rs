//! The server end of a connection: whatever comes, it answers or says good-bye.

#![no_main]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::codec::Codec;
use media::{Params, Rate, Track, TrackId, Wall};
use rtsp::Now;
use rtsp::auth::{self, Offer, ServerAuth};
use rtsp::server::{Config, Connection, Event, Input, Output, Presentation, Transport};
use stdx::Secret;

fn presentation() -> Presentation {
    let track = |id, codec| Track {
        id: TrackId(id),
        rate: Rate::VIDEO,
        params: Arc::new(Params::Pending(codec)),
    };
    Presentation { tracks: vec![track(0, Codec::H264), track(1, Codec::Opus)], ssrcs: vec![1, 2] }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, data)) = data.split_first() else { return };
    let users = HashMap::from([("anna".to_owned(), Secret::from("s3cret"))]);
    let config = auth::Config { realm: "r".to_owned(), users, offer: Offer::Both, basic: true };
    let auth = (flags & 1 == 1).then(|| Arc::new(ServerAuth::new(config, [1; 32])));
    let udp = flags & 2 == 2;
    let config = Config { auth, server_name: "s".to_owned(), session_timeout_s: 60, udp };
    let mut now = Now { mono: Instant::now(), wall: Wall(0) };
    let mut connection = Connection::new(config, [0; 32], now);
    // The session's id is all zeros; pieces of all sizes come in.
    for piece in data.chunks(usize::from(flags >> 2) * 16 + 1) {
        now.mono += Duration::from_millis(200);
        let input = connection.handle(now, Input::Tcp(piece));
        let mut outputs = 0;
        loop {
            outputs += 1;
            assert!(outputs < 10_000, "it never waits");
            match connection.poll() {
                Output::Transmit(bytes) => assert!(bytes.starts_with(b"RTSP/1.0 ")),
                Output::Event(Event::Describe { path }) => {
                    assert!(!path.contains(char::is_control));
                    let found = (path.len() % 3 != 0).then(presentation);
                    connection.describe(found.as_ref());
                }
                Output::Event(Event::Setup { track, transport: Transport::Udp { .. } }) => {
                    assert!(udp);
                    connection.udp_ready(track, 6_000);
                }
                Output::Event(Event::Play { tracks }) => {
                    assert!(!tracks.is_empty());
                    connection.play_info(&[(0, 1, 2)]);
                }
                Output::Event(_) => {}
                Output::Wait(_) => break,
            }
        }
        if input.is_err() {
            return;
        }
    }
    now.mono += Duration::from_secs(100);
    let _ = connection.handle(now, Input::Timeout);
    let _ = connection.handle(now, Input::Closed);
});
