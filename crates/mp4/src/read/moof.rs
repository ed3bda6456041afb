//! `moof`: the frames of a fragment.

use std::ops::Range;

use super::Init;
use super::cursor::{Boxes, Cursor, need};
use crate::fragment::{Run, SAMPLES_MAX, fragment_header};
use crate::{Error, Sample};

/// Frames of one track in a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRun {
    /// The track's number in the file.
    pub track: u32,
    /// Decode time of the first frame, ticks.
    pub decode_time: u64,
    /// Offset of the first frame's bytes from the start of `moof`.
    pub data_offset: u64,
    /// The frames; their bytes follow one another.
    pub samples: Vec<Sample>,
}

impl ReadRun {
    /// Bytes of all frames.
    pub fn bytes(&self) -> u64 {
        self.samples.iter().map(|s| u64::from(s.size)).sum()
    }
}

/// A fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Its number.
    pub sequence: u32,
    /// Its runs, in file order.
    pub runs: Vec<ReadRun>,
}

/// Part of a fragment: what [`Fragment::only`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `moof` and the header of `mdat`.
    pub header: Vec<u8>,
    /// The bytes of the old fragment, counted from its `moof`, that belong behind the header, in
    /// this order.
    pub payload: Vec<Range<u64>>,
}

impl Fragment {
    /// The same fragment with only some of its tracks: for players that refuse a track rather
    /// than pass over it.
    ///
    /// # Errors
    /// As [`fragment_header`].
    pub fn only(&self, tracks: &[u32]) -> Result<Part, Error> {
        let kept = || self.runs.iter().filter(|r| tracks.contains(&r.track));
        let runs: Vec<Run<'_>> = kept()
            .map(|r| Run { track: r.track, decode_time: r.decode_time, samples: &r.samples })
            .collect();
        let header = fragment_header(self.sequence, &runs)?;
        let range = |r: &ReadRun| r.data_offset..r.data_offset.saturating_add(r.bytes());
        Ok(Part { header, payload: kept().map(range).collect() })
    }
}

/// What holds for frames of which `trun` says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Defaults {
    pub(crate) duration: Option<u32>,
    pub(crate) size: Option<u32>,
    pub(crate) flags: Option<u32>,
}

/// Reads a whole `moof` box, header included, of a file that is enough by itself: offsets count
/// from `moof`, and nothing relies on `trex`. khien's own are like that.
///
/// # Errors
/// When it is not one, ends early, or has more than [`SAMPLES_MAX`] frames.
pub fn moof(data: &[u8]) -> Result<Fragment, Error> {
    read(data, 0, None)
}

/// As [`moof`], for anybody's file: `position` is where the box begins in the file, `init` what
/// its `moov` said. Runs of tracks that `init` does not have are left out.
///
/// # Errors
/// As [`moof`].
pub fn moof_of(data: &[u8], position: u64, init: &Init) -> Result<Fragment, Error> {
    let mut fragment = read(data, position, Some(init))?;
    fragment.runs.retain(|run| init.tracks.iter().any(|t| t.id == run.track));
    Ok(fragment)
}

fn read(data: &[u8], position: u64, init: Option<&Init>) -> Result<Fragment, Error> {
    let body = need(data, b"moof", "fragment without moof")?;
    let mut c = Cursor::new(need(body, b"mfhd", "moof without mfhd")?);
    c.full()?;
    let sequence = c.u32()?;
    let mut reader = Reader { position, init, runs: Vec::new(), samples: 0, end: position };
    for found in Boxes::new(body) {
        let (kind, content) = found?;
        if &kind == b"traf" {
            reader.traf(content)?;
        }
    }
    Ok(Fragment { sequence, runs: reader.runs })
}

struct Reader<'a> {
    /// Of `moof` in the file.
    position: u64,
    init: Option<&'a Init>,
    runs: Vec<ReadRun>,
    /// Frames read so far.
    samples: usize,
    /// Where the data of the run before ends: absolute, as are all offsets until the last step.
    end: u64,
}

/// What holds for the runs of one track.
struct Track {
    id: u32,
    base: u64,
    defaults: Defaults,
    time: u64,
    /// No run of this track has been read.
    fresh: bool,
}

impl Reader<'_> {
    fn traf(&mut self, traf: &[u8]) -> Result<(), Error> {
        let mut track = self.tfhd(need(traf, b"tfhd", "traf without tfhd")?)?;
        for found in Boxes::new(traf) {
            let (kind, content) = found?;
            match &kind {
                b"tfdt" => {
                    let mut c = Cursor::new(content);
                    track.time = if c.full()?.0 == 1 { c.u64()? } else { u64::from(c.u32()?) };
                }
                b"trun" => {
                    let run = self.trun(content, &track)?;
                    let ticks: u64 = run.samples.iter().map(|s| u64::from(s.duration)).sum();
                    track.time = track.time.saturating_add(ticks);
                    track.fresh = false;
                    self.runs.push(run);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Clause 8.8.7.
    fn tfhd(&self, content: &[u8]) -> Result<Track, Error> {
        let mut c = Cursor::new(content);
        let (_, flags) = c.full()?;
        let id = c.u32()?;
        let base = if flags & 0x1 != 0 {
            c.u64()?
        } else if flags & 0x2_0000 != 0 || self.runs.is_empty() {
            self.position
        } else {
            self.end
        };
        let known = self.init.and_then(|i| i.tracks.iter().find(|t| t.id == id));
        let mut defaults = known.map(|t| t.defaults).unwrap_or_default();
        if flags & 0x2 != 0 {
            c.skip(4)?;
        }
        if flags & 0x8 != 0 {
            defaults.duration = Some(c.u32()?);
        }
        if flags & 0x10 != 0 {
            defaults.size = Some(c.u32()?);
        }
        if flags & 0x20 != 0 {
            defaults.flags = Some(c.u32()?);
        }
        Ok(Track { id, base, defaults, time: 0, fresh: true })
    }

    /// Clause 8.8.8.
    fn trun(&mut self, content: &[u8], track: &Track) -> Result<ReadRun, Error> {
        let mut c = Cursor::new(content);
        let (version, flags) = c.full()?;
        let count = usize::try_from(c.u32()?).map_err(|_| Error::Limit("frames in a fragment"))?;
        self.samples = self.samples.saturating_add(count);
        if self.samples > SAMPLES_MAX {
            return Err(Error::Limit("frames in a fragment"));
        }
        let start = if flags & 0x1 != 0 {
            track.base.checked_add_signed(i64::from(c.i32()?))
        } else {
            Some(if track.fresh { track.base } else { self.end })
        };
        let data_offset = start.and_then(|s| s.checked_sub(self.position));
        let data_offset = data_offset.ok_or(Error::Malformed("data offset"))?;
        let samples = samples(&mut c, version, flags, count, track.defaults)?;
        let run = ReadRun { track: track.id, decode_time: track.time, data_offset, samples };
        let end = start.and_then(|s| s.checked_add(run.bytes()));
        self.end = end.ok_or(Error::Malformed("data offset"))?;
        Ok(run)
    }
}

fn samples(
    c: &mut Cursor<'_>,
    version: u8,
    flags: u32,
    count: usize,
    defaults: Defaults,
) -> Result<Vec<Sample>, Error> {
    let first_flags = if flags & 0x4 != 0 { Some(c.u32()?) } else { None };
    let field = 4 * [0x100, 0x200, 0x400, 0x800].iter().filter(|f| flags & **f != 0).count();
    c.room(count, field)?;
    let mut samples = Vec::with_capacity(count);
    for n in 0..count {
        let mut word = |flag, default: Option<u32>| {
            if flags & flag != 0 {
                return c.u32();
            }
            default.ok_or(Error::Unsupported("trun that relies on trex"))
        };
        let duration = word(0x100, defaults.duration)?;
        let size = word(0x200, defaults.size)?;
        let own = word(0x400, defaults.flags.or(Some(0)))?;
        let flags_of = first_flags.filter(|_| n == 0).unwrap_or(own);
        let composition_offset = match (flags & 0x800, version) {
            (0, _) => 0,
            (_, 0) => i32::try_from(c.u32()?).map_err(|_| Error::Malformed("offset"))?,
            _ => c.i32()?,
        };
        samples.push(Sample { size, duration, composition_offset, sync: flags_of & 0x1_0000 == 0 });
    }
    Ok(samples)
}
