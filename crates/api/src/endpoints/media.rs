//! The bytes themselves: init segments, segments, exports, snapshots.

use ::media::Wall;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::history::{SpanAsk, span};
use crate::app::App;
use crate::archive;
use crate::auth::{Access, Caller};
use crate::openapi::doc;
use crate::problem::Problem;
use crate::ranges;
use crate::routes::{Path, Query, Routes};

const MP4: &str = "video/mp4";
/// A person's browser may keep it for ever; a shared cache may not have it at all.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";
/// Ask each time, by entity tag.
const FRESH: &str = "private, no-cache";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/cameras/{id}/segments/{segment}/init",
            Access::Viewer,
            doc(
                "The init segment for playing a segment's fragments; X-Khien-Mime names its codecs",
            )
            .sends(MP4)
            .fails(&[500, 501]),
            init,
        )
        .get(
            "/api/v1/cameras/{id}/segments/{segment}/media",
            Access::Viewer,
            doc("Fragments of a segment for playing: only tracks that are in the init segment")
                .asks::<MediaAsk>()
                .sends(MP4)
                .fails(&[500, 501]),
            playable,
        )
        .get(
            "/api/v1/cameras/{id}/segments/{segment}.mp4",
            Access::Viewer,
            doc("A segment's file").sends(MP4).ranges(),
            segment,
        )
        .get(
            "/api/v1/cameras/{id}/export.mp4",
            Access::Viewer,
            doc("A span as one MP4 file").asks::<SpanAsk>().sends(MP4).ranges(),
            export,
        )
        .get(
            "/api/v1/cameras/{id}/snapshot.jpg",
            Access::Viewer,
            doc("The newest key frame as JPEG").sends("image/jpeg").fails(&[502, 504]),
            snapshot,
        )
}

async fn init(
    State(app): State<App>,
    caller: Caller,
    Path((id, segment)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let camera = app.footage(&caller, &id).await?.0;
    let key = archive::key(&segment)?;
    let (bytes, mime) = app.blocking(move |app| archive::init(app.store(), camera, key)).await?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MP4));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE));
    if let Ok(mime) = HeaderValue::from_str(&mime) {
        headers.insert(HeaderName::from_static("x-khien-mime"), mime);
    }
    Ok(response)
}

/// Where fragments lie, as `/fragments` told; neighbours may be asked for together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MediaAsk {
    offset: u64,
    /// At most 16 MiB.
    size: u64,
}

async fn playable(
    State(app): State<App>,
    caller: Caller,
    Path((id, segment)): Path<(String, String)>,
    Query(MediaAsk { offset, size }): Query<MediaAsk>,
) -> Result<Response, Problem> {
    let camera = app.footage(&caller, &id).await?.0;
    let key = archive::key(&segment)?;
    if size == 0 || size > archive::MEDIA_BYTES_MAX {
        return Err(Problem::invalid("query", "\"size\" is from 1 to 16777216"));
    }
    let bytes = app
        .blocking(move |app| archive::playable_media(app.store(), camera, key, offset, size))
        .await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(MP4)),
        (header::CACHE_CONTROL, HeaderValue::from_static(IMMUTABLE)),
    ];
    Ok((headers, bytes).into_response())
}

async fn segment(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let camera = app.footage(&caller, &id).await?.0;
    let key = archive::key(file.strip_suffix(".mp4").ok_or_else(Problem::not_found)?)?;
    let found = app.blocking(move |app| archive::segment(app.store(), camera, key)).await?;
    let meta = ranges::Meta {
        etag: format!("\"{camera}-{key}-{}\"", found.len),
        len: found.len,
        content_type: MP4,
        cache: FRESH,
    };
    Ok(ranges::answer(&method, &headers, &meta, found.source))
}

async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(ask): Query<SpanAsk>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, name) = app.footage(&caller, &id).await?;
    let (from, to) = span(&ask.from, &ask.to)?;
    let (turn, place) = app.export_turn().await?;
    let found = app
        .blocking(move |app| {
            // Also when the client has left meanwhile: what counts is the work.
            let _turn = turn;
            archive::export(app.store(), id, (from, to), place)
        })
        .await?;
    let meta = ranges::Meta { etag: found.etag, len: found.len, content_type: MP4, cache: FRESH };
    tracing::info!(camera = %id, %from, %to, "export");
    let mut response = ranges::answer(&method, &headers, &meta, found.source);
    if let Ok(value) = HeaderValue::from_str(&disposition(&name, from, to)) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-khien-gaps"), HeaderValue::from(found.gaps));
    Ok(response)
}

/// A file name from a camera's name, which may be anything: once in ASCII, once percent-encoded
/// (RFC 6266).
fn disposition(name: &str, from: Wall, to: Wall) -> String {
    // 2026-08-01T07:00:00.000000Z as 20260801T070000Z.
    let compact = |w: Wall| {
        let text = w.to_string();
        let seconds = text.split('.').next().unwrap_or_default();
        format!("{}Z", seconds.replace(['-', ':'], ""))
    };
    let tail = format!("{}-{}.mp4", compact(from), compact(to));
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let mut encoded = String::new();
    for b in name.bytes() {
        if b.is_ascii_alphanumeric() || b == b'-' {
            encoded.push(char::from(b));
        } else {
            encoded.push('%');
            encoded.push_str(&super::view::hex(&[b]).to_uppercase());
        }
    }
    format!("attachment; filename=\"{plain}-{tail}\"; filename*=UTF-8''{encoded}-{tail}")
}

async fn snapshot(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let camera = app.camera(&caller, &id).await?.id;
    let jpeg = app.control().snapshot(camera).await.map_err(|e| Problem::of_camera(&e))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"))], jpeg).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_harmless_file_names() {
        let (from, to) = (Wall(1_785_567_600_000_000), Wall(1_785_567_660_000_000));
        for (name, plain, encoded) in [
            ("front", "front", "front"),
            ("Cổng", "C_ng", "C%E1%BB%95ng"),
            ("a\"; x=\"b", "a___x__b", "a%22%3B%20x%3D%22b"),
            ("../../etc", "______etc", "%2E%2E%2F%2E%2E%2Fetc"),
            ("$(id)\r\n", "__id___", "%24%28id%29%0D%0A"),
        ] {
            let tail = "20260801T070000Z-20260801T070100Z.mp4";
            assert_eq!(
                disposition(name, from, to),
                format!(
                    "attachment; filename=\"{plain}-{tail}\"; filename*=UTF-8''{encoded}-{tail}"
                )
            );
        }
    }
}
