//! SDP (RFC 8866) as khien's server writes it: what every payload format's own RFC wants, and
//! nothing else.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::codec::{Codec, aac, g711, h264, h265};
use media::{Params, Track, TrackKind};

use crate::pay;
use crate::server::Presentation;

/// The control address of a track, relative to the presentation's.
pub(crate) fn control(track: usize) -> String {
    format!("trackID={track}")
}

/// The description of a presentation. `name` is shown by players.
pub fn presentation(name: &str, presentation: &Presentation) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = if name.is_empty() { "khien".to_owned() } else { name };
    let id = presentation.ssrcs.first().copied().unwrap_or(1);
    let mut out = format!(
        "v=0\r\no=- {id} 1 IN IP4 0.0.0.0\r\ns={name}\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
         a=control:*\r\na=range:npt=now-\r\n"
    );
    let types = pay::payload_types(&presentation.tracks);
    for (index, (track, payload_type)) in presentation.tracks.iter().zip(types).enumerate() {
        media(&mut out, index, track, payload_type);
    }
    out
}

fn media(out: &mut String, index: usize, track: &Track, pt: u8) {
    let kind = match track.kind() {
        TrackKind::Video => "video",
        TrackKind::Audio => "audio",
        TrackKind::Metadata => "application",
    };
    let encoding = encoding(track);
    // Writing to a String cannot fail.
    let _ = write!(out, "m={kind} 0 RTP/AVP {pt}\r\na=rtpmap:{pt} {encoding}\r\n");
    if let Some(fmtp) = format_parameters(track) {
        let _ = write!(out, "a=fmtp:{pt} {fmtp}\r\n");
    }
    if let Some(rate) = track.params.frame_rate() {
        // Three digits tell 29.97 from 30.
        let rate = format!("{rate:.3}");
        let rate = rate.trim_end_matches('0').trim_end_matches('.');
        let _ = write!(out, "a=framerate:{rate}\r\n");
    }
    if let Some((width, height)) = track.params.resolution() {
        let _ = write!(out, "a=x-dimensions:{width},{height}\r\n");
    }
    let _ = write!(out, "a=recvonly\r\na=control:{}\r\n", control(index));
}

fn encoding(track: &Track) -> String {
    let rate = track.rate.get();
    match &*track.params {
        Params::G711(p) => {
            let law = if p.law == g711::Law::A { "PCMA" } else { "PCMU" };
            let channels = if p.channels > 1 { format!("/{}", p.channels) } else { String::new() };
            format!("{law}/{rate}{channels}")
        }
        Params::Aac(p) => format!("mpeg4-generic/{rate}/{}", p.channels),
        params => match params.codec() {
            Codec::H264 => format!("H264/{rate}"),
            Codec::H265 => format!("H265/{rate}"),
            Codec::Mjpeg => format!("JPEG/{rate}"),
            Codec::Aac => format!("mpeg4-generic/{rate}"),
            Codec::G711 => format!("PCMU/{rate}"),
            // RFC 7587, section 7: always so, whatever is inside.
            Codec::Opus => "opus/48000/2".to_owned(),
            Codec::Metadata => format!("vnd.onvif.metadata/{rate}"),
        },
    }
}

fn format_parameters(track: &Track) -> Option<String> {
    match &*track.params {
        Params::Pending(Codec::H264) => Some("packetization-mode=1".to_owned()),
        Params::H264(p) => Some(avc(p)),
        Params::H265(p) => Some(hevc(p)),
        Params::Aac(p) => Some(aac(p)),
        Params::Opus(p) => {
            let stereo = u8::from(p.channels > 1);
            Some(format!("sprop-stereo={stereo}"))
        }
        _ => None,
    }
}

/// RFC 6184, section 8.1.
fn avc(p: &h264::Params) -> String {
    format!(
        "packetization-mode=1;profile-level-id={:02X}{:02X}{:02X};sprop-parameter-sets={},{}",
        p.profile,
        p.constraints,
        p.level,
        STANDARD.encode(&p.sps),
        STANDARD.encode(&p.pps)
    )
}

/// RFC 7798, section 7.1.
fn hevc(p: &h265::Params) -> String {
    let [general, .., level] = p.profile_tier_level;
    format!(
        "profile-space={};profile-id={};tier-flag={};level-id={level};\
         sprop-vps={};sprop-sps={};sprop-pps={}",
        general >> 6,
        general & 0x1f,
        general >> 5 & 1,
        STANDARD.encode(&p.vps),
        STANDARD.encode(&p.sps),
        STANDARD.encode(&p.pps)
    )
}

/// RFC 3640, section 4.1, mode AAC-hbr.
fn aac(p: &aac::Params) -> String {
    let mut config = String::with_capacity(p.config.len() * 2);
    for byte in &p.config {
        let _ = write!(config, "{byte:02X}");
    }
    format!(
        "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
         indexdeltalength=3;config={config}"
    )
}

#[cfg(test)]
mod tests;
