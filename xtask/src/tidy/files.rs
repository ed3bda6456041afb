//! Sizes, names and openings of files; what must not stand in any of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Source;

/// Names that say nothing about what is in a file or folder.
const BANNED_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "types", "manager", "defs"];

/// Files that may have a banned name.
const NAMED_SO: &[(&str, &str)] =
    &[("web/src/api/types.ts", "the types of the API's JSON, and nothing but types")];

const LINES_WARN: usize = 800;
const LINES_MAX: usize = 1_200;
/// A crate's description: what it is, what it is not.
const OPENING_CHARS_MIN: usize = 140;

/// These files name what they forbid.
const OWN: &str = "xtask/src/tidy";

/// Text that has no place in a finished file.
const UNFINISHED: &[&str] = &["todo!(", "unimplemented!(", "#[ignore", "FIXME", "XXX:"];

/// Beginnings of paths that exist only on somebody's machine.
const LOCAL: &[&str] = &["/home/", "/root/", "/Users/", "/work/", "/mnt/", "C:\\Users\\"];

pub(super) fn check(files: &[Source], wrong: &mut Vec<String>) {
    for file in files {
        let name = file.path.display();
        if !file.path.starts_with(OWN) {
            wrong.extend(local(&file.text).map(|what| format!("{name}: names {what}")));
        }
        if !matches!(file.extension(), "rs" | "ts" | "tsx" | "mjs" | "css") {
            continue;
        }
        if let Some(banned) = banned(&file.path) {
            wrong.push(format!("{name}: \"{banned}\" says nothing about what is in it"));
        }
        let lines = file.text.lines().count();
        if lines > LINES_MAX && !generated(&file.path) {
            wrong.push(format!("{name}: {lines} lines; at most {LINES_MAX}"));
        } else if lines > LINES_WARN && !generated(&file.path) {
            println!("tidy: note: {name} has {lines} lines");
        }
        if file.extension() == "rs" {
            wrong.extend(rust(file).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    wrong.extend(dead(files));
}

fn generated(file: &Path) -> bool {
    file == Path::new("web/src/api/gen.ts")
}

fn banned(path: &Path) -> Option<&'static str> {
    if NAMED_SO.iter().any(|(name, _)| path == Path::new(name)) {
        return None;
    }
    let bare = path.with_extension("");
    BANNED_NAMES.iter().copied().find(|b| bare.components().any(|c| c.as_os_str() == *b))
}

/// The first path of somebody's machine in `text`.
fn local(text: &str) -> Option<&'static str> {
    LOCAL.iter().copied().find(|pattern| {
        text.match_indices(pattern).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            // "net/work/" and "$DIR/root/" are something else.
            !before.is_some_and(|c| c.is_alphanumeric() || "_-./}".contains(c))
        })
    })
}

fn rust(file: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let in_src = file.path.starts_with("crates") && file.within("src");
    let opening = opening(&file.text);
    if (in_src && !file.within("tests") && opening.is_empty())
        || (file.path.starts_with("xtask") && opening.is_empty())
    {
        wrong.push("does not begin with what it is (//!)".to_owned());
    }
    let is_root = matches!(file.stem(), "lib" | "main")
        && file.path.parent().is_some_and(|p| p.ends_with("src"));
    let is_room = file.path.starts_with("crates") || file.path.starts_with("tests");
    if is_room && is_root && opening.len() < OPENING_CHARS_MIN && !beside_lib(file) {
        wrong.push("a crate begins with what it is and what it is not".to_owned());
    }
    if !file.text.lines().any(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//")) {
        wrong.push("has no code".to_owned());
    }
    if !file.path.starts_with(OWN) {
        let found = UNFINISHED.iter().filter(|u| file.text.contains(**u));
        wrong.extend(found.map(|u| format!("has {u}")));
    }
    wrong
}

/// A `main.rs` may be short where a `lib.rs` says what the crate is.
fn beside_lib(file: &Source) -> bool {
    file.stem() == "main" && file.path.starts_with("tests")
}

/// The text of the `//!` lines at the top.
fn opening(text: &str) -> String {
    let lines = text.lines().map_while(|l| l.strip_prefix("//!"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Rust files below a `src` that no `mod` line names: the compiler never sees them.
fn dead(files: &[Source]) -> Vec<String> {
    let mut declared: BTreeSet<PathBuf> = BTreeSet::new();
    for file in files.iter().filter(|f| f.extension() == "rs") {
        let dir = file.path.parent().unwrap_or_else(|| Path::new(""));
        let root = matches!(file.stem(), "lib" | "main" | "mod") || dir.ends_with("bin");
        let dir = if root { dir.to_owned() } else { dir.join(file.stem()) };
        declared.extend(modules(&file.text).into_iter().map(|m| dir.join(m)));
    }
    let lives = |file: &Source| {
        let dir = file.path.parent().unwrap_or_else(|| Path::new(""));
        match file.stem() {
            "lib" | "main" | "build" => true,
            "mod" => declared.contains(dir),
            _ => dir.ends_with("bin") || declared.contains(&file.path.with_extension("")),
        }
    };
    files
        .iter()
        .filter(|f| f.extension() == "rs" && f.within("src") && !lives(f))
        .map(|f| format!("{}: no mod line names it", f.path.display()))
        .collect()
}

/// The names of `mod name;` lines.
fn modules(text: &str) -> Vec<&str> {
    let name = |line: &'_ str| -> Option<(usize, usize)> {
        let rest = line.trim_end().strip_suffix(';')?;
        let at = rest.rfind("mod ")? + 4;
        let head = rest[..at - 4].trim();
        let whole = head.is_empty() || (head.starts_with("pub") && !head.contains('='));
        whole.then_some((at, rest.len()))
    };
    text.lines().filter_map(|l| name(l).map(|(from, to)| &l[from..to])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.to_owned() }
    }

    #[test]
    fn names_that_say_nothing() {
        assert_eq!(banned(Path::new("crates/hub/src/util.rs")), Some("util"));
        assert_eq!(banned(Path::new("crates/helpers/src/lib.rs")), Some("helpers"));
        assert_eq!(banned(Path::new("crates/hub/src/utility.rs")), None);
        assert_eq!(banned(Path::new("web/src/api/types.ts")), None);
        assert_eq!(banned(Path::new("web/src/live/types.ts")), Some("types"));
    }

    #[test]
    fn places_on_somebodys_machine() {
        for text in ["cd /home/ann/x", "(/root/.cargo", "\"/work/main\"", "C:\\Users\\ann"] {
            assert!(local(text).is_some(), "{text}");
        }
        for text in ["crates/net/work/x", "$dir/root/x", "{out}/root/x", "homework/", "/var/lib"] {
            assert_eq!(local(text), None, "{text}");
        }
    }

    #[test]
    fn rust_files_say_what_they_are() {
        let long = format!("//! {}\nfn main() {{}}\n", "word ".repeat(40));
        let check = |path, text: &str| rust(&source(path, text));
        assert_eq!(check("crates/hub/src/lib.rs", &long), Vec::<String>::new());
        let short = "//! Short.\nfn f() {}\n";
        assert_eq!(check("crates/hub/src/ring.rs", short), Vec::<String>::new());
        assert_eq!(check("crates/hub/src/lib.rs", short).len(), 1);
        assert_eq!(
            check("crates/hub/src/ring.rs", "fn f() {}")[0],
            "does not begin with what it is (//!)"
        );
        assert_eq!(check("crates/hub/src/ring.rs", "//! x\n"), ["has no code"]);
        let unfinished = "//! It.\nfn f() { todo!() }";
        assert_eq!(check("crates/hub/src/ring.rs", unfinished), ["has todo!("]);
        assert_eq!(check("crates/hub/src/tests.rs", "use super::*;"), Vec::<String>::new());
    }

    #[test]
    fn mod_lines_are_read() {
        let text =
            "mod a;\npub mod b;\npub(crate) mod c;\n    mod d;\nmod e {\n// mod f;\nlet mod g;";
        assert_eq!(modules(text), ["a", "b", "c", "d"]);
    }

    #[test]
    fn files_that_nobody_names_are_dead() {
        let files = [
            source("crates/x/src/lib.rs", "mod a;\nmod b;\n"),
            source("crates/x/src/a.rs", "mod tests;\n"),
            source("crates/x/src/a/tests.rs", ""),
            source("crates/x/src/b/mod.rs", "mod c;\n"),
            source("crates/x/src/b/c.rs", ""),
            source("crates/x/src/b/lost.rs", ""),
            source("crates/x/src/gone/mod.rs", ""),
            source("crates/x/src/bin/tool.rs", ""),
            source("crates/x/tests/behaviour.rs", ""),
        ];
        assert_eq!(
            dead(&files),
            [
                "crates/x/src/b/lost.rs: no mod line names it",
                "crates/x/src/gone/mod.rs: no mod line names it",
            ]
        );
    }
}
