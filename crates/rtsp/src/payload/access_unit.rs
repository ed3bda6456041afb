//! NAL units to access units: what H.264 and H.265 have in common.
//!
//! An access unit ends where the time stamp changes, where the marker says so behind a slice, or
//! where another picture's first slice comes with the same time stamp. Markers of cameras that
//! set them wrongly or never are seen through.

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use media::Params;
use media::codec::nal;

use super::{Context, NALS_MAX, PATIENCE, UNIT_BYTES_MAX, Unit};
use crate::quirk::{Quirk, QuirkCounts};
use crate::rtp;

/// Bytes of the length in front of each NAL unit.
const LENGTH_BYTES: usize = 4;

/// What a NAL unit is to the access unit it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Picture; `first` begins one.
    Slice { first: bool },
    /// A parameter set: can stand before the first slice only.
    Set,
    /// Something else that can stand before the first slice only.
    Front,
    /// Anything else.
    Other,
    /// Not to be kept.
    Invalid,
}

/// What a codec says of a complete access unit.
pub(super) struct Picture {
    pub(super) random_access: bool,
    pub(super) reordered: bool,
    pub(super) params: Arc<Params>,
}

/// What differs between both codecs.
pub(super) trait Syntax {
    /// What `unit`, which is not empty, is.
    fn role(unit: &[u8]) -> Role;
    /// Looks at a complete access unit. `None`: it is not to be given out.
    fn picture(&mut self, data: &[u8], quirks: &mut QuirkCounts) -> Option<Picture>;
    /// The time line broke.
    fn reset(&mut self);
    /// In force now.
    fn params(&self) -> &Arc<Params>;
}

#[derive(Debug)]
pub(super) struct Assembler<S> {
    pub(super) syntax: S,
    buf: BytesMut,
    /// Bytes that access units have had lately.
    usual: usize,
    open: Option<Open>,
    fragment: Option<Fragment>,
    /// Fragments are passed over up to the next first one.
    skipping: bool,
    /// Something was lost since the last access unit.
    lost: bool,
    markers: Markers,
    deadline: Option<Instant>,
}

/// The access unit that is being put together.
#[derive(Debug)]
struct Open {
    timestamp: u32,
    nals: usize,
    slices: bool,
    /// Where what belongs to the next access unit begins.
    tail: Option<usize>,
    damaged: bool,
    full: bool,
    /// A time stamp that the picture before had as well.
    again: bool,
}

/// The NAL unit that is being put together.
#[derive(Debug)]
struct Fragment {
    /// Where its length stands.
    at: usize,
    kind: u8,
}

/// What is known about this camera's markers.
#[derive(Debug, Default)]
struct Markers {
    /// One ended a picture.
    seen: bool,
    /// They stand in the middle of pictures.
    lie: bool,
    /// The time stamp of the picture that a marker ended last.
    ended: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Marker,
    Time,
    Slice,
    Patience,
}

impl<S: Syntax> Assembler<S> {
    pub(super) fn new(syntax: S) -> Self {
        Self {
            syntax,
            buf: BytesMut::new(),
            usual: 4 << 10,
            open: None,
            fragment: None,
            skipping: false,
            lost: false,
            markers: Markers::default(),
            deadline: None,
        }
    }

    /// A packet with this header comes next.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, header: &rtp::Header, lost_before: bool) {
        let timestamp = header.timestamp;
        let same = self.open.as_ref().is_some_and(|o| o.timestamp == timestamp);
        if lost_before {
            self.break_fragment(cx);
            match &mut self.open {
                Some(open) => {
                    open.damaged = true;
                    self.lost |= !same;
                }
                None => self.lost = true,
            }
        }
        if !same && self.open.is_some() {
            self.close(cx, End::Time);
        }
        match &mut self.open {
            // What came before the first slice goes with it, whatever its time stamp was.
            Some(open) => {
                open.timestamp = timestamp;
                open.damaged |= std::mem::take(&mut self.lost);
            }
            None => self.open = Some(self.fresh(timestamp)),
        }
    }

    fn fresh(&mut self, timestamp: u32) -> Open {
        Open {
            timestamp,
            nals: 0,
            slices: false,
            tail: None,
            damaged: std::mem::take(&mut self.lost),
            full: false,
            again: self.markers.ended == Some(timestamp),
        }
    }

    /// That packet has been looked at.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, marker: bool) {
        let Some(open) = &self.open else { return };
        if marker {
            if !open.slices || open.tail.is_some() {
                cx.quirks.add(Quirk::RtpMarkerPs);
            } else if !self.markers.lie && self.fragment.is_none() {
                return self.close(cx, End::Marker);
            }
        }
        let waits = open.slices && (!self.markers.seen || self.markers.lie);
        self.deadline = waits.then(|| cx.now + PATIENCE);
    }

    /// NAL units with 16 bits of length before each: STAP-A (RFC 6184, section 5.7.1) and AP
    /// (RFC 7798, section 4.4.2) behind their headers.
    pub(super) fn aggregate(&mut self, cx: &mut Context<'_>, mut rest: &[u8]) {
        while let Some((&len, after)) = rest.split_first_chunk() {
            let len = usize::from(u16::from_be_bytes(len));
            let Some((unit, after)) = after.split_at_checked(len) else {
                return self.damage();
            };
            self.unit(cx, unit);
            rest = after;
        }
    }

    /// A whole NAL unit; start codes in it are seen through.
    pub(super) fn unit(&mut self, cx: &mut Context<'_>, unit: &[u8]) {
        self.break_fragment(cx);
        self.skipping = false;
        if has_start_codes::<S>(unit) {
            cx.quirks.add(Quirk::NalAnnexb);
            return self.byte_stream(cx, unit);
        }
        if unit.is_empty() {
            return;
        }
        let Some(at) = self.room(unit.len()) else { return };
        self.length(unit.len());
        self.buf.extend_from_slice(unit);
        self.complete(cx, at);
    }

    fn byte_stream(&mut self, cx: &mut Context<'_>, stream: &[u8]) {
        let first = nal::start_code(stream, 0).map_or(stream.len(), |(at, _)| at);
        let head = nal::trim_zeros(stream.get(..first).unwrap_or_default());
        let rest = stream.get(first..).unwrap_or_default();
        for unit in std::iter::once(head).filter(|u| !u.is_empty()).chain(nal::annexb(rest)) {
            let Some(at) = self.room(unit.len()) else { return };
            self.length(unit.len());
            self.buf.extend_from_slice(unit);
            self.complete(cx, at);
        }
    }

    /// The first fragment of a NAL unit with this header.
    pub(super) fn fragment_first(
        &mut self,
        cx: &mut Context<'_>,
        kind: u8,
        header: &[u8],
        body: &[u8],
    ) {
        self.break_fragment(cx);
        self.skipping = false;
        let Some(at) = self.room(header.len() + body.len()) else {
            self.skipping = true;
            return;
        };
        self.length(0);
        self.buf.extend_from_slice(header);
        self.buf.extend_from_slice(body);
        self.fragment = Some(Fragment { at, kind });
    }

    /// A later fragment, which says to be of a unit of type `kind`.
    pub(super) fn fragment_next(
        &mut self,
        cx: &mut Context<'_>,
        kind: u8,
        body: &[u8],
        last: bool,
    ) {
        let Some(fragment) = &self.fragment else {
            if !std::mem::replace(&mut self.skipping, true) {
                cx.quirks.add(Quirk::FuBroken);
            }
            self.damage();
            return;
        };
        let at = fragment.at;
        if fragment.kind != kind {
            cx.quirks.add(Quirk::FuType);
        }
        if body.is_empty() {
            cx.quirks.add(Quirk::FuEmpty);
        }
        if self.buf.len() + body.len() > UNIT_BYTES_MAX {
            self.fill();
            self.buf.truncate(at);
            self.fragment = None;
            self.skipping = true;
            return;
        }
        self.grow(body.len());
        self.buf.extend_from_slice(body);
        if last {
            self.fragment_end(cx);
        }
    }

    /// The NAL unit in fragments is complete.
    pub(super) fn fragment_end(&mut self, cx: &mut Context<'_>) {
        let Some(Fragment { at, .. }) = self.fragment.take() else { return };
        let whole = self.buf.get(at + LENGTH_BYTES..).unwrap_or_default();
        if has_start_codes::<S>(whole) {
            cx.quirks.add(Quirk::NalAnnexb);
            let stream = self.buf.split_off(at);
            return self.byte_stream(cx, stream.get(LENGTH_BYTES..).unwrap_or_default());
        }
        let len = u32::try_from(whole.len()).unwrap_or(0);
        if let Some(place) = self.buf.get_mut(at..at + LENGTH_BYTES) {
            place.copy_from_slice(&len.to_be_bytes());
        }
        self.complete(cx, at);
    }

    /// Something in this access unit could not be read.
    pub(super) fn damage(&mut self) {
        match &mut self.open {
            Some(open) => open.damaged = true,
            None => self.lost = true,
        }
    }

    /// The access unit is full: what else comes of it is dropped.
    fn fill(&mut self) {
        if let Some(open) = &mut self.open {
            open.full = true;
            open.damaged = true;
        }
    }

    fn break_fragment(&mut self, cx: &mut Context<'_>) {
        if let Some(fragment) = self.fragment.take() {
            cx.quirks.add(Quirk::FuBroken);
            self.buf.truncate(fragment.at);
            self.skipping = true;
            self.damage();
        }
    }

    /// Makes room for a NAL unit; where it begins. `None` if the access unit is full.
    fn room(&mut self, bytes: usize) -> Option<usize> {
        let open = self.open.as_ref()?;
        let over = self.buf.len() + LENGTH_BYTES + bytes > UNIT_BYTES_MAX;
        if open.full || over || open.nals >= NALS_MAX {
            self.fill();
            return None;
        }
        self.grow(LENGTH_BYTES + bytes);
        Some(self.buf.len())
    }

    /// Like `reserve`, but a new buffer has room for what access units usually have.
    fn grow(&mut self, bytes: usize) {
        if self.buf.capacity() - self.buf.len() < bytes {
            let wanted = self.usual.saturating_sub(self.buf.len());
            self.buf.reserve(bytes.max(wanted));
        }
    }

    fn length(&mut self, bytes: usize) {
        self.buf.put_u32(u32::try_from(bytes).unwrap_or(0));
    }

    /// The NAL unit whose length stands at `at` is complete.
    fn complete(&mut self, cx: &mut Context<'_>, at: usize) {
        let unit = self.buf.get(at + LENGTH_BYTES..).unwrap_or_default();
        let role = if unit.is_empty() { Role::Invalid } else { S::role(unit) };
        let Some(open) = &mut self.open else { return };
        match role {
            Role::Invalid => return self.buf.truncate(at),
            Role::Slice { first: true } if open.slices => {
                cx.quirks.add(Quirk::RtpTsSame);
                open.tail.get_or_insert(at);
                self.close(cx, End::Slice);
                if let Some(open) = &mut self.open {
                    open.slices = true;
                }
                return;
            }
            Role::Slice { first } => {
                if open.again && !open.slices {
                    // The picture before had this time stamp and seemed to be complete.
                    if first {
                        cx.quirks.add(Quirk::RtpTsSame);
                    } else {
                        cx.quirks.add(Quirk::RtpMarkerPs);
                        self.markers.lie = true;
                        open.damaged = true;
                    }
                }
                open.slices = true;
                open.tail = None;
            }
            Role::Set | Role::Front if open.slices => {
                open.tail.get_or_insert(at);
            }
            Role::Set | Role::Front | Role::Other => {}
        }
        open.nals += 1;
    }

    /// Ends the access unit, if it has a slice; what belongs to the next one stays.
    fn close(&mut self, cx: &mut Context<'_>, end: End) {
        self.break_fragment(cx);
        self.deadline = None;
        let Some(open) = &self.open else { return };
        if !open.slices {
            if open.full {
                self.buf.clear();
                self.open = None;
                self.lost = true;
            }
            return;
        }
        let (timestamp, damaged, tail) = (open.timestamp, open.damaged, open.tail);
        if matches!(end, End::Time | End::Patience) && !self.markers.seen && !damaged {
            cx.quirks.add(Quirk::RtpNoMarker);
        }
        self.markers.seen |= end == End::Marker;
        self.markers.ended = (end == End::Marker).then_some(timestamp);
        let rest = tail.map(|at| self.buf.split_off(at));
        let data = self.buf.split().freeze();
        self.open = None;
        if let Some(rest) = rest {
            self.buf = rest;
            let mut open = self.fresh(timestamp);
            open.nals = nal::prefixed(&self.buf).count();
            open.again = false;
            self.open = Some(open);
        }
        // Follows large ones at once and small ones slowly.
        self.usual = data.len().max(self.usual - self.usual / 16).min(UNIT_BYTES_MAX);
        self.give(cx, timestamp, data, damaged);
    }

    fn give(&mut self, cx: &mut Context<'_>, timestamp: u32, data: Bytes, damaged: bool) {
        if let Some(picture) = self.syntax.picture(&data, cx.quirks) {
            let Picture { random_access, reordered, params } = picture;
            cx.give(Unit { timestamp, data, random_access, damaged, reordered, params });
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        self.close(cx, End::Patience);
    }

    pub(super) fn reset(&mut self) {
        self.buf.clear();
        self.open = None;
        self.fragment = None;
        self.skipping = false;
        self.lost = false;
        self.deadline = None;
        self.markers.ended = None;
        self.syntax.reset();
    }
}

/// Whether `unit` is really several, or one with a start code in front. Inside slices nothing is
/// looked for: they are long, and no camera was seen to put anything behind one.
fn has_start_codes<S: Syntax>(unit: &[u8]) -> bool {
    if let [0, 0, 1, ..] | [0, 0, 0, 1, ..] = unit {
        return true;
    }
    let short = !unit.is_empty() && matches!(S::role(unit), Role::Set | Role::Front);
    short && nal::start_code(unit, 0).is_some()
}
