//! Every route × every role.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::registry::Role;

use super::{Desk, NOW, Who};
use crate::auth::Access;
use crate::openapi::Endpoint;
use crate::routes;

fn path(desk: &Desk, e: &Endpoint) -> String {
    let camera = desk
        .app
        .registry()
        .cameras()
        .unwrap()
        .first()
        .map_or_else(|| desk.camera("walked").to_string(), |c| c.id.to_string());
    e.path
        .replace("{id}", &camera)
        .replace("{name}", "nobody")
        .replace("{segment}", "00000001-00000001")
}

#[tokio::test]
async fn every_route_admits_exactly_who_it_says() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    desk.user("bo", Role::Viewer).await;
    let endpoints = routes::endpoints();
    assert!(endpoints.len() >= 30, "{}", endpoints.len());
    for e in &endpoints {
        let methods: &[&str] =
            if e.method == "GET" { &["GET", "HEAD"] } else { &[e.method.as_str()] };
        for method in methods {
            let body = (*method != "GET" && *method != "HEAD").then(|| json!({}));
            let mut codes = Vec::new();
            for who in [
                Who::Nobody,
                Who::Token("A".repeat(43).as_str().into()),
                desk.session("bo").await,
                desk.session("an").await,
                Who::Local,
            ] {
                let answer = desk.ask(method, &path(&desk, e), &who, body.clone()).await;
                let refused = matches!(answer.status, 401 | 403);
                codes.push(if refused { answer.status } else { 200 });
                assert_ne!(answer.status, 500, "{method} {}", e.path);
            }
            let want = match e.access {
                Access::Public => [200, 200, 200, 200, 200],
                // An owner exists: the handler says that it is too late before anything else.
                Access::SetupToken => [200, 200, 200, 200, 200],
                Access::Viewer => [401, 401, 200, 200, 200],
                Access::Owner | Access::Collector => [401, 401, 403, 200, 200],
            };
            assert_eq!(codes, want, "{method} {}", e.path);
        }
    }
}

#[tokio::test]
async fn only_these_are_open_to_anybody() {
    let open: BTreeSet<String> = routes::endpoints()
        .iter()
        .filter(|e| matches!(e.access, Access::Public | Access::SetupToken))
        .map(|e| format!("{} {}", e.method, e.path))
        .collect();
    let want = [
        "GET /api/v1/ca.pem",
        "GET /api/v1/openapi.json",
        "GET /api/v1/setup",
        "GET /healthz",
        "POST /api/v1/login",
        "POST /api/v1/logout",
        "POST /api/v1/setup",
    ];
    assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), want);
}

#[tokio::test]
async fn the_metrics_token_opens_the_figures_and_nothing_else() {
    let desk = Desk::new();
    let ask = |path: &'static str, header: &'static str| {
        let mut request = Desk::request("GET", path, &Who::Nobody, None);
        request.headers_mut().insert("authorization", header.parse().unwrap());
        let desk = &desk;
        async move { desk.send(request).await.status }
    };
    for header in ["Bearer canary-metrics-token", "bearer  canary-metrics-token"] {
        assert_eq!(ask("/metrics", header).await, 200, "{header}");
    }
    for header in ["", "Bearer", "Bearer x", "Basic canary-metrics-token", "canary-metrics-token"] {
        assert_eq!(ask("/metrics", header).await, 401, "{header}");
    }
    for path in ["/api/v1/cameras", "/api/v1/status", "/api/v1/users", "/api/v1/me"] {
        assert_eq!(ask(path, "Bearer canary-metrics-token").await, 401, "{path}");
    }
}

#[tokio::test]
async fn rights_end_with_the_session() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    desk.user("bo", Role::Viewer).await;
    let me = |who: Who| {
        let desk = &desk;
        async move { desk.ask("GET", "/api/v1/me", &who, None).await.status }
    };
    let (an, bo) = (desk.session("an").await, desk.session("bo").await);
    assert_eq!((me(an.clone()).await, me(bo.clone()).await), (200, 200));
    let gone = desk.ask("DELETE", "/api/v1/users/bo", &an, None).await;
    assert_eq!((gone.status, me(bo).await), (204, 401));
    for _ in 0..5 {
        desk.wait(11 * 3_600);
        assert_eq!(me(an.clone()).await, 200, "in use");
    }
    desk.wait(12 * 3_600);
    assert_eq!(me(an.clone()).await, 401, "idle");
    let busy = desk.session("an").await;
    for _ in 0..65 {
        desk.wait(11 * 3_600);
        assert_eq!(me(busy.clone()).await, 200);
    }
    desk.wait(5 * 3_600);
    assert_eq!(me(busy).await, 401, "thirty days");
}

#[tokio::test]
async fn the_description_lists_every_route() {
    let desk = Desk::new();
    let answer = desk.ask("GET", "/api/v1/openapi.json", &Who::Nobody, None).await;
    let document = answer.json();
    assert_eq!(document, crate::openapi());
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for e in routes::endpoints() {
        let operation = &document["paths"][e.path][e.method.as_str().to_ascii_lowercase()];
        assert!(operation["summary"].as_str().is_some_and(|s| s.len() > 5), "{}", e.path);
        assert_eq!(operation["x-access"], e.access.word(), "{}", e.path);
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{}", e.path);
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|s| s.starts_with('2') || s == "101"), "{}", e.path);
        let guarded = !matches!(e.access, Access::Public | Access::SetupToken);
        assert!(!guarded || responses.contains_key("401"), "{}", e.path);
        let placeholders = e.path.matches('{').count();
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path = parameters.iter().filter(|p| p["in"] == "path").count();
        assert_eq!(in_path, placeholders, "{}", e.path);
    }
    let timeline = &document["paths"]["/api/v1/cameras/{id}/timeline"]["get"]["parameters"];
    let asked: Vec<&str> =
        timeline.as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(asked, ["id", "from", "to"]);
    references_resolve(&document, &document);
    assert_eq!(desk.app.clock().wall(), NOW);
}

fn references_resolve(value: &Value, document: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            map.values().for_each(|v| references_resolve(v, document));
        }
        Value::Array(list) => list.iter().for_each(|v| references_resolve(v, document)),
        _ => {}
    }
}
