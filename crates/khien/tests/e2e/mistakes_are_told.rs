use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::house::{House, USER};

/// What khien says, and the exit code that goes with it.
#[track_caller]
fn says(house: &House, args: &[&str], code: i32, words: &[&str]) {
    let (got, said) = house.refused(args);
    assert_eq!(got, code, "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?}: \"{word}\" is not in: {said}");
    }
}

#[test]
fn of_the_configuration() {
    let house = House::new();
    let (data, config) = (house.text("data"), house.text("khien.toml"));
    let serve = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--config", &config];
    says(&house, &serve, 3, &["khien.toml"]);
    for (text, words) in [
        ("[storage]\nmax_sise = \"1 GiB\"", ["max_sise", "did you mean \"storage.max_size\"?"]),
        ("[storage]\nmax_size = \"lots\"", ["khien.toml", "500 GiB"]),
        ("[http]\ncertificate = \"a.pem\"", ["http.certificate", "http.key"]),
        ("[log]\nlevel = \"==\"", ["log.level", "=="]),
    ] {
        std::fs::write(&config, text).unwrap();
        says(&house, &serve, 2, &words);
    }
}

#[test]
fn of_a_second_server_and_of_an_address_in_use() {
    let house = House::new();
    let first = house.serve();
    let data = house.text("data");
    let words = ["recorded into by another khien", "stop it first"];
    says(&house, &["serve", "--data", &data, "--listen", "127.0.0.1:0"], 5, &words);
    let (other, address) = (house.text("other"), first.address().to_string());
    let words = [address.as_str(), "another program listens there", "--listen"];
    says(&house, &["serve", "--data", &other, "--listen", &address], 7, &words);
    let (_, said) = house.refused(&["serve", "--data", &other, "--listen", &address]);
    assert_eq!(said.matches("os error").count(), 1, "said once: {said}");
    says(&house, &["serve", "--data", &house.text("camera.password")], 2, &["--data", "a file"]);
    assert_eq!(house.json(&["cameras", "list"]), serde_json::json!([]), "the first goes on");
}

#[test]
fn of_verbs() {
    let house = House::new();
    let (data, nowhere) = (house.text("data"), house.text("nowhere"));
    says(&house, &["cameras", "list", "--data", &nowhere], 3, &["is no data directory"]);
    says(&house, &["check", "--data", &nowhere], 3, &["nowhere"]);
    assert!(!house.path("nowhere").exists());
    let short = house.text("short.password");
    std::fs::write(&short, "admin\n").unwrap();
    let add = ["user", "add", "an", "--role", "owner", "--data", &data, "--password-file", &short];
    says(&house, &add, 2, &["at least 12 characters"]);
    house.verb(&["cameras", "add", "gate", "rtsp://192.0.2.1/x"]);
    says(&house, &["cameras", "add", "gate", "rtsp://192.0.2.1/x", "--data", &data], 5, &["gate"]);
    says(
        &house,
        &["cameras", "add", "yard", "http://192.0.2.1/", "--data", &data],
        2,
        &["rtsp://"],
    );
    let span = ["--from", "2026-08-01T07:00:00Z", "--to", "2026-08-01T08:00:00Z"];
    let out = house.text("x.mp4");
    let export = |camera: &'static str| {
        [&["export", "--camera", camera, "--out", &out, "--data", &data], &span[..]].concat()
    };
    says(&house, &export("yard"), 3, &["there is no camera \"yard\"", "gate"]);
    says(&house, &export("gate"), 3, &["nothing"]);
    assert!(!house.path("x.mp4").exists());
    std::fs::write(&out, "precious").unwrap();
    says(&house, &export("gate"), 5, &["x.mp4", "--force"]);
    assert_eq!(std::fs::read(&out).unwrap(), b"precious");
    says(&house, &["cameras", "accept", "gate", "abc", "--data", &data], 2, &["64"]);
    house.verb(&["cameras", "accept", "gate", &"AB".repeat(32)]);
    let kept = &house.json(&["cameras", "list"])[0]["certificate"];
    assert_eq!(*kept, "ab".repeat(32));
    house.verb(&["cameras", "remove", "gate"]);
    says(&house, &["cameras", "remove", "gate", "--data", &data], 3, &["gate"]);
}

#[test]
fn of_a_camera() {
    let house = House::new();
    let camera = house.camera(3);
    let (right, wrong) = (house.text("camera.password"), house.text("wrong.password"));
    std::fs::write(&wrong, "not it").unwrap();
    let probe = |url: &str, password: &str| -> Vec<String> {
        ["cameras", "probe", url, "--user", USER, "--password-file", password]
            .map(str::to_owned)
            .to_vec()
    };
    let good = probe(camera.url(), &right);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    let found = house.run(&[&good[..], &["--json"]].concat());
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["tracks"][0]["codec"], "H.264", "{found}");
    assert_eq!(found["tracks"][0]["size"], "640x360", "{found}");

    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let base = camera.url().strip_suffix("/main").unwrap();
    for (url, password, code, words) in [
        (camera.url().to_owned(), &wrong, 4, vec!["password"]),
        (format!("{base}/other"), &right, 7, vec!["path"]),
        (format!("rtsp://{closed}/main"), &right, 7, vec!["port"]),
        (
            "rtsp://no-such-camera.invalid/main".to_owned(),
            &right,
            7,
            vec!["no-such-camera.invalid"],
        ),
        (format!("rtsp://{}/main", web_server()), &right, 9, vec!["RTSP"]),
        ("http://127.0.0.1/".to_owned(), &right, 2, vec!["rtsp://"]),
    ] {
        let args = probe(&url, password);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        says(&house, &args, code, &words);
    }
    let args = ["cameras", "probe", camera.url()];
    says(&house, &args, 4, &["password"]);
}

/// The address of something that answers, but not in RTSP.
fn web_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1_024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    address
}
