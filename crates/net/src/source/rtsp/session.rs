//! One connection to a camera, from TCP to its end.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ::rtsp::client::{Client, Event, Input, Learned, Output, Reason, Transport, Want};
use ::rtsp::quirk::{Quirk, QuirkCounts};
use ::rtsp::url::Url;
use bytes::Bytes;
use hub::{Hub, Publisher};
use media::{Cause, Frame, Params, Track, TrackKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until, timeout};

use super::super::{State, Status, Trouble};
use super::connect::{self, Connected, Failure, Wire};
use super::udp::{self, Pair};
use super::{ANSWER_MAX, Config, set, stalled};
use crate::tls::{Seen, Trust};
use crate::{Stop, now};

/// How a session ended.
pub(super) enum End {
    /// We were asked to.
    Stopped,
    /// It had begun to work.
    Broken { trouble: Trouble, streamed: Duration },
    /// Nobody there.
    Unreachable(Trouble),
    /// Somebody there who refuses.
    Refused(Trouble),
    /// Another transport is to be tried at once.
    Other(Transport, Quirk),
    /// Another address is to be tried at once.
    Redirected(String),
}

/// What one session hands to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// Seen so far, over all sessions.
    pub(super) counts: QuirkCounts,
    /// How this camera wants to be treated.
    pub(super) learned: Learned,
    /// It answered, and had no stream yet.
    pub(super) booting: bool,
}

/// Bytes taken from the socket at once.
const READ_BYTES: usize = 64 << 10;
/// How often liveness is looked at.
const WATCH: Duration = Duration::from_millis(250);
/// UDP without a packet for this long after PLAY: a firewall is in the way.
const UDP_SILENT: Duration = Duration::from_secs(3);
/// A camera that takes no goodbye for this long gets none.
const GOODBYE: Duration = Duration::from_millis(500);
/// How often counters go to the page.
const REPORT: Duration = Duration::from_secs(5);

pub(super) struct Session<'a> {
    hub: &'a Hub,
    path: &'a str,
    config: &'a Config,
    report: &'a watch::Sender<Status>,
    memory: Memory,
    publisher: Option<Publisher>,
    tracks: Vec<Track>,
    pairs: Vec<Pair>,
    out: Vec<Bytes>,
    playing: Option<Instant>,
    first_frame: Option<Instant>,
    last_frame: Option<Instant>,
    interval: Duration,
    started: Instant,
    reported: Instant,
    end: Option<End>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        hub: &'a Hub,
        path: &'a str,
        config: &'a Config,
        report: &'a watch::Sender<Status>,
        memory: Memory,
    ) -> Self {
        let started = Instant::now();
        Self {
            hub,
            path,
            config,
            report,
            memory,
            publisher: None,
            tracks: Vec::new(),
            pairs: Vec::new(),
            out: Vec::new(),
            playing: None,
            first_frame: None,
            last_frame: None,
            interval: Duration::ZERO,
            started,
            reported: started,
            end: None,
        }
    }

    /// Runs to the end; returns it with what the next session should know.
    pub(super) async fn run(mut self, stop: &mut Stop) -> (End, Memory) {
        let end = self.connect_and_drive(stop).await;
        if let Some(publisher) = self.publisher.take() {
            publisher.close(match &end {
                End::Stopped => Cause::SwitchedOff,
                End::Broken { trouble, .. } | End::Unreachable(trouble) | End::Refused(trouble) => {
                    trouble.cause
                }
                End::Other(..) | End::Redirected(_) => Cause::NetworkCut,
            });
        }
        (end, self.memory)
    }

    async fn connect_and_drive(&mut self, stop: &mut Stop) -> End {
        let url = match Url::parse(&self.config.url) {
            Ok(url) => url,
            Err(e) => return End::Refused(refusal("camera-url", format!("the address: {e}"))),
        };
        let seen = Seen::default();
        let connected = tokio::select! {
            connected = connect::connect(&url, &self.config.trust, &seen) => connected,
            () = stop.wanted() => return End::Stopped,
        };
        if let Some(certificate) = seen.get() {
            self.report.send_modify(|s| s.certificate = Some(certificate));
        }
        let connected = match connected {
            Ok(connected) => connected,
            Err(Failure::Unreachable(trouble)) => return End::Unreachable(trouble),
            Err(Failure::Refused(trouble)) => return End::Refused(trouble),
        };
        if url.tls() && matches!(self.config.trust, Trust::Pin(_)) {
            // Nobody but the pin vouches for it.
            self.memory.counts.add(Quirk::TrTlsOdd);
        }
        self.started = Instant::now();
        let mut client = Client::new(
            ::rtsp::client::Config {
                url,
                credentials: self.config.credentials.clone(),
                transport: self.config.transport,
                allow_redirect: self.config.allow_redirect,
                user_agent: concat!("khien/", env!("CARGO_PKG_VERSION")).to_owned(),
                learned: self.memory.learned,
                want: Want { video: true, audio: true, metadata: true },
            },
            now(),
        );
        let end = self.drive(&mut client, connected, stop).await;
        self.memory.counts.merge(client.quirks());
        self.memory.learned = client.learned();
        end
    }

    async fn drive(&mut self, client: &mut Client, connected: Connected, stop: &mut Stop) -> End {
        let Connected { mut wire, peer } = connected;
        let mut buf = vec![0; READ_BYTES];
        let mut datagram = Vec::new();
        let sleep = sleep_until((Instant::now() + WATCH).into());
        tokio::pin!(sleep);
        loop {
            let wait = self.drain(client, peer.ip()).await;
            let sent = tokio::select! {
                sent = self.send(&mut wire) => sent,
                () = stop.wanted() => Err(End::Stopped),
            };
            if let Err(end) = sent {
                return end;
            }
            if let Some(end) = self.end.take() {
                return end;
            }
            if let Some(end) = self.watch(client) {
                self.leave(client, &mut wire, peer.ip()).await;
                return end;
            }
            arm(sleep.as_mut(), wait);
            if datagram.is_empty() && !self.pairs.is_empty() {
                datagram = vec![0; READ_BYTES];
            }
            let handled = tokio::select! {
                biased;
                read = wire.read(&mut buf) => match read {
                    Ok(0) => client.handle(now(), Input::Closed),
                    Ok(n) => client.handle(now(), Input::Tcp(&buf[..n])),
                    Err(e) => return self.broken(Cause::NetworkCut, &e.to_string()),
                },
                a = udp::receive(&mut self.pairs, &mut datagram) => client.handle(
                    now(),
                    Input::Udp { track: a.track, rtcp: a.rtcp, data: &datagram[..a.len] },
                ),
                () = sleep.as_mut() => client.handle(now(), Input::Timeout),
                () = stop.wanted() => {
                    self.leave(client, &mut wire, peer.ip()).await;
                    return End::Stopped;
                }
            };
            if let Err(e) = handled {
                let _ = self.drain(client, peer.ip()).await;
                if let Some(end) = self.end.take() {
                    return end;
                }
                return self.broken(Cause::BadStream, &e.to_string());
            }
        }
    }

    /// Sends what is collected for the camera.
    async fn send(&mut self, wire: &mut Box<dyn Wire>) -> Result<(), End> {
        for data in std::mem::take(&mut self.out) {
            match timeout(ANSWER_MAX, wire.write_all(&data)).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => return Err(self.broken(Cause::NetworkCut, &e.to_string())),
                Err(_) => return Err(self.broken(Cause::NetworkCut, "it takes no data")),
            }
        }
        Ok(())
    }

    /// Frees the camera's session: many allow only one or two. What the camera still sends is
    /// read, because closing over it would take our goodbye back.
    async fn leave(&mut self, client: &mut Client, wire: &mut Box<dyn Wire>, peer: IpAddr) {
        let _ = client.handle(now(), Input::Teardown);
        let _ = self.drain(client, peer).await;
        if self.out.is_empty() {
            return;
        }
        let goodbye = async {
            let sent = self.send(wire).await.is_ok() && wire.shutdown().await.is_ok();
            let mut rest = vec![0; READ_BYTES];
            while sent && wire.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Carries out what the machine wants until it waits.
    async fn drain(&mut self, client: &mut Client, peer: IpAddr) -> Option<Instant> {
        loop {
            match client.poll() {
                Output::Transmit(data) => self.out.push(data),
                Output::TransmitUdp { track, rtcp, data } => {
                    if let Some(pair) = self.pairs.iter().find(|p| p.track == track) {
                        pair.send(rtcp, &data);
                    }
                }
                Output::Event(Event::NeedUdp { track }) => {
                    // Without a socket the machine gets port 0, which no camera accepts, and
                    // the refusal is reported like any other.
                    let port = match Pair::bind(track, peer).await {
                        Ok(pair) => {
                            let port = pair.port();
                            self.pairs.retain(|p| p.track != track);
                            self.pairs.push(pair);
                            port
                        }
                        Err(_) => 0,
                    };
                    let _ = client.handle(now(), Input::UdpBound { track, rtp_port: port });
                }
                Output::Event(event) => self.event(event),
                Output::Wait(at) => return at,
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::NeedUdp { .. } => {}
            Event::PeerUdp { track, rtp_port, rtcp_port } => {
                if let Some(pair) = self.pairs.iter_mut().find(|p| p.track == track) {
                    pair.set_peer(rtp_port, rtcp_port);
                }
            }
            Event::Described { server, .. } => self.report.send_modify(|s| s.server = server),
            Event::Playing { tracks } => self.play(tracks),
            Event::Frame(frame) => self.frame(frame),
            Event::Lost { packets, .. } => self.report.send_modify(|s| s.lost += packets),
            Event::Quirk(quirk) => tracing::info!(quirk = quirk.slug(), "tolerated"),
            Event::Redirect { location } => self.end = Some(End::Redirected(location)),
            Event::Closed(reason) => {
                let end = self.closed(reason);
                self.end.get_or_insert(end);
            }
        }
    }

    fn play(&mut self, tracks: Vec<Track>) {
        match self.hub.publish(self.path, tracks.clone()) {
            Ok(publisher) => self.publisher = Some(publisher),
            Err(e) => self.end = Some(End::Refused(refusal("camera-busy", e.message().to_owned()))),
        }
        self.playing = Some(Instant::now());
        self.report.send_modify(|s| s.tracks = tracks.clone().into());
        self.tracks = tracks;
    }

    fn frame(&mut self, frame: Frame) {
        let at = Instant::now();
        if frame.params.kind() == TrackKind::Video || self.only_sound() {
            if let Some(last) = self.last_frame {
                // Follows slow cameras at once and fast ones slowly.
                let step = at.duration_since(last);
                self.interval = step.max(self.interval.mul_f64(0.9)).min(Duration::from_secs(20));
            }
            self.last_frame = Some(at);
        }
        if self.first_frame.is_none() {
            self.first_frame = Some(at);
            if std::mem::take(&mut self.memory.booting) {
                self.memory.counts.add(Quirk::SessSlowBoot);
            }
            self.report.send_modify(|s| set(s, State::Streaming, None));
        }
        if frame.random_access {
            self.learn(&frame);
        }
        if let Some(publisher) = &self.publisher {
            publisher.push(frame);
        }
    }

    fn only_sound(&self) -> bool {
        self.tracks.iter().all(|t| t.kind() != TrackKind::Video)
    }

    /// What the pictures say about themselves replaces what was announced.
    fn learn(&mut self, frame: &Frame) {
        let Some(track) = self.tracks.iter_mut().find(|t| t.id == frame.track) else { return };
        let news = !std::sync::Arc::ptr_eq(&track.params, &frame.params)
            && !matches!(*frame.params, Params::Pending(_));
        if news {
            track.params = std::sync::Arc::clone(&frame.params);
            let tracks = self.tracks.clone();
            self.report.send_modify(|s| s.tracks = tracks.into());
        }
    }

    /// Stalls, silent UDP, and handshakes that never end.
    fn watch(&mut self, client: &Client) -> Option<End> {
        let at = Instant::now();
        if at.duration_since(self.reported) >= REPORT {
            self.reported = at;
            let mut counts = self.memory.counts.clone();
            counts.merge(client.quirks());
            self.report.send_modify(|s| s.quirks = counts.list());
        }
        let Some(playing) = self.playing else {
            // The machine's own steps are each bounded by the camera's patience, not ours.
            let slow = at.duration_since(self.started) >= ANSWER_MAX * 2;
            if slow && client.quirks().get(Quirk::SessCrlf) > 0 {
                let message = "what answers there is not RTSP; check the port".to_owned();
                return Some(End::Refused(refusal("camera-protocol", message)));
            }
            return slow.then(|| {
                End::Unreachable(Trouble {
                    code: "camera-timeout",
                    message: "it accepts connections but does not answer RTSP".to_owned(),
                    cause: Cause::CameraSilent,
                })
            });
        };
        let Some(last) = self.last_frame else {
            let udp = self.config.transport == Transport::Udp;
            if udp && at.duration_since(playing) >= UDP_SILENT && client.last_media().is_none() {
                return Some(End::Other(Transport::Tcp, Quirk::TrUdpSilent));
            }
            // A first picture may need a key frame, and some send one every 20 s.
            let wait =
                if client.last_media().is_some() { Duration::from_secs(30) } else { super::STALL };
            return (at.duration_since(playing) >= wait)
                .then(|| self.broken(Cause::CameraSilent, "it plays but sends nothing"));
        };
        stalled(last, self.interval, at)
            .then(|| self.broken(Cause::CameraSilent, "nothing came for 5 s"))
    }

    fn streamed(&self) -> Duration {
        match (self.first_frame, self.last_frame) {
            (Some(first), Some(last)) => last.duration_since(first),
            _ => Duration::ZERO,
        }
    }

    fn broken(&self, cause: Cause, why: &str) -> End {
        let code = match cause {
            Cause::CameraSilent => "camera-timeout",
            Cause::BadStream => "camera-protocol",
            _ => "camera-network",
        };
        let message = format!("the connection to the camera ended: {why}");
        End::Broken { trouble: Trouble { code, message, cause }, streamed: self.streamed() }
    }

    fn closed(&mut self, reason: Reason) -> End {
        let refused = |code, message: &str| End::Refused(refusal(code, message.to_owned()));
        match reason {
            Reason::Ended => self.broken(Cause::NetworkCut, "the camera closed it"),
            Reason::NotFound => refused(
                "camera-path",
                "the camera has no such stream; check the path of the address",
            ),
            Reason::Auth => refused(
                "camera-auth",
                "the camera refuses user or password, or wants them and none were given",
            ),
            Reason::Unsupported => {
                refused("camera-codec", "the camera sends nothing that khien can record")
            }
            Reason::Protocol(e) if self.playing.is_none() => refused(
                "camera-protocol",
                &format!("what answers there cannot be understood ({e}); check the port"),
            ),
            Reason::Protocol(e) => self.broken(Cause::BadStream, &e.to_string()),
            Reason::Refused(status @ (453 | 500 | 503)) => {
                self.memory.counts.add(Quirk::SessLimit);
                End::Refused(Trouble {
                    code: "camera-busy",
                    message: format!(
                        "the camera refuses (RTSP {status}); perhaps too many others are connected"
                    ),
                    cause: Cause::NetworkCut,
                })
            }
            Reason::Refused(300..=399) => refused(
                "camera-protocol",
                "the camera sends its viewers to another address; enter that one",
            ),
            Reason::Refused(status) => {
                refused("camera-protocol", &format!("the camera refuses (RTSP {status})"))
            }
            Reason::TryUdp => End::Other(Transport::Udp, Quirk::Tr461Tcp),
            Reason::TryTcp => End::Other(Transport::Tcp, Quirk::Tr461Udp),
            Reason::Silent => self.broken(Cause::CameraSilent, "it does not answer"),
        }
    }
}

fn refusal(code: &'static str, message: String) -> Trouble {
    let cause = match code {
        "camera-auth" => Cause::CameraAuth,
        "camera-codec" | "camera-protocol" => Cause::BadStream,
        _ => Cause::CameraAddress,
    };
    Trouble { code, message, cause }
}

/// Moves the timer only when it must ring earlier, or has rung: moving it costs a lock.
fn arm(mut sleep: std::pin::Pin<&mut Sleep>, wait: Option<Instant>) {
    let at = Instant::now();
    let watch = at + WATCH;
    let target = wait.map_or(watch, |w| w.min(watch));
    let armed = sleep.deadline().into_std();
    if sleep.is_elapsed() || target + Duration::from_millis(1) < armed {
        sleep.as_mut().reset(target.max(at).into());
    }
}
