//! The listeners with real sockets, and the live WebSocket over one.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use net::Stopper;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use store::registry::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::{Desk, Who, history};
use crate::tls::Tls;
use crate::{Clock, serve_plain, serve_tls, serve_unix};

async fn until<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("in time")
}

/// Sends one HTTP/1.1 request and reads everything until the peer closes.
async fn exchange(mut io: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    until(async {
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = io.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    })
    .await
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    let desk = Desk::new();
    let (stopper, stop) = Stopper::new();
    let open = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let e = serve_plain(open, desk.app.clone(), stop.clone()).await.unwrap_err();
    assert_eq!(e.code(), Some("plain-http"));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve_plain(listener, desk.app.clone(), stop));
    let request = "GET /api/v1/me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = exchange(TcpStream::connect(address).await.unwrap(), request).await;
    // Being on loopback gives no rights.
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(!answer.contains("strict-transport-security"));
    stopper.stop();
    until(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn https_speaks_both_versions() {
    let desk = Desk::new();
    let tls = Tls::local(&desk.dir.path().join("tls"), &[], &[], Clock::system().wall()).unwrap();
    let (_stopper, stop) = Stopper::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_tls(listener, tls.config(), desk.app.clone(), stop));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(tls.ca_pem().unwrap().as_bytes()).unwrap()).unwrap();
    let connect = |alpn: &'static [u8]| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
        }
    };
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = exchange(until(connect(b"http/1.1")).await, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "not for localhost: {answer}");
    for (host, strict) in [("127.0.0.1", false), ("[::1]:8443", false), ("nvr.lan:8443", true)] {
        let request = request.replace("localhost", host);
        let answer = exchange(until(connect(b"http/1.1")).await, &request).await;
        assert_eq!(answer.contains("strict-transport-security"), strict, "{host}: {answer}");
    }
    let mut h2 = until(connect(b"h2")).await;
    assert_eq!(h2.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    h2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut settings = [0; 9];
    until(h2.read_exact(&mut settings)).await.unwrap();
    assert_eq!(settings[3], 4, "a SETTINGS frame");
}

#[tokio::test]
async fn the_unix_socket_is_the_owners() {
    let desk = Desk::new();
    let path = desk.dir.path().join("khien.sock");
    let (stopper, stop) = Stopper::new();
    std::fs::write(&path, "a file").unwrap();
    assert!(serve_unix(&path, desk.app.clone(), stop.clone()).await.is_err());
    std::fs::remove_file(&path).unwrap();
    // A socket that a killed process left behind is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (app, at) = (desk.app.clone(), path.clone());
    let serving = tokio::spawn(async move { serve_unix(&at, app, stop).await });
    let stream = until(async {
        loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    // A network that has taken all connections does not shut the operator out.
    let all = u32::try_from(crate::CONNECTIONS_MAX).unwrap();
    let _crowd = Arc::clone(desk.app.connections()).try_acquire_many_owned(all).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: khien\r\nconnection: close\r\n\r\n";
    let answer = exchange(stream, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("khien_fake 1"), "{answer}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    stopper.stop();
    until(serving).await.unwrap().unwrap();
    assert!(!path.exists());
}

/// A WebSocket by hand: upgrade, then raw frames.
async fn socket(address: SocketAddr, camera: &str, who: &Who, origin: &str) -> (String, TcpStream) {
    let Who::Token(token) = who else { panic!("a session") };
    let mut io = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /api/v1/cameras/{camera}/live HTTP/1.1\r\nhost: {address}\r\norigin: {origin}\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: khien.fmp4.v1\r\ncookie: khien={}\r\n\r\n",
        token.reveal()
    );
    io.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(until(io.read_u8()).await.unwrap());
    }
    (String::from_utf8(head).unwrap(), io)
}

/// A masked text frame, shorter than 126 bytes, with a mask of zeros.
async fn say(io: &mut TcpStream, text: &str) {
    let length = u8::try_from(text.len()).unwrap();
    let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
    io.write_all(&frame).await.unwrap();
}

/// The code of the next close frame.
async fn closed(io: &mut TcpStream) -> u16 {
    loop {
        let (kind, length) =
            (until(io.read_u8()).await.unwrap(), until(io.read_u8()).await.unwrap());
        let mut payload = vec![0; usize::from(length)];
        until(io.read_exact(&mut payload)).await.unwrap();
        if kind == 0x88 {
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}

#[tokio::test]
async fn live_says_why_it_ends() {
    let desk = Desk::new();
    desk.user("bo", Role::Viewer).await;
    let bo = desk.session("bo").await;
    let camera = desk.camera("front").to_string();
    let (_stopper, stop) = Stopper::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_plain(listener, desk.app.clone(), stop));
    let own = format!("http://{address}");

    let (head, _) = socket(address, &camera, &bo, "http://evil.example").await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    let stranger = Who::Token("A".repeat(43).as_str().into());
    let (head, _) = socket(address, &camera, &stranger, &own).await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");

    for (camera, hello, code) in [
        (camera.as_str(), Some(r#"{"t":"play"}"#), 4409),
        (camera.as_str(), Some(r#"{"t":"exec"}"#), 1008),
        (camera.as_str(), Some("nonsense"), 1008),
        ("0123456789abcdef", None, 4404),
        ("..", None, 4404),
    ] {
        let (head, mut io) = socket(address, camera, &bo, &own).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-protocol: khien.fmp4.v1"), "{head}");
        if let Some(hello) = hello {
            say(&mut io, hello).await;
        }
        assert_eq!(closed(&mut io).await, code, "{camera} {hello:?}");
    }
}

/// The kind and content of the next frame of the server, whatever its length.
async fn hear(io: &mut TcpStream) -> (u8, Vec<u8>) {
    let (kind, short) = (until(io.read_u8()).await.unwrap(), until(io.read_u8()).await.unwrap());
    let length = match short {
        126 => u64::from(until(io.read_u16()).await.unwrap()),
        127 => until(io.read_u64()).await.unwrap(),
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    until(io.read_exact(&mut payload)).await.unwrap();
    (kind & 0x0f, payload)
}

#[tokio::test]
async fn live_sends_the_newest_group_until_the_session_ends() {
    let desk = Desk::new();
    desk.user("bo", Role::Viewer).await;
    let bo = desk.session("bo").await;
    let camera = desk.camera("front");
    let publisher = desk.hub.publish(&camera.to_string(), vec![history::track()]).unwrap();
    for n in 0..15 {
        publisher.push(history::frame(n));
    }
    let (stopper, stop) = Stopper::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_plain(listener, desk.app.clone(), stop));
    let (_, mut io) = socket(address, &camera.to_string(), &bo, &format!("http://{address}")).await;
    say(&mut io, r#"{"t":"play"}"#).await;

    let (kind, text) = hear(&mut io).await;
    let told: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((kind, &told["t"]), (1, &"init".into()), "{told}");
    assert_eq!((&told["w"], &told["h"]), (&640.into(), &362.into()), "{told}");
    assert_eq!(told["mime"], "video/mp4; codecs=\"avc1.42C016\"");
    let (kind, init) = hear(&mut io).await;
    assert_eq!((kind, &init[4..8]), (2, &b"ftyp"[..]));
    let mut media = 0;
    while media < 5 {
        let (kind, payload) = hear(&mut io).await;
        match kind {
            1 => {
                let told: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                assert_eq!(told["t"], "wall", "{told}");
            }
            2 => {
                assert_eq!(&payload[4..8], b"moof");
                media += 1;
            }
            other => panic!("a frame of kind {other}"),
        }
    }
    stopper.stop();
    assert_eq!(closed(&mut io).await, 1001, "khien ends");
}
