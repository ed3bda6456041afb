//! What is in a file: where its frames are and when, on one time line that begins at zero.

mod annexb;
mod movie;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::codec::nal;
use media::{Params, Rate, Ticks, TrackKind};
use stdx::{Error, Kind, Result};

/// Most frames of a file: a day and a half of pictures and sound.
pub(crate) const FRAMES_MAX: usize = 8 << 20;
/// Largest frame.
pub(crate) const FRAME_BYTES_MAX: u32 = 16 << 20;

/// A file that can be played.
#[derive(Debug)]
pub(crate) struct Clip {
    /// Pictures first.
    pub(crate) tracks: Vec<ClipTrack>,
    /// In the order they are sent; at least one.
    pub(crate) entries: Vec<Entry>,
    /// Ticks of the first track from the start of one round to the start of the next.
    length: Ticks,
    /// How much later pictures are shown than sent, at most.
    pub(crate) delay_us: i64,
    data: Data,
}

/// One track.
#[derive(Debug)]
pub(crate) struct ClipTrack {
    /// The rate that RTP gives the codec.
    pub(crate) rate: Rate,
    /// At least one.
    pub(crate) params: Vec<Arc<Params>>,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Index of its track.
    pub(crate) track: u8,
    /// Index into its track's parameters.
    pub(crate) params: u16,
    /// First frame of its track.
    pub(crate) starts: bool,
    pub(crate) offset: u64,
    pub(crate) size: u32,
    pub(crate) dts: Ticks,
    pub(crate) pts: Ticks,
}

#[derive(Debug)]
enum Data {
    File(File),
    /// Annex B, whole.
    Memory(Bytes),
}

impl Clip {
    /// Looks into the file.
    ///
    /// # Errors
    /// When it cannot be read or is nothing that khien plays; the sentence says which and names
    /// the file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::look(path).map_err(|e| e.map_message(|m| format!("{}: {m}", path.display())))
    }

    fn look(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(unplayable("is not a file"));
        }
        let mut head = [0; 12];
        let have = read_up_to(&file, &mut head, 0)?;
        match &head[..have] {
            [_, _, _, _, kind @ ..] if kind.len() >= 4 && movie::begins(kind) => movie::open(file),
            [0, 0, 1, ..] | [0, 0, 0, 1, ..] => annexb::open(&file),
            _ => Err(unplayable("is neither MP4 nor an Annex B stream of H.264 or H.265")),
        }
    }

    /// Puts the parts together: sorts, and moves the time line to begin at zero.
    fn new(
        tracks: Vec<ClipTrack>,
        mut entries: Vec<Entry>,
        ends: &[i64],
        data: Data,
    ) -> Result<Self> {
        let rate = |e: &Entry| tracks.get(usize::from(e.track)).map_or(Rate::VIDEO, |t| t.rate);
        if tracks.first().is_none_or(|t| t.params[0].kind() != TrackKind::Video) {
            return Err(unplayable("has no pictures that khien can send"));
        }
        // One shift for all, so that sound stays with its pictures.
        let first_us = entries.iter().map(|e| rate(e).to_us(e.dts)).min();
        let first_us = first_us.ok_or_else(|| unplayable("has no frames"))?;
        let mut delay_us = 0;
        for entry in &mut entries {
            let shift = rate(entry).from_us(first_us);
            (entry.dts, entry.pts) = (entry.dts.since(shift), entry.pts.since(shift));
            delay_us = delay_us.max(rate(entry).to_us(entry.pts.since(entry.dts)));
        }
        entries.sort_by_key(|e| (rate(e).to_us(e.dts), e.track));
        // As long as the longest track, in the first one's ticks, so that it is exact there.
        let lead = tracks[0].rate;
        let end = |(track, end): (&ClipTrack, &i64)| {
            let ticks = end.saturating_sub(track.rate.from_us(first_us).0);
            let scaled = i128::from(ticks) * i128::from(lead.get());
            let up = (scaled + i128::from(track.rate.get()) - 1) / i128::from(track.rate.get());
            i64::try_from(up).unwrap_or(i64::MAX)
        };
        let length = tracks.iter().zip(ends).map(end).max().unwrap_or(0).max(1);
        Ok(Self { tracks, entries, length: Ticks(length), delay_us, data })
    }

    /// Ticks at `rate` from the start to the start of round `round`.
    pub(crate) fn rounds(&self, rate: Rate, round: i64) -> Ticks {
        let lead = i128::from(self.tracks[0].rate.get());
        let scaled = i128::from(self.length.0) * i128::from(round) * i128::from(rate.get());
        Ticks(i64::try_from(scaled.div_euclid(lead)).unwrap_or(i64::MAX))
    }

    /// A frame's bytes, as [`media::Frame`] carries them.
    pub(crate) fn read(&self, entry: &Entry) -> io::Result<Bytes> {
        match &self.data {
            Data::File(file) => {
                let mut data = vec![0; entry.size as usize];
                file.read_exact_at(&mut data, entry.offset)?;
                Ok(data.into())
            }
            Data::Memory(bytes) => {
                let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(entry.size as usize);
                let unit = bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
                let mut data = BytesMut::with_capacity(unit.len() + 16);
                for unit in nal::annexb(unit) {
                    nal::push_prefixed(&mut data, unit);
                }
                Ok(data.freeze())
            }
        }
    }
}

#[cfg(test)]
pub(crate) use annexb::clip as annexb_clip;

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut have = 0;
    while have < buffer.len() {
        match file.read_at(&mut buffer[have..], offset + have as u64) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(have)
}

fn unplayable(text: &str) -> Error {
    Error::new(Kind::InvalidArgument, text)
}

/// Times in another rate, rounded to the nearest.
fn rescale(ticks: i64, from: Rate, to: Rate) -> i64 {
    let scaled = i128::from(ticks) * i128::from(to.get()) * 2 + i128::from(from.get());
    i64::try_from(scaled.div_euclid(2 * i128::from(from.get()))).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rescaled_to_the_nearest() {
        let rate = |n| Rate::new(n).unwrap();
        assert_eq!(rescale(512, rate(15_360), Rate::VIDEO), 3_000);
        assert_eq!(rescale(1_001, rate(30_000), Rate::VIDEO), 3_003);
        assert_eq!(rescale(-1, rate(1_000), Rate::VIDEO), -90);
        assert_eq!(rescale(1, rate(3), rate(2)), 1);
        assert_eq!(rescale(i64::MAX, rate(1), rate(u32::MAX)), i64::MAX);
    }
}
