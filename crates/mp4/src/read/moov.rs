//! `moov`: the tracks of a file.

use std::sync::Arc;

use media::{Params, Rate};

use super::cursor::{Boxes, Cursor, find, need};
use super::moof::Defaults;
use super::tables::SampleTables;
use crate::{Error, entry};

/// A track of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadTrack {
    /// Its number in the file.
    pub id: u32,
    /// Ticks per second.
    pub rate: Rate,
    /// One per sample entry, in order. Entries of codecs that khien does not carry are left out
    /// together with their track.
    pub entries: Vec<Arc<Params>>,
    /// Where the frames are; empty in a fragmented file.
    pub tables: SampleTables,
    /// What `trex` says of the frames of fragments.
    pub(super) defaults: Defaults,
}

/// What `moov` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// The tracks that khien can carry.
    pub tracks: Vec<ReadTrack>,
    /// Tracks that were left out.
    pub unsupported: usize,
    /// `uuid` boxes directly inside: id and content.
    pub extra: Vec<([u8; 16], Vec<u8>)>,
    /// The file is fragmented (`mvex` is there).
    pub fragmented: bool,
}

/// Most tracks of a file.
const TRACKS_MAX: usize = 32;
/// Most sample entries of a track.
const ENTRIES_MAX: usize = 1_024;

/// Reads a whole `moov` box, header included.
///
/// # Errors
/// When it is not one, ends early or says something impossible.
pub fn moov(data: &[u8]) -> Result<Init, Error> {
    let body = need(data, b"moov", "file without moov")?;
    let mut init =
        Init { tracks: Vec::new(), unsupported: 0, extra: Vec::new(), fragmented: false };
    let mut defaults = Vec::new();
    for found in Boxes::new(body) {
        let (kind, content) = found?;
        match &kind {
            b"trak" => {
                if init.tracks.len() + init.unsupported >= TRACKS_MAX {
                    return Err(Error::Limit("tracks"));
                }
                match track(content)? {
                    Some(track) => init.tracks.push(track),
                    None => init.unsupported += 1,
                }
            }
            b"mvex" => {
                init.fragmented = true;
                trex(content, &mut defaults)?;
            }
            b"uuid" => {
                if let Some((id, rest)) = content.split_first_chunk::<16>() {
                    init.extra.push((*id, rest.to_vec()));
                }
            }
            _ => {}
        }
    }
    for track in &mut init.tracks {
        if let Some((_, found)) = defaults.iter().find(|(id, _)| *id == track.id) {
            track.defaults = *found;
        }
    }
    Ok(init)
}

/// Reads the `trex` boxes, which may stand before the tracks they speak of.
fn trex(mvex: &[u8], defaults: &mut Vec<(u32, Defaults)>) -> Result<(), Error> {
    for found in Boxes::new(mvex) {
        let (kind, content) = found?;
        if &kind != b"trex" {
            continue;
        }
        if defaults.len() >= TRACKS_MAX {
            return Err(Error::Limit("tracks"));
        }
        let mut c = Cursor::new(content);
        c.full()?;
        let id = c.u32()?;
        c.skip(4)?;
        let (duration, size, flags) = (Some(c.u32()?), Some(c.u32()?), Some(c.u32()?));
        defaults.push((id, Defaults { duration, size, flags }));
    }
    Ok(())
}

fn track(trak: &[u8]) -> Result<Option<ReadTrack>, Error> {
    let mut c = Cursor::new(need(trak, b"tkhd", "track without tkhd")?);
    let (version, _) = c.full()?;
    c.skip(if version == 1 { 16 } else { 8 })?;
    let id = c.u32()?;
    let mdia = need(trak, b"mdia", "track without mdia")?;
    let mut c = Cursor::new(need(mdia, b"mdhd", "track without mdhd")?);
    let (version, _) = c.full()?;
    c.skip(if version == 1 { 16 } else { 8 })?;
    let rate = Rate::new(c.u32()?).ok_or(Error::Malformed("time scale"))?;
    let mut c = Cursor::new(need(mdia, b"hdlr", "track without hdlr")?);
    c.skip(8)?;
    let handler = c.take(4)?.try_into().map_err(|_| Error::Malformed("hdlr"))?;
    if entry::kind_of_handler(handler).is_none() {
        return Ok(None);
    }
    let minf = need(mdia, b"minf", "track without minf")?;
    let stbl = need(minf, b"stbl", "track without stbl")?;
    let Some(entries) = entries(need(stbl, b"stsd", "track without stsd")?)? else {
        return Ok(None);
    };
    let tables = SampleTables::read(stbl, find(trak, b"edts"))?;
    Ok(Some(ReadTrack { id, rate, entries, tables, defaults: Defaults::default() }))
}

/// `None` when khien does not carry what is in the track.
fn entries(stsd: &[u8]) -> Result<Option<Vec<Arc<Params>>>, Error> {
    let boxes = stsd.get(8..).ok_or(Error::Truncated { at: stsd.len() })?;
    let mut entries = Vec::new();
    for found in Boxes::new(boxes) {
        let (kind, body) = found?;
        if entries.len() >= ENTRIES_MAX {
            return Err(Error::Limit("sample entries"));
        }
        match entry::read(kind, body) {
            Ok(params) => entries.push(Arc::new(params)),
            Err(Error::Unsupported(_)) => return Ok(None),
            Err(e) => return Err(e),
        }
    }
    Ok((!entries.is_empty()).then_some(entries))
}
