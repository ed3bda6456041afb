//! A hub with a publisher that plays clips in a loop, and servers in front of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod clip;
pub(crate) mod viewer;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hub::Hub;
use media::{Cause, Frame, Ticks, Track, Wall};
use net::sink::rtsp as server;
use net::{Stop, Stopper};
use rtsp::auth::{Config as AuthConfig, Offer, ServerAuth};
use stdx::Secret;
use tokio::net::TcpListener;
use tokio::process::Command;

use clip::Clip;

/// The path that is published.
pub(crate) const PATH: &str = "front/main";
/// Who may watch where anybody is asked.
pub(crate) const USER: &str = "anna";
pub(crate) const PASSWORD: &str = "corréct horse";

/// Media time of the first frame, so that a wrap of time stamps and a start at zero are apart.
const BASE_S: i64 = 100;

pub(crate) struct Stage {
    pub(crate) hub: Hub,
    pub(crate) stop: Stop,
    stopper: Stopper,
}

impl Stage {
    /// Publishes the clips, one per track, at their own speed.
    pub(crate) fn play(clips: Vec<Clip>) -> Self {
        let hub = Hub::new();
        let (stopper, stop) = Stopper::new();
        let mut wanted = stop.clone();
        let publishing = publish(hub.clone(), clips);
        tokio::spawn(async move {
            tokio::select! {
                () = publishing => {}
                () = wanted.wanted() => {}
            }
        });
        Self { hub, stop, stopper }
    }

    /// Serves with these settings; the address.
    pub(crate) async fn serve(&self, config: server::Config) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server::serve(listener, self.hub.clone(), config, self.stop.clone()));
        address
    }

    /// Serves without a password; the URL.
    pub(crate) async fn open(&self) -> String {
        format!("rtsp://{}/{PATH}", self.serve(config(None)).await)
    }

    /// Serves to [`USER`] only; host, port and path of the URL.
    pub(crate) async fn guarded(&self, offer: Offer) -> String {
        format!("{}/{PATH}", self.serve(config(Some(offer))).await)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

pub(crate) fn config(offer: Option<Offer>) -> server::Config {
    let auth = offer.map(|offer| {
        let users = HashMap::from([(USER.to_owned(), Secret::from(PASSWORD))]);
        let config = AuthConfig { realm: "khien".to_owned(), users, offer, basic: false };
        Arc::new(ServerAuth::new(config, [9; 32]))
    });
    server::Config { auth, tls: None, name: "khien".to_owned(), udp: true }
}

/// The frame of a clip that is its `n`th, counted on over its end.
pub(crate) fn frame(track: &Track, clip: &Clip, n: u64, start: Wall) -> Frame {
    let count = clip.units.len() as u64;
    let unit = &clip.units[(n % count) as usize];
    let base = BASE_S * i64::from(track.rate.get());
    let round = (n / count * count) as i64;
    let dts = Ticks(base + n as i64 * clip.ticks);
    let pts = Ticks(base + (round + unit.shown + clip.delay) * clip.ticks);
    let after_us = track.rate.to_us(Ticks(pts.0 - base));
    Frame {
        track: track.id,
        pts,
        dts,
        wall: start.plus_us(after_us),
        random_access: unit.key,
        damaged: false,
        discontinuity: false,
        params: Arc::clone(&clip.params),
        data: unit.data.clone(),
    }
}

async fn publish(hub: Hub, clips: Vec<Clip>) {
    let tracks = clip::tracks(&clips);
    let publisher = hub.publish(PATH, tracks.clone()).unwrap();
    let (begin, wall) = (tokio::time::Instant::now(), net::now().wall);
    let mut next = vec![0_u64; clips.len()];
    loop {
        let time = |i: usize| {
            let ticks = next[i] as i64 * clips[i].ticks;
            tracks[i].rate.to_us(Ticks(ticks))
        };
        let first = (0..clips.len()).min_by_key(|i| time(*i)).unwrap();
        let due = Duration::from_micros(time(first).unsigned_abs());
        tokio::time::sleep_until(begin + due).await;
        publisher.push(frame(&tracks[first], &clips[first], next[first], wall));
        next[first] += 1;
        if next[first] > 100_000 {
            return publisher.close(Cause::SwitchedOff);
        }
    }
}

/// What a program printed, or `None`, with a word why, where it is not installed.
pub(crate) async fn run(program: &str, args: &[&str]) -> Option<std::process::Output> {
    let mut command = Command::new(program);
    let child = command.args(args).kill_on_drop(true).stdin(std::process::Stdio::null()).output();
    match tokio::time::timeout(Duration::from_secs(60), child).await {
        Err(_) => panic!("{program} {args:?} does not end"),
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        Ok(output) => Some(output.unwrap()),
    }
}
