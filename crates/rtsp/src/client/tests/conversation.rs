//! From DESCRIBE to TEARDOWN as it should be.

use ::media::Track;

use super::*;
use crate::rtcp;

#[test]
fn a_whole_session_over_tcp() {
    let mut talk = Talk::new(config());
    let headers = talk.asked(Method::Describe, URL);
    assert_eq!(headers.get("Accept"), Some("application/sdp"));
    assert_eq!((headers.get("Authorization"), headers.get("Session")), (None, None));
    let base = format!("{URL}/");
    let told = [("Content-Type", "application/sdp"), ("Content-Base", &base), ("Server", "cam")];
    talk.answer(200, &told, SDP);
    let described = talk.events.pop_front();
    assert!(matches!(described, Some(Event::Described { server: Some(s) }) if s == "cam"));

    let headers = talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    assert_eq!(headers.get("Transport"), Some("RTP/AVP/TCP;unicast;interleaved=0-1"));
    talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
    let headers = talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=1");
    assert_eq!(headers.get("Transport"), Some("RTP/AVP/TCP;unicast;interleaved=2-3"));
    assert_eq!(headers.get("Session"), Some("1234"));
    talk.answer(200, &[("Transport", "RTP/AVP/TCP;interleaved=2-3;ssrc=B"), SESSION], "");

    let headers = talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
    assert_eq!((headers.get("Range"), headers.get("Session")), (Some("npt=0.000-"), Some("1234")));
    talk.answer(200, &[SESSION, ("RTP-Info", "url=trackID=0;seq=7;rtptime=9000")], "");
    let Some(Event::Playing { tracks }) = talk.events.pop_front() else { panic!() };
    let kinds: Vec<TrackKind> = tracks.iter().map(Track::kind).collect();
    assert_eq!(kinds, [TrackKind::Video, TrackKind::Audio]);
    assert_eq!(tracks[0].params.resolution(), Some((640, 362)));

    talk.packet(0, &picture(7, 9_000, true));
    talk.packet(2, &rtp(0, 1, 160, 11, &[0xd5; 160]));
    talk.pass(Duration::from_millis(200));
    talk.packet(0, &picture(8, 27_000, false));
    talk.packet(2, &rtp(0, 2, 320, 11, &[0xd5; 160]));
    let got: Vec<(u8, bool)> = talk.frames.iter().map(|f| (f.track.0, f.random_access)).collect();
    assert_eq!(got, [(0, true), (0, false), (1, true), (1, true)]);
    assert_eq!(talk.frames[0].data, prefixed(&[0x65, 0x88, 0x84, 1]));
    let step = talk.frames[1].wall.us_since(talk.frames[0].wall);
    assert!((step - 200_000).abs() < 1_000, "{step}");
    assert_eq!(talk.client.last_media(), Some(talk.now.mono));

    talk.handle(Input::Teardown);
    let headers = talk.asked(Method::Teardown, "rtsp://192.0.2.5/stream/");
    assert_eq!(headers.get("Session"), Some("1234"));
    assert_eq!(talk.closed(), Reason::Silent);
    talk.saw(&[Quirk::PsSdpOnly]);
    assert_eq!(talk.client.learned(), Learned::default());
}

#[test]
fn a_whole_session_over_udp() {
    let mut talk = Talk::new(Config { transport: Transport::Udp, ..video_only() });
    talk.describe(SDP);
    assert!(talk.requests.is_empty(), "ports first");
    assert!(talk.events.iter().any(|e| matches!(e, Event::NeedUdp { track: 0 })));
    talk.handle(Input::UdpBound { track: 0, rtp_port: 5_000 });
    // A second answer changes nothing.
    talk.handle(Input::UdpBound { track: 0, rtp_port: 6_000 });
    let headers = talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    assert_eq!(headers.get("Transport"), Some("RTP/AVP;unicast;client_port=5000-5001"));
    let transport = "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;ssrc=0000000A";
    talk.answer(200, &[("Transport", transport), SESSION], "");
    let peer = talk.events.iter().find_map(|e| match e {
        Event::PeerUdp { track: 0, rtp_port, rtcp_port } => Some((*rtp_port, *rtcp_port)),
        _ => None,
    });
    assert_eq!(peer, Some((6_970, 6_971)));
    talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
    // Before the answer: kept.
    talk.handle(Input::Udp { track: 0, rtcp: false, data: &picture(1, 3_000, true) });
    assert_eq!(talk.client.last_media(), None);
    talk.answer(200, &[SESSION], "");
    // Both ways through the firewall are opened; RTP needs no packet, for one has come.
    assert!(talk.datagrams.iter().any(|(track, rtcp, _)| (*track, *rtcp) == (0, true)));
    // 3 comes before 2, and 4 never.
    for seq in [3, 2, 5] {
        let packet = picture(seq, u32::from(seq) * 3_000, false);
        talk.handle(Input::Udp { track: 0, rtcp: false, data: &packet });
    }
    talk.wait(Duration::from_millis(300));
    let got: Vec<(i64, bool)> = talk.frames.iter().map(|f| (f.pts.0 & 0xffff, f.damaged)).collect();
    assert_eq!(got, [(3_000, false), (6_000, false), (9_000, false), (15_000, true)]);
    assert!(talk.events.iter().any(|e| matches!(e, Event::Lost { packets: 1, .. })));
    talk.datagrams.clear();
    talk.wait(Duration::from_secs(5));
    let (_, _, report) = talk.datagrams.iter().find(|(_, rtcp, _)| *rtcp).expect("a report");
    let Some(rtcp::Packet::Receiver { blocks, .. }) = rtcp::packets(report).next() else {
        panic!()
    };
    assert_eq!((blocks[0].ssrc, blocks[0].lost, blocks[0].highest & 0xffff), (SSRC, 1, 5));
    talk.saw(&[Quirk::SessEarlyData, Quirk::TrUdpLoss, Quirk::PsSdpOnly]);
}

#[test]
fn the_session_is_kept_alive_and_reported_on() {
    let mut talk = Talk::play(video_only());
    talk.packet(0, &picture(1, 0, true));
    talk.wait(Duration::from_secs(5));
    let (channel, report) = talk.data.pop().expect("a report each five seconds");
    assert_eq!(channel, 1);
    let Some(rtcp::Packet::Receiver { blocks, .. }) = rtcp::packets(&report).next() else {
        panic!()
    };
    assert_eq!((blocks.len(), blocks[0].ssrc), (1, SSRC));
    assert!(talk.requests.is_empty());
    talk.wait(Duration::from_secs(20));
    assert_eq!(talk.data.len(), 4);
    // Half of the session's patience, but not more than 25 s.
    let headers = talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
    assert_eq!(headers.get("Session"), Some("1234"));
    talk.answer(200, &[], "");
    talk.wait(Duration::from_secs(25));
    talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
    // Never answered: no harm, but counted.
    talk.wait(Duration::from_secs(25));
    talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
    talk.saw(&[Quirk::KaSilent, Quirk::PsSdpOnly]);
}

#[test]
fn odd_answers_to_keep_alives_are_never_fatal() {
    let mut talk = Talk::play(video_only());
    for answer in ["400 Bad", "500 Oh", "200 OK"] {
        talk.wait(Duration::from_secs(25));
        talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
        // The number of some other request.
        talk.say(&format!("RTSP/1.0 {answer}\r\nCSeq: 1\r\n\r\n"));
    }
    talk.say("RTSP/1.0 200 OK\r\n\r\n");
    talk.say("RTSP/1.0 100 Continue\r\nCSeq: 99\r\n\r\n");
    talk.packet(0, &picture(1, 0, true));
    talk.wait(Duration::from_secs(1));
    assert_eq!(talk.frames.len(), 1);
    talk.saw(&[Quirk::KaSetParameter400, Quirk::PsSdpOnly]);
    // Only that the session is unknown means that it is over.
    talk.wait(Duration::from_secs(25));
    talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
    talk.answer(454, &[], "");
    assert_eq!(talk.closed(), Reason::Ended);
}

#[test]
fn what_was_learned_is_used() {
    for (keep_alive, method) in [
        (KeepAlive::SetParameter, Method::SetParameter),
        (KeepAlive::GetParameter, Method::GetParameter),
    ] {
        let learned = Learned { keep_alive, halvings: 1, ..Learned::default() };
        let mut talk = Talk::play(Config { learned, ..video_only() });
        talk.wait(Duration::from_millis(12_500));
        talk.asked(method, "rtsp://192.0.2.5/stream/");
    }
    // Two sessions that died when their patience ended.
    let mut learned = Learned::default();
    for expect in [KeepAlive::SetParameter, KeepAlive::GetParameter] {
        let mut talk = Talk::play(Config { learned, ..video_only() });
        talk.packet(0, &picture(1, 0, true));
        talk.wait(Duration::from_secs(60));
        talk.handle(Input::Closed);
        assert_eq!(talk.closed(), Reason::Ended);
        learned = talk.client.learned();
        assert_eq!(learned.keep_alive, expect);
        let found = talk.client.quirks().get(Quirk::KaGetParameterOnly);
        assert_eq!(found > 0, expect == KeepAlive::GetParameter);
    }
}

#[test]
fn cameras_may_ask_too() {
    let mut talk = Talk::play(video_only());
    let mut answers = Vec::new();
    for (request, expect) in [
        ("OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n", "200"),
        ("GET_PARAMETER rtsp://x/ RTSP/1.0\r\nCSeq: 8\r\n\r\n", "200"),
        ("RECORD rtsp://x/ RTSP/1.0\r\nCSeq: 9\r\n\r\n", "501"),
    ] {
        talk.client.handle(talk.now, Input::Tcp(request.as_bytes())).unwrap();
        let Output::Transmit(answer) = talk.client.poll() else { panic!("{request}") };
        answers.push(String::from_utf8(answer.to_vec()).unwrap());
        assert!(answers.last().unwrap().starts_with(&format!("RTSP/1.0 {expect}")));
    }
    assert!(answers[0].contains("CSeq: 7"));
    talk.say("TEARDOWN rtsp://x/ RTSP/1.0\r\nCSeq: 10\r\n\r\n");
    assert_eq!(talk.closed(), Reason::Ended);
}

const MD5: (&str, &str) = ("WWW-Authenticate", "Digest realm=\"cam\", nonce=\"n1\", qop=\"auth\"");

#[test]
fn a_challenge_is_answered_and_then_every_request_is_signed() {
    let mut talk = Talk::new(with_account());
    assert_eq!(talk.asked(Method::Describe, URL).get("Authorization"), None);
    talk.answer(401, &[("WWW-Authenticate", "Basic realm=\"cam\""), MD5], "");
    let signed = talk.asked(Method::Describe, URL);
    let signed = signed.get("Authorization").unwrap();
    for part in
        ["Digest username=\"admin\"", "nonce=\"n1\"", &format!("uri=\"{URL}\""), "nc=00000001"]
    {
        assert!(signed.contains(part), "{part} is not in {signed}");
    }
    assert!(!signed.contains("pass"));
    talk.answer(200, &[("Content-Type", "application/sdp"), ("Content-Base", URL)], SDP);
    // Stale: once more with the new one.
    talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    let new = "Digest realm=\"cam\", nonce=\"n2\", stale=true, algorithm=SHA-256";
    talk.answer(401, &[("WWW-Authenticate", new)], "");
    let signed = talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    let signed = signed.get("Authorization").unwrap();
    assert!(signed.contains("nonce=\"n2\"") && signed.contains("algorithm=SHA-256"), "{signed}");
    talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
    let setup = talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=1");
    assert!(setup.get("Authorization").is_some());
    talk.saw(&[Quirk::UrlControlJoin, Quirk::AuthManyChallenges, Quirk::AuthNonceExpires]);
}

#[test]
fn a_keep_alive_that_is_challenged_is_signed_again() {
    let mut talk = Talk::play(with_account());
    talk.wait(Duration::from_secs(25));
    talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
    talk.answer(401, &[MD5], "");
    let again = talk.asked(Method::Options, "rtsp://192.0.2.5/stream/");
    assert!(again.get("Authorization").is_some());
    // And a camera that still does not like it is left alone.
    talk.answer(401, &[MD5], "");
    assert!(talk.requests.is_empty() && !talk.events.iter().any(|e| matches!(e, Event::Closed(_))));
}

#[test]
fn basic_is_answered_where_there_is_nothing_better() {
    let mut talk = Talk::new(with_account());
    talk.asked(Method::Describe, URL);
    talk.answer(401, &[("WWW-Authenticate", "Basic realm=\"cam\"")], "");
    let signed = talk.asked(Method::Describe, URL);
    assert_eq!(signed.get("Authorization"), Some("Basic YWRtaW46cGFzcw=="));
    talk.saw(&[Quirk::AuthBasic]);
    let mut talk = Talk::new(with_account());
    talk.asked(Method::Describe, URL);
    let sha = "Digest realm=\"cam\", nonce=\"n\", algorithm=SHA-256";
    talk.answer(401, &[("WWW-Authenticate", sha)], "");
    talk.saw(&[Quirk::AuthDigestOnly]);
    // Two hashes of one scheme are what RFC 7616 asks for.
    let mut talk = Talk::new(with_account());
    talk.asked(Method::Describe, URL);
    talk.answer(401, &[("WWW-Authenticate", sha), MD5], "");
    talk.saw(&[]);
}
