//! The clips: reading elementary streams into pictures and sound packets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::{Audio, Media};

/// What a list of units is coded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    H264,
    H265,
    Jpeg,
    Mp2t,
    Aac,
    Pcmu,
    Pcma,
    Opus,
    Pcm,
}

/// One access unit.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// NAL units without start codes; for other codecs one element, the whole unit.
    pub(crate) nals: Vec<Vec<u8>>,
    /// A clip may start here.
    pub(crate) key: bool,
    /// Position on the screen, in units of this clip.
    pub(crate) at: u64,
}

/// One track's units, in decoding order.
#[derive(Debug, Clone)]
pub(crate) struct Clip {
    pub(crate) codec: Codec,
    pub(crate) units: Arc<Vec<Unit>>,
    /// Ticks of the RTP clock in a second.
    pub(crate) clock: u32,
    /// Ticks of a unit of sound; 0 for pictures, whose rate is the camera's.
    pub(crate) ticks: u32,
}

const NUMBER_ID: &[u8; 16] = b"fakecam-frame-no";

/// An SEI message that carries a picture's number as decimal digits, so that no emulation
/// prevention is ever needed.
pub(crate) fn number_sei(codec: Codec, number: u64) -> Vec<u8> {
    let mut nal = if codec == Codec::H265 { vec![39 << 1, 1] } else { vec![6] };
    nal.extend([5, 26]);
    nal.extend(NUMBER_ID);
    nal.extend(format!("{number:010}").bytes());
    nal.push(0x80);
    nal
}

/// The number that this camera wrote into a picture, wherever in `data` it stands (any framing).
pub fn frame_number(data: &[u8]) -> Option<u64> {
    let at = data.windows(16).position(|w| w == NUMBER_ID)?;
    let digits = data.get(at + 16..at + 26)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where the clips are, made first if they are missing. Fails where ffmpeg is not installed.
pub fn ensure_media() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = root.join("scripts/make-media");
    let done = Command::new(&script).output()?;
    if !done.status.success() {
        let text = String::from_utf8_lossy(&done.stderr);
        return Err(io::Error::other(format!("{}: {text}", script.display())));
    }
    root.join("testdata/.made").canonicalize()
}

fn read(dir: &Path, name: &str) -> io::Result<Vec<u8>> {
    fs::read(dir.join(name)).map_err(|e| io::Error::new(e.kind(), format!("{name}: {e}")))
}

/// The pictures of `media`.
pub(crate) fn pictures(dir: &Path, media: Media) -> io::Result<Clip> {
    let (name, codec) = match media {
        Media::H264 => ("h264", Codec::H264),
        Media::H264B => ("h264-b", Codec::H264),
        Media::H264Alt => ("h264-alt", Codec::H264),
        Media::H264LongGop | Media::H264Gop6 => ("h264-long-gop", Codec::H264),
        Media::H264Open => ("h264-open", Codec::H264),
        Media::H264Hard => ("h264-hard", Codec::H264),
        Media::H265 => ("h265", Codec::H265),
        Media::H265Cra => ("h265-cra", Codec::H265),
        Media::H265Uhd => ("h265-4k", Codec::H265),
        Media::Jpeg => ("jpeg", Codec::Jpeg),
        Media::JpegLarge => ("jpeg-2560", Codec::Jpeg),
        Media::Mp2t => ("h264", Codec::Mp2t),
    };
    let mut units = match codec {
        Codec::Jpeg => jpegs(&read(dir, &format!("{name}.mjpeg"))?),
        Codec::Mp2t => transport_packets(&read(dir, &format!("{name}.ts"))?),
        _ => annexb(dir, name, codec)?,
    };
    if media == Media::H264Gop6 {
        units.truncate(90);
    }
    finish(codec, units, 90_000, 0)
}

/// The same pictures coded with other parameters of the same size, for sps-flap.
pub(crate) fn flapping(dir: &Path) -> io::Result<Clip> {
    let one = annexb(dir, "h264", Codec::H264)?;
    let other = annexb(dir, "h264-flap", Codec::H264)?;
    let units = one
        .into_iter()
        .zip(other)
        .enumerate()
        .map(|(i, (a, b))| if i / 15 % 2 == 0 { a } else { b })
        .collect();
    finish(Codec::H264, units, 90_000, 0)
}

/// The sound, if any.
pub(crate) fn sound(dir: &Path, audio: Audio) -> io::Result<Option<Clip>> {
    let chunks = |name: &str, bytes: usize| -> io::Result<Vec<Unit>> {
        Ok(read(dir, name)?.chunks_exact(bytes).map(|c| whole(c.to_vec())).collect())
    };
    let clip = match audio {
        Audio::None => return Ok(None),
        Audio::Aac => finish(Codec::Aac, adts(&read(dir, "aac.adts")?), 16_000, 1024),
        Audio::Pcmu => finish(Codec::Pcmu, chunks("pcmu.raw", 160)?, 8_000, 160),
        Audio::Pcma => finish(Codec::Pcma, chunks("pcma.raw", 160)?, 8_000, 160),
        Audio::Opus => finish(Codec::Opus, ogg(&read(dir, "opus.ogg")?), 48_000, 960),
        Audio::Pcm => finish(Codec::Pcm, chunks("pcm.raw", 960)?, 48_000, 480),
    }?;
    Ok(Some(clip))
}

fn finish(codec: Codec, mut units: Vec<Unit>, clock: u32, ticks: u32) -> io::Result<Clip> {
    if units.is_empty() {
        return Err(io::Error::other(format!("the clip for {codec:?} is empty")));
    }
    if ticks != 0 || matches!(codec, Codec::Jpeg | Codec::Mp2t) {
        for (i, unit) in units.iter_mut().enumerate() {
            unit.at = i as u64;
        }
    }
    Ok(Clip { codec, units: Arc::new(units), clock, ticks })
}

fn whole(bytes: Vec<u8>) -> Unit {
    Unit { nals: vec![bytes], key: true, at: 0 }
}

/// Cuts at start codes of three or four bytes.
pub(crate) fn split_annexb(data: &[u8]) -> Vec<Vec<u8>> {
    let mut starts = Vec::new();
    let mut i = 0;
    while i + 3 <= data.len() {
        if data[i..i + 3] == [0, 0, 1] {
            starts.push(i + 3);
            i += 3;
        } else {
            i += 1;
        }
    }
    let ends = starts.iter().skip(1).map(|s| s - 3).chain([data.len()]);
    let trim = |nal: &[u8]| {
        let len = nal.iter().rposition(|&b| b != 0).map_or(0, |p| p + 1);
        nal[..len].to_vec()
    };
    starts.iter().zip(ends).map(|(&s, e)| trim(&data[s..e])).filter(|n| !n.is_empty()).collect()
}

/// The type of a NAL unit.
pub(crate) fn nal_type(codec: Codec, nal: &[u8]) -> u8 {
    let first = nal.first().copied().unwrap_or(0);
    if codec == Codec::H265 { (first >> 1) & 63 } else { first & 31 }
}

/// Is it a coded slice?
pub(crate) fn is_slice(codec: Codec, nal: &[u8]) -> bool {
    let t = nal_type(codec, nal);
    if codec == Codec::H265 { t < 32 } else { (1..=5).contains(&t) }
}

/// Is it a parameter set?
pub(crate) fn is_parameter_set(codec: Codec, nal: &[u8]) -> bool {
    let t = nal_type(codec, nal);
    if codec == Codec::H265 { (32..=34).contains(&t) } else { t == 7 || t == 8 }
}

fn annexb(dir: &Path, name: &str, codec: Codec) -> io::Result<Vec<Unit>> {
    let ext = if codec == Codec::H265 { "h265" } else { "h264" };
    let data = read(dir, &format!("{name}.{ext}"))?;
    let positions = String::from_utf8_lossy(&read(dir, &format!("{name}.pts"))?)
        .lines()
        .filter_map(|l| l.trim().parse().ok())
        .collect::<Vec<u64>>();
    let delimiter = if codec == Codec::H265 { 35 } else { 9 };
    let mut units: Vec<Unit> = Vec::new();
    for nal in split_annexb(&data) {
        let t = nal_type(codec, &nal);
        if t == delimiter || units.is_empty() {
            let at = positions.get(units.len()).copied().unwrap_or(units.len() as u64);
            units.push(Unit { nals: Vec::new(), key: false, at });
        }
        if let Some(unit) = units.last_mut() {
            unit.key |= if codec == Codec::H265 { (16..=23).contains(&t) } else { t == 5 };
            unit.nals.push(nal);
        }
    }
    if units.len() != positions.len() {
        return Err(io::Error::other(format!(
            "{name}: {} pictures, {} positions",
            units.len(),
            positions.len()
        )));
    }
    Ok(units)
}

fn jpegs(data: &[u8]) -> Vec<Unit> {
    // FFD8 FF starts a picture; inside entropy-coded data an FF is always followed by 00 or RST.
    let starts: Vec<usize> = data
        .windows(3)
        .enumerate()
        .filter(|(_, w)| *w == [0xff, 0xd8, 0xff])
        .map(|(i, _)| i)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    starts.iter().zip(ends).map(|(&s, e)| whole(data[s..e].to_vec())).collect()
}

fn transport_packets(data: &[u8]) -> Vec<Unit> {
    data.chunks_exact(188 * 7).map(|c| whole(c.to_vec())).collect()
}

fn adts(mut data: &[u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    while data.len() > 7 && data[0] == 0xff && data[1] & 0xf0 == 0xf0 {
        let header = if data[1] & 1 == 1 { 7 } else { 9 };
        let len =
            usize::from(data[3] & 3) << 11 | usize::from(data[4]) << 3 | usize::from(data[5] >> 5);
        if len <= header || len > data.len() {
            break;
        }
        units.push(whole(data[header..len].to_vec()));
        data = &data[len..];
    }
    units
}

/// Packets of an Ogg file after the two header packets of Opus.
fn ogg(mut data: &[u8]) -> Vec<Unit> {
    let mut packets = Vec::new();
    let mut packet: Vec<u8> = Vec::new();
    while data.len() > 27 && data.starts_with(b"OggS") {
        let segments = usize::from(data[26]);
        let Some(lacing) = data.get(27..27 + segments) else { break };
        let mut body = &data[27 + segments..];
        for &len in lacing {
            let Some((head, rest)) = body.split_at_checked(usize::from(len)) else {
                return packets;
            };
            packet.extend_from_slice(head);
            body = rest;
            if len < 255 {
                packets.push(whole(std::mem::take(&mut packet)));
            }
        }
        data = body;
    }
    packets.drain(..packets.len().min(2));
    packets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_of_both_lengths_cut_and_padding_goes() {
        let data = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 7, 1, 0, 0, 0, 1, 5, 2];
        assert_eq!(split_annexb(&data), [vec![9, 0xf0], vec![7, 1], vec![5, 2]]);
        assert!(split_annexb(&[1, 2, 3]).is_empty());
    }

    #[test]
    fn the_number_is_found_in_any_framing() {
        for codec in [Codec::H264, Codec::H265] {
            let mut data = vec![0, 0, 0, 45];
            data.extend(number_sei(codec, 1234));
            assert_eq!(frame_number(&data), Some(1234));
        }
        assert_eq!(frame_number(b"fakecam-frame-no12"), None);
    }

    #[test]
    fn broken_sound_files_give_what_is_whole() {
        assert!(adts(&[0xff, 0xf1, 0, 0, 0, 0, 0, 0]).is_empty());
        assert!(ogg(b"OggS").is_empty());
    }
}
