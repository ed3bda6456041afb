//! RTP packets to frames: one depacketizer per track, one file per codec, named as in
//! [`crate::pay`], which does the opposite.
//!
//! Packets are given in order of their sequence numbers with [`Depacketizer::push`], then
//! [`Depacketizer::pop`] is called until it answers `None`. A payload is copied once, into the
//! unit it belongs to.
//!
//! Not here: sequence numbers, reordering, unwrapped and wall time, decoding times.
//!
//! Quirks counted here: `nal-annexb`, `fu-start-end`, `fu-type`, `fu-empty`, `fu-broken`,
//! `rtp-marker-ps`, `rtp-no-marker`, `rtp-ts-same`, `sps-trailing`, `sps-hard`, `sps-flap`,
//! `ps-sdp-only`, `ps-inband-only`, `idr-open`, `bframes`, `jpeg-2040`, `aac-adts`, `aac-frag`.

mod aac;
mod access_unit;
mod g711;
mod h264;
mod h265;
mod metadata;
mod mjpeg;
mod opus;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::codec::Codec;
use media::{Params, Rate};

use crate::quirk::QuirkCounts;
use crate::rtp::Packet;

/// Largest access unit that is put together, bytes; of a larger one the rest is dropped and it is
/// marked as damaged.
pub const UNIT_BYTES_MAX: usize = 8 << 20;
/// Most NAL units of an access unit.
pub const NALS_MAX: usize = 512;
/// A picture whose end no marker tells is complete when nothing came for this long.
pub const PATIENCE: Duration = Duration::from_millis(100);
/// Most units that wait for [`Depacketizer::pop`].
const READY_MAX: usize = 256;

/// How the access units of AAC stand in a payload (RFC 3640, section 4.1): bits of the fields of
/// an AU header, as `sizelength`, `indexlength` and `indexdeltalength` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuHeader {
    /// Bits of the size.
    pub size_bits: u8,
    /// Bits of the index, of the first header of a packet.
    pub index_bits: u8,
    /// Bits of the index difference, of the others.
    pub index_delta_bits: u8,
}

impl Default for AuHeader {
    /// Those of AAC-hbr, which everybody uses.
    fn default() -> Self {
        Self { size_bits: 13, index_bits: 3, index_delta_bits: 3 }
    }
}

/// One access unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its RTP time: that of the packet, or, of the second and later sounds of one packet, its
    /// own. Two units in a row may have the same (`rtp-ts-same`).
    pub timestamp: u32,
    /// As [`media::Frame::data`] says.
    pub data: Bytes,
    /// Can be decoded without any earlier unit. Of pictures: IDR, CRA or BLA with parameter sets
    /// known; every JPEG. Of sound and metadata: every unit.
    pub random_access: bool,
    /// Something was lost inside this unit or between it and the one before.
    pub damaged: bool,
    /// Pictures of this track may be shown in another order than they come, so that decoding
    /// times must be made: said by the parameter sets, or a B slice was seen. Once true it stays
    /// true as long as the parameters are the same.
    pub reordered: bool,
    /// In force for this unit. The same `Arc` as the unit before while nothing changed;
    /// `Pending` until parameter sets are known.
    pub params: Arc<Params>,
}

/// Puts the units of one track together.
#[derive(Debug)]
pub struct Depacketizer {
    inner: Inner,
    ready: VecDeque<Unit>,
}

#[derive(Debug)]
enum Inner {
    H264(Box<h264::Depacketizer>),
    H265(Box<h265::Depacketizer>),
    Mjpeg(Box<mjpeg::Depacketizer>),
    Aac(aac::Depacketizer),
    G711(g711::Depacketizer),
    Opus(opus::Depacketizer),
    Metadata(metadata::Depacketizer),
}

/// What every codec needs while it looks at a packet.
struct Context<'a> {
    now: Instant,
    quirks: &'a mut QuirkCounts,
    ready: &'a mut VecDeque<Unit>,
}

impl Context<'_> {
    fn give(&mut self, unit: Unit) {
        // Nobody takes them: the oldest is of least use.
        if self.ready.len() >= READY_MAX {
            self.ready.pop_front();
        }
        self.ready.push_back(unit);
    }
}

impl Depacketizer {
    /// `params`: what the SDP says, `Pending` where it says nothing usable. `rate`: the clock of
    /// the time stamps. `header` is used for AAC only.
    pub fn new(params: Arc<Params>, rate: Rate, header: AuHeader) -> Self {
        let inner = match params.codec() {
            Codec::H264 => Inner::H264(Box::new(h264::Depacketizer::new(params))),
            Codec::H265 => Inner::H265(Box::new(h265::Depacketizer::new(params))),
            Codec::Mjpeg => Inner::Mjpeg(Box::new(mjpeg::Depacketizer::new(params))),
            Codec::Aac => Inner::Aac(aac::Depacketizer::new(params, rate, header)),
            Codec::G711 => Inner::G711(g711::Depacketizer::new(params)),
            Codec::Opus => Inner::Opus(opus::Depacketizer::new(params)),
            Codec::Metadata => Inner::Metadata(metadata::Depacketizer::new(params)),
        };
        Self { inner, ready: VecDeque::new() }
    }

    /// Looks at the next packet. `lost_before`: at least one packet between this and the one
    /// pushed before did not come.
    ///
    /// Pictures are given out from the first one on, whether or not they can be decoded; leading
    /// pictures (RASL) of a CRA that nothing came before are not.
    pub fn push(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        lost_before: bool,
        quirks: &mut QuirkCounts,
    ) {
        let cx = &mut Context { now, quirks, ready: &mut self.ready };
        match &mut self.inner {
            Inner::H264(d) => d.push(cx, packet, lost_before),
            Inner::H265(d) => d.push(cx, packet, lost_before),
            Inner::Mjpeg(d) => d.push(cx, packet, lost_before),
            Inner::Aac(d) => d.push(cx, packet, lost_before),
            Inner::G711(d) => d.push(cx, packet, lost_before),
            Inner::Opus(d) => d.push(cx, packet, lost_before),
            Inner::Metadata(d) => d.push(cx, packet, lost_before),
        }
    }

    /// The next unit that is complete, in decoding order.
    pub fn pop(&mut self) -> Option<Unit> {
        self.ready.pop_front()
    }

    /// When [`Self::flush`] is due: [`PATIENCE`] after the last packet, while a picture waits
    /// whose end no marker will tell.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.inner {
            Inner::H264(d) => d.deadline(),
            Inner::H265(d) => d.deadline(),
            Inner::Mjpeg(d) => d.deadline(),
            Inner::Aac(_) | Inner::G711(_) | Inner::Opus(_) | Inner::Metadata(_) => None,
        }
    }

    /// Takes what has come as the whole unit: at the deadline and at the end of the session.
    pub fn flush(&mut self, now: Instant, quirks: &mut QuirkCounts) {
        let cx = &mut Context { now, quirks, ready: &mut self.ready };
        match &mut self.inner {
            Inner::H264(d) => d.flush(cx),
            Inner::H265(d) => d.flush(cx),
            Inner::Mjpeg(d) => d.flush(cx),
            Inner::Metadata(d) => d.flush(cx),
            Inner::Aac(_) | Inner::G711(_) | Inner::Opus(_) => {}
        }
    }

    /// Forgets what is incomplete: the time line broke (other SSRC, a jump) and what comes next
    /// has nothing to do with what came before. Parameters stay.
    pub fn reset(&mut self) {
        match &mut self.inner {
            Inner::H264(d) => d.reset(),
            Inner::H265(d) => d.reset(),
            Inner::Mjpeg(d) => d.reset(),
            Inner::Aac(d) => d.reset(),
            Inner::G711(d) => d.reset(),
            Inner::Opus(d) => d.reset(),
            Inner::Metadata(d) => d.reset(),
        }
    }

    /// The parameters in force now.
    pub fn params(&self) -> &Arc<Params> {
        match &self.inner {
            Inner::H264(d) => d.params(),
            Inner::H265(d) => d.params(),
            Inner::Mjpeg(d) => d.params(),
            Inner::Aac(d) => d.params(),
            Inner::G711(d) => d.params(),
            Inner::Opus(d) => d.params(),
            Inner::Metadata(d) => d.params(),
        }
    }
}

#[cfg(test)]
mod tests;
