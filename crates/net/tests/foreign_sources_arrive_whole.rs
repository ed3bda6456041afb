//! Streams that GStreamer's RTSP server and FFmpeg put into packets arrive whole: every frame of a
//! known clip, in order, with the slices that the file has, its random-access points and its order
//! of presentation, and every sample of sound; over TCP and over UDP.
//!
//! FFmpeg has an RTSP client that can push, and no server: what it pushes is handed on, packet by
//! packet, by `foreign/reflector.rs`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "this file is all tests")]

#[path = "stage/clip.rs"]
#[allow(dead_code, unreachable_pub, reason = "another test uses all of it")]
mod clip;
#[path = "foreign/reflector.rs"]
mod reflector;
mod watching;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clip::Clip;
use media::codec::{g711, h264, h265, nal};
use media::{Params, TrackKind};
use net::source::rtsp::{Config, Transport};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use watching::{Run, Watch, at};

/// The clips play for six seconds.
const PLAYED: Duration = Duration::from_secs(60);

/// What a file holds.
struct File {
    name: &'static str,
    pictures: &'static str,
    sound: Option<Sound>,
}

#[derive(Clone, Copy, PartialEq)]
enum Sound {
    Aac,
    ALaw,
    MuLaw,
}

const H264_AAC: File = File { name: "h264-aac.mp4", pictures: "h264", sound: Some(Sound::Aac) };
const H265_CRA: File = File { name: "h265-cra.mp4", pictures: "h265-cra", sound: None };
const H264_A_LAW: File =
    File { name: "h264-pcma.mov", pictures: "h264-b", sound: Some(Sound::ALaw) };
const H265_MU_LAW: File =
    File { name: "h265-pcmu.mov", pictures: "h265", sound: Some(Sound::MuLaw) };

impl File {
    fn path(&self) -> std::path::PathBuf {
        clip::folder().join(self.name)
    }

    fn hevc(&self) -> bool {
        self.pictures.starts_with("h265")
    }

    /// The launch line that plays it.
    fn pipeline(&self) -> String {
        let video = if self.hevc() {
            "h265parse ! rtph265pay name=pay0 pt=96"
        } else {
            "h264parse ! rtph264pay name=pay0 pt=96"
        };
        let sound = match self.sound {
            None => "",
            Some(Sound::Aac) => "d.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97",
            Some(Sound::ALaw) => "d.audio_0 ! queue ! rtppcmapay name=pay1",
            Some(Sound::MuLaw) => "d.audio_0 ! queue ! rtppcmupay name=pay1",
        };
        let path = self.path();
        let path = path.display();
        format!("( filesrc location={path} ! qtdemux name=d d.video_0 ! queue ! {video} {sound} )")
    }

    /// Every unit of sound of the file.
    fn sound(&self) -> Vec<Vec<u8>> {
        let clip = match self.sound {
            None => return Vec::new(),
            Some(Sound::Aac) => clip::aac(),
            Some(Sound::ALaw) => clip::g711(g711::Law::A),
            Some(Sound::MuLaw) => clip::g711(g711::Law::Mu),
        };
        clip.units.iter().map(|u| u.data.to_vec()).collect()
    }
}

/// The coded slices of a picture: what no server may touch. Delimiters and parameter sets it may
/// add or leave out, and a file may have a zero of the start code that followed at the end of one.
fn slices(data: &[u8], hevc: bool) -> Vec<&[u8]> {
    let is = |unit: &&[u8]| match hevc {
        true => h265::unit_type(unit[0]) < 32,
        false => (1..=5).contains(&h264::unit_type(unit[0])),
    };
    nal::prefixed(data).filter(is).map(nal::trim_zeros).collect()
}

/// Takes one play of the file and compares it with the clips that it was made of.
///
/// `kept` is how many of the last units of sound the sender may keep to itself.
async fn arrives(name: &str, file: &File, url: &str, transport: Transport, kept: usize) {
    let pictures = clip::pictures(file.pictures);
    let units = file.sound();
    let sound = units.concat();
    let enough = units[..units.len().saturating_sub(kept)].concat().len();
    let watch = Watch::start(Config { transport, ..at(url) });
    let there = watch
        .until(PLAYED, |seen, _| {
            seen.runs.first().is_some_and(|run| {
                let heard = sound_of(run).len() >= enough;
                run.ended.is_some()
                    || (heard && run.of(TrackKind::Video).count() >= pictures.units.len())
            })
        })
        .await;
    let described = watch.describe();
    assert!(there, "{name}: {described}");
    let (seen, _) = watch.end().await;
    let run = &seen.runs[0];
    same_pictures(name, run, &pictures, file.hevc());
    let heard = sound_of(run);
    assert!(heard.len() >= enough, "{name}: {} bytes of sound; {described}", heard.len());
    assert!(sound.starts_with(&heard), "{name}: other sound than in the file");
    if file.sound == Some(Sound::Aac) {
        // One access unit a frame, whatever was in one packet.
        let sizes: Vec<usize> = run.of(TrackKind::Audio).map(|a| a.frame.data.len()).collect();
        let sent: Vec<usize> = units.iter().map(Vec::len).take(sizes.len()).collect();
        assert_eq!(sizes, sent, "{name}");
    }
}

fn sound_of(run: &Run) -> Vec<u8> {
    run.of(TrackKind::Audio).flat_map(|a| a.frame.data.to_vec()).collect()
}

fn same_pictures(name: &str, run: &Run, clip: &Clip, hevc: bool) {
    let arrived: Vec<_> = run.of(TrackKind::Video).map(|a| &a.frame).collect();
    assert_eq!(arrived.len(), clip.units.len(), "{name}: pictures");
    let first = arrived[0].pts.0 - clip.units[0].shown * clip.ticks;
    for (n, (frame, unit)) in arrived.iter().zip(&clip.units).enumerate() {
        let (got, sent) = (slices(&frame.data, hevc), slices(&unit.data, hevc));
        let sizes = |slices: &[&[u8]]| slices.iter().map(|s| s.len()).collect::<Vec<usize>>();
        assert_eq!(sizes(&got), sizes(&sent), "{name}: slices of {n}");
        assert!(got == sent, "{name}: slices of {n}");
        assert_eq!(frame.random_access, unit.key, "{name}: random access at {n}");
        assert!(!frame.damaged, "{name}: {n} is marked as damaged");
        assert!(frame.dts <= frame.pts, "{name}: {n} is decoded after it is shown");
        // Servers count in nanoseconds, and round.
        let off = frame.pts.0 - first - unit.shown * clip.ticks;
        assert!(off.abs() <= 2, "{name}: {n} is shown {off} ticks off");
    }
    let grows = arrived.windows(2).all(|w| w[0].dts < w[1].dts);
    assert!(grows, "{name}: decoding times");
    let (Params::H264(_) | Params::H265(_)) = *arrived[0].params else {
        panic!("{name}: no parameters");
    };
    assert_eq!(arrived[0].params.resolution(), Some((640, 360)), "{name}");
}

/// GStreamer's server with one file; ends with the value.
async fn gstreamer(file: &File) -> (Child, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/gst_rtsp_server.py");
    let mut child = Command::new("/usr/bin/python3")
        .arg(script)
        .arg(file.pipeline())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is installed");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = tokio::time::timeout(PLAYED, lines.next_line()).await.expect("starts").unwrap();
    let line = line.expect("says where it listens; scripts/setup --tests installs what it needs");
    (child, line.strip_prefix("ready ").expect("the address").to_owned())
}

async fn from_gstreamer(file: &File) {
    for transport in [Transport::Tcp, Transport::Udp] {
        let (_child, url) = gstreamer(file).await;
        let name = format!("{} of GStreamer over {transport:?}", file.name);
        arrives(&name, file, &url, transport, 0).await;
    }
}

async fn from_ffmpeg(file: &File) {
    for transport in [Transport::Tcp, Transport::Udp] {
        let reflector = reflector::Reflector::start().await;
        let path = file.path();
        let _ffmpeg = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-re", "-i"])
            .arg(&path)
            .args(["-map", "0", "-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp"])
            .arg(&reflector.push_url)
            .kill_on_drop(true)
            .spawn()
            .expect("ffmpeg is installed");
        let name = format!("{} of FFmpeg over {transport:?}", file.name);
        // Its AAC payloader collects units for a packet, and does not send the last, partial one.
        let kept = if file.sound == Some(Sound::Aac) { 5 } else { 0 };
        arrives(&name, file, &reflector.play_url, transport, kept).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_h264_with_aac() {
    from_gstreamer(&H264_AAC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_h265_with_open_groups() {
    from_gstreamer(&H265_CRA).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_b_frames_with_a_law() {
    from_gstreamer(&H264_A_LAW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_h265_with_mu_law() {
    from_gstreamer(&H265_MU_LAW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_h264_with_aac() {
    from_ffmpeg(&H264_AAC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_h265_with_open_groups() {
    from_ffmpeg(&H265_CRA).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_b_frames_with_a_law() {
    from_ffmpeg(&H264_A_LAW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_h265_with_mu_law() {
    from_ffmpeg(&H265_MU_LAW).await;
}
