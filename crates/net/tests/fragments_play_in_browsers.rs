//! What a browser is sent, put end to end, is a file that FFmpeg decodes without a complaint, and
//! whose pictures are those that were published.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod stage;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use media::Ticks;
use net::sink::fmp4::{Event, Init, Live, Viewer};
use stage::clip::{self, Clip};
use stage::{PATH, Stage, run};

/// Everything that a viewer is sent up to the `count`th frame.
struct Got {
    inits: Vec<Arc<Init>>,
    /// The files, one per init segment; without one, what belongs to an earlier one is left out.
    files: Vec<Vec<u8>>,
    /// Instants told: microseconds, and media time in seconds.
    walls: Vec<(i64, f64)>,
}

async fn watch(viewer: &mut Viewer, count: usize) -> Got {
    let mut got = Got { inits: Vec::new(), files: Vec::new(), walls: Vec::new() };
    let mut frames = 0;
    while frames < count {
        let event = tokio::time::timeout(Duration::from_secs(10), viewer.next()).await;
        match event.expect("something comes") {
            Event::Init(init) => {
                got.files.push(init.data.to_vec());
                got.inits.push(init);
            }
            Event::Media(data) => {
                if let Some(file) = got.files.last_mut() {
                    file.extend(data);
                }
                frames += 1;
            }
            Event::Wall { us, media_s } => got.walls.push((us, media_s)),
            Event::Drop { frames } => panic!("{frames} dropped"),
            Event::Ended => panic!("it ended"),
        }
    }
    got
}

async fn open(stage: &Stage, wanted_tracks: u32) -> (Live, Viewer) {
    // Published by a task of its own; sound counts once it was heard.
    let mut waiting = stage.hub.subscribe(PATH, hub::Kind::Live);
    while stage.hub.active_tracks(PATH) != wanted_tracks {
        waiting.next().await;
    }
    let live = Live::new(stage.hub.clone());
    let viewer = Viewer::open(&live, PATH).unwrap();
    (live, viewer)
}

/// Hashes of the pictures of a file, and FFmpeg's complaints.
async fn pictures(path: &str) -> Option<(Vec<String>, String)> {
    let quiet = ["-nostdin", "-hide_banner", "-v", "warning", "-xerror", "-i", path];
    let end = ["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let output = run("ffmpeg", &[&quiet[..], &end].concat()).await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let hash = |line: &str| line.rsplit(',').next().map(|h| h.trim().to_owned());
    let hashes = text.lines().filter(|l| !l.starts_with('#')).filter_map(hash).collect();
    Some((hashes, String::from_utf8_lossy(&output.stderr).into_owned()))
}

async fn check(name: &str, clips: Vec<Clip>, frames: usize, mime: &str) {
    let tracks = (1 << clips.len()) - 1;
    let size = clips[0].params.resolution().unwrap();
    let stage = Stage::play(clips);
    let (_live, mut viewer) = open(&stage, tracks).await;
    let got = watch(&mut viewer, frames).await;
    let [init] = &got.inits[..] else { panic!("{name}: {} init segments", got.inits.len()) };
    assert_eq!((init.mime.as_str(), (init.width, init.height)), (mime, size), "{name}");
    // A second of media time is a second of the house's time.
    assert!(got.walls.len() >= 2, "{name}");
    for pair in got.walls.windows(2) {
        let (us, s) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        assert!((us as f64 / 1e6 - s).abs() < 0.002, "{name}: {us} us, {s} s");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("live.mp4");
    std::fs::write(&file, &got.files[0]).unwrap();
    let ext = if name.starts_with("h265") { "h265" } else { "h264" };
    let source = clip::folder().join(format!("{name}.{ext}"));
    let Some((reference, _)) = pictures(source.to_str().unwrap()).await else { return };
    let Some((seen, complaints)) = pictures(file.to_str().unwrap()).await else { return };
    let reference: HashSet<String> = reference.into_iter().collect();
    assert!(seen.len() >= 30, "{name}: {} pictures; {complaints}", seen.len());
    assert!(seen.iter().all(|h| reference.contains(h)), "{name}: strange pictures");
    assert_eq!(complaints, "", "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_with_aac() {
    let clips = vec![clip::pictures("h264"), clip::aac()];
    let codec = clips[0].params.codec_string().unwrap();
    check("h264", clips, 90, &format!("video/mp4; codecs=\"{codec},mp4a.40.2\"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_alone() {
    let clips = vec![clip::pictures("h265")];
    let codec = clips[0].params.codec_string().unwrap();
    check("h265", clips, 45, &format!("video/mp4; codecs=\"{codec}\"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b_frames_with_opus() {
    let clips = vec![clip::pictures("h264-b"), clip::opus()];
    let codec = clips[0].params.codec_string().unwrap();
    check("h264-b", clips, 200, &format!("video/mp4; codecs=\"{codec},opus\"")).await;
}

/// Parameter sets of the same picture size are read from the pictures; another size is another
/// init segment.
#[tokio::test]
async fn a_change_of_size_is_a_new_init_segment_and_a_change_of_quantizer_is_none() {
    let group = |name: &str| clip::pictures(name).units[..15].to_vec();
    let clips = ["h264", "h264-flap", "h264-alt", "h264"];
    let track = &clip::tracks(&[clip::pictures("h264")])[0];
    let hub = hub::Hub::new();
    let publisher = hub.publish(PATH, vec![track.clone()]).unwrap();
    let live = Live::new(hub.clone());
    let mut viewer = Viewer::open(&live, PATH).unwrap();
    let start = net::now().wall;
    let mut files = Vec::new();
    for (round, name) in (0..).zip(clips) {
        let clip = clip::pictures(name);
        for (i, _) in (0..).zip(group(name)) {
            let mut frame = stage::frame(track, &clip, i, start);
            let shift = round * 15 * 6_000;
            (frame.pts, frame.dts) = (frame.pts.plus(Ticks(shift)), frame.dts.plus(Ticks(shift)));
            frame.wall = frame.wall.plus_us(round * 1_000_000);
            publisher.push(frame);
        }
        let got = watch(&mut viewer, 15).await;
        files.push(got.inits.iter().map(|i| (i.width, i.height)).collect::<Vec<_>>());
    }
    assert_eq!(files, [vec![(640, 360)], vec![], vec![(480, 270)], vec![(640, 360)]]);
}

#[tokio::test]
async fn without_pictures_there_is_nothing_to_open() {
    let stage = Stage::play(vec![clip::aac()]);
    let live = Live::new(stage.hub.clone());
    let code = |path: &str| Viewer::open(&live, path).err().and_then(|e| e.code());
    assert_eq!(code("nobody"), Some("camera-offline"));
    let mut waiting = stage.hub.subscribe(PATH, hub::Kind::Live);
    waiting.next().await;
    assert_eq!(code(PATH), Some("camera-codec"));
}
