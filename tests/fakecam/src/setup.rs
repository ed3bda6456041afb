//! SETUP: where the packets of a media go, and how that is answered.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::Quirk as Q;
use crate::camera::Shared;

/// Where packets go.
#[derive(Debug)]
pub(crate) enum Dest {
    Tcp { rtp: u8, rtcp: u8 },
    Udp { rtp: UdpSocket, rtcp: UdpSocket, to_rtp: SocketAddr, to_rtcp: SocketAddr },
}

/// One media that was set up.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) track: usize,
    pub(crate) dest: Dest,
    /// As announced in SETUP.
    pub(crate) ssrc: u32,
}

/// Chooses from a Transport header; gives the setup and the header to answer, or a status.
pub(crate) fn setup(
    shared: &Shared,
    header: &str,
    track: usize,
    viewer: IpAddr,
    ssrc: u32,
) -> Result<(Setup, String), u16> {
    if shared.has(Q::TrModeParam) && header.to_ascii_lowercase().contains("mode=") {
        return Err(400);
    }
    if shared.has(Q::TrSrtpMki) {
        return Err(463);
    }
    for wish in header.split(',') {
        let tcp = wish.contains("/TCP") || wish.contains("interleaved");
        let refused = shared.has(if tcp { Q::Tr461Tcp } else { Q::Tr461Udp });
        if refused || wish.contains("multicast") {
            continue;
        }
        let done = if tcp {
            Some(interleaved(shared, wish, track, ssrc))
        } else {
            datagrams(shared, wish, viewer, ssrc)
        };
        if let Some((dest, answer)) = done {
            return Ok((Setup { track, dest, ssrc }, answer));
        }
    }
    Err(461)
}

/// The two numbers of `name=a-b`.
fn pair<T: std::str::FromStr>(wish: &str, name: &str) -> Option<(T, T)> {
    let value = wish.split(';').find_map(|p| p.trim().strip_prefix(name))?;
    let (a, b) = value.split_once('-')?;
    Some((a.trim().parse().ok()?, b.trim().parse().ok()?))
}

fn interleaved(shared: &Shared, wish: &str, track: usize, ssrc: u32) -> (Dest, String) {
    let usual = u8::try_from(track * 2).unwrap_or(0);
    let (mut rtp, mut rtcp) = pair(wish, "interleaved=").unwrap_or((usual, usual + 1));
    if shared.config.form(Q::TrChannels, 0) {
        (rtp, rtcp) = (10 + usual, 11 + usual);
    }
    let tail = ssrc_parameter(shared, ssrc);
    let answer = if shared.config.form(Q::TrChannels, 1) {
        format!("RTP/AVP/TCP;unicast;interleaved={rtp}{tail}")
    } else if shared.has(Q::TrOrder) {
        format!(
            "ssrc= {ssrc:08X} ; X-Vendor=\"a b\";RTP/AVP/TCP ; Unicast; \
             Interleaved={rtp}-{rtcp} ;foo"
        )
    } else if shared.config.form(Q::TrOther, 0) {
        format!("RTP/AVP;unicast;interleaved={rtp}-{rtcp}{tail}")
    } else if shared.config.form(Q::TrOther, 1) {
        format!("RTP/AVP/UDP;unicast;interleaved={rtp}-{rtcp}{tail}")
    } else {
        format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}{tail}")
    };
    (Dest::Tcp { rtp, rtcp }, answer)
}

fn ssrc_parameter(shared: &Shared, ssrc: u32) -> String {
    if shared.config.form(Q::SsrcOther, 2) { String::new() } else { format!(";ssrc={ssrc:08X}") }
}

fn datagrams(shared: &Shared, wish: &str, viewer: IpAddr, ssrc: u32) -> Option<(Dest, String)> {
    let (a, b): (u16, u16) = pair(wish, "client_port=")?;
    let (rtp, rtcp) = bind_pair(shared.address.ip()).ok()?;
    let from = rtp.local_addr().ok()?.port();
    let server = if shared.has(Q::TrNoServerPort) {
        String::new()
    } else {
        format!(";server_port={from}-{}", from + 1)
    };
    let tail = ssrc_parameter(shared, ssrc);
    let answer = format!("RTP/AVP;unicast;client_port={a}-{b}{server}{tail}");
    let dest = Dest::Udp {
        rtp,
        rtcp,
        to_rtp: SocketAddr::new(viewer, a),
        to_rtcp: SocketAddr::new(viewer, b),
    };
    Some((dest, answer))
}

/// An even port and the one after it.
fn bind_pair(ip: IpAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    for _ in 0..50 {
        let rtp = UdpSocket::bind((ip, 0))?;
        let port = rtp.local_addr()?.port();
        if port % 2 == 0
            && let Ok(rtcp) = UdpSocket::bind((ip, port + 1))
        {
            rtp.set_nonblocking(true)?;
            rtcp.set_nonblocking(true)?;
            return Ok((rtp, rtcp));
        }
    }
    Err(io::Error::other("no pair of ports is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_among_other_parameters() {
        let wish = "RTP/AVP;unicast;client_port=5000-5001;mode=play";
        assert_eq!(pair::<u16>(wish, "client_port="), Some((5000, 5001)));
        assert_eq!(pair::<u8>(wish, "client_port="), None, "does not fit");
        assert_eq!(pair::<u16>("RTP/AVP;client_port=5000", "client_port="), None);
    }
}
