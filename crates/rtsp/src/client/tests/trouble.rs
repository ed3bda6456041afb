//! What ends a session, and what only looks as if it did.

use super::*;

/// The answer to DESCRIBE closes the session for this reason.
#[track_caller]
fn refused(config: Config, status: u16, headers: &[(&str, &str)], reason: Reason) -> Talk {
    let mut talk = Talk::new(config);
    talk.asked(Method::Describe, URL);
    talk.answer(status, headers, "");
    assert_eq!(talk.closed(), reason);
    talk
}

#[test]
fn refusals_have_reasons() {
    for (status, reason) in [
        (401, Reason::Auth),
        (403, Reason::Auth),
        (404, Reason::NotFound),
        (415, Reason::Unsupported),
        (453, Reason::Refused(453)),
        (503, Reason::Refused(503)),
    ] {
        refused(with_account(), status, &[], reason);
    }
    refused(config(), 401, &[("WWW-Authenticate", "Basic realm=x")], Reason::Auth);
    refused(with_account(), 401, &[("WWW-Authenticate", "Negotiate")], Reason::Auth);
}

#[test]
fn a_wrong_password_is_sent_once() {
    let mut talk = Talk::new(with_account());
    for nonce in ["a", "b"] {
        talk.asked(Method::Describe, URL);
        let challenge = format!("Digest realm=\"cam\", nonce=\"{nonce}\"");
        talk.answer(401, &[("WWW-Authenticate", &challenge)], "");
    }
    assert!(talk.requests.is_empty());
    assert_eq!(talk.closed(), Reason::Auth);
    // A nonce that is always too old does not go on for ever.
    let mut talk = Talk::new(with_account());
    for _ in 0..3 {
        talk.asked(Method::Describe, URL);
        let stale = "Digest realm=\"cam\", nonce=\"a\", stale=true";
        talk.answer(401, &[("WWW-Authenticate", stale)], "");
    }
    assert_eq!((talk.requests.len(), talk.closed()), (0, Reason::Auth));
}

#[test]
fn redirects_are_refused_unless_allowed_and_never_leave_the_host() {
    let to = |location| [("Location", location)];
    let allowed = || Config { allow_redirect: true, ..with_account() };
    let here = "rtsp://admin:pass@192.0.2.5:8554/moved";
    let talk = refused(config(), 302, &to(here), Reason::Refused(302));
    talk.saw(&[Quirk::UrlRedirect]);
    let talk = refused(allowed(), 301, &to(here), Reason::Ended);
    let followed = talk.events.iter().find_map(|e| match e {
        Event::Redirect { location } => Some(location.as_str()),
        _ => None,
    });
    assert_eq!(followed, Some("rtsp://192.0.2.5:8554/moved"), "without the password");
    for elsewhere in ["rtsp://192.0.2.6/stream", "http://192.0.2.5/", "nonsense", ""] {
        refused(allowed(), 302, &to(elsewhere), Reason::Refused(302));
    }
    // Out of TLS would be a way to get at the password.
    let mut talk =
        Talk::new(Config { url: Url::parse("rtsps://192.0.2.5/s").unwrap(), ..allowed() });
    talk.asked(Method::Describe, "rtsps://192.0.2.5/s");
    talk.answer(302, &to("rtsp://192.0.2.5/s"), "");
    assert_eq!(talk.closed(), Reason::Refused(302));
}

#[test]
fn a_device_that_speaks_something_else() {
    let mut talk = Talk::new(config());
    talk.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(talk.closed(), Reason::Protocol(NOT_RTSP));
    let mut talk = Talk::new(config());
    talk.say("SSH");
    talk.handle(Input::Closed);
    assert_eq!(talk.closed(), Reason::Protocol(NOT_RTSP));
    let mut talk = Talk::new(config());
    talk.handle(Input::Tcp(&vec![0x5b; 80_000]));
    assert!(talk.error.is_some());
    assert!(matches!(talk.closed(), Reason::Protocol(_)));
    // Nothing works after that, and nothing is asked.
    talk.say("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
    assert_eq!(talk.wait, None);
    let mut talk = Talk::new(config());
    talk.say("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\nv=0\r\n");
    assert!(matches!(talk.closed(), Reason::Protocol(_)));
}

#[test]
fn a_description_without_anything_of_use() {
    for sdp in ["v=0\r\n", "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n", ""] {
        let mut talk = Talk::new(config());
        talk.describe(sdp);
        assert_eq!(talk.closed(), Reason::Unsupported, "{sdp}");
    }
    let mut talk = Talk::new(Config { want: Want { video: false, ..config().want }, ..config() });
    talk.describe(&SDP.replace("m=audio 0 RTP/AVP 0", "m=audio 0 RTP/AVP 3"));
    assert_eq!(talk.closed(), Reason::Unsupported, "only what is wanted");
}

#[test]
fn the_connection_ends_at_each_step() {
    let mut talk = Talk::new(config());
    talk.handle(Input::Closed);
    assert_eq!(talk.closed(), Reason::Ended);
    talk.saw(&[]);

    let mut talk = Talk::new(with_account());
    talk.asked(Method::Describe, URL);
    talk.answer(401, &[("WWW-Authenticate", "Digest realm=\"cam\", nonce=\"n\"")], "");
    talk.handle(Input::Closed);
    assert_eq!(talk.closed(), Reason::Auth);
    talk.saw(&[Quirk::AuthDrop]);

    let mut talk = Talk::new(config());
    talk.describe(SDP);
    talk.handle(Input::Closed);
    assert_eq!(talk.closed(), Reason::Ended);
    talk.saw(&[Quirk::SessLimit]);

    let mut talk = Talk::play(video_only());
    talk.packet(0, &picture(1, 0, true));
    talk.handle(Input::Closed);
    assert_eq!((talk.closed(), talk.frames.len()), (Reason::Ended, 1), "what came is given out");
    talk.saw(&[Quirk::SessConfigDrop, Quirk::PsSdpOnly]);
}

#[test]
fn transports_that_are_refused() {
    for (transport, reason) in [(Transport::Tcp, Reason::TryUdp), (Transport::Udp, Reason::TryTcp)]
    {
        let mut talk = Talk::new(Config { transport, ..video_only() });
        talk.describe(SDP);
        talk.handle(Input::UdpBound { track: 0, rtp_port: 5_000 });
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
        talk.answer(461, &[], "");
        assert_eq!(talk.closed(), reason);
    }
    // Agreed, but to the other one.
    let mut talk = Talk::new(video_only());
    talk.describe(SDP);
    talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    talk.answer(200, &[("Transport", "RTP/AVP;unicast;server_port=6970-6971"), SESSION], "");
    assert_eq!(talk.closed(), Reason::TryUdp);
    let mut talk = Talk::new(video_only());
    talk.describe(&SDP.replace("RTP/AVP 96", "RTP/SAVP 96"));
    talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
    talk.answer(463, &[], "");
    assert_eq!(talk.closed(), Reason::Refused(463));
    talk.saw(&[Quirk::TrSrtpMki]);
}

#[test]
fn sound_that_is_refused_is_left_out() {
    for status in [404, 461, 500] {
        let mut talk = Talk::new(config());
        let metadata = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n\
            a=control:trackID=2\r\n";
        talk.describe(&format!("{SDP}{metadata}"));
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
        talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=1");
        talk.answer(status, &[], "");
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=2");
        talk.answer(200, &[("Transport", "RTP/AVP/TCP;interleaved=2-3"), SESSION], "");
        talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
        talk.answer(200, &[], "");
        let tracks = talk.events.iter().find_map(|e| match e {
            Event::Playing { tracks } => Some(tracks.len()),
            _ => None,
        });
        assert_eq!(tracks, Some(2), "{status}");
    }
}

#[test]
fn controls_are_resolved_the_other_way_once() {
    let appended = "rtsp://192.0.2.5/stream/trackID=0";
    let by_the_book = "rtsp://192.0.2.5/trackID=0";
    let describe = |talk: &mut Talk| {
        talk.asked(Method::Describe, URL);
        talk.answer(200, &[("Content-Type", "application/sdp"), ("Content-Base", URL)], SDP);
    };
    let mut talk = Talk::new(video_only());
    describe(&mut talk);
    talk.asked(Method::Setup, appended);
    talk.answer(404, &[], "");
    talk.asked(Method::Setup, by_the_book);
    talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
    talk.asked(Method::Play, URL);
    let learned = talk.client.learned();
    assert!(learned.by_the_book);
    // Remembered; and given up again when it is refused.
    let mut talk = Talk::new(Config { learned, ..video_only() });
    describe(&mut talk);
    for uri in [by_the_book, appended] {
        talk.asked(Method::Setup, uri);
        talk.answer(404, &[], "");
    }
    assert_eq!((talk.closed(), talk.requests.len()), (Reason::NotFound, 0));
    assert!(talk.client.learned().by_the_book, "neither is better: nothing is learned");
}

#[test]
fn a_session_id_that_changes() {
    let other = ("Session", "5678;timeout=60");
    for status in [200, 454] {
        let mut talk = Talk::new(config());
        talk.describe(SDP);
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=0");
        talk.answer(200, &[("Transport", CHANNELS), SESSION], "");
        talk.asked(Method::Setup, "rtsp://192.0.2.5/stream/trackID=1");
        talk.answer(200, &[("Transport", "RTP/AVP/TCP;interleaved=2-3"), other], "");
        let play = talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
        assert_eq!(play.get("Session"), Some("1234"), "the first one");
        talk.answer(status, &[], "");
        if status == 454 {
            let play = talk.asked(Method::Play, "rtsp://192.0.2.5/stream/");
            assert_eq!(play.get("Session"), Some("5678"), "then the latest");
            talk.answer(200, &[], "");
        }
        assert!(talk.events.iter().any(|e| matches!(e, Event::Playing { .. })));
        talk.saw(&[Quirk::SessIdChanges]);
    }
}

#[test]
fn a_session_that_is_stopped_teaches_nothing() {
    let mut talk = Talk::play(video_only());
    for i in 0..120 {
        talk.packet(0, &picture(i, u32::from(i) * 45_000, i == 0));
        talk.wait(Duration::from_millis(500));
    }
    talk.handle(Input::Teardown);
    assert_eq!(talk.client.learned(), Learned::default());
    // One that fell silent at the end of its patience does.
    let mut talk = Talk::play(video_only());
    talk.packet(0, &picture(1, 0, true));
    talk.wait(Duration::from_secs(60));
    talk.handle(Input::Teardown);
    assert_eq!(talk.client.learned().keep_alive, KeepAlive::SetParameter);
}
