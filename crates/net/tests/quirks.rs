//! Every row of `crates/rtsp/quirks.toml`: a camera with exactly this quirk is connected to, its
//! pictures arrive as the row promises, the quirk is counted, and nothing panics.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

#[path = "quirks/judge.rs"]
mod judge;
#[path = "quirks/row.rs"]
mod row;
mod watching;

use std::time::{Duration, Instant};

use ::rtsp::quirk::{Level, Quirk as Known};
use fakecam::{Audio, Camera, Media, Quirk};
use net::source::State;
use net::source::rtsp::{Config, Transport};
use tokio::task::JoinSet;

use judge::Evidence;
use row::{Expect, Row};
use watching::Watch;

/// Three seconds at the fake camera's usual rate.
const PICTURES: usize = 45;

/// Longest that a case may take: a busy machine, and quirks that want several attempts with
/// back-off between them.
fn limit(quirk: Quirk) -> Duration {
    Duration::from_secs(30 + 3 * quirk.min_seconds())
}

/// Plays all forms of all quirks of a layer, at once.
async fn layer(name: &str) {
    let rows: Vec<Row> = row::all().into_iter().filter(|r| r.layer == name).collect();
    assert!(!rows.is_empty(), "no row of {name}");
    fakecam::ensure_media().expect("makes the clips");
    let mut cases = JoinSet::new();
    for row in rows {
        for variant in 0..row.quirk.variants() {
            let row = row.clone();
            cases.spawn(async move {
                let name = format!("{} ({variant})", row.quirk);
                // A task of its own: a failed assertion is one case's finding.
                match tokio::spawn(case(row, variant)).await {
                    Ok(wrong) => wrong.iter().map(|w| format!("{name}: {w}")).collect(),
                    Err(e) => vec![format!("{name}: {e}")],
                }
            });
        }
    }
    let wrong: Vec<String> = cases.join_all().await.concat();
    assert!(wrong.is_empty(), "{} findings\n{}", wrong.len(), wrong.join("\n"));
}

async fn case(row: Row, variant: u32) -> Vec<String> {
    let camera = Camera::start(fakecam::Config::for_quirk(row.quirk).variant(variant));
    let camera = camera.expect("starts");
    let began = Instant::now();
    let watch = Watch::start(reach(&camera, row.quirk));
    let expect = match row.expect {
        // Only its first form can be played.
        Expect::QuirkOnly if variant == 0 => Expect::Plays,
        expect => expect,
    };
    let least = Duration::from_secs(row.quirk.min_seconds());
    let there = watch
        .until(limit(row.quirk), |seen, status| match expect {
            Expect::Plays => {
                let enough = seen.pictures() >= PICTURES && began.elapsed() >= least;
                enough && judge::recovered(row.quirk, seen)
            }
            Expect::Refused => status.trouble.is_some() && status.state != State::Connecting,
            Expect::QuirkOnly => began.elapsed() >= least,
        })
        .await;
    let described = watch.describe();
    let (seen, status) = watch.end().await;
    let sent = camera.stats();
    let evidence = Evidence { row: &row, variant, seen, status, sent, camera: &camera };
    let mut wrong = judge::all(&evidence, expect);
    if !there {
        wrong.push(format!("not what was waited for: {described}"));
    }
    wrong
}

/// How the camera is reached; the defaults, except where the quirk is not met otherwise.
fn reach(camera: &Camera, quirk: Quirk) -> Config {
    let udp = matches!(
        quirk,
        Quirk::Tr461Udp
            | Quirk::TrNoServerPort
            | Quirk::TrUdpJumbo
            | Quirk::TrUdpSilent
            | Quirk::TrUdpLoss
    );
    let transport = if udp { Transport::Udp } else { Transport::Tcp };
    let allow_redirect = quirk == Quirk::UrlRedirect;
    Config { transport, allow_redirect, ..watching::of(camera) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn url_sdp() {
    layer("url-sdp").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn auth_session() {
    layer("auth-session").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keep_alive() {
    layer("keep-alive").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transport() {
    layer("transport").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rtp_time() {
    layer("rtp-time").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn codec() {
    layer("codec").await;
}

/// What is counted for every camera would say nothing about any.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_camera_without_quirks_counts_none() {
    let kinds = [
        (Media::H264, Audio::Aac),
        (Media::H265, Audio::Pcmu),
        (Media::Jpeg, Audio::Pcma),
        (Media::H264Alt, Audio::Opus),
    ];
    let mut cases = JoinSet::new();
    for (media, audio) in kinds {
        for transport in [Transport::Tcp, Transport::Udp] {
            cases.spawn(async move {
                let config = fakecam::Config { media, audio, ..fakecam::Config::default() };
                let camera = Camera::start(config).expect("starts");
                let watch = Watch::start(Config { transport, ..watching::of(&camera) });
                // Long enough for sender reports, and for both RTP counters to wrap.
                watch.pictures(100).await;
                let (seen, status) = watch.end().await;
                let name = format!("{media:?} with {audio:?} over {transport:?}");
                assert_eq!(seen.runs.len(), 1, "{name}");
                assert!(seen.count(media::TrackKind::Audio) > 50, "{name}");
                assert_eq!(status.quirks, [], "{name}");
            });
        }
    }
    cases.join_all().await;
}

#[test]
fn code_and_data_file_agree() {
    let rows = row::all();
    for &known in Known::ALL {
        let row = rows.iter().find(|r| r.quirk.id() == known.slug());
        let row = row.unwrap_or_else(|| panic!("{known} has no row"));
        let level = match known.level() {
            Level::Counter => "c",
            Level::Note => "n",
            Level::Warning => "w",
        };
        assert_eq!(row.level, level, "{known}");
    }
    for row in rows {
        assert!(row.quirk.id().parse::<Known>().is_ok(), "{} is not in the code", row.quirk);
    }
}
