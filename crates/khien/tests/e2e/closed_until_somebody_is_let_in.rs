use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, OWNER_PASSWORD, ask};

/// Every operation of the description, with its access class and a path that could exist.
fn operations(to: SocketAddr) -> Vec<(String, String, String)> {
    let description = ask(to, "GET", "/api/v1/openapi.json", None, None).json();
    let mut all = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path
            .replace("{id}", "0123456789abcdef")
            .replace("{segment}", "00000001-00000001")
            .replace("{name}", "an");
        for (method, operation) in methods.as_object().unwrap() {
            let access = operation["x-access"].as_str().unwrap().to_owned();
            all.push((method.to_uppercase(), path.clone(), access));
        }
    }
    all
}

fn everything_is_shut(to: SocketAddr, cookie: Option<&str>) {
    let all = operations(to);
    assert!(all.len() >= 30, "{}", all.len());
    let open = ["public", "setup_token"];
    for (method, path, access) in &all {
        let body = (method != "GET").then(|| json!({}));
        let answer = ask(to, method, path, cookie, body.as_ref());
        if open.contains(&access.as_str()) {
            assert!(![401, 403, 500].contains(&answer.status), "{method} {path}");
        } else {
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.json()["code"], "session");
        }
    }
}

#[test]
fn only_the_set_up_link_opens_the_door_and_only_once() {
    let house = House::new();
    let serve = house.serve();
    let to = serve.address();
    everything_is_shut(to, None);
    assert_eq!(ask(to, "GET", "/api/v1/setup", None, None).json(), json!({ "needed": true }));

    let setup = |token: &str| {
        let body = json!({ "token": token, "name": "an", "password": OWNER_PASSWORD });
        ask(to, "POST", "/api/v1/setup", None, Some(&body))
    };
    assert_eq!(setup("guess").status, 401);
    let token = serve.token().expect("a set-up link").to_owned();
    let made = setup(&token);
    assert_eq!(made.status, 201, "{}", made.head);
    let cookie = made.cookie();
    let flags = made.head.to_lowercase();
    assert!(flags.contains("httponly") && flags.contains("samesite=strict"), "{flags}");
    assert_eq!(setup(&token).status, 410);

    let me = ask(to, "GET", "/api/v1/me", Some(&cookie), None);
    assert_eq!((me.status, &me.json()["role"]), (200, &json!("owner")));
    assert_eq!(ask(to, "POST", "/api/v1/logout", Some(&cookie), None).status, 204);
    everything_is_shut(to, Some(&cookie));
    serve.end();

    let serve = house.serve();
    assert_eq!(serve.token(), None, "there is an owner");
    let login = |password: &str| {
        let body = json!({ "name": "an", "password": password });
        ask(serve.address(), "POST", "/api/v1/login", None, Some(&body)).status
    };
    assert_eq!((login("wrong"), login(OWNER_PASSWORD)), (401, 200));
}

#[test]
fn an_owner_made_before_the_first_start_needs_no_link() {
    let house = House::new();
    let password = house.text("owner.password");
    house.verb(&["user", "add", "an", "--role", "owner", "--password-file", &password]);
    let serve = house.serve();
    assert_eq!(serve.token(), None);
    let login = |password: &str| {
        let body = json!({ "name": "an", "password": password });
        ask(serve.address(), "POST", "/api/v1/login", None, Some(&body))
    };
    let session = login(OWNER_PASSWORD).cookie();
    // By the socket of the running server.
    let new = "otter-Passage-77-lamp";
    std::fs::write(&password, new).unwrap();
    house.verb(&["user", "reset", "an", "--password-file", &password]);
    assert_eq!(ask(serve.address(), "GET", "/api/v1/me", Some(&session), None).status, 401);
    assert_eq!((login(OWNER_PASSWORD).status, login(new).status), (401, 200));
}

#[test]
fn other_users_of_the_machine_can_read_nothing_even_in_an_open_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::new();
    std::fs::create_dir(house.data()).unwrap();
    std::fs::set_permissions(house.data(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let serve = house.serve();
    assert!(serve.log().contains("chmod 700"), "{}", serve.log());
    let mut places = vec![house.data()];
    let mut seen = 0;
    while let Some(dir) = places.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            let mode = meta.permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", entry.path().display());
            if meta.is_dir() {
                places.push(entry.path());
            }
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn the_metrics_token_is_a_file_of_the_owner() {
    let house = House::new();
    let serve = house.serve();
    let token = std::fs::read_to_string(house.data().join("metrics.token")).unwrap();
    let status = |path: &str, token: &str| {
        let to = serve.address();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        let mut stream = std::net::TcpStream::connect(to).unwrap();
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("/metrics", token.trim()), "200");
    assert_eq!(status("/metrics", "wrong"), "401");
    assert_eq!(status("/api/v1/status", token.trim()), "401");
}

#[test]
fn any_address_but_loopback_speaks_tls() {
    let house = House::new();
    let serve = house.serve_with(&["--listen", "0.0.0.0:0"]);
    assert!(serve.url().starts_with("https://"), "{}", serve.url());
    assert!(serve.said.iter().any(|l| l.starts_with("ca sha256 ")), "{:?}", serve.said);
    let port = serve.address().port();
    let ca = house.data().join("tls/ca.pem");
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--cacert"])
        .arg(ca)
        .arg(format!("https://localhost:{port}/api/v1/setup"))
        .output();
    match output {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let body: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            assert_eq!(body, json!({ "needed": true }), "{said}");
        }
        Err(e) => eprintln!("skipped: curl as a foreign client ({e})"),
    }
}
