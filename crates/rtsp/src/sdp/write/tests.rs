use std::sync::Arc;

use bytes::Bytes;
use media::codec::{mjpeg, opus};
use media::{Rate, TrackId};

use super::*;

fn track(id: u8, rate: u32, params: Params) -> Track {
    Track { id: TrackId(id), rate: Rate::new(rate).unwrap(), params: Arc::new(params) }
}

fn lines(tracks: Vec<Track>) -> Vec<String> {
    let ssrcs = vec![7; tracks.len()];
    let text = presentation("kh\r\nien", &Presentation { tracks, ssrcs });
    assert!(text.ends_with("\r\n"));
    text.lines().map(str::to_owned).collect()
}

fn avc() -> h264::Params {
    h264::Params {
        sps: Bytes::from_static(&[0x67, 1, 2, 3]),
        pps: Bytes::from_static(&[0x68, 4]),
        width: 640,
        height: 360,
        profile: 0x64,
        constraints: 0,
        level: 0x28,
        frame_rate: Some(30_000.0 / 1_001.0),
        reordered: false,
    }
}

fn hevc() -> h265::Params {
    h265::Params {
        vps: Bytes::from_static(&[0x40, 1]),
        sps: Bytes::from_static(&[0x42, 1]),
        pps: Bytes::from_static(&[0x44, 1]),
        width: 640,
        height: 360,
        profile_tier_level: [0x61, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93],
        chroma_format: 1,
        luma_bits: 8,
        chroma_bits: 8,
        frame_rate: Some(25.0),
        reordered: false,
    }
}

#[test]
fn every_codec_is_described_as_its_rfc_says() {
    let sound = aac::Params::parse_config(&[0x14, 0x08]).unwrap();
    let law = |law, sample_rate| Params::G711(g711::Params { law, sample_rate, channels: 1 });
    let got = lines(vec![
        track(0, 90_000, Params::H264(avc())),
        track(1, 90_000, Params::H265(hevc())),
        track(2, 90_000, Params::Mjpeg(mjpeg::Params { width: 320, height: 240 })),
        track(3, 16_000, Params::Aac(sound)),
        track(4, 8_000, law(g711::Law::Mu, 8_000)),
        track(5, 8_000, law(g711::Law::A, 8_000)),
        track(6, 16_000, law(g711::Law::A, 16_000)),
        track(7, 48_000, Params::Opus(opus::Params { channels: 2, pre_skip: 0 })),
        track(8, 90_000, Params::Metadata),
        track(9, 90_000, Params::Pending(Codec::H264)),
    ]);
    assert_eq!(got, EXPECT.lines().collect::<Vec<_>>());
}

const EXPECT: &str = "v=0
o=- 7 1 IN IP4 0.0.0.0
s=khien
c=IN IP4 0.0.0.0
t=0 0
a=control:*
a=range:npt=now-
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=ZwECAw==,aAQ=
a=framerate:29.97
a=x-dimensions:640,360
a=recvonly
a=control:trackID=0
m=video 0 RTP/AVP 97
a=rtpmap:97 H265/90000
a=fmtp:97 profile-space=1;profile-id=1;tier-flag=1;level-id=93;sprop-vps=QAE=;sprop-sps=QgE=;sprop-pps=RAE=
a=framerate:25
a=x-dimensions:640,360
a=recvonly
a=control:trackID=1
m=video 0 RTP/AVP 26
a=rtpmap:26 JPEG/90000
a=x-dimensions:320,240
a=recvonly
a=control:trackID=2
m=audio 0 RTP/AVP 98
a=rtpmap:98 mpeg4-generic/16000/1
a=fmtp:98 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408
a=recvonly
a=control:trackID=3
m=audio 0 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=recvonly
a=control:trackID=4
m=audio 0 RTP/AVP 8
a=rtpmap:8 PCMA/8000
a=recvonly
a=control:trackID=5
m=audio 0 RTP/AVP 99
a=rtpmap:99 PCMA/16000
a=recvonly
a=control:trackID=6
m=audio 0 RTP/AVP 100
a=rtpmap:100 opus/48000/2
a=fmtp:100 sprop-stereo=1
a=recvonly
a=control:trackID=7
m=application 0 RTP/AVP 101
a=rtpmap:101 vnd.onvif.metadata/90000
a=recvonly
a=control:trackID=8
m=video 0 RTP/AVP 102
a=rtpmap:102 H264/90000
a=fmtp:102 packetization-mode=1
a=recvonly
a=control:trackID=9";
