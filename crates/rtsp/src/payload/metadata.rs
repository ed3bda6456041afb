//! ONVIF metadata (ONVIF Streaming Specification, section 5.1.2.1.1): an XML document in pieces,
//! the marker on the last.
//!
//! A document with a hole is of no use and is dropped; the next one is marked as damaged.

use std::sync::Arc;

use bytes::BytesMut;
use media::Params;
use media::codec::metadata::DOCUMENT_BYTES_MAX;

use super::{Context, Unit};
use crate::rtp::Packet;

#[derive(Debug)]
pub(super) struct Depacketizer {
    params: Arc<Params>,
    timestamp: u32,
    document: BytesMut,
    /// The document that is being put together has a hole or is too long.
    spoilt: bool,
    lost: bool,
}

impl Depacketizer {
    pub(super) fn new(params: Arc<Params>) -> Self {
        let document = BytesMut::new();
        Self { params, timestamp: 0, document, spoilt: false, lost: false }
    }

    pub(super) fn push(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, lost_before: bool) {
        let header = &packet.header;
        if header.timestamp != self.timestamp {
            // Without a marker, another time begins another document.
            self.flush(cx);
            self.timestamp = header.timestamp;
        }
        if lost_before {
            self.lost = true;
            // A piece that begins a document was preceded by nothing of it.
            self.spoilt = !self.document.is_empty() || !begins(packet.payload);
        }
        if self.document.len() + packet.payload.len() > DOCUMENT_BYTES_MAX {
            self.spoilt = true;
        }
        if self.spoilt {
            self.document.clear();
        } else {
            self.document.extend_from_slice(packet.payload);
        }
        if header.marker {
            self.flush(cx);
        }
    }

    /// What has come is the whole document.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let data = self.document.split().freeze();
        if std::mem::take(&mut self.spoilt) {
            self.lost = true;
        } else if !data.is_empty() {
            cx.give(Unit {
                timestamp: self.timestamp,
                data,
                random_access: true,
                damaged: std::mem::take(&mut self.lost),
                reordered: false,
                params: Arc::clone(&self.params),
            });
        }
    }

    pub(super) fn reset(&mut self) {
        self.document.clear();
        self.spoilt = false;
        self.lost = false;
    }

    pub(super) const fn params(&self) -> &Arc<Params> {
        &self.params
    }
}

/// Whether a document begins here: blanks or a byte order mark, then `<`.
fn begins(payload: &[u8]) -> bool {
    let text = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    let first = text.iter().find(|b| !b.is_ascii_whitespace());
    first == Some(&b'<') && !text.starts_with(b"</")
}
