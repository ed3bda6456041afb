//! What is recorded, when, and where its bytes are.

use ::media::Wall;
use axum::extract::State;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::archive;
use crate::auth::{Access, Caller};
use crate::openapi::doc;
use crate::problem::Problem;
use crate::routes::{Path, Query, Routes};

const OK: StatusCode = StatusCode::OK;
/// Most fragments in one answer, and how many without being asked.
const FRAGMENTS_MAX: u32 = 1_000;
const FRAGMENTS: u32 = 200;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/cameras/{id}/timeline",
            Access::Viewer,
            doc("What is recorded of a span, and what is missing and why")
                .asks::<SpanAsk>()
                .answers::<TimelineView>(OK),
            timeline,
        )
        .get(
            "/api/v1/cameras/{id}/fragments",
            Access::Viewer,
            doc("Where the media of a span lies: byte ranges of segments, in order")
                .asks::<FragmentsAsk>()
                .answers::<FragmentsView>(OK),
            fragments,
        )
}

/// A span; each end RFC 3339 or integer microseconds since 1970.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SpanAsk {
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FragmentsAsk {
    from: String,
    to: String,
    /// At most 1,000.
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct SpanView {
    from_us: i64,
    to_us: i64,
}

impl From<(Wall, Wall)> for SpanView {
    fn from((from, to): (Wall, Wall)) -> Self {
        Self { from_us: from.0, to_us: to.0 }
    }
}

/// A hole in the recording.
#[derive(Serialize, JsonSchema)]
struct GapView {
    from_us: i64,
    /// Null while it lasts.
    to_us: Option<i64>,
    cause: String,
}

#[derive(Serialize, JsonSchema)]
struct TimelineView {
    from_us: i64,
    to_us: i64,
    spans: Vec<SpanView>,
    gaps: Vec<GapView>,
    /// What was recorded and then deleted by retention.
    expired: Vec<SpanView>,
}

/// One piece of media, at most about a second.
#[derive(Serialize, JsonSchema)]
struct FragmentView {
    segment: String,
    /// Where it begins in the segment's file.
    offset: u64,
    size: u64,
    start_us: i64,
    end_us: i64,
    /// Can be decoded without any fragment before it.
    random_access: bool,
    /// Equal for fragments that need the same init segment.
    init: String,
    /// Media time of its first picture, seconds.
    decode_time_s: f64,
}

#[derive(Serialize, JsonSchema)]
struct FragmentsView {
    fragments: Vec<FragmentView>,
    /// Ask again from here; null when this was all.
    next_us: Option<i64>,
}

/// An instant of a query.
fn instant(text: &str, name: &str) -> Result<Wall, Problem> {
    let wall = text.parse().ok().map(Wall).or_else(|| text.parse::<Wall>().ok());
    wall.ok_or_else(|| {
        let detail =
            format!("\"{name}\" is a time like 2026-08-01T07:00:00Z or microseconds since 1970");
        Problem::invalid("time", detail)
    })
}

/// Both ends of a span, in order.
pub(super) fn span(from: &str, to: &str) -> Result<(Wall, Wall), Problem> {
    let (from, to) = (instant(from, "from")?, instant(to, "to")?);
    if from >= to {
        return Err(Problem::invalid("time", "\"from\" must be before \"to\""));
    }
    Ok((from, to))
}

async fn timeline(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(ask): Query<SpanAsk>,
) -> Result<axum::Json<TimelineView>, Problem> {
    let camera = app.footage(&caller, &id).await?.0;
    let (from, to) = span(&ask.from, &ask.to)?;
    let line = app.blocking(move |app| archive::timeline(app.store(), camera, from, to)).await?;
    Ok(axum::Json(TimelineView {
        from_us: from.0,
        to_us: to.0,
        spans: line.spans.into_iter().map(SpanView::from).collect(),
        expired: line.expired.into_iter().map(SpanView::from).collect(),
        gaps: line
            .gaps
            .iter()
            .map(|g| GapView {
                from_us: g.from.0,
                to_us: g.to.map(|t| t.0),
                cause: g.cause.slug().to_owned(),
            })
            .collect(),
    }))
}

async fn fragments(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(ask): Query<FragmentsAsk>,
) -> Result<axum::Json<FragmentsView>, Problem> {
    let camera = app.footage(&caller, &id).await?.0;
    let (from, to) = span(&ask.from, &ask.to)?;
    let limit = ask.limit.unwrap_or(FRAGMENTS).clamp(1, FRAGMENTS_MAX);
    let found = app
        .blocking(move |app| archive::fragments(app.store(), camera, from, to, limit as usize))
        .await?;
    let full = found.len() >= limit as usize;
    let next_us = found.last().filter(|_| full).map(|f| f.end.0).filter(|next| *next < to.0);
    let fragments = found
        .into_iter()
        .map(|f| FragmentView {
            segment: f.segment,
            offset: f.offset,
            size: f.size,
            start_us: f.start.0,
            end_us: f.end.0,
            random_access: f.random_access,
            init: f.init,
            decode_time_s: f.decode_time_s,
        })
        .collect();
    Ok(axum::Json(FragmentsView { fragments, next_us }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        for (text, us) in [
            ("0", 0),
            ("-5", -5),
            ("1785567600000000", 1_785_567_600_000_000),
            ("1970-01-01T00:00:01Z", 1_000_000),
            ("1970-01-01T07:00:00+07:00", 0),
        ] {
            assert_eq!(instant(text, "from"), Ok(Wall(us)), "{text}");
        }
        for text in ["", "now", "1.5", "99999999999999999999", "2026-13-01T00:00:00Z"] {
            assert_eq!(instant(text, "from").unwrap_err().code(), "time", "{text}");
        }
        assert!(span("5", "5").is_err() && span("6", "5").is_err() && span("5", "6").is_ok());
    }
}
