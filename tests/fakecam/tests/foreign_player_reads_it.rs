//! A foreign client (ffmpeg) reads what a well-behaved fake camera sends: the camera is not wrong
//! in ways nobody asked for. Skipped where ffmpeg is not installed.

use std::process::{Command, Output};

use fakecam::{Audio, Camera, Config, Media};

fn camera(config: Config) -> Option<Camera> {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("skipped: ffmpeg is not installed");
        return None;
    }
    Some(Camera::start(config).expect("starts"))
}

/// Decodes two seconds and reports the checksum lines of every frame.
fn play(url: &str, transport: &str) -> Output {
    Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "warning", "-rtsp_transport", transport])
        .args([
            "-i",
            url,
            "-t",
            "2",
            "-map",
            "0",
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ])
        .output()
        .expect("ffmpeg runs")
}

fn frames(output: &Output, stream: &str) -> usize {
    String::from_utf8_lossy(&output.stdout).lines().filter(|l| l.starts_with(stream)).count()
}

fn check(name: &str, config: Config, sound_min: usize) {
    let Some(camera) = camera(config) else { return };
    for transport in ["tcp", "udp"] {
        let output = play(&camera.url(), transport);
        let complaints = String::from_utf8_lossy(&output.stderr);
        let (pictures, sound) = (frames(&output, "0,"), frames(&output, "1,"));
        assert!(pictures >= 25, "{name} by {transport}: {pictures} pictures; {complaints}");
        assert!(sound >= sound_min, "{name} by {transport}: {sound} of sound; {complaints}");
        for word in ["missed", "error", "corrupt", "Invalid", "RTP: dropping"] {
            assert!(!complaints.contains(word), "{name} by {transport}: {complaints}");
        }
    }
    let stats = camera.stats();
    assert_eq!(stats.teardowns, 2, "{name}: ffmpeg says good-bye");
    assert_eq!(stats.lost, 0, "{name}");
}

#[test]
fn h264_with_aac_plays() {
    check("h264", Config { audio: Audio::Aac, ..Config::default() }, 25);
}

#[test]
fn h265_with_g711_plays() {
    check("h265", Config { media: Media::H265, audio: Audio::Pcmu, ..Config::default() }, 60);
}

#[test]
fn jpeg_with_a_law_plays() {
    check("jpeg", Config { media: Media::Jpeg, audio: Audio::Pcma, ..Config::default() }, 60);
}

#[test]
fn b_frames_with_opus_play() {
    check("b", Config { media: Media::H264B, audio: Audio::Opus, ..Config::default() }, 60);
}

#[test]
fn leading_pictures_with_linear_samples_play() {
    check("cra", Config { media: Media::H265Cra, audio: Audio::Pcm, ..Config::default() }, 60);
}

#[test]
fn passwords_are_asked_for_and_checked() {
    let credentials = Some(("admin".into(), "pa:ss".into()));
    let Some(camera) = camera(Config { credentials, ..Config::default() }) else { return };
    let host = camera.url().replace("rtsp://", "");
    let good = play(&format!("rtsp://admin:pa%3Ass@{host}"), "tcp");
    assert!(frames(&good, "0,") > 20, "{}", String::from_utf8_lossy(&good.stderr));
    let plays = camera.stats().plays;
    let bad = play(&format!("rtsp://admin:wrong@{host}"), "tcp");
    assert!(!bad.status.success());
    assert_eq!(camera.stats().plays, plays, "a wrong password plays nothing");
}

#[test]
fn other_parameters_take_over_at_a_key_frame() {
    let config = Config::default();
    let Some(camera) = camera(config) else { return };
    camera.faults(|f| f.change_parameters_at = Some(16));
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-rtsp_transport", "tcp", "-read_intervals", "%+4"])
        .args(["-show_entries", "frame=width", "-of", "csv=p=0", &camera.url()])
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let wide = text.lines().filter(|l| l.starts_with("640")).count();
    let narrow = text.lines().filter(|l| l.starts_with("480")).count();
    assert!((28..=30).contains(&wide) && narrow > 10, "{wide} wide, {narrow} narrow");
}
