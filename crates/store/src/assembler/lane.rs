//! One track inside an assembler: the held frame, the durations seen, the samples collected.

use std::sync::Arc;

use media::codec::Params;
use media::{Frame, Rate, Ticks, Track, TrackId, TrackKind, Wall};

use crate::fragment::Samples;

/// How many durations the usual one is the median of.
const RECENT: usize = 9;
/// How many must be known before the median is believed.
const RECENT_MIN: usize = 3;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: TrackId,
    pub(super) rate: Rate,
    /// The newest parameters seen.
    pub(super) params: Arc<Params>,
    /// Its `track_ID` in the present run.
    pub(super) number: Option<u32>,
    /// A pair of equal instants: the track's ticks and media time of the run.
    pub(super) base: Option<(Ticks, u64)>,
    /// The newest frame, whose duration is not known yet.
    pub(super) held: Option<Frame>,
    /// A frame was dropped since the last one.
    pub(super) lost: bool,
    /// Media time at which the last committed sample ended.
    next_decode: u64,
    recent: [i64; RECENT],
    seen: usize,
    collected: Option<Samples>,
}

impl Lane {
    pub(super) fn new(track: &Track) -> Self {
        Self {
            id: track.id,
            rate: track.rate,
            params: Arc::clone(&track.params),
            number: None,
            base: None,
            held: None,
            lost: false,
            next_decode: 0,
            recent: [0; RECENT],
            seen: 0,
            collected: None,
        }
    }

    pub(super) fn kind(&self) -> TrackKind {
        self.params.kind()
    }

    pub(super) fn end_run(&mut self) {
        self.number = None;
        self.base = None;
        self.held = None;
        self.next_decode = 0;
        self.collected = None;
    }

    pub(super) fn samples(&self) -> usize {
        self.collected.as_ref().map_or(0, |c| c.samples.len())
    }

    /// Media time of `dts` in this run.
    pub(super) fn decode_time(&self, dts: Ticks) -> u64 {
        let (ticks, decode) = self.base.unwrap_or((dts, 0));
        decode.saturating_add_signed(dts.since(ticks).0)
    }

    /// The usual duration of a frame, and whether enough frames were seen to know it.
    pub(super) fn usual(&self) -> (Ticks, bool) {
        let n = self.seen.min(RECENT);
        if n < RECENT_MIN {
            return (self.nominal(None), false);
        }
        let mut sorted = self.recent;
        sorted[..n].sort_unstable();
        (Ticks(sorted[n / 2]), true)
    }

    /// The duration that the codec itself suggests.
    fn nominal(&self, bytes: Option<usize>) -> Ticks {
        let per_second = i64::from(self.rate.get());
        let ticks = match (&*self.params, bytes) {
            (Params::Aac(_), _) => 1024,
            (Params::G711(p), Some(n)) => {
                i64::try_from(n).unwrap_or(i64::MAX) / i64::from(p.channels.max(1))
            }
            (params, _) => match params.frame_rate() {
                // The cast saturates; absurd rates were refused above.
                #[allow(clippy::cast_possible_truncation)]
                Some(fps) if (0.1..=1000.0).contains(&fps) => {
                    (f64::from(self.rate.get()) / fps) as i64
                }
                _ => per_second / 25,
            },
        };
        Ticks(ticks.max(1))
    }

    /// Media time at which a frame of `dts` is stored: an earlier sample whose duration had to be
    /// guessed may reach past it.
    pub(super) fn begins(&self, dts: Ticks) -> u64 {
        self.decode_time(dts).max(self.next_decode)
    }

    /// Moves the held frame to the samples; it lasts until its successor, at `next`.
    pub(super) fn commit_until(&mut self, next: Ticks) {
        let Some(held) = &self.held else { return };
        let (dts, begins) = (held.dts, self.begins(held.dts));
        self.recent[self.seen % RECENT] = next.since(dts).0;
        self.seen += 1;
        let step = self.decode_time(next).saturating_sub(begins);
        self.commit(Ticks(i64::try_from(step).unwrap_or(i64::MAX)));
    }

    /// Moves the held frame to the samples with this duration.
    pub(super) fn commit(&mut self, duration: Ticks) {
        let (Some(frame), Some(number)) = (self.held.take(), self.number) else { return };
        let decode_time = self.begins(frame.dts);
        let duration = u32::try_from(duration.0.max(1)).unwrap_or(u32::MAX);
        self.next_decode = decode_time + u64::from(duration);
        let offset = frame.pts.since(frame.dts).0;
        let samples = self.collected.get_or_insert_with(|| Samples {
            track: number,
            decode_time,
            samples: Vec::with_capacity(64),
            data: Vec::with_capacity(64),
        });
        samples.samples.push(mp4::Sample {
            size: u32::try_from(frame.data.len()).unwrap_or(u32::MAX),
            duration,
            composition_offset: i32::try_from(offset).unwrap_or(0),
            sync: frame.random_access,
        });
        samples.data.push(frame.data);
    }

    /// Commits the held frame with the duration its codec suggests.
    pub(super) fn commit_nominal(&mut self) {
        let Some(frame) = &self.held else { return };
        let duration = match (self.kind(), self.usual()) {
            (TrackKind::Metadata, _) => Ticks(1),
            (_, (usual, true)) => usual,
            _ => self.nominal(Some(frame.data.len())),
        };
        self.commit(duration);
    }

    /// Takes a frame of a track that is not the primary one. False if it lies before the run.
    pub(super) fn push(&mut self, frame: Frame, anchor: Wall) -> bool {
        let continues = self.base.is_some()
            && !frame.discontinuity
            && self.held.as_ref().is_none_or(|h| frame.dts > h.dts);
        if continues {
            self.commit_until(frame.dts);
        } else {
            let offset_us = frame.wall.us_since(anchor);
            let Ok(offset) = u64::try_from(self.rate.from_us(offset_us).0) else { return false };
            // Sound that starts over is put where its wall estimate says, never before what is
            // there already; the sample before it lasts until then, as silence.
            if let Some(held) = &self.held {
                let step = offset.saturating_sub(self.begins(held.dts));
                self.commit(Ticks(i64::try_from(step).unwrap_or(i64::MAX)));
            }
            self.base = Some((frame.dts, offset.max(self.next_decode)));
        }
        self.held = Some(frame);
        true
    }

    /// The samples collected so far.
    pub(super) fn take(&mut self) -> Option<Samples> {
        self.collected.take()
    }
}
