//! SETUP of each track and PLAY: how the media is to come, and from whom.

use std::time::Duration;

use bytes::Bytes;
use media::TrackKind;

use super::exchange::refusal;
use super::transport::{self, Agreed};
use super::{Client, Event, Lane, Output, Reason, Route, Step, Transport};
use crate::Now;
use crate::message::{Headers, Method, Response};
use crate::quirk::{Quirk, QuirkCounts};
use crate::sdp;
use crate::url::{self, Url};

/// Longest name of a session that is kept, characters.
const SESSION_ID_MAX: usize = 256;

impl Client {
    /// The first media of each kind that is wanted.
    pub(super) fn choose(&mut self, session: &sdp::Session) {
        let want = self.config.want;
        let kinds = [
            (TrackKind::Video, want.video),
            (TrackKind::Audio, want.audio),
            (TrackKind::Metadata, want.metadata),
        ];
        let udp = self.config.transport == Transport::Udp;
        for (kind, _) in kinds.into_iter().filter(|(_, wanted)| *wanted) {
            if let Some(media) = session.medias.iter().find(|m| m.params.kind() == kind) {
                let id = u8::try_from(self.lanes.len()).unwrap_or(u8::MAX);
                self.lanes.push(Lane::new(id, media, udp));
                self.medias.push(media.clone());
            }
        }
    }

    pub(super) fn control(&mut self, control: Option<&str>) -> Url {
        let control = control.unwrap_or_default();
        url::join(&self.base, control, self.learned.by_the_book, &mut self.quirks)
    }

    pub(super) fn ask_setup(&mut self, lane: usize) {
        match self.config.transport {
            Transport::Tcp => {
                let (rtp, rtcp) = channels(lane);
                // What is sent before the answer is of this lane already.
                self.routes.push(Route::Channels(rtp, rtcp));
                self.send_setup(lane, &format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"));
            }
            Transport::Udp => self.out.push_back(Output::Event(Event::NeedUdp { track: lane })),
        }
    }

    /// The driver has a pair of ports.
    pub(super) fn bound(&mut self, lane: usize, rtp_port: u16) {
        if self.step != Step::Setup(lane) || self.routes.len() > lane {
            return;
        }
        self.routes.push(Route::Udp);
        let rtcp_port = rtp_port.saturating_add(1);
        self.send_setup(lane, &format!("RTP/AVP;unicast;client_port={rtp_port}-{rtcp_port}"));
    }

    fn send_setup(&mut self, lane: usize, transport: &str) {
        let control = self.medias.get(lane).and_then(|m| m.control.clone());
        let url = self.control(control.as_deref());
        self.ask(Method::Setup, &url, &[("Transport", transport)]);
    }

    pub(super) fn set_up(&mut self, lane: usize, response: &Response) {
        if !(200..300).contains(&response.status) {
            return self.setup_refused(lane, response.status);
        }
        self.note_session(&response.headers);
        let header = response.headers.get("Transport").unwrap_or_default();
        let asked = self.config.transport;
        let agreed = transport::read(header, asked, channels(lane), &mut self.quirks);
        match (asked, agreed) {
            (Transport::Tcp, Agreed { channels: None, ports: Some(_), .. }) => {
                return self.close(Reason::TryUdp);
            }
            (Transport::Udp, Agreed { channels: Some(_), ports: None, .. }) => {
                return self.close(Reason::TryTcp);
            }
            (Transport::Tcp, Agreed { channels, .. }) => {
                let (rtp, rtcp) = channels.unwrap_or_else(|| self::channels(lane));
                if let Some(route) = self.routes.get_mut(lane) {
                    *route = Route::Channels(rtp, rtcp);
                }
            }
            (Transport::Udp, Agreed { ports, .. }) => {
                let (rtp_port, rtcp_port) = ports.unwrap_or((0, 0));
                let event = Event::PeerUdp { track: lane, rtp_port, rtcp_port };
                self.out.push_back(Output::Event(event));
            }
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.announce(agreed.ssrc);
        }
        self.next_setup(lane + 1);
    }

    fn next_setup(&mut self, lane: usize) {
        if lane < self.lanes.len() {
            self.step = Step::Setup(lane);
            self.ask_setup(lane);
        } else {
            self.ask_play();
        }
    }

    fn setup_refused(&mut self, lane: usize, status: u16) {
        if self.routes.len() > lane {
            self.routes.truncate(lane);
        }
        match status {
            454 if self.other_id.is_some() => {
                self.id = self.other_id.take();
                self.ask_setup(lane);
            }
            _ if lane > 0 => {
                // Without sound is better than nothing.
                self.lanes.remove(lane);
                self.medias.remove(lane);
                self.next_setup(lane);
            }
            461 => self.close(match self.config.transport {
                Transport::Tcp => Reason::TryUdp,
                Transport::Udp => Reason::TryTcp,
            }),
            404 | 459 | 460 => self.resolve_anew(status),
            status => {
                if status == 463 {
                    self.quirks.add(Quirk::TrSrtpMki);
                }
                self.close(refusal(status));
            }
        }
    }

    /// The camera does not know the address of its first track: the other way to read controls is
    /// tried once, and remembered if it is no worse.
    fn resolve_anew(&mut self, status: u16) {
        self.learned.by_the_book ^= true;
        if self.resolved_anew {
            return self.close(refusal(status));
        }
        self.resolved_anew = true;
        let control = self.session.as_ref().and_then(|s| s.control.clone());
        self.aggregate = self.control(control.as_deref());
        self.ask_setup(0);
    }

    /// The session's name and patience.
    fn note_session(&mut self, headers: &Headers) {
        let Some(value) = headers.get("Session") else { return };
        let mut parts = value.split(';').map(str::trim);
        let id = parts.next().unwrap_or_default();
        if let Some(seconds) = parts
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
            .and_then(|(_, s)| s.trim().parse::<u32>().ok())
            .filter(|s| *s > 0)
        {
            self.timeout = Duration::from_secs(seconds.min(86_400).into());
        }
        match &self.id {
            None if !id.is_empty() => self.id = Some(id.chars().take(SESSION_ID_MAX).collect()),
            Some(first) if first != id => {
                self.quirks.add(Quirk::SessIdChanges);
                self.other_id = Some(id.chars().take(SESSION_ID_MAX).collect());
            }
            _ => {}
        }
    }

    fn ask_play(&mut self) {
        self.step = Step::Play;
        let url = self.aggregate.clone();
        self.ask(Method::Play, &url, &[("Range", "npt=0.000-")]);
    }

    pub(super) fn play_answered(&mut self, now: Now, response: &Response) {
        match response.status {
            200..=299 => {}
            454 if self.other_id.is_some() => {
                self.id = self.other_id.take();
                self.ask_play();
                return;
            }
            status => {
                self.close(refusal(status));
                return;
            }
        }
        self.note_session(&response.headers);
        self.note_info(&response.headers);
        self.step = Step::Playing;
        self.playing_since = Some(now.mono);
        self.kept_alive = Some(now.mono);
        self.reported = Some(now.mono);
        let tracks = self.lanes.iter().map(|l| l.track.clone()).collect();
        self.out.push_back(Output::Event(Event::Playing { tracks }));
        if self.config.transport == Transport::Udp {
            self.punch();
        }
        for (lane, rtcp, data) in std::mem::take(&mut self.early) {
            self.packet(now, lane, rtcp, &data);
        }
    }

    /// A packet from each socket opens the way back through a firewall that keeps state.
    fn punch(&mut self) {
        for (index, lane) in self.lanes.iter().enumerate() {
            if !lane.has_media() {
                let data = Bytes::from_static(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                self.out.push_back(Output::TransmitUdp { track: index, rtcp: false, data });
            }
            let data = crate::rtcp::receiver_report(self.ssrc, None, "khien");
            self.out.push_back(Output::TransmitUdp { track: index, rtcp: true, data });
        }
    }

    /// RTP-Info (RFC 2326, section 12.33): hints only.
    fn note_info(&mut self, headers: &Headers) {
        let Some(value) = headers.get("RTP-Info") else { return };
        let entries: Vec<&str> = value.split(',').filter(|e| !e.trim().is_empty()).collect();
        if entries.len() > self.lanes.len() {
            self.quirks.add(Quirk::SessSetupSubset);
        }
        // Addresses are as wrong here as everywhere; the order is the camera's.
        let mut ignored = QuirkCounts::default();
        let own: Vec<Url> = self.medias.iter().map(|m| self.address(m, &mut ignored)).collect();
        for (place, entry) in entries.into_iter().enumerate() {
            let find = |wanted: &str| {
                entry.split(';').filter_map(|p| p.split_once('=')).find_map(|(name, value)| {
                    name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim())
                })
            };
            let named = find("url").map(|u| url::base(u, &self.base, &mut ignored));
            let lane = named.and_then(|u| own.iter().position(|o| o.path() == u.path()));
            let (seq, time) = (find("seq").and_then(|s| s.parse().ok()), find("rtptime"));
            if let Some(lane) = self.lanes.get_mut(lane.unwrap_or(place)) {
                lane.inform(seq, time.map(|t| t.parse().ok()));
            }
        }
    }

    /// Where a media is set up.
    fn address(&self, media: &sdp::Media, quirks: &mut QuirkCounts) -> Url {
        let control = media.control.as_deref().unwrap_or_default();
        url::join(&self.base, control, self.learned.by_the_book, quirks)
    }
}

/// The channels that are asked for.
fn channels(lane: usize) -> (u8, u8) {
    let rtp = u8::try_from(lane.min(100) * 2).unwrap_or(0);
    (rtp, rtp + 1)
}
