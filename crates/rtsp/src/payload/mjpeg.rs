//! JPEG (RFC 2435): the scan in fragments, from which a whole JFIF picture is made.
//!
//! Quantization tables are in band (Q from 128), remembered, or those of the standard scaled by Q.
//! Pictures above 2040 pixels have a size of zero here and, with ONVIF's header extension (ONVIF
//! Streaming Specification, section 5.1.4), their own header segments; without it they cannot be
//! put together.
//!
//! A picture with a hole is of no use and is dropped; the next one is marked as damaged.

mod header;

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use media::Params;
use media::codec::mjpeg;

use super::{Context, PATIENCE, UNIT_BYTES_MAX, Unit};
use crate::quirk::Quirk;
use crate::rtp::Packet;
use header::{Fragment, Tables};

/// The profile of ONVIF's header extension.
const ONVIF_EXTENSION: u16 = 0xffd8;

#[derive(Debug)]
pub(super) struct Depacketizer {
    params: Arc<Params>,
    tables: Tables,
    picture: BytesMut,
    open: Option<Open>,
    usual: usize,
    lost: bool,
    marker_seen: bool,
    deadline: Option<Instant>,
}

/// The picture that is being put together.
#[derive(Debug)]
struct Open {
    timestamp: u32,
    size: (u32, u32),
    /// Bytes of the scan that are there; the next fragment must say the same.
    scan: usize,
}

impl Depacketizer {
    pub(super) fn new(params: Arc<Params>) -> Self {
        Self {
            params,
            tables: Tables::default(),
            picture: BytesMut::new(),
            open: None,
            usual: 16 << 10,
            lost: false,
            marker_seen: false,
            deadline: None,
        }
    }

    pub(super) fn push(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, lost_before: bool) {
        if lost_before {
            self.drop_picture();
            self.lost = true;
        }
        let timestamp = packet.header.timestamp;
        if self.open.as_ref().is_some_and(|o| o.timestamp != timestamp) {
            self.finish(cx, false);
        }
        match Fragment::read(packet.payload) {
            Some(fragment) => self.fragment(cx, packet, &fragment),
            None => self.drop_picture(),
        }
        if packet.header.marker {
            self.finish(cx, true);
        } else {
            let waits = self.open.is_some() && !self.marker_seen;
            self.deadline = waits.then(|| cx.now + PATIENCE);
        }
    }

    fn fragment(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, fragment: &Fragment<'_>) {
        if fragment.offset == 0 {
            if self.open.is_some() {
                // Two pictures with one time stamp, or a doubled packet.
                cx.quirks.add(Quirk::RtpTsSame);
                self.finish(cx, false);
            }
            self.begin(cx, packet, fragment);
        }
        let Some(open) = &mut self.open else {
            self.lost = true;
            return;
        };
        let over = self.picture.len() + fragment.scan.len() > UNIT_BYTES_MAX;
        if open.scan != fragment.offset || over {
            return self.drop_picture();
        }
        open.scan += fragment.scan.len();
        self.picture.extend_from_slice(fragment.scan);
    }

    fn begin(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, fragment: &Fragment<'_>) {
        self.picture.clear();
        let wanted = self.usual;
        if self.picture.capacity() < wanted {
            self.picture.reserve(wanted);
        }
        let extension = packet
            .extension
            .filter(|(profile, _)| *profile == ONVIF_EXTENSION)
            .map(|(_, segments)| segments);
        let large = fragment.width == 0 || fragment.height == 0;
        if large {
            cx.quirks.add(Quirk::Jpeg2040);
        }
        let size = match extension {
            Some(segments) => header::from_segments(&mut self.picture, segments, fragment),
            None => None,
        };
        let size = size.or_else(|| {
            if large {
                return None;
            }
            let tables = self.tables.of(fragment)?;
            header::from_fragment(&mut self.picture, fragment, &tables)
        });
        match size {
            Some(size) => {
                self.open = Some(Open { timestamp: packet.header.timestamp, size, scan: 0 });
            }
            None => self.drop_picture(),
        }
    }

    fn drop_picture(&mut self) {
        self.picture.clear();
        self.lost |= self.open.take().is_some();
        self.deadline = None;
    }

    fn finish(&mut self, cx: &mut Context<'_>, marker: bool) {
        self.deadline = None;
        let Some(open) = self.open.take() else { return };
        if !marker && !self.marker_seen {
            cx.quirks.add(Quirk::RtpNoMarker);
        }
        self.marker_seen |= marker;
        if open.scan == 0 {
            self.picture.clear();
            self.lost = true;
            return;
        }
        if !self.picture.ends_with(&[0xff, 0xd9]) {
            self.picture.extend_from_slice(&[0xff, 0xd9]);
        }
        let data = self.picture.split().freeze();
        self.usual = data.len().max(self.usual - self.usual / 16);
        let (width, height) = open.size;
        let params = Params::Mjpeg(mjpeg::Params { width, height });
        if *self.params != params {
            self.params = Arc::new(params);
        }
        cx.give(Unit {
            timestamp: open.timestamp,
            data,
            random_access: true,
            damaged: std::mem::take(&mut self.lost),
            reordered: false,
            params: Arc::clone(&self.params),
        });
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        self.finish(cx, false);
    }

    pub(super) fn reset(&mut self) {
        self.drop_picture();
        self.lost = false;
    }

    pub(super) const fn params(&self) -> &Arc<Params> {
        &self.params
    }
}
