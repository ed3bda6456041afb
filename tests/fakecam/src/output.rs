//! Media to one viewer: what the media clock wants sent, onto the wire.

use std::io;
use std::time::Instant;

use crate::Quirk as Q;
use crate::connection::Connection;
use crate::play::Emit;
use crate::setup::Dest;

impl Connection<'_> {
    /// Sends what is due, at most `limit` RTP packets; the rest stays queued.
    pub(crate) fn media(&mut self, limit: usize) -> io::Result<()> {
        if self.half_open {
            return Ok(());
        }
        let Some(play) = &mut self.play else {
            self.queue.clear();
            return Ok(());
        };
        self.queue.extend(play.step(self.shared, Instant::now()));
        let mut sent = 0;
        while sent < limit
            && let Some(emit) = self.queue.pop_front()
        {
            sent += usize::from(matches!(emit, Emit::Rtp { .. }));
            self.emit(emit)?;
            if self.close || self.half_open {
                self.queue.clear();
            }
        }
        Ok(())
    }

    fn emit(&mut self, emit: Emit) -> io::Result<()> {
        let tcp = matches!(self.setups.first().map(|s| &s.dest), Some(Dest::Tcp { .. }));
        match emit {
            Emit::Sent(frame) => {
                let mut stats = self.shared.stats();
                if !self.muted && stats.frames.len() < 100_000 {
                    stats.frames.push(frame);
                }
                Ok(())
            }
            Emit::Lost => {
                self.shared.stats().lost += 1;
                Ok(())
            }
            Emit::Close => {
                self.close = true;
                Ok(())
            }
            Emit::HalfOpen => {
                self.half_open = true;
                Ok(())
            }
            _ if self.muted => Ok(()),
            Emit::Channel(channel, bytes) if tcp => self.interleaved(channel, &bytes),
            Emit::Between(bytes) if tcp => self.link.send(&bytes),
            Emit::Garbage(bytes) if tcp => self.link.send(&bytes),
            Emit::Channel(..) | Emit::Between(_) => Ok(()),
            Emit::Garbage(bytes) => {
                self.datagram(0, &bytes);
                Ok(())
            }
            Emit::Rtp { lane, bytes } => self.rtp_out(lane, bytes),
            Emit::Rtcp { lane, bytes } => match self.setups.get(lane).map(|s| &s.dest) {
                Some(&Dest::Tcp { rtcp, .. }) => self.interleaved(rtcp, &bytes),
                Some(Dest::Udp { rtcp, to_rtcp, .. }) => {
                    if !self.shared.has(Q::TrUdpSilent) {
                        // A viewer that is gone answers with an ICMP error; no matter.
                        let _ = rtcp.send_to(&bytes, to_rtcp);
                    }
                    Ok(())
                }
                None => Ok(()),
            },
        }
    }

    fn rtp_out(&mut self, lane: usize, bytes: Vec<u8>) -> io::Result<()> {
        self.shared.stats().packets += 1;
        if let Some(&Dest::Tcp { rtp, .. }) = self.setups.get(lane).map(|s| &s.dest) {
            return self.interleaved(rtp, &bytes);
        }
        if self.shared.has(Q::TrUdpSilent) {
            return Ok(());
        }
        let loss = self.shared.faults().udp;
        if self.dice.share() < loss.drop {
            self.shared.stats().lost += 1;
            return Ok(());
        }
        if self.held.is_none() && self.dice.share() < loss.swap {
            self.held = Some((lane, bytes));
            return Ok(());
        }
        self.datagram(lane, &bytes);
        if self.dice.share() < loss.double {
            self.datagram(lane, &bytes);
        }
        if let Some((lane, bytes)) = self.held.take() {
            self.datagram(lane, &bytes);
        }
        Ok(())
    }

    fn datagram(&self, lane: usize, bytes: &[u8]) {
        if let Some(Dest::Udp { rtp, to_rtp, .. }) = self.setups.get(lane).map(|s| &s.dest) {
            // As above.
            let _ = rtp.send_to(bytes, to_rtp);
        }
    }

    fn interleaved(&mut self, channel: u8, bytes: &[u8]) -> io::Result<()> {
        let len = (bytes.len() as u16).to_be_bytes();
        let mut frame = vec![b'$', channel, len[0], len[1]];
        frame.extend_from_slice(bytes);
        self.link.send(&frame)
    }
}
