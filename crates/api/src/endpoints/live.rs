//! Live pictures over a WebSocket, subprotocol `khien.fmp4.v1`:
//!
//! ```text
//! page   → {"t":"play"}
//! server → {"t":"init","id":7,"mime":"video/mp4; codecs=\"avc1.640028\"","w":1920,"h":1080}
//!          binary: the init segment
//!          binary: moof+mdat of one frame, again and again
//!          {"t":"wall","us":1785567600000000,"media_s":12.5}   about once a second
//!          {"t":"drop","frames":12}                            the page was too slow
//! ```
//!
//! Close codes: 4401 the session has ended, 4404 no such camera, 4409 the camera is offline (ask
//! again later), 1013 too many viewers, 1008 the page does not speak the protocol, 1001 khien ends.

use std::time::Duration;

use ::media::CameraId;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::StreamExt;
use http::StatusCode;
use net::sink::fmp4::{Event, Viewer};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::app::App;
use crate::auth::{Access, Caller, Peer};
use crate::openapi::doc;
use crate::problem::Problem;
use crate::routes::{Path, Routes};

/// The subprotocol's name.
const PROTOCOL: &str = "khien.fmp4.v1";
/// Between pings; two without an answer end the connection.
const PING: Duration = Duration::from_secs(15);
const PINGS_MISSED_MAX: u32 = 2;
/// Between looks at whether the viewer may still watch.
const RECHECK: Duration = Duration::from_secs(15);
/// The page must ask to play within this time.
const HELLO_MAX: Duration = Duration::from_secs(10);
/// One message that takes longer to send has no reader.
const SEND_MAX: Duration = Duration::from_secs(10);
/// Largest message of a page.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(
        "/api/v1/cameras/{id}/live",
        Access::Viewer,
        doc("Live pictures over a WebSocket, subprotocol khien.fmp4.v1")
            .upgrades()
            .fails(&[400, 426]),
        live,
    )
}

/// Why a live connection ends, as its close code and reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Going,
    Protocol,
    Busy,
    Session,
    Camera,
    Offline,
    /// Nobody there to be told.
    Gone,
}

impl End {
    const fn close(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Going => Some((1001, "khien ends")),
            Self::Protocol => Some((1008, "not understood")),
            Self::Busy => Some((1013, "too many viewers")),
            Self::Session => Some((4401, "session")),
            Self::Camera => Some((4404, "camera-unknown")),
            Self::Offline => Some((4409, "camera-offline")),
            Self::Gone => None,
        }
    }
}

/// What a page may say.
#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
enum Hello {
    Play,
}

async fn live(
    State(app): State<App>,
    caller: Caller,
    peer: Peer,
    Path(id): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        let status = StatusCode::UPGRADE_REQUIRED;
        Problem::new(status, "upgrade", "this address is for WebSockets")
    })?;
    if !upgrade.requested_protocols().any(|p| p == PROTOCOL) {
        let detail = "ask for the subprotocol khien.fmp4.v1";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "subprotocol", detail));
    }
    // A browser shows a page no status of a failed upgrade, but shows it close codes: what the
    // page can act on is told after the upgrade.
    let camera = app.camera(&caller, &id).await.map(|c| c.id);
    let place = app.viewers().clone().try_acquire_owned().ok();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .write_buffer_size(0);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut session = Live { app, caller, socket };
        let end = match camera {
            Ok(camera) => session.run(camera, place, peer.stop).await,
            Err(p) if p.status() == StatusCode::NOT_FOUND => End::Camera,
            Err(_) => End::Going,
        };
        session.close(end).await;
    }))
}

struct Live {
    app: App,
    caller: Caller,
    socket: WebSocket,
}

impl Live {
    async fn run(
        &mut self,
        camera: CameraId,
        place: Option<OwnedSemaphorePermit>,
        stop: Option<net::Stop>,
    ) -> End {
        let Some(_place) = place else { return End::Busy };
        match timeout(HELLO_MAX, self.hello()).await {
            Ok(Ok(())) => {}
            Ok(Err(end)) => return end,
            Err(_) => return End::Protocol,
        }
        let Ok(viewer) = Viewer::open(self.app.live(), &camera.to_string()) else {
            return End::Offline;
        };
        self.play(camera, viewer, stop).await
    }

    async fn hello(&mut self) -> Result<(), End> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return match serde_json::from_str(&text) {
                        Ok(Hello::Play) => Ok(()),
                        Err(_) => Err(End::Protocol),
                    };
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => return Err(End::Protocol),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
            }
        }
    }

    async fn play(
        &mut self,
        camera: CameraId,
        mut viewer: Viewer,
        mut stop: Option<net::Stop>,
    ) -> End {
        let mut pings = interval_at(Instant::now() + PING, PING);
        let mut rechecks = interval_at(Instant::now() + RECHECK, RECHECK);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        let stopping = async {
            match &mut stop {
                Some(stop) => stop.wanted().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(stopping);
        loop {
            let result = tokio::select! {
                event = viewer.next() => self.event(event).await,
                message = self.socket.next() => match message {
                    Some(Ok(Message::Pong(_))) => {
                        unanswered = 0;
                        Ok(())
                    }
                    // A second "play" and whatever later pages say is not ours to refuse.
                    Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_))) => Ok(()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
                },
                _ = pings.tick() => {
                    unanswered += 1;
                    if unanswered > PINGS_MISSED_MAX {
                        Err(End::Gone)
                    } else {
                        self.send(Message::Ping(bytes::Bytes::new())).await
                    }
                }
                _ = rechecks.tick() => self.recheck(camera).await,
                () = &mut stopping => Err(End::Going),
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// One event on its way to the page.
    async fn event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Init(init) => {
                let text = json!({
                    "t": "init", "id": init.id, "mime": init.mime, "w": init.width, "h": init.height,
                });
                self.text(&text).await?;
                self.send(Message::Binary(init.data.clone())).await
            }
            Event::Media(data) => self.send(Message::Binary(data)).await,
            Event::Wall { us, media_s } => {
                self.text(&json!({ "t": "wall", "us": us, "media_s": media_s })).await
            }
            Event::Drop { frames } => self.text(&json!({ "t": "drop", "frames": frames })).await,
            Event::Ended => Err(End::Offline),
        }
    }

    /// Whether the session and the camera are still there.
    async fn recheck(&mut self, camera: CameraId) -> Result<(), End> {
        if let Caller::User { session, .. } = self.caller {
            match self.app.session(session).await {
                Ok(caller) if Access::Viewer.admits(&caller).is_ok() => self.caller = caller,
                Ok(_) => return Err(End::Session),
                Err(_) => return Err(End::Going),
            }
        }
        match self.app.camera(&self.caller, &camera.to_string()).await {
            Ok(_) => Ok(()),
            Err(p) if p.status() == StatusCode::NOT_FOUND => Err(End::Camera),
            Err(_) => Err(End::Session),
        }
    }

    async fn text(&mut self, value: &serde_json::Value) -> Result<(), End> {
        self.send(Message::Text(value.to_string().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn close(mut self, end: End) {
        if let Some((code, reason)) = end.close() {
            let frame = CloseFrame { code, reason: reason.into() };
            if self.send(Message::Close(Some(frame))).await.is_ok() {
                // Until the page has answered, or the close might overtake what it answers.
                let _ = timeout(Duration::from_secs(2), async {
                    while let Some(Ok(_)) = self.socket.next().await {}
                })
                .await;
            }
        }
    }
}
