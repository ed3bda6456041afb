//! Requests and their answers: what is asked next, and what an answer means.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use media::TrackKind;

use super::transport::{self, Agreed};
use super::{Client, Event, KeepAlive, Lane, Output, Reason, Route, Step, Transport};
use crate::auth::Challenge;
use crate::message::{Headers, Method, Request, Response};
use crate::quirk::Quirk;
use crate::url::{self, Url};
use crate::{Error, Now, sdp};

/// Requests that wait for an answer; silent cameras answer none of the keep-alives.
const PENDING_MAX: usize = 8;
/// How often one request is signed anew.
const SIGNED_MAX: u8 = 2;

/// What was asked and not answered yet.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    next: u32,
    pending: VecDeque<Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    cseq: u32,
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    keep_alive: bool,
    signed: u8,
}

impl Client {
    /// Sends a request.
    pub(super) fn ask(&mut self, method: Method, url: &Url, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        let (url, keep_alive) = (url.clone(), false);
        self.send(Pending { cseq: 0, method, url, headers, keep_alive, signed: 0 });
    }

    fn send(&mut self, mut pending: Pending) {
        self.exchange.next += 1;
        pending.cseq = self.exchange.next;
        let uri = pending.url.to_string();
        let mut request = Request::new(pending.method.clone(), uri.as_str())
            .with("CSeq", pending.cseq.to_string())
            .with("User-Agent", self.config.user_agent.as_str());
        if let Some(value) = self.auth.as_mut().and_then(|a| a.authorize(&pending.method, &uri)) {
            request.headers.push("Authorization", value);
        }
        if let Some(id) = &self.id {
            request.headers.push("Session", id.as_str());
        }
        for (name, value) in &pending.headers {
            request.headers.push(*name, value.as_str());
        }
        self.out.push_back(Output::Transmit(request.encode()));
        if self.exchange.pending.len() >= PENDING_MAX {
            self.exchange.pending.pop_front();
        }
        self.exchange.pending.push_back(pending);
    }

    pub(super) fn keep_alive(&mut self) {
        if self.unanswered > 0 {
            self.quirks.add(Quirk::KaSilent);
        }
        let method = match self.learned.keep_alive {
            KeepAlive::Options => Method::Options,
            KeepAlive::SetParameter => Method::SetParameter,
            KeepAlive::GetParameter => Method::GetParameter,
        };
        let url = self.aggregate.clone();
        self.keep_alives += 1;
        self.unanswered += 1;
        let headers = Vec::new();
        self.send(Pending { cseq: 0, method, url, headers, keep_alive: true, signed: 0 });
    }

    /// A camera's own request: most of them ask whether we are still there.
    pub(super) fn asked(&mut self, request: &Request) {
        let status = match request.method {
            Method::Options | Method::GetParameter | Method::SetParameter => 200,
            Method::Redirect | Method::Announce | Method::Teardown => 200,
            _ => 501,
        };
        let cseq = request.headers.get("CSeq").unwrap_or("0");
        let answer = Response::new(status).with("CSeq", cseq);
        self.out.push_back(Output::Transmit(answer.encode()));
        if request.method == Method::Teardown {
            self.close(Reason::Ended);
        }
    }

    /// An answer came.
    pub(super) fn answered(&mut self, now: Now, response: Response) -> Result<(), Error> {
        let pending = &mut self.exchange.pending;
        let known = response.headers.cseq().and_then(|c| pending.iter().position(|p| p.cseq == c));
        let place = match known {
            Some(place) => place,
            // Paired in order where the number makes no sense.
            None if pending.is_empty() => {
                self.quirks.add(Quirk::KaSetParameter400);
                return Ok(());
            }
            None => 0,
        };
        let Some(asked) = pending.remove(place) else { return Ok(()) };
        if asked.keep_alive {
            self.unanswered = 0;
            if known.is_none() || (response.status >= 400 && response.status != 401) {
                self.quirks.add(Quirk::KaSetParameter400);
            }
        }
        if response.status == 401 {
            self.challenged(asked, &response);
            return Ok(());
        }
        if asked.keep_alive {
            if response.status == 454 {
                self.close(Reason::Ended);
            }
            return Ok(());
        }
        match self.step {
            Step::Describe => self.described(&response),
            Step::Setup(lane) => self.set_up(lane, &response),
            Step::Play => {
                self.play_answered(now, &response);
                Ok(())
            }
            Step::Playing | Step::Closed => Ok(()),
        }
    }

    fn challenged(&mut self, mut asked: Pending, response: &Response) {
        let challenges = Challenge::parse_all(response.headers.get_all("WWW-Authenticate"));
        let digests = challenges.iter().filter(|c| matches!(c, Challenge::Digest(_))).count();
        if self.step == Step::Describe && asked.signed == 0 {
            self.note_challenges(&challenges, digests);
        }
        let before = self.auth.as_ref().is_some_and(crate::auth::ClientAuth::is_challenged);
        let answerable = self.auth.as_mut().is_some_and(|auth| auth.challenge(&challenges));
        let fresh = challenges.iter().any(|c| matches!(c, Challenge::Digest(d) if d.stale));
        // The first answer may meet a nonce that is too old; a second refusal means no.
        let allowed = asked.signed == 0 || (fresh && asked.signed < SIGNED_MAX);
        if !answerable || !allowed {
            if asked.keep_alive {
                self.quirks.add(Quirk::KaSetParameter400);
            } else {
                self.close(Reason::Auth);
            }
            return;
        }
        if before && self.step != Step::Describe {
            self.quirks.add(Quirk::AuthNonceExpires);
        }
        asked.signed += 1;
        self.send(asked);
    }

    fn note_challenges(&mut self, challenges: &[Challenge], digests: usize) {
        if challenges.len() > 1 {
            self.quirks.add(Quirk::AuthManyChallenges);
        }
        let sha256 = |c: &Challenge| matches!(c, Challenge::Digest(d) if d.algorithm == Some(crate::auth::Algorithm::Sha256));
        if digests > 0 && challenges.iter().all(sha256) {
            self.quirks.add(Quirk::AuthDigestOnly);
        }
        if digests == 0 && !challenges.is_empty() {
            self.quirks.add(Quirk::AuthBasic);
        }
    }

    fn described(&mut self, response: &Response) -> Result<(), Error> {
        match response.status {
            200..=299 => {}
            300..=399 => {
                self.redirected(response);
                return Ok(());
            }
            status => {
                self.close(refusal(status));
                return Ok(());
            }
        }
        let headers = &response.headers;
        if headers.get("Content-Type").is_none() && response.body.starts_with(b"v=0") {
            self.quirks.add(Quirk::SdpNoContentType);
        }
        let base = headers.get("Content-Base").or_else(|| headers.get("Content-Location"));
        self.base = url::base(base.unwrap_or_default(), &self.config.url, &mut self.quirks);
        let session = sdp::parse(&response.body, &mut self.quirks)?;
        self.aggregate = self.control(session.control.as_deref());
        let server = headers.get("Server").map(str::to_owned).or_else(|| session.tool.clone());
        let server = server.map(|s| s.chars().take(200).collect());
        self.choose(&session);
        self.session = Some(session);
        self.out.push_back(Output::Event(Event::Described { server }));
        if self.lanes.is_empty() {
            self.close(Reason::Unsupported);
        } else {
            self.step = Step::Setup(0);
            self.ask_setup(0);
        }
        Ok(())
    }

    fn redirected(&mut self, response: &Response) {
        self.quirks.add(Quirk::UrlRedirect);
        let location = response.headers.get("Location").and_then(|l| Url::parse(l).ok());
        match location {
            // To another host credentials would follow; nobody asked for that.
            Some(to) if self.config.allow_redirect && to.host() == self.config.url.host() => {
                let event = Event::Redirect { location: to.to_string() };
                self.out.push_back(Output::Event(event));
                self.close(Reason::Ended);
            }
            _ => self.close(Reason::Refused(response.status)),
        }
    }

    /// The first media of each kind that is wanted.
    fn choose(&mut self, session: &sdp::Session) {
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

    fn control(&mut self, control: Option<&str>) -> Url {
        let control = control.unwrap_or_default();
        url::join(&self.base, control, self.learned.by_the_book, &mut self.quirks)
    }

    fn ask_setup(&mut self, lane: usize) {
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

    fn set_up(&mut self, lane: usize, response: &Response) -> Result<(), Error> {
        if !(200..300).contains(&response.status) {
            self.setup_refused(lane, response.status);
            return Ok(());
        }
        self.note_session(&response.headers);
        let header = response.headers.get("Transport").unwrap_or_default();
        let asked = self.config.transport;
        let agreed = transport::read(header, asked, channels(lane), &mut self.quirks);
        match (asked, agreed) {
            (Transport::Tcp, Agreed { channels: None, ports: Some(_), .. }) => {
                self.close(Reason::TryUdp);
                return Ok(());
            }
            (Transport::Udp, Agreed { channels: Some(_), ports: None, .. }) => {
                self.close(Reason::TryTcp);
                return Ok(());
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
        Ok(())
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
        let _ = self.routes.pop();
        let asked = self.config.transport;
        match status {
            461 => self.close(match asked {
                Transport::Tcp => Reason::TryUdp,
                Transport::Udp => Reason::TryTcp,
            }),
            404 | 459 | 460 if !self.learned.by_the_book && lane == 0 => {
                self.learned.by_the_book = true;
                let control = self.session.as_ref().and_then(|s| s.control.clone());
                self.aggregate = self.control(control.as_deref());
                self.ask_setup(lane);
            }
            _ if lane > 0 => {
                // Without sound is better than nothing.
                self.lanes.truncate(lane);
                self.medias.truncate(lane);
                self.ask_play();
            }
            status => {
                if status == 463 {
                    self.quirks.add(Quirk::TrSrtpMki);
                }
                self.close(refusal(status));
            }
        }
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
            None if !id.is_empty() => self.id = Some(id.chars().take(256).collect()),
            Some(first) if first != id => {
                self.quirks.add(Quirk::SessIdChanges);
                self.other_id = Some(id.chars().take(256).collect());
            }
            _ => {}
        }
    }

    fn ask_play(&mut self) {
        self.step = Step::Play;
        let url = self.aggregate.clone();
        self.ask(Method::Play, &url, &[("Range", "npt=0.000-")]);
    }

    fn play_answered(&mut self, now: Now, response: &Response) {
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
        for (channel, data) in std::mem::take(&mut self.early) {
            self.interleaved(now, channel, &data);
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
        for (lane, entry) in self.lanes.iter_mut().zip(entries) {
            let find = |wanted: &str| {
                entry.split(';').filter_map(|p| p.split_once('=')).find_map(|(name, value)| {
                    name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim())
                })
            };
            let seq = find("seq").and_then(|s| s.parse().ok());
            let time = find("rtptime");
            if seq.is_some() || time.is_some() {
                lane.inform(seq, time.and_then(|t| t.parse().ok()));
            }
        }
    }
}

/// The channels that are asked for.
fn channels(lane: usize) -> (u8, u8) {
    let rtp = u8::try_from(lane.min(100) * 2).unwrap_or(0);
    (rtp, rtp + 1)
}

const fn refusal(status: u16) -> Reason {
    match status {
        401 | 403 => Reason::Auth,
        404 => Reason::NotFound,
        415 | 551 => Reason::Unsupported,
        status => Reason::Refused(status),
    }
}
