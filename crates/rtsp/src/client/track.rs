//! One track of a session: packets in, frames out, and what goes back in receiver reports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use media::{Frame, Params, Ticks, Track, TrackId, TrackKind, Wall};

use crate::Now;
use crate::clock::{Arrival, Clock};
use crate::payload::{Depacketizer, Unit};
use crate::quirk::{Quirk, QuirkCounts};
use crate::reorder::{Fate, Reorder};
use crate::rtcp::{self, ReportBlock};
use crate::rtp::{Header, Packet, SeqUnwrap};
use crate::sdp::Media;

/// How long frames of a new session are kept to learn when they were taken: many cameras begin
/// with a burst of older pictures.
const SETTLE: Duration = Duration::from_millis(150);
/// Bytes that are kept for that at most.
const EARLY_BYTES_MAX: usize = 16 << 20;
/// A number further ahead than this is a new beginning, not a hole.
const JUMP: i64 = 3_000;
/// A number behind, but no further than this, was sent twice.
const BEHIND: i64 = -64;
/// Another sender whose numbers are as little ahead as this goes on where the last one was.
const NEAR: i64 = 64;
/// Key frames further apart than this deserve a word.
const LONG_US: i64 = 4_000_000;
const SMART_US: i64 = 8_000_000;
/// A datagram larger than this was fragmented on an Ethernet.
const ETHERNET_BYTES: usize = 1_472;
/// Off by more than this, RTP-Info's time means nothing.
const INFO_US_MAX: i64 = 10_000_000;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) track: Track,
    payload_type: u8,
    claimed: Option<(u32, u32)>,
    /// As SETUP announced it.
    announced: Option<u32>,
    info: Option<Info>,
    ssrc: Option<u32>,
    /// The first packet of another sender, which must send two in a row to be believed.
    newcomer: Option<Box<[u8]>>,
    /// When the sender said goodbye.
    pub(super) gone: Option<Instant>,
    seq: SeqUnwrap,
    reorder: Option<Reorder>,
    last: Option<i64>,
    /// Something is missing before the next packet of ours.
    hole: bool,
    depacketizer: Depacketizer,
    clock: Clock,
    /// The first picture that can be decoded has come: those before are of no use to anybody.
    joined: bool,
    early: Early,
    /// Lost and not told yet.
    pub(super) lost: u64,
    key: Option<Wall>,
    stats: Stats,
    checked: bool,
}

/// What PLAY announced: the first sequence number, and its time where one was named, readable or
/// not.
#[derive(Debug, Clone, Copy)]
struct Info {
    seq: Option<u16>,
    time: Option<Option<u32>>,
}

/// Frames of the first moment.
#[derive(Debug, Default)]
struct Early {
    since: Option<Instant>,
    over: bool,
    bytes: usize,
    kept: Vec<(Unit, Arrival)>,
}

/// What receiver reports say.
#[derive(Debug, Default)]
struct Stats {
    first: Option<i64>,
    highest: i64,
    received: u64,
    /// Expected and received at the last report.
    before: (u64, u64),
    /// Ticks, times 16 (RFC 3550, appendix A.8).
    jitter: u32,
    transit: Option<i64>,
    sender: Option<(u32, Instant)>,
}

impl Lane {
    pub(super) fn new(id: u8, media: &Media, udp: bool) -> Self {
        let params = Arc::clone(&media.params);
        Self {
            track: Track { id: TrackId(id), rate: media.rate, params: Arc::clone(&params) },
            payload_type: media.payload_type,
            claimed: media.size,
            announced: None,
            info: None,
            ssrc: None,
            newcomer: None,
            gone: None,
            seq: SeqUnwrap::default(),
            reorder: udp.then(Reorder::default),
            last: None,
            hole: false,
            depacketizer: Depacketizer::new(params, media.rate, media.header),
            clock: Clock::new(media.rate),
            joined: media.params.kind() != TrackKind::Video,
            early: Early::default(),
            lost: 0,
            key: None,
            stats: Stats::default(),
            checked: false,
        }
    }

    pub(super) const fn announce(&mut self, ssrc: Option<u32>) {
        self.announced = ssrc;
    }

    pub(super) const fn inform(&mut self, seq: Option<u16>, time: Option<Option<u32>>) {
        self.info = Some(Info { seq, time });
    }

    /// Whether anything came yet.
    pub(super) const fn has_media(&self) -> bool {
        self.ssrc.is_some()
    }

    /// Takes a packet as it came from the wire. True if it was one of this track.
    pub(super) fn packet(
        &mut self,
        data: &[u8],
        now: Now,
        out: &mut Vec<Frame>,
        quirks: &mut QuirkCounts,
    ) -> bool {
        let Ok(packet) = Packet::parse(data) else { return false };
        let header = packet.header;
        if header.payload_type != self.payload_type {
            quirks.add(Quirk::RtpPtUnknown);
            // It may still take a number in our sender's sequence.
            let ours = self.ssrc == Some(header.ssrc) && self.goes_on(header.seq);
            if ours {
                self.take(&packet, data, now, quirks);
            }
            return false;
        }
        match self.ssrc {
            None => {
                self.ssrc = Some(header.ssrc);
                if self.announced != Some(header.ssrc) {
                    quirks.add(Quirk::SsrcOther);
                }
                self.check_info(&packet, quirks);
            }
            Some(ssrc) if ssrc == header.ssrc => self.newcomer = None,
            Some(_) if self.goes_on(header.seq) => {
                quirks.add(Quirk::SsrcOther);
                self.ssrc = Some(header.ssrc);
            }
            Some(_) => {
                let first = self.newcomer.replace(data.into());
                let Some(first) = first.filter(|first| precedes(first, &header)) else {
                    return false;
                };
                self.newcomer = None;
                quirks.add(Quirk::SsrcOther);
                self.restart(header.ssrc);
                if let Ok(packet) = Packet::parse(&first) {
                    self.take(&packet, &first, now, quirks);
                }
            }
        }
        self.gone = None;
        self.take(&packet, data, now, quirks);
        self.collect(now, out, quirks);
        true
    }

    /// Whether `seq` is one of the next.
    fn goes_on(&self, seq: u16) -> bool {
        let mut ahead = self.seq;
        self.last.is_some_and(|last| (1..=NEAR).contains(&(ahead.unwrap(seq) - last)))
    }

    /// Another sender begins elsewhere in its numbers.
    fn restart(&mut self, ssrc: u32) {
        self.ssrc = Some(ssrc);
        self.seq.reset();
        self.stats = Stats::default();
        self.last = None;
        self.hole = false;
        self.reorder = self.reorder.take().map(|_| Reorder::default());
        self.depacketizer.reset();
        self.clock.break_off();
    }

    fn check_info(&self, packet: &Packet<'_>, quirks: &mut QuirkCounts) {
        let Some(Info { seq, time }) = self.info else { return };
        // Over UDP the first ones may be lost.
        let most = if self.reorder.is_some() { 64 } else { 0 };
        if seq.is_some_and(|s| packet.header.seq.wrapping_sub(s) > most) {
            quirks.add(Quirk::RtpinfoSeq);
        }
        let off = |time: u32| {
            let ticks = i64::from(packet.header.timestamp.wrapping_sub(time).cast_signed());
            self.track.rate.to_us(Ticks(ticks)).abs() > INFO_US_MAX
        };
        if time.is_some_and(|time| time.is_none_or(|t| t == 0 || off(t))) {
            quirks.add(Quirk::RtpinfoRtptime);
        }
    }

    /// A packet of our sender.
    fn take(&mut self, packet: &Packet<'_>, data: &[u8], now: Now, quirks: &mut QuirkCounts) {
        let seq = self.seq.unwrap(packet.header.seq);
        self.stats.take(seq, packet.header.timestamp, self.track.rate.get(), now);
        let Some(reorder) = &mut self.reorder else {
            return self.in_order(seq, packet, now, quirks);
        };
        if data.len() > ETHERNET_BYTES {
            quirks.add(Quirk::TrUdpJumbo);
        }
        match reorder.push(seq, data, now.mono) {
            Fate::Now => self.in_order(seq, packet, now, quirks),
            Fate::Kept | Fate::Dropped => {
                quirks.add(Quirk::TrUdpLoss);
            }
        }
        self.release(now, quirks);
    }

    /// Packets that are due now.
    fn release(&mut self, now: Now, quirks: &mut QuirkCounts) {
        while let Some(kept) = self.reorder.as_mut().and_then(|r| r.pop(now.mono)) {
            if let Ok(packet) = Packet::parse(&kept) {
                let mut near = self.seq;
                let seq = near.unwrap(packet.header.seq);
                self.in_order(seq, &packet, now, quirks);
            }
        }
    }

    /// A packet behind which none comes that belongs before it.
    fn in_order(&mut self, seq: i64, packet: &Packet<'_>, now: Now, quirks: &mut QuirkCounts) {
        let step = self.last.map_or(1, |last| seq - last);
        match step {
            // Sent twice, or too late: over TCP that is a camera's mistake.
            BEHIND..=0 => return,
            1 => {}
            2..=JUMP => {
                if self.reorder.is_some() {
                    quirks.add(Quirk::TrUdpLoss);
                }
                self.lost += u64::try_from(step - 1).unwrap_or(0);
                self.hole = true;
            }
            // The numbers begin anew. What lies between, nobody knows.
            _ => {
                self.hole = true;
                self.stats = Stats::default();
            }
        }
        self.last = Some(seq);
        if packet.header.payload_type == self.payload_type {
            let lost = std::mem::take(&mut self.hole);
            self.depacketizer.push(now.mono, packet, lost, quirks);
        }
    }

    /// What is due without a packet.
    pub(super) fn timeout(&mut self, now: Now, out: &mut Vec<Frame>, quirks: &mut QuirkCounts) {
        self.release(now, quirks);
        if self.depacketizer.deadline().is_some_and(|at| at <= now.mono) {
            self.depacketizer.flush(now.mono, quirks);
        }
        self.collect(now, out, quirks);
    }

    /// Everything that is left.
    pub(super) fn finish(&mut self, now: Now, out: &mut Vec<Frame>, quirks: &mut QuirkCounts) {
        self.depacketizer.flush(now.mono, quirks);
        self.early.over = true;
        self.collect(now, out, quirks);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let early = self.early.since.filter(|_| !self.early.over).map(|at| at + SETTLE);
        let reorder = self.reorder.as_ref().and_then(Reorder::deadline);
        [early, reorder, self.depacketizer.deadline()].into_iter().flatten().min()
    }

    fn collect(&mut self, now: Now, out: &mut Vec<Frame>, quirks: &mut QuirkCounts) {
        while let Some(unit) = self.depacketizer.pop() {
            let arrival = self.clock.arrive(unit.timestamp, unit.reordered, now, quirks);
            self.joined |= unit.random_access;
            if !self.joined {
                continue;
            }
            if self.early.over && self.early.kept.is_empty() {
                let frame = self.frame(unit, arrival, quirks);
                out.push(frame);
                continue;
            }
            self.early.since.get_or_insert(now.mono);
            self.early.bytes += unit.data.len();
            self.early.kept.push((unit, arrival));
        }
        let long = self.early.since.is_some_and(|at| now.mono >= at + SETTLE);
        self.early.over |= long || self.early.bytes > EARLY_BYTES_MAX;
        if self.early.over && !self.early.kept.is_empty() {
            let reordered = self.early.kept.iter().any(|(u, _)| u.reordered);
            for (mut unit, arrival) in std::mem::take(&mut self.early.kept) {
                unit.reordered |= reordered;
                let frame = self.frame(unit, arrival, quirks);
                out.push(frame);
            }
            self.early.bytes = 0;
            self.clock.settle();
        }
    }

    fn frame(&mut self, unit: Unit, arrival: Arrival, quirks: &mut QuirkCounts) -> Frame {
        let stamp = self.clock.stamp(arrival, unit.reordered);
        if self.track.kind() == TrackKind::Video {
            self.look(&unit, stamp.wall, quirks);
        }
        Frame {
            track: self.track.id,
            pts: stamp.pts,
            dts: stamp.dts,
            wall: stamp.wall,
            random_access: unit.random_access,
            damaged: unit.damaged,
            discontinuity: stamp.discontinuity,
            params: unit.params,
            data: unit.data,
        }
    }

    /// What only shows over several pictures.
    fn look(&mut self, unit: &Unit, wall: Wall, quirks: &mut QuirkCounts) {
        if unit.random_access {
            self.key = Some(wall);
        } else if let Some(key) = self.key {
            let us = wall.us_since(key);
            if us > SMART_US {
                quirks.add(Quirk::GopSmart);
                self.key = None;
            } else if us > LONG_US && quirks.get(Quirk::GopLong) == 0 {
                quirks.add(Quirk::GopLong);
            }
        }
        if let Some((width, height)) = unit.params.resolution()
            && !self.checked
        {
            self.checked = true;
            let lies = self.claimed.is_some_and(|claimed| claimed != (width, height));
            if lies && quirks.get(Quirk::ResLie) == 0 {
                quirks.add(Quirk::ResLie);
            }
            if matches!(*unit.params, Params::H265(_)) && width.max(height) >= 3_840 {
                quirks.add(Quirk::H265Only4k);
            }
        }
    }

    /// Takes an RTCP compound.
    pub(super) fn rtcp(&mut self, data: &[u8], now: Now, quirks: &mut QuirkCounts) {
        for packet in rtcp::packets(data) {
            let report = match packet {
                rtcp::Packet::Sender { report, .. } => report,
                rtcp::Packet::Bye { ssrc: Some(ssrc) } if self.ssrc == Some(ssrc) => {
                    self.gone = Some(now.mono);
                    continue;
                }
                _ => continue,
            };
            if self.ssrc.or(self.announced).is_some_and(|ssrc| ssrc != report.ssrc) {
                quirks.add(Quirk::RtcpUnknownSsrc);
                continue;
            }
            self.clock.report(report.ntp, report.rtp, now, quirks);
            let middle = u32::try_from(report.ntp >> 16 & 0xffff_ffff).unwrap_or(0);
            self.stats.sender = Some((middle, now.mono));
        }
    }

    /// The report block about this track.
    pub(super) fn block(&mut self, now: Now) -> Option<ReportBlock> {
        Some(self.stats.block(self.ssrc?, now))
    }
}

/// Whether `first` is the packet before the one with this header.
fn precedes(first: &[u8], header: &Header) -> bool {
    Packet::parse(first)
        .is_ok_and(|p| p.header.ssrc == header.ssrc && p.header.seq.wrapping_add(1) == header.seq)
}

impl Stats {
    fn take(&mut self, seq: i64, timestamp: u32, rate: u32, now: Now) {
        if self.first.is_none() {
            *self = Self { first: Some(seq), highest: seq, ..Self::default() };
        }
        self.highest = self.highest.max(seq);
        self.received += 1;
        let arrival = i128::from(now.wall.0) * i128::from(rate) / 1_000_000;
        // Only differences count; both clocks wrap alike.
        let arrival = i64::try_from(arrival & 0xffff_ffff).unwrap_or(0);
        let transit = arrival - i64::from(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let d = u32::try_from((transit - before).abs()).unwrap_or(u32::MAX).min(1 << 20);
            self.jitter = self.jitter.saturating_add(d) - (self.jitter.saturating_add(8) >> 4);
        }
    }

    fn block(&mut self, ssrc: u32, now: Now) -> ReportBlock {
        let first = self.first.unwrap_or(self.highest);
        let expected = u64::try_from(self.highest - first + 1).unwrap_or(0);
        let (expected_before, received_before) = self.before;
        let due = expected.saturating_sub(expected_before);
        let came = self.received.saturating_sub(received_before);
        self.before = (expected, self.received);
        let fraction = (due.saturating_sub(came) * 256).checked_div(due).unwrap_or(0).min(255);
        let lost = i64::try_from(expected).unwrap_or(0) - i64::try_from(self.received).unwrap_or(0);
        let (last_sr, delay) = self.sender.map_or((0, 0), |(ntp, at)| {
            let passed = now.mono.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000;
            (ntp, u32::try_from(passed).unwrap_or(u32::MAX))
        });
        ReportBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(255),
            lost: i32::try_from(lost.clamp(-0x7f_ffff, 0x7f_ffff)).unwrap_or(0),
            highest: u32::try_from(self.highest & 0xffff_ffff).unwrap_or(0),
            jitter: self.jitter >> 4,
            last_sr,
            delay,
        }
    }
}
