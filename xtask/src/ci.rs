//! `cargo xtask ci`: what CI runs and what you run. Every step is timed; the first failure of a
//! step does not hide the ones behind it.

use std::time::Instant;

use crate::{fuzz, generate, has, root, sh, sh_with, tidy};

type Step = (&'static str, fn() -> Result<Outcome, String>);

enum Outcome {
    Done,
    Skipped(&'static str),
}

/// Runs all steps and prints a closing line that a machine can read.
pub(crate) fn run(fast: bool) -> Result<(), String> {
    let steps: &[Step] = &[
        ("web", web),
        ("format", format),
        ("tidy", || tidy::run().map(done)),
        ("clippy", clippy),
        ("media", media),
        ("build", build),
        ("gen", || generate::run(true).map(done)),
        ("tests", tests),
        ("docs", docs),
        ("deny", deny),
        ("fuzz", || fuzz::smoke(30).map(done)),
        ("browser", browser),
    ];
    let begun = Instant::now();
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), Vec::new());
    for (name, step) in steps {
        if fast && matches!(*name, "fuzz" | "browser") {
            skipped.push(format!("{name} (--fast)"));
            continue;
        }
        println!("\n=== {name}");
        let at = Instant::now();
        match step() {
            Ok(Outcome::Done) => {
                passed += 1;
                println!("=== {name}: ok in {:.0} s", at.elapsed().as_secs_f64());
            }
            Ok(Outcome::Skipped(why)) => {
                println!("=== {name}: skipped: {why}");
                skipped.push(format!("{name} ({why})"));
            }
            Err(e) => {
                println!("=== {name}: FAILED in {:.0} s: {e}", at.elapsed().as_secs_f64());
                failed.push(*name);
            }
        }
    }
    println!();
    if !skipped.is_empty() {
        println!("skipped: {}", skipped.join(", "));
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!(
        "test result: {}. {passed} passed; {} failed; {} ignored; 0 measured; 0 filtered out; \
         finished in {:.2}s",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        skipped.len(),
        begun.elapsed().as_secs_f64()
    );
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

const fn done((): ()) -> Outcome {
    Outcome::Done
}

fn format() -> Result<Outcome, String> {
    sh(&root(), "cargo", &["fmt", "--all", "--check"]).map(done)
}

fn clippy() -> Result<Outcome, String> {
    let args = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    sh(&root(), "cargo", &args).map(done)
}

fn build() -> Result<Outcome, String> {
    sh(&root(), "cargo", &["build", "--workspace", "--bins", "--locked"]).map(done)
}

/// Small clips that the behaviour tests feed to fake cameras.
fn media() -> Result<Outcome, String> {
    sh(&root(), "./scripts/make-media", &[]).map(done)
}

fn tests() -> Result<Outcome, String> {
    if has("cargo", &["nextest", "--version"]) {
        let args = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        let result = sh(&root(), "cargo", &args);
        // Passing tests print nothing, so what they left out would go unsaid.
        let report = generate::target(&root()).join("nextest/default/junit.xml");
        for line in skips(&std::fs::read_to_string(report).unwrap_or_default()) {
            println!("{line}");
        }
        return result.map(done);
    }
    println!("cargo-nextest is not installed; using cargo test");
    sh(&root(), "cargo", &["test", "--workspace", "--locked", "--no-fail-fast"]).map(done)
}

/// The lines of a test report in which a test says what it skipped, each once.
fn skips(report: &str) -> std::collections::BTreeSet<&str> {
    let said = report.lines().map(|l| l.trim().trim_start_matches("<system-err>"));
    said.map(|l| l.trim_start_matches("<system-out>"))
        .filter(|l| l.starts_with("skipped: "))
        .collect()
}

fn docs() -> Result<Outcome, String> {
    sh(&root(), "cargo", &["test", "--workspace", "--doc", "--locked"])?;
    let strict = [("RUSTDOCFLAGS", "-D warnings")];
    sh_with(&root(), "cargo", &["doc", "--workspace", "--no-deps", "--locked"], &strict).map(done)
}

fn deny() -> Result<Outcome, String> {
    if !has("cargo", &["deny", "--version"]) {
        return Ok(Outcome::Skipped("cargo-deny is not installed"));
    }
    sh(&root(), "cargo", &["deny", "check", "bans", "licenses", "sources"]).map(done)
}

fn web() -> Result<Outcome, String> {
    let web = root().join("web");
    sh(&root(), "./scripts/web-build", &[])?;
    sh(&web, "npm", &["run", "lint"])?;
    sh(&web, "npm", &["test"]).map(done)
}

fn browser() -> Result<Outcome, String> {
    if !has("chromium", &["--version"]) {
        return Ok(Outcome::Skipped("no chromium"));
    }
    sh(&root(), "node", &["web/e2e/real.mjs"]).map(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_skipped_is_said_once() {
        let report =
            "<system-out>skipped in words\n<system-err>skipped: VLC\n skipped: VLC\nok\nskipped: a";
        let said: Vec<&str> = skips(report).into_iter().collect();
        assert_eq!(said, ["skipped: VLC", "skipped: a"]);
    }
}
