//! Single pictures: one child for all who ask, started when first needed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::codec::{Codec, nal};
use media::{Params, TrackKind};
use stdx::{Error, Kind, Result};

use crate::child::{self, Child, Config, Facts};
use crate::wire::{Attempt, PICTURE_BYTES_MAX, Reply, Request};

/// Makes pictures for people. Shared by reference; requests wait for one another.
#[derive(Debug)]
pub struct Worker {
    config: Config,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    /// When children ended that should not have.
    crashes: VecDeque<Instant>,
}

/// After this many crashes within [`CRASH_SPAN`] nothing is started for a while: somebody sends
/// pictures that break decoders.
const CRASHES_MAX: usize = 5;
const CRASH_SPAN: Duration = Duration::from_secs(60);

impl Worker {
    /// Starts nothing yet.
    pub const fn new(config: Config) -> Self {
        let state = State { child: None, crashes: VecDeque::new() };
        Self { config, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A child whose request was interrupted by a panic is replaced when it answers nonsense.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the child if it does not run, and says what it is: to complain at once when it is
    /// missing or cannot be caged.
    ///
    /// # Errors
    /// `FailedPrecondition` when the program is missing, or the kernel lacks Landlock or seccomp
    /// and the configuration does not allow to go on without.
    pub fn check(&self) -> Result<Facts> {
        self.lock().child(&self.config).map(|c| c.facts().clone())
    }

    /// Decodes a key frame and makes a JPEG of it, at most `width_max` pixels wide. `data` is the
    /// frame as [`media::Frame`] carries it; `params` brings the parameter sets where they are
    /// not in the frame.
    ///
    /// # Errors
    /// `InvalidArgument` for what is not a picture, `DataLoss` when it cannot be decoded,
    /// `ResourceExhausted` above [`PICTURE_BYTES_MAX`], `Unavailable` when the child crashed or
    /// took too long over it.
    pub fn jpeg(&self, params: &Params, data: &[u8], width_max: u32) -> Result<Bytes> {
        let codec = params.codec();
        let picture = stream(params, data)?;
        let mut jpeg = None;
        self.ask(Request::Jpeg { codec, width_max, picture: &picture }, |reply| match reply {
            Reply::Jpeg(bytes) => {
                jpeg = Some(Bytes::copy_from_slice(bytes));
                Ok(())
            }
            _ => Err(child::unexpected()),
        })?;
        jpeg.ok_or_else(child::unexpected)
    }

    /// Has the child try to break out of its cage: for tests and for people who want to see it.
    ///
    /// # Errors
    /// As [`Worker::check`].
    pub fn trial(&self) -> Result<Vec<Attempt>> {
        let mut report = Vec::new();
        self.ask(Request::Trial, |reply| match reply {
            Reply::Report(attempts) => {
                report = attempts;
                Ok(())
            }
            _ => Err(child::unexpected()),
        })?;
        Ok(report)
    }

    fn ask(&self, request: Request<'_>, take: impl FnMut(Reply<'_>) -> Result<()>) -> Result<()> {
        let mut state = self.lock();
        let result = state.child(&self.config)?.ask(request, take);
        if let Err(e) = &result
            && child::is_fatal(e)
        {
            tracing::warn!("{}; it is started again when next needed", e.chain());
            state.crashed();
        }
        result
    }
}

impl State {
    fn child(&mut self, config: &Config) -> Result<&mut Child> {
        if self.child.as_mut().is_some_and(Child::has_ended) {
            tracing::warn!("khien-pixels had ended; it is started again");
            self.crashed();
        }
        self.crashes.retain(|at| at.elapsed() < CRASH_SPAN);
        if self.crashes.len() >= CRASHES_MAX {
            let text = "khien-pixels crashed five times within a minute; no picture is decoded \
                        until that has passed. A camera may be sending broken or hostile pictures";
            return Err(Error::new(Kind::Unavailable, text));
        }
        match &mut self.child {
            Some(child) => Ok(child),
            none => Ok(none.insert(Child::start(config, &[])?)),
        }
    }

    fn crashed(&mut self) {
        self.child = None;
        self.crashes.push_back(Instant::now());
    }
}

/// A frame as a decoder takes it that knows nothing else: Annex B with its parameter sets in
/// front.
pub(crate) fn stream(params: &Params, data: &[u8]) -> Result<Vec<u8>> {
    if params.kind() != TrackKind::Video {
        return Err(Error::new(Kind::InvalidArgument, "not a picture"));
    }
    if data.len() > PICTURE_BYTES_MAX {
        let text = "the picture is larger than khien-pixels takes";
        return Err(Error::new(Kind::ResourceExhausted, text));
    }
    if params.codec() == Codec::Mjpeg {
        return Ok(data.to_vec());
    }
    let sets: &[&Bytes] = match params {
        Params::H264(p) => &[&p.sps, &p.pps],
        Params::H265(p) => &[&p.vps, &p.sps, &p.pps],
        _ => &[],
    };
    let mut out = Vec::with_capacity(data.len() + 256);
    for set in sets {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(set);
    }
    out.extend_from_slice(&nal::to_annexb(data));
    Ok(out)
}
