//! What happens to a picture's NAL units before they are put into packets.

use crate::clip::{Codec, Unit, is_parameter_set, is_slice, nal_type, number_sei};
use crate::{Config, Quirk as Q};

/// A parameter set as this camera sends it, in band or in the SDP.
pub(crate) fn parameter_set(config: &Config, codec: Codec, mut nal: Vec<u8>) -> Vec<u8> {
    let sps = if codec == Codec::H265 { 33 } else { 7 };
    if nal_type(codec, &nal) == sps {
        if config.has(Q::SpsTrailing) {
            nal.extend([0, 0]);
        }
        if config.form(Q::SpsHard, 1) {
            nal.truncate(nal.len().saturating_sub(4).max(8));
        }
    }
    nal
}

/// The units of one picture. `number` counts from PLAY.
pub(crate) fn picture(config: &Config, codec: Codec, unit: &Unit, number: u64) -> Vec<Vec<u8>> {
    if !matches!(codec, Codec::H264 | Codec::H265) {
        return unit.nals.clone();
    }
    let keep_sets = if config.has(Q::PsSdpOnly) {
        false
    } else if config.has(Q::PsInbandOnly) {
        // The clip has a key frame each 15 pictures, a second at the usual rate.
        let second = number / 15;
        second >= 2 && (second - 2).is_multiple_of(config.timers.inband_s)
    } else {
        true
    };
    let mut nals = Vec::with_capacity(unit.nals.len() + 1);
    for nal in &unit.nals {
        if is_parameter_set(codec, nal) {
            if keep_sets {
                nals.push(parameter_set(config, codec, nal.clone()));
            }
            continue;
        }
        if config.number && is_slice(codec, nal) && !nals.iter().any(|n| is_slice(codec, n)) {
            nals.push(number_sei(codec, number));
        }
        nals.push(nal.clone());
    }
    if config.form(Q::NalAnnexb, 0) && unit.key {
        return glued(codec, nals);
    }
    nals
}

/// Parameter sets and everything behind them as one unit, start codes inside.
fn glued(codec: Codec, nals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut long: Vec<u8> = Vec::new();
    for nal in nals {
        if !long.is_empty() {
            long.extend([0, 0, 0, 1]);
            long.extend(nal);
        } else if is_parameter_set(codec, &nal) {
            long = nal;
        } else {
            out.push(nal);
        }
    }
    out.push(long);
    out
}
