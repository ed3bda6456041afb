//! What a request line's URI names here: a path, and perhaps a track of it.

use crate::url::{Url, percent_decode};

/// What stands in front of a track's index, as `sdp::write` writes it.
pub(super) const TRACK: &str = "trackID=";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Decoded, without slashes at its ends; empty for the server itself.
    pub(super) path: String,
    pub(super) track: Option<usize>,
}

/// `None` if it is no address, or holds control characters, encoded or not.
pub(super) fn parse(uri: &str) -> Option<Target> {
    let path = match uri {
        "*" => String::new(),
        path if path.starts_with('/') => path.to_owned(),
        address => Url::parse(address).ok()?.path().to_owned(),
    };
    let path = path.split('?').next().unwrap_or("").trim_matches('/');
    let (path, track) = match split_track(path) {
        Some((path, track)) => (path, Some(track)),
        None => (path, None),
    };
    let path = percent_decode(path);
    if path.contains(char::is_control) {
        return None;
    }
    Some(Target { path, track })
}

fn split_track(path: &str) -> Option<(&str, usize)> {
    let (rest, last) = path.rsplit_once('/').unwrap_or(("", path));
    let number = last.strip_prefix(TRACK)?;
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    // One that is no number is a track that does not exist, not a path.
    Some((rest.trim_end_matches('/'), if plain { number.parse().ok()? } else { usize::MAX }))
}

/// The address that controls are relative to: the one that was asked for, without query and
/// track, with a slash at its end.
pub(super) fn base(uri: &str, track: Option<usize>) -> String {
    let mut base = uri.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    if track.is_some() {
        base = base.rsplit_once('/').map_or(base, |(rest, _)| rest).trim_end_matches('/');
    }
    format!("{base}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (uri, path, track) in [
            ("*", "", None),
            ("rtsp://h", "", None),
            ("rtsp://h:8554/main", "main", None),
            ("rtsp://h:8554/main/", "main", None),
            ("rtsp://user:pw@h/main?x=1/2", "main", None),
            ("rtsps://h/a/b/trackID=3", "a/b", Some(3)),
            ("rtsp://h/main//trackID=0", "main", Some(0)),
            ("/main/trackID=1", "main", Some(1)),
            ("rtsp://h/c%C3%B4ng%20l%E1%BB%99", "công lộ", None),
            ("rtsp://h/main/trackID=x", "main", Some(usize::MAX)),
            ("rtsp://h/trackID=0", "", Some(0)),
        ] {
            assert_eq!(parse(uri), Some(Target { path: path.to_owned(), track }), "{uri}");
        }
        for bad in ["main", "http://h/main", "rtsp://", "rtsp://h/a%0d%0ab", "rtsp://h/%00", ""] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn bases_end_with_a_slash() {
        assert_eq!(base("rtsp://h/main", None), "rtsp://h/main/");
        assert_eq!(base("rtsp://h/main/?a=b", None), "rtsp://h/main/");
        assert_eq!(base("rtsp://h/main/trackID=1", Some(1)), "rtsp://h/main/");
    }
}
