//! The data file, read.

use fakecam::Quirk;
use toml::Table;

const DATA: &str = include_str!("../../../rtsp/quirks.toml");

/// What a row promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Frames come.
    Plays,
    /// It is refused, and the reason is said.
    Refused,
    /// It is counted, and more is not promised.
    QuirkOnly,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) quirk: Quirk,
    pub(crate) layer: String,
    pub(crate) level: String,
    pub(crate) expect: Expect,
    pub(crate) outcome: String,
    pub(crate) counted: bool,
}

impl Row {
    /// The codes of trouble that the outcome names.
    pub(crate) fn codes(&self) -> Vec<&str> {
        let words = self.outcome.split([' ', '.', ',']);
        words.filter(|w| w.starts_with("camera-")).collect()
    }
}

pub(crate) fn all() -> Vec<Row> {
    let data: Table = DATA.parse().expect("the data file is TOML");
    let rows = data["quirk"].as_array().expect("a list of rows");
    rows.iter().map(|r| read(r.as_table().expect("a row is a table"))).collect()
}

fn read(row: &Table) -> Row {
    let text = |key: &str| row[key].as_str().expect("text").to_owned();
    Row {
        quirk: text("id").parse().expect("the fake camera has a flag for each row"),
        layer: text("layer"),
        level: text("level"),
        expect: match text("expect").as_str() {
            "plays" => Expect::Plays,
            "refused" => Expect::Refused,
            "quirk-only" => Expect::QuirkOnly,
            other => panic!("no such expectation: {other}"),
        },
        outcome: text("outcome"),
        counted: row["counted"].as_bool().expect("true or false"),
    }
}
