//! The child process: started, spoken to, and killed when it does not behave.

use std::io::{self, Read as _, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stdx::{Error, Kind, Result};

use crate::wire::{self, Fault, FaultKind, Ready, Reply, Request};

/// Where the child is and how strictly it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The program.
    pub program: PathBuf,
    /// Work even where the kernel lacks what the cage is made of.
    pub allow_uncaged: bool,
    /// A request that takes longer has failed, and the child is ended.
    pub request_max: Duration,
}

impl Config {
    /// `khien-pixels` beside the program that runs now; for tests, which lie one folder deeper,
    /// above it.
    pub fn new(allow_uncaged: bool) -> Self {
        let here = std::env::current_exe().unwrap_or_default();
        let mut folder = here.parent().map(PathBuf::from).unwrap_or_default();
        if folder.file_name().is_some_and(|n| n == "deps") {
            folder.pop();
        }
        let program = folder.join("khien-pixels");
        Self { program, allow_uncaged, request_max: REQUEST_MAX }
    }
}

/// What a started child is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its process number.
    pub pid: u32,
    /// Files are out of its reach, and whatever else this kernel's Landlock guards.
    pub landlock: bool,
    /// System calls that a codec does not need are refused to it.
    pub seccomp: bool,
    /// It can encode H.264.
    pub encodes_h264: bool,
    /// It can encode H.265.
    pub encodes_h265: bool,
    /// Version of its libavcodec.
    pub libavcodec: String,
}

impl Facts {
    /// Whether the whole cage is shut.
    pub const fn is_caged(&self) -> bool {
        self.landlock && self.seccomp
    }
}

/// A child takes this long to start at most: two hundred libraries are loaded on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);
/// A request takes this long at most, if nothing else is said.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Messages that answer one request, at most.
const REPLIES_MAX: usize = 256;

/// A running child. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    stream: UnixStream,
    body: Vec<u8>,
    request_max: Duration,
    facts: Facts,
}

impl Child {
    pub(crate) fn start(config: &Config, arguments: &[&str]) -> Result<Self> {
        let (stream, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&config.program);
        command.args(arguments).env_clear().current_dir("/");
        if config.allow_uncaged {
            command.arg("--allow-uncaged");
        }
        if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command.stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)));
        command.stdout(Stdio::from(OwnedFd::from(theirs)));
        // Ctrl-C is for the parent, which then ends the child in order.
        command.process_group(0);
        let process = command.spawn().map_err(|e| missing(config, e))?;
        // `command` holds the other end of the stream: while it lives, the child's end is not
        // the last one and its death would not be noticed.
        drop(command);
        let facts = Facts {
            pid: process.id(),
            landlock: false,
            seccomp: false,
            encodes_h264: false,
            encodes_h265: false,
            libavcodec: String::new(),
        };
        let request_max = config.request_max.max(Duration::from_millis(1));
        let mut child = Self { process, stream, body: Vec::new(), request_max, facts };
        child.welcome()?;
        Ok(child)
    }

    fn welcome(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        let ready = match self.receive(deadline).map_err(lost)? {
            Reply::Ready(ready) => ready,
            Reply::Fault(fault) => return Err(error(fault)),
            _ => return Err(nonsense()),
        };
        let Ready { version, landlock, seccomp, encodes, libavcodec } = ready;
        if version != wire::VERSION {
            let text = "khien-pixels is of another version than khien; install both together";
            return Err(Error::new(Kind::FailedPrecondition, text));
        }
        self.facts.landlock = landlock > 0;
        self.facts.seccomp = seccomp;
        (self.facts.encodes_h264, self.facts.encodes_h265) = encodes;
        self.facts.libavcodec = libavcodec;
        if self.facts.is_caged() {
            tracing::debug!(pid = self.facts.pid, landlock, "khien-pixels is caged");
        } else {
            tracing::error!(
                landlock = self.facts.landlock,
                seccomp,
                "PICTURES ARE DECODED WITHOUT A CAGE: this kernel lacks what khien-pixels needs \
                 to shut itself in, and allow_uncaged is set. A camera that breaks a decoder can \
                 reach everything that khien can"
            );
        }
        Ok(())
    }

    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether it ended by itself, or was ended by others.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Sends a request and hands every result to `take`. An error that [`is_fatal`] says so of
    /// means that the child is of no more use.
    pub(crate) fn ask(
        &mut self,
        request: Request<'_>,
        mut take: impl FnMut(Reply<'_>) -> Result<()>,
    ) -> Result<()> {
        let deadline = Instant::now() + self.request_max;
        self.stream.set_write_timeout(Some(self.request_max)).map_err(lost)?;
        request.write(&mut self.stream).and_then(|()| self.stream.flush()).map_err(|e| {
            if e.kind() == io::ErrorKind::InvalidData {
                let text = "the picture is larger than khien-pixels takes";
                return Error::new(Kind::ResourceExhausted, text);
            }
            lost(e)
        })?;
        let mut result = Ok(());
        for _ in 0..REPLIES_MAX {
            match self.receive(deadline) {
                Ok(Reply::End) => return result,
                Ok(Reply::Fault(fault)) => return Err(error(fault)),
                // After an error of the taker's the rest is still read, so that the next request
                // finds the stream where it should be.
                Ok(reply) => result = result.and_then(|()| take(reply)),
                Err(e) => return Err(lost(e)),
            }
        }
        Err(nonsense())
    }

    fn receive(&mut self, deadline: Instant) -> io::Result<Reply<'_>> {
        let mut head = [0; wire::HEAD_BYTES];
        fill(&mut self.stream, &mut head, deadline)?;
        let (kind, length) = wire::head(head)?;
        self.body.resize(length, 0);
        fill(&mut self.stream, &mut self.body, deadline)?;
        Ok(Reply::parse(kind, &self.body)?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Marks errors after which a child is of no more use.
const FATAL: &str = "pixels-ended";

pub(crate) fn is_fatal(e: &Error) -> bool {
    e.code() == Some(FATAL)
}

/// What is to be said when the child did not answer.
fn lost(cause: io::Error) -> Error {
    let text = match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "khien-pixels took too long over a picture and was ended"
        }
        io::ErrorKind::InvalidData => return nonsense().with_source(cause),
        _ => "khien-pixels ended in the middle of its work",
    };
    Error::new(Kind::Unavailable, text).with_source(cause).with_code(FATAL)
}

fn nonsense() -> Error {
    Error::new(Kind::Internal, "khien-pixels answered something else than it was asked")
        .with_code(FATAL)
}

/// For results that do not belong to the request.
pub(crate) fn unexpected() -> Error {
    nonsense()
}

fn fill(stream: &mut UnixStream, mut rest: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !rest.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(rest) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => rest = &mut rest[n..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn missing(config: &Config, e: io::Error) -> Error {
    let program = config.program.display();
    let (kind, text) = if e.kind() == io::ErrorKind::NotFound {
        let text = format!("{program} is missing; it belongs beside khien (cargo build -p pixels)");
        (Kind::FailedPrecondition, text)
    } else {
        (Kind::Unavailable, format!("{program} does not start"))
    };
    Error::new(kind, text).with_source(e)
}

fn error(fault: Fault) -> Error {
    let kind = match fault.kind {
        FaultKind::Damaged => Kind::DataLoss,
        FaultKind::Unsupported => Kind::Unsupported,
        FaultKind::Uncaged => Kind::FailedPrecondition,
        FaultKind::Misuse => Kind::InvalidArgument,
        FaultKind::Device => Kind::Unavailable,
        FaultKind::Internal => Kind::Internal,
    };
    // The text comes from a process that is not trusted.
    let text: String = fault.text.chars().filter(|c| !c.is_control()).collect();
    Error::new(kind, text)
}
