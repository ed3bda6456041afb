//! In front of everything: is this request addressed to us by one of our names, does it come from
//! one of our own pages, does it end in time; and the headers that every answer carries.
//!
//! Rules for a request that changes something or opens a WebSocket:
//!
//! - `Origin` is there: its host and port are those of `Host`, and over TLS its scheme is https.
//! - `Origin` is missing, `Sec-Fetch-Site` is there: it says `same-origin` or `none`.
//! - Both are missing (no browser of this decade): the request carries no cookie, so there is
//!   nothing of a person that it could misuse.
//!
//! Local calls are exempt: no browser speaks over the Unix socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};

use super::{Peer, session};
use crate::app::App;
use crate::problem::Problem;

/// From the last byte of the head to the first byte of the answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; \
    manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

static ALWAYS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    ),
];
const HSTS: &str = "max-age=31536000";

/// The outermost layer.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_else(Peer::unknown);
    let api = request.uri().path().starts_with("/api/");
    // Browsers ignore it for addresses, and every other service on `localhost` would suffer.
    let strict = peer.tls
        && authority(request.uri(), request.headers(), request.version())
            .is_some_and(|h| h.name != "localhost" && h.name.parse::<IpAddr>().is_err());
    let allowed = if peer.local { Ok(()) } else { examine(&request, &peer, app.names()) };
    let mut response = match allowed {
        Ok(()) => tokio::time::timeout(ANSWER_MAX, next.run(request)).await.unwrap_or_else(|_| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "timeout", "this took too long").into_response()
        }),
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if strict {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    if api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    app.counters().answered(response.status());
    response
}

fn examine(request: &Request, peer: &Peer, names: &[String]) -> Result<(), Problem> {
    let headers = request.headers();
    let host = authority(request.uri(), headers, request.version()).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "host", "the request names no host, or several")
    })?;
    if !ours(&host.name, names) {
        let detail = "this server is not called that; add the name to http.names";
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host", detail));
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        || headers.contains_key(header::UPGRADE)
        || headers.contains_key(HeaderName::from_static("sec-websocket-key"));
    if changes && !same_origin(headers, &host, peer.tls) {
        let detail = "this request comes from another site, or does not say where from (Origin)";
        return Err(Problem::new(StatusCode::FORBIDDEN, "origin", detail));
    }
    Ok(())
}

/// A host with its port, as in `Host` and in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Authority {
    /// Lower case, without brackets and without a final dot.
    name: String,
    port: Option<u16>,
}

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (name, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = name.parse().ok()?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (address.to_string(), port)
        } else {
            let (name, port) = match text.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if !name.bytes().all(plain) {
                return None;
            }
            (name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(), port)
        };
        let port = match port {
            // `u16::from_str` takes a plus sign.
            Some(p) if p.bytes().all(|b| b.is_ascii_digit()) => Some(p.parse().ok()?),
            Some(_) => return None,
            None => None,
        };
        (!name.is_empty()).then_some(Self { name, port })
    }
}

/// Whom the request is addressed to: the target's authority or the one `Host`; both must agree.
fn authority(uri: &Uri, headers: &HeaderMap, version: Version) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(Authority::parse(host.to_str().ok()?)?),
        (None, None) if version >= Version::HTTP_2 => None,
        _ => return None,
    };
    let target = match uri.authority() {
        Some(a) => Some(Authority::parse(a.as_str())?),
        None => None,
    };
    match (target, host) {
        (Some(target), Some(host)) if target != host => None,
        (target, host) => target.or(host),
    }
}

/// One of our names, or an address: a page from elsewhere that resolves its own name to us (DNS
/// rebinding) sends that name.
fn ours(name: &str, names: &[String]) -> bool {
    name == "localhost"
        || name.parse::<Ipv4Addr>().is_ok()
        || name.parse::<Ipv6Addr>().is_ok()
        || names.iter().any(|n| n.strip_suffix('.').unwrap_or(n).eq_ignore_ascii_case(name))
}

fn same_origin(headers: &HeaderMap, host: &Authority, tls: bool) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) => {
            let Some((scheme, rest)) = origin.to_str().ok().and_then(|o| o.split_once("://"))
            else {
                return false;
            };
            let default = match scheme {
                "https" => 443,
                "http" if !tls => 80,
                _ => return false,
            };
            Authority::parse(rest).is_some_and(|o| {
                o.name == host.name && o.port.unwrap_or(default) == host.port.unwrap_or(default)
            })
        }
        (Some(_), Some(_)) => false,
        (None, _) => match headers.get(HeaderName::from_static("sec-fetch-site")) {
            Some(site) => site == "same-origin" || site == "none",
            None => !session::has_cookie(headers),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
        let mut b = Request::builder().method(method).uri(target);
        for (k, v) in headers {
            b = b.header(*k, *v);
        }
        b.body(axum::body::Body::empty()).unwrap()
    }

    fn verdict(method: &str, tls: bool, headers: &[(&str, &str)]) -> u16 {
        let peer = Peer { tls, ..Peer::unknown() };
        let names = ["Nhà.lan".to_owned(), "nvr.home.arpa".to_owned()];
        let result = examine(&request(method, "/api/v1/login", headers), &peer, &names);
        result.map_or_else(|p| p.status().as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_names_are_ours() {
        for (host, want) in [
            ("localhost:8080", 200),
            ("127.0.0.1", 200),
            ("192.168.1.5:8443", 200),
            ("[::1]:8443", 200),
            ("[fe80::1]", 200),
            ("NVR.home.arpa.", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("127.0.0.1.nip.io", 421),
            ("nvr.home.arpa.evil.example", 421),
            ("127.1", 421),
            ("", 400),
            ("[::1", 400),
            ("::1", 400),
            ("localhost:+80", 400),
            ("localhost:80:80", 400),
            ("user@localhost", 400),
            ("localhost/..", 400),
            ("localhost, evil.example", 400),
        ] {
            assert_eq!(verdict("GET", true, &[("host", host)]), want, "{host}");
        }
        assert_eq!(verdict("GET", true, &[]), 400);
        assert_eq!(verdict("GET", true, &[("host", "localhost"), ("host", "localhost")]), 400);
    }

    #[test]
    fn target_and_host_must_agree() {
        let peer = Peer::unknown();
        for (target, host, want) in [
            ("http://localhost:1/x", Some("localhost:1"), 200),
            ("http://localhost:1/x", Some("localhost"), 400),
            ("http://evil.example/x", Some("localhost"), 400),
            ("http://evil.example/x", None, 421),
            ("http://localhost/x", None, 200),
        ] {
            let headers: Vec<_> = host.map(|h| ("host", h)).into_iter().collect();
            let mut request = request("GET", target, &headers);
            *request.version_mut() = Version::HTTP_2;
            let got = examine(&request, &peer, &[]).map_or_else(|p| p.status().as_u16(), |()| 200);
            assert_eq!(got, want, "{target} {host:?}");
        }
    }

    #[test]
    fn changes_come_from_our_own_pages() {
        let h = ("host", "192.168.1.5:8443");
        let cookie = ("cookie", "__Host-khien=x");
        for (headers, want) in [
            (vec![h, ("origin", "https://192.168.1.5:8443")], 200),
            (vec![h, ("origin", "https://192.168.1.5:8443"), cookie], 200),
            (vec![h, ("origin", "http://192.168.1.5:8443"), cookie], 403),
            (vec![h, ("origin", "https://192.168.1.5"), cookie], 403),
            (vec![h, ("origin", "https://192.168.1.5:8443.evil.example"), cookie], 403),
            (vec![h, ("origin", "https://evil.example"), cookie], 403),
            (vec![h, ("origin", "null"), cookie], 403),
            (vec![h, ("origin", ""), cookie], 403),
            (vec![h, ("origin", "https://192.168.1.5:8443"), ("origin", "https://e.example")], 403),
            (vec![h, ("sec-fetch-site", "same-origin"), cookie], 200),
            (vec![h, ("sec-fetch-site", "none"), cookie], 200),
            (vec![h, ("sec-fetch-site", "same-site"), cookie], 403),
            (vec![h, ("sec-fetch-site", "cross-site")], 403),
            (vec![h], 200),
            (vec![h, cookie], 403),
        ] {
            for method in ["POST", "PATCH", "DELETE", "PUT", "BREW"] {
                assert_eq!(verdict(method, true, &headers), want, "{method} {headers:?}");
            }
            assert_eq!(verdict("GET", true, &headers), 200, "{headers:?}");
            let mut upgrade = headers.clone();
            upgrade.push(("upgrade", "websocket"));
            assert_eq!(verdict("GET", true, &upgrade), want, "{headers:?}");
        }
    }

    #[test]
    fn ports_by_default_are_the_same_origin() {
        for (tls, host, origin, want) in [
            (true, "localhost", "https://localhost", 200),
            (true, "localhost:443", "https://localhost", 200),
            (false, "localhost:80", "http://localhost", 200),
            (false, "localhost:8080", "http://localhost:8080", 200),
            (false, "nvr.home.arpa", "https://nvr.home.arpa", 200),
            (false, "localhost:8080", "http://127.0.0.1:8080", 403),
        ] {
            let headers = [("host", host), ("origin", origin), ("cookie", "khien=x")];
            assert_eq!(verdict("POST", tls, &headers), want, "{host} {origin}");
        }
    }
}
