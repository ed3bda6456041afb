//! All automation that is not the two commands of the README: `cargo xtask VERB`.

// A tool for people who build khien: it prints, reads the clock and starts programs.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

mod bench;
mod ci;
mod fuzz;
mod generate;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask VERB
  ci [--fast]        every check and test, as CI runs them; --fast leaves out fuzz and browser
  tidy               arrows, sizes, names, links, local paths, matched sets
  gen [--check]      docs/ref/{config,cli,quirks}.md, docs/ref/openapi.json, web/src/api/gen.ts
  fuzz-smoke [SECS]  every fuzz target for SECS seconds (30)
  bench record|live  measures khien beside ffmpeg; prints JSON (see docs/ref/bench.md)
                     record takes --cameras N, --seconds N, --rounds N";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["ci", rest @ ..] => ci::run(rest.contains(&"--fast")),
        ["tidy"] => tidy::run(),
        ["gen", rest @ ..] => generate::run(rest.contains(&"--check")),
        ["fuzz-smoke"] => fuzz::smoke(30),
        ["fuzz-smoke", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::smoke(seconds),
            Err(_) => Err(format!("\"{seconds}\" is not a number of seconds")),
        },
        ["bench", what, rest @ ..] => bench::run(what, rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Runs a program in `dir`, showing it, and fails if it fails.
fn sh(dir: &std::path::Path, program: &str, args: &[&str]) -> Result<(), String> {
    sh_with(dir, program, args, &[])
}

/// As [`sh`], with more in its environment.
fn sh_with(
    dir: &std::path::Path,
    program: &str,
    args: &[&str],
    environment: &[(&str, &str)],
) -> Result<(), String> {
    println!("+ {program} {}", args.join(" "));
    let status = std::process::Command::new(program)
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(dir)
        .status()
        .map_err(|e| format!("{program}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} {}: {status}", args.join(" "))) }
}

/// Whether a cargo subcommand or program answers to `--version`.
fn has(program: &str, args: &[&str]) -> bool {
    std::process::Command::new(program)
        .args(args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}
