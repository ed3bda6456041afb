//! Cameras publish to the hub what their source shows, until they are told to end.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use camera::pattern::read_sei;
use camera::{Camera, Source, Video};
use hub::{Hub, Item, Kind, Subscriber};
use media::codec::Codec;
use media::{Frame, Wall};

/// Longer than anything here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn video() -> Video {
    let bit_rate = stdx::Bitrate(400_000);
    Video { codec: Codec::H264, size: (320, 180), fps: 30, bit_rate, gop_s: 0.5 }
}

fn pixels() -> pixels::Config {
    let config = pixels::Config::new(false);
    let program = config.program.display();
    assert!(config.program.exists(), "{program} is missing: run `cargo build -p pixels` first");
    config
}

async fn frame(subscriber: &mut Subscriber) -> Frame {
    let next = async {
        loop {
            match subscriber.next().await {
                Item::Frame { frame, .. } => return frame,
                Item::Published(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap()
}

/// Children of this process.
fn children() -> Vec<String> {
    let mut found = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().map(str::to_owned));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pattern_counts_its_pictures_even_over_the_death_of_its_encoder() {
    let hub = Hub::new();
    let mut subscriber = hub.subscribe("main", Kind::Lossless);
    let source = Source::Pattern { tag: 42, video: video() };
    let mut camera = Camera::start(hub.clone(), "main", source.clone(), pixels()).await.unwrap();
    let tracks = hub.tracks("main").unwrap();
    assert_eq!(tracks[0].params.resolution(), Some((320, 180)));
    let mut last: Option<Frame> = None;
    for n in 0..30 {
        if n == 15 {
            let children = children();
            assert_eq!(children.len(), 1);
            assert!(
                std::process::Command::new("kill").args(["-KILL", &children[0]]).status().is_ok()
            );
        }
        let frame = frame(&mut subscriber).await;
        let stamp = read_sei(&frame.data).unwrap();
        assert_eq!((stamp.camera, stamp.frame), (42, n));
        assert_eq!(stamp.wall, frame.wall);
        assert!(n != 0 || frame.random_access);
        if let Some(last) = last {
            assert!(frame.dts > last.dts && frame.wall > last.wall);
        }
        last = Some(frame);
    }
    let taken = last.unwrap().wall;
    let now = Wall::from_system(std::time::SystemTime::now());
    assert!(now.us_since(taken).abs() < 60_000_000, "the time is the present one");
    // The path is taken while it runs.
    let taken = Camera::start(hub.clone(), "main", source, pixels()).await.unwrap_err();
    assert_eq!(taken.kind(), stdx::Kind::AlreadyExists);
    camera.stop();
    tokio::time::timeout(PATIENCE, camera.ended()).await.unwrap().unwrap();
    assert!(hub.tracks("main").is_none());
    assert_eq!(children(), Vec::<String>::new(), "no process is left");
}

/// A key picture and two more; the sets say 15 pictures a second.
fn raw(folder: &Path) -> PathBuf {
    let units: [&[u8]; 5] = [
        &[
            0x67, 0x4d, 0x40, 0x16, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x03,
            0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0x78, 0x3c, 0x58, 0xba, 0x80,
        ],
        &[0x68, 0xef, 0x3c, 0x80],
        &[0x65, 0xb8, 1],
        &[0x41, 0xe0, 2],
        &[0x41, 0xe0, 3],
    ];
    let mut bytes = Vec::new();
    for unit in units {
        bytes.extend([0, 0, 0, 1]);
        bytes.extend(unit);
    }
    let path = folder.join(format!("khien-camera-{}.h264", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_round_and_round_in_real_time() {
    let hub = Hub::new();
    let mut subscriber = hub.subscribe("main", Kind::Lossless);
    let file = raw(&std::env::temp_dir());
    let begun = std::time::Instant::now();
    let source = Source::File(file.clone());
    let mut camera =
        Camera::start(hub.clone(), "main", source, pixels::Config::new(false)).await.unwrap();
    for n in 0..12 {
        let frame = frame(&mut subscriber).await;
        assert_eq!(frame.dts.0, n * 6_000);
        assert_eq!(frame.random_access, n % 3 == 0);
    }
    // Eleven fifteenths of a second cannot have taken less.
    assert!(begun.elapsed() >= Duration::from_millis(730));
    camera.stop();
    tokio::time::timeout(PATIENCE, camera.ended()).await.unwrap().unwrap();
    let _ = std::fs::remove_file(file);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_the_start() {
    let hub = Hub::new();
    let config = pixels::Config::new(false);
    let file = Source::File("/nonexistent/film.mp4".into());
    let e = Camera::start(hub.clone(), "main", file, config.clone()).await.unwrap_err();
    assert_eq!(e.kind(), stdx::Kind::NotFound);
    assert!(e.message().contains("/nonexistent/film.mp4"), "{e:?}");
    let absent = pixels::Config { program: "/nonexistent/khien-pixels".into(), ..config };
    let pattern = Source::Pattern { tag: 1, video: video() };
    let e = Camera::start(hub.clone(), "main", pattern, absent).await.unwrap_err();
    assert!(e.message().contains("cargo build -p pixels"), "{e:?}");
    assert!(hub.published().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_seen() {
    let device = std::fs::read_dir("/dev").unwrap().flatten().map(|e| e.path());
    let device = device.filter(|p| p.to_string_lossy().starts_with("/dev/video")).min();
    let Some(path) = device else {
        eprintln!("skipped: no /dev/video*");
        return;
    };
    let hub = Hub::new();
    let mut subscriber = hub.subscribe("main", Kind::Lossless);
    let video = Video { size: (640, 480), ..video() };
    match Camera::start(hub.clone(), "main", Source::Device { path, video }, pixels()).await {
        Ok(_camera) => assert!(frame(&mut subscriber).await.random_access),
        // Built without V4L2, or a device that does not capture.
        Err(e) => {
            let kinds = [stdx::Kind::Unsupported, stdx::Kind::Unavailable];
            assert!(kinds.contains(&e.kind()), "{e:?}");
            eprintln!("skipped: {e}");
        }
    }
}
