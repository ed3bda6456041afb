use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::house::{House, until};

/// A recorder that begins to send an export and never ends.
fn recorder(house: &House) {
    fs::create_dir(house.data()).unwrap();
    let listener = UnixListener::bind(house.data().join("khien.sock")).unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
            let cameras = r#"[{"id":"0123456789abcdef","name":"gate"}]"#;
            let answer = if first.starts_with("GET /api/v1/cameras ") {
                format!("content-length: {}\r\n\r\n{cameras}", cameras.len())
            } else {
                assert!(first.contains("/export.mp4?"), "{first}");
                "content-length: 1000\r\nx-khien-gaps: 0\r\n\r\nbegins".to_owned()
            };
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes());
            open.push(stream);
        }
    });
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let house = House::new();
    recorder(&house);
    fs::create_dir(house.path("out")).unwrap();
    let names = || -> Vec<String> {
        let entries = fs::read_dir(house.path("out")).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    };
    let (data, out) = (house.text("data"), house.text("out/x.mp4"));
    let span = ["--from", "2026-08-01T07:00:00Z", "--to", "2026-08-01T08:00:00Z"];
    let args = ["export", "--camera", "gate", "--data", &data, "--out", &out];
    let mut child = house.spawn(&[&args, &span[..]].concat());
    until("an export begins", Duration::from_secs(30), || !names().is_empty());
    assert!(names()[0].ends_with(".partial") && names()[0].len() > 25, "{:?}", names());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut status = None;
    until("its end", Duration::from_secs(30), || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(10));
    assert_eq!(names(), Vec::<String>::new());
}
