//! A short MP4 of the test pattern, for the demo's file camera: no file has to be shipped.

use std::io::Write as _;
use std::path::Path;

use media::codec::Codec;
use media::{Rate, Wall};
use mp4::Sample;
use mp4::progressive::{self, Chunk, ExportTrack};
use pixels::pattern::Stamp;
use pixels::{Encoder, Packet, Settings};
use stdx::{Bitrate, Error, Kind, Result};

const SIZE: (u32, u32) = (640, 360);
const FPS: u32 = 10;
const SECONDS: u32 = 10;
/// The camera's number in the pattern: pattern cameras count from 1.
const CAMERA: u32 = 99;

/// Writes the clip to `path`, which has its name only once it is whole. Its clock begins at
/// `start`. Blocks.
///
/// # Errors
/// As [`Encoder::pattern`]; else of the disk.
pub(crate) fn make(config: &pixels::Config, start: Wall, path: &Path) -> Result<()> {
    let settings =
        Settings { codec: Codec::H264, size: SIZE, fps: FPS, bit_rate: Bitrate(800_000), gop: FPS };
    let mut encoder = Encoder::pattern(config, &settings)?;
    let mut packets = Vec::new();
    for frame in 0..FPS * SECONDS {
        let wall = start.plus_us(i64::from(frame) * 1_000_000 / i64::from(FPS));
        packets.extend(encoder.draw(Stamp { camera: CAMERA, frame, wall })?);
    }
    let head = head(&packets, start)?;
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(&head)?;
    for packet in &packets {
        file.write_all(&packet.data)?;
    }
    file.sync_all()?;
    Ok(std::fs::rename(part, path)?)
}

fn head(packets: &[Packet], start: Wall) -> Result<bytes::Bytes> {
    let bad = |what: String| Error::new(Kind::Internal, format!("the clip: {what}"));
    let first = packets.first().ok_or_else(|| bad("the encoder returns no pictures".to_owned()))?;
    let sample = |p: &Packet| Sample {
        size: u32::try_from(p.data.len()).unwrap_or(u32::MAX),
        duration: Rate::VIDEO.get() / FPS,
        composition_offset: 0,
        sync: p.random_access,
    };
    let samples: Vec<Sample> = packets.iter().map(sample).collect();
    let chunk = Chunk {
        track: 0,
        samples: u32::try_from(samples.len()).unwrap_or(u32::MAX),
        entry: 0,
        size: samples.iter().map(|s| u64::from(s.size)).sum(),
    };
    let entries = vec![std::sync::Arc::clone(&first.params)];
    let track = ExportTrack { rate: Rate::VIDEO, entries, samples, edit: None };
    progressive::head(&[track], &[chunk], Some(start)).map_err(|e| bad(e.to_string()))
}
