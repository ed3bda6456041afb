//! Packets that are not as they should be.

use super::*;
use crate::rtcp::{SenderReport, bye, sender_report};

/// Presentation times (low bits, in 3 000ths), damage and breaks of what came out.
fn got(talk: &Talk) -> Vec<(i64, bool, bool)> {
    let frame = |f: &Frame| ((f.pts.0 & 0xffff_ffff) / 3_000, f.damaged, f.discontinuity);
    talk.frames.iter().map(frame).collect()
}

/// Pictures `from..to`, each with the number of its time.
fn pictures(talk: &mut Talk, numbers: impl IntoIterator<Item = u16>) {
    for n in numbers {
        talk.packet(0, &picture(n, u32::from(n) * 3_000, n == 1));
        talk.pass(Duration::from_millis(33));
    }
}

#[test]
fn early_packets_wait_for_play_and_are_bounded() {
    let mut talk = Talk::new(video_only());
    talk.describe(SDP);
    talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
    talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
    pictures(&mut talk, 1..=100);
    assert!(talk.frames.is_empty());
    talk.answer(200, &[], "");
    talk.packet(0, &picture(101, 303_000, false));
    talk.wait(Duration::from_millis(200));
    assert_eq!(talk.frames.len(), EARLY_PACKETS_MAX + 1);
    assert_eq!(talk.client.quirks().get(Quirk::SessEarlyData), 100);
    assert!(talk.frames[0].random_access && talk.frames.last().unwrap().damaged);
}

#[test]
fn frames_on_channels_of_nobody_are_dropped() {
    let mut talk = Talk::play(video_only());
    talk.packet(9, &[0x80; 300]);
    pictures(&mut talk, 1..3);
    talk.say("\r\n");
    pictures(&mut talk, 3..5);
    talk.handle(Input::Tcp(b"garbage that is no message"));
    pictures(&mut talk, 5..10);
    talk.wait(Duration::from_millis(200));
    assert!(got(&talk).iter().all(|(_, damaged, broken)| !damaged && !broken));
    assert_eq!(talk.frames.len(), 9);
    talk.saw(&[Quirk::SessUnassignedChannel, Quirk::SessCrlf, Quirk::PsSdpOnly]);
}

#[test]
fn old_sessions_of_old_servers() {
    for (tool, quirk) in [
        ("LIVE555 Streaming Media v2014.01.13", Quirk::SessStaleLive555),
        ("LIVE555 Streaming Media v2020.03.06", Quirk::SessUnassignedChannel),
    ] {
        let mut talk = Talk::new(video_only());
        talk.describe(&SDP.replace("a=control:*", &format!("a=tool:{tool}\r\na=control:*")));
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
        talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
        talk.packet(4, &picture(1, 0, true));
        talk.saw(&[quirk]);
    }
}

#[test]
fn losses_damage_and_doubles_do_not() {
    let mut talk = Talk::play(video_only());
    pictures(&mut talk, [1, 2, 2, 1, 3, 6, 7]);
    talk.wait(Duration::from_millis(200));
    let expect = [(1, false), (2, false), (3, false), (6, true), (7, false)];
    assert_eq!(got(&talk), expect.map(|(n, damaged)| (n, damaged, false)));
    let lost = talk.events.iter().find_map(|e| match e {
        Event::Lost { packets, track } => Some((*packets, track.0)),
        _ => None,
    });
    assert_eq!(lost, Some((2, 0)));
}

#[test]
fn numbers_that_begin_anew_are_a_hole_of_unknown_size() {
    let mut talk = Talk::play(video_only());
    pictures(&mut talk, 1..=6);
    for (i, seq) in [40_000_u16, 40_001, 7, 8].into_iter().enumerate() {
        talk.packet(0, &picture(seq, (7 + i as u32) * 3_000, false));
        talk.pass(Duration::from_millis(33));
    }
    let expect = [(7, true), (8, false), (9, true), (10, false)];
    assert_eq!(got(&talk)[6..], expect.map(|(n, damaged)| (n, damaged, false)));
    assert!(!talk.events.iter().any(|e| matches!(e, Event::Lost { .. })));
}

#[test]
fn packets_of_other_types_are_no_loss() {
    let mut talk = Talk::play(video_only());
    pictures(&mut talk, 1..=6);
    // In our sender's sequence, and in one of their own.
    talk.packet(0, &rtp(50, 7, 0, SSRC, &[0xab; 100]));
    talk.packet(0, &rtp(50, 999, 0, 0x1234, &[0xab; 100]));
    talk.packet(0, &rtp(50, 30_000, 0, SSRC, &[0xab; 100]));
    pictures(&mut talk, 8..=9);
    assert_eq!(got(&talk)[6..], [(8, false, false), (9, false, false)]);
    assert_eq!(talk.client.quirks().get(Quirk::RtpPtUnknown), 3);
}

#[test]
fn another_ssrc_goes_on_or_begins_anew() {
    let with = |ssrc, seq, n: u32| rtp(96, seq, n * 3_000, ssrc, &[0x41, 0x9a, 0x24, 2]);
    let mut talk = Talk::play(video_only());
    pictures(&mut talk, 1..=6);
    talk.packet(0, &with(20, 7, 7));
    talk.pass(Duration::from_millis(33));
    talk.packet(0, &with(20, 8, 8));
    talk.pass(Duration::from_millis(33));
    assert_eq!(got(&talk)[6..], [(7, false, false), (8, false, false)], "the same time line");
    // One stray packet changes nothing.
    talk.packet(0, &with(66, 500, 40_000));
    talk.packet(0, &with(20, 9, 9));
    talk.pass(Duration::from_millis(33));
    assert_eq!(got(&talk)[8..], [(9, false, false)]);
    // Two in a row do, and none of them is missing.
    talk.packet(0, &with(30, 500, 40_000));
    talk.packet(0, &with(30, 501, 40_001));
    talk.pass(Duration::from_millis(33));
    talk.packet(0, &with(30, 502, 40_002));
    let expect = [(40_000, false, true), (40_001, false, false), (40_002, false, false)];
    assert_eq!(got(&talk)[9..], expect);
    assert_eq!(talk.client.quirks().get(Quirk::SsrcOther), 2);
}

#[test]
fn hints_of_rtp_info_are_checked_and_not_believed() {
    let ours = "url=rtsp://192.0.2.5/stream/trackID=0";
    for (info, quirks) in [
        (format!("{ours};seq=1;rtptime=3000"), &[][..]),
        (
            format!("url=rtsp://x/y;seq=9;rtptime=9,{ours};seq=1;rtptime=3000"),
            &[Quirk::SessSetupSubset],
        ),
        (format!("{ours};seq=1"), &[]),
        (format!("{ours};seq=0;rtptime=3000"), &[Quirk::RtpinfoSeq]),
        (format!("{ours};seq=1;rtptime=0"), &[Quirk::RtpinfoRtptime]),
        (format!("{ours};seq=1;rtptime=abc;"), &[Quirk::RtpinfoRtptime]),
        ("url=rtsp://10.9.9.9/other;seq=1;rtptime=99999999".to_owned(), &[Quirk::RtpinfoRtptime]),
        (";;,,".to_owned(), &[]),
    ] {
        let mut talk = Talk::new(video_only());
        talk.describe(SDP);
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
        talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
        talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
        talk.answer(200, &[("RTP-Info", &info)], "");
        talk.packet(0, &picture(1, 3_000, true));
        talk.wait(Duration::from_millis(200));
        assert_eq!(talk.frames.len(), 1, "{info}");
        let seen = talk.client.quirks().list().into_iter().map(|(q, _)| q);
        let seen: Vec<Quirk> = seen.filter(|q| *q != Quirk::PsSdpOnly).collect();
        assert_eq!(seen, quirks, "{info}");
    }
}

#[test]
fn goodbyes_end_the_session_when_all_tracks_said_one() {
    let mut talk = Talk::play(config());
    talk.packet(0, &picture(1, 3_000, true));
    talk.packet(2, &rtp(0, 1, 160, 11, &[0xd5; 160]));
    talk.packet(1, &bye(SSRC, "cam"));
    talk.wait(Duration::from_secs(1));
    talk.packet(3, &bye(99, "somebody else"));
    talk.wait(Duration::from_secs(1));
    assert!(!talk.events.iter().any(|e| matches!(e, Event::Closed(_))));
    talk.packet(3, &bye(11, "cam"));
    talk.wait(Duration::from_millis(499));
    assert!(talk.requests.is_empty());
    talk.wait(Duration::from_millis(1));
    talk.asked(Method::Teardown, "rtsp://192.0.2.5/stream/");
    assert_eq!(talk.closed(), Reason::Ended);
    // Who goes on after a goodbye has not gone.
    let mut talk = Talk::play(video_only());
    talk.packet(0, &picture(1, 3_000, true));
    talk.packet(1, &bye(SSRC, "cam"));
    talk.packet(0, &picture(2, 6_000, false));
    talk.wait(Duration::from_secs(2));
    assert!(!talk.events.iter().any(|e| matches!(e, Event::Closed(_))));
}

#[test]
fn sender_reports_of_others_are_ignored() {
    let mut talk = Talk::play(video_only());
    pictures(&mut talk, 1..=2);
    let report = |ssrc| SenderReport { ssrc, ntp: 0, rtp: 0, packets: 1, octets: 1 };
    talk.packet(1, &sender_report(&report(77), "cam"));
    talk.saw(&[Quirk::RtcpUnknownSsrc, Quirk::PsSdpOnly]);
    // On the RTP channel, cut short, and one of ours whose clock was never set.
    talk.packet(0, &sender_report(&report(SSRC), "cam"));
    talk.packet(1, &[0x80, 200, 0]);
    talk.saw(&[Quirk::RtcpUnknownSsrc, Quirk::SrWrong, Quirk::PsSdpOnly]);
}

#[test]
fn pictures_before_the_first_that_can_be_decoded_are_left_out() {
    let mut talk = Talk::play(video_only());
    talk.packet(0, &picture(7, 21_000, false));
    talk.packet(0, &picture(8, 24_000, false));
    talk.wait(Duration::from_secs(1));
    assert!(talk.frames.is_empty());
    assert!(talk.client.last_media().is_some(), "the camera is well");
    talk.packet(0, &picture(9, 27_000 + 90_000, true));
    talk.packet(0, &picture(10, 30_000 + 90_000, false));
    talk.wait(Duration::from_secs(1));
    assert_eq!(got(&talk), [(39, false, false), (40, false, false)]);
}

#[test]
fn a_long_time_without_key_frames_is_said() {
    let mut talk = Talk::play(video_only());
    for n in 0..100_u16 {
        talk.packet(0, &picture(n, u32::from(n) * 9_000, n == 0));
        talk.pass(Duration::from_millis(100));
    }
    talk.saw(&[Quirk::PsSdpOnly, Quirk::GopSmart, Quirk::GopLong]);
}
