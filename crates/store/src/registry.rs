//! What people decided: cameras, users, sessions and settings, in `DIR/khien.db`. Opaque records:
//! nothing here knows HTTP, RTSP or how a password is checked.
//!
//! The file has mode 0600 and its directory 0700. Camera passwords lie in it in the clear, because
//! the recorder must be able to log in to a camera by itself: whoever reads the file as this user,
//! or takes the disk, has them. User passwords are Argon2 hashes, session tokens SHA-256 hashes.
//!
//! SQLite in WAL mode with `synchronous=FULL`: what a call returned `Ok` for is on the disk. Calls
//! block; async callers move them to a blocking thread.

mod camera;
mod user;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};
use stdx::{Error, Kind, Result};

pub use camera::{Camera, NewCamera, Retention, Transport};
pub use user::{NewUser, Role, Session, User};

/// The database's name inside the data directory.
pub const FILE: &str = "khien.db";
/// Longest name of a camera or user, characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Most cameras one recorder keeps.
pub const CAMERAS_MAX: u32 = 4_096;
/// Most users.
pub const USERS_MAX: u32 = 1_024;
/// Most sessions of one user; the one not seen for longest goes first.
pub const SESSIONS_PER_USER_MAX: u32 = 64;
/// Longest address of a camera, bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// Longest setting or learned text, bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

const VERSION: i64 = 1;
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE camera (
  id            INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  url           TEXT NOT NULL,
  user          TEXT,
  password      TEXT,
  transport     TEXT NOT NULL,
  enabled       INTEGER NOT NULL,
  position      INTEGER NOT NULL,
  retention     INTEGER NOT NULL,
  max_days      INTEGER,
  max_bytes     INTEGER,
  certificate   BLOB,
  learned       TEXT NOT NULL,
  created_us    INTEGER NOT NULL
) STRICT;
CREATE TABLE user (
  name          TEXT NOT NULL PRIMARY KEY,
  role          TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  language      TEXT NOT NULL,
  created_us    INTEGER NOT NULL
) STRICT;
CREATE TABLE session (
  token_sha256  BLOB NOT NULL PRIMARY KEY,
  user          TEXT NOT NULL REFERENCES user(name) ON DELETE CASCADE,
  created_us    INTEGER NOT NULL,
  last_seen_us  INTEGER NOT NULL,
  expires_us    INTEGER NOT NULL,
  agent         TEXT NOT NULL,
  address       TEXT NOT NULL
) STRICT;
CREATE INDEX session_user ON session(user);
CREATE TABLE setting (
  key           TEXT NOT NULL PRIMARY KEY,
  value         TEXT NOT NULL
) STRICT;
";

/// The open database. Cheap to clone; calls take turns.
#[derive(Clone)]
pub struct Registry {
    connection: Arc<Mutex<Connection>>,
    path: Arc<PathBuf>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Registry {
    /// Opens the database in `dir`, creating both if they are missing. Several processes may have
    /// it open.
    ///
    /// # Errors
    /// `FailedPrecondition` with code `newer-version` for a database of a newer khien, `DataLoss`
    /// for one that is damaged.
    pub fn open(dir: &Path) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| at(dir, e.into()))?;
        let path = dir.join(FILE);
        // SQLite gives its side files the mode of the database, which must be right from the start.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| at(&path, e.into()))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(|e| at(&path, e.into()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&path, flags).map_err(|e| at(&path, sql(e)))?;
        prepare(&mut connection).map_err(|e| at(&path, e))?;
        Ok(Self::with(connection, path))
    }

    /// Opens an existing database for reading.
    ///
    /// # Errors
    /// `NotFound` if there is none, else as [`Registry::open`].
    pub fn open_read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        std::fs::metadata(&path).map_err(|e| at(&path, e.into()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(|e| at(&path, sql(e)))?;
        connection.busy_timeout(BUSY).map_err(sql)?;
        match version(&connection).map_err(|e| at(&path, e))? {
            VERSION => Ok(Self::with(connection, path)),
            0 => Err(at(&path, Error::new(Kind::NotFound, "it is empty"))),
            _ => Err(at(&path, newer())),
        }
    }

    fn with(connection: Connection, path: PathBuf) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)), path: Arc::new(path) }
    }

    /// A setting's value.
    ///
    /// # Errors
    /// Only the database's.
    pub fn setting(&self, key: &str) -> Result<Option<String>> {
        self.read(|c| {
            c.query_row("SELECT value FROM setting WHERE key = ?1", [key], |r| r.get(0)).optional()
        })
    }

    /// Sets a setting, or removes it with `None`.
    ///
    /// # Errors
    /// `InvalidArgument` for a key or value that is too long.
    pub fn set_setting(&self, key: &str, value: Option<&str>) -> Result<()> {
        if key.is_empty()
            || key.len() > 256
            || value.is_some_and(|v| v.len() > TEXT_BYTES_MAX || v.contains('\0'))
        {
            return Err(Error::new(Kind::InvalidArgument, "the setting is too long"));
        }
        self.change(|c| {
            match value {
                Some(value) => c.execute(
                    "INSERT INTO setting(key, value) VALUES (?1, ?2)
                     ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                    [key, value],
                ),
                None => c.execute("DELETE FROM setting WHERE key = ?1", [key]),
            }
            .map(drop)
            .map_err(sql)
        })
    }

    /// A panic inside a call rolls its transaction back, so the connection stays usable.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        f(&self.lock()).map_err(sql)
    }

    /// Runs `f` in one transaction that is taken back if it fails.
    fn change<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let value = f(&transaction)?;
        transaction.commit().map_err(sql)?;
        Ok(value)
    }
}

/// Sets the connection up and brings the schema to [`VERSION`].
fn prepare(connection: &mut Connection) -> Result<()> {
    connection.busy_timeout(BUSY).map_err(sql)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA secure_delete = ON;",
        )
        .map_err(sql)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
    match version(&transaction)? {
        VERSION => {}
        0 => {
            transaction.execute_batch(SCHEMA).map_err(sql)?;
            transaction.pragma_update(None, "user_version", VERSION).map_err(sql)?;
        }
        _ => return Err(newer()),
    }
    transaction.commit().map_err(sql)
}

fn version(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(sql)
}

fn newer() -> Error {
    Error::new(Kind::FailedPrecondition, "it was written by a newer khien")
        .with_code("newer-version")
}

fn at(path: &Path, e: Error) -> Error {
    e.map_message(|m| format!("{}: {m}", path.display()))
}

/// SQLite's error with a kind that a caller can act on.
fn sql(e: rusqlite::Error) -> Error {
    let kind = match e.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Kind::AlreadyExists,
        Some(ErrorCode::DiskFull) => Kind::ResourceExhausted,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Kind::DataLoss,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => Kind::Unavailable,
        _ => Kind::Internal,
    };
    Error::new(kind, "the database refuses").with_source(e)
}

/// A name as it is kept: trimmed, 1 to 64 characters, none that is invisible or changes how the
/// text around it is shown.
///
/// # Errors
/// `InvalidArgument`, code `name`.
pub fn name(text: &str) -> Result<String> {
    let text = text.trim();
    // Bidirectional controls, zero-width characters and the byte order mark.
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if text.is_empty()
        || text.chars().count() > NAME_CHARS_MAX
        || text.chars().any(|c| c.is_control() || hidden(c))
    {
        let message = "a name has 1 to 64 characters, all of them visible";
        return Err(Error::new(Kind::InvalidArgument, message).with_code("name"));
    }
    Ok(text.to_owned())
}

/// Reads a column that holds one of a closed list of words.
fn word<T: FromStr>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| {
        let what = format!("unknown word \"{text}\"");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    })
}
