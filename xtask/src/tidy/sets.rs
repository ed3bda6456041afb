//! Sets of files that belong together: a codec in all its places, a fuzz target for each parser
//! and each of them run, a test and a fake camera's flag for each quirk.

use std::collections::BTreeSet;
use std::path::Path;

use super::Source;
use crate::fuzz;

/// What knows codecs has one file for each, with the same name in each of these folders.
const MATCHED: &[&str] = &[
    "crates/media/src/codec",
    "crates/rtsp/src/payload",
    "crates/rtsp/src/pay",
    "crates/mp4/src/entry",
];

/// Files of those folders that are not about one codec.
const SHARED: &[&str] = &["mod", "tests", "bits", "nal", "access_unit"];

/// Fuzz targets beside one for each codec's RTP payload.
const TARGETS: &[&str] =
    &["rtsp_message", "sdp", "rtcp", "digest", "h264_params", "h265_params", "mp4_read"];

const QUIRKS: &str = "crates/rtsp/quirks.toml";
const QUIRK_FLAGS: &str = "tests/fakecam/src/quirk.rs";
const QUIRK_TESTS: &str = "crates/net/tests/quirks.rs";

pub(super) fn check(root: &Path, files: &[Source], wrong: &mut Vec<String>) {
    let codecs = codecs(files);
    wrong.extend(matched(files, &codecs));
    let manifest = text(files, "fuzz/Cargo.toml");
    match fuzz::targets(root) {
        Ok(targets) => wrong.extend(fuzzed(&codecs, &targets, &bins(manifest))),
        Err(e) => wrong.push(e),
    }
    let (flags, tests) = (text(files, QUIRK_FLAGS), text(files, QUIRK_TESTS));
    wrong.extend(quirks(text(files, QUIRKS), flags, tests));
}

fn text<'a>(files: &'a [Source], path: &str) -> &'a str {
    files.iter().find(|f| f.path == Path::new(path)).map_or("", |f| &f.text)
}

/// Every name that is not shared, in any of the folders.
fn codecs(files: &[Source]) -> BTreeSet<&str> {
    let in_set = |f: &&Source| MATCHED.iter().any(|d| f.path.parent() == Some(Path::new(d)));
    let rust = files.iter().filter(in_set).filter(|f| f.extension() == "rs");
    rust.map(Source::stem).filter(|s| !SHARED.contains(s)).collect()
}

fn matched(files: &[Source], codecs: &BTreeSet<&str>) -> Vec<String> {
    let mut wrong = Vec::new();
    for dir in MATCHED {
        for codec in codecs {
            // Either a file, or a folder of the same name where it grew too long for one.
            let one = Path::new(dir).join(format!("{codec}.rs"));
            let many = Path::new(dir).join(codec).join("mod.rs");
            if !files.iter().any(|f| f.path == one || f.path == many) {
                wrong.push(format!("{} is missing: the set is not matched", one.display()));
            }
        }
    }
    wrong
}

/// The names of the `[[bin]]` sections of a manifest.
fn bins(manifest: &str) -> Vec<String> {
    let table = manifest.parse::<toml::Table>().unwrap_or_default();
    let bins = table.get("bin").and_then(|b| b.as_array()).cloned().unwrap_or_default();
    bins.iter().filter_map(|b| Some(b.get("name")?.as_str()?.to_owned())).collect()
}

/// Each parser of bytes from outside has a target, and each target is built and run.
fn fuzzed(codecs: &BTreeSet<&str>, targets: &[String], bins: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let of_codecs = codecs.iter().map(|c| format!("rtp_{c}"));
    for name in TARGETS.iter().map(|t| (*t).to_owned()).chain(of_codecs) {
        if !targets.contains(&name) {
            wrong.push(format!("fuzz/fuzz_targets/{name}.rs is missing"));
        }
    }
    for name in targets.iter().filter(|t| !bins.contains(t)) {
        wrong.push(format!("fuzz/Cargo.toml does not build {name}"));
    }
    for name in bins.iter().filter(|b| !targets.contains(b)) {
        wrong.push(format!("fuzz/Cargo.toml names {name}, which has no file"));
    }
    wrong
}

fn quirks(data: &str, flags: &str, tests: &str) -> Vec<String> {
    let Ok(table) = data.parse::<toml::Table>() else {
        return vec![format!("{QUIRKS} is not TOML")];
    };
    let mut wrong = Vec::new();
    let rows = table.get("quirk").and_then(|q| q.as_array()).cloned().unwrap_or_default();
    if rows.is_empty() {
        wrong.push(format!("{QUIRKS} has no rows"));
    }
    let (mut seen, mut untested) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let value = |key: &str| row.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        let id = value("id");
        if !seen.insert(id) {
            wrong.push(format!("{QUIRKS}: {id} stands twice"));
        }
        for key in ["layer", "what", "action", "level", "expect", "test"] {
            if value(key).is_empty() {
                wrong.push(format!("{QUIRKS}: {id} has no {key}"));
            }
        }
        if !flags.contains(&format!(" = \"{id}\",")) {
            wrong.push(format!("{QUIRK_FLAGS}: no flag {id}"));
        }
        let test = value("test").rsplit("::").next().unwrap_or_default();
        if !tests.contains(&format!("fn {test}(")) && !tests.contains(&format!("mod {test}")) {
            untested.insert(test);
        }
    }
    wrong.extend(untested.into_iter().map(|t| format!("{QUIRK_TESTS}: there is no test {t}")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(paths: &[&str]) -> Vec<Source> {
        paths.iter().map(|p| Source { path: p.into(), text: String::new() }).collect()
    }

    #[test]
    fn a_codec_is_in_all_its_places() {
        let mut paths: Vec<String> = MATCHED.iter().map(|d| format!("{d}/h264.rs")).collect();
        paths.push(format!("{}/mod.rs", MATCHED[0]));
        paths.push(format!("{}/h264/tests.rs", MATCHED[0]));
        let all: Vec<&str> = paths.iter().map(String::as_str).collect();
        let files = sources(&all);
        assert_eq!(codecs(&files), BTreeSet::from(["h264"]));
        assert!(matched(&files, &codecs(&files)).is_empty());
        let fewer = sources(&all[1..]);
        let wrong = matched(&fewer, &codecs(&fewer));
        assert_eq!(wrong, [format!("{}/h264.rs is missing: the set is not matched", MATCHED[0])]);
    }

    #[test]
    fn targets_files_and_manifest_agree() {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let codecs = BTreeSet::from(["opus"]);
        let names = own(&[TARGETS, &["rtp_opus"]].concat());
        assert!(fuzzed(&codecs, &names, &names).is_empty());
        let wrong = fuzzed(&codecs, &names[1..], &names);
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        let wrong = fuzzed(&codecs, &names, &names[1..]);
        assert_eq!(wrong, ["fuzz/Cargo.toml does not build rtsp_message"]);
        let manifest = "[[bin]]\nname = \"a\"\n[[bin]]\nname = \"b\"\n";
        assert_eq!(bins(manifest), ["a", "b"]);
    }

    #[test]
    fn quirk_rows_have_everything() {
        let row = "[[quirk]]\nid = \"x-y\"\nlayer = \"a\"\nwhat = \"b\"\naction = \"c\"\n\
                   level = \"n\"\nexpect = \"plays\"\ntest = \"quirks::a\"\n";
        let (flags, tests) = ("    XY = \"x-y\", 1, 3, \"…\";", "async fn a() {");
        assert_eq!(quirks(row, flags, "fn a() {"), Vec::<String>::new());
        assert_eq!(quirks(row, flags, tests), Vec::<String>::new());
        assert_eq!(quirks(&row.repeat(2), flags, tests).len(), 1);
        assert_eq!(quirks(row, "", "").len(), 2);
        assert_eq!(quirks(&row.replace("action = \"c\"\n", ""), flags, tests).len(), 1);
        assert_eq!(quirks("", flags, tests).len(), 1);
        assert_eq!(quirks("[", flags, tests).len(), 1);
    }
}
