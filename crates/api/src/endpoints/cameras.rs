//! The cameras: list, add, edit, remove, probe.

mod address;

use ::media::Wall;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stdx::Secret;
use store::registry::{Camera, NewCamera, Retention};

use super::view::{DetailView, QuirkView, TrackView, Transport, given, hex, sha256};
use crate::app::App;
use crate::archive;
use crate::auth::{Access, Caller};
use crate::control::{CameraState, CameraStatus, Probe, ProbeRequest};
use crate::openapi::doc;
use crate::problem::Problem;
use crate::routes::{Json, Path, Routes};
use address::Address;

const OK: StatusCode = StatusCode::OK;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/cameras",
            Access::Viewer,
            doc("All cameras and how they are").answers::<Vec<CameraView>>(OK),
            list,
        )
        .post(
            "/api/v1/cameras",
            Access::Owner,
            doc("Add a camera and begin to record it")
                .takes::<CameraNew>()
                .answers::<CameraView>(StatusCode::CREATED)
                .fails(&[409]),
            add,
        )
        .post(
            "/api/v1/cameras/probe",
            Access::Owner,
            doc("Connect once to a camera and show what it sends")
                .takes::<ProbeAsk>()
                .answers::<ProbeView>(OK)
                .fails(&[502, 504]),
            probe,
        )
        .get(
            "/api/v1/cameras/removed",
            Access::Owner,
            doc("Removed cameras whose recordings or gaps are still known; ask for them by id")
                .answers::<Vec<RemovedView>>(OK),
            removed,
        )
        .get(
            "/api/v1/cameras/{id}",
            Access::Viewer,
            doc("One camera").answers::<CameraView>(OK),
            one,
        )
        .patch(
            "/api/v1/cameras/{id}",
            Access::Owner,
            doc("Change a camera; fields that are not there stay as they are")
                .takes::<CameraEdit>()
                .answers::<CameraView>(OK)
                .fails(&[409]),
            edit,
        )
        .delete(
            "/api/v1/cameras/{id}",
            Access::Owner,
            doc(
                "Stop recording a camera and forget it; recordings stay until retention takes them",
            ),
            remove,
        )
        .post(
            "/api/v1/cameras/{id}/certificate/accept",
            Access::Owner,
            doc("Trust this certificate of a camera, and no other")
                .takes::<Certificate>()
                .answers::<CameraView>(OK),
            accept,
        )
}

/// How a camera is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StateView {
    Recording,
    Live,
    Connecting,
    Offline,
    Refused,
    Disabled,
}

/// How long recordings of one camera are kept.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RetentionView {
    max_days: Option<u32>,
    max_bytes: Option<u64>,
}

/// A gap that lasts.
#[derive(Serialize, JsonSchema)]
struct GapNow {
    from: String,
    cause: String,
}

/// A camera.
#[derive(Serialize, JsonSchema)]
pub(super) struct CameraView {
    id: String,
    name: String,
    /// Without user and password. Viewers see scheme, host and port only: with many cameras the
    /// rest holds credentials too.
    url: String,
    /// The user at the camera; only for owners.
    user: Option<String>,
    /// Whether a password is kept.
    has_password: bool,
    transport: Transport,
    enabled: bool,
    /// Cameras are listed in this order.
    position: i64,
    /// Limits of its own; null for the system's.
    retention: Option<RetentionView>,
    /// SHA-256 of the certificate that it must show.
    certificate: Option<String>,
    created: String,
    state: StateView,
    since: Option<String>,
    detail: Option<DetailView>,
    tracks: Vec<TrackView>,
    quirks: Vec<QuirkView>,
    bytes_per_s: u64,
    /// Where its oldest recording begins.
    recorded_from: Option<String>,
    gap: Option<GapNow>,
}

/// A camera that was removed.
#[derive(Serialize, JsonSchema)]
struct RemovedView {
    id: String,
    /// Where its oldest recording begins.
    recorded_from: Option<String>,
    /// Where its newest recording ends.
    recorded_to: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CameraNew {
    name: String,
    /// `rtsp://` or `rtsps://`. Credentials in it are taken out and kept apart.
    url: String,
    user: Option<String>,
    password: Option<String>,
    #[serde(default)]
    transport: Transport,
    /// SHA-256 of the certificate that it must show.
    accept_certificate: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CameraEdit {
    name: Option<String>,
    /// Another host needs the password again, or it would be sent to whoever answers there.
    url: Option<String>,
    #[serde(default, deserialize_with = "given")]
    user: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    password: Option<Option<String>>,
    transport: Option<Transport>,
    enabled: Option<bool>,
    position: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    retention: Option<Option<RetentionView>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProbeAsk {
    url: String,
    user: Option<String>,
    password: Option<String>,
    #[serde(default)]
    transport: Transport,
    accept_certificate: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct ProbeView {
    tracks: Vec<TrackView>,
    server: Option<String>,
    quirks: Vec<QuirkView>,
    /// `data:image/jpeg;base64,…`
    preview: Option<String>,
    certificate: Option<CertificateView>,
}

/// The certificate that a camera showed.
#[derive(Serialize, JsonSchema)]
struct CertificateView {
    sha256: String,
    subject: String,
    not_after: String,
    /// It is the one that the request said to accept.
    pinned: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Certificate {
    sha256: String,
}

/// A camera with what the store knows of it. Blocks.
fn view(app: &App, caller: &Caller, camera: Camera) -> Result<CameraView, Problem> {
    let status = app.control().status(camera.id).filter(|_| camera.enabled);
    let state = match (camera.enabled, status.as_ref().map(|s| s.state)) {
        (false, _) => StateView::Disabled,
        (true, None | Some(CameraState::Connecting)) => StateView::Connecting,
        (true, Some(CameraState::Recording)) => StateView::Recording,
        (true, Some(CameraState::Live)) => StateView::Live,
        (true, Some(CameraState::Offline)) => StateView::Offline,
        (true, Some(CameraState::Refused)) => StateView::Refused,
    };
    let now = app.clock().wall();
    let past = archive::past(app.store(), camera.id, now)?;
    let since = status.as_ref().map(|s| s.since.to_string());
    let CameraStatus { detail, tracks, quirks, bytes_per_s, .. } = status.unwrap_or(CameraStatus {
        state: CameraState::Connecting,
        since: now,
        detail: None,
        tracks: Vec::new(),
        quirks: Vec::new(),
        bytes_per_s: 0,
    });
    Ok(CameraView {
        id: camera.id.to_string(),
        name: camera.name,
        url: if caller.is_owner() { camera.url } else { address::origin(&camera.url) },
        user: camera.user.filter(|_| caller.is_owner()),
        has_password: camera.password.is_some(),
        transport: camera.transport.into(),
        enabled: camera.enabled,
        position: camera.position,
        retention: camera
            .retention
            .map(|r| RetentionView { max_days: r.max_days, max_bytes: r.max_bytes }),
        certificate: camera.certificate.map(|c| hex(&c)),
        created: camera.created.to_string(),
        state,
        since,
        detail: detail.map(DetailView::from),
        tracks: tracks.iter().map(TrackView::from).collect(),
        quirks: quirks.into_iter().map(QuirkView::from).collect(),
        bytes_per_s,
        recorded_from: past.from.map(|w: Wall| w.to_string()),
        gap: past
            .gap
            .map(|g| GapNow { from: g.from.to_string(), cause: g.cause.slug().to_owned() }),
    })
}

async fn list(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Vec<CameraView>>, Problem> {
    let views = app
        .blocking(move |app| {
            let cameras = app.registry().cameras()?;
            cameras.into_iter().map(|c| view(app, &caller, c)).collect::<Result<Vec<_>, Problem>>()
        })
        .await?;
    Ok(axum::Json(views))
}

async fn removed(State(app): State<App>) -> Result<axum::Json<Vec<RemovedView>>, Problem> {
    let views = app
        .blocking(|app| {
            let known: Vec<_> = app.registry().cameras()?.into_iter().map(|c| c.id).collect();
            let gone = app.store().cameras()?.into_iter().filter(|id| !known.contains(id));
            gone.map(|id| {
                let span = app.store().recorded(id)?;
                Ok(RemovedView {
                    id: id.to_string(),
                    recorded_from: span.map(|s| s.from.to_string()),
                    recorded_to: span.map(|s| s.to.to_string()),
                })
            })
            .collect::<stdx::Result<Vec<_>>>()
        })
        .await?;
    Ok(axum::Json(views))
}

async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<CameraView>, Problem> {
    let camera = app.camera(&caller, &id).await?;
    Ok(axum::Json(app.blocking(move |app| view(app, &caller, camera)).await?))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<CameraNew>,
) -> Result<(StatusCode, axum::Json<CameraView>), Problem> {
    let address = Address::parse(&body.url)?;
    let (user, password) = address.credentials(body.user, body.password);
    let new = NewCamera {
        name: body.name,
        url: address.url,
        user,
        password,
        transport: body.transport.into(),
        retention: None,
        certificate: body.accept_certificate.as_deref().map(sha256).transpose()?,
    };
    let view = app
        .blocking(move |app| {
            let camera = app.registry().add_camera(new, app.clock().wall())?;
            tracing::info!(camera = %camera.id, name = ?camera.name, "camera added");
            app.control().changed(camera.id);
            view(app, &caller, camera)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<CameraEdit>,
) -> Result<axum::Json<CameraView>, Problem> {
    let id = app.camera(&caller, &id).await?.id;
    let address = body.url.as_deref().map(Address::parse).transpose()?;
    let view = app
        .blocking(move |app| {
            let camera = app
                .registry()
                .edit_camera(id, |c| Ok(apply(c, body, address)?))
                .map_err(Problem::from)?;
            app.control().changed(id);
            view(app, &caller, camera)
        })
        .await?;
    Ok(axum::Json(view))
}

/// Writes what the person said over what is kept.
fn apply(c: &mut Camera, body: CameraEdit, address: Option<Address>) -> Result<(), Problem> {
    if let Some(address) = address {
        let moved = Address::parse(&c.url).is_ok_and(|old| !old.same_host(&address));
        let (user, password) =
            address.credentials(body.user.clone().flatten(), body.password.clone().flatten());
        if moved && c.password.is_some() && password.is_none() && body.password.is_none() {
            let detail = "this is another host: give the camera's password again";
            return Err(Problem::invalid("password-needed", detail));
        }
        if moved {
            // What answers there is another machine, which has a certificate of its own.
            c.certificate = None;
        }
        c.url = address.url;
        c.user = user.or(c.user.take());
        c.password = password.or(c.password.take());
    }
    if let Some(user) = body.user {
        c.user = user.filter(|u| !u.is_empty());
    }
    if let Some(password) = body.password {
        c.password = password.filter(|p| !p.is_empty()).map(Secret::new);
    }
    c.name = body.name.unwrap_or_else(|| c.name.clone());
    c.transport = body.transport.map_or(c.transport, Into::into);
    c.enabled = body.enabled.unwrap_or(c.enabled);
    c.position = body.position.unwrap_or(c.position);
    if let Some(retention) = body.retention {
        c.retention = retention.map(|r| Retention { max_days: r.max_days, max_bytes: r.max_bytes });
    }
    Ok(())
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let camera = app.camera(&caller, &id).await?;
    app.blocking(move |app| {
        app.registry().remove_camera(camera.id)?;
        tracing::info!(camera = %camera.id, name = ?camera.name, "camera removed");
        app.control().changed(camera.id);
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Certificate>,
) -> Result<axum::Json<CameraView>, Problem> {
    let id = app.camera(&caller, &id).await?.id;
    let certificate = sha256(&body.sha256)?;
    let view = app
        .blocking(move |app| {
            let camera = app.registry().edit_camera(id, |c| {
                c.certificate = Some(certificate);
                Ok(())
            })?;
            tracing::info!(camera = %id, "camera certificate accepted");
            app.control().changed(id);
            view(app, &caller, camera)
        })
        .await?;
    Ok(axum::Json(view))
}

async fn probe(
    State(app): State<App>,
    Json(body): Json<ProbeAsk>,
) -> Result<axum::Json<ProbeView>, Problem> {
    let address = Address::parse(&body.url)?;
    let (user, password) = address.credentials(body.user, body.password);
    let accept_certificate = body.accept_certificate.as_deref().map(sha256).transpose()?;
    let request = ProbeRequest {
        url: address.url,
        user,
        password,
        transport: body.transport.into(),
        accept_certificate,
    };
    let found = app.control().probe(request).await;
    let Probe { tracks, server, quirks, preview_jpeg, certificate } =
        found.map_err(|e| Problem::of_camera(&e))?;
    Ok(axum::Json(ProbeView {
        tracks: tracks.iter().map(TrackView::from).collect(),
        server,
        quirks: quirks.into_iter().map(QuirkView::from).collect(),
        preview: preview_jpeg.map(|j| format!("data:image/jpeg;base64,{}", STANDARD.encode(j))),
        certificate: certificate.map(|c| CertificateView {
            sha256: hex(&c.sha256),
            subject: c.subject,
            not_after: c.not_after.to_string(),
            pinned: accept_certificate == Some(c.sha256),
        }),
    }))
}
