//! `khien-pixels`: the child process that holds FFmpeg's decoders and encoders. Started by khien,
//! of no use by itself. It shuts itself in (see [`cage`]) before it reads its first request, and
//! speaks the protocol of `pixels::wire` on standard input and output.
//!
//! ```text
//! khien-pixels [--allow-uncaged] [--device PATH --size WxH --fps N]
//! ```
//!
//! A device is the one thing that it opens, before the cage shuts.

// A door reads the clock.
#![allow(clippy::disallowed_methods)]

mod cage;
mod decode;
mod device;
mod encode;
mod fault;
mod jpeg;
mod serve;
mod trial;
mod watchdog;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use pixels::wire::{FaultKind, Ready, Reply, VERSION};

use cage::Cage;
use device::Device;
use fault::{Faulty, fault};

fn main() -> ExitCode {
    let streams = (std::io::stdin().as_fd().try_clone_to_owned())
        .and_then(|input| Ok((input, std::io::stdout().as_fd().try_clone_to_owned()?)));
    let Ok((input, output)) = streams else { return ExitCode::FAILURE };
    let (mut input, mut output) = (File::from(input), BufWriter::new(File::from(output)));
    // The cage does not let it be asked for later.
    let parent = std::os::unix::process::parent_id();
    let done = match prepare() {
        Ok((ready, device)) => Reply::Ready(ready)
            .write(&mut output)
            .and_then(|()| output.flush())
            .and_then(|()| serve::run(&mut input, &mut output, parent, device)),
        Err(e) => Reply::Fault(e).write(&mut output).and_then(|()| output.flush()),
    };
    // A parent that is gone is not worth a word.
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Arguments {
    allow_uncaged: bool,
    device: Option<String>,
    size: Option<String>,
    fps: Option<String>,
}

fn arguments() -> Faulty<Arguments> {
    let mut found = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--allow-uncaged" => found.allow_uncaged = true,
            "--device" => found.device = words.next(),
            "--size" => found.size = words.next(),
            "--fps" => found.fps = words.next(),
            _ => return Err(fault(FaultKind::Misuse, "khien-pixels is started by khien")),
        }
    }
    Ok(found)
}

/// Everything that needs the world outside, then the cage.
fn prepare() -> Faulty<(Ready, Option<Device>)> {
    let arguments = arguments()?;
    ffmpeg_next::init().map_err(|e| fault(FaultKind::Internal, format!("FFmpeg: {e}")))?;
    // What FFmpeg has to say about a picture is of the picture's choosing.
    ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
    let encodes = encode::available();
    let device = match &arguments.device {
        Some(path) => Some(Device::open(
            path,
            arguments.size.as_deref().unwrap_or("1280x720"),
            arguments.fps.as_deref().unwrap_or("30"),
        )?),
        None => None,
    };
    let Cage { landlock, seccomp } = cage::shut(device.is_some(), arguments.allow_uncaged)?;
    let v = ffmpeg_next::codec::version();
    let libavcodec = format!("{}.{}.{}", v >> 16, v >> 8 & 0xff, v & 0xff);
    Ok((Ready { version: VERSION, landlock, seccomp, encodes, libavcodec }, device))
}
