//! The Transport header that a camera answers SETUP with (RFC 2326, section 12.39), read in any
//! order and any case.

use crate::quirk::{Quirk, QuirkCounts};

use super::Transport;

/// What a camera agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Agreed {
    /// RTP and RTCP channel.
    pub(super) channels: Option<(u8, u8)>,
    /// RTP and RTCP port that the camera sends from; zero where it named none.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) ssrc: Option<u32>,
}

/// Reads the answer to a request for `asked`, over TCP for these channels.
pub(super) fn read(
    header: &str,
    asked: Transport,
    channels: (u8, u8),
    quirks: &mut QuirkCounts,
) -> Agreed {
    let mut agreed = Agreed::default();
    let mut profile = None;
    let mut odd = false;
    // Of several the first was chosen.
    let header = header.split(',').next().unwrap_or_default();
    for (place, part) in header.split(';').enumerate() {
        odd |= part.trim() != part;
        let part = part.trim();
        let lower = part.to_ascii_lowercase();
        odd |=
            part != lower && !part.to_ascii_uppercase().starts_with("RTP/") && !part.contains('=');
        let (name, value) = lower.split_once('=').unwrap_or((lower.as_str(), ""));
        let value = value.trim().trim_matches('"');
        match name.trim() {
            "interleaved" => agreed.channels = channel_pair(value),
            "server_port" => agreed.ports = port_pair(value),
            "ssrc" => {
                odd |= place == 0;
                agreed.ssrc = u32::from_str_radix(value.trim_start_matches("0x"), 16).ok();
            }
            name if name.starts_with("rtp/") => profile = Some(name.to_owned()),
            _ => {}
        }
    }
    if odd {
        quirks.add(Quirk::TrOrder);
    }
    let tcp = profile.as_deref().is_some_and(|p| p.ends_with("/tcp"));
    match asked {
        Transport::Tcp => {
            if !tcp && profile.is_some() {
                quirks.add(Quirk::TrOther);
            }
            if agreed.channels.is_some_and(|given| given != channels) || single(header) {
                quirks.add(Quirk::TrChannels);
            }
        }
        Transport::Udp => {
            if tcp || agreed.channels.is_some() {
                quirks.add(Quirk::TrOther);
            }
            if agreed.ports.is_none() && agreed.channels.is_none() {
                quirks.add(Quirk::TrNoServerPort);
            }
        }
    }
    agreed
}

/// Whether only one channel is named.
fn single(header: &str) -> bool {
    header.split(';').filter_map(|p| p.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("interleaved") && !value.contains('-')
    })
}

fn channel_pair(value: &str) -> Option<(u8, u8)> {
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let first: u8 = first.trim().parse().ok()?;
    Some((first, second.trim().parse().unwrap_or_else(|_| first.saturating_add(1))))
}

fn port_pair(value: &str) -> Option<(u16, u16)> {
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let first: u16 = first.trim().parse().ok().filter(|p| *p > 0)?;
    Some((first, second.trim().parse().unwrap_or_else(|_| first.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, asked: Transport, expect: Agreed, quirks: &[Quirk]) {
        let mut counts = QuirkCounts::default();
        assert_eq!(read(header, asked, (0, 1), &mut counts), expect, "{header}");
        let seen: Vec<Quirk> = counts.list().into_iter().map(|(q, _)| q).collect();
        assert_eq!(seen, quirks, "{header}");
    }

    #[test]
    fn answers_of_real_cameras() {
        let tcp = |a, b, ssrc| Agreed { channels: Some((a, b)), ports: None, ssrc };
        let udp = |ports, ssrc| Agreed { channels: None, ports, ssrc };
        use Transport::{Tcp, Udp};
        check(
            "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00AB12CD",
            Tcp,
            tcp(0, 1, Some(0xab_12cd)),
            &[],
        );
        check(
            "RTP/AVP/TCP;unicast;interleaved=10-11",
            Tcp,
            tcp(10, 11, None),
            &[Quirk::TrChannels],
        );
        check("RTP/AVP/TCP;unicast;interleaved=0", Tcp, tcp(0, 1, None), &[Quirk::TrChannels]);
        check("RTP/AVP;unicast;interleaved=0-1", Tcp, tcp(0, 1, None), &[Quirk::TrOther]);
        check(
            "ssrc= 0000000A ; X=\"a b\";RTP/AVP/TCP ; Unicast; Interleaved=0-1 ;foo",
            Tcp,
            tcp(0, 1, Some(10)),
            &[Quirk::TrOrder],
        );
        check(
            "RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971",
            Udp,
            udp(Some((6970, 6971)), None),
            &[],
        );
        check(
            "RTP/AVP;unicast;client_port=5000-5001",
            Udp,
            udp(None, None),
            &[Quirk::TrNoServerPort],
        );
        check("", Tcp, Agreed::default(), &[]);
        check("interleaved=300-301", Tcp, Agreed::default(), &[]);
    }
}
