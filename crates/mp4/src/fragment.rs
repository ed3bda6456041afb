//! `moof` and the header of its `mdat`, clause 8.8.

use crate::Error;
use crate::write::Writer;

/// One frame of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Bytes.
    pub size: u32,
    /// Ticks until the next frame.
    pub duration: u32,
    /// Presentation time minus decode time, ticks.
    pub composition_offset: i32,
    /// Can be decoded alone.
    pub sync: bool,
}

/// Frames of one track that follow one another.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The track's number in the file.
    pub track: u32,
    /// Decode time of the first frame, ticks.
    pub decode_time: u64,
    /// The frames.
    pub samples: &'a [Sample],
}

/// Most frames of one fragment, over all runs.
pub const SAMPLES_MAX: usize = 65_536;
/// Most runs of one fragment.
const RUNS_MAX: usize = 32;

/// `sample_depends_on` 2 (a sync sample), clause 8.6.4.
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` 1 and `sample_is_non_sync_sample`.
const NOT_SYNC: u32 = 0x0101_0000;

const DATA_OFFSET: u32 = 0x1;
const FIRST_FLAGS: u32 = 0x4;
const DURATIONS: u32 = 0x100;
const SIZES: u32 = 0x200;
const FLAGS: u32 = 0x400;
const OFFSETS: u32 = 0x800;

/// `moof` and the eight bytes of the `mdat` header for these runs. The caller writes the frames
/// right behind, run after run.
///
/// # Errors
/// `Limit` when there are too many frames or runs, or they are too large: `mdat` must stay under
/// 4 GiB, and every run but the first must begin within 2 GiB of `moof`.
pub fn fragment_header(sequence: u32, runs: &[Run<'_>]) -> Result<Vec<u8>, Error> {
    let samples: usize = runs.iter().map(|r| r.samples.len()).sum();
    if samples > SAMPLES_MAX {
        return Err(Error::Limit("frames in a fragment"));
    }
    // As much as is ever written: `moof`, `mfhd` and the header of `mdat`; 72 bytes of each
    // run's own boxes; 16 of each frame.
    let mut w = Writer::with_capacity(32 + runs.len() * 72 + samples * 16);
    let mut places = [0_usize; RUNS_MAX];
    if runs.len() > places.len() {
        return Err(Error::Limit("runs in a fragment"));
    }
    w.boxed(b"moof", |w| {
        w.full(b"mfhd", 0, 0, |w| w.u32(sequence));
        for (run, place) in runs.iter().zip(&mut places) {
            w.boxed(b"traf", |w| {
                // default-base-is-moof
                w.full(b"tfhd", 0, 0x2_0000, |w| w.u32(run.track));
                w.full(b"tfdt", 1, 0, |w| w.u64(run.decode_time));
                *place = trun(w, run.samples);
            });
        }
    });
    let first = u64::try_from(w.len() + 8).map_err(|_| Error::Limit("moof"))?;
    let mut payload = 0_u64;
    for (run, place) in runs.iter().zip(places) {
        // The field is signed.
        let offset = i32::try_from(first + payload).map_err(|_| Error::Limit("data offset"))?;
        w.patch(place, offset.unsigned_abs());
        payload += run.samples.iter().map(|s| u64::from(s.size)).sum::<u64>();
    }
    w.u32(u32::try_from(payload + 8).map_err(|_| Error::Limit("mdat"))?);
    w.bytes(b"mdat");
    w.into_vec()
}

/// Writes a `trun` and returns where its data offset stands.
fn trun(w: &mut Writer, samples: &[Sample]) -> usize {
    let offsets = samples.iter().any(|s| s.composition_offset != 0);
    // A fragment of one frame, as live viewers get, says it once.
    let mut flags = DATA_OFFSET | DURATIONS | SIZES;
    flags |= if samples.len() == 1 { FIRST_FLAGS } else { FLAGS };
    if offsets {
        flags |= OFFSETS;
    }
    let mut place = 0;
    w.full(b"trun", 1, flags, |w| {
        w.u32(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        place = w.len();
        w.u32(0);
        if flags & FIRST_FLAGS != 0 {
            w.u32(samples.first().map_or(0, |s| word(*s)));
        }
        for sample in samples {
            w.u32(sample.duration);
            w.u32(sample.size);
            if flags & FLAGS != 0 {
                w.u32(word(*sample));
            }
            if offsets {
                w.bytes(&sample.composition_offset.to_be_bytes());
            }
        }
    });
    place
}

const fn word(sample: Sample) -> u32 {
    if sample.sync { SYNC } else { NOT_SYNC }
}
