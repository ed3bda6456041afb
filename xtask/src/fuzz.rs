//! Fuzzing on the stable toolchain: libFuzzer with the coverage flags that `cargo fuzz run -s
//! none` would pass. The code is safe Rust, so what is looked for is panics, hangs and memory.

use std::path::Path;
use std::process::Command;

use crate::{generate, root};

const FLAGS: &str = "-Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
--cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions=on";

/// The names of all targets: the files of `fuzz/fuzz_targets`.
pub(crate) fn targets(root: &Path) -> Result<Vec<String>, String> {
    let dir = root.join("fuzz/fuzz_targets");
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .map_err(|e| format!("fuzz/fuzz_targets: {e}"))?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".rs")?.to_owned())
        })
        .collect();
    names.sort();
    Ok(names)
}

/// The triple that this machine's compiler builds for.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|e| format!("rustc: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|l| l.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

/// Builds every target and runs each for `seconds`, two at a time.
pub(crate) fn smoke(seconds: u32) -> Result<(), String> {
    let root = root();
    let fuzz = root.join("fuzz");
    let names = targets(&root)?;
    let target = generate::target(&root).join("fuzz");
    let host = host()?;
    println!("+ cargo build ({} fuzz targets)", names.len());
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--target", &host, "--bins"])
        .current_dir(&fuzz)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS)
        .status()
        .map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("the fuzz targets do not build".to_owned());
    }
    let mut failed = Vec::new();
    for pair in names.chunks(2) {
        let running: Vec<_> = pair
            .iter()
            .map(|name| {
                let binary = target.join(&host).join("release").join(name);
                (name, start(&fuzz, &binary, name, seconds))
            })
            .collect();
        for (name, child) in running {
            let output = child.and_then(|c| c.wait_with_output().map_err(|e| e.to_string()))?;
            let log = String::from_utf8_lossy(&output.stderr);
            let last = log.lines().rev().find(|l| l.contains("DONE") || l.contains("Done"));
            println!("{name}: {}", last.unwrap_or("no summary").trim());
            if !output.status.success() {
                let tail: Vec<&str> = log.lines().rev().take(25).collect();
                for line in tail.iter().rev() {
                    println!("    {line}");
                }
                failed.push(name.clone());
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("fuzz targets failed: {}", failed.join(", ")))
    }
}

fn start(
    fuzz: &Path,
    binary: &Path,
    name: &str,
    seconds: u32,
) -> Result<std::process::Child, String> {
    let corpus = fuzz.join("corpus").join(name);
    let seeds = fuzz.join("seeds").join(name);
    let artifacts = fuzz.join("artifacts").join(name);
    for dir in [&corpus, &artifacts] {
        std::fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    }
    let mut command = Command::new(binary);
    command.arg(&corpus);
    if seeds.is_dir() {
        command.arg(&seeds);
    }
    command
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=5", "-rss_limit_mb=1024", "-malloc_limit_mb=256", "-max_len=65536"])
        .arg("-print_final_stats=0")
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", binary.display()))
}
