//! The media clock: which packets leave when, with their RTP headers and sender reports.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::camera::Shared;
use crate::clip::{Clip, Codec};
use crate::describe;
use crate::pack::{self, Packet};
use crate::stats::SentFrame;
use crate::{Faults, Quirk as Q, twist};

/// Something to do on the wire.
#[derive(Debug)]
pub(crate) enum Emit {
    /// An RTP packet of a lane.
    Rtp { lane: usize, bytes: Vec<u8> },
    /// An RTCP packet of a lane.
    Rtcp { lane: usize, bytes: Vec<u8> },
    /// An interleaved packet on any channel; nothing on UDP.
    Channel(u8, Vec<u8>),
    /// Bytes between interleaved packets; nothing on UDP.
    Between(Vec<u8>),
    /// Random bytes instead of packets, on any transport.
    Garbage(Vec<u8>),
    /// The lane's frame went out.
    Sent(SentFrame),
    /// The lane threw a packet away.
    Lost,
    /// Send and answer nothing more, and do not close.
    HalfOpen,
    /// Close the connection.
    Close,
}

/// A small generator of numbers that look random (xorshift).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| (self.roll() >> 32) as u8).collect()
    }
}

/// One media that plays.
struct Lane {
    track: usize,
    clip: Clip,
    payload_type: u8,
    ssrc: u32,
    seq: u16,
    base: u32,
    /// Number of the next unit since PLAY.
    next: u64,
    /// Number of the unit with which the present clip began.
    origin: u64,
    packets: u32,
    octets: u32,
    /// Timestamp and moment of the last unit.
    last: Option<(u32, Instant)>,
    reported: Option<Instant>,
}

/// A session that plays.
pub(crate) struct Play {
    start: Instant,
    started: Instant,
    connection: u64,
    lanes: Vec<Lane>,
    dice: Dice,
    frozen: Option<(u64, u32)>,
}

impl Play {
    /// Starts now; `setups` are track and announced SSRC of each lane.
    pub(crate) fn new(shared: &Shared, connection: u64, setups: &[(usize, u32)]) -> Self {
        let mut dice = Dice::new(shared.config.seed ^ (connection + 1) << 32);
        let clips = describe::tracks(shared);
        let lanes = setups
            .iter()
            .filter_map(|&(track, ssrc)| Some((track, ssrc, (*clips.get(track)?).clone())))
            .map(|(track, ssrc, clip)| Lane {
                track,
                payload_type: describe::payload_type(shared, clip.codec),
                ssrc: if shared.has(Q::SsrcOther) { ssrc ^ 0x5555 } else { ssrc },
                // Both counters wrap within the first seconds: every test sees it.
                seq: 0xffe0 - (dice.roll() % 16) as u16,
                base: u32::MAX - clip.clock - (dice.roll() % 1000) as u32,
                clip,
                next: 0,
                origin: 0,
                packets: 0,
                octets: 0,
                last: None,
                reported: None,
            })
            .collect();
        Self {
            start: Instant::now(),
            started: shared.started,
            connection,
            lanes,
            dice,
            frozen: None,
        }
    }

    /// `RTP-Info` for the answer to PLAY; ask before the first step.
    pub(crate) fn rtp_info(&self, shared: &Shared) -> String {
        let config = &shared.config;
        let entry = |lane: &Lane| {
            let mut url = describe::track_url(shared, lane.track);
            let (mut seq, mut time) = (lane.seq.to_string(), lane.base.to_string());
            if config.has(Q::RtpinfoSeq) {
                seq = config.variant.to_string();
            }
            if config.has(Q::RtpinfoRtptime) {
                time = match config.variant {
                    0 => "0".into(),
                    1 => "abc".into(),
                    _ => lane.base.wrapping_sub(1_234_567_890).to_string(),
                };
                if config.variant == 2 {
                    url = format!("rtsp://10.9.9.9/other/{}", lane.track);
                }
            }
            format!("url={url};seq={seq};rtptime={time}")
        };
        let mut entries: Vec<String> = self.lanes.iter().map(entry).collect();
        if shared.has(Q::SessSetupSubset) {
            entries.push(format!("url={};seq=7;rtptime=7", describe::track_url(shared, 5)));
        }
        let tail = if config.form(Q::RtpinfoRtptime, 1) { ";" } else { "" };
        entries.join(",") + tail
    }

    /// When the next unit leaves.
    pub(crate) fn due(&self, shared: &Shared) -> Instant {
        self.first(shared).map_or_else(|| Instant::now() + Duration::from_secs(1), |(_, at)| at)
    }

    fn first(&self, shared: &Shared) -> Option<(usize, Instant)> {
        let due = |lane: &Lane| {
            let mut seconds = lane.seconds(shared);
            if shared.has(Q::TrTcpStall) {
                seconds = (seconds * 2.0).ceil() / 2.0;
            }
            self.start + Duration::from_secs_f64(seconds)
        };
        self.lanes.iter().map(due).enumerate().min_by_key(|&(_, at)| at)
    }

    /// Everything that is due.
    pub(crate) fn step(&mut self, shared: &Shared, now: Instant) -> Vec<Emit> {
        let mut out = Vec::new();
        let faults = shared.faults();
        while let Some((lane, at)) = self.first(shared)
            && at <= now
        {
            let pictures = self.lanes[lane].track == 0;
            if pictures && self.fault(shared, &faults, lane, &mut out) {
                return out;
            }
            let shown = self.lanes[lane].seconds(shared) * shared.config.fps;
            let frame = shown as u64;
            let silent = faults.silent.is_some_and(|(from, to)| (from..to).contains(&frame));
            let first = faults.garbage_at.unwrap_or(u64::MAX);
            let garbage = frame >= first && (frame - first) as f64 <= shared.config.fps;
            if garbage && pictures {
                out.push(Emit::Garbage(self.dice.bytes(500)));
            }
            if silent || garbage {
                self.lanes[lane].next += 1;
                continue;
            }
            let half = pictures && faults.stop_mid_frame_at == Some(self.lanes[lane].next);
            self.emit_unit(shared, lane, half, &mut out);
            if half {
                out.push(Emit::Close);
                return out;
            }
            self.report(shared, lane, &mut out);
        }
        out
    }

    /// Faults that end everything, before the next picture.
    fn fault(&mut self, shared: &Shared, faults: &Faults, i: usize, out: &mut Vec<Emit>) -> bool {
        let lane = &mut self.lanes[i];
        let reached = |at: Option<u64>| at.is_some_and(|at| lane.next >= at);
        if reached(faults.half_open_at) {
            out.push(Emit::HalfOpen);
            return true;
        }
        if reached(faults.close_after) {
            out.push(Emit::Close);
            return true;
        }
        if !shared.config.repeat && lane.next >= lane.clip.units.len() as u64 {
            let mut bye = vec![0x81, 203, 0, 1];
            bye.extend(lane.ssrc.to_be_bytes());
            out.push(Emit::Rtcp { lane: i, bytes: bye });
            out.push(Emit::Close);
            return true;
        }
        if reached(faults.change_parameters_at)
            && lane.origin == 0
            && lane.unit().0.key
            && let Some(other) = &shared.alternate
        {
            lane.clip = other.clone();
            lane.origin = lane.next;
        }
        false
    }

    fn emit_unit(&mut self, shared: &Shared, i: usize, half: bool, out: &mut Vec<Emit>) {
        let config = &shared.config;
        let lane = &mut self.lanes[i];
        let number = lane.next;
        let pictures = lane.track == 0;
        if config.form(Q::SessCrlf, 0) {
            out.push(Emit::Between(b"\r\n".to_vec()));
        } else if config.has(Q::SessCrlf) && pictures && number % 10 == 5 {
            let mut garbage = self.dice.bytes(37);
            garbage.iter_mut().filter(|b| **b == b'$').for_each(|b| *b = b'#');
            garbage[17..19].copy_from_slice(&[b'$', 0xee]);
            out.push(Emit::Between(garbage));
        }
        if config.has(Q::SsrcOther) && pictures && number == 20 {
            lane.ssrc ^= 0x0101_0101;
            if config.variant == 1 {
                lane.seq = lane.seq.wrapping_add(12_345);
                lane.base = lane.base.wrapping_add(123_456_789);
            }
        }
        let (unit, _) = lane.unit();
        let key = unit.key;
        let nals = twist::picture(config, lane.clip.codec, unit, number);
        let mut packets = pack::unit(config, lane.clip.codec, &nals);
        if half {
            packets.truncate(packets.len().div_ceil(2));
        }
        let timestamp = lane.timestamp(shared);
        let bytes = packets.iter().map(|p| p.payload.len()).sum();
        if pictures {
            strangers(shared, lane, number, timestamp, i, out);
        }
        for packet in &packets {
            let broken = config.has(Q::FuBroken)
                && ((packet.start && number % 20 == 8) || (packet.end && number % 20 == 18));
            let bytes = lane.rtp(packet, timestamp);
            out.push(if broken { Emit::Lost } else { Emit::Rtp { lane: i, bytes } });
        }
        let now = Instant::now();
        lane.last = Some((timestamp, now));
        lane.next += 1;
        let at = now.duration_since(self.started);
        let (connection, track) = (self.connection, lane.track);
        out.push(Emit::Sent(SentFrame { connection, track, number, timestamp, key, bytes, at }));
    }

    /// A sender report when one is due.
    fn report(&mut self, shared: &Shared, i: usize, out: &mut Vec<Emit>) {
        let lane = &mut self.lanes[i];
        let every = shared.config.timers.sender_report;
        let Some((timestamp, sent)) = lane.last else { return };
        if shared.has(Q::SrMissing) || lane.reported.is_some_and(|at| sent - at < every) {
            return;
        }
        lane.reported = Some(sent);
        let (mut ntp, mut rtp) = (ntp_now(), timestamp);
        if shared.has(Q::SubLate) {
            ntp -= 12 << 32;
        }
        if shared.has(Q::SrWrong) {
            match shared.config.variant {
                0 => ntp -= NTP_TO_UNIX << 32,
                1 => ntp = 0,
                2 => ntp += 3600 << 32,
                _ => (ntp, rtp) = *self.frozen.get_or_insert((ntp, rtp)),
            }
        }
        let stranger = shared.has(Q::RtcpUnknownSsrc);
        let ssrc = if stranger { self.dice.roll() as u32 } else { lane.ssrc };
        let mut bytes = vec![0x80, 200, 0, 6];
        bytes.extend(ssrc.to_be_bytes());
        bytes.extend(ntp.to_be_bytes());
        for word in [rtp, lane.packets, lane.octets] {
            bytes.extend(word.to_be_bytes());
        }
        // SDES with a CNAME of ten letters fills four words without an end byte.
        let name: &[u8] = if stranger { b"fakecamera" } else { b"fakecam" };
        bytes.extend([0x81, 202, 0, 4]);
        bytes.extend(ssrc.to_be_bytes());
        bytes.extend([1, name.len() as u8]);
        bytes.extend_from_slice(name);
        bytes.resize(28 + 20, 0);
        if shared.has(Q::SessSetupSubset) && lane.track == 0 {
            out.push(Emit::Channel(5, bytes.clone()));
        }
        out.push(Emit::Rtcp { lane: i, bytes });
    }
}

/// Packets that belong to nobody, before a picture.
fn strangers(
    shared: &Shared,
    lane: &mut Lane,
    number: u64,
    timestamp: u32,
    i: usize,
    out: &mut Vec<Emit>,
) {
    if shared.has(Q::RtpPtUnknown) && number % 5 == 2 {
        let mut bytes =
            lane.rtp(&Packet { payload: vec![0xab; 100], ..Packet::default() }, timestamp);
        bytes[1] = 50;
        if shared.config.variant == 0 {
            // A source of its own, with numbers of its own.
            lane.seq = lane.seq.wrapping_sub(1);
            bytes[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            bytes[8..12].copy_from_slice(&0x1234_5678_u32.to_be_bytes());
        }
        out.push(Emit::Rtp { lane: i, bytes });
    }
    if shared.has(Q::SessUnassignedChannel) && number % 5 == 2 {
        out.push(Emit::Channel(9, vec![0x80; 300]));
    }
    if shared.has(Q::SessStaleLive555) {
        let mut old = vec![0x80, 0xe0];
        old.extend((number as u16).to_be_bytes());
        old.extend((number as u32 * 6000).to_be_bytes());
        old.extend([0xde, 0xad, 0xbe, 0xef, 0x41]);
        old.extend([0x5a; 700]);
        out.push(Emit::Channel(4, old));
        if number.is_multiple_of(30) {
            out.push(Emit::Channel(5, vec![0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef]));
        }
    }
}

const NTP_TO_UNIX: u64 = 2_208_988_800;

/// NTP's 64 bits of now.
fn ntp_now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    (now.as_secs() + NTP_TO_UNIX) << 32 | fraction
}

impl Lane {
    /// Seconds between units.
    fn period(&self, shared: &Shared) -> f64 {
        match self.clip.codec {
            Codec::Mp2t => 6.0 / self.clip.units.len() as f64,
            _ if self.clip.ticks == 0 => 1.0 / shared.config.fps,
            _ => f64::from(self.clip.ticks) / f64::from(self.clip.clock),
        }
    }

    /// When the next unit leaves, in seconds since PLAY.
    fn seconds(&self, shared: &Shared) -> f64 {
        self.next as f64 * self.period(shared)
    }

    /// The next unit and its place on the screen, in units since PLAY.
    fn unit(&self) -> (&crate::clip::Unit, u64) {
        let len = self.clip.units.len() as u64;
        let local = self.next - self.origin;
        let unit = &self.clip.units[(local % len) as usize];
        (unit, self.origin + local / len * len + unit.at)
    }

    fn timestamp(&self, shared: &Shared) -> u32 {
        let (_, mut place) = self.unit();
        if shared.has(Q::RtpTsSame) && self.track == 0 && place % 10 == 9 {
            place -= 1;
        }
        let mut ticks = place as f64 * self.period(shared) * f64::from(self.clip.clock);
        if shared.has(Q::RtpTsDrift) {
            ticks *= 1.000_3;
        }
        let ticks = ticks.round() as u32;
        if self.track != 0 || self.next < 20 {
            return self.base.wrapping_add(ticks);
        }
        if shared.has(Q::RtpTsReset) {
            let before = 20.0 * self.period(shared) * f64::from(self.clip.clock);
            return ticks.wrapping_sub(before as u32);
        }
        let jump: i32 = if shared.has(Q::RtpTsBackward) {
            -3 * 90_000
        } else if shared.has(Q::RtpTsStep) {
            3600 * 90_000
        } else {
            0
        };
        self.base.wrapping_add(ticks).wrapping_add_signed(jump)
    }

    /// A whole RTP packet; takes a sequence number.
    fn rtp(&mut self, packet: &Packet, timestamp: u32) -> Vec<u8> {
        let extended = if packet.extension.is_some() { 0x10 } else { 0 };
        let mut out = vec![0x80 | extended, self.payload_type | u8::from(packet.marker) << 7];
        out.extend(self.seq.to_be_bytes());
        out.extend(timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        if let Some((profile, words)) = &packet.extension {
            out.extend(profile.to_be_bytes());
            out.extend(((words.len() / 4) as u16).to_be_bytes());
            out.extend_from_slice(words);
        }
        out.extend_from_slice(&packet.payload);
        self.seq = self.seq.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(packet.payload.len() as u32);
        out
    }
}
