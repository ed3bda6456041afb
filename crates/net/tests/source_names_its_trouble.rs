//! Whatever is wrong with a camera, or with what a person typed, has a code and a sentence that
//! says what to do; a state that says whether trying again helps; and no frames.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

mod watching;

use std::net::Ipv4Addr;
use std::time::Duration;

use fakecam::{Camera, Config as CameraConfig, Media, Quirk};
use net::source::rtsp::{Config, Transport};
use net::source::{State, Trouble};
use stdx::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use watching::{PATIENCE, Watch, at, of};

/// Runs until the trouble is there; no picture may come.
async fn trouble(config: Config, code: &str) -> (State, Trouble) {
    let watch = Watch::start(config);
    let found = watch.trouble(code).await;
    let (seen, _) = watch.end().await;
    assert_eq!(seen.pictures(), 0, "{code}");
    found
}

/// The trouble has this code, state and these words.
async fn check(config: Config, code: &str, state: State, words: &[&str]) {
    let (found, trouble) = trouble(config, code).await;
    assert_eq!(found, state, "{trouble:?}");
    for word in words {
        assert!(trouble.message.contains(word), "{word:?} is not in {:?}", trouble.message);
    }
}

fn camera(config: CameraConfig) -> Camera {
    Camera::start(config).expect("starts")
}

#[tokio::test]
async fn an_address_that_is_none() {
    for url in ["http://192.0.2.1/", "rtsp://", "front door"] {
        check(at(url), "camera-url", State::Refused, &["the address"]).await;
    }
}

#[tokio::test]
async fn a_name_that_nobody_has() {
    let url = "rtsp://no-such-camera.invalid/stream";
    check(at(url), "camera-host", State::Offline, &["no-such-camera.invalid", "check"]).await;
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    // Bound and not listening: nobody else can take it meanwhile.
    let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    held.bind(&any.into()).unwrap();
    let port = held.local_addr().unwrap().as_socket().unwrap().port();
    let config = at(format!("rtsp://127.0.0.1:{port}/stream"));
    check(config, "camera-port", State::Offline, &[&port.to_string(), "RTSP"]).await;
}

#[tokio::test]
async fn a_device_that_accepts_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtsp://{}/stream", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    check(at(url), "camera-timeout", State::Offline, &["does not answer RTSP"]).await;
    silent.abort();
}

/// A device that answers every request with these bytes.
async fn answers(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rtsp://{}/stream", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut request).await {
                    assert!(n <= request.len());
                    if stream.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_device_that_speaks_something_else() {
    let web = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    check(at(answers(web).await), "camera-protocol", State::Refused, &["not RTSP", "port"]).await;
    static NOISE: [u8; 80_000] = [0x5b; 80_000];
    check(at(answers(&NOISE).await), "camera-protocol", State::Refused, &["port"]).await;
    // The size of a body is the device's word, and is not believed without limit.
    let huge = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\nv=0\r\n";
    check(at(answers(huge).await), "camera-protocol", State::Refused, &["port"]).await;
}

#[tokio::test]
async fn a_description_that_is_none() {
    let sdp: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n\
        Content-Length: 5\r\n\r\nv=0\r\n";
    check(at(answers(sdp).await), "camera-codec", State::Refused, &["khien can record"]).await;
    let strange = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n\
        Content-Length: 42\r\n\r\nv=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/9";
    check(at(answers(strange).await), "camera-codec", State::Refused, &["khien can record"]).await;
}

#[tokio::test]
async fn a_path_that_the_camera_has_not() {
    let camera = camera(CameraConfig::default());
    let config = at(camera.url().replace("/stream", "/strema"));
    check(config, "camera-path", State::Refused, &["check the path"]).await;
}

#[tokio::test]
async fn a_user_or_password_that_is_wrong_or_missing() {
    let credentials = Some(("admin".into(), "pass".into()));
    for sha256 in [false, true] {
        let config = CameraConfig { credentials: credentials.clone(), ..CameraConfig::default() };
        let camera = camera(CameraConfig { md5: !sha256, sha256, ..config });
        for given in [None, Some(("admin", "wrong")), Some(("nobody", "pass"))] {
            let given = given.map(|(user, word)| (user.to_owned(), Secret::from(word)));
            let config = Config { credentials: given.clone(), ..of(&camera) };
            check(config, "camera-auth", State::Refused, &["user or password"]).await;
        }
        let stats = camera.stats();
        assert_eq!(stats.plays, 0);
        let sent = stats.requests.iter().filter_map(|r| r.header("Authorization"));
        let readable = sent.filter(|a| a.contains("pass") || a.starts_with("Basic")).count();
        assert_eq!(readable, 0, "a password was sent that can be read");
    }
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_so_often_that_the_camera_locks_the_account() {
    let credentials = Some(("admin".into(), "pass".into()));
    let camera = camera(CameraConfig { credentials, ..CameraConfig::default() });
    let wrong = Some(("admin".to_owned(), Secret::from("wrong")));
    let watch = Watch::start(Config { credentials: wrong, ..of(&camera) });
    watch.trouble("camera-auth").await;
    // Twice more, and the distance between tries grows: with the bounds 2, 4, 8, ... s even the
    // luckiest draws do not make a lock-out of ten.
    let again = watch.until(PATIENCE, |_, status| status.attempts >= 3).await;
    assert!(again, "{}", watch.describe());
    watch.end().await;
    let signed = camera.stats();
    let signed = signed.requests.iter().filter(|r| r.header("Authorization").is_some()).count();
    assert!(signed <= 4, "{signed} wrong answers in three attempts");
}

#[tokio::test]
async fn a_codec_that_khien_does_not_know() {
    let camera = camera(CameraConfig { media: Media::Mp2t, ..CameraConfig::default() });
    check(of(&camera), "camera-codec", State::Refused, &["nothing that khien can record"]).await;
}

#[tokio::test]
async fn a_camera_that_has_no_room() {
    let quirky = CameraConfig::for_quirk(Quirk::SessLimit).variant(1);
    let timers = fakecam::Timers { busy: Duration::from_secs(600), ..fakecam::Timers::FAST };
    let camera = camera(CameraConfig { timers, ..quirky });
    check(of(&camera), "camera-busy", State::Refused, &["503", "too many others"]).await;
}

#[tokio::test]
async fn a_camera_that_refuses_both_transports() {
    let both = CameraConfig::for_quirk(Quirk::Tr461Tcp).with_quirk(Quirk::Tr461Udp);
    let camera = camera(both);
    check(of(&camera), "camera-protocol", State::Refused, &["both TCP and UDP"]).await;
}

#[tokio::test]
async fn a_redirect_that_nobody_allowed() {
    let camera = camera(CameraConfig::for_quirk(Quirk::UrlRedirect));
    check(of(&camera), "camera-protocol", State::Refused, &["another address"]).await;
    let stats = camera.stats();
    assert!(stats.requests.iter().all(|r| !r.uri.contains("/moved")), "it is followed");
}

/// A redirect to another host is never followed: credentials would go with it.
#[tokio::test]
async fn a_redirect_to_another_host_even_when_redirects_are_allowed() {
    let moved = b"RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://10.9.9.9/stream\r\n\r\n";
    let config = Config { allow_redirect: true, ..at(answers(moved).await) };
    check(config, "camera-protocol", State::Refused, &["another address"]).await;
}

#[tokio::test]
async fn tls_where_the_camera_speaks_none_and_none_where_it_speaks_tls() {
    let plain = camera(CameraConfig::default());
    let config = at(plain.url().replace("rtsp://", "rtsps://"));
    check(config, "camera-tls", State::Refused, &["rtsps port"]).await;
    let secure = camera(CameraConfig { tls: true, ..CameraConfig::default() });
    let watch = Watch::start(at(secure.url().replace("rtsps://", "rtsp://")));
    let wrong = watch.until(PATIENCE, |_, status| status.trouble.is_some()).await;
    assert!(wrong, "{}", watch.describe());
    let (seen, status) = watch.end().await;
    assert_eq!(seen.pictures(), 0);
    let trouble = status.trouble.unwrap();
    assert!(["camera-protocol", "camera-network"].contains(&trouble.code), "{trouble:?}");
}

#[tokio::test]
async fn udp_that_nobody_lets_through_is_not_trouble_while_tcp_works() {
    let camera = camera(CameraConfig::for_quirk(Quirk::TrUdpSilent));
    let watch = Watch::start(Config { transport: Transport::Udp, ..of(&camera) });
    watch.pictures(5).await;
    let (_, status) = watch.end().await;
    assert_eq!((status.state, status.trouble), (State::Streaming, None));
}

/// A probe says the same as the source does, as an error.
#[tokio::test]
async fn a_probe_names_it_too() {
    let camera = camera(CameraConfig::default());
    let config = at(camera.url().replace("/stream", "/strema"));
    let error = net::source::rtsp::probe(config).await.expect_err("no such path");
    assert_eq!(error.code(), Some("camera-path"));
    let found = net::source::rtsp::probe(of(&camera)).await.expect("plays");
    assert_eq!(found.tracks[0].params.resolution(), Some((640, 360)));
    assert_eq!(found.server.as_deref(), Some("fakecam"));
    assert!(found.key_frame.is_some_and(|f| f.random_access));
}
