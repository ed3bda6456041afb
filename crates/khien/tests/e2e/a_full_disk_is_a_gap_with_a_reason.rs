use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::house::{House, ask, now, until};

/// A small volume of its own; unmounted when dropped.
struct Volume(PathBuf);

impl Volume {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=24m,mode=0700", "khien-test"];
        let output = Command::new("mount").args(options).arg(&at).output().ok()?;
        output.status.success().then_some(Self(at))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Fills a volume to its last byte.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let block = vec![0_u8; 64 << 10];
    while file.write_all(&block).is_ok() {}
    while file.write_all(&block[..512]).is_ok() {}
}

#[test]
fn a_full_disk_is_a_gap_with_a_reason_and_recording_goes_on_after_it() {
    let house = House::new();
    let Some(volume) = Volume::mount(house.data()) else {
        eprintln!("skipped: mounting a small volume needs root");
        return;
    };
    let config = house.text("khien.toml");
    fs::write(&config, "[storage]\nmin_free = \"0 B\"\n").unwrap();
    let camera = house.camera(4);
    let password = house.text("owner.password");
    house.verb(&["user", "add", "an", "--role", "owner", "--password-file", &password]);
    let from = now();
    let serve = house.serve_with(&["--config", &config]);
    house.add("gate", camera.url());
    house.recorded("gate");
    until("something is recorded", Duration::from_secs(60), || {
        !house.timeline("gate", from, now()).spans.is_empty()
    });

    let ballast = volume.0.join("ballast");
    fill(&ballast);
    let gap = || {
        let timeline = house.timeline("gate", from, now());
        timeline.gaps.iter().any(|(.., cause)| cause == "disk_full")
    };
    until("a gap with the reason", Duration::from_secs(60), gap);
    let state = || house.json(&["cameras", "list"])[0]["state"].clone();
    until("the page says that it is not recorded", Duration::from_secs(30), || state() == "live");
    assert_eq!(ask(serve.address(), "GET", "/healthz", None, None).status, 200);

    let before = house.timeline("gate", from, now()).spans.len();
    fs::remove_file(&ballast).unwrap();
    until("recording goes on", Duration::from_secs(90), || {
        house.timeline("gate", from, now()).spans.len() > before
    });
    house.recorded("gate");
    assert!(serve.end() < Duration::from_secs(3));
    house.verb(&["check"]);
    let frames = house.export("gate", from, now());
    assert!(!frames.is_empty());
}
