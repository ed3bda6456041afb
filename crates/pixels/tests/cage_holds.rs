//! The child cannot do what a codec has no need of, and says so when it cannot be caged.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

use pixels::{Config, Worker};
use std::path::PathBuf;

fn config() -> Config {
    Config { program: PathBuf::from(env!("CARGO_BIN_EXE_khien-pixels")), ..Config::new(false) }
}

#[test]
fn every_way_out_is_shut() {
    let worker = Worker::new(config());
    let facts = match worker.check() {
        Ok(facts) => facts,
        // On a kernel without Landlock the refusal itself is what is wanted.
        Err(e) => {
            assert_eq!(e.kind(), stdx::Kind::FailedPrecondition, "{e:?}");
            assert!(e.message().contains("allow_uncaged"), "{e:?}");
            eprintln!("skipped: {e}");
            return;
        }
    };
    assert!(facts.is_caged(), "{facts:?}");
    let report = worker.trial().unwrap();
    for what in ["read a file", "write a file", "open a TCP socket", "open a UDP socket"] {
        assert!(report.iter().any(|a| a.what == what), "{what} was not tried");
    }
    for attempt in &report {
        assert!(attempt.refused, "{} {}", attempt.what, attempt.detail);
        eprintln!("{}: {}", attempt.what, attempt.detail);
    }
    // A witness from outside: the kernel's own word.
    let status = std::fs::read_to_string(format!("/proc/{}/status", facts.pid)).unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.map(|v| v.trim_start_matches(':').trim().to_owned())
    };
    assert_eq!(value("NoNewPrivs").as_deref(), Some("1"));
    assert_eq!(value("Seccomp").as_deref(), Some("2"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", facts.pid)).unwrap();
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
    assert!(core.split_whitespace().filter(|w| *w == "0").count() == 2, "{core}");
    let space = limits.lines().find(|l| l.starts_with("Max address space")).unwrap();
    assert!(!space.contains("unlimited"), "{space}");
    // All of that, and it still does its work.
    assert_eq!(worker.check().unwrap().pid, facts.pid);
}

#[test]
fn a_program_that_is_not_there_or_not_ours_is_a_clear_error() {
    for (program, kind, says) in [
        ("/nonexistent/khien-pixels", stdx::Kind::FailedPrecondition, "missing"),
        ("/bin/true", stdx::Kind::Unavailable, "ended"),
        ("/usr/bin/yes", stdx::Kind::Internal, "something else"),
    ] {
        let worker = Worker::new(Config { program: PathBuf::from(program), ..config() });
        let e = worker.check().unwrap_err();
        assert_eq!(e.kind(), kind, "{program}: {e:?}");
        assert!(e.message().contains(says), "{program}: {e:?}");
    }
}

#[test]
fn arguments_that_make_no_sense_are_refused_in_the_protocol() {
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_khien-pixels"));
    let output = command.arg("--help").stdin(Stdio::null()).output().unwrap();
    let reply = pixels::wire::Reply::parse(output.stdout[0], &output.stdout[5..]).unwrap();
    match reply {
        pixels::wire::Reply::Fault(fault) => assert!(fault.text.contains("started by khien")),
        other => panic!("{other:?}"),
    }
}
