//! Requests and their answers: what is asked next, and what an answer means.

use std::collections::VecDeque;

use super::{Client, Event, KeepAlive, Output, Reason, Step};
use crate::auth::{Algorithm, Challenge, ClientAuth};
use crate::message::{Method, Request, Response};
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
        if response.status < 200 {
            return Ok(());
        }
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
            Step::Setup(lane) => {
                self.set_up(lane, &response);
                Ok(())
            }
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
        let before = self.auth.as_ref().is_some_and(ClientAuth::is_challenged);
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
        // Digest with several hashes is as RFC 7616 wants it.
        if digests > 0 && digests < challenges.len() {
            self.quirks.add(Quirk::AuthManyChallenges);
        }
        let sha256 = |c: &Challenge| matches!(c, Challenge::Digest(d) if d.algorithm == Some(Algorithm::Sha256));
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
        let session = match sdp::parse(&response.body, &mut self.quirks) {
            Ok(session) => session,
            // It answers as it should, only there is nothing in it.
            Err(Error::Malformed(_)) => {
                self.close(Reason::Unsupported);
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        self.aggregate = self.control(session.control.as_deref());
        let server = headers.get("Server").or(session.tool.as_deref());
        let server = server.map(|s| s.chars().filter(|c| !c.is_control()).take(200).collect());
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
        let from = &self.config.url;
        // To another host, or out of TLS, credentials would follow; nobody asked for that.
        let same = |to: &Url| to.host() == from.host() && (to.tls() || !from.tls());
        match location {
            Some(to) if self.config.allow_redirect && same(&to) => {
                let event = Event::Redirect { location: to.to_string() };
                self.out.push_back(Output::Event(event));
                self.close(Reason::Ended);
            }
            _ => self.close(Reason::Refused(response.status)),
        }
    }
}

pub(super) const fn refusal(status: u16) -> Reason {
    match status {
        401 | 403 => Reason::Auth,
        404 => Reason::NotFound,
        415 | 551 => Reason::Unsupported,
        status => Reason::Refused(status),
    }
}
