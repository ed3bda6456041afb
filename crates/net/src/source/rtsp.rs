//! RTSP and RTSPS cameras: connect, run the client machine, publish, and come back after every
//! kind of break.

mod connect;
mod session;
mod udp;

use std::time::{Duration, Instant};

use ::rtsp::quirk::Quirk;
use hub::{Hub, Item, Kind as HubKind};
use media::{Cause, Frame, TrackKind};
use stdx::{Backoff, Error, Kind, Result, Secret};
use tokio::sync::watch;

use super::{State, Status, Trouble};
use crate::tls::Trust;
use crate::{Stop, Stopper, now, random};
use session::{End, Memory, Session};

pub use ::rtsp::client::Transport;

/// Which camera, and how it is to be reached.
#[derive(Debug, Clone)]
pub struct Config {
    /// `rtsp://` or `rtsps://`; user and password in it are ignored.
    pub url: String,
    /// Sent only by Digest or, if the camera knows nothing better, Basic.
    pub credentials: Option<(String, Secret)>,
    /// Tried first; the other one is taken when the camera wants it.
    pub transport: Transport,
    /// How its certificate is judged.
    pub trust: Trust,
    /// Follow a redirect to the same host.
    pub allow_redirect: bool,
}

/// No frame for this long (or three frame intervals, if that is longer) is a stall.
pub const STALL: Duration = Duration::from_millis(4_500);
/// A connection, a handshake or an answer that takes longer has failed.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);
/// A session that streamed this long has proved that the camera is well.
const PROVEN: Duration = Duration::from_secs(60);

/// Between attempts to reach an address that does not answer: short, because an attempt is one
/// packet and footage is lost meanwhile.
const REACH: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));
/// Between attempts at a camera that answers and refuses: long, because cameras lock accounts
/// and count sessions.
const REFUSED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Keeps `path` of the hub fed from the camera until `stop`.
pub async fn run(
    hub: Hub,
    path: String,
    config: Config,
    report: watch::Sender<Status>,
    mut stop: Stop,
) {
    let mut reach = Backoff::new(REACH.0, REACH.1);
    let mut refused = Backoff::new(REFUSED.0, REFUSED.1);
    let mut memory = Memory::default();
    let mut plan = config;
    // Who refuses both transports refuses.
    let mut switched = false;
    while !stop.is_wanted() {
        report.send_modify(|s| {
            s.attempts += 1;
            // Who was refused stays refused on the page until it is known to be otherwise.
            if s.state == State::Streaming {
                set(s, State::Connecting, None);
            }
        });
        let session = Session::new(&hub, &path, &plan, &report, memory);
        let end;
        (end, memory) = session.run(&mut stop).await;
        // The first certificate seen is the one from now on.
        if let Trust::Pin(pin @ None) = &mut plan.trust {
            *pin = report.borrow().certificate.as_ref().map(|c| c.sha256);
        }
        switched &= !matches!(&end, End::Broken { streamed, .. } if *streamed > Duration::ZERO);
        let wait = match end {
            End::Stopped => {
                report.send_modify(|s| s.quirks = memory.counts.list());
                break;
            }
            End::Broken { trouble, streamed } => {
                if streamed >= PROVEN {
                    refused.reset();
                }
                // A session that worked and broke (settings changed, cable pulled) is tried
                // again at once.
                let at_once = streamed > Duration::from_secs(2);
                trouble_found(&report, State::Offline, trouble);
                reach.reset();
                if at_once { Duration::ZERO } else { refused.next(random()) }
            }
            End::Unreachable(trouble) => {
                trouble_found(&report, State::Offline, trouble);
                reach.next(random())
            }
            End::Refused(trouble) => {
                memory.booting |= matches!(trouble.code, "camera-path" | "camera-busy");
                trouble_found(&report, State::Refused, trouble);
                refused.next(random())
            }
            End::Other(transport, quirk) => {
                memory.counts.add(quirk);
                plan.transport = transport;
                if std::mem::replace(&mut switched, true) {
                    let message = "the camera refuses both TCP and UDP".to_owned();
                    let cause = Cause::BadStream;
                    let trouble = Trouble { code: "camera-protocol", message, cause };
                    trouble_found(&report, State::Refused, trouble);
                    refused.next(random())
                } else {
                    Duration::ZERO
                }
            }
            End::Redirected(url) => {
                plan.url = url;
                plan.allow_redirect = false;
                Duration::ZERO
            }
        };
        report.send_modify(|s| s.quirks = memory.counts.list());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.wanted() => break,
        }
    }
}

fn set(status: &mut Status, state: State, trouble: Option<Trouble>) {
    if status.state != state {
        status.state = state;
        status.since = now().wall;
    }
    status.trouble = trouble;
}

fn trouble_found(report: &watch::Sender<Status>, state: State, trouble: Trouble) {
    report.send_modify(|s| {
        if s.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(code = trouble.code, "{}", trouble.message);
        }
        set(s, state, Some(trouble));
    });
}

/// What a camera showed in one short session.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its tracks; picture parameters are those of the pictures, not of its promises.
    pub tracks: Vec<media::Track>,
    /// What it calls itself.
    pub server: Option<String>,
    /// What it did differently.
    pub quirks: Vec<(Quirk, u64)>,
    /// Its certificate, where it speaks TLS.
    pub certificate: Option<crate::tls::Certificate>,
    /// The first picture that can be decoded alone.
    pub key_frame: Option<Frame>,
}

/// How long a probe waits for a picture: longer than the key frame distance of most cameras.
const PROBE: Duration = Duration::from_secs(12);

/// Connects once and shows what comes.
///
/// # Errors
/// The trouble, with its code, when there is no picture.
pub async fn probe(config: Config) -> Result<Probe> {
    let hub = Hub::new();
    let (report, status) = watch::channel(Status::new(now().wall));
    let (stopper, stop) = Stopper::new();
    let task = tokio::spawn(run(hub.clone(), "probe".to_owned(), config, report, stop));
    let result = tokio::time::timeout(PROBE, first_picture(&hub, status.clone())).await;
    stopper.stop();
    let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
    let last = status.borrow().clone();
    let key_frame = match result {
        Ok(frame) => frame?,
        // Connected but without a picture: what it announced is still worth showing.
        Err(_) if !last.tracks.is_empty() => None,
        Err(_) => {
            let message = "the camera answers, but sends nothing within 12 s".to_owned();
            return Err(last.trouble.as_ref().map_or_else(
                || Error::new(Kind::Unavailable, message).with_code("camera-timeout"),
                trouble_error,
            ));
        }
    };
    Ok(Probe {
        tracks: last.tracks.to_vec(),
        server: last.server,
        quirks: last.quirks,
        certificate: last.certificate,
        key_frame,
    })
}

async fn first_picture(hub: &Hub, mut status: watch::Receiver<Status>) -> Result<Option<Frame>> {
    let mut subscriber = hub.subscribe("probe", HubKind::Live);
    let mut only_sound = false;
    loop {
        tokio::select! {
            item = subscriber.next() => match item {
                Item::Published(tracks) => {
                    only_sound = tracks.iter().all(|t| t.kind() != TrackKind::Video);
                }
                Item::Frame { frame, .. } => {
                    let picture = frame.params.kind() == TrackKind::Video;
                    if only_sound {
                        return Ok(None);
                    }
                    if picture && frame.random_access {
                        return Ok(Some(frame));
                    }
                }
                Item::Skipped(_) | Item::Gap(_) | Item::Unpublished(_) => {}
            },
            changed = status.changed() => {
                if changed.is_err() {
                    return Err(Error::new(Kind::Cancelled, "the probe was ended"));
                }
                // One trouble is an answer; a person who tests a camera waits for it.
                if let Some(trouble) = &status.borrow_and_update().trouble {
                    return Err(trouble_error(trouble));
                }
            }
        }
    }
}

fn trouble_error(trouble: &Trouble) -> Error {
    let kind = match trouble.cause {
        Cause::CameraAuth => Kind::PermissionDenied,
        Cause::BadStream => Kind::Unsupported,
        _ => Kind::Unavailable,
    };
    Error::new(kind, trouble.message.clone()).with_code(trouble.code)
}

/// The later of "stall" and three frame intervals, at most a minute.
fn stall_after(interval: Duration) -> Duration {
    STALL.max(interval.saturating_mul(3)).min(Duration::from_secs(60))
}

/// Whether media that last came at `last` has stalled by `now`.
fn stalled(last: Instant, interval: Duration, now: Instant) -> bool {
    now.duration_since(last) >= stall_after(interval)
}
