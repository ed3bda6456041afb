//! One request after the other: who may ask, what is answered.

use bytes::Bytes;

use super::address::{self, Target};
use super::{
    Connection, Described, Event, Output, Presentation, State, Transport, Waiting, transport,
};
use crate::auth::Verdict;
use crate::message::{Method, Request, Response};
use crate::sdp;

const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

impl Connection {
    /// Answers requests until one has to wait for the driver.
    pub(super) fn serve(&mut self) {
        while self.waiting.is_none()
            && self.state != State::Closed
            && let Some(request) = self.requests.pop_front()
        {
            self.alive = self.now;
            self.request(request);
        }
    }

    fn request(&mut self, request: Request) {
        let Some(target) = address::parse(&request.uri) else {
            return self.refuse(&request, 400);
        };
        if request.headers.cseq().is_none() {
            return self.refuse(&request, 400);
        }
        if !self.is_allowed(&request) {
            return;
        }
        if let Some(feature) = request.headers.get("Require") {
            let response = self.answer(&request, 551).with("Unsupported", feature);
            return self.transmit(response);
        }
        let named = request.headers.get("Session").is_some();
        let ours = self.is_session(&request);
        match request.method {
            _ if named && !ours => self.refuse(&request, 454),
            Method::Options => {
                let response = self.answer(&request, 200).with("Public", METHODS);
                self.transmit(response);
            }
            Method::Describe => self.ask_description(request, target),
            Method::Setup => self.setup(request, target),
            Method::Play | Method::Pause if self.state == State::Init => {
                self.refuse(&request, 455);
            }
            Method::Play | Method::Pause | Method::Teardown if !ours => {
                self.refuse(&request, 454);
            }
            Method::Play => self.play(request, &target),
            Method::Pause => self.pause(&request),
            Method::Teardown => self.teardown(&request),
            Method::GetParameter | Method::SetParameter => {
                // With a body it asks for something; there is nothing to be asked for.
                let status = if request.body.is_empty() { 200 } else { 451 };
                let mut response = self.answer(&request, status);
                if ours {
                    response.headers.push("Session", self.session_header());
                }
                self.transmit(response);
            }
            Method::Announce | Method::Record | Method::Redirect => {
                let response = self.answer(&request, 405).with("Allow", METHODS);
                self.transmit(response);
            }
            Method::Other(_) => self.refuse(&request, 501),
        }
    }

    /// Whether the request may be looked at; if not, it has been answered.
    fn is_allowed(&mut self, request: &Request) -> bool {
        let (Some(auth), Some(peer)) = (&self.config.auth, &mut self.peer) else { return true };
        // Every client asks this first, and it tells nothing.
        if request.method == Method::Options {
            return true;
        }
        let failures = peer.failures();
        let verdict = auth.verify(peer, request, self.now);
        let (failed, exhausted) = (peer.failures() > failures, peer.is_exhausted());
        let challenges = match verdict {
            Verdict::Ok(_) => return true,
            Verdict::Stale(challenges) => {
                // Some clients do not look at the answers to their keep-alives. Who came in on
                // this connection has nothing to prove for one.
                let keep_alive =
                    matches!(request.method, Method::GetParameter | Method::SetParameter);
                if keep_alive && self.state != State::Init {
                    return true;
                }
                challenges
            }
            Verdict::Challenge(challenges) => challenges,
        };
        let mut response = self.answer(request, 401);
        for challenge in challenges {
            response.headers.push("WWW-Authenticate", challenge);
        }
        self.transmit(response);
        if failed {
            self.out.push_back(Output::Event(Event::AuthFailed));
        }
        if exhausted {
            self.close();
        }
        false
    }

    fn ask_description(&mut self, request: Request, target: Target) {
        let wanted = |list: &str| {
            list.split(',').any(|kind| {
                let kind = kind.split(';').next().unwrap_or("").trim();
                ["application/sdp", "application/*", "*/*"]
                    .iter()
                    .any(|known| kind.eq_ignore_ascii_case(known))
            })
        };
        if request.headers.get("Accept").is_some_and(|list| !wanted(list)) {
            return self.refuse(&request, 406);
        }
        if self.state != State::Init {
            // What a session was set up with does not change under it.
            match self.described.as_ref().is_some_and(|d| d.path == target.path) {
                true => self.send_description(&request),
                false => self.refuse(&request, 455),
            }
            return;
        }
        let path = target.path.clone();
        self.waiting = Some(Waiting::Describe(request, target));
        self.out.push_back(Output::Event(Event::Describe { path }));
    }

    /// Remembers what is at a path; false if nothing is.
    pub(super) fn learn(
        &mut self,
        request: &Request,
        target: Target,
        presentation: Option<&Presentation>,
    ) -> bool {
        let Some(presentation) = presentation else { return false };
        let base = address::base(&request.uri, target.track);
        self.set_up = vec![None; presentation.tracks.len()];
        let presentation = presentation.clone();
        self.described = Some(Described { path: target.path, base, presentation });
        true
    }

    pub(super) fn send_description(&mut self, request: &Request) {
        let Some(described) = &self.described else { return };
        let body = sdp::write::presentation(&self.config.server_name, &described.presentation);
        let mut response = self
            .answer(request, 200)
            .with("Content-Base", described.base.as_str())
            .with("Content-Type", "application/sdp");
        response.body = Bytes::from(body);
        self.transmit(response);
    }

    fn setup(&mut self, request: Request, target: Target) {
        let known = self.described.as_ref().is_some_and(|d| d.path == target.path);
        match self.state {
            State::Playing | State::Closed => self.refuse(&request, 455),
            // Tracks of two sources do not go into one session.
            State::Ready if !known => self.refuse(&request, 459),
            State::Init if !known => {
                let path = target.path.clone();
                self.waiting = Some(Waiting::DescribeFirst(request, target));
                self.out.push_back(Output::Event(Event::Describe { path }));
            }
            State::Init | State::Ready => self.set_up_track(request, target.track),
        }
    }

    pub(super) fn set_up_track(&mut self, request: Request, track: Option<usize>) {
        let track = match (track, self.set_up.len()) {
            (Some(track), count) if track < count => track,
            (Some(_), _) => return self.refuse(&request, 404),
            (None, 1) => 0,
            (None, _) => return self.refuse(&request, 459),
        };
        let offers = request.headers.get_all("Transport");
        let Some(transport) = transport::choose(offers, self.config.udp, track, &self.set_up)
        else {
            return self.refuse(&request, 461);
        };
        match transport {
            Transport::Tcp { rtp, rtcp } => {
                self.reader.expect_channel(rtp);
                self.reader.expect_channel(rtcp);
                self.out.push_back(Output::Event(Event::Setup { track, transport }));
                self.finish_setup(&request, track, transport, None);
            }
            Transport::Udp { .. } => {
                self.waiting = Some(Waiting::Udp(request, track, transport));
                self.out.push_back(Output::Event(Event::Setup { track, transport }));
            }
        }
    }

    pub(super) fn finish_setup(
        &mut self,
        request: &Request,
        track: usize,
        transport: Transport,
        server_port: Option<u16>,
    ) {
        let ssrcs = self.described.as_ref().map(|d| d.presentation.ssrcs.as_slice());
        let ssrc = ssrcs.and_then(|all| all.get(track)).copied();
        if let Some(place) = self.set_up.get_mut(track) {
            *place = Some(transport);
        }
        self.state = State::Ready;
        let response = self
            .answer(request, 200)
            .with("Session", self.session_header())
            .with("Transport", transport.answer(server_port, ssrc));
        self.transmit(response);
    }

    fn play(&mut self, request: Request, target: &Target) {
        let set_up: Vec<(usize, Transport)> =
            self.set_up.iter().enumerate().filter_map(|(i, t)| Some((i, (*t)?))).collect();
        let path = self.described.as_ref().map_or("", |d| d.path.as_str());
        if target.path != path && !target.path.is_empty() {
            return self.refuse(&request, 404);
        }
        if target.track.is_some_and(|track| !matches!(set_up[..], [(only, _)] if only == track)) {
            return self.refuse(&request, 460);
        }
        if self.state == State::Playing {
            // It plays already; seeking is not possible and speed is not looked at.
            let response = self.answer(&request, 200).with("Session", self.session_header());
            return self.transmit(response);
        }
        self.state = State::Playing;
        self.waiting = Some(Waiting::Play(request));
        self.out.push_back(Output::Event(Event::Play { tracks: set_up }));
    }

    fn pause(&mut self, request: &Request) {
        if self.state == State::Playing {
            self.state = State::Ready;
            self.out.push_back(Output::Event(Event::Pause));
        }
        let response = self.answer(request, 200).with("Session", self.session_header());
        self.transmit(response);
    }

    fn teardown(&mut self, request: &Request) {
        self.state = State::Init;
        self.set_up.iter_mut().for_each(|t| *t = None);
        let response = self.answer(request, 200);
        self.transmit(response);
        self.out.push_back(Output::Event(Event::Teardown));
    }

    /// Whether the request names the session of this connection.
    fn is_session(&self, request: &Request) -> bool {
        let named = request.headers.get("Session");
        let named = named.and_then(|s| s.split(';').next()).map(str::trim);
        self.state != State::Init && named == Some(self.id.as_str())
    }

    pub(super) fn session_header(&self) -> String {
        format!("{};timeout={}", self.id, self.config.session_timeout_s)
    }

    pub(super) fn refuse(&mut self, request: &Request, status: u16) {
        let response = self.answer(request, status);
        self.transmit(response);
    }

    pub(super) fn answer(&self, request: &Request, status: u16) -> Response {
        let mut response = Response::new(status);
        if let Some(cseq) = request.headers.cseq() {
            response.headers.push("CSeq", cseq.to_string());
        }
        if !self.config.server_name.is_empty() {
            response.headers.push("Server", self.config.server_name.as_str());
        }
        response
    }

    pub(super) fn transmit(&mut self, response: Response) {
        self.out.push_back(Output::Transmit(response.encode()));
    }
}
