//! A file as a camera: its frames in real time, again and again, on one time line that never
//! breaks.

use std::path::Path;
use std::sync::Arc;

use media::codec::{Codec, h264, h265};
use media::{Frame, Ticks, Track, TrackId, TrackKind};
use stdx::{Error, Kind, Result};

use crate::Stage;
use crate::clip::{Clip, Entry};
use crate::pace::{Anchor, Pace};

/// Plays the file until the camera is to end.
pub(crate) fn play(stage: &mut Stage, pace: &Pace, path: &Path) -> Result<()> {
    let clip = Clip::open(path)?;
    let tracks = clip.tracks.iter().enumerate();
    let tracks: Vec<Track> = tracks
        .map(|(i, t)| Track { id: id(i), rate: t.rate, params: Arc::clone(&t.params[0]) })
        .collect();
    tracing::info!(
        file = %path.display(),
        frames = clip.entries.len(),
        tracks = %tracks.iter().map(|t| t.params.codec().name()).collect::<Vec<_>>().join(", "),
        "looping"
    );
    let publisher = stage.publish(tracks)?;
    let mut reel = Reel::new(&clip);
    let mut anchor = Anchor::now();
    loop {
        let (entry, round) = reel.next();
        let due = reel.due_us(entry, round);
        if pace.wait(anchor.due(due)) {
            return Ok(());
        }
        anchor.check(due);
        let data = clip.read(entry).map_err(|e| gone(path, e))?;
        if let Some(frame) = reel.frame(entry, round, data, &anchor) {
            publisher.push(frame);
            stage.ready();
        }
    }
}

fn id(track: usize) -> TrackId {
    TrackId(u8::try_from(track).unwrap_or(u8::MAX))
}

fn gone(path: &Path, e: std::io::Error) -> Error {
    let text = format!("{} cannot be read any more; was it changed?", path.display());
    Error::new(Kind::DataLoss, text).with_source(e)
}

/// Where in the loop it is, and what it has said.
pub(crate) struct Reel<'a> {
    clip: &'a Clip,
    at: usize,
    round: i64,
    /// Last decode time of each track.
    last: Vec<Option<Ticks>>,
    /// A key frame of pictures was there since the loop began.
    keyed: bool,
    /// Pictures may follow that refer to what was before the loop's first one.
    leading: bool,
}

impl<'a> Reel<'a> {
    pub(crate) fn new(clip: &'a Clip) -> Self {
        let last = vec![None; clip.tracks.len()];
        Self { clip, at: 0, round: 0, last, keyed: false, leading: false }
    }

    /// The next frame, and the round it is of.
    pub(crate) fn next(&mut self) -> (&'a Entry, i64) {
        // A clip has at least one frame.
        let entry = &self.clip.entries[self.at];
        let round = self.round;
        self.at += 1;
        if self.at == self.clip.entries.len() {
            self.at = 0;
            self.round += 1;
        }
        (entry, round)
    }

    /// When it is due, from the start.
    pub(crate) fn due_us(&self, entry: &Entry, round: i64) -> i64 {
        let track = &self.clip.tracks[usize::from(entry.track)];
        track.rate.to_us(entry.dts.plus(self.clip.rounds(track.rate, round)))
    }

    /// The frame to publish; `None` for one that nobody could decode.
    pub(crate) fn frame(
        &mut self,
        entry: &Entry,
        round: i64,
        data: bytes::Bytes,
        anchor: &Anchor,
    ) -> Option<Frame> {
        let index = usize::from(entry.track);
        let track = &self.clip.tracks[index];
        let params = Arc::clone(track.params.get(usize::from(entry.params))?);
        let random_access = match params.kind() {
            TrackKind::Video => self.picture(params.codec(), &data, entry.starts)?,
            _ => true,
        };
        let shift = self.clip.rounds(track.rate, round);
        let mut dts = entry.dts.plus(shift);
        // Where a file's own times stand still or run back, the loop's do not.
        if let Some(last) = self.last[index] {
            dts = dts.max(Ticks(last.0.saturating_add(1)));
        }
        self.last[index] = Some(dts);
        let pts = entry.pts.plus(shift).max(dts);
        // A picture is taken before it is sent, however late it is shown.
        let wall = anchor.wall(track.rate.to_us(pts)).plus_us(-self.clip.delay_us);
        let id = id(index);
        let (damaged, discontinuity) = (false, false);
        Some(Frame {
            track: id,
            pts,
            dts,
            wall,
            random_access,
            damaged,
            discontinuity,
            params,
            data,
        })
    }

    /// Whether decoding can begin at this picture; `None` when it cannot be decoded here at all.
    fn picture(&mut self, codec: Codec, data: &[u8], starts: bool) -> Option<bool> {
        if starts {
            (self.keyed, self.leading) = (false, false);
        }
        let kind = if codec == Codec::H265 { h265::picture_type(data) } else { None };
        let random_access = match codec {
            Codec::H264 => h264::is_idr(data),
            Codec::H265 => kind.is_some_and(h265::is_irap),
            _ => true,
        };
        if random_access {
            self.leading = !self.keyed;
            self.keyed = true;
        } else if !self.keyed || self.leading && kind.is_some_and(h265::is_rasl) {
            return None;
        }
        Some(random_access)
    }
}

#[cfg(test)]
mod tests;
