//! The web app's files, built into the program, and the answer for addresses that are no route.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};

use crate::problem::Problem;

/// Path below `web/dist` with a leading slash, and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// Shown where the web app was not built.
const ABSENT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>khien</title>\
    <h1>khien</h1><p>The web app was not built into this program. Build it (npm run build in web), \
    then build khien again. The API is at <a href=\"/api/v1/openapi.json\">/api/v1</a>.</p></html>\n";

/// Names with a hash in them never change what they stand for.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const FRESH: &str = "no-cache";

/// Whether the web app is in this program.
pub fn is_built() -> bool {
    !FILES.is_empty()
}

/// The fallback of the router.
pub(crate) async fn serve(method: Method, uri: Uri) -> Response {
    std::future::ready(find(&method, uri.path(), FILES)).await
}

fn find(method: &Method, path: &str, files: &[(&'static str, &'static [u8])]) -> Response {
    let inside = path == "/api" || path.starts_with("/api/");
    if inside || !matches!(*method, Method::GET | Method::HEAD) {
        let problem = if inside || files.iter().all(|(name, _)| *name != path) {
            Problem::not_found()
        } else {
            let detail = "this address takes other methods";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
        };
        return problem.into_response();
    }
    // The page's own addresses (a camera, a moment) are all served by its one document; a file
    // that is not there is not.
    let wanted = |p: &str| files.iter().find(|(name, _)| *name == p);
    let (name, content) = match wanted(path) {
        Some(file) => *file,
        None if path.starts_with("/assets/") => return Problem::not_found().into_response(),
        None => *wanted("/index.html").unwrap_or(&("/index.html", ABSENT.as_bytes())),
    };
    let cache = if name.starts_with("/assets/") { IMMUTABLE } else { FRESH };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(name))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, content).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ext)| ext) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIST: &[(&str, &[u8])] =
        &[("/assets/app-1a2b.js", b"js"), ("/favicon.svg", b"svg"), ("/index.html", b"page")];

    #[test]
    fn files_pages_and_nothing() {
        for (method, path, status, kind, cache) in [
            (Method::GET, "/", 200, "text/html; charset=utf-8", FRESH),
            (Method::GET, "/cameras/1?x", 200, "text/html; charset=utf-8", FRESH),
            (Method::HEAD, "/login", 200, "text/html; charset=utf-8", FRESH),
            (Method::GET, "/assets/app-1a2b.js", 200, "text/javascript; charset=utf-8", IMMUTABLE),
            (Method::GET, "/favicon.svg", 200, "image/svg+xml", FRESH),
            (Method::GET, "/assets/old.js", 404, "application/problem+json", "no-store"),
            (Method::GET, "/assets/../index.html", 404, "application/problem+json", "no-store"),
            (Method::GET, "/api", 404, "application/problem+json", "no-store"),
            (Method::GET, "/api/v1/nothing", 404, "application/problem+json", "no-store"),
            (Method::POST, "/", 404, "application/problem+json", "no-store"),
            (Method::POST, "/favicon.svg", 405, "application/problem+json", "no-store"),
        ] {
            let r = find(&method, path, DIST);
            assert_eq!(r.status().as_u16(), status, "{method} {path}");
            assert_eq!(r.headers()["content-type"], kind, "{path}");
            assert_eq!(r.headers()["cache-control"], cache, "{path}");
        }
        let r = find(&Method::GET, "/", &[]);
        assert_eq!(
            (r.status().as_u16(), &r.headers()["content-type"]),
            (200, &"text/html; charset=utf-8".parse().unwrap())
        );
    }
}
