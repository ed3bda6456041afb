//! AAC (RFC 3640): access units behind AU headers, several in one packet, or one over several
//! packets. ADTS headers, around the units or in place of the AU headers, are taken off, and what
//! they say of rate and channels wins over the SDP.
//!
//! Not here: interleaving (no camera does it) and LATM.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::codec::aac;
use media::{Params, Rate};

use super::{AuHeader, Context, Unit};
use crate::quirk::Quirk;
use crate::rtp::Packet;

/// Largest access unit, bytes: what the 13 bits of AAC-hbr can say.
const AU_BYTES_MAX: usize = (1 << 13) - 1;
/// Most access units of one packet.
const AUS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Depacketizer {
    params: Arc<Params>,
    rate: Rate,
    header: AuHeader,
    /// An access unit that goes on in the next packet.
    partial: Option<Partial>,
    lost: bool,
}

#[derive(Debug)]
struct Partial {
    timestamp: u32,
    size: usize,
    data: BytesMut,
}

impl Depacketizer {
    pub(super) const fn new(params: Arc<Params>, rate: Rate, header: AuHeader) -> Self {
        Self { params, rate, header, partial: None, lost: false }
    }

    pub(super) fn push(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, lost_before: bool) {
        if lost_before {
            self.lost = true;
            self.partial = None;
        }
        let timestamp = packet.header.timestamp;
        if self.partial.as_ref().is_some_and(|p| p.timestamp != timestamp) {
            self.partial = None;
            self.lost = true;
        }
        if let Some(adts) = aac::adts(packet.payload) {
            // No AU header looks like this: it would announce 64 KiB of headers.
            self.begin(cx, timestamp, adts.frame_len, packet.payload);
            return;
        }
        match units(packet.payload, self.header) {
            Some((sizes, data)) => self.units(cx, timestamp, &sizes, data),
            None => match &mut self.partial {
                // ADTS in place of AU headers: the rest comes without any.
                Some(_) => self.go_on(cx, packet.payload),
                None => self.lost = true,
            },
        }
    }

    /// The access units of one packet.
    fn units(&mut self, cx: &mut Context<'_>, timestamp: u32, sizes: &Sizes, mut data: &[u8]) {
        if self.partial.is_some() {
            return self.go_on(cx, data);
        }
        let mut at = timestamp;
        for &size in sizes.list.get(..sizes.count).unwrap_or_default() {
            let size = usize::from(size);
            if size > data.len() {
                // Only the last can go on in another packet, and only if it is the only one.
                if sizes.count == 1 {
                    self.begin(cx, at, size, data);
                } else {
                    self.lost = true;
                }
                return;
            }
            let (unit, rest) = data.split_at(size);
            self.give(cx, at, unit);
            at = at.wrapping_add(self.unit_ticks());
            data = rest;
        }
    }

    /// One access unit, all of it or its first part.
    fn begin(&mut self, cx: &mut Context<'_>, timestamp: u32, size: usize, part: &[u8]) {
        if size > AU_BYTES_MAX {
            self.lost = true;
        } else if size <= part.len() {
            // Bare ADTS may hold several frames.
            let mut rest = part;
            let mut at = timestamp;
            while let Some(adts) = aac::adts(rest)
                && let Some((unit, after)) = rest.split_at_checked(adts.frame_len)
            {
                self.give(cx, at, unit);
                at = at.wrapping_add(self.unit_ticks());
                rest = after;
            }
        } else {
            cx.quirks.add(Quirk::AacFrag);
            let mut data = BytesMut::with_capacity(size);
            data.extend_from_slice(part);
            self.partial = Some(Partial { timestamp, size, data });
        }
    }

    fn go_on(&mut self, cx: &mut Context<'_>, part: &[u8]) {
        let Some(mut partial) = self.partial.take() else { return };
        let missing = partial.size - partial.data.len();
        partial.data.extend_from_slice(part.get(..missing.min(part.len())).unwrap_or_default());
        if partial.data.len() < partial.size {
            self.partial = Some(partial);
        } else {
            self.give(cx, partial.timestamp, &partial.data);
        }
    }

    /// A whole access unit, perhaps with an ADTS header in front.
    fn give(&mut self, cx: &mut Context<'_>, timestamp: u32, unit: &[u8]) {
        let mut unit = unit;
        if let Some(adts) = aac::adts(unit)
            && adts.frame_len == unit.len()
        {
            cx.quirks.add(Quirk::AacAdts);
            unit = unit.get(adts.header_len..).unwrap_or_default();
            self.learn(adts.params);
        }
        if unit.is_empty() {
            return;
        }
        cx.give(Unit {
            timestamp,
            data: Bytes::copy_from_slice(unit),
            random_access: true,
            damaged: std::mem::take(&mut self.lost),
            reordered: false,
            params: Arc::clone(&self.params),
        });
    }

    /// What an ADTS header says, unless the SDP said the same, perhaps with more words: of SBR an
    /// ADTS header tells the rate of the core only.
    fn learn(&mut self, seen: aac::Params) {
        let same = match &*self.params {
            Params::Aac(known) => {
                let core = if known.frame_samples() > aac::FRAME_SAMPLES { 2 } else { 1 };
                let rates = [known.sample_rate, known.sample_rate / core];
                rates.contains(&seen.sample_rate) && (known.channels == seen.channels || core == 2)
            }
            _ => false,
        };
        if !same {
            self.params = Arc::new(Params::Aac(seen));
        }
    }

    /// Ticks of the track's clock from one access unit to the next.
    fn unit_ticks(&self) -> u32 {
        let Params::Aac(params) = &*self.params else { return aac::FRAME_SAMPLES };
        let samples = u64::from(params.frame_samples()) * u64::from(self.rate.get());
        let ticks = samples / u64::from(params.sample_rate.max(1));
        u32::try_from(ticks).unwrap_or(aac::FRAME_SAMPLES)
    }

    pub(super) fn reset(&mut self) {
        self.partial = None;
        self.lost = false;
    }

    pub(super) const fn params(&self) -> &Arc<Params> {
        &self.params
    }
}

/// What the AU headers of one packet say.
struct Sizes {
    list: [u16; AUS_MAX],
    count: usize,
}

/// Sizes of the access units, and where they begin.
fn units(payload: &[u8], header: AuHeader) -> Option<(Sizes, &[u8])> {
    let (&[hi, lo], rest) = payload.split_first_chunk()?;
    let bits = usize::from(u16::from_be_bytes([hi, lo]));
    let (headers, data) = rest.split_at_checked(bits.div_ceil(8))?;
    let mut sizes = Sizes { list: [0; AUS_MAX], count: 0 };
    let mut at = 0;
    let (size, first, later) = (
        usize::from(header.size_bits),
        usize::from(header.index_bits),
        usize::from(header.index_delta_bits),
    );
    while at + size <= bits && size > 0 {
        let value = u16::try_from(read_bits(headers, at, size)?).ok()?;
        *sizes.list.get_mut(sizes.count)? = value;
        sizes.count += 1;
        at += size + if sizes.count == 1 { first } else { later };
    }
    (sizes.count > 0).then_some((sizes, data))
}

fn read_bits(data: &[u8], from: usize, count: usize) -> Option<u32> {
    (from..from + count.min(32)).try_fold(0, |value, at| {
        let byte = data.get(at / 8)?;
        Some(value << 1 | u32::from(byte >> (7 - at % 8) & 1))
    })
}
