//! The software IP camera: a source of pictures and sound, published to a path of the hub. What
//! carries them to viewers (`net::sink::rtsp`) does not know that they are not from a real one.
//!
//! - [`Source::Pattern`]: the test pattern, painted and encoded by `khien-pixels`.
//! - [`Source::Device`]: what a V4L2 device sees, encoded by `khien-pixels`.
//! - [`Source::File`]: an MP4 or Annex B file, looped in real time without being re-encoded.
//!
//! Each camera has a thread of its own, which sleeps until the next picture is due.

// A door reads the clock; the rooms below are handed `now`.
#![allow(clippy::disallowed_methods)]

mod clip;
mod lens;
mod pace;
mod reel;

use std::path::PathBuf;
use std::sync::Arc;

use hub::Hub;
use media::codec::Codec;
use stdx::{Bitrate, Error, Kind, Result};
use tokio::sync::oneshot;

use pace::Pace;

pub use pixels::pattern;

/// What an encoded source sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Video {
    /// H.264 or H.265.
    pub codec: Codec,
    /// Width and height, both even.
    pub size: (u32, u32),
    /// Pictures per second.
    pub fps: u32,
    /// A ceiling: a picture that hardly changes takes less.
    pub bit_rate: Bitrate,
    /// Seconds from key frame to key frame.
    pub gop_s: f64,
}

impl Video {
    fn settings(&self) -> pixels::Settings {
        let gop = (self.gop_s * f64::from(self.fps)).round().clamp(1.0, 100_000.0) as u32;
        let &Self { codec, size, fps, bit_rate, .. } = self;
        pixels::Settings { codec, size, fps, bit_rate, gop }
    }
}

/// Where a camera's pictures come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The test pattern.
    Pattern {
        /// Number drawn into it and carried in its codes.
        tag: u32,
        /// How it is encoded.
        video: Video,
    },
    /// A V4L2 device.
    Device {
        /// For example `/dev/video0`.
        path: PathBuf,
        /// How it is encoded.
        video: Video,
    },
    /// A file, looped.
    File(PathBuf),
}

/// A running camera. Ends when dropped.
#[derive(Debug)]
pub struct Camera {
    pace: Arc<Pace>,
    done: oneshot::Receiver<Result<()>>,
}

impl Camera {
    /// Starts a camera that publishes to `path`, and returns once its first picture is there.
    ///
    /// # Errors
    /// What is wrong with the source: a file that is missing or nothing that khien plays, an
    /// encoder or a cage that is not to be had, a device that does not open; `AlreadyExists`
    /// while somebody else publishes to the path.
    pub async fn start(
        hub: Hub,
        path: &str,
        source: Source,
        pixels: pixels::Config,
    ) -> Result<Self> {
        let pace = Arc::new(Pace::default());
        let (ready, is_ready) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let mut stage = Stage { hub, path: path.to_owned(), ready: Some(ready) };
        let watched = Arc::clone(&pace);
        std::thread::Builder::new().name(format!("camera {path}")).spawn(move || {
            let result = match source {
                Source::Pattern { tag, video } => {
                    lens::pattern(&mut stage, &watched, &pixels, tag, &video.settings())
                }
                Source::Device { path, video } => {
                    lens::device(&mut stage, &watched, &pixels, &path, &video.settings())
                }
                Source::File(file) => reel::play(&mut stage, &watched, &file),
            };
            let result = match (result, stage.ready.take()) {
                // Whoever waits for the first picture is told instead.
                (Err(e), Some(ready)) => ready.send(Err(e)).or(Ok(())),
                (result, _) => result,
            };
            let _ = done.send(result);
        })?;
        let camera = Self { pace, done: is_done };
        is_ready.await.unwrap_or_else(|_| Err(gone()))?;
        Ok(camera)
    }

    /// Asks it to end, which takes no longer than a picture.
    pub fn stop(&self) {
        self.pace.stop();
    }

    /// Waits until it has ended. Call it once.
    ///
    /// # Errors
    /// Why it ended by itself; nothing after [`Camera::stop`].
    pub async fn ended(&mut self) -> Result<()> {
        (&mut self.done).await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.pace.stop();
    }
}

fn gone() -> Error {
    Error::new(Kind::Internal, "the camera's thread ended without a word")
}

/// Where a source publishes, and whom it tells that it does.
struct Stage {
    hub: Hub,
    path: String,
    ready: Option<oneshot::Sender<Result<()>>>,
}

impl Stage {
    fn publish(&self, tracks: Vec<media::Track>) -> Result<hub::Publisher> {
        self.hub.publish(&self.path, tracks)
    }

    /// The first picture was published.
    fn ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Ok(()));
        }
    }
}
