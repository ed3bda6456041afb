mod jpeg;
mod nal;
mod round_trip;
mod sound;

use media::codec::{h264, h265};

use super::*;
use crate::quirk::Quirk;
use crate::rtp::Header;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The only place of these tests that needs an instant to start from.
#[allow(clippy::disallowed_methods)]
fn start() -> Instant {
    Instant::now()
}

/// 1920x1080 without reordering, 640x362, and the second with another quantizer.
const SPS: &str = "67640028acb200f0044fcb8088000003000800000301e078c19240";
const PPS: &str = "68ebc3cb22c0";
const OTHER_SPS: &str = "6742c016d900a02ff930110000030001000003001e0f162e48";
const OTHER_PPS: &str = "68cb83cb20";
const HEVC: [&str; 3] = [
    "40010c01ffff016000000300900000030000030078928090",
    "420101016000000300900000030000030078a003c08010e5964a924caf016808000003000800000300c840",
    "4401c172b46240",
];

fn avc_params() -> Params {
    Params::H264(h264::Params::parse(&hex(SPS), &hex(PPS)).unwrap())
}

fn hevc_params() -> Params {
    let [vps, sps, pps] = HEVC.map(hex);
    Params::H265(h265::Params::parse(&vps, &sps, &pps).unwrap())
}

/// NAL units with their lengths in front.
fn prefixed(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|u| [&(u.len() as u32).to_be_bytes()[..], u].concat()).collect()
}

struct Line {
    depacketizer: Depacketizer,
    quirks: QuirkCounts,
    now: Instant,
    units: Vec<Unit>,
}

impl Line {
    fn new(params: Params) -> Self {
        Self::with_rate(params, 90_000)
    }

    fn with_rate(params: Params, rate: u32) -> Self {
        let rate = Rate::new(rate).unwrap();
        let depacketizer = Depacketizer::new(Arc::new(params), rate, AuHeader::default());
        let (quirks, units) = (QuirkCounts::default(), Vec::new());
        Self { depacketizer, quirks, now: start(), units }
    }

    fn packet(&mut self, timestamp: u32, marker: bool, payload: &[u8]) {
        self.full(timestamp, marker, payload, None, false);
    }

    fn after_loss(&mut self, timestamp: u32, marker: bool, payload: &[u8]) {
        self.full(timestamp, marker, payload, None, true);
    }

    fn full(
        &mut self,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
        extension: Option<(u16, &[u8])>,
        lost: bool,
    ) {
        let header = Header { marker, payload_type: 96, seq: 0, timestamp, ssrc: 1 };
        let packet = Packet { header, extension, payload };
        self.depacketizer.push(self.now, &packet, lost, &mut self.quirks);
        self.take();
    }

    fn take(&mut self) {
        while let Some(unit) = self.depacketizer.pop() {
            self.units.push(unit);
        }
    }

    fn flush(&mut self) {
        self.depacketizer.flush(self.now, &mut self.quirks);
        self.take();
    }

    /// The next unit that came out.
    fn unit(&mut self) -> Unit {
        assert!(!self.units.is_empty(), "no unit; {:?}", self.quirks.list());
        self.units.remove(0)
    }

    fn count(&self, quirk: Quirk) -> u64 {
        self.quirks.get(quirk)
    }

    /// Nothing else was seen than these.
    fn saw(&self, quirks: &[(Quirk, u64)]) {
        assert_eq!(self.quirks.list(), quirks);
    }
}

/// Every byte of `packets` cut and changed: nothing panics.
fn torture(params: &Params, packets: &[Vec<u8>]) {
    for (i, packet) in packets.iter().enumerate() {
        for at in 0..packet.len().min(64) {
            let mut line = Line::new(params.clone());
            for (j, other) in packets.iter().enumerate() {
                let mut changed = other.clone();
                if i == j {
                    changed[at] ^= 0xff;
                    line.packet(1, false, &packet[..at]);
                }
                line.packet(1, j + 1 == packets.len(), &changed);
            }
            line.packet(2, true, packet);
            line.flush();
        }
    }
}
