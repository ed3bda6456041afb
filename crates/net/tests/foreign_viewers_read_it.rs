//! Viewers of other makers read what the hub holds, over every transport that is offered, and see
//! every picture as it was published. A viewer that is not installed is passed over with a word.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod stage;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use media::codec::{g711, nal};
use retina::client::{Credentials, PlayOptions, Session, SessionOptions, SetupOptions, Transport};
use retina::codec::{CodecItem, FrameFormat};
use rtsp::auth::Offer;
use stage::clip::{self, Clip};
use stage::{PASSWORD, Stage, USER, run};

/// What retina made of a few seconds: the frames of each track, as it numbers them.
async fn retina(
    place: &str,
    transport: Transport,
    frames: usize,
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let say = |e: retina::Error| e.to_string();
    let creds = Credentials { username: USER.to_owned(), password: PASSWORD.to_owned() };
    let options = SessionOptions::default().creds(Some(creds)).user_agent("a test".to_owned());
    let url = format!("rtsp://{place}").parse().unwrap();
    let mut session = Session::describe(url, options).await.map_err(say)?;
    for i in 0..session.streams().len() {
        let options = SetupOptions::default().transport(transport.clone());
        session.setup(i, options.frame_format(FrameFormat::MP4)).await.map_err(say)?;
    }
    let mut tracks = vec![Vec::new(); session.streams().len()];
    let session = session.play(PlayOptions::default()).await.map_err(say)?;
    let mut items = session.demuxed().map_err(say)?;
    while tracks.iter().any(|t| t.len() < frames) {
        let item = tokio::time::timeout(Duration::from_secs(10), items.next());
        match item.await.map_err(|_| "no frame for 10 s")?.ok_or("it ended")?.map_err(say)? {
            CodecItem::VideoFrame(f) => {
                assert_eq!(f.loss(), 0);
                tracks[f.stream_id()].push(f.data().to_vec());
            }
            CodecItem::AudioFrame(f) => {
                assert_eq!(f.loss(), 0);
                tracks[f.stream_id()].push(f.data().to_vec());
            }
            CodecItem::MessageFrame(f) => tracks[f.stream_id()].push(f.data().to_vec()),
            _ => {}
        }
    }
    Ok(tracks)
}

/// The slices of a picture: what a viewer must get whatever it does with the rest.
fn slices(data: &[u8], hevc: bool) -> Vec<u8> {
    let is_slice = |unit: &&[u8]| match hevc {
        true => media::codec::h265::is_vcl(media::codec::h265::unit_type(unit[0])),
        false => media::codec::h264::is_vcl(media::codec::h264::unit_type(unit[0])),
    };
    nal::prefixed(data).filter(is_slice).flatten().copied().collect()
}

/// What was received are the frames of the clip, none missing in between, beginning anywhere.
fn same(clip: &Clip, got: &[Vec<u8>], pick: impl Fn(&[u8]) -> Vec<u8>) {
    let sent: Vec<Vec<u8>> = clip.units.iter().map(|u| pick(&u.data)).collect();
    let got: Vec<Vec<u8>> = got.iter().map(|data| pick(data)).collect();
    // Some sounds are equal: every place where the first one fits is tried.
    let fits = |first: usize| {
        let follow = sent.iter().cycle().skip(first);
        follow.zip(&got).all(|(sent, got)| sent == got)
    };
    assert!((0..sent.len()).any(fits), "{} frames, not those that were sent", got.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn retina_reads_every_codec_with_each_hash() {
    let whole = |data: &[u8]| data.to_vec();
    for (offer, transport, video, sound) in [
        (Offer::Md5, Transport::Tcp(Default::default()), "h264", clip::aac()),
        (Offer::Sha256, Transport::Tcp(Default::default()), "h265", clip::g711(g711::Law::Mu)),
        (Offer::Both, Transport::Udp(Default::default()), "h264-hard", clip::g711(g711::Law::A)),
    ] {
        let pictures = clip::pictures(video);
        let stage = Stage::play(vec![pictures.clone(), sound.clone()]);
        let place = stage.guarded(offer).await;
        let tracks = retina(&place, transport, 40).await.unwrap_or_else(|e| panic!("{video}: {e}"));
        same(&pictures, &tracks[0], |data| slices(data, video == "h265"));
        same(&sound, &tracks[1], whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_wrong_path_are_refused() {
    let stage = Stage::play(vec![clip::pictures("h264")]);
    let address = stage.serve(stage::config(Some(Offer::Md5))).await;
    let tcp = || Transport::Tcp(Default::default());
    let error = retina(&format!("{address}/nothing"), tcp(), 1).await.unwrap_err();
    assert!(error.contains("404"), "{error}");
    let url = format!("rtsp://{USER}:wrong@{address}/{}", stage::PATH);
    let Some(output) = run("ffprobe", &["-v", "error", &url]).await else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("401"), "{said}");
}

/// `-f framemd5` of an input: hash of each frame by stream number.
async fn hashes(args: &[&str]) -> Option<(Vec<(String, String)>, String)> {
    let common = ["-nostdin", "-hide_banner", "-v", "warning"];
    let end = ["-map", "0", "-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let output = run("ffmpeg", &[&common[..], args, &end].concat()).await?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |line: &str| {
        let mut fields = line.split(',').map(str::trim);
        Some((fields.next()?.to_owned(), fields.next_back()?.to_owned()))
    };
    let frames = lines.lines().filter(|l| !l.starts_with('#')).filter_map(field).collect();
    Some((frames, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// FFmpeg plays three seconds, decodes all of it without a complaint, and every picture is one of
/// the file's.
async fn ffmpeg_plays(url: &str, transport: &str, file: &str, sound_min: usize) {
    let path = clip::folder().join(file);
    let Some((reference, _)) = hashes(&["-i", path.to_str().unwrap()]).await else { return };
    let reference: HashSet<String> = reference.into_iter().map(|(_, hash)| hash).collect();
    let args = ["-rtsp_transport", transport, "-i", url, "-t", "3"];
    let Some((frames, complaints)) = hashes(&args).await else { return };
    let pictures: Vec<&String> = frames.iter().filter(|(s, _)| s == "0").map(|(_, h)| h).collect();
    let sounds = frames.iter().filter(|(s, _)| s == "1").count();
    let strange = pictures.iter().filter(|h| !reference.contains(**h)).count();
    assert!(pictures.len() >= 38, "{url} {transport}: {} pictures; {complaints}", pictures.len());
    assert_eq!(strange, 0, "{url} {transport}: of {}; {complaints}", pictures.len());
    assert!(sounds >= sound_min, "{url} {transport}: {sounds} of sound; {complaints}");
    for word in ["missed", "error", "corrupt", "Invalid", "RTP: dropping"] {
        assert!(!complaints.contains(word), "{url} {transport}: {complaints}");
    }
}

async fn ffmpeg_reads(video: Clip, file: &str, sound: Clip, sound_min: usize) {
    let stage = Stage::play(vec![video, sound]);
    let url = stage.open().await;
    ffmpeg_plays(&url, "tcp", file, sound_min).await;
    ffmpeg_plays(&url, "udp", file, sound_min).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_reads_h264_with_aac() {
    ffmpeg_reads(clip::pictures("h264"), "h264.h264", clip::aac(), 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_reads_h265_with_g711() {
    ffmpeg_reads(clip::pictures("h265"), "h265.h265", clip::g711(g711::Law::Mu), 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_reads_jpeg_with_a_law() {
    ffmpeg_reads(clip::jpeg(), "jpeg.mjpeg", clip::g711(g711::Law::A), 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_reads_b_frames_with_opus() {
    ffmpeg_reads(clip::pictures("h264-b"), "h264-b.h264", clip::opus(), 100).await;
}

/// A certificate for this host that nobody has signed.
fn tls() -> Arc<rustls::ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    Arc::new(config.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_reads_over_tls_with_a_password() {
    let stage = Stage::play(vec![clip::pictures("h264"), clip::aac()]);
    let config = net::sink::rtsp::Config { tls: Some(tls()), ..stage::config(Some(Offer::Md5)) };
    let address = stage.serve(config).await;
    let password = "corr%C3%A9ct%20horse";
    let url = format!("rtsps://{USER}:{password}@{address}/{}", stage::PATH);
    ffmpeg_plays(&url, "tcp", "h264.h264", 30).await;
}

/// GStreamer, which must have the elements that are needed.
async fn gstreamer(elements: &[&str], args: &[&str]) {
    for element in elements {
        match run("gst-inspect-1.0", &["--exists", element]).await {
            Some(output) if output.status.success() => {}
            _ => return eprintln!("skipped: GStreamer has no {element}"),
        }
    }
    let Some(output) = run("gst-launch-1.0", &[&["-q"], args].concat()).await else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("ERROR"), "{args:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_reads_over_tcp_and_udp_with_a_password() {
    let stage = Stage::play(vec![clip::pictures("h264"), clip::g711(g711::Law::Mu)]);
    let location = format!("location=rtsp://{}", stage.guarded(Offer::Md5).await);
    let (user, password) = (format!("user-id={USER}"), format!("user-pw={PASSWORD}"));
    for protocols in ["protocols=tcp", "protocols=udp"] {
        let source = ["rtspsrc", &location, &user, &password, protocols, "latency=100", "name=s"];
        // Both must give what they are waited for.
        let video = "s. ! rtph264depay ! h264parse ! fakesink num-buffers=40";
        let sound = "s. ! rtppcmudepay ! mulawdec ! fakesink num-buffers=100";
        let branches: Vec<&str> = video.split(' ').chain(sound.split(' ')).collect();
        let elements = ["rtspsrc", "rtph264depay", "h264parse", "rtppcmudepay", "mulawdec"];
        gstreamer(&elements, &[&source[..], &branches].concat()).await;
    }
}

/// VLC's command line, run as nobody if we are root, which it refuses to be.
async fn vlc(home: &std::path::Path, args: &[&str]) -> Option<std::process::Output> {
    let home = format!("HOME={}", home.display());
    let player = [&["env", &home, "cvlc", "--quiet"], args].concat();
    let root = run("id", &["-u"]).await.is_some_and(|o| o.stdout == b"0\n");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    match root {
        true => run("setpriv", &[&nobody[..], &player].concat()).await,
        false => run(player[0], &player[1..]).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vlc_reads_with_a_password() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let modules = vlc(folder.path(), &["--list"]).await.map(|o| o.stdout).unwrap_or_default();
    if !String::from_utf8_lossy(&modules).contains("live555") {
        return eprintln!("skipped: VLC is not installed, or without its RTSP module, live555");
    }
    let stage = Stage::play(vec![clip::pictures("h264"), clip::g711(g711::Law::Mu)]);
    let url = format!("rtsp://{}", stage.guarded(Offer::Md5).await);
    let file = folder.path().join("vlc.ts");
    let sout = format!("--sout=#std{{access=file,mux=ts,dst={}}}", file.display());
    let (user, password) = (format!("--rtsp-user={USER}"), format!("--rtsp-pwd={PASSWORD}"));
    let args = ["--rtsp-tcp", &user, &password, &sout, &url, ":run-time=4", "vlc://quit"];
    let Some(output) = vlc(folder.path(), &args).await else { return };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let probe = ["-v", "error", "-count_packets", "-select_streams", "v"];
    let show = ["-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0"];
    let name = file.to_str().unwrap();
    let Some(seen) = run("ffprobe", &[&probe[..], &show, &[name]].concat()).await else { return };
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    let count = seen.trim().rsplit(',').next().and_then(|n| n.parse::<u32>().ok());
    assert!(seen.starts_with("h264") && count > Some(30), "{seen}: {said}");
}
