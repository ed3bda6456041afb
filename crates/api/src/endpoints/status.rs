//! How the recorder is, its description, its certificate and its figures.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::view::DetailView;
use crate::app::{App, CONNECTIONS_MAX, VIEWERS_MAX};
use crate::archive;
use crate::auth::Access;
use crate::control::{CameraState, Detail};
use crate::openapi::{doc, openapi};
use crate::problem::Problem;
use crate::routes::Routes;

const OK: StatusCode = StatusCode::OK;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/healthz", Access::Public, doc("Whether khien answers").sends("text/plain"), healthz)
        .get(
            "/metrics",
            Access::Collector,
            doc("Figures in the Prometheus text format, also with the token of `metrics.token`")
                .sends("text/plain; version=0.0.4"),
            metrics,
        )
        .get(
            "/api/v1/openapi.json",
            Access::Public,
            doc("This description").sends("application/json"),
            description,
        )
        .get(
            "/api/v1/ca.pem",
            Access::Public,
            doc("The certificate of the local CA, to be installed on devices that are to trust it")
                .sends("application/x-pem-file")
                .fails(&[404]),
            ca,
        )
        .get(
            "/api/v1/status",
            Access::Viewer,
            doc("How the recorder is").answers::<StatusView>(OK),
            status,
        )
}

/// Bytes of the volume that recordings lie on.
#[derive(Serialize, JsonSchema)]
struct StorageView {
    /// Taken by recordings.
    bytes_used: u64,
    bytes_free: u64,
    bytes_total: u64,
}

/// How the recorder is.
#[derive(Serialize, JsonSchema)]
struct StatusView {
    version: String,
    now: String,
    now_us: i64,
    /// Ids of the cameras that are being recorded.
    recording: Vec<String>,
    storage: StorageView,
    /// What a person should look at.
    warnings: Vec<DetailView>,
}

async fn healthz() -> &'static str {
    std::future::ready("ok\n").await
}

async fn description() -> axum::Json<serde_json::Value> {
    std::future::ready(axum::Json(openapi())).await
}

async fn ca(State(app): State<App>) -> Result<Response, Problem> {
    let pem = app.ca_pem().map(str::to_owned).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no-ca", "this server uses a certificate given to it")
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"khien-ca.pem\""),
        ),
    ];
    Ok((headers, std::future::ready(pem).await?).into_response())
}

async fn status(State(app): State<App>) -> Result<axum::Json<StatusView>, Problem> {
    let now = app.clock().wall();
    let view = app
        .blocking(move |app| {
            let mut recording = Vec::new();
            let mut warnings = app.control().warnings();
            for camera in app.registry().cameras()?.into_iter().filter(|c| c.enabled) {
                let Some(status) = app.control().status(camera.id) else { continue };
                match status.state {
                    CameraState::Recording => recording.push(camera.id.to_string()),
                    CameraState::Offline | CameraState::Refused => {
                        let why = status.detail.map_or_else(String::new, |d| d.message);
                        warnings.push(Detail {
                            code: "camera".to_owned(),
                            message: format!("{}: {why}", camera.name),
                        });
                    }
                    CameraState::Live | CameraState::Connecting => {}
                }
            }
            let usage = archive::usage(app.store())?;
            Ok::<_, Problem>(StatusView {
                version: app.version().to_owned(),
                now: now.to_string(),
                now_us: now.0,
                recording,
                storage: StorageView {
                    bytes_used: usage.used,
                    bytes_free: usage.free,
                    bytes_total: usage.total,
                },
                warnings: warnings.into_iter().map(DetailView::from).collect(),
            })
        })
        .await?;
    Ok(axum::Json(view))
}

async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app.blocking(figures).await?;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn figures(app: &App) -> Result<String, Problem> {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, rows: &[(String, u64)]| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    let counters = app.counters();
    let classes = counters.answers.iter().zip(1..);
    let answers: Vec<_> = classes
        .map(|(n, class)| (format!("{{class=\"{class}xx\"}}"), n.load(Ordering::Relaxed)))
        .collect();
    family("khien_http_requests_total", "counter", "Answers by status class.", &answers);
    let logins = [
        ("ok", &counters.logins_ok),
        ("failed", &counters.logins_failed),
        ("locked", &counters.logins_locked),
    ]
    .map(|(word, n)| (format!("{{result=\"{word}\"}}"), n.load(Ordering::Relaxed)));
    family("khien_logins_total", "counter", "Log-ins by result.", &logins);
    let taken = |max: usize, free: usize| (String::new(), max.saturating_sub(free) as u64);
    let viewers = taken(VIEWERS_MAX, app.viewers().available_permits());
    family("khien_live_viewers", "gauge", "Live viewers now.", &[viewers]);
    let connections = taken(CONNECTIONS_MAX, app.connections().available_permits());
    family("khien_http_connections", "gauge", "Connections now.", &[connections]);
    let usage = archive::usage(app.store())?;
    let volume = [("used", usage.used), ("free", usage.free), ("total", usage.total)]
        .map(|(word, n)| (format!("{{kind=\"{word}\"}}"), n));
    family("khien_storage_bytes", "gauge", "Bytes of the recordings' volume.", &volume);
    app.control().metrics(&mut out);
    Ok(out)
}
