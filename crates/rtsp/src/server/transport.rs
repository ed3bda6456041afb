//! The Transport header of SETUP (RFC 2326, section 12.39): several offers, of which the first
//! that can be served is taken.

/// Where a track's packets go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// On the connection itself.
    Tcp {
        /// The channel of RTP.
        rtp: u8,
        /// The channel of RTCP.
        rtcp: u8,
    },
    /// To the address that the connection comes from, never to another.
    Udp {
        /// The peer's port for RTP.
        rtp: u16,
        /// The peer's port for RTCP.
        rtcp: u16,
    },
}

/// Offers of one header that are looked at.
const OFFERS_MAX: usize = 8;

/// The first offer that can be served. `others` are the tracks by index; `track` is the one that
/// is set up now.
pub(super) fn choose<'a>(
    headers: impl Iterator<Item = &'a str>,
    udp: bool,
    track: usize,
    others: &[Option<Transport>],
) -> Option<Transport> {
    let taken = |channel: u8| {
        let mut others = others.iter().enumerate().filter(|(i, _)| *i != track);
        others.any(|(_, t)| match t {
            Some(Transport::Tcp { rtp, rtcp }) => [rtp, rtcp].contains(&&channel),
            _ => false,
        })
    };
    headers.flat_map(|h| h.split(',')).take(OFFERS_MAX).find_map(|text| {
        let offer = Offer::read(text)?;
        if offer.tcp {
            let first = u8::try_from(track.checked_mul(2)?).ok()?;
            let (rtp, rtcp) = offer.channels.unwrap_or((first, first.checked_add(1)?));
            let free = rtp != rtcp && !taken(rtp) && !taken(rtcp);
            return free.then_some(Transport::Tcp { rtp, rtcp });
        }
        let (rtp, rtcp) = offer.ports.filter(|(rtp, rtcp)| *rtp > 0 && *rtcp > 0)?;
        (udp && rtp != rtcp).then_some(Transport::Udp { rtp, rtcp })
    })
}

struct Offer {
    tcp: bool,
    channels: Option<(u8, u8)>,
    ports: Option<(u16, u16)>,
}

impl Offer {
    /// `None` if it is nothing that is spoken here: multicast, SRTP, recording.
    fn read(text: &str) -> Option<Self> {
        let mut fields = text.split(';').map(str::trim);
        let protocol = fields.next()?.to_ascii_uppercase();
        let mut tcp = match protocol.as_str() {
            "RTP/AVP" | "RTP/AVP/UDP" => false,
            "RTP/AVP/TCP" => true,
            _ => return None,
        };
        let (mut channels, mut ports) = (None, None);
        for field in fields {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "multicast" => return None,
                "mode" if !value.eq_ignore_ascii_case("play") => return None,
                "interleaved" => {
                    let (rtp, rtcp) = pair(value)?;
                    channels = Some((u8::try_from(rtp).ok()?, u8::try_from(rtcp).ok()?));
                    tcp = true;
                }
                "client_port" => ports = Some(pair(value)?),
                _ => {}
            }
        }
        Some(Self { tcp, channels, ports })
    }
}

/// `a-b`, or `a` alone, which means the next one as well.
fn pair(text: &str) -> Option<(u16, u16)> {
    let (a, b) = text.split_once('-').unwrap_or((text, ""));
    let first: u16 = a.trim().parse().ok()?;
    let second = if b.is_empty() { first.checked_add(1)? } else { b.trim().parse().ok()? };
    Some((first, second))
}

impl Transport {
    /// The header of the answer.
    pub(super) fn answer(self, server_port: Option<u16>, ssrc: Option<u32>) -> String {
        let mut text = match self {
            Self::Tcp { rtp, rtcp } => format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"),
            Self::Udp { rtp, rtcp } => format!("RTP/AVP;unicast;client_port={rtp}-{rtcp}"),
        };
        if let Some(port) = server_port {
            text.push_str(&format!(";server_port={port}-{}", port.saturating_add(1)));
        }
        if let Some(ssrc) = ssrc {
            text.push_str(&format!(";ssrc={ssrc:08X}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(header: &str) -> Option<Transport> {
        choose([header].into_iter(), true, 1, &[Some(Transport::Tcp { rtp: 0, rtcp: 1 }), None])
    }

    #[test]
    fn the_first_offer_that_can_be_served_is_taken() {
        let tcp = |rtp, rtcp| Some(Transport::Tcp { rtp, rtcp });
        let udp = |rtp, rtcp| Some(Transport::Udp { rtp, rtcp });
        for (header, expect) in [
            ("RTP/AVP/TCP;unicast;interleaved=2-3", tcp(2, 3)),
            ("RTP/AVP/TCP;interleaved=10", tcp(10, 11)),
            ("RTP/AVP/TCP;unicast", tcp(2, 3)),
            ("rtp/avp/tcp; unicast ; Interleaved = 4-5", tcp(4, 5)),
            ("RTP/AVP;unicast;client_port=5000-5001;mode=play", udp(5000, 5001)),
            ("RTP/AVP/UDP;client_port=5000;mode=\"PLAY\"", udp(5000, 5001)),
            ("RTP/AVP;multicast,RTP/AVP/TCP;interleaved=2-3", tcp(2, 3)),
            ("RTP/AVP;unicast;interleaved=2-3", tcp(2, 3)),
            ("RTP/AVP;unicast;destination=192.0.2.1;client_port=5000-5001", udp(5000, 5001)),
            ("RTP/SAVP;unicast;client_port=5000-5001", None),
            ("RTP/AVP/TCP;interleaved=0-1", None),
            ("RTP/AVP/TCP;interleaved=2-2", None),
            ("RTP/AVP/TCP;interleaved=2-300", None),
            ("RTP/AVP/TCP;interleaved=255", None),
            ("RTP/AVP;unicast;client_port=0-1", None),
            ("RTP/AVP;unicast;client_port=65535", None),
            ("RTP/AVP;unicast", None),
            ("RTP/AVP/TCP;interleaved=2-3;mode=record", None),
            ("", None),
        ] {
            assert_eq!(first(header), expect, "{header}");
        }
        assert_eq!(choose(["RTP/AVP;client_port=9-10"].into_iter(), false, 0, &[None]), None);
    }
}
