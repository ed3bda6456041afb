use std::time::Duration;

use crate::house::{House, until};

#[test]
fn and_is_accepted_on_the_command_line() {
    let house = House::new();
    // Its certificate is made at each start.
    let camera = house.tls_camera("127.0.0.1:0");
    let (url, address) = (camera.url().to_owned(), camera.address().to_string());
    let shown = || -> String {
        let password = house.text("camera.password");
        let args = ["cameras", "probe", &url, "--user", "recorder", "--password-file", &password];
        let table = String::from_utf8(house.run(&args).stdout).unwrap();
        let found = house.run(&[&args[..], &["--json"]].concat()).stdout;
        let found: serde_json::Value = serde_json::from_slice(&found).unwrap();
        let sha256 = found["certificate"]["sha256"].as_str().unwrap();
        let subject = found["certificate"]["subject"].as_str().unwrap();
        assert!(table.contains(&format!("certificate {sha256} {subject}")), "{table}");
        sha256.to_owned()
    };
    let state = || house.json(&["cameras", "list"])[0].clone();
    let _serve = house.serve();
    let first = shown();
    // Pinned before the first connection: a wrong pin refuses, the right one records.
    let password = house.text("camera.password");
    let login = ["--user", "recorder", "--password-file", &password];
    let add = ["cameras", "add", "gate", &url, "--accept-certificate", &"00".repeat(32)];
    house.verb(&[&add[..], &login].concat());
    let refused = || {
        until("it is refused", Duration::from_secs(60), || state()["state"] == "refused");
        assert_eq!(state()["detail"]["code"], "camera-certificate", "{}", state());
    };
    refused();
    house.verb(&["cameras", "accept", "gate", &first]);
    house.recorded("gate");

    camera.kill();
    let _camera = house.tls_camera(&address);
    let second = shown();
    assert_ne!(first, second);
    refused();
    assert_eq!(state()["certificate"], first);
    house.verb(&["cameras", "accept", "gate", &second]);
    house.recorded("gate");
    assert_eq!(state()["certificate"], second);
}
