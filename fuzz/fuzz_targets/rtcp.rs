//! RTCP compounds, and RTP headers, for both may come on one port.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtsp::rtcp::{self, BLOCKS_MAX, Packet};
use rtsp::rtp;

fuzz_target!(|data: &[u8]| {
    for packet in rtcp::packets(data) {
        match packet {
            Packet::Sender { report, blocks } => {
                assert!(blocks.len() <= BLOCKS_MAX);
                let bytes = rtcp::sender_report(&report, "cam");
                let again = Packet::Sender { report, blocks: Vec::new() };
                assert_eq!(rtcp::packets(&bytes).next(), Some(again));
                let wall = rtcp::ntp_to_wall(report.ntp);
                let _ = rtcp::wall_to_ntp(wall);
            }
            Packet::Receiver { ssrc, blocks } => {
                assert!(blocks.len() <= BLOCKS_MAX);
                if let Some(block) = blocks.into_iter().next() {
                    let bytes = rtcp::receiver_report(ssrc, Some(&block), "us");
                    let again = Packet::Receiver { ssrc, blocks: vec![block] };
                    assert_eq!(rtcp::packets(&bytes).next(), Some(again));
                }
            }
            Packet::Description | Packet::Bye { .. } | Packet::Other(_) => {}
        }
    }
    let _ = rtp::is_rtcp(data);
    if let Ok(packet) = rtp::Packet::parse(data) {
        let bytes = [&packet.header.to_bytes()[..], packet.payload].concat();
        let again = rtp::Packet { extension: None, ..packet };
        assert_eq!(rtp::Packet::parse(&bytes), Ok(again));
    }
});
