//! Broken pictures are errors, and a child that dies or hangs hurts nobody: the next request has
//! another.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod support;

use std::process::Command;
use std::time::Duration;

use media::codec::{Codec, mjpeg};
use media::{Frame, Params};
use pixels::pattern::{Code, read};
use pixels::{Config, Decoder, Encoder, Packet, Worker};
use stdx::Kind;
use support::{config, encoder, frame, settings, stamp};

/// A key frame of the pattern.
fn key_frame(codec: Codec) -> Option<Packet> {
    let mut encoder = encoder(&settings(codec, (640, 360), 1_000_000))?;
    Some(encoder.draw(stamp(3, 5)).unwrap().remove(0))
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_key_frame_becomes_a_jpeg() {
    let worker = Worker::new(config());
    for codec in [Codec::H264, Codec::H265] {
        let Some(packet) = key_frame(codec) else { continue };
        let jpeg = worker.jpeg(&packet.params, &packet.data, 320).unwrap();
        let params = mjpeg::Params::parse(&jpeg).unwrap();
        assert_eq!((params.width, params.height), (320, 180));
        // Read back through the third codec.
        let params = std::sync::Arc::new(Params::Mjpeg(params));
        let picture = Frame { params, data: jpeg, ..frame(&packet) };
        let mut decoder = Decoder::open(&config(), &picture.params, 320).unwrap();
        let mut seen = decoder.decode(&picture).unwrap();
        seen.extend(decoder.finish().unwrap());
        let [seen] = &seen[..] else { panic!("{} pictures", seen.len()) };
        let code = read(&seen.luma, seen.width, seen.height, seen.width);
        assert_eq!(code, Some(Code::from(stamp(3, 5))));
        // A picture that is small enough stays as it is; a JPEG can be made smaller as well.
        let whole = worker.jpeg(&packet.params, &packet.data, 4_000).unwrap();
        assert_eq!(mjpeg::Params::parse(&whole).map(|p| p.width), Ok(640));
        let small = worker.jpeg(&picture.params, &whole, 160).unwrap();
        assert_eq!(mjpeg::Params::parse(&small).map(|p| (p.width, p.height)), Ok((160, 90)));
    }
}

#[test]
fn garbage_is_an_error_and_the_child_goes_on() {
    let worker = Worker::new(config());
    let pid = worker.check().unwrap().pid;
    let Some(good) = key_frame(Codec::H264) else { return };
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for codec in [Codec::H264, Codec::H265, Codec::Mjpeg] {
        for length in [0, 1, 5, 100, 20_000] {
            let noise: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            let e = worker.jpeg(&Params::Pending(codec), &noise, 320).unwrap_err();
            assert_eq!(e.kind(), Kind::DataLoss, "{codec} {length}: {e:?}");
        }
    }
    // A real picture with bytes turned over may decode or not, and is never the end.
    for _ in 0..60 {
        let mut data = good.data.to_vec();
        for _ in 0..1 + random() % 20 {
            let at = (random() % data.len() as u64) as usize;
            data[at] = random() as u8;
        }
        if let Err(e) = worker.jpeg(&good.params, &data, 320) {
            assert_eq!(e.kind(), Kind::DataLoss, "{e:?}");
        }
    }
    let sound = worker.jpeg(&Params::Pending(Codec::Opus), &[1, 2, 3], 320).unwrap_err();
    assert_eq!(sound.kind(), Kind::InvalidArgument);
    let large = vec![0; pixels::wire::PICTURE_BYTES_MAX + 1];
    let e = worker.jpeg(&Params::Pending(Codec::H264), &large, 320).unwrap_err();
    assert_eq!(e.kind(), Kind::ResourceExhausted);
    assert!(worker.jpeg(&good.params, &good.data, 320).is_ok());
    assert_eq!(worker.check().unwrap().pid, pid, "the same child did all of it");
}

#[test]
fn a_killed_child_is_replaced() {
    let worker = Worker::new(config());
    let Some(good) = key_frame(Codec::H264) else { return };
    let first = worker.check().unwrap().pid;
    assert!(worker.jpeg(&good.params, &good.data, 320).is_ok());
    signal(first, "-KILL");
    // Whether the request finds it dead or dying, the one after it finds another.
    if let Err(e) = worker.jpeg(&good.params, &good.data, 320) {
        assert_eq!(e.kind(), Kind::Unavailable, "{e:?}");
    }
    assert!(worker.jpeg(&good.params, &good.data, 320).is_ok());
    assert_ne!(worker.check().unwrap().pid, first);
}

#[test]
fn a_child_that_hangs_fails_the_request_and_is_replaced() {
    let worker = Worker::new(Config { request_max: Duration::from_secs(3), ..config() });
    let Some(good) = key_frame(Codec::H264) else { return };
    let first = worker.check().unwrap().pid;
    signal(first, "-STOP");
    let e = worker.jpeg(&good.params, &good.data, 320).unwrap_err();
    assert_eq!(e.kind(), Kind::Unavailable);
    assert!(e.message().contains("too long"), "{e:?}");
    assert_ne!(worker.check().unwrap().pid, first);
}

#[test]
fn children_that_die_too_often_are_not_started_for_a_while() {
    let worker = Worker::new(config());
    let mut killed = std::collections::BTreeSet::new();
    let e = loop {
        match worker.check() {
            Ok(facts) if killed.insert(facts.pid) => signal(facts.pid, "-KILL"),
            // The kernel has not done it yet.
            Ok(_) => std::thread::yield_now(),
            Err(e) => break e,
        }
        assert!(killed.len() <= 5, "started again and again");
    };
    assert_eq!(killed.len(), 5);
    assert_eq!(e.kind(), Kind::Unavailable);
    assert!(e.message().contains("five times"), "{e:?}");
}

#[test]
fn an_encoder_says_what_is_wrong_with_its_settings() {
    let good = settings(Codec::H264, (640, 360), 1_000_000);
    for wrong in [
        pixels::Settings { size: (641, 360), ..good },
        pixels::Settings { size: (16, 16), ..good },
        pixels::Settings { fps: 0, ..good },
        pixels::Settings { fps: 1_000, ..good },
        pixels::Settings { bit_rate: stdx::Bitrate(5), ..good },
    ] {
        let e = Encoder::pattern(&config(), &wrong).unwrap_err();
        assert_eq!(e.kind(), Kind::InvalidArgument, "{wrong:?} {e:?}");
    }
    let sound = pixels::Settings { codec: Codec::Opus, ..good };
    assert!(Encoder::pattern(&config(), &sound).is_err());
    let device = pixels::Device("/dev/video-that-is-not-there".into());
    let e = Encoder::device(&config(), &good, &device).unwrap_err();
    assert!(matches!(e.kind(), Kind::Unsupported | Kind::Unavailable), "{e:?}");
}

#[test]
fn a_killed_encoder_is_an_error() {
    let Some(mut encoder) = encoder(&settings(Codec::H264, (640, 360), 1_000_000)) else {
        return;
    };
    assert_eq!(encoder.draw(stamp(1, 0)).unwrap().len(), 1);
    signal(encoder.facts().pid, "-KILL");
    let e = encoder.draw(stamp(1, 1)).unwrap_err();
    assert_eq!(e.kind(), Kind::Unavailable, "{e:?}");
}
