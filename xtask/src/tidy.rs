//! The rules of the house that can be a test: arrows, sizes, names, links, matched sets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{fuzz, root};

/// Floor of each room. A room may depend only on rooms of lower floors.
const FLOORS: &[(&str, u8)] = &[
    ("stdx", 0),
    ("media", 0),
    ("rtsp", 1),
    ("mp4", 1),
    ("hub", 2),
    ("store", 2),
    ("net", 3),
    ("pixels", 3),
    ("camera", 3),
    ("api", 4),
    ("khien", 5),
];

/// Steps inside a floor that are allowed, each with its reason.
const INSIDE: &[(&str, &str, &str)] = &[
    ("media", "stdx", "stdx is what std lacks"),
    ("camera", "pixels", "the lens of the software camera is a caged encoder"),
];

/// Arrows that must never be, over any number of steps.
const NEVER: &[(&str, &str, &str)] = &[
    ("media", "tokio", "the vocabulary knows no runtime"),
    ("rtsp", "tokio", "formats are sans-IO"),
    ("mp4", "tokio", "formats are sans-IO"),
    ("store", "tokio", "lasting memory is blocking code that can be simulated"),
    ("store", "hub", "the store does not know who feeds it"),
    ("store", "axum", "the store knows no HTTP"),
    ("hub", "rustls", "live memory knows no sockets"),
    ("khien", "ring", "one TLS provider"),
    ("khien", "openssl-sys", "one TLS"),
    ("fakecam", "rtsp", "the fake camera shares nothing with what it tests"),
    ("fakecam", "media", "the fake camera shares nothing with what it tests"),
    ("fakecam", "mp4", "the fake camera shares nothing with what it tests"),
];

const BANNED_FILES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "types", "manager", "defs"];

/// Codecs that have a file of the same name in each of these folders.
const CODECS: &[&str] = &["aac", "g711", "h264", "h265", "metadata", "mjpeg", "opus"];
const MATCHED: &[&str] = &[
    "crates/media/src/codec",
    "crates/rtsp/src/payload",
    "crates/rtsp/src/pay",
    "crates/mp4/src/entry",
];

const LINES_WARN: usize = 800;
const LINES_MAX: usize = 1_200;

pub(crate) fn run() -> Result<(), String> {
    let root = root();
    let files = tracked(&root)?;
    let mut wrong = Vec::new();
    arrows(&root, &mut wrong)?;
    sizes_and_names(&root, &files, &mut wrong);
    links(&root, &files, &mut wrong);
    matched(&root, &mut wrong);
    fuzzed(&root, &mut wrong)?;
    quirks(&root, &mut wrong);
    for w in &wrong {
        println!("tidy: {w}");
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("tidy: {} things to put right", wrong.len())) }
}

fn tracked(root: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("git: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().map(PathBuf::from).filter(|p| root.join(p).is_file()).collect())
}

fn arrows(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    let meta: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    let empty = Vec::new();
    let mut names = BTreeMap::new();
    for package in meta["packages"].as_array().unwrap_or(&empty) {
        if let (Some(id), Some(name)) = (package["id"].as_str(), package["name"].as_str()) {
            names.insert(id, name);
        }
    }
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in meta["resolve"]["nodes"].as_array().unwrap_or(&empty) {
        let Some(from) = node["id"].as_str().and_then(|id| names.get(id)) else { continue };
        for dep in node["deps"].as_array().unwrap_or(&empty) {
            let kinds = dep["dep_kinds"].as_array().unwrap_or(&empty);
            if kinds.iter().any(|k| k["kind"].is_null())
                && let Some(to) = dep["pkg"].as_str().and_then(|id| names.get(id))
            {
                edges.entry(from).or_default().insert(to);
            }
        }
    }
    let floor = |name: &str| FLOORS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
    for (room, level) in FLOORS {
        if !names.values().any(|n| n == room) {
            wrong.push(format!("{room} is in the floor table but not in the workspace"));
        }
        for to in edges.get(room).into_iter().flatten() {
            let Some(other) = floor(to) else { continue };
            let inside = INSIDE.iter().any(|(a, b, _)| a == room && b == to);
            if other >= *level && !inside {
                wrong.push(format!("{room} (floor {level}) must not depend on {to} ({other})"));
            }
        }
    }
    for (from, to, why) in NEVER {
        if reaches(&edges, from, to) {
            wrong.push(format!("{from} reaches {to}: {why}"));
        }
    }
    Ok(())
}

fn reaches(edges: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(at) = next.pop() {
        for &dep in edges.get(at).into_iter().flatten() {
            if dep == to {
                return true;
            }
            if seen.insert(dep) {
                next.push(dep);
            }
        }
    }
    false
}

fn sizes_and_names(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    for file in files {
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !matches!(extension, "rs" | "ts" | "tsx" | "mjs" | "css") || generated(file) {
            continue;
        }
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if BANNED_FILES.contains(&stem) && !file.starts_with("web/src/api") {
            wrong.push(format!("{}: says nothing about what is in it", file.display()));
        }
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines", file.display()));
        } else if lines > LINES_WARN {
            println!("tidy: note: {} has {lines} lines", file.display());
        }
        let is_crate = file.starts_with("crates") && extension == "rs";
        let in_src = file.components().any(|c| c.as_os_str() == "src");
        let tests = stem == "tests" || file.components().any(|c| c.as_os_str() == "tests");
        if is_crate && in_src && !tests && !text.starts_with("//!") {
            wrong.push(format!("{}: does not begin with what it is (//!)", file.display()));
        }
    }
}

fn generated(file: &Path) -> bool {
    file.ends_with("web/src/api/gen.ts")
}

/// Every relative link of every Markdown file leads somewhere.
fn links(root: &Path, files: &[PathBuf], wrong: &mut Vec<String>) {
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "md")) {
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        let dir = root.join(file);
        let dir = dir.parent().unwrap_or(root);
        for part in text.split("](").skip(1) {
            let Some(link) = part.split(')').next() else { continue };
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            if !dir.join(path).exists() {
                wrong.push(format!("{}: {link} leads nowhere", file.display()));
            }
        }
    }
}

fn matched(root: &Path, wrong: &mut Vec<String>) {
    for dir in MATCHED {
        for codec in CODECS {
            if !root.join(dir).join(format!("{codec}.rs")).is_file() {
                wrong.push(format!("{dir}/{codec}.rs is missing: the set is not matched"));
            }
        }
    }
}

/// Each parser of bytes from outside has a target.
fn fuzzed(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let targets = fuzz::targets(root)?;
    let wanted = [
        "rtsp_message", "sdp", "rtp_h264", "rtp_h265", "rtp_aac", "rtp_mjpeg", "rtp_g711",
        "rtp_opus", "rtp_metadata", "rtcp", "digest", "h264_params", "h265_params", "mp4_read",
    ];
    for name in wanted {
        if !targets.iter().any(|t| t == name) {
            wrong.push(format!("fuzz/fuzz_targets/{name}.rs is missing"));
        }
    }
    Ok(())
}

/// The quirk table names every id once.
fn quirks(root: &Path, wrong: &mut Vec<String>) {
    let path = root.join("crates/rtsp/quirks.toml");
    let table = std::fs::read_to_string(&path).ok().and_then(|t| t.parse::<toml::Table>().ok());
    let Some(table) = table else {
        wrong.push(format!("{} is missing or is not TOML", path.display()));
        return;
    };
    let mut seen = BTreeSet::new();
    for row in table.get("quirk").and_then(|q| q.as_array()).into_iter().flatten() {
        let id = row.get("id").and_then(|i| i.as_str()).unwrap_or_default();
        if !seen.insert(id.to_owned()) {
            wrong.push(format!("quirks.toml: {id} stands twice"));
        }
        for key in ["layer", "what", "action", "level", "expect"] {
            if row.get(key).is_none() {
                wrong.push(format!("quirks.toml: {id} has no {key}"));
            }
        }
    }
}
