//! `cargo xtask gen [--check]`: the files that are made from other files. Each is written whole,
//! carries no date and comes out the same on every machine, so that `--check` can compare.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{root, sh};

/// First line of every generated Markdown file.
const STAMP: &str = "<!-- Made by `cargo xtask gen`; do not edit. -->";

/// Layers of the quirk table, in the order and with the titles of the page.
const LAYERS: &[(&str, &str)] = &[
    ("url-sdp", "Addresses and SDP"),
    ("auth-session", "Login and session"),
    ("keep-alive", "Keep-alive"),
    ("transport", "Transport"),
    ("rtp-time", "RTP and time"),
    ("codec", "Codecs"),
];

/// Writes every generated file, or with `check` compares and names those that differ. A file that
/// cannot be made does not keep the others from it.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let root = root();
    // As the build step of `ci` does, so that nothing is compiled twice with other features.
    let built = sh(&root, "cargo", &["build", "--workspace", "--bins", "--locked"]);
    let openapi = built.clone().and_then(|()| khien(&root, "openapi"));
    let cli = built.and_then(|()| khien(&root, "cli"));
    let files = [
        (
            "docs/ref/config.md",
            read(&root, "crates/khien/src/default.toml").and_then(|t| config(&t)),
        ),
        ("docs/ref/quirks.md", read(&root, "crates/rtsp/quirks.toml").and_then(|t| quirks(&t))),
        ("docs/ref/cli.md", cli.map(|t| format!("{STAMP}\n\n{t}"))),
        ("web/src/api/gen.ts", openapi.clone().and_then(|t| typescript(&root, &t))),
        ("docs/ref/openapi.json", openapi),
    ];
    let (mut stale, mut failed) = (Vec::new(), BTreeSet::new());
    for (name, text) in files {
        match text.and_then(|text| settle(&root, name, &text, check)) {
            Ok(true) => stale.push(name),
            Ok(false) => {}
            Err(e) => {
                failed.insert(e);
            }
        }
    }
    if !stale.is_empty() {
        failed.insert(format!("not what `cargo xtask gen` makes: {}", stale.join(", ")));
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(failed.into_iter().collect::<Vec<_>>().join("; "))
}

/// Writes a file that differs, or with `check` says whether it does.
fn settle(root: &Path, name: &str, text: &str, check: bool) -> Result<bool, String> {
    let path = root.join(name);
    let text = format!("{}\n", text.trim_end());
    if std::fs::read_to_string(&path).is_ok_and(|now| now == text) {
        return Ok(false);
    }
    if !check {
        write(&path, &text)?;
        println!("gen: wrote {name}");
    }
    Ok(check)
}

fn read(root: &Path, name: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(name)).map_err(|e| format!("{name}: {e}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let dir = path.parent().unwrap_or(path);
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|e| format!("{}: {e}", path.display()))
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

/// What the built `khien docs WHAT` prints.
fn khien(root: &Path, what: &str) -> Result<String, String> {
    output(Command::new(target(root).join("debug/khien")).args(["docs", what]), "")
}

/// The web app's types, from the description on standard input.
fn typescript(root: &Path, openapi: &str) -> Result<String, String> {
    let web = root.join("web");
    let tool = web.join("node_modules/.bin/openapi-typescript");
    if !tool.is_file() {
        sh(&web, "npm", &["ci", "--no-audit", "--no-fund"])?;
    }
    output(Command::new(tool).current_dir(&web), openapi)
}

/// Standard output of a program that is given `input` and must succeed.
fn output(command: &mut Command, input: &str) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |e: std::io::Error| format!("{name}: {e}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Dropped at the end of the statement: the program sees the end of its input. One that does
    // not read breaks the pipe, and its exit status says whether that matters.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}: {}", output.status, said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{name}: not UTF-8"))
}

/// A page from the commented configuration: a comment above a section or key describes it.
fn config(toml: &str) -> Result<String, String> {
    let mut out = format!("{STAMP}\n\n# Configuration\n\n");
    let mut comment: Vec<&str> = Vec::new();
    let mut above = None;
    for line in toml.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if line.is_empty() {
            if !comment.is_empty() {
                let _ = writeln!(out, "{}\n", std::mem::take(&mut comment).join("\n"));
            }
        } else if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            above = None;
            let _ = writeln!(out, "## {section}\n");
            if !comment.is_empty() {
                let _ = writeln!(out, "{}\n", std::mem::take(&mut comment).join("\n"));
            }
            let _ = writeln!(out, "| key | default | meaning |\n|---|---|---|");
        } else if let Some((key, value)) = line.split_once(" = ") {
            // Keys that belong together share the comment above the first.
            let meaning = match (comment.is_empty(), above) {
                (false, _) => cell(&std::mem::take(&mut comment).join(" ")),
                (true, Some(above)) => format!("See `{above}`."),
                (true, None) => return Err(format!("default.toml: {key} is not explained")),
            };
            above = Some(key);
            let _ = writeln!(out, "| `{key}` | `{}` | {meaning} |", cell(value));
        } else {
            return Err(format!("default.toml: cannot read \"{line}\""));
        }
    }
    // A blank line between a table and the next heading.
    Ok(out.replace("|\n## ", "|\n\n## "))
}

/// A page from the quirk table: a heading for each layer.
fn quirks(toml: &str) -> Result<String, String> {
    let table: toml::Table = toml.parse().map_err(|e| format!("quirks.toml: {e}"))?;
    let rows = table.get("quirk").and_then(|q| q.as_array()).ok_or("quirks.toml: no rows")?;
    let mut out = format!(
        "{STAMP}\n\n# What cameras do wrong\n\n\
         {} ways in which real cameras break the rules, and what khien does about each. Each is\n\
         counted per camera under its name: on the camera's page, and in `/metrics` as\n\
         `khien_camera_quirk_total`. The table itself is `crates/rtsp/quirks.toml`; each row is\n\
         played by `fakecam --quirk NAME` in the tests.\n\n\
         Level: c is only counted, n is a note on the camera's page, w a warning with a remedy.\n",
        rows.len()
    );
    let mut told = 0;
    for (layer, title) in LAYERS {
        let _ = writeln!(
            out,
            "\n## {title}\n\n| name | what the camera does | seen | what khien does | level |\n\
             |---|---|---|---|---|"
        );
        for row in rows.iter().filter(|r| text(r, "layer") == *layer) {
            told += 1;
            let cells = ["what", "seen", "action", "level"].map(|key| cell(text(row, key)));
            let _ = writeln!(out, "| `{}` | {} |", text(row, "id"), cells.join(" | "));
        }
    }
    if told == rows.len() { Ok(out) } else { Err("quirks.toml: a layer is unknown".to_owned()) }
}

fn text<'a>(row: &'a toml::Value, key: &str) -> &'a str {
    row.get(key).and_then(toml::Value::as_str).unwrap_or_default()
}

/// Text that may stand in a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_becomes_a_page() {
        let toml = "# All of it.\n# Two lines.\n\n[http]\n# Where.\n# And how.\nlisten = \"a|b\"\nport = 1\n\n\
                    # Pictures.\n[pixels]\n# Whether.\nallow = false\n";
        let page = config(toml).unwrap();
        let expect = "# Configuration\n\nAll of it.\nTwo lines.\n\n## http\n\n\
                      | key | default | meaning |\n|---|---|---|\n\
                      | `listen` | `\"a\\|b\"` | Where. And how. |\n\
                      | `port` | `1` | See `listen`. |\n\n\
                      ## pixels\n\nPictures.\n\n| key | default | meaning |\n|---|---|---|\n\
                      | `allow` | `false` | Whether. |\n";
        assert_eq!(page, format!("{STAMP}\n\n{expect}"));
    }

    #[test]
    fn a_key_without_an_explanation_is_refused() {
        assert_eq!(config("[a]\nb = 1\n"), Err("default.toml: b is not explained".to_owned()));
        assert_eq!(config("b\n"), Err("default.toml: cannot read \"b\"".to_owned()));
    }

    #[test]
    fn quirks_are_grouped_by_layer() {
        let toml = "[[quirk]]\nid = \"x\"\nlayer = \"codec\"\nwhat = \"a <b>\"\nseen = \"C\"\n\
                    action = \"d\"\nlevel = \"n\"\n";
        let page = quirks(toml).unwrap();
        let (_, codecs) = page.split_once("## Codecs").unwrap();
        assert!(codecs.contains("| `x` | a &lt;b> | C | d | n |"), "{codecs}");
        let unknown = toml.replace("codec", "other");
        assert_eq!(quirks(&unknown), Err("quirks.toml: a layer is unknown".to_owned()));
    }

    #[test]
    fn drift_is_told_and_put_right() {
        let dir = std::env::temp_dir().join(format!("xtask-gen-{}", std::process::id()));
        assert_eq!(settle(&dir, "a/b.md", "text\n\n", true), Ok(true));
        assert_eq!(settle(&dir, "a/b.md", "text\n\n", false), Ok(false));
        assert_eq!(std::fs::read_to_string(dir.join("a/b.md")).unwrap(), "text\n");
        assert_eq!(settle(&dir, "a/b.md", "text", true), Ok(false));
        assert_eq!(settle(&dir, "a/b.md", "other", true), Ok(true));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_program_that_fails_is_named_with_its_words() {
        let error =
            output(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), "").unwrap_err();
        assert!(error.starts_with("sh: ") && error.ends_with("why"), "{error}");
        assert_eq!(output(&mut Command::new("cat"), "given"), Ok("given".to_owned()));
    }
}
