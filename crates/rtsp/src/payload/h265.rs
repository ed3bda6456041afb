//! H.265 (RFC 7798, without DONL): single NAL units, aggregates and fragments.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::Params;
use media::codec::{h265, nal};

use super::Context;
use super::access_unit::{Assembler, Picture, Role, Syntax};
use crate::quirk::{Quirk, QuirkCounts};
use crate::rtp::Packet;

const AP: u8 = 48;
const FU: u8 = 49;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
const FU_TYPE: u8 = 0x3f;

#[derive(Debug)]
pub(super) struct Depacketizer {
    units: Assembler<Hevc>,
}

impl Depacketizer {
    pub(super) fn new(params: Arc<Params>) -> Self {
        Self { units: Assembler::new(Hevc::new(params)) }
    }

    pub(super) fn push(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, lost_before: bool) {
        let units = &mut self.units;
        let payload = packet.payload;
        let Some(&[first, second]) = payload.first_chunk() else { return };
        units.begin(cx, &packet.header, lost_before);
        if [first, second] == [0, 0] {
            units.unit(cx, payload);
        } else {
            match h265::unit_type(first) {
                0..=47 => units.unit(cx, payload),
                AP => units.aggregate(cx, payload.get(2..).unwrap_or_default()),
                FU => fragment(units, cx, payload),
                // PACI, which nobody sends, and what is not specified.
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

fn fragment(units: &mut Assembler<Hevc>, cx: &mut Context<'_>, payload: &[u8]) {
    let &[first, second, flags, ref body @ ..] = payload else { return units.damage() };
    let kind = flags & FU_TYPE;
    let last = flags & FU_END != 0;
    if flags & FU_START == 0 {
        return units.fragment_next(cx, kind, body, last);
    }
    let header = [first & 0x81 | kind << 1, second];
    if last {
        if body.starts_with(&header) {
            cx.quirks.add(Quirk::FuEmpty);
            return units.unit(cx, body);
        }
        cx.quirks.add(Quirk::FuStartEnd);
    } else if body.is_empty() {
        cx.quirks.add(Quirk::FuEmpty);
    }
    units.fragment_first(cx, kind, &header, body);
    if last {
        units.fragment_end(cx);
    }
}

/// What is known of one track.
#[derive(Debug)]
struct Hevc {
    params: Arc<Params>,
    /// VPS, SPS and PPS as seen last; those of `params` unless they could not be used yet.
    sets: [Bytes; 3],
    /// `params` came in band.
    in_band: bool,
    leading: Leading,
}

/// What becomes of leading pictures that refer to what was before their CRA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leading {
    /// No random-access picture came yet.
    Unjoined,
    /// Their CRA is the first picture: they cannot be decoded.
    Drop,
    /// They can.
    Keep,
}

impl Hevc {
    fn new(params: Arc<Params>) -> Self {
        let sets = match &*params {
            Params::H265(p) => [p.vps.clone(), p.sps.clone(), p.pps.clone()],
            _ => Default::default(),
        };
        Self { params, sets, in_band: false, leading: Leading::Unjoined }
    }

    /// The sets, of which at least one is new.
    fn learn(&mut self, quirks: &mut QuirkCounts) {
        let [vps, sps, pps] = &self.sets;
        if vps.is_empty() || sps.is_empty() || pps.is_empty() {
            return;
        }
        let new = h265::Params::parse(vps, sps, pps).unwrap_or_else(|_| {
            quirks.add(Quirk::SpsHard);
            self.guess()
        });
        match &*self.params {
            Params::H265(old) => {
                let size = |p: &h265::Params| (p.width, p.height, p.codec_string());
                if self.in_band && size(old) == size(&new) {
                    quirks.add(Quirk::SpsFlap);
                }
            }
            _ => {
                quirks.add(Quirk::PsInbandOnly);
            }
        }
        self.in_band = true;
        self.params = Arc::new(Params::H265(new));
    }

    /// What can be told of sets that cannot be read: a decoder may know better.
    fn guess(&self) -> h265::Params {
        let [vps, sps, pps] = self.sets.clone();
        let (width, height) = self.params.resolution().unwrap_or_default();
        let level = sps.get(3..).and_then(|s| s.first_chunk()).copied().unwrap_or_default();
        h265::Params {
            vps,
            sps,
            pps,
            width,
            height,
            profile_tier_level: level,
            chroma_format: 1,
            luma_bits: 8,
            chroma_bits: 8,
            frame_rate: None,
            reordered: false,
        }
    }

    /// What the type of a picture says; false if it is not to be given out.
    fn join(&mut self, picture: u8, known: bool) -> bool {
        if h265::is_irap(picture) && known {
            // IDR has none that refer to what was before.
            let first = self.leading == Leading::Unjoined && !matches!(picture, 19 | 20);
            self.leading = if first { Leading::Drop } else { Leading::Keep };
        }
        !(h265::is_rasl(picture) && self.leading == Leading::Drop)
    }
}

impl Syntax for Hevc {
    fn role(unit: &[u8]) -> Role {
        let &[first, _, ..] = unit else { return Role::Invalid };
        match h265::unit_type(first) {
            0..=31 => Role::Slice { first: h265::first_slice_in_picture(unit) },
            h265::VPS | h265::SPS | h265::PPS => Role::Set,
            h265::AUD | h265::SEI | 41..=44 => Role::Front,
            48.. => Role::Invalid,
            _ => Role::Other,
        }
    }

    fn picture(&mut self, data: &[u8], quirks: &mut QuirkCounts) -> Option<Picture> {
        let mut seen: [Option<&[u8]>; 3] = [None; 3];
        let mut picture = None;
        for unit in nal::prefixed(data) {
            let Some(&first) = unit.first() else { continue };
            let kind = h265::unit_type(first);
            let slot = match kind {
                h265::VPS => 0,
                h265::SPS => 1,
                h265::PPS => 2,
                kind => {
                    if h265::is_vcl(kind) {
                        picture.get_or_insert(kind);
                    }
                    continue;
                }
            };
            if kind == h265::SPS && unit.ends_with(&[0]) {
                quirks.add(Quirk::SpsTrailing);
            }
            // Of several the first is what the main picture uses.
            if let Some(slot @ None) = seen.get_mut(slot) {
                *slot = Some(nal::trim_zeros(unit));
            }
        }
        let mut news = false;
        for (known, seen) in self.sets.iter_mut().zip(seen) {
            let fits = |s: &&[u8]| s.len() <= media::codec::h264::SET_BYTES_MAX;
            if let Some(set) = seen.filter(fits).filter(|s| **s != **known) {
                *known = Bytes::copy_from_slice(set);
                news = true;
            }
        }
        if news {
            self.learn(quirks);
        }
        let picture = picture?;
        let irap = h265::is_irap(picture);
        let known = match &*self.params {
            Params::H265(p) => Some(p.reordered),
            _ => None,
        };
        self.in_band |= known.is_some() && seen.iter().all(Option::is_some);
        if irap && known.is_some() && !self.in_band && seen.iter().all(Option::is_none) {
            quirks.add(Quirk::PsSdpOnly);
        }
        if irap && known == Some(true) {
            quirks.add(Quirk::Bframes);
        }
        if picture == h265::CRA {
            quirks.add(Quirk::IdrOpen);
        }
        if !self.join(picture, known.is_some()) {
            return None;
        }
        Some(Picture {
            random_access: irap && known.is_some(),
            reordered: known == Some(true),
            params: Arc::clone(&self.params),
        })
    }

    fn reset(&mut self) {
        self.leading = Leading::Unjoined;
    }

    fn params(&self) -> &Arc<Params> {
        &self.params
    }
}
