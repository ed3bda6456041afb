//! What people read on a terminal: errors, exit codes, tables.

use std::io::Write as _;
use std::path::Path;

use stdx::{Error, Kind, Result, Secret};

/// The one place where a kind becomes an exit code. 2 is clap's, for a wrong command line.
pub(crate) const fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::InvalidArgument => 2,
        Kind::NotFound => 3,
        Kind::Unauthenticated | Kind::PermissionDenied => 4,
        Kind::FailedPrecondition | Kind::AlreadyExists => 5,
        Kind::ResourceExhausted => 6,
        Kind::Unavailable => 7,
        Kind::DataLoss => 8,
        Kind::Unsupported => 9,
        Kind::Cancelled => 10,
        Kind::Internal => 1,
    }
}

/// Prints an error with its causes to standard error.
pub(crate) fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "khien: {}", error.chain());
}

/// Prints a line to standard output; a closed pipe is not an error worth a word.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Prints rows under a header, columns aligned.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = header.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(padded.join("  ").trim_end());
    };
    print(&mut header.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

/// The first line of a password file.
pub(crate) fn password(file: &Path) -> Result<Secret> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        Error::from(e).map_message(|m| format!("password file {}: {m}", file.display()))
    })?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        let message = format!("password file {} is empty", file.display());
        return Err(Error::new(Kind::InvalidArgument, message));
    }
    Ok(Secret::from(password))
}
