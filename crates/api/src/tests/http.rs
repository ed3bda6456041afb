//! What holds for every answer, good or bad.

use axum::body::Body;
use serde_json::json;
use store::registry::Role;

use super::{Desk, PASSWORD, Who};

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let desk = Desk::new();
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/healthz", 200),
        ("GET", "/api/v1/me", 401),
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/login", 405),
        ("GET", "/api/v1/ca.pem", 200),
    ] {
        let answer = desk.ask(method, path, &Who::Nobody, None).await;
        assert_eq!(answer.status, status, "{path}");
        let csp = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe"), "{csp}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
        assert!(!answer.headers.contains_key("server"));
        if path.starts_with("/api/") {
            assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        }
        if status >= 400 {
            answer.code();
        }
    }
    let plain = desk.ask("GET", "/healthz", &Who::Local, None).await;
    assert!(!plain.headers.contains_key("strict-transport-security"));
}

#[tokio::test]
async fn every_mistake_is_a_problem() {
    let desk = Desk::new();
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    let json = Some("application/json");
    for (method, path, kind, body, status, code) in [
        ("POST", "/api/v1/login", json, "{", 400, "json"),
        ("POST", "/api/v1/login", json, "{}", 422, "json"),
        ("POST", "/api/v1/login", json, "[]", 422, "json"),
        ("POST", "/api/v1/login", json, r#"{"name":"a","password":"b","x":1}"#, 422, "json"),
        ("POST", "/api/v1/login", json, r#"{"name":"a","name":"b","password":"c"}"#, 422, "json"),
        ("POST", "/api/v1/login", json, large.as_str(), 413, "body-too-large"),
        ("POST", "/api/v1/login", None, "{}", 415, "content-type"),
        ("POST", "/api/v1/login", Some("text/plain"), "{}", 415, "content-type"),
        (
            "POST",
            "/api/v1/login",
            Some("application/x-www-form-urlencoded"),
            "name=a&password=b",
            415,
            "content-type",
        ),
        ("PUT", "/api/v1/login", json, "{}", 405, "method"),
        ("TRACE", "/api/v1/login", None, "", 405, "method"),
        ("OPTIONS", "/api/v1/login", None, "", 405, "method"),
        ("POST", "/api/v1/", json, "{}", 404, "not-found"),
        ("POST", "/", json, "{}", 404, "not-found"),
    ] {
        let mut request = Desk::request(method, path, &Who::Nobody, None);
        if let Some(kind) = kind {
            request.headers_mut().insert("content-type", kind.parse().unwrap());
        }
        *request.body_mut() = Body::from(body.to_owned());
        let answer = desk.send(request).await;
        let got = (answer.status, answer.code());
        assert_eq!(got, (status, code.to_owned()), "{method} {path} {kind:?}");
    }
}

#[tokio::test]
async fn other_sites_get_nowhere() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    let an = desk.session("an").await;
    let body = json!({ "name": "x", "role": "viewer", "password": PASSWORD });
    for (name, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("host", "evil.example", 421),
        ("host", "nvr.lan.evil.example", 421),
        ("x-forwarded-host", "evil.example", 201),
    ] {
        let mut request = Desk::request("POST", "/api/v1/users", &an, Some(&body));
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = desk.send(request).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        if status >= 400 {
            assert_eq!(answer.code(), if status == 421 { "host" } else { "origin" });
        }
    }
    let mut request = Desk::request("POST", "/api/v1/users", &an, Some(&body));
    request.headers_mut().remove("origin");
    assert_eq!(desk.send(request).await.code(), "origin");
}

#[tokio::test]
async fn no_header_makes_a_request_local() {
    let desk = Desk::new();
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-khien-local", "1"),
        ("authorization", "Basic YWRtaW46YWRtaW4="),
    ] {
        let mut request = Desk::request("GET", "/metrics", &Who::Nobody, None);
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(desk.send(request).await.status, 401, "{name}");
    }
    // Nor does the lack of everything that a listener adds.
    let mut request = Desk::request("GET", "/metrics", &Who::Nobody, None);
    request.extensions_mut().clear();
    assert_eq!(desk.send(request).await.status, 401);
}
