//! Every relative link of a Markdown file, and every path that a comment or a page names, leads
//! somewhere.

use std::path::Path;

use super::Source;

/// A word with a slash that ends in one of these is a path.
const ENDINGS: &[&str] =
    &["rs", "md", "toml", "json", "ts", "tsx", "mjs", "css", "html", "svg", "png", "yml"];

/// Paths that need not exist in a fresh checkout, and why.
const MADE: &[(&str, &str)] = &[
    ("target/", "cargo makes it"),
    ("web/dist/", "the web build makes it"),
    ("testdata/.made/", "scripts/make-media makes it"),
];

pub(super) fn check(root: &Path, files: &[Source], wrong: &mut Vec<String>) {
    for file in files {
        let name = file.path.display();
        match file.extension() {
            "md" => {
                for link in targets(&file.text) {
                    if let Some(why) = broken(root, &file.path, link) {
                        wrong.push(format!("{name}: {link} {why}"));
                    }
                }
                let code = file.text.split('`').skip(1).step_by(2);
                for path in code.flat_map(paths) {
                    if !exists(root, &file.path, path) {
                        wrong.push(format!("{name}: there is no {path}"));
                    }
                }
            }
            "rs" if !file.path.starts_with("xtask/src/tidy") => {
                let docs = file.text.lines().map(str::trim_start);
                let docs = docs.filter(|l| l.starts_with("//!") || l.starts_with("///"));
                for path in docs.flat_map(paths) {
                    if !exists(root, &file.path, path) {
                        wrong.push(format!("{name}: there is no {path}"));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Targets of inline links and pictures, fenced code left out.
fn targets(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let links = prose.flat_map(|part| part.split("](").skip(1));
    links.filter_map(|part| part.split(')').next()).collect()
}

/// Why a link leads nowhere.
fn broken(root: &Path, from: &Path, link: &str) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let dir = from.parent().unwrap_or(from);
    let file = if path.is_empty() { root.join(from) } else { root.join(dir).join(path) };
    if !file.exists() {
        return Some("leads nowhere");
    }
    if anchor.is_empty() || file.extension().is_none_or(|e| e != "md") {
        return None;
    }
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    (!anchors(&text).iter().any(|a| a == anchor)).then_some("names no heading there")
}

/// The anchors that a page's headings get: lower case, blanks to dashes, punctuation dropped.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|l| l.starts_with('#'));
    let anchor = |l: &str| {
        let l = l.trim_start_matches('#').trim().to_lowercase();
        l.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(anchor).collect()
}

/// Words of a line that are paths of files.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    // Addresses, globs and places to fill in are cut off at once.
    let plain =
        line.split_whitespace().filter(|w| !w.contains("://") && !w.contains(['*', '{', '$', '<']));
    plain.flat_map(move |w| w.split(move |c| !part_of_path(c))).filter_map(|word| {
        let word = word.trim_end_matches('.');
        let (rest, ending) = word.rsplit_once('.')?;
        let is_path = rest.contains('/') && !rest.starts_with('/') && ENDINGS.contains(&ending);
        is_path.then_some(word)
    })
}

/// From the root, from among the crates, or from a folder that the file is in or its `src`.
fn exists(root: &Path, from: &Path, path: &str) -> bool {
    MADE.iter().any(|(made, _)| path.starts_with(made))
        || root.join("crates").join(path).exists()
        || from.ancestors().skip(1).any(|dir| {
            let dir = root.join(dir);
            dir.join(path).exists() || dir.join("src").join(path).exists()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_outside_of_code_are_found() {
        let text = "[a](x.md) ![b](p/y.svg)\n```\n[c](no.md)\n```\n[d](#here)";
        assert_eq!(targets(text), ["x.md", "p/y.svg", "#here"]);
    }

    #[test]
    fn headings_have_anchors() {
        let text = "# One frame's journey\ntext\n## What is `x`, and why?\n";
        assert_eq!(anchors(text), ["one-frames-journey", "what-is-x-and-why"]);
    }

    #[test]
    fn links_into_this_repository() {
        let root = crate::root();
        let from = Path::new("CONTRIBUTING.md");
        assert_eq!(broken(&root, from, "CHANGELOG.md"), None);
        assert_eq!(broken(&root, from, "https://example.org/x.md"), None);
        assert_eq!(broken(&root, from, "nowhere.md"), Some("leads nowhere"));
        assert_eq!(broken(&root, from, "#style"), None);
        assert_eq!(broken(&root, from, "CHANGELOG.md#nothing"), Some("names no heading there"));
    }

    #[test]
    fn words_that_are_paths() {
        let line =
            "//! See `docs/ref/storage.md`, src/web.rs. Not a.rs, https://x.org/b.md, /etc/c.toml,";
        assert_eq!(paths(line).collect::<Vec<_>>(), ["docs/ref/storage.md", "src/web.rs"]);
        assert_eq!(paths("`fuzz_targets/*.rs` and web/{a,b}.ts").count(), 0);
    }

    #[test]
    fn paths_are_looked_for_where_a_reader_would() {
        let root = crate::root();
        let from = Path::new("xtask/src/tidy/links.rs");
        for path in ["xtask/src/main.rs", "src/main.rs", "tidy/sets.rs", "hub/src/lib.rs"] {
            assert!(exists(&root, from, path), "{path}");
        }
        assert!(exists(&root, from, "target/x.json"));
        assert!(!exists(&root, from, "src/nothing.rs"));
    }
}
