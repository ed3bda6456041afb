//! Sources that are encoded here: the test pattern and capture devices. The encoder is a child
//! process; when it dies another is started and goes on where it was.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use hub::Publisher;
use media::{Frame, Rate, Ticks, Track, TrackId, Wall};
use pixels::pattern::Stamp;
use pixels::{Config, Device, Encoder, Packet, Settings};
use stdx::{Error, Result};

use crate::Stage;
use crate::pace::{Anchor, Pace, wall};

const VIDEO: TrackId = TrackId(0);
/// Encoders that fail one after the other before the camera gives up.
const FAILURES_MAX: u32 = 5;
/// Between an encoder's death and the next one.
const RETRY: Duration = Duration::from_secs(1);

/// The test pattern, until the camera is to end.
pub(crate) fn pattern(
    stage: &mut Stage,
    pace: &Pace,
    config: &Config,
    tag: u32,
    settings: &Settings,
) -> Result<()> {
    let mut encoder = Encoder::pattern(config, settings)?;
    said(&encoder, settings);
    let mut out = Out::default();
    let mut anchor = Anchor::now();
    let (mut slot, mut number, mut failures) = (0_i64, 0_u32, 0);
    let fps = i64::from(settings.fps.max(1));
    loop {
        if pace.wait(anchor.due(slot * 1_000_000 / fps)) {
            return Ok(());
        }
        anchor.check(slot * 1_000_000 / fps);
        // A little time lost is made up. Pictures that a busy machine has no time for are not
        // taken, and their numbers not used up: what is missing later was lost on the way.
        let present = anchor.elapsed_us() * fps / 1_000_000;
        if (present - slot) * 4 > fps {
            slot = present;
        }
        let us = slot * 1_000_000 / fps;
        let stamp = Stamp { camera: tag, frame: number, wall: anchor.wall(us) };
        let pts = Ticks(slot * i64::from(Rate::VIDEO.get()) / fps);
        match encoder.draw(stamp) {
            Ok(packets) => {
                failures = 0;
                out.given.push_back((number, pts));
                for packet in packets {
                    let Some(stamp) = packet.stamp else { continue };
                    out.picture(stage, packet, stamp.frame, stamp.wall)?;
                }
                number = number.wrapping_add(1);
                slot += 1;
            }
            Err(e) => {
                failures += 1;
                let again = || Encoder::pattern(config, settings);
                match replaced(pace, e, &mut failures, again)? {
                    Some(new) => encoder = new,
                    None => return Ok(()),
                }
                out.given.clear();
            }
        }
    }
}

/// What a device sees, until the camera is to end.
pub(crate) fn device(
    stage: &mut Stage,
    pace: &Pace,
    config: &Config,
    path: &Path,
    settings: &Settings,
) -> Result<()> {
    let device = Device(path.to_owned());
    let open = || Encoder::device(config, settings, &device);
    let mut encoder = open()?;
    said(&encoder, settings);
    let mut out = Out::default();
    let mut anchor = Anchor::now();
    let (mut number, mut failures, mut last) = (0_u32, 0, Ticks(-1));
    loop {
        // The device itself says when a picture is due.
        if pace.wait(Instant::now()) {
            return Ok(());
        }
        match encoder.capture() {
            Ok(packets) => {
                failures = 0;
                let us = anchor.elapsed_us();
                anchor.check(us);
                last = Rate::VIDEO.from_us(us).max(Ticks(last.0 + 1));
                out.given.push_back((number, last));
                for packet in packets {
                    out.picture(stage, packet, number, wall())?;
                }
                number = number.wrapping_add(1);
            }
            Err(e) => {
                failures += 1;
                match replaced(pace, e, &mut failures, open)? {
                    Some(new) => encoder = new,
                    None => return Ok(()),
                }
                out.given.clear();
            }
        }
    }
}

/// Another encoder in place of a dead one; `None` when the camera is to end.
fn replaced(
    pace: &Pace,
    mut cause: Error,
    failures: &mut u32,
    open: impl Fn() -> Result<Encoder>,
) -> Result<Option<Encoder>> {
    loop {
        if *failures >= FAILURES_MAX {
            return Err(cause);
        }
        tracing::error!("the camera's encoder failed and is started again: {}", cause.chain());
        if pace.wait(Instant::now() + RETRY) {
            return Ok(None);
        }
        match open() {
            Ok(encoder) => return Ok(Some(encoder)),
            Err(e) => cause = e,
        }
        *failures += 1;
    }
}

fn said(encoder: &Encoder, settings: &Settings) {
    tracing::info!(
        encoder = encoder.name(),
        size = %format_args!("{}x{}", settings.size.0, settings.size.1),
        fps = settings.fps,
        bit_rate = %settings.bit_rate,
        "encoding"
    );
}

/// The publication, made with the first picture, whose parameters it needs.
#[derive(Default)]
struct Out {
    publisher: Option<Publisher>,
    /// Numbers and times of pictures that the encoder has not returned.
    given: VecDeque<(u32, Ticks)>,
}

impl Out {
    fn picture(
        &mut self,
        stage: &mut Stage,
        packet: Packet,
        number: u32,
        wall: Wall,
    ) -> Result<()> {
        // Pictures come back in the order they were given.
        let mut pts = None;
        while let Some((given, ticks)) = self.given.pop_front() {
            if given == number {
                pts = Some(ticks);
                break;
            }
        }
        let Some(pts) = pts else { return Ok(()) };
        let Packet { random_access, params, data, .. } = packet;
        let publisher = match &self.publisher {
            Some(publisher) => publisher,
            None => {
                let track = Track { id: VIDEO, rate: Rate::VIDEO, params: params.clone() };
                self.publisher.insert(stage.publish(vec![track])?)
            }
        };
        publisher.push(Frame {
            track: VIDEO,
            pts,
            dts: pts,
            wall,
            random_access,
            damaged: false,
            discontinuity: false,
            params,
            data,
        });
        stage.ready();
        Ok(())
    }
}
