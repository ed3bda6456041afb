//! The token that opens `/metrics`, and nothing else, to a collector such as Prometheus: a file in
//! the data directory that a person copies from or points the collector to.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use stdx::{Error, Kind, Result, Secret};

/// The file's name inside the data directory.
const FILE: &str = "metrics.token";
/// A shorter token, put there by a person, could be guessed.
const CHARS_MIN: usize = 32;

/// Reads the token, or makes one at the first start: 256 random bits, mode 0600.
///
/// # Errors
/// Of the disk; `InvalidArgument` when what lies there is too short to be a token.
pub(crate) fn metrics(dir: &Path) -> Result<Secret> {
    let path = dir.join(FILE);
    let at = |e: std::io::Error| {
        Error::from(e).map_message(|m| format!("{}: {m}", path.display())).with_code("metrics")
    };
    let kept = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        Err(e) => return Err(at(e)),
    };
    // An empty file is what is left of a start that was cut off.
    if kept.is_empty() {
        let token = fresh()?;
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(at)?;
        writeln!(file, "{}", token.reveal()).map_err(at)?;
        return Ok(token);
    }
    if kept.chars().count() < CHARS_MIN {
        let message = format!(
            "{}: a token has at least {CHARS_MIN} characters; remove the file for a new one",
            path.display()
        );
        return Err(Error::new(Kind::InvalidArgument, message).with_code("metrics"));
    }
    Ok(Secret::new(kept))
}

fn fresh() -> Result<Secret> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Kind::Internal, "the system has no randomness").with_source(e))?;
    Ok(Secret::new(bytes.iter().map(|b| format!("{b:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_made_once_and_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let first = metrics(dir.path()).unwrap();
        assert_eq!(first.reveal().len(), 64);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(metrics(dir.path()).unwrap(), first);
        std::fs::write(&path, "").unwrap();
        assert_ne!(metrics(dir.path()).unwrap(), first);
        std::fs::write(&path, "short\n").unwrap();
        assert_eq!(metrics(dir.path()).unwrap_err().kind(), Kind::InvalidArgument);
    }
}
