//! Set-up, log-in, passwords, accounts.

use serde_json::json;
use store::registry::Role;

use super::{Desk, PASSWORD, Who, alive};

const STRONG: &str = "viewer-Passage-77-lamp";

#[tokio::test]
async fn the_link_makes_one_owner_and_only_once() {
    let desk = Desk::new();
    let ask = |body| desk.ask("POST", "/api/v1/setup", &Who::Nobody, Some(body));
    let body = |token: &str, password: &str| json!({ "token": token, "name": "an", "password": password, "language": "vi" });
    let state = desk.ask("GET", "/api/v1/setup", &Who::Nobody, None).await;
    assert_eq!(state.json(), json!({ "needed": true }));
    // Nobody asked for a link yet: no token is right.
    let answer = ask(body("", PASSWORD)).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "setup-token"));

    let old = desk.app.setup_link_token().unwrap().unwrap();
    let token = desk.app.setup_link_token().unwrap().unwrap();
    for (token, password, status, code) in [
        (old.reveal().as_str(), PASSWORD, 401, "setup-token"),
        (token.reveal().as_str(), "admin12345", 422, "password-short"),
        (token.reveal().as_str(), "Admin12345!", 422, "password-known"),
    ] {
        let answer = ask(body(token, password)).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    let made = ask(body(token.reveal(), PASSWORD)).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json(), json!({ "name": "an", "role": "owner", "language": "vi" }));
    let cookie = made.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-khien=") && cookie.ends_with("; Secure"), "{cookie}");
    let me = desk.ask("GET", "/api/v1/me", &Who::Token(made.token()), None).await;
    assert_eq!(me.json()["name"], "an");

    let again = ask(body(token.reveal(), PASSWORD)).await;
    assert_eq!((again.status, again.code().as_str()), (410, "setup-done"));
    assert!(desk.app.setup_link_token().unwrap().is_none());
    let state = desk.ask("GET", "/api/v1/setup", &Who::Nobody, None).await;
    assert_eq!(state.json(), json!({ "needed": false }));
}

#[tokio::test]
async fn the_link_grows_old_and_cannot_be_guessed_at() {
    let desk = Desk::new();
    let token = desk.app.setup_link_token().unwrap().unwrap();
    let body = |token: &str| json!({ "token": token, "name": "an", "password": PASSWORD });
    for _ in 0..5 {
        let answer = desk.ask("POST", "/api/v1/setup", &Who::Nobody, Some(body("guess"))).await;
        assert_eq!(answer.status, 401);
    }
    let answer = desk.ask("POST", "/api/v1/setup", &Who::Nobody, Some(body("guess"))).await;
    assert_eq!(answer.status, 429);
    desk.wait(30 * 60);
    let answer = desk.ask("POST", "/api/v1/setup", &Who::Nobody, Some(body(token.reveal()))).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "setup-token"));
}

#[tokio::test]
async fn logging_in_and_out() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    let login = |name: &str, password: &str, who: Who| {
        let body = json!({ "name": name, "password": password });
        let desk = &desk;
        async move { desk.ask("POST", "/api/v1/login", &who, Some(body)).await }
    };
    let first = login(" an ", PASSWORD, Who::Nobody).await;
    assert_eq!(first.status, 200);
    let user = json!({ "name": "an", "role": "owner", "language": "en" });
    assert_eq!(first.json(), json!({ "user": user }));
    let first = Who::Token(first.token());
    // A new log-in in the same browser replaces the session.
    let second = login("an", PASSWORD, first.clone()).await;
    let second = Who::Token(second.token());
    assert!(!alive(&desk, &first) && alive(&desk, &second));
    let out = desk.ask("POST", "/api/v1/logout", &second, None).await;
    let cookie = out.headers["set-cookie"].to_str().unwrap();
    assert!(out.status == 204 && cookie.contains("Max-Age=0"), "{cookie}");
    assert!(!alive(&desk, &second));
    let out = desk.ask("POST", "/api/v1/logout", &Who::Nobody, None).await;
    assert_eq!(out.status, 204);

    let answers: Vec<String> = {
        let mut all = Vec::new();
        for (name, password) in
            [("an", "wrong"), ("nobody", PASSWORD), ("an", ""), (&"x".repeat(60_000), "x")]
        {
            let answer = login(name, password, Who::Nobody).await;
            assert_eq!(answer.status, 401);
            all.push(String::from_utf8(answer.body.to_vec()).unwrap());
        }
        all
    };
    assert!(answers.iter().all(|a| *a == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn guessing_is_locked_also_for_accounts_that_do_not_exist() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    for name in ["an", "nobody"] {
        let body = |password: &str| Some(json!({ "name": name, "password": password }));
        for _ in 0..5 {
            let answer = desk.ask("POST", "/api/v1/login", &Who::Nobody, body("wrong")).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "login"));
        }
        let answer = desk.ask("POST", "/api/v1/login", &Who::Nobody, body(PASSWORD)).await;
        assert_eq!((answer.status, answer.code().as_str()), (429, "login-locked"), "{name}");
        let after: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        // The address's second lock is longer.
        assert!(after.abs_diff(if name == "an" { 300 } else { 600 }) <= 1, "{after}");
        desk.wait(after);
        let answer = desk.ask("POST", "/api/v1/login", &Who::Nobody, body(PASSWORD)).await;
        assert_eq!(answer.status, if name == "an" { 200 } else { 401 });
        desk.wait(31);
    }
    let metrics = desk.ask("GET", "/metrics", &Who::Local, None).await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        "khien_logins_total{result=\"ok\"} 1",
        "khien_logins_total{result=\"failed\"} 11",
        "khien_logins_total{result=\"locked\"} 2",
        "khien_fake 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    desk.user("bo", Role::Viewer).await;
    let (here, there) = (desk.session("bo").await, desk.session("bo").await);
    let change = |old: &str, new: &str| {
        let body = Some(json!({ "old": old, "new": new }));
        desk.ask("POST", "/api/v1/me/password", &here, body)
    };
    for (old, new, status, code) in [
        ("wrong", STRONG, 403, "password-old"),
        (PASSWORD, "short", 422, "password-short"),
        (PASSWORD, "Password123!", 422, "password-known"),
    ] {
        let answer = change(old, new).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    assert_eq!(change(PASSWORD, STRONG).await.status, 204);
    assert!(alive(&desk, &here) && !alive(&desk, &there));

    let an = desk.session("an").await;
    let body = Some(json!({ "password": PASSWORD }));
    let answer = desk.ask("POST", "/api/v1/users/bo/password", &an, body.clone()).await;
    assert_eq!(answer.status, 204);
    assert!(!alive(&desk, &here) && alive(&desk, &an));
    let answer = desk.ask("POST", "/api/v1/users/eve/password", &an, body).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "user-unknown"));
}

#[tokio::test]
async fn owners_keep_the_accounts() {
    let desk = Desk::new();
    desk.user("an", Role::Owner).await;
    let an = desk.session("an").await;
    let add = |name: &str, role: &str, password: &str| {
        let body = Some(json!({ "name": name, "role": role, "password": password }));
        desk.ask("POST", "/api/v1/users", &an, body)
    };
    assert_eq!(add("<b>$(id)'", "viewer", STRONG).await.status, 201);
    for (name, role, password, status, code) in [
        ("an", "viewer", STRONG, 409, "name-taken"),
        ("", "viewer", STRONG, 422, "name"),
        ("a\u{202e}b", "viewer", STRONG, 422, "name"),
        ("AN", "viewer", STRONG, 409, "name-taken"),
        ("bo", "god", STRONG, 422, "json"),
        ("a-rather-long-name", "viewer", "A-rather-long-name-7", 422, "password-simple"),
    ] {
        let answer = add(name, role, password).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}");
    }
    let users = desk.ask("GET", "/api/v1/users", &an, None).await;
    assert!(!String::from_utf8_lossy(&users.body).contains("argon2"));
    let names: Vec<_> =
        users.json().as_array().unwrap().iter().map(|u| u["name"].clone()).collect();
    assert_eq!(names, ["<b>$(id)'", "an"]);
    let answer = desk.ask("DELETE", "/api/v1/users/%3Cb%3E$(id)%27", &an, None).await;
    assert_eq!(answer.status, 204);
    let answer = desk.ask("DELETE", "/api/v1/users/an", &an, None).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "last-owner"));
    let answer = desk.ask("PATCH", "/api/v1/me", &an, Some(json!({ "language": "vi" }))).await;
    assert_eq!(answer.json()["language"], "vi");
    let answer = desk.ask("PATCH", "/api/v1/me", &an, Some(json!({ "language": "<x>" }))).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "language"));
    let local =
        desk.ask("PATCH", "/api/v1/me", &Who::Local, Some(json!({ "language": "vi" }))).await;
    assert_eq!((local.status, local.code().as_str()), (409, "no-account"));
}
