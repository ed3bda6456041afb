//! JSON shapes that several routes share.

use std::fmt::Write as _;

use ::media::{Track, TrackKind};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use store::registry;

use crate::control::Detail;
use crate::problem::Problem;

/// How a camera is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    #[default]
    Tcp,
    Udp,
}

impl From<Transport> for registry::Transport {
    fn from(t: Transport) -> Self {
        match t {
            Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }
}

impl From<registry::Transport> for Transport {
    fn from(t: registry::Transport) -> Self {
        match t {
            registry::Transport::Tcp => Self::Tcp,
            registry::Transport::Udp => Self::Udp,
        }
    }
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Owner,
    Viewer,
}

impl From<Role> for registry::Role {
    fn from(r: Role) -> Self {
        match r {
            Role::Owner => Self::Owner,
            Role::Viewer => Self::Viewer,
        }
    }
}

impl From<registry::Role> for Role {
    fn from(r: registry::Role) -> Self {
        match r {
            registry::Role::Owner => Self::Owner,
            registry::Role::Viewer => Self::Viewer,
        }
    }
}

/// A code that the page translates, with its English sentence.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DetailView {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl From<Detail> for DetailView {
    fn from(d: Detail) -> Self {
        Self { code: d.code, message: d.message }
    }
}

/// What a track carries.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Video,
    Audio,
    Metadata,
}

/// One track of a camera.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrackView {
    pub(crate) id: u8,
    pub(crate) kind: Kind,
    /// `H.264`, `AAC`, ...
    pub(crate) codec: String,
    /// RFC 6381, where there is one.
    pub(crate) codec_string: Option<String>,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) fps: Option<f64>,
    pub(crate) sample_rate: Option<u32>,
    pub(crate) channels: Option<u8>,
}

impl From<&Track> for TrackView {
    fn from(t: &Track) -> Self {
        let size = t.params.resolution();
        let sound = t.params.audio();
        Self {
            id: t.id.0,
            kind: match t.kind() {
                TrackKind::Video => Kind::Video,
                TrackKind::Audio => Kind::Audio,
                TrackKind::Metadata => Kind::Metadata,
            },
            codec: t.params.codec().name().to_owned(),
            codec_string: t.params.codec_string(),
            width: size.map(|s| s.0),
            height: size.map(|s| s.1),
            fps: t.params.frame_rate(),
            sample_rate: sound.map(|s| s.0),
            channels: sound.map(|s| s.1),
        }
    }
}

/// Something a camera does differently from the standards.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct QuirkView {
    pub(crate) id: String,
    pub(crate) count: u64,
    pub(crate) level: String,
}

impl From<(String, u64, String)> for QuirkView {
    fn from((id, count, level): (String, u64, String)) -> Self {
        Self { id, count, level }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// A SHA-256 as 64 hexadecimal digits; colons between bytes, as people copy them, are ignored.
pub(crate) fn sha256(text: &str) -> Result<[u8; 32], Problem> {
    let bad = || Problem::invalid("sha256", "a certificate's SHA-256 has 64 hexadecimal digits");
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
    if digits.len() != 64 {
        return Err(bad());
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(pair[0]).zip(digit(pair[1])).map(|(h, l)| h << 4 | l).ok_or_else(bad)?;
    }
    Ok(out)
}

/// Tells `null` (take it away) from a field that is not there (leave it).
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    d: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_back() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 8).unwrap());
        let text = hex(&bytes);
        assert_eq!(sha256(&text), Ok(bytes));
        assert_eq!(sha256(&text.to_uppercase()), Ok(bytes));
        let colons: Vec<String> = bytes.iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(sha256(&colons.join(":")), Ok(bytes));
        for bad in ["", "00", &text[1..], &format!("{text}0"), &"é".repeat(32), &"g".repeat(64)] {
            assert!(sha256(bad).is_err(), "{bad}");
        }
    }
}
