//! H.264 (RFC 6184, non-interleaved mode): single NAL units, STAP-A and FU-A.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::Params;
use media::codec::{Codec, h264, nal};

use super::Context;
use super::access_unit::{Assembler, Picture, Role, Syntax};
use crate::quirk::{Quirk, QuirkCounts};
use crate::rtp::Packet;

const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
const FU_RESERVED: u8 = 0x20;
/// Payload type of an SEI message that says where decoding may begin.
const RECOVERY_POINT: u8 = 6;

#[derive(Debug)]
pub(super) struct Depacketizer {
    units: Assembler<Avc>,
}

impl Depacketizer {
    pub(super) fn new(params: Arc<Params>) -> Self {
        Self { units: Assembler::new(Avc::new(params)) }
    }

    pub(super) fn push(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, lost_before: bool) {
        let units = &mut self.units;
        let payload = packet.payload;
        let Some(&first) = payload.first() else { return };
        units.begin(cx, &packet.header, lost_before);
        if payload.starts_with(&[0, 0]) {
            units.unit(cx, payload);
        } else {
            match h264::unit_type(first) {
                1..=23 => units.unit(cx, payload),
                STAP_A => units.aggregate(cx, payload.get(1..).unwrap_or_default()),
                FU_A => fragment(units, cx, payload),
                // STAP-B, MTAP and FU-B belong to the interleaved mode, which no camera has.
                _ => units.damage(),
            }
        }
        units.end(cx, packet.header.marker);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.units.deadline()
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        self.units.flush(cx);
    }

    pub(super) fn reset(&mut self) {
        self.units.reset();
    }

    pub(super) fn params(&self) -> &Arc<Params> {
        self.units.syntax.params()
    }
}

fn fragment(units: &mut Assembler<Avc>, cx: &mut Context<'_>, payload: &[u8]) {
    let &[indicator, flags, ref body @ ..] = payload else { return units.damage() };
    let kind = h264::unit_type(flags);
    let last = flags & FU_END != 0;
    if flags & FU_START == 0 {
        // A set reserved bit makes it differ from the first one.
        let seen = if flags & FU_RESERVED == 0 { kind } else { kind | FU_RESERVED };
        return units.fragment_next(cx, seen, body, last);
    }
    let header = indicator & !0x1f | kind;
    if flags & FU_RESERVED != 0 {
        cx.quirks.add(Quirk::FuType);
    }
    if last {
        if is_whole(header, body) {
            cx.quirks.add(Quirk::FuEmpty);
            return units.unit(cx, body);
        }
        cx.quirks.add(Quirk::FuStartEnd);
    } else if body.is_empty() {
        cx.quirks.add(Quirk::FuEmpty);
    }
    units.fragment_first(cx, kind, &[header], body);
    if last {
        units.fragment_end(cx);
    }
}

/// Whether a lone fragment holds a unit with its header once more. An SEI message may begin with
/// the same byte as its unit: a recovery point, which is one byte long.
fn is_whole(header: u8, body: &[u8]) -> bool {
    body.first() == Some(&header)
        && !(h264::unit_type(header) == h264::SEI && body.get(1) == Some(&1))
}

/// What is known of one track.
#[derive(Debug)]
struct Avc {
    params: Arc<Params>,
    /// The sets seen last; those of `params` unless they could not be used together yet.
    sps: Bytes,
    pps: Bytes,
    /// `params` came in band.
    in_band: bool,
    b_slices: bool,
}

impl Avc {
    fn new(params: Arc<Params>) -> Self {
        let (sps, pps) = match &*params {
            Params::H264(p) => (p.sps.clone(), p.pps.clone()),
            _ => (Bytes::new(), Bytes::new()),
        };
        Self { params, sps, pps, in_band: false, b_slices: false }
    }

    /// Both sets, of which at least one is new.
    fn learn(&mut self, quirks: &mut QuirkCounts) {
        if self.sps.is_empty() || self.pps.is_empty() {
            return;
        }
        let new = h264::Params::parse(&self.sps, &self.pps).unwrap_or_else(|_| {
            quirks.add(Quirk::SpsHard);
            self.guess()
        });
        match &*self.params {
            Params::H264(old) => {
                let size = |p: &h264::Params| (p.width, p.height, p.codec_string());
                if self.in_band && size(old) == size(&new) {
                    quirks.add(Quirk::SpsFlap);
                }
            }
            _ => {
                quirks.add(Quirk::PsInbandOnly);
            }
        }
        self.in_band = true;
        self.b_slices = false;
        self.params = Arc::new(Params::H264(new));
    }

    /// What can be told of sets that cannot be read: a decoder may know better.
    fn guess(&self) -> h264::Params {
        let (width, height) = self.params.resolution().unwrap_or_default();
        let byte = |at: usize| self.sps.get(at).copied().unwrap_or(0);
        h264::Params {
            sps: self.sps.clone(),
            pps: self.pps.clone(),
            width,
            height,
            profile: byte(1),
            constraints: byte(2),
            level: byte(3),
            frame_rate: None,
            reordered: false,
        }
    }
}

impl Syntax for Avc {
    fn role(unit: &[u8]) -> Role {
        let Some(&first) = unit.first() else { return Role::Invalid };
        match h264::unit_type(first) {
            0 | 24.. => Role::Invalid,
            // Partitions B and C continue a slice.
            3 | 4 => Role::Slice { first: false },
            1 | 2 | h264::IDR => Role::Slice { first: h264::first_mb_in_slice(unit) == Some(0) },
            h264::SPS | h264::PPS => Role::Set,
            h264::SEI | h264::AUD | 14..=18 => Role::Front,
            _ => Role::Other,
        }
    }

    fn picture(&mut self, data: &[u8], quirks: &mut QuirkCounts) -> Option<Picture> {
        let (mut sps, mut pps): (Option<&[u8]>, Option<&[u8]>) = (None, None);
        let (mut idr, mut b, mut recovery) = (false, false, false);
        for unit in nal::prefixed(data) {
            let Some(&first) = unit.first() else { continue };
            match h264::unit_type(first) {
                h264::IDR => idr = true,
                h264::SLICE => b |= h264::is_b_slice(unit),
                // Of several the first is what the main picture uses.
                h264::SPS if sps.is_none() => sps = Some(nal::trim_zeros(unit)),
                h264::PPS if pps.is_none() => pps = Some(nal::trim_zeros(unit)),
                h264::SEI => recovery |= unit.get(1) == Some(&RECOVERY_POINT),
                _ => {}
            }
            if h264::unit_type(first) == h264::SPS && unit.ends_with(&[0]) {
                quirks.add(Quirk::SpsTrailing);
            }
        }
        let fits = |set: &&[u8]| set.len() <= h264::SET_BYTES_MAX;
        let new_sps = sps.filter(fits).filter(|s| **s != self.sps);
        let new_pps = pps.filter(fits).filter(|s| **s != self.pps);
        if new_sps.is_some() || new_pps.is_some() {
            self.sps = new_sps.map_or_else(|| self.sps.clone(), Bytes::copy_from_slice);
            self.pps = new_pps.map_or_else(|| self.pps.clone(), Bytes::copy_from_slice);
            self.learn(quirks);
        }
        let known = matches!(*self.params, Params::H264(_));
        self.in_band |= known && sps.is_some() && pps.is_some();
        if idr && known && !self.in_band && sps.is_none() && pps.is_none() {
            quirks.add(Quirk::PsSdpOnly);
        }
        if recovery && !idr {
            quirks.add(Quirk::IdrOpen);
        }
        if b {
            quirks.add(Quirk::Bframes);
            self.b_slices = true;
        }
        let said = matches!(&*self.params, Params::H264(p) if p.reordered);
        Some(Picture {
            random_access: idr && known,
            reordered: said || self.b_slices,
            params: Arc::clone(&self.params),
        })
    }

    fn reset(&mut self) {}

    fn params(&self) -> &Arc<Params> {
        debug_assert_eq!(self.params.codec(), Codec::H264, "a track keeps its codec");
        &self.params
    }
}
