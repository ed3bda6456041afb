//! Cameras from adding to removing, and what must never be told.

use serde_json::{Value, json};
use stdx::Kind;
use store::registry::Role;

use super::{Desk, JPEG, Who};

const CANARY: &str = "canary-camera-password";

#[tokio::test]
async fn a_camera_is_added_edited_and_removed() {
    let desk = Desk::new();
    desk.user("bo", Role::Viewer).await;
    let body = json!({
        "name": "front", "url": format!("rtsp://admin:{CANARY}@192.0.2.9:554/1"), "transport": "udp",
        "accept_certificate": "ab".repeat(32),
    });
    let added = desk.ask("POST", "/api/v1/cameras", &Who::Local, Some(body)).await;
    assert_eq!(added.status, 201);
    let camera = added.json();
    let expect = json!({
        "name": "front", "url": "rtsp://192.0.2.9:554/1", "user": "admin", "has_password": true,
        "transport": "udp", "enabled": true, "state": "refused", "bytes_per_s": 12, "gap": null,
        "certificate": "ab".repeat(32), "retention": null, "recorded_from": null, "tracks": [],
        "detail": { "code": "camera-auth", "message": "the camera refuses the password" },
        "quirks": [{ "id": "base-url", "count": 3, "level": "common" }],
    });
    for (key, value) in expect.as_object().unwrap() {
        assert_eq!(&camera[key], value, "{key}");
    }
    let path = format!("/api/v1/cameras/{}", camera["id"].as_str().unwrap());
    let edit = |body: Value| desk.ask("PATCH", &path, &Who::Local, Some(body));
    let edited = edit(json!({
        "name": "back", "enabled": false, "retention": { "max_days": 7, "max_bytes": null },
    }))
    .await
    .json();
    assert_eq!((&edited["name"], &edited["state"]), (&json!("back"), &json!("disabled")));
    assert_eq!(edited["retention"], json!({ "max_days": 7, "max_bytes": null }));
    assert_eq!((&edited["url"], &edited["has_password"]), (&camera["url"], &json!(true)));

    // The kept password must not go to another host.
    let moved = edit(json!({ "url": "rtsp://192.0.2.66:554/1" })).await;
    assert_eq!((moved.status, moved.code().as_str()), (422, "password-needed"));
    let same = edit(json!({ "url": "rtsp://192.0.2.9:554/2" })).await;
    assert_eq!((same.status, &same.json()["has_password"]), (200, &json!(true)));
    assert_eq!(same.json()["certificate"], "ab".repeat(32));
    let moved =
        edit(json!({ "url": "rtsp://192.0.2.66/1", "password": null, "retention": null })).await;
    assert_eq!(moved.json()["has_password"], false);
    assert_eq!(moved.json()["certificate"], Value::Null, "another machine, another certificate");
    assert_eq!(moved.json()["retention"], Value::Null);

    let accept = format!("{path}/certificate/accept");
    let body = json!({ "sha256": "CD".repeat(32) });
    let accepted = desk.ask("POST", &accept, &Who::Local, Some(body)).await;
    assert_eq!(accepted.json()["certificate"], "cd".repeat(32));

    let viewer = desk.session("bo").await;
    let seen = desk.ask("GET", &path, &viewer, None).await.json();
    assert_eq!((&seen["name"], &seen["user"]), (&json!("back"), &Value::Null));
    let secret = json!({ "url": "rtsp://192.0.2.66/user=a&password=canary?auth=canary" });
    assert_eq!(edit(secret.clone()).await.json()["url"], secret["url"]);
    for path in ["/api/v1/cameras", &path] {
        let seen = desk.ask("GET", path, &viewer, None).await;
        let text = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(text.contains("\"rtsp://192.0.2.66\"") && !text.contains("canary"), "{text}");
    }
    assert_eq!(desk.ask("DELETE", &path, &Who::Local, None).await.status, 204);
    assert_eq!(desk.ask("GET", &path, &viewer, None).await.code(), "camera-unknown");
    assert_eq!(desk.control.changed.lock().unwrap().len(), 7);
}

#[tokio::test]
async fn bad_cameras_are_refused() {
    let desk = Desk::new();
    desk.camera("front");
    let good = json!({ "name": "x", "url": "rtsp://192.0.2.9/" });
    for (change, status, code) in [
        (json!({ "name": "front" }), 409, "name-taken"),
        (json!({ "name": "\n" }), 422, "name"),
        (json!({ "url": "http://192.0.2.9/" }), 422, "camera-url"),
        (json!({ "url": "file:///etc/passwd" }), 422, "camera-url"),
        (json!({ "url": "rtsp://h/ -i /etc/passwd" }), 422, "camera-url"),
        (json!({ "transport": "smoke" }), 422, "json"),
        (json!({ "exec": "id" }), 422, "json"),
        (json!({ "accept_certificate": "zz" }), 422, "sha256"),
        (json!({ "password": "a\r\nb" }), 422, "camera-auth"),
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = desk.ask("POST", "/api/v1/cameras", &Who::Local, Some(body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{change}");
    }
    for name in ["$(id)", "';--", "<img src=x onerror=alert(1)>", "../../etc", "-rf", "😀"] {
        let body = json!({ "name": name, "url": "rtsp://192.0.2.9/" });
        let answer = desk.ask("POST", "/api/v1/cameras", &Who::Local, Some(body)).await;
        assert_eq!((answer.status, &answer.json()["name"]), (201, &json!(name)));
    }
    assert_eq!(desk.app.registry().cameras().unwrap().len(), 7);
}

#[tokio::test]
async fn no_answer_holds_a_camera_password() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    let id = desk.camera("front");
    let an = desk.session("an").await;
    for path in ["/api/v1/cameras", &format!("/api/v1/cameras/{id}"), "/api/v1/status", "/metrics"]
    {
        let answer = desk.ask("GET", path, &an, None).await;
        assert_eq!(answer.status, 200, "{path}");
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains(CANARY) && !text.contains("argon2"), "{path}: {text}");
    }
    let status = desk.ask("GET", "/api/v1/status", &an, None).await.json();
    assert_eq!((&status["version"], &status["now_us"]), (&json!("1.2.3"), &json!(super::NOW.0)));
    assert_eq!(status["warnings"][0]["message"], "front: the camera refuses the password");
}

#[tokio::test]
async fn probing_shows_the_camera_or_what_it_said() {
    let desk = Desk::new();
    let probe = |body: Value| desk.ask("POST", "/api/v1/cameras/probe", &Who::Local, Some(body));
    let url = format!("rtsps://admin:{CANARY}@192.0.2.9/1");
    let first = probe(json!({ "url": url })).await.json();
    assert_eq!(first["certificate"]["sha256"], "ab".repeat(32));
    assert_eq!(first["certificate"]["pinned"], false);
    assert!(first["preview"].as_str().unwrap().starts_with("data:image/jpeg;base64,/9gg"));
    let body = json!({ "url": url, "accept_certificate": "ab".repeat(32), "user": "other" });
    assert_eq!(probe(body).await.json()["certificate"]["pinned"], true);
    {
        let probed = desk.control.probed.lock().unwrap();
        assert_eq!(probed[0].url, "rtsps://192.0.2.9/1");
        assert_eq!(probed[0].password.as_ref().unwrap().reveal(), CANARY);
        assert_eq!(probed[1].user.as_deref(), Some("other"));
        assert!(!format!("{probed:?}").contains(CANARY));
    }
    for (kind, code, status) in [
        (Kind::Unauthenticated, "camera-auth", 502),
        (Kind::PermissionDenied, "camera-auth", 502),
        (Kind::NotFound, "camera-path", 502),
        (Kind::Unavailable, "camera-timeout", 504),
        (Kind::InvalidArgument, "camera-url", 422),
        (Kind::Unsupported, "camera-codec", 502),
    ] {
        *desk.control.fails.lock().unwrap() = Some((kind, code));
        let answer = probe(json!({ "url": url })).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
        assert_eq!(answer.json()["detail"], "the camera says no");
    }
}

#[tokio::test]
async fn media_of_what_is_not_there_is_not_found() {
    let desk = Desk::new();
    let id = desk.camera("front");
    let snapshot =
        desk.ask("GET", &format!("/api/v1/cameras/{id}/snapshot.jpg"), &Who::Local, None).await;
    assert_eq!(
        (snapshot.headers["content-type"].to_str().unwrap(), &snapshot.body[..]),
        ("image/jpeg", JPEG)
    );
    assert_eq!(snapshot.headers["cache-control"], "no-store");
    let other = "0123456789abcdef";
    for path in [
        format!("/api/v1/cameras/{other}/snapshot.jpg"),
        format!("/api/v1/cameras/{other}/timeline?from=0&to=1"),
        format!("/api/v1/cameras/{other}/export.mp4?from=0&to=1"),
        format!("/api/v1/cameras/{other}/segments/00000001-00000001.mp4"),
        format!("/api/v1/cameras/{id}/segments/00000001-00000001.mp4"),
        format!("/api/v1/cameras/{id}/segments/00000001-00000001/init"),
        format!("/api/v1/cameras/{id}/segments/00000001-00000001/media?offset=0&size=9"),
        format!("/api/v1/cameras/{id}/segments/00000001-00000001"),
        format!("/api/v1/cameras/{id}/segments/..%2f..%2fkhien.db.mp4"),
        format!("/api/v1/cameras/{id}/segments/%2e%2e/init"),
        format!("/api/v1/cameras/{id}/segments/%00.mp4"),
        format!("/api/v1/cameras/..%2f{id}/snapshot.jpg"),
        "/api/v1/cameras/%ff/snapshot.jpg".to_owned(),
    ] {
        let answer = desk.ask("GET", &path, &Who::Local, None).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.code();
    }
    for query in ["", "?from=0", "?from=a&to=b", "?from=5&to=4", "?from=0&to=1&sort=name;--"] {
        let path = format!("/api/v1/cameras/{id}/timeline{query}");
        let answer = desk.ask("GET", &path, &Who::Local, None).await;
        assert_eq!(answer.status, 422, "{query}");
        answer.code();
    }
    let line = desk
        .ask(
            "GET",
            &format!("/api/v1/cameras/{id}/timeline?from=0&to=1970-01-01T00:00:01Z"),
            &Who::Local,
            None,
        )
        .await;
    assert_eq!(
        line.json(),
        json!({ "from_us": 0, "to_us": 1_000_000, "spans": [], "gaps": [], "expired": [] })
    );
    let none = desk
        .ask(
            "GET",
            &format!("/api/v1/cameras/{id}/fragments?from=0&to=1&limit=9"),
            &Who::Local,
            None,
        )
        .await;
    assert_eq!(none.json(), json!({ "fragments": [], "next_us": null }));
}
