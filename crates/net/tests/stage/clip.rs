//! The clips that scripts/make-media makes, as frames.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use media::codec::{aac, g711, h264, h265, mjpeg, nal, opus};
use media::{Params, Rate, Track, TrackId};

/// One track's worth of frames, in decoding order, to be played in a loop.
#[derive(Clone)]
pub(crate) struct Clip {
    pub(crate) params: Arc<Params>,
    pub(crate) rate: Rate,
    pub(crate) units: Vec<Unit>,
    /// Ticks from one frame to the next.
    pub(crate) ticks: i64,
    /// Frames that presentation is later than decoding, so that it never is earlier.
    pub(crate) delay: i64,
}

#[derive(Clone)]
pub(crate) struct Unit {
    pub(crate) data: Bytes,
    pub(crate) key: bool,
    /// Its place in the order of presentation.
    pub(crate) shown: i64,
}

/// The tracks of a publication of these.
pub(crate) fn tracks(clips: &[Clip]) -> Vec<Track> {
    let track = |(id, clip): (u8, &Clip)| Track {
        id: TrackId(id),
        rate: clip.rate,
        params: Arc::clone(&clip.params),
    };
    (0..).zip(clips).map(track).collect()
}

/// The folder of the clips, made at first use.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let made = Command::new(root.join("scripts/make-media")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        root.join("testdata/.made")
    })
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Pictures at 15 a second: `h264`, `h264-b`, `h265`, ...
pub(crate) fn pictures(name: &str) -> Clip {
    let hevc = name.starts_with("h265");
    let stream = read(&format!("{name}.{}", if hevc { "h265" } else { "h264" }));
    let positions = String::from_utf8(read(&format!("{name}.pts"))).unwrap();
    let mut positions = positions.lines().map(|l| l.trim().parse::<i64>().unwrap());
    let (kind, delimiter) = match hevc {
        true => (h265::unit_type as fn(u8) -> u8, h265::AUD),
        false => (h264::unit_type as fn(u8) -> u8, h264::AUD),
    };
    let mut units: Vec<Unit> = Vec::new();
    let mut sets: Vec<&[u8]> = Vec::new();
    let mut data = BytesMut::new();
    let mut key = false;
    let mut finish = |data: &mut BytesMut, key: bool| {
        if !data.is_empty() {
            let data = data.split().freeze();
            units.push(Unit { data, key, shown: positions.next().unwrap() });
        }
    };
    for unit in nal::annexb(&stream) {
        let kind = kind(unit[0]);
        if kind == delimiter {
            finish(&mut data, std::mem::take(&mut key));
        }
        key |= if hevc { h265::is_irap(kind) } else { kind == h264::IDR };
        let set = if hevc { (32..=34).contains(&kind) } else { kind == 7 || kind == 8 };
        if set && sets.len() < if hevc { 3 } else { 2 } {
            sets.push(unit);
        }
        nal::push_prefixed(&mut data, unit);
    }
    finish(&mut data, key);
    let params = match sets[..] {
        [vps, sps, pps] => Params::H265(h265::Params::parse(vps, sps, pps).unwrap()),
        [sps, pps] => Params::H264(h264::Params::parse(sps, pps).unwrap()),
        _ => panic!("{name}: parameter sets"),
    };
    let delay = (0_i64..).zip(&units).map(|(n, u)| n - u.shown).max().unwrap();
    Clip { params: Arc::new(params), rate: Rate::VIDEO, units, ticks: 6_000, delay }
}

fn whole(params: Params, rate: u32, ticks: i64, parts: Vec<Vec<u8>>) -> Clip {
    let unit = |(n, data): (i64, Vec<u8>)| Unit { data: data.into(), key: true, shown: n };
    let units = (0_i64..).zip(parts).map(unit).collect();
    Clip { params: Arc::new(params), rate: Rate::new(rate).unwrap(), units, ticks, delay: 0 }
}

/// JPEG pictures at 15 a second.
pub(crate) fn jpeg() -> Clip {
    let stream = read("jpeg.mjpeg");
    let mut starts: Vec<usize> =
        (0..stream.len() - 2).filter(|&i| stream[i..i + 3] == [0xff, 0xd8, 0xff]).collect();
    starts.push(stream.len());
    let parts: Vec<Vec<u8>> = starts.windows(2).map(|w| stream[w[0]..w[1]].to_vec()).collect();
    let params = Params::Mjpeg(mjpeg::Params::parse(&parts[0]).unwrap());
    whole(params, 90_000, 6_000, parts)
}

/// AAC of 16 kHz.
pub(crate) fn aac() -> Clip {
    let stream = read("aac.adts");
    let mut rest = &stream[..];
    let (mut params, mut parts) = (None, Vec::new());
    while let Some(adts) = aac::adts(rest) {
        parts.push(rest[adts.header_len..adts.frame_len].to_vec());
        rest = &rest[adts.frame_len..];
        params = Some(adts.params);
    }
    whole(Params::Aac(params.unwrap()), 16_000, 1_024, parts)
}

/// G.711 of 8 kHz, 20 ms a frame.
pub(crate) fn g711(law: g711::Law) -> Clip {
    let name = if law == g711::Law::A { "pcma.raw" } else { "pcmu.raw" };
    let parts = read(name).chunks_exact(160).map(<[u8]>::to_vec).collect();
    whole(Params::G711(g711::Params { law, sample_rate: 8_000, channels: 1 }), 8_000, 160, parts)
}

/// Opus, two channels, 20 ms a frame.
pub(crate) fn opus() -> Clip {
    let file = read("opus.ogg");
    let mut rest = &file[..];
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    while rest.starts_with(b"OggS") {
        let segments = usize::from(rest[26]);
        let (lacing, mut body) = rest[27..].split_at(segments);
        for &len in lacing {
            part.extend_from_slice(&body[..usize::from(len)]);
            body = &body[usize::from(len)..];
            if len < 255 {
                parts.push(std::mem::take(&mut part));
            }
        }
        rest = body;
    }
    // The first two are headers.
    let params = Params::Opus(opus::Params { channels: 2, pre_skip: 312 });
    whole(params, 48_000, 960, parts.split_off(2))
}
