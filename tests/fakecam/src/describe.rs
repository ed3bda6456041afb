//! The SDP, and the URLs in and around it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Quirk as Q;
use crate::camera::Shared;
use crate::clip::{Clip, Codec, nal_type};

/// Where a session lives: the path of `Content-Base` and of PLAY.
pub(crate) fn base_path(shared: &Shared) -> &'static str {
    if shared.has(Q::UrlControlJoin) {
        "/stream?channel=1&subtype=0"
    } else if shared.has(Q::KaBaseUrl) {
        "/stream/base"
    } else if shared.has(Q::UrlRedirect) {
        "/moved"
    } else {
        "/stream"
    }
}

/// The value of `Content-Base`.
pub(crate) fn content_base(shared: &Shared) -> String {
    let host = shared.address;
    let scheme = if shared.config.tls { "rtsps" } else { "rtsp" };
    let path = base_path(shared);
    if shared.has(Q::UrlControlJoin) {
        return format!("{scheme}://{host}{path}");
    }
    if shared.has(Q::UrlBaseNoScheme) {
        format!("{host}{path}/")
    } else if shared.has(Q::UrlBaseDouble) {
        format!("{scheme}://{scheme}://{host}{path}/")
    } else if shared.has(Q::UrlBaseV4mapped) {
        format!("{scheme}://::ffff:{}{path}/", host.ip())
    } else if shared.config.form(Q::UrlBaseOtherHost, 0) {
        format!("{scheme}://10.9.9.9:554{path}/")
    } else {
        format!("{scheme}://{host}{path}/")
    }
}

/// The URL of a media as RTP-Info gives it.
pub(crate) fn track_url(shared: &Shared, track: usize) -> String {
    let scheme = if shared.config.tls { "rtsps" } else { "rtsp" };
    format!("{scheme}://{}{}/trackID={track}", shared.address, base_path(shared))
}

/// Which media a SETUP path means.
pub(crate) fn track_of(shared: &Shared, path: &str) -> Option<usize> {
    let rest = path.strip_prefix(base_path(shared))?;
    if shared.has(Q::UrlControlAbsent) {
        return rest.trim_matches('/').is_empty().then_some(0);
    }
    let track = rest.strip_prefix("/trackID=")?.parse().ok()?;
    (track < tracks(shared).len()).then_some(track)
}

/// The media that send something.
pub(crate) fn tracks(shared: &Shared) -> Vec<&Clip> {
    std::iter::once(&shared.pictures).chain(&shared.sound).collect()
}

/// The RTP payload type of a clip.
pub(crate) fn payload_type(shared: &Shared, codec: Codec) -> u8 {
    match codec {
        Codec::H264 | Codec::H265 => 96,
        Codec::Jpeg => 26,
        Codec::Mp2t => 33,
        Codec::Pcmu if shared.has(Q::SdpMimeGuess) => 97,
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::Aac | Codec::Opus | Codec::Pcm => 97,
    }
}

/// The whole SDP.
pub(crate) fn sdp(shared: &Shared) -> String {
    let mut out = session_lines(shared);
    if shared.has(Q::SdpBadMedia) {
        out.push("m=vana 0 RTP/AVP 98".into());
        out.push("a=rtpmap:98 vana/1".into());
    }
    let video = video_fmtp(shared, &shared.pictures);
    for (track, clip) in tracks(shared).into_iter().enumerate() {
        media_lines(shared, &mut out, track, clip, video.as_deref());
    }
    if shared.has(Q::SdpBadMedia) {
        out.push("m=application/TP-LINK 0 RTP/AVP smart/1/90000".into());
        out.push("a=rtpmap:95 TP-LINK/90000".into());
    }
    if shared.has(Q::SdpTwoRtpmap) {
        let back = ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMA/8000", "a=rtpmap:0 PCMU/8000"];
        out.extend(back.map(String::from));
        out.extend(["a=sendonly", "a=control:trackID=5"].map(String::from));
    }
    if shared.has(Q::SessSetupSubset) {
        let back = ["m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendonly"];
        out.extend(back.map(String::from));
        out.push("a=control:trackID=5".into());
    }
    out.push(String::new());
    out.join("\r\n")
}

fn session_lines(shared: &Shared) -> Vec<String> {
    let many = shared.has(Q::SdpManyS).then_some(shared.config.variant);
    let lines: &[&str] = match many {
        None => &["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=fakecam", "c=IN IP4 0.0.0.0", "t=0 0"],
        Some(0) => &["v=0", "o=- 1 1 IN", "s=one", "s=two", "s=three", "c=IN", "t=now-"],
        Some(1) => &["v=0", "t=0 0"],
        Some(2) => &["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=x", "t=now-", "c=IN 127.0.0.1"],
        Some(_) => &["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=", "c=IN IP4 0.0.0.0", "t=0 0"],
    };
    let mut out: Vec<String> = lines.iter().map(|&l| l.into()).collect();
    if shared.has(Q::SessStaleLive555) {
        out.push("a=tool:LIVE555 Streaming Media v2014.01.13".into());
    }
    if !shared.has(Q::UrlControlAbsent) {
        out.push("a=control:*".into());
    }
    out
}

fn media_lines(
    shared: &Shared,
    out: &mut Vec<String>,
    track: usize,
    clip: &Clip,
    video: Option<&str>,
) {
    let pt = payload_type(shared, clip.codec);
    let kind = if track == 0 { "video" } else { "audio" };
    let profile = if shared.has(Q::TrSrtpMki) { "RTP/SAVP" } else { "RTP/AVP" };
    out.push(format!("m={kind} 0 {profile} {pt}"));
    if shared.has(Q::SdpMimeGuess) && track == 1 {
        out.push("b=AS:64".into());
    } else {
        let blanks = if shared.has(Q::SdpSpace) { "  \t" } else { "" };
        out.push(format!("a=rtpmap:{pt} {}{blanks}", encoding(shared, clip.codec)));
    }
    let stray = shared.has(Q::SdpFmtpStray);
    match (track, clip.codec) {
        (0, _) if stray => out.push(format!("a=fmtp:{pt}")),
        (0, _) => out.extend(video.map(String::from)),
        (_, Codec::Aac) => out.push(format!(
            "a=fmtp:{pt} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;\
             indexlength=3;indexdeltalength=3;config=1408"
        )),
        _ => {}
    }
    if stray && track == 1 {
        out.extend(video.map(String::from));
    }
    if shared.has(Q::ResLie) && track == 0 {
        out.push("a=x-dimensions:1920,1080".into());
        out.push(format!("a=framesize:{pt} 1920-1080"));
    }
    if shared.has(Q::SdpAllSendonly) {
        out.push("a=sendonly".into());
    } else if shared.has(Q::SdpTwoRtpmap) || shared.has(Q::SessSetupSubset) {
        out.push("a=recvonly".into());
    }
    if shared.config.form(Q::UrlBaseOtherHost, 1) {
        out.push(format!("a=control:rtsp://10.9.9.9:554/stream/trackID={track}"));
    } else if !shared.has(Q::UrlControlAbsent) {
        out.push(format!("a=control:trackID={track}"));
    }
}

fn encoding(shared: &Shared, codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H264/90000",
        Codec::H265 => "H265/90000",
        Codec::Jpeg => "JPEG/90000",
        Codec::Mp2t => "MP2T/90000",
        Codec::Aac => "mpeg4-generic/16000/1",
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
        Codec::Opus if shared.has(Q::SdpOpusClock) => "opus/8000",
        Codec::Opus => "opus/48000/2",
        Codec::Pcm if shared.has(Q::SdpPcmName) => "PCM/48000",
        Codec::Pcm => "L16/48000",
    }
}

/// The parameter sets of a clip's first picture, as they go into the SDP.
fn parameter_sets(shared: &Shared, clip: &Clip, types: &[u8]) -> Vec<Vec<u8>> {
    let nals = clip.units.first().map_or(&[][..], |u| &u.nals[..]);
    types
        .iter()
        .filter_map(|&t| nals.iter().find(|n| nal_type(clip.codec, n) == t))
        .map(|nal| crate::twist::parameter_set(&shared.config, clip.codec, nal.clone()))
        .collect()
}

fn video_fmtp(shared: &Shared, clip: &Clip) -> Option<String> {
    match clip.codec {
        Codec::H264 => Some(h264_fmtp(shared, clip)),
        Codec::H265 if shared.has(Q::PsInbandOnly) => None,
        Codec::H265 => {
            let names = ["sprop-vps", "sprop-sps", "sprop-pps"];
            let sets = parameter_sets(shared, clip, &[32, 33, 34]);
            let kept = if shared.has(Q::SdpH265SpropPart) { 2 } else { 3 };
            let parts: Vec<String> = names
                .iter()
                .zip(sets)
                .take(kept)
                .map(|(name, set)| format!("{name}={}", BASE64.encode(set)))
                .collect();
            Some(format!("a=fmtp:96 {}", parts.join(";")))
        }
        _ => None,
    }
}

fn h264_fmtp(shared: &Shared, clip: &Clip) -> String {
    let mut sets = parameter_sets(shared, clip, &[7, 8]);
    let level = match sets.first().and_then(|sps| sps.get(1..4)) {
        Some([p, c, l]) if !shared.has(Q::SdpPlid) => format!("{p:02x}{c:02x}{l:02x}"),
        _ => "000001".into(),
    };
    let start = format!("a=fmtp:96 packetization-mode=1;profile-level-id={level}");
    let bad = shared.has(Q::SdpSpropBad).then_some(shared.config.variant);
    if shared.has(Q::PsInbandOnly) || bad == Some(0) {
        return start;
    }
    match bad {
        Some(1) => return format!("{start};sprop-parameter-sets=!!not*base64!!,???"),
        Some(2) => {
            for set in &mut sets {
                set.splice(0..0, [0, 0, 0, 1]);
            }
        }
        Some(_) => sets.reverse(),
        None => {}
    }
    let sets: Vec<String> = sets.iter().map(|s| BASE64.encode(s)).collect();
    format!("{start};sprop-parameter-sets={}", sets.join(","))
}
