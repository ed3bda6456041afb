//! Challenges at the client and answers at the server: neither breaks, and nobody who does not
//! know the password gets in.

#![no_main]

use std::collections::HashMap;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use rtsp::auth::{Challenge, ClientAuth, Config, Offer, ServerAuth, Verdict};
use rtsp::message::{Method, Request};
use stdx::Secret;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().collect();
    let challenges = Challenge::parse_all(lines.iter().copied());
    let mut client = ClientAuth::new("admin", &Secret::from("correct horse"));
    if client.challenge(&challenges) {
        for _ in 0..2 {
            let value = client.authorize(&Method::Describe, "rtsp://192.0.2.5/stream");
            let value = value.expect("a challenge is answered");
            assert!(!value.contains("correct horse"));
            // What goes out can be read by the same rules.
            assert!(value.starts_with("Basic ") || value.starts_with("Digest "));
        }
    }
    let users = HashMap::from([("admin".to_owned(), Secret::from("correct horse"))]);
    let config = Config { realm: "r".to_owned(), users, offer: Offer::Both, basic: false };
    let server = ServerAuth::new(config, [7; 32]);
    let mut peer = server.peer();
    let now = Instant::now();
    for line in lines.into_iter().take(8) {
        let request = Request::new(Method::Describe, "rtsp://192.0.2.5/stream");
        let request = request.with("Authorization", line);
        match server.verify(&mut peer, &request, now) {
            Verdict::Ok(user) => panic!("{user} comes in with {line}"),
            Verdict::Challenge(values) | Verdict::Stale(values) => {
                assert_eq!(Challenge::parse_all(values.iter().map(String::as_str)).len(), 2);
            }
        }
    }
    assert!(peer.failures() <= 8);
});
