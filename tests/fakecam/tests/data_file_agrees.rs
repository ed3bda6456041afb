//! Every row of the data file has a flag here, every flag a row, and both are well formed.

use std::collections::BTreeMap;

use fakecam::Quirk;
use toml::{Table, Value};

const DATA: &str = include_str!("../../../crates/rtsp/quirks.toml");

fn rows() -> Vec<Table> {
    let all: Table = DATA.parse().expect("the data file is TOML");
    let rows = all["quirk"].as_array().expect("quirk is a list");
    rows.iter().map(|r| r.as_table().expect("a row is a table").clone()).collect()
}

fn text<'a>(row: &'a Table, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} is missing in {row:?}"))
}

#[test]
fn every_quirk_has_a_flag_and_every_flag_a_row() {
    let rows = rows();
    let ids: Vec<&str> = rows.iter().map(|r| text(r, "id")).collect();
    let flags: Vec<&str> = Quirk::ALL.iter().map(|q| q.id()).collect();
    assert_eq!(ids, flags, "same ids in the same order");
    for id in ids {
        assert_eq!(id.parse::<Quirk>().map(Quirk::id), Ok(id));
    }
}

#[test]
fn every_row_is_complete_and_uses_the_words_of_its_columns() {
    let layers = ["url-sdp", "auth-session", "keep-alive", "transport", "rtp-time", "codec"];
    let mut tests: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows() {
        let id = text(&row, "id").to_owned();
        for key in ["what", "seen", "action", "outcome"] {
            assert!(!text(&row, key).is_empty(), "{id}: {key}");
        }
        assert!(layers.contains(&text(&row, "layer")), "{id}");
        assert!(["c", "n", "w"].contains(&text(&row, "level")), "{id}");
        assert!(["plays", "quirk-only", "refused"].contains(&text(&row, "expect")), "{id}");
        assert!(row.get("counted").and_then(Value::as_bool).is_some(), "{id}: counted");
        *tests.entry(text(&row, "test").to_owned()).or_default() += 1;
    }
    let names: Vec<&str> = tests.keys().map(String::as_str).collect();
    let expected = layers.map(|l| format!("quirks::{}", l.replace('-', "_")));
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(names, expected, "one test for each layer");
}
