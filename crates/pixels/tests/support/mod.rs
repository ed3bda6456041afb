//! What the tests of this room share.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::PathBuf;

use media::codec::Codec;
use media::{Frame, Ticks, TrackId, Wall};
use pixels::pattern::Stamp;
use pixels::{Config, Encoder, Packet, Settings};

pub(crate) fn config() -> Config {
    Config { program: PathBuf::from(env!("CARGO_BIN_EXE_khien-pixels")), ..Config::new(false) }
}

pub(crate) fn settings(codec: Codec, size: (u32, u32), bit_rate: u64) -> Settings {
    Settings { codec, size, fps: 30, bit_rate: stdx::Bitrate(bit_rate), gop: 30 }
}

/// The first instant of the tests' time.
pub(crate) const START_US: i64 = 1_795_000_000_000_000;

/// `None`, with a word, where this FFmpeg lacks the encoder.
pub(crate) fn encoder(settings: &Settings) -> Option<Encoder> {
    match Encoder::pattern(&config(), settings) {
        Ok(encoder) => Some(encoder),
        Err(e) if e.kind() == stdx::Kind::Unsupported => {
            eprintln!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e:?}"),
    }
}

pub(crate) fn stamp(camera: u32, n: u32) -> Stamp {
    Stamp { camera, frame: n, wall: Wall(START_US + i64::from(n) * 33_333) }
}

pub(crate) fn frame(packet: &Packet) -> Frame {
    let ticks = Ticks(i64::try_from(packet.number).unwrap());
    Frame {
        track: TrackId(0),
        pts: ticks,
        dts: ticks,
        wall: packet.stamp.unwrap().wall,
        random_access: packet.random_access,
        damaged: false,
        discontinuity: false,
        params: packet.params.clone(),
        data: packet.data.clone(),
    }
}
