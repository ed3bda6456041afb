use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::house::{House, now, numbers};

/// Files below a directory whose names end so.
fn files(dir: PathBuf, end: &str, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files(entry.path(), end, out);
        } else if entry.file_name().to_string_lossy().ends_with(end) {
            out.push(entry.path());
        }
    }
}

#[test]
fn damaged_databases_and_foreign_files() {
    let house = House::new();
    let camera = house.camera(8);
    let from = now();
    let serve = house.serve();
    house.add("gate", camera.url());
    house.recorded("gate");
    thread::sleep(Duration::from_secs(2));
    serve.end();
    let to = now();
    let export = || numbers(&house.export("gate", from, to));
    let recorded = export();
    assert!(!recorded.is_empty());

    // The index: moved aside and made anew from the files.
    fs::write(house.data().join("index.db"), "this is no database, and long enough to be read")
        .unwrap();
    for side in ["index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(house.data().join(side));
    }
    let serve = house.serve();
    assert!(export().is_superset(&recorded));
    assert!(house.data().join("index.db.damaged").exists());
    serve.end();

    // Files that khien did not write: left alone, told of, and no reason to end badly.
    let media = house.data().join("media");
    fs::write(media.join("holiday.jpg"), "a picture").unwrap();
    fs::create_dir(media.join("0000000000000000")).unwrap();
    fs::write(media.join("0000000000000000").join("notes.txt"), "text").unwrap();
    let serve = house.serve();
    assert!(export().is_superset(&recorded));
    serve.end();
    let report = house.json(&["check"]);
    let codes: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    assert!(codes.contains(&"foreign"), "{report}");
    assert_eq!(fs::read(media.join("holiday.jpg")).unwrap(), b"a picture");

    // Accounts and cameras: not replaced behind anybody's back.
    let registry = house.data().join("khien.db");
    let kept = fs::read(&registry).unwrap();
    for side in ["khien.db-wal", "khien.db-shm"] {
        let _ = fs::remove_file(house.data().join(side));
    }
    fs::write(&registry, "this is no database, and long enough to be taken for one: ".repeat(99))
        .unwrap();
    let data = house.text("data");
    let (code, said) = house.refused(&["serve", "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("khien.db") && said.contains("backup"), "{said}");
    fs::write(&registry, kept).unwrap();
    assert!(export().is_superset(&recorded));
}

#[test]
fn a_torn_segment_costs_its_tail_only() {
    let house = House::new();
    let camera = house.camera(9);
    let from = now();
    let serve = house.serve();
    house.add("gate", camera.url());
    house.recorded("gate");
    thread::sleep(Duration::from_secs(4));
    serve.end();
    let recorded = house.export("gate", from, now());
    let mut segments = Vec::new();
    files(house.data().join("media"), ".mp4", &mut segments);
    let torn = segments.pop().expect("a segment");
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();

    let data = house.text("data");
    let (code, said) = house.refused(&["check", "--data", &data]);
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("do not agree"), "{said}");
    let serve = house.serve();
    house.recorded("gate");
    serve.end();
    let report = house.run(&["check", "--data", &data, "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert!(report["segments"].as_u64().unwrap() >= 2, "the next start records: {report}");
    assert!(recorded.len() >= 30, "{}", recorded.len());
}
