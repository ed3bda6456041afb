use media::codec::Codec;
use media::codec::g711::Law;

use super::*;

/// 640x362, Baseline, as x264 writes them.
const SETS: &str = "Z0LAFtkAoC/5MBEAAAMAAQAAAwAeDxYuSA==,aMuDyyA=";
const HEVC: [&str; 3] = [
    "QAEMAf//AWAAAAMAkAAAAwAAAwB4koCQ",
    "QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDllkqSTK8BaAgAAAMACAAAAwDIQA==",
    "RAHBcrRiQA==",
];
const SESSION: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n";

fn read(text: &str) -> (Session, Vec<Quirk>) {
    let mut counts = QuirkCounts::default();
    let session = parse(text.as_bytes(), &mut counts).unwrap();
    (session, counts.list().into_iter().map(|(q, _)| q).collect())
}

/// The codecs that are found, in short, and the quirks that are counted.
fn check(text: &str, expect: &[&str], quirks: &[Quirk]) -> Session {
    let (session, seen) = read(text);
    let found: Vec<String> = session.medias.iter().map(short).collect();
    assert_eq!(found, expect, "{text}");
    assert_eq!(seen, quirks, "{text}");
    session
}

/// `96 H.264 640x362`, `0 G.711 8000/1`.
fn short(media: &Media) -> String {
    let name = media.params.codec().name();
    let size = media.params.resolution().map(|(w, h)| format!(" {w}x{h}"));
    let sound = media.params.audio().map(|(rate, channels)| format!(" {rate}/{channels}"));
    let pending = matches!(*media.params, Params::Pending(_)).then(|| " pending".to_owned());
    let tail = [size, sound, pending].into_iter().flatten().collect::<String>();
    format!("{} {name}{tail}", media.payload_type)
}

fn video(lines: &str) -> String {
    format!("{SESSION}a=control:*\r\nm=video 0 RTP/AVP 96\r\n{lines}a=control:trackID=0\r\n")
}

fn avc(fmtp: &str) -> String {
    video(&format!("a=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\n"))
}

/// Descriptions as cameras of several makers write them, with other numbers.
#[test]
fn descriptions_of_real_cameras() {
    // Two medias and ONVIF metadata, sizes, a bandwidth, a media id that is no number.
    let text = format!(
        "v=0\r\no=- 1109162014219182 1109162014219192 IN IP4 192.0.2.64\r\ns=Media Presentation\r\n\
         e=NONE\r\nb=AS:5050\r\nt=0 0\r\na=control:rtsp://192.0.2.64/Streaming/Channels/101/\r\n\
         m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:5000\r\na=recvonly\r\n\
         a=x-dimensions:640,362\r\n\
         a=control:rtsp://192.0.2.64/Streaming/Channels/101/trackID=1\r\n\
         a=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 profile-level-id=42C016; packetization-mode=1; sprop-parameter-sets={SETS}\r\n\
         m=audio 0 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\nb=AS:50\r\na=recvonly\r\n\
         a=control:rtsp://192.0.2.64/Streaming/Channels/101/trackID=2\r\na=rtpmap:8 PCMA/8000\r\n\
         m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n\
         a=control:trackID=3\r\na=appversion:1.0\r\n"
    );
    let expect = ["96 H.264 640x362", "8 G.711 8000/1", "107 ONVIF metadata"];
    let session = check(&text, &expect, &[]);
    assert_eq!(session.control.unwrap(), "rtsp://192.0.2.64/Streaming/Channels/101/");
    let [picture, sound, _] = &session.medias[..] else { panic!() };
    assert_eq!(picture.control.as_deref().unwrap().rsplit('/').next(), Some("trackID=1"));
    assert_eq!((picture.size, picture.rate), (Some((640, 362)), Rate::VIDEO));
    assert!(matches!(&*sound.params, Params::G711(p) if p.law == Law::A));

    // H.265 with three sets, AAC, and line ends without a carriage return.
    let [vps, sps, pps] = HEVC;
    let text = format!(
        "v=0\no=- 2251938191 2251938191 IN IP4 0.0.0.0\ns=RTSP Session/2.0\nc=IN IP4 0.0.0.0\n\
         t=0 0\na=control:*\na=packetization-supported:DH\na=range:npt=now-\n\
         m=video 0 RTP/AVP 98\na=control:trackID=0\na=framerate:25.000000\n\
         a=rtpmap:98 H265/90000\n\
         a=fmtp:98 profile-id=1;sprop-sps={sps};sprop-pps={pps};sprop-vps={vps}\na=recvonly\n\
         m=audio 0 RTP/AVP 97\na=control:trackID=1\na=rtpmap:97 MPEG4-GENERIC/16000\n\
         a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;\
         indexdeltalength=3;config=1408\na=recvonly\n"
    );
    let session = check(&text, &["98 H.265 1920x1080", "97 AAC 16000/1"], &[]);
    assert_eq!(session.medias[1].rate.get(), 16_000);
    assert_eq!(session.medias[1].header, AuHeader::default());

    // Names itself, has a subtitle kind of media, and MJPEG.
    let text = "v=0\r\no=- 1700 1 IN IP4 192.0.2.7\r\ns=Session streamed by \"cam\"\r\ni=live\r\n\
        t=0 0\r\na=tool:LIVE555 Streaming Media v2014.01.13\r\na=type:broadcast\r\na=control:*\r\n\
        m=video 0 RTP/AVP 26\r\nc=IN IP4 0.0.0.0\r\nb=AS:8000\r\na=control:track1\r\n\
        m=text 0 RTP/AVP 99\r\na=rtpmap:99 t140/1000\r\na=control:track2\r\n";
    let session = check(text, &["26 MJPEG pending"], &[]);
    assert_eq!(session.tool.as_deref(), Some("LIVE555 Streaming Media v2014.01.13"));
    assert_eq!(session.unusable, 1);
}

#[test]
fn session_lines_may_be_missing_doubled_or_cut_short() {
    let media = "m=audio 0 RTP/AVP 0\r\na=control:a\r\n";
    for lines in [
        "v=0\r\nt=0 0\r\n",
        "v=0\r\no=- 1 1 IN\r\ns=one\r\ns=two\r\nc=IN\r\nt=now-\r\n",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=\r\n",
        "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=x\r\nc=IN 192.0.2.5\r\n",
        "nonsense\r\n=\r\nx\r\n",
    ] {
        check(&format!("{lines}{media}"), &["0 G.711 8000/1"], &[Quirk::SdpManyS]);
    }
    check(&format!("{SESSION}{media}"), &["0 G.711 8000/1"], &[]);
}

#[test]
fn medias_that_mean_nothing_are_dropped_and_the_others_kept() {
    let text = format!(
        "{SESSION}m=vana 0 RTP/AVP 98\r\na=rtpmap:98 vana/1\r\na=fmtp:98 x=y\r\n\
         m=audio 0 RTP/AVP 0\r\na=control:a\r\n\
         m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 TP-LINK/90000\r\n\
         m=video x RTP/AVP 96\r\nm=video 0 UDP 96\r\nm=\r\n"
    );
    let session = check(&text, &["0 G.711 8000/1"], &[Quirk::SdpBadMedia]);
    assert_eq!(session.unusable, 5);
    let text = format!("{SESSION}m=video 0 RTP/AVP 33\r\na=control:x\r\n");
    assert_eq!(check(&text, &[], &[Quirk::SdpTransportMp2t]).unusable, 1);
    let text = format!("{SESSION}m=audio 0 RTP/AVP 97\r\na=rtpmap:97 PCM/48000\r\na=control:x\r\n");
    check(&text, &[], &[Quirk::SdpPcmName]);
    let text = format!("{SESSION}m=audio 0 RTP/AVP 97\r\nb=AS:64\r\na=control:x\r\n");
    check(&text, &[], &[Quirk::SdpMimeGuess]);
}

#[test]
fn blanks_are_trimmed() {
    let text = format!(
        "{SESSION}a=control:* \r\nm=video 0  RTP/AVP  96 \r\n\
         a=rtpmap:96 H264/90000  \t\r\na=fmtp:96  sprop-parameter-sets = {SETS} ; x\r\n\
         a=control: trackID=0 \r\n"
    );
    let session = check(&text, &["96 H.264 640x362"], &[Quirk::SdpSpace]);
    assert_eq!(session.control.as_deref(), Some("*"));
    assert_eq!(session.medias[0].control.as_deref(), Some("trackID=0"));
}

#[test]
fn format_parameters_are_found_under_any_media() {
    let text = format!(
        "{SESSION}m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96\r\na=control:v\r\n\
         m=audio 0 RTP/AVP 8\r\na=fmtp:96 sprop-parameter-sets={SETS}\r\na=control:a\r\n"
    );
    check(&text, &["96 H.264 640x362", "8 G.711 8000/1"], &[Quirk::SdpFmtpStray]);
}

#[test]
fn parameter_sets_are_used_or_waited_for() {
    let [sps, pps] = SETS.split(',').collect::<Vec<_>>()[..] else { panic!() };
    let known = "96 H.264 640x362";
    let pending = "96 H.264 pending";
    for (fmtp, expect, quirks) in [
        (format!("sprop-parameter-sets={SETS}"), known, &[][..]),
        (format!("sprop-parameter-sets={},{}", sps.trim_end_matches('='), pps), known, &[]),
        (format!("sprop-parameter-sets={SETS},"), known, &[]),
        (format!("profile-level-id=42c016;sprop-parameter-sets={SETS}"), known, &[]),
        (format!("profile-level-id=000001;sprop-parameter-sets={SETS}"), known, &[Quirk::SdpPlid]),
        (format!("sprop-parameter-sets={pps},{sps}"), known, &[Quirk::SdpSpropBad]),
        // A start code in front of each.
        (
            "sprop-parameter-sets=AAAAAWdCwBbZAKAv+TARAAADAAEAAAMAHg8WLkg=,AAAAAWjLg8sg".to_owned(),
            known,
            &[Quirk::SdpSpropBad],
        ),
        (format!("sprop-parameter-sets={sps}"), pending, &[Quirk::SdpSpropBad]),
        ("sprop-parameter-sets=!!not*base64!!,???".to_owned(), pending, &[Quirk::SdpSpropBad]),
        ("sprop-parameter-sets=".to_owned(), pending, &[Quirk::SdpSpropBad]),
        ("packetization-mode=1".to_owned(), pending, &[Quirk::SdpSpropBad]),
        (
            format!("sprop-parameter-sets={},aMs=", "Z0L/".repeat(4_000)),
            pending,
            &[Quirk::SdpSpropBad],
        ),
    ] {
        check(&avc(&fmtp), &[expect], quirks);
    }
}

#[test]
fn some_of_the_h265_sets_are_none() {
    let [vps, sps, pps] = HEVC;
    let hevc = |fmtp: &str| video(&format!("a=rtpmap:96 H265/90000\r\na=fmtp:96 {fmtp}\r\n"));
    let whole = format!("sprop-vps={vps};sprop-sps={sps},{sps};sprop-pps={pps}");
    check(&hevc(&whole), &["96 H.265 1920x1080"], &[]);
    let part = format!("sprop-vps={vps};sprop-sps={sps}");
    check(&hevc(&part), &["96 H.265 pending"], &[Quirk::SdpH265SpropPart]);
    check(&hevc("tx-mode=SRST"), &["96 H.265 pending"], &[Quirk::SdpSpropBad]);
    let wrong = format!("sprop-vps={vps};sprop-sps=AAAA;sprop-pps={pps}");
    check(&hevc(&wrong), &["96 H.265 pending"], &[Quirk::SdpSpropBad]);
}

#[test]
fn a_size_that_is_not_that_of_the_pictures() {
    let lines = format!("a=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets={SETS}\r\n");
    for size in ["a=x-dimensions:1920,1080\r\n", "a=framesize:96 1920-1080\r\n"] {
        let text = video(&format!("{lines}{size}"));
        check(&text, &["96 H.264 640x362"], &[Quirk::ResLie]);
    }
}

#[test]
fn back_channels_are_left_out_unless_everything_is_one() {
    let two = format!(
        "{SESSION}m=video 0 RTP/AVP 26\r\na=recvonly\r\na=control:v\r\n\
         m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=sendonly\r\n\
         a=control:b\r\n"
    );
    check(&two, &["26 MJPEG pending"], &[Quirk::SdpTwoRtpmap]);
    let all = two.replace("recvonly", "sendonly");
    let expect = ["26 MJPEG pending", "0 G.711 8000/1"];
    check(&all, &expect, &[Quirk::SdpAllSendonly, Quirk::SdpTwoRtpmap]);
}

#[test]
fn sound() {
    let audio = |lines: &str| {
        format!("{SESSION}m=audio 0 RTP/AVP 97\r\na=rtpmap:97 {lines}\r\na=control:a\r\n")
    };
    check(&audio("opus/48000/2"), &["97 Opus 48000/2"], &[]);
    let odd = check(&audio("opus/8000"), &["97 Opus 48000/2"], &[Quirk::SdpOpusClock]);
    assert_eq!(odd.medias[0].rate.get(), 48_000);
    check(&audio("PCMU/16000/1"), &["97 G.711 16000/1"], &[]);
    check(&audio("L16/48000"), &[], &[]);
    let aac = "mpeg4-generic/44100/2\r\na=fmtp:97 mode=AAC-hbr;config=1210;SizeLength=6;\
        IndexLength=2;IndexDeltaLength=2";
    let session = check(&audio(aac), &["97 AAC 44100/2"], &[]);
    let header = AuHeader { size_bits: 6, index_bits: 2, index_delta_bits: 2 };
    assert_eq!(session.medias[0].header, header);
    check(&audio("mpeg4-generic/16000\r\na=fmtp:97 config=zz"), &["97 AAC pending"], &[]);
    check(&audio("mpeg4-generic/16000\r\na=fmtp:97 sizelength=99"), &[], &[]);
}

#[test]
fn controls_may_be_absent() {
    let text = format!("{SESSION}m=video 0 RTP/AVP 26\r\n");
    let session = check(&text, &["26 MJPEG pending"], &[Quirk::UrlControlAbsent]);
    assert_eq!((session.control, session.medias[0].control.as_deref()), (None, None));
}

#[test]
fn limits_and_nonsense() {
    let mut quirks = QuirkCounts::default();
    let long = vec![b'v'; SDP_BYTES_MAX + 1];
    assert_eq!(parse(&long, &mut quirks), Err(Error::TooLarge("SDP")));
    for text in ["", "v=0\r\n", "\0\0\0", "<html></html>"] {
        let none = Err(Error::Malformed("SDP without a media"));
        assert_eq!(parse(text.as_bytes(), &mut quirks), none);
    }
    let many = format!("{SESSION}{}", "m=audio 0 RTP/AVP 0\r\na=control:a\r\n".repeat(1_000));
    let (session, seen) = read(&many);
    assert_eq!((session.medias.len(), session.unusable), (MEDIAS_MAX, 1_000 - MEDIAS_MAX));
    assert_eq!(seen, [Quirk::SdpBadMedia]);
    // Every cut of a description is read without harm.
    let whole = avc(&format!("sprop-parameter-sets={SETS}"));
    for end in 0..whole.len() {
        let _ = parse(&whole.as_bytes()[..end], &mut quirks);
    }
    let (session, _) = read(&whole);
    assert_eq!(session.medias[0].params.codec(), Codec::H264);
}
