//! What happens when a camera breaks off: it is noticed in time, said why, nothing of the broken
//! frame is passed off as whole, and the source comes back by itself.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

mod watching;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fakecam::{Audio, Camera, Config as CameraConfig, Faults};
use media::{Cause, TrackKind};
use net::source::State;
use net::source::rtsp::{Config, STALL, Transport};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use watching::{PATIENCE, Run, Watch, at, of};

fn faulty(faults: Faults) -> Camera {
    Camera::start(CameraConfig { faults, ..CameraConfig::default() }).expect("starts")
}

/// From the last picture of the first publication to its end.
fn noticed_after(run: &Run) -> Duration {
    let last = run.frames.last().expect("has frames").at;
    run.ended.expect("has ended").1.duration_since(last)
}

/// The promise is 5 s; the rest is for machines that do other things as well.
fn in_time(run: &Run) {
    const { assert!(STALL.as_millis() + 250 < 5_000) };
    let after = noticed_after(run);
    assert!(after < STALL + Duration::from_secs(2), "noticed after {after:?}");
}

#[tokio::test]
async fn a_camera_that_falls_silent_is_noticed_within_five_seconds() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let camera = faulty(Faults { silent: Some((20, u64::MAX)), ..Faults::default() });
        let watch = Watch::start(Config { transport, ..of(&camera) });
        let (state, trouble) = watch.trouble("camera-timeout").await;
        assert_eq!(state, State::Offline, "{transport:?}");
        assert!(trouble.message.contains("nothing came"), "{}", trouble.message);
        camera.faults(|f| f.silent = None);
        watch.runs(2).await;
        let (seen, _) = watch.end().await;
        assert_eq!(seen.runs[0].numbers(), (0..20).collect::<Vec<u64>>(), "{transport:?}");
        assert_eq!(seen.runs[0].ended.unwrap().0, Cause::CameraSilent);
        in_time(&seen.runs[0]);
        assert!(camera.stats().teardowns >= 1, "the camera is told to free its session");
    }
}

/// Between the source and a camera; it can stop carrying bytes without closing anything, as a
/// cable that is pulled does.
struct Cable {
    address: SocketAddr,
    cut: tokio::sync::watch::Sender<bool>,
}

impl Cable {
    async fn to(camera: &Camera) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, is_cut) = tokio::sync::watch::channel(false);
        let port = camera.port();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, port, is_cut.clone()));
            }
        });
        Self { address, cut }
    }
}

async fn carry(mut near: TcpStream, port: u16, mut cut: tokio::sync::watch::Receiver<bool>) {
    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let is_cut = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        _ = cut.wait_for(|cut| *cut) => true,
    };
    if is_cut {
        // Both ends stay open and hear nothing until they are let go.
        let _ = cut.wait_for(|cut| !*cut).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_dead_and_not_closed_is_noticed_within_five_seconds() {
    let camera = faulty(Faults::default());
    let cable = Cable::to(&camera).await;
    let url = format!("rtsp://{}/stream", cable.address);
    let watch = Watch::start(at(url));
    watch.pictures(10).await;
    cable.cut.send_replace(true);
    let (state, _) = watch.trouble("camera-timeout").await;
    assert_eq!(state, State::Offline);
    cable.cut.send_replace(false);
    watch.runs(2).await;
    watch.pictures(5).await;
    let (seen, status) = watch.end().await;
    assert_eq!(seen.runs[0].ended.unwrap().0, Cause::CameraSilent);
    in_time(&seen.runs[0]);
    assert_eq!((status.state, status.trouble), (State::Streaming, None));
}

#[tokio::test]
async fn a_camera_that_hangs_with_its_port_open_is_noticed_and_tried_again() {
    let camera = faulty(Faults { half_open_at: Some(20), ..Faults::default() });
    let watch = Watch::start(of(&camera));
    watch.trouble("camera-timeout").await;
    camera.faults(|f| f.half_open_at = None);
    watch.runs(2).await;
    watch.pictures(5).await;
    let (seen, _) = watch.end().await;
    assert_eq!(seen.runs[0].ended.unwrap().0, Cause::CameraSilent);
    in_time(&seen.runs[0]);
}

#[tokio::test]
async fn a_frame_that_stops_in_the_middle_is_never_passed_off_as_whole() {
    for at in [30, 37] {
        let camera = faulty(Faults { stop_mid_frame_at: Some(at), ..Faults::default() });
        let watch = Watch::start(of(&camera));
        watch.runs(2).await;
        camera.faults(|f| f.stop_mid_frame_at = None);
        watch.pictures(5).await;
        let (seen, status) = watch.end().await;
        let first = &seen.runs[0];
        let whole: Vec<u64> = first
            .of(TrackKind::Video)
            .filter(|a| !a.frame.damaged)
            .filter_map(|a| fakecam::frame_number(&a.frame.data))
            .collect();
        assert_eq!(whole, (0..at).collect::<Vec<u64>>());
        assert_eq!(first.ended.unwrap().0, Cause::NetworkCut);
        assert_eq!((status.state, status.trouble), (State::Streaming, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_between_pictures_is_survived() {
    let mut cases = JoinSet::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        for seed in 0..4 {
            cases.spawn(garbage(transport, seed));
        }
    }
    cases.join_all().await;
}

async fn garbage(transport: Transport, seed: u64) {
    let faults = Faults { garbage_at: Some(20), ..Faults::default() };
    let config = CameraConfig { faults, seed, ..CameraConfig::default() };
    let camera = Camera::start(config).expect("starts");
    let watch = Watch::start(Config { transport, ..of(&camera) });
    let on = watch.until(PATIENCE, |seen, _| seen.pictures() >= 60).await;
    assert!(on, "{transport:?} {seed}: {}", watch.describe());
    let (seen, _) = watch.end().await;
    // Whatever was made of the garbage, no picture is one that the camera did not send.
    for run in &seen.runs {
        let pictures = run.of(TrackKind::Video).filter(|a| !a.frame.damaged).count();
        let numbers = run.numbers();
        assert!(numbers.len() >= pictures, "{transport:?} {seed}: {numbers:?}");
        assert!(numbers.is_sorted(), "{transport:?} {seed}: {numbers:?}");
    }
}

#[tokio::test]
async fn a_session_that_worked_and_broke_is_taken_up_again_at_once() {
    let camera = faulty(Faults { close_after: Some(40), ..Faults::default() });
    let watch = Watch::start(of(&camera));
    watch.runs(3).await;
    let (seen, _) = watch.end().await;
    for pair in seen.runs[..3].windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert_eq!(before.ended.unwrap().0, Cause::NetworkCut);
        let Some(next) = after.frames.first() else { continue };
        // A second for the handshake and the first picture of a machine that is busy.
        let away = next.at.duration_since(before.frames.last().unwrap().at);
        assert!(away < Duration::from_secs(2), "away for {away:?}");
    }
}

#[tokio::test]
async fn a_camera_that_hangs_up_at_once_is_tried_with_growing_distance() {
    let camera = faulty(Faults { refuse: true, ..Faults::default() });
    let watch = Watch::start(of(&camera));
    let tried = watch.until(PATIENCE, |_, status| status.attempts >= 4).await;
    assert!(tried, "{}", watch.describe());
    let (state, attempts) = (watch.status().state, watch.status().attempts);
    assert_eq!(state, State::Offline);
    // Without a distance it would be thousands.
    let connections = camera.stats().connections;
    assert!(connections <= attempts + 1, "{connections} connections in {attempts} attempts");
    camera.faults(|f| f.refuse = false);
    let limit = Duration::from_secs(90);
    let back = watch.until(limit, |seen, _| seen.pictures() >= 5).await;
    assert!(back, "{}", watch.describe());
    let (_, status) = watch.end().await;
    assert_eq!((status.state, status.trouble), (State::Streaming, None));
}

#[tokio::test]
async fn a_camera_that_reboots_is_found_again() {
    let mut camera = faulty(Faults::default());
    let watch = Watch::start(of(&camera));
    watch.pictures(10).await;
    let listen = SocketAddr::from(([127, 0, 0, 1], camera.port()));
    camera.stop();
    watch.trouble("camera-port").await;
    let again = Camera::start(CameraConfig { listen, ..CameraConfig::default() });
    let camera = again.expect("the port is still its own");
    watch.runs(2).await;
    watch.pictures(10).await;
    watch.end().await;
    assert_eq!(camera.stats().plays, 1);
}

#[tokio::test]
async fn other_parameters_begin_a_group_of_their_own() {
    let faults = Faults { change_parameters_at: Some(20), ..Faults::default() };
    let config = CameraConfig { faults, audio: Audio::Aac, ..CameraConfig::default() };
    let camera = Camera::start(config).expect("starts");
    let watch = Watch::start(of(&camera));
    watch.pictures(60).await;
    let (seen, status) = watch.end().await;
    let [run] = &seen.runs[..] else { panic!("{} publications", seen.runs.len()) };
    let pictures: Vec<_> = run.of(TrackKind::Video).map(|a| &a.frame).collect();
    // Key frames are 15 pictures apart.
    let (before, after) = pictures.split_at(30);
    assert!(before.iter().all(|f| f.params.resolution() == Some((640, 360))));
    assert!(after.iter().all(|f| f.params.resolution() == Some((480, 270))));
    assert!(after[0].random_access, "a group begins with it");
    assert_ne!(before[0].params.codec_string(), None);
    let same = |frames: &[&media::Frame]| {
        frames.windows(2).all(|w| std::sync::Arc::ptr_eq(&w[0].params, &w[1].params))
    };
    assert!(same(before) && same(after), "parameters that did not change are one value");
    assert_eq!(status.tracks[0].params.resolution(), Some((480, 270)), "the page is told");
}

#[tokio::test]
async fn ending_is_quick_in_every_state_and_frees_the_session() {
    let camera = faulty(Faults::default());
    let watch = Watch::start(of(&camera));
    watch.pictures(3).await;
    watch.end().await;
    let freed = camera.wait(PATIENCE, |s| s.open == 0);
    assert!(freed, "the connection is closed");
    assert_eq!(camera.stats().teardowns, 1, "the camera is told");
    // A listener that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let watch = Watch::start(at(format!("rtsp://{}/", silent.local_addr().unwrap())));
    let (mut held, _) = silent.accept().await.unwrap();
    let began = Instant::now();
    watch.end().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let _ = held.shutdown().await;
}
