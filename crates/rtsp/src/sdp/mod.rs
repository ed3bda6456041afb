//! SDP (RFC 8866): what a camera offers, read with patience, and what we offer, written in
//! [`write`](mod@write).
//!
//! [`parse`] keeps every media it can use and drops the others; what is wrong with the rest of
//! the text is counted and passed over. Not here: addresses (see [`crate::url`]) and what the
//! pictures say about themselves, which wins.

mod format;
mod read;
pub mod write;

use std::sync::Arc;

use media::{Params, Rate};

use crate::Error;
use crate::payload::AuHeader;
use crate::quirk::{Quirk, QuirkCounts};

/// Longest description that is read, bytes.
pub const SDP_BYTES_MAX: usize = 64 << 10;
/// Most medias that are looked at.
pub const MEDIAS_MAX: usize = 16;

/// What a camera offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The aggregate's control.
    pub control: Option<String>,
    /// What the camera's software calls itself.
    pub tool: Option<String>,
    /// The medias that can be used, in order.
    pub medias: Vec<Media>,
    /// Medias that were dropped because nothing here can use what they carry.
    pub unusable: usize,
}

/// One media that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// The RTP payload type.
    pub payload_type: u8,
    /// What is known of the codec; `Pending` until parameter sets come in band.
    pub params: Arc<Params>,
    /// The clock of the time stamps.
    pub rate: Rate,
    /// How AAC is laid out; of no meaning elsewhere.
    pub header: AuHeader,
    /// Its control, absent where the base is to be used.
    pub control: Option<String>,
    /// Picture size that the description claims.
    pub size: Option<(u32, u32)>,
}

/// Reads a description.
///
/// # Errors
/// `TooLarge`, or `Malformed` when there is no media line at all.
pub fn parse(bytes: &[u8], quirks: &mut QuirkCounts) -> Result<Session, Error> {
    if bytes.len() > SDP_BYTES_MAX {
        return Err(Error::TooLarge("SDP"));
    }
    let text = String::from_utf8_lossy(bytes);
    let raw = read::read(&text, quirks);
    if raw.medias.is_empty() && raw.dropped == 0 {
        return Err(Error::Malformed("SDP without a media"));
    }
    // Who marks everything as a back channel means none of it.
    let all_back = raw.medias.iter().all(|m| m.sendonly);
    if all_back && !raw.medias.is_empty() {
        quirks.add(Quirk::SdpAllSendonly);
    }
    let mut session = Session {
        control: raw.control.clone(),
        tool: raw.tool.clone(),
        medias: Vec::new(),
        unusable: raw.dropped,
    };
    for media in &raw.medias {
        if media.sendonly && !all_back {
            format::look_at_back_channel(media, quirks);
            continue;
        }
        match format::usable(media, &raw, quirks) {
            Some(media) => session.medias.push(media),
            None => session.unusable += 1,
        }
    }
    Ok(session)
}

#[cfg(test)]
mod tests;
