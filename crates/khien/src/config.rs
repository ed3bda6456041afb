//! The configuration file: one TOML, every key with a default, unknown keys refused by naming the
//! nearest known one. Nothing below this crate knows that the file exists.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stdx::{ByteSize, Error, Kind, Result};

/// The file with every default and its explanation: what `khien config --default` prints.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) http: Http,
    pub(crate) storage: Storage,
    pub(crate) camera: Camera,
    pub(crate) pixels: Pixels,
    pub(crate) log: Log,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    pub(crate) names: Vec<String>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    #[serde(deserialize_with = "size")]
    pub(crate) max_size: ByteSize,
    pub(crate) max_days: u32,
    #[serde(deserialize_with = "size")]
    pub(crate) min_free: ByteSize,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Camera {
    pub(crate) allow_redirect: bool,
    pub(crate) ca: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pixels {
    pub(crate) allow_uncaged: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

fn size<'de, D: serde::Deserializer<'de>>(d: D) -> Result<ByteSize, D::Error> {
    String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
}

impl Config {
    /// Reads `path`, or the defaults without one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::parse("") };
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::from(e).with_code("config").map_message(|m| format!("{}: {m}", path.display()))
        })?;
        Self::parse(&text).map_err(|e| e.map_message(|m| format!("{}: {m}", path.display())))
    }

    fn parse(text: &str) -> Result<Self> {
        let bad = |e: String| Error::new(Kind::InvalidArgument, e).with_code("config");
        let mut merged: toml::Table =
            DEFAULT.parse().map_err(|e| bad(format!("built-in defaults: {e}")))?;
        let given: toml::Table = text.parse().map_err(|e: toml::de::Error| bad(e.to_string()))?;
        merge(&mut merged, given, "").map_err(bad)?;
        toml::Value::Table(merged).try_into().map_err(|e: toml::de::Error| bad(e.to_string()))
    }
}

/// Lays `given` over `known`. A key that `known` has not is an error that names its neighbour.
fn merge(known: &mut toml::Table, given: toml::Table, place: &str) -> Result<(), String> {
    for (key, value) in given {
        let Some(slot) = known.get_mut(&key) else {
            let nearest = known
                .keys()
                .map(|k| (distance(k, &key), k))
                .min()
                .filter(|(d, k)| *d <= k.len().max(key.len()) / 2 + 1);
            let hint = nearest.map_or_else(
                || format!("known here: {}", known.keys().cloned().collect::<Vec<_>>().join(", ")),
                |(_, k)| format!("did you mean \"{place}{k}\"?"),
            );
            return Err(format!("unknown key \"{place}{key}\"; {hint}"));
        };
        match (slot, value) {
            (toml::Value::Table(inner), toml::Value::Table(value)) => {
                merge(inner, value, &format!("{place}{key}."))?;
            }
            (toml::Value::Table(_), _) => {
                return Err(format!("\"{place}{key}\" is a section; write [{place}{key}]"));
            }
            (slot, value) => *slot = value,
        }
    }
    Ok(())
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_default_is_the_default() {
        let config = Config::parse(DEFAULT).unwrap();
        assert_eq!(config, Config::parse("").unwrap());
        assert_eq!(config.storage.min_free, ByteSize(2 << 30));
    }

    #[test]
    fn one_key_changes_one_thing() {
        let config = Config::parse("[storage]\nmax_size = \"500 GiB\"\n").unwrap();
        let expect =
            Storage { max_size: ByteSize(500 << 30), ..Config::parse("").unwrap().storage };
        assert_eq!(config.storage, expect);
    }

    #[test]
    fn mistakes_name_the_place_and_the_neighbour() {
        for (text, expect) in [
            ("[storage]\nmax_sise = \"1 GiB\"", "did you mean \"storage.max_size\"?"),
            ("[htpt]\nlisten = \"x\"", "did you mean \"http\"?"),
            ("[zzzzzzzzzzzzzzzz]", "known here: "),
            ("http = 3", "write [http]"),
            ("[storage]\nmax_size = \"lots\"", "500 GiB"),
            ("[http]\nlisten = \"nowhere\"", "socket address"),
            ("[log]\nformat = \"xml\"", "json"),
            ("not toml", "expected"),
        ] {
            let message = Config::parse(text).unwrap_err().message().to_owned();
            assert!(message.contains(expect), "{text}: {message}");
        }
    }
}
