//! RTCP (RFC 3550, section 6): sender and receiver reports, source descriptions and goodbyes,
//! read from and written to compound packets.
//!
//! Reading is tolerant: an iterator that ends at the first thing it cannot understand. Not here:
//! feedback messages, extended reports, timing rules.

use bytes::{BufMut as _, Bytes, BytesMut};
use media::Wall;

use crate::Error;

/// Most report blocks that are read from one packet.
pub const BLOCKS_MAX: usize = 31;

/// What a sender says about its clocks and how much it has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// Who sends.
    pub ssrc: u32,
    /// Time of day, NTP format: seconds since 1900 in the high 32 bits.
    pub ntp: u64,
    /// The same instant in the track's clock.
    pub rtp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// What a receiver says about one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The sender.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost so far; 24 bits on the wire, negative with duplicates.
    pub lost: i32,
    /// Highest sequence number received, with the count of wraps in the high 16 bits.
    pub highest: u32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time, 0 if none.
    pub last_sr: u32,
    /// Since that report, in 65 536ths of a second.
    pub delay: u32,
}

/// One packet of a compound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Type 200.
    Sender {
        /// The report.
        report: SenderReport,
        /// What that sender receives itself.
        blocks: Vec<ReportBlock>,
    },
    /// Type 201.
    Receiver {
        /// Who reports.
        ssrc: u32,
        /// About whom.
        blocks: Vec<ReportBlock>,
    },
    /// Type 202; its text is of no use here.
    Description,
    /// Type 203, the first of the leaving sources.
    Bye {
        /// Who leaves.
        ssrc: Option<u32>,
    },
    /// Any other type.
    Other(u8),
}

/// The packets of a compound, up to the first that cannot be understood.
pub fn packets(bytes: &[u8]) -> impl Iterator<Item = Packet> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (packet, behind) = parse(rest).ok()?;
        rest = behind;
        Some(packet)
    })
}

/// One packet and what is behind it.
///
/// # Errors
/// `Truncated`, or `Malformed` if it is not version 2.
pub fn parse(bytes: &[u8]) -> Result<(Packet, &[u8]), Error> {
    let (&[first, kind, hi, lo], behind) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    if first >> 6 != 2 {
        return Err(Error::Malformed("RTCP version"));
    }
    let len = usize::from(u16::from_be_bytes([hi, lo])) * 4;
    // Some cameras count the last description a word too long: there is nothing behind it.
    let (body, rest) = match behind.split_at_checked(len) {
        Some(split) => split,
        None if kind == DESCRIPTION => (behind, &[][..]),
        None => return Err(Error::Truncated),
    };
    let count = usize::from(first & 31);
    let word = |i: usize| word(body, i).ok_or(Error::Truncated);
    let packet = match kind {
        SENDER => Packet::Sender {
            report: SenderReport {
                ssrc: word(0)?,
                ntp: u64::from(word(1)?) << 32 | u64::from(word(2)?),
                rtp: word(3)?,
                packets: word(4)?,
                octets: word(5)?,
            },
            blocks: blocks(body.get(24..).unwrap_or_default(), count),
        },
        RECEIVER => Packet::Receiver {
            ssrc: word(0)?,
            blocks: blocks(body.get(4..).unwrap_or_default(), count),
        },
        DESCRIPTION => Packet::Description,
        BYE => Packet::Bye { ssrc: if count > 0 { word(0).ok() } else { None } },
        other => Packet::Other(other),
    };
    Ok((packet, rest))
}

const SENDER: u8 = 200;
const RECEIVER: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const BLOCK_BYTES: usize = 24;

fn word(body: &[u8], index: usize) -> Option<u32> {
    body.get(index * 4..)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn blocks(bytes: &[u8], count: usize) -> Vec<ReportBlock> {
    bytes.chunks_exact(BLOCK_BYTES).take(count.min(BLOCKS_MAX)).filter_map(block).collect()
}

fn block(bytes: &[u8]) -> Option<ReportBlock> {
    let loss = word(bytes, 1)?;
    Some(ReportBlock {
        ssrc: word(bytes, 0)?,
        fraction_lost: (loss >> 24) as u8,
        // Moves the 24-bit sign to where it counts.
        lost: (loss << 8).cast_signed() >> 8,
        highest: word(bytes, 2)?,
        jitter: word(bytes, 3)?,
        last_sr: word(bytes, 4)?,
        delay: word(bytes, 5)?,
    })
}

/// A receiver report with at most one block, and the source description that every compound must
/// have.
pub fn receiver_report(ssrc: u32, block: Option<&ReportBlock>, cname: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(64 + cname.len());
    out.put_u8(0x80 | u8::from(block.is_some()));
    out.put_u8(RECEIVER);
    out.put_u16(if block.is_some() { 7 } else { 1 });
    out.put_u32(ssrc);
    if let Some(b) = block {
        out.put_u32(b.ssrc);
        let lost = b.lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        out.put_u32(u32::from(b.fraction_lost) << 24 | lost);
        out.put_u32(b.highest);
        out.put_u32(b.jitter);
        out.put_u32(b.last_sr);
        out.put_u32(b.delay);
    }
    description(&mut out, ssrc, cname);
    out.freeze()
}

/// A sender report without blocks, and the source description.
pub fn sender_report(report: &SenderReport, cname: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(64 + cname.len());
    out.put_slice(&[0x80, SENDER, 0, 6]);
    out.put_u32(report.ssrc);
    out.put_u64(report.ntp);
    out.put_u32(report.rtp);
    out.put_u32(report.packets);
    out.put_u32(report.octets);
    description(&mut out, report.ssrc, cname);
    out.freeze()
}

/// The end of a source: an empty receiver report (every compound begins with a report), the
/// description, and the goodbye.
pub fn bye(ssrc: u32, cname: &str) -> Bytes {
    let mut out = BytesMut::from(receiver_report(ssrc, None, cname));
    out.put_slice(&[0x81, BYE, 0, 1]);
    out.put_u32(ssrc);
    out.freeze()
}

fn description(out: &mut BytesMut, ssrc: u32, cname: &str) {
    let name = cname.as_bytes();
    let name = name.get(..255).unwrap_or(name);
    // SSRC, item type and length, the text, at least one zero, up to a whole word.
    let len = (4 + 2 + name.len() + 1).next_multiple_of(4);
    out.put_slice(&[0x81, DESCRIPTION]);
    out.put_u16(u16::try_from(len / 4).unwrap_or(0));
    out.put_u32(ssrc);
    out.put_u8(1);
    out.put_u8(u8::try_from(name.len()).unwrap_or(255));
    out.put_slice(name);
    out.put_bytes(0, len - 6 - name.len());
}

/// Seconds from 1900 to 1970.
const NTP_OFFSET_S: u64 = 2_208_988_800;

/// NTP time of a wall instant; wraps in 2036 as NTP does. Before 1970 is 1970.
pub fn wall_to_ntp(wall: Wall) -> u64 {
    let us = u64::try_from(wall.0).unwrap_or(0);
    let seconds = (us / 1_000_000 + NTP_OFFSET_S) & 0xffff_ffff;
    let fraction = ((us % 1_000_000) << 32) / 1_000_000;
    seconds << 32 | fraction
}

/// The wall instant of an NTP time, taken from the era 1968 to 2104.
pub fn ntp_to_wall(ntp: u64) -> Wall {
    let seconds = ntp >> 32;
    // A clear top bit is the era that begins in 2036.
    let era = if seconds < 1 << 31 { 1 << 32 } else { 0 };
    let seconds = (seconds + era).cast_signed() - NTP_OFFSET_S.cast_signed();
    let us = (((ntp & 0xffff_ffff) * 1_000_000 + (1 << 31)) >> 32).cast_signed();
    Wall(seconds * 1_000_000 + us)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: SenderReport =
        SenderReport { ssrc: 7, ntp: 0x1122_3344_5566_7788, rtp: 9, packets: 10, octets: 11 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 5,
        fraction_lost: 3,
        lost: -2,
        highest: 70_000,
        jitter: 12,
        last_sr: 13,
        delay: 14,
    };

    #[test]
    fn compounds_read_back() {
        for name in ["", "a", "ab", "abc", "khien", &"x".repeat(300)] {
            let mut bytes = sender_report(&REPORT, name).to_vec();
            bytes.extend_from_slice(&receiver_report(1, Some(&BLOCK), name));
            bytes.extend_from_slice(&bye(1, name));
            assert_eq!(bytes.len() % 4, 0);
            let read: Vec<Packet> = packets(&bytes).collect();
            let expect = [
                Packet::Sender { report: REPORT, blocks: vec![] },
                Packet::Description,
                Packet::Receiver { ssrc: 1, blocks: vec![BLOCK] },
                Packet::Description,
                Packet::Receiver { ssrc: 1, blocks: vec![] },
                Packet::Description,
                Packet::Bye { ssrc: Some(1) },
            ];
            assert_eq!(read, expect, "{name}");
        }
    }

    #[test]
    fn bad_reports_end_the_compound_quietly() {
        let good = sender_report(&REPORT, "khien");
        for end in 0..28 {
            assert_eq!(packets(&good[..end]).count(), 0, "{end}");
        }
        // A description without its end, after which the sender report still counts.
        assert_eq!(packets(&good[..good.len() - 2]).count(), 2);
        assert_eq!(parse(&[0, 200, 0, 0]), Err(Error::Malformed("RTCP version")));
        assert_eq!(parse(&[0x80, 200, 0, 0]), Err(Error::Truncated));
        assert_eq!(parse(&[0x9f, 201, 0, 1, 0, 0, 0, 1]).map(|(p, _)| p), {
            Ok(Packet::Receiver { ssrc: 1, blocks: vec![] })
        });
        assert_eq!(parse(&[0x81, 203, 0, 0]).map(|(p, _)| p), Ok(Packet::Bye { ssrc: None }));
    }

    #[test]
    fn ntp_and_wall() {
        for us in [0, 1, 999_999, 1_785_571_200_123_456, 2_085_978_496_000_001] {
            assert_eq!(ntp_to_wall(wall_to_ntp(Wall(us))), Wall(us), "{us}");
        }
        assert_eq!(wall_to_ntp(Wall(0)), NTP_OFFSET_S << 32);
    }
}
