//! Frames to RTP packets, laid out ready for a TCP connection.
//!
//! A frame is packetized once for all its viewers: one allocation holds all its packets, each
//! with the four bytes of interleaving in front. Over TCP that is one write; over UDP each packet
//! is sent without its four bytes.
//!
//! One file per codec, named as in [`crate::payload`], which does the opposite. Not here: pacing,
//! sockets, and who listens.

mod aac;
mod g711;
mod h264;
mod h265;
mod metadata;
pub(crate) mod mjpeg;
mod opus;

use bytes::Bytes;
use media::codec::Codec;
use media::codec::g711::Law;
use media::{Frame, Params, Track, Wall};

use crate::Error;
use crate::rtcp::{self, SenderReport};
use crate::rtp;

/// Largest packet that fits an Ethernet frame with room for IPv6, tunnels and UDP, bytes.
pub const MTU_UDP: usize = 1_400;
/// Largest packet used over TCP, bytes: few headers, and still within every client's buffer.
pub const MTU_TCP: usize = 8_192;
/// Largest packet that can be interleaved, bytes.
const PACKET_BYTES_MAX: usize = 65_535;
/// The first payload type that is given out to tracks without one of their own.
const DYNAMIC_FIRST: u8 = 96;
/// Below this no payload format has room to fragment, bytes.
const PACKET_BYTES_MIN: usize = 64;
const RTP_HEADER_BYTES: usize = rtp::HEADER_BYTES;
/// `$`, channel and length (RFC 2326, section 10.12).
const INTERLEAVE_BYTES: usize = 4;

/// The packets of one frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packets {
    /// All of them, each with `$`, channel and length in front.
    pub data: Bytes,
    /// Where in `data` each ends.
    pub ends: Vec<u32>,
}

/// The payload types of the tracks of one source, in order: the one that RFC 3551 gives a codec,
/// else 96 and up.
pub fn payload_types(tracks: &[Track]) -> Vec<u8> {
    let mut dynamic = DYNAMIC_FIRST..=127;
    let mut of = |track: &Track| match &*track.params {
        Params::G711(p) if (p.sample_rate, p.channels) == (8_000, 1) => match p.law {
            Law::Mu => 0,
            Law::A => 8,
        },
        Params::Mjpeg(_) | Params::Pending(Codec::Mjpeg) => 26,
        _ => dynamic.next().unwrap_or(127),
    };
    tracks.iter().map(&mut of).collect()
}

impl Packets {
    /// Each packet without what is for interleaving.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            let packet = self.data.get(start + INTERLEAVE_BYTES..end).unwrap_or_default();
            start = end;
            packet
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The same packets for a viewer who uses another channel; copies all of them.
    #[must_use]
    pub fn with_channel(&self, channel: u8) -> Bytes {
        let mut data = self.data.to_vec();
        let mut start = 0;
        for &end in &self.ends {
            if let Some(byte) = data.get_mut(start + 1) {
                *byte = channel;
            }
            start = usize::try_from(end).unwrap_or(usize::MAX);
        }
        data.into()
    }
}

/// Makes the packets of one track, with one numbering.
#[derive(Debug, Clone)]
pub struct Packetizer {
    codec: Codec,
    header: Header,
    rtp_offset: u32,
    mtu: usize,
    cname: String,
    packets: u32,
    octets: u32,
    refused: u64,
}

/// What is the same, or grows, in every packet's header.
#[derive(Debug, Clone, Copy)]
struct Header {
    channel: u8,
    payload_type: u8,
    ssrc: u32,
    seq: u16,
}

impl Packetizer {
    /// `first_seq` and `rtp_offset`, which is added to media time, should be random (RFC 3550,
    /// section 5.1). `mtu` is the largest packet, its header of 12 bytes included and the four
    /// bytes of interleaving not; it is kept within 64 and 65 535 bytes. The channel is 0 until
    /// [`Self::channel`] says otherwise.
    pub fn new(
        track: &Track,
        payload_type: u8,
        ssrc: u32,
        first_seq: u16,
        rtp_offset: u32,
        mtu: usize,
    ) -> Self {
        Self {
            codec: track.params.codec(),
            header: Header { channel: 0, payload_type: payload_type & 0x7f, ssrc, seq: first_seq },
            rtp_offset,
            mtu: mtu.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX),
            cname: "khien".to_owned(),
            packets: 0,
            octets: 0,
            refused: 0,
        }
    }

    /// The interleaved channel of the packets.
    #[must_use]
    pub const fn channel(mut self, channel: u8) -> Self {
        self.header.channel = channel;
        self
    }

    /// The name that ties the tracks of one source together for players (RFC 3550, section
    /// 6.5.1); at most 255 bytes are used.
    #[must_use]
    pub fn cname(mut self, cname: &str) -> Self {
        let end = (0..=cname.len().min(255)).rev().find(|&i| cname.is_char_boundary(i));
        cname.get(..end.unwrap_or(0)).unwrap_or_default().clone_into(&mut self.cname);
        self
    }

    /// The packets of `frame`. None if its codec is another one or its payload format cannot
    /// carry it, which is counted in [`Self::refused`].
    pub fn packetize(&mut self, frame: &Frame) -> Packets {
        let mut out = Writer {
            data: Vec::new(),
            ends: Vec::new(),
            header: self.header,
            timestamp: self.rtp_timestamp(frame),
            payload_max: self.mtu - RTP_HEADER_BYTES,
            last: 0,
        };
        let written = match self.codec {
            codec if codec != frame.params.codec() => Err(Error::Misuse("codec of another track")),
            Codec::H264 => h264::write(&mut out, frame),
            Codec::H265 => h265::write(&mut out, frame),
            Codec::Mjpeg => mjpeg::write(&mut out, frame),
            Codec::Aac => aac::write(&mut out, frame),
            Codec::G711 => g711::write(&mut out, frame),
            Codec::Opus => opus::write(&mut out, frame),
            Codec::Metadata => metadata::write(&mut out, frame),
        };
        let too_long = u32::try_from(out.data.len()).is_err();
        if written.is_err() || too_long {
            self.refused += 1;
            return Packets::default();
        }
        self.header.seq = out.header.seq;
        let packets = u32::try_from(out.ends.len()).unwrap_or(u32::MAX);
        let overhead = out.ends.len() * (INTERLEAVE_BYTES + RTP_HEADER_BYTES);
        // Both wrap by RFC 3550, section 6.4.1.
        self.packets = self.packets.wrapping_add(packets);
        let octets = u32::try_from(out.data.len() - overhead).unwrap_or(u32::MAX);
        self.octets = self.octets.wrapping_add(octets);
        Packets { data: Bytes::from(out.data), ends: out.ends }
    }

    /// Frames that could not be packetized.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The sequence number of the next packet, for `RTP-Info`.
    pub const fn next_seq(&self) -> u16 {
        self.header.seq
    }

    /// The synchronisation source of every packet.
    pub const fn ssrc(&self) -> u32 {
        self.header.ssrc
    }

    /// The timestamp that the packets of `frame` carry.
    pub const fn rtp_timestamp(&self, frame: &Frame) -> u32 {
        // Media time modulo 2^32 is what a timestamp is.
        (frame.pts.0 as u32).wrapping_add(self.rtp_offset)
    }

    /// A sender report and source description (RFC 3550, section 6.4.1 and 6.5) that says: the
    /// timestamp `rtp_timestamp` was at `wall`. Without the four bytes of interleaving, for which
    /// see [`interleave`].
    pub fn sender_report(&self, wall: Wall, rtp_timestamp: u32) -> Bytes {
        let report = SenderReport {
            ssrc: self.header.ssrc,
            ntp: rtcp::wall_to_ntp(wall),
            rtp: rtp_timestamp,
            packets: self.packets,
            octets: self.octets,
        };
        rtcp::sender_report(&report, &self.cname)
    }
}

/// One RTP or RTCP packet with `$`, channel and length in front; cut at 65 535 bytes.
pub fn interleave(channel: u8, packet: &[u8]) -> Bytes {
    let packet = packet.get(..PACKET_BYTES_MAX).unwrap_or(packet);
    let [hi, lo] = (packet.len() as u16).to_be_bytes();
    let mut out = Vec::with_capacity(INTERLEAVE_BYTES + packet.len());
    out.extend_from_slice(&[b'$', channel, hi, lo]);
    out.extend_from_slice(packet);
    Bytes::from(out)
}

/// Where the payload formats write to.
struct Writer {
    data: Vec<u8>,
    ends: Vec<u32>,
    header: Header,
    timestamp: u32,
    /// Largest payload of one packet.
    payload_max: usize,
    /// Where the last packet begins.
    last: usize,
}

impl Writer {
    /// Makes room for all packets of a frame at once: `payload` bytes in total.
    fn reserve(&mut self, packets: usize, payload: usize) {
        self.data.reserve_exact(packets * (INTERLEAVE_BYTES + RTP_HEADER_BYTES) + payload);
        self.ends.reserve_exact(packets);
    }

    /// One packet whose payload is `head` and `body`, together at most 65 523 bytes.
    fn packet(&mut self, head: &[u8], body: &[u8]) {
        let rtp_bytes = RTP_HEADER_BYTES + head.len() + body.len();
        debug_assert!(rtp_bytes <= PACKET_BYTES_MAX, "payload formats keep to the limit");
        let Header { channel, payload_type, ssrc, seq } = self.header;
        let timestamp = self.timestamp;
        let header = rtp::Header { marker: false, payload_type, seq, timestamp, ssrc };
        let [len_hi, len_lo] = (rtp_bytes as u16).to_be_bytes();
        self.last = self.data.len();
        self.data.extend_from_slice(&[b'$', channel, len_hi, len_lo]);
        self.data.extend_from_slice(&header.to_bytes());
        self.data.extend_from_slice(head);
        self.data.extend_from_slice(body);
        // A longer frame than 4 GiB is refused as a whole.
        self.ends.push(self.data.len() as u32);
        self.header.seq = seq.wrapping_add(1);
    }

    /// Sets the marker bit of the packet written last.
    fn mark(&mut self) {
        if let Some(byte) = self.data.get_mut(self.last + INTERLEAVE_BYTES + 1)
            && !self.ends.is_empty()
        {
            *byte |= 0x80;
        }
    }

    /// `body` in as many packets as it takes; the marker on the last.
    fn split(&mut self, body: &[u8]) {
        self.reserve(body.len().div_ceil(self.payload_max), body.len());
        for piece in body.chunks(self.payload_max) {
            self.packet(&[], piece);
        }
        self.mark();
    }
}

#[cfg(test)]
mod tests;
