//! Answers requests until the parent has no more.

use std::io::{self, Read, Write};

use pixels::wire::{self, Fault, FaultKind, Lens, Reply, Request};

use crate::decode;
use crate::device::Device;
use crate::encode;
use crate::fault::{Faulty, fault};
use crate::watchdog::Watchdog;
use crate::{jpeg, trial};

/// What is open.
struct Work {
    parent: u32,
    device: Option<Device>,
    decoder: Option<decode::Session>,
    encoder: Option<encode::Session>,
}

/// Ends with the stream, or with its first error: whoever sends nonsense once is not listened to
/// again.
pub(crate) fn run(
    input: &mut impl Read,
    output: &mut impl Write,
    parent: u32,
    device: Option<Device>,
) -> io::Result<()> {
    let watchdog = Watchdog::start();
    let mut work = Work { parent, device, decoder: None, encoder: None };
    let mut body = Vec::new();
    while let Some(kind) = wire::read(input, &mut body)? {
        let request = Request::parse(kind, &body)?;
        watchdog.begin();
        let done = work.answer(request, output);
        watchdog.end();
        match done {
            Ok(()) => Reply::End.write(output)?,
            Err(Failed::Request(fault)) => Reply::Fault(fault).write(output)?,
            Err(Failed::Stream(e)) => return Err(e),
        }
        output.flush()?;
    }
    Ok(())
}

enum Failed {
    Request(Fault),
    Stream(io::Error),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Request(fault)
    }
}

impl From<io::Error> for Failed {
    fn from(e: io::Error) -> Self {
        Self::Stream(e)
    }
}

impl Work {
    fn answer(&mut self, request: Request<'_>, out: &mut impl Write) -> Result<(), Failed> {
        match request {
            Request::Jpeg { codec, width_max, picture } => {
                let jpeg = jpeg::make(codec, width_max, picture)?;
                Reply::Jpeg(&jpeg).write(out)?;
            }
            Request::OpenDecoder { codec, width_max } => {
                self.decoder = Some(decode::Session::open(codec, width_max)?);
            }
            Request::Decode { pts, picture } => self.decoder()?.feed(picture, pts)?,
            Request::Drain => self.decoder()?.drain()?,
            Request::OpenEncoder(settings) => {
                if settings.lens == Lens::Device && self.device.is_none() {
                    return Err(misuse("no device was opened").into());
                }
                let session = encode::Session::open(&settings)?;
                Reply::Opened(session.name()).write(out)?;
                self.encoder = Some(session);
            }
            Request::Draw { camera, frame, wall_us } => {
                self.encoder()?.draw(camera, frame, wall_us)?;
            }
            Request::Capture => {
                let device = self.device.as_mut().ok_or_else(|| misuse("no device"))?;
                let frame = device.next()?;
                self.encoder()?.encode(&frame)?;
            }
            Request::Trial => Reply::Report(trial::run(self.parent)).write(out)?,
        }
        match request {
            Request::Decode { .. } | Request::Drain => {
                while let Some(picture) = self.decoder()?.next()? {
                    let decode::Picture { pts, width, height, luma } = picture;
                    Reply::Luma { pts, width, height, luma: &luma }.write(out)?;
                }
            }
            Request::Draw { .. } | Request::Capture => {
                while let Some((number, packet)) = self.encoder()?.next()? {
                    let data = packet.data().unwrap_or_default();
                    Reply::Packet { number, data }.write(out)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn decoder(&mut self) -> Faulty<&mut decode::Session> {
        self.decoder.as_mut().ok_or_else(|| misuse("no decoder is open"))
    }

    fn encoder(&mut self) -> Faulty<&mut encode::Session> {
        self.encoder.as_mut().ok_or_else(|| misuse("no encoder is open"))
    }
}

fn misuse(text: &str) -> Fault {
    fault(FaultKind::Misuse, text)
}
