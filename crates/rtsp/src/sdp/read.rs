//! The lines of a description, sorted by media; nothing is understood yet but where it belongs.

use crate::quirk::{Quirk, QuirkCounts};

use super::MEDIAS_MAX;

/// Attributes of one kind that are kept per media.
const LINES_MAX: usize = 32;

/// A description, sorted.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) control: Option<String>,
    pub(super) tool: Option<String>,
    pub(super) medias: Vec<RawMedia>,
    /// Media lines that could not be understood.
    pub(super) dropped: usize,
}

/// A media and its attributes.
#[derive(Debug, Default)]
pub(super) struct RawMedia {
    pub(super) types: Vec<u8>,
    /// Payload type and `name/clock/channels`.
    pub(super) rtpmaps: Vec<(u8, String)>,
    pub(super) fmtps: Vec<(u8, String)>,
    pub(super) control: Option<String>,
    pub(super) sendonly: bool,
    pub(super) size: Option<(u32, u32)>,
}

/// Where the next line belongs.
enum Place {
    Session,
    Media,
    /// Under a media line that could not be understood.
    Nowhere,
}

/// What was seen of the lines that a session must have once.
#[derive(Default)]
struct Session {
    origins: usize,
    names: usize,
    bad: bool,
}

pub(super) fn read(text: &str, quirks: &mut QuirkCounts) -> Raw {
    let mut raw = Raw::default();
    let mut session = Session::default();
    let mut place = Place::Session;
    for line in text.lines() {
        let trimmed = line.trim();
        let Some((kind, value)) = trimmed.split_once('=') else { continue };
        match (kind, &place) {
            ("m", _) => place = media_line(&mut raw, value, quirks),
            ("a", Place::Session) => session_attribute(&mut raw, value),
            ("a", Place::Media) => {
                let blanks = line.trim_end_matches('\r').ends_with([' ', '\t']);
                if let Some(media) = raw.medias.last_mut() {
                    attribute(media, value, blanks, quirks);
                }
            }
            (_, Place::Session) => session.line(kind, value),
            _ => {}
        }
    }
    if session.bad || session.names != 1 || session.origins != 1 {
        quirks.add(Quirk::SdpManyS);
    }
    raw
}

impl Session {
    fn line(&mut self, kind: &str, value: &str) {
        let words = value.split_whitespace().count();
        match kind {
            "s" => {
                self.names += 1;
                self.bad |= value.is_empty();
            }
            "o" => {
                self.origins += 1;
                self.bad |= words < 6;
            }
            "c" => self.bad |= words != 3,
            "t" => {
                self.bad |=
                    words != 2 || value.split_whitespace().any(|w| w.parse::<u64>().is_err())
            }
            _ => {}
        }
    }
}

fn media_line(raw: &mut Raw, value: &str, quirks: &mut QuirkCounts) -> Place {
    let mut words = value.split_whitespace();
    let kind = words.next().unwrap_or_default();
    let port = words.next().and_then(|p| p.split('/').next()?.parse::<u32>().ok());
    let protocol = words.next().unwrap_or_default();
    let understood = matches!(kind, "video" | "audio" | "application" | "text" | "message")
        && port.is_some()
        && protocol.to_ascii_uppercase().starts_with("RTP/");
    if !understood || raw.medias.len() >= MEDIAS_MAX {
        quirks.add(Quirk::SdpBadMedia);
        raw.dropped += 1;
        return Place::Nowhere;
    }
    let types = words.filter_map(|w| w.parse().ok()).filter(|t| *t < 128).take(LINES_MAX).collect();
    raw.medias.push(RawMedia { types, ..RawMedia::default() });
    Place::Media
}

fn session_attribute(raw: &mut Raw, value: &str) {
    match value.split_once(':') {
        Some(("control", control)) => raw.control = Some(control.trim().to_owned()),
        Some(("tool", tool)) => raw.tool = Some(tool.trim().to_owned()),
        _ => {}
    }
}

fn attribute(media: &mut RawMedia, value: &str, blanks: bool, quirks: &mut QuirkCounts) {
    let (name, value) = value.split_once(':').unwrap_or((value, ""));
    let value = value.trim();
    match name.trim() {
        "rtpmap" => {
            if blanks {
                quirks.add(Quirk::SdpSpace);
            }
            if let Some((number, map)) = numbered(value)
                && media.rtpmaps.len() < LINES_MAX
            {
                media.rtpmaps.push((number, map.to_owned()));
            }
        }
        "fmtp" => match numbered(value) {
            Some((number, parameters)) if !parameters.is_empty() => {
                if media.fmtps.len() < LINES_MAX {
                    media.fmtps.push((number, parameters.to_owned()));
                }
            }
            _ => {
                quirks.add(Quirk::SdpFmtpStray);
            }
        },
        "control" if media.control.is_none() => media.control = Some(value.to_owned()),
        "sendonly" => media.sendonly = true,
        "x-dimensions" => media.size = media.size.or_else(|| pair(value, ',')),
        "framesize" => {
            media.size = media.size.or_else(|| pair(numbered(value)?.1, '-'));
        }
        _ => {}
    }
}

/// `96 rest`.
fn numbered(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    Some((number.parse().ok()?, rest.trim()))
}

fn pair(value: &str, between: char) -> Option<(u32, u32)> {
    let (width, height) = value.split_once(between)?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}
