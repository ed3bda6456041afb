//! Which room may depend on which, and what no room may ever reach.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

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

/// Members of the workspace that are not rooms: they know no room and no room knows them.
const OUTSIDE: &[&str] = &["fakecam", "xtask"];

/// Steps inside a floor that are allowed, each with its reason.
const INSIDE: &[(&str, &str, &str)] = &[
    ("media", "stdx", "stdx is what std lacks"),
    ("camera", "pixels", "the lens of the software camera is a caged encoder"),
];

/// Dependencies that one room has and no other may have.
const FENCED: &[(&str, &str, &str)] = &[
    ("ffmpeg-next", "pixels", "C codecs run only in the caged child"),
    ("rusqlite", "store", "SQL is the index's affair"),
    ("argon2", "api", "passwords are checked at the desk"),
    ("clap", "khien", "only the house has a command line"),
];

/// Arrows that must never be, over any number of steps.
const NEVER: &[(&str, &str, &str)] = &[
    ("stdx", "serde", "the lowest room knows no format"),
    ("media", "tokio", "the vocabulary knows no runtime"),
    ("media", "serde", "the vocabulary knows no format"),
    ("rtsp", "tokio", "formats are sans-IO"),
    ("mp4", "tokio", "formats are sans-IO"),
    ("store", "tokio", "lasting memory is blocking code that can be simulated"),
    ("store", "hub", "the store does not know who feeds it"),
    ("store", "axum", "the store knows no HTTP"),
    ("hub", "rustls", "live memory knows no sockets"),
    ("net", "axum", "HTTP is at the desk"),
    ("net", "store", "what carries frames does not know where they are kept"),
    ("camera", "store", "a camera keeps nothing"),
    ("pixels", "tokio", "the caged child has one thread and no reactor"),
    ("khien", "ffmpeg-sys-next", "the program that faces the network links no C codec"),
    ("khien", "ring", "one TLS provider"),
    ("khien", "openssl-sys", "one TLS"),
    ("khien", "native-tls", "one TLS"),
];

/// Normal and build dependencies, by name.
type Edges = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(root: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    let meta: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)))?;
    let (members, edges) = graph(&meta);
    wrong.extend(rooms(&members));
    wrong.extend(floors(&members, &edges));
    wrong.extend(fences(&edges));
    for from in NEVER.iter().map(|(from, ..)| *from).collect::<BTreeSet<_>>() {
        wrong.extend(banned(from, &tree(root, from)?));
    }
    Ok(())
}

/// Everything that is built for a room. Not taken from the metadata, which lists optional
/// dependencies that no feature turns on.
fn tree(root: &Path, room: &str) -> Result<String, String> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "-e", "normal,build", "--prefix", "none", "-p", room])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo tree: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree -p {room}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a room reaches and must not, from lines of "name version".
fn banned(room: &str, tree: &str) -> Vec<String> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|l| l.split(' ').next()).collect();
    let arrows = NEVER.iter().filter(|(from, to, _)| *from == room && names.contains(to));
    arrows.map(|(from, to, why)| format!("{from} reaches {to}: {why}")).collect()
}

fn graph(meta: &Value) -> (BTreeSet<String>, Edges) {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let mut names = BTreeMap::new();
    for package in list(&meta["packages"]) {
        if let (Some(id), Some(name)) = (package["id"].as_str(), package["name"].as_str()) {
            names.insert(id.to_owned(), name.to_owned());
        }
    }
    let name = |v: &Value| v.as_str().and_then(|id| names.get(id)).cloned();
    let members = list(&meta["workspace_members"]).iter().filter_map(name).collect();
    let mut edges = Edges::new();
    for node in list(&meta["resolve"]["nodes"]) {
        let Some(from) = name(&node["id"]) else { continue };
        for dep in list(&node["deps"]) {
            let built = list(&dep["dep_kinds"]).iter().any(|k| k["kind"] != "dev");
            if let (true, Some(to)) = (built, name(&dep["pkg"])) {
                edges.entry(from.clone()).or_default().insert(to);
            }
        }
    }
    (members, edges)
}

/// Every member has a place, and every place in the tables has a member.
fn rooms(members: &BTreeSet<String>) -> Vec<String> {
    let known = |name: &str| floor(name).is_some() || OUTSIDE.contains(&name);
    let mut wrong: Vec<String> = members
        .iter()
        .filter(|m| !known(m))
        .map(|m| format!("{m} has no floor: add it to the table in tidy/arrows.rs"))
        .collect();
    let named = FLOORS.iter().map(|(n, _)| *n).chain(OUTSIDE.iter().copied());
    let named = named
        .chain(NEVER.iter().map(|(from, ..)| *from))
        .chain(FENCED.iter().map(|(_, room, _)| *room))
        .chain(INSIDE.iter().flat_map(|(a, b, _)| [*a, *b]))
        .collect::<BTreeSet<_>>();
    let gone = named.into_iter().filter(|n| !members.contains(*n));
    wrong.extend(gone.map(|n| format!("{n} is in tidy's tables but not in the workspace")));
    wrong
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

fn floors(members: &BTreeSet<String>, edges: &Edges) -> Vec<String> {
    let mut wrong = Vec::new();
    for from in members {
        let level = floor(from);
        for to in edges.get(from).into_iter().flatten().filter(|to| members.contains(*to)) {
            let inside = INSIDE.iter().any(|(a, b, _)| a == from && b == to);
            match (level, floor(to)) {
                (Some(above), Some(below)) if below < above || inside => {}
                (Some(above), Some(below)) => {
                    wrong.push(format!("{from} (floor {above}) must not depend on {to} ({below})"));
                }
                _ => wrong.push(format!("{from} must not depend on {to}: one is not a room")),
            }
        }
    }
    wrong
}

fn fences(edges: &Edges) -> Vec<String> {
    let mut wrong = Vec::new();
    for (dependency, room, why) in FENCED {
        for (other, _) in FLOORS.iter().filter(|(n, _)| n != room) {
            if edges.get(*other).is_some_and(|to| to.contains(*dependency)) {
                wrong.push(format!("{other} depends on {dependency}; only {room} may: {why}"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn edges(list: &[(&str, &str)]) -> Edges {
        let mut edges = Edges::new();
        for (from, to) in list {
            edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        edges
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn metadata_becomes_a_graph_without_dev_dependencies() {
        let meta = json!({
            "packages": [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}, {"id": "3", "name": "c"}],
            "workspace_members": ["1"],
            "resolve": {"nodes": [{"id": "1", "deps": [
                {"pkg": "2", "dep_kinds": [{"kind": null}, {"kind": "dev"}]},
                {"pkg": "3", "dep_kinds": [{"kind": "dev"}]},
            ]}]},
        });
        assert_eq!(graph(&meta), (names(&["a"]), edges(&[("a", "b")])));
    }

    #[test]
    fn arrows_point_down() {
        let members = names(&["stdx", "media", "hub", "store", "net", "fakecam", "rtsp"]);
        let good = edges(&[("media", "stdx"), ("net", "hub"), ("net", "tokio")]);
        assert_eq!(floors(&members, &good), Vec::<String>::new());
        let bad = edges(&[("hub", "store"), ("stdx", "media"), ("fakecam", "rtsp")]);
        assert_eq!(
            floors(&members, &bad),
            [
                "fakecam must not depend on rtsp: one is not a room",
                "hub (floor 2) must not depend on store (2)",
                "stdx (floor 0) must not depend on media (0)",
            ]
        );
    }

    #[test]
    fn what_must_not_be_reached_is_found_over_steps() {
        let tree = "store v0.0.0 (…/store)\nmp4 v0.0.0\ntokio v1.0.0\ntokio v1.0.0 (*)\n";
        assert_eq!(banned("store", tree).len(), 1);
        assert!(banned("store", tree)[0].starts_with("store reaches tokio"));
        assert_eq!(banned("hub", tree), Vec::<String>::new());
    }

    #[test]
    fn what_is_fenced_stays_in_its_room() {
        assert!(fences(&edges(&[("net", "rusqlite")]))[0].contains("only store may"));
        assert_eq!(fences(&edges(&[("store", "rusqlite")])), Vec::<String>::new());
    }

    #[test]
    fn a_room_without_a_floor_is_named() {
        let mut members: BTreeSet<String> = FLOORS.iter().map(|(n, _)| (*n).to_owned()).collect();
        members.extend(names(OUTSIDE));
        assert_eq!(rooms(&members), Vec::<String>::new());
        members.insert("cellar".to_owned());
        members.remove("hub");
        let wrong = rooms(&members);
        assert!(wrong[0].starts_with("cellar has no floor") && wrong[1].starts_with("hub is in"));
    }
}
