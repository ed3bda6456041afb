//! From rtpmap and fmtp to codec parameters.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use media::codec::{Codec, aac, g711, h264, h265, nal, opus};
use media::{Params, Rate};

use super::Media;
use super::read::{Raw, RawMedia};
use crate::payload::AuHeader;
use crate::quirk::{Quirk, QuirkCounts};

/// Some cameras leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Longest parameter set that is believed, bytes.
const SET_BYTES_MAX: usize = 4 << 10;

/// One row of an rtpmap.
struct Map {
    name: String,
    clock: Option<u32>,
    channels: u8,
}

/// The media, if it carries something that khien knows.
pub(super) fn usable(media: &RawMedia, all: &Raw, quirks: &mut QuirkCounts) -> Option<Media> {
    let mut found = None;
    for &payload_type in &media.types {
        if let Some(map) = map_of(media, payload_type, quirks)
            && let Some(known) = codec(media, all, payload_type, &map, quirks)
        {
            found = Some((payload_type, known));
            break;
        }
    }
    let (payload_type, (params, rate, header)) = found?;
    let size = media.size;
    if let (Some(claimed), Some(real)) = (size, params.resolution())
        && claimed != real
    {
        quirks.add(Quirk::ResLie);
    }
    let control = media.control.clone();
    if control.is_none() {
        quirks.add(Quirk::UrlControlAbsent);
    }
    Some(Media { payload_type, params: Arc::new(params), rate, header, control, size })
}

/// Counts what is wrong with a back channel, which is not set up.
pub(super) fn look_at_back_channel(media: &RawMedia, quirks: &mut QuirkCounts) {
    for &payload_type in &media.types {
        let _ = map_of(media, payload_type, quirks);
    }
}

fn map_of(media: &RawMedia, payload_type: u8, quirks: &mut QuirkCounts) -> Option<Map> {
    let mut maps = media.rtpmaps.iter().filter(|(t, _)| *t == payload_type);
    let first = maps.next();
    if maps.next().is_some() {
        quirks.add(Quirk::SdpTwoRtpmap);
    }
    let Some((_, text)) = first else {
        let fixed = match payload_type {
            0 => "PCMU/8000",
            8 => "PCMA/8000",
            26 => "JPEG/90000",
            33 => "MP2T/90000",
            96.. => {
                quirks.add(Quirk::SdpMimeGuess);
                return None;
            }
            _ => return None,
        };
        return Some(map(fixed));
    };
    // Of several the first that means something.
    let known = media.rtpmaps.iter().filter(|(t, _)| *t == payload_type).map(|(_, m)| map(m));
    known.into_iter().find(|m| is_known(&m.name)).or_else(|| Some(map(text)))
}

fn map(text: &str) -> Map {
    let mut parts = text.split('/').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_uppercase();
    let clock = parts.next().and_then(|c| c.parse().ok()).filter(|c| *c > 0);
    let channels = parts.next().and_then(|c| c.parse().ok()).filter(|c| *c > 0).unwrap_or(1);
    Map { name, clock, channels }
}

fn is_known(name: &str) -> bool {
    matches!(
        name,
        "H264"
            | "H265"
            | "HEVC"
            | "JPEG"
            | "MPEG4-GENERIC"
            | "PCMU"
            | "PCMA"
            | "OPUS"
            | "VND.ONVIF.METADATA"
    )
}

type Known = (Params, Rate, AuHeader);

fn codec(
    media: &RawMedia,
    all: &Raw,
    payload_type: u8,
    map: &Map,
    quirks: &mut QuirkCounts,
) -> Option<Known> {
    let fmtp = Fmtp::find(media, all, payload_type, quirks);
    let rate = |usual: Rate| map.clock.and_then(Rate::new).unwrap_or(usual);
    let plain = |params, rate| Some((params, rate, AuHeader::default()));
    match map.name.as_str() {
        "H264" => plain(h264_of(&fmtp, quirks), rate(Rate::VIDEO)),
        "H265" | "HEVC" => plain(h265_of(&fmtp, quirks), rate(Rate::VIDEO)),
        "JPEG" => plain(Params::Pending(Codec::Mjpeg), rate(Rate::VIDEO)),
        "MPEG4-GENERIC" => aac_of(&fmtp, map),
        "PCMU" | "PCMA" => {
            let law = if map.name == "PCMA" { g711::Law::A } else { g711::Law::Mu };
            let sample_rate = map.clock.unwrap_or(8_000);
            let params = g711::Params { law, sample_rate, channels: map.channels };
            plain(Params::G711(params), Rate::new(sample_rate)?)
        }
        "OPUS" => {
            if map.clock != Some(48_000) || map.channels != 2 {
                quirks.add(Quirk::SdpOpusClock);
            }
            let mono = fmtp.get("sprop-stereo") == Some("0");
            let params = opus::Params { channels: if mono { 1 } else { 2 }, pre_skip: 0 };
            plain(Params::Opus(params), Rate::new(48_000)?)
        }
        "VND.ONVIF.METADATA" => plain(Params::Metadata, rate(Rate::VIDEO)),
        "PCM" => {
            quirks.add(Quirk::SdpPcmName);
            None
        }
        "MP2T" => {
            quirks.add(Quirk::SdpTransportMp2t);
            None
        }
        _ => None,
    }
}

/// The parameters of a format: `name=value;…`.
struct Fmtp<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fmtp<'a> {
    /// Looks under the media itself first, then under all others, where some cameras put them.
    fn find(media: &'a RawMedia, all: &'a Raw, payload_type: u8, quirks: &mut QuirkCounts) -> Self {
        let of = |m: &'a RawMedia| m.fmtps.iter().find(|(t, _)| *t == payload_type);
        let text = of(media).or_else(|| {
            let stray = all.medias.iter().filter(|m| !m.types.contains(&payload_type)).find_map(of);
            if stray.is_some() {
                quirks.add(Quirk::SdpFmtpStray);
            }
            stray
        });
        let text = text.map_or("", |(_, t)| t.as_str());
        Self(
            text.split(';')
                .filter_map(|p| p.split_once('='))
                .map(|(name, value)| (name.trim(), value.trim()))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v)
    }

    fn number(&self, name: &str) -> Option<u8> {
        self.get(name)?.parse().ok()
    }
}

/// One parameter set; start codes and zeros around it are taken off and counted.
fn set(text: &str, quirks: &mut QuirkCounts) -> Option<Vec<u8>> {
    let raw = BASE64.decode(text.trim()).ok().filter(|s| s.len() <= SET_BYTES_MAX)?;
    if raw.starts_with(&[0, 0, 1]) || raw.starts_with(&[0, 0, 0, 1]) {
        quirks.add(Quirk::SdpSpropBad);
        return nal::annexb(&raw).next().map(<[u8]>::to_vec);
    }
    Some(raw)
}

/// RFC 6184, section 8.1.
fn h264_of(fmtp: &Fmtp<'_>, quirks: &mut QuirkCounts) -> Params {
    let pending = |quirks: &mut QuirkCounts| {
        quirks.add(Quirk::SdpSpropBad);
        Params::Pending(Codec::H264)
    };
    let Some(sprop) = fmtp.get("sprop-parameter-sets") else { return pending(quirks) };
    let sets: Option<Vec<Vec<u8>>> = sprop
        .split(',')
        .filter(|t| !t.trim().is_empty())
        .take(8)
        .map(|t| set(t, quirks).filter(|s| !s.is_empty()))
        .collect();
    let Some(sets) = sets else { return pending(quirks) };
    let place = |wanted: u8| {
        sets.iter().position(|s| s.first().is_some_and(|b| h264::unit_type(*b) == wanted))
    };
    let (Some(sps), Some(pps)) = (place(7), place(8)) else { return pending(quirks) };
    if pps < sps {
        quirks.add(Quirk::SdpSpropBad);
    }
    let (Some(sps), Some(pps)) = (sets.get(sps), sets.get(pps)) else { return pending(quirks) };
    let Ok(params) = h264::Params::parse(sps, pps) else { return pending(quirks) };
    let real = format!("{:02x}{:02x}{:02x}", params.profile, params.constraints, params.level);
    if fmtp.get("profile-level-id").is_some_and(|claimed| !claimed.eq_ignore_ascii_case(&real)) {
        quirks.add(Quirk::SdpPlid);
    }
    Params::H264(params)
}

/// RFC 7798, section 7.1.
fn h265_of(fmtp: &Fmtp<'_>, quirks: &mut QuirkCounts) -> Params {
    let texts = ["sprop-vps", "sprop-sps", "sprop-pps"].map(|name| fmtp.get(name));
    let there = texts.iter().filter(|t| t.is_some()).count();
    let [Some(vps), Some(sps), Some(pps)] = texts else {
        quirks.add(if there > 0 { Quirk::SdpH265SpropPart } else { Quirk::SdpSpropBad });
        return Params::Pending(Codec::H265);
    };
    // Several of one kind stand behind commas; the first is the one in force.
    let mut first = |text: &str| set(text.split(',').next().unwrap_or(""), quirks);
    let parsed = match (first(vps), first(sps), first(pps)) {
        (Some(vps), Some(sps), Some(pps)) => h265::Params::parse(&vps, &sps, &pps).ok(),
        _ => None,
    };
    parsed.map_or_else(
        || {
            quirks.add(Quirk::SdpSpropBad);
            Params::Pending(Codec::H265)
        },
        Params::H265,
    )
}

/// RFC 3640, section 4.1. Other modes than those made of AU headers are not known.
fn aac_of(fmtp: &Fmtp<'_>, map: &Map) -> Option<Known> {
    let header = AuHeader {
        size_bits: fmtp.number("sizelength").unwrap_or(13),
        index_bits: fmtp.number("indexlength").unwrap_or(3),
        index_delta_bits: fmtp.number("indexdeltalength").unwrap_or(3),
    };
    if header.size_bits > 32 || header.index_bits > 32 || header.index_delta_bits > 32 {
        return None;
    }
    let config = fmtp.get("config").and_then(hex);
    let params = config.and_then(|c| aac::Params::parse_config(&c).ok());
    let known = params.as_ref().map(|p| p.sample_rate);
    let rate = map.clock.or(known).and_then(Rate::new)?;
    let params = params.map_or(Params::Pending(Codec::Aac), Params::Aac);
    Some((params, rate, header))
}

fn hex(text: &str) -> Option<Bytes> {
    let text = text.trim().trim_matches('"');
    if text.len() > 128 || !text.is_ascii() {
        return None;
    }
    let digits = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.map(Bytes::from)
}
