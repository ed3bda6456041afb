//! `index.db`: a cache that makes segments, gaps and expired spans fast to find. Everything in it
//! can be read again from the files; a damaged one is moved aside and rebuilt.
//!
//! One connection writes, in WAL mode with `synchronous=NORMAL`: a power cut may lose the newest
//! transactions, which the next start reads from the files, but not the database. A second
//! connection reads.

mod deleting;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media::{CameraId, Cause, Gap, RunId, Wall};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use stdx::{Error, Kind, Result};

use crate::format::{InitKey, SegmentKey};
use crate::timeline::Span;

/// The database's name inside the data directory.
pub(crate) const FILE: &str = "index.db";
/// The version of the tables below, in SQLite's `user_version`.
const SCHEMA_VERSION: i64 = 1;
/// No segment lasts longer: the bound that lets a time be found by the segments' starts alone.
pub(crate) const SEGMENT_SPAN_US_MAX: i64 = 3_600_000_000;
/// Most rows one query reads.
pub(crate) const ROWS_MAX: usize = 500_000;

const SCHEMA: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE camera(id TEXT PRIMARY KEY, run INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE segment(
  camera TEXT NOT NULL, run INTEGER NOT NULL, sequence INTEGER NOT NULL,
  start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sealed INTEGER NOT NULL, init INTEGER NOT NULL, params TEXT NOT NULL,
  PRIMARY KEY(camera, run, sequence)) WITHOUT ROWID;
CREATE INDEX segment_start ON segment(camera, start_us);
CREATE TABLE gap(
  camera TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER, cause TEXT NOT NULL,
  noticed_us INTEGER NOT NULL, PRIMARY KEY(camera, from_us)) WITHOUT ROWID;
CREATE TABLE expired(
  camera TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
  PRIMARY KEY(camera, from_us)) WITHOUT ROWID;
CREATE TABLE deleting(
  camera TEXT NOT NULL, run INTEGER NOT NULL, sequence INTEGER NOT NULL,
  PRIMARY KEY(camera, run, sequence)) WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// One segment, as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    /// Whose it is.
    pub camera: CameraId,
    /// Which one.
    pub key: SegmentKey,
    /// Start of its first fragment.
    pub start: Wall,
    /// End of its last fragment; of one that is not sealed, as of when the row was written.
    pub end: Wall,
    /// Length of the file; of one that is not sealed, as of when the row was written.
    pub bytes: u64,
    /// It has its footer.
    pub sealed: bool,
    /// Hash of its codec parameters.
    pub init: InitKey,
    /// The codec parameters in words.
    pub params: String,
}

/// A change of the index.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Adds or replaces a segment.
    Segment(SegmentRow),
    /// Adds or replaces the gap that begins at the same instant.
    Gap(CameraId, Gap, Wall),
    /// Takes away the gap that begins at this instant.
    NoGap(CameraId, Wall),
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Index {
    // In this order, so that the one that may fold the log back into the file closes last.
    read: Mutex<Connection>,
    write: Option<Mutex<Connection>>,
}

fn sql(e: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as C;
    let kind = match e.sqlite_error_code() {
        Some(C::DatabaseCorrupt | C::NotADatabase) => Kind::DataLoss,
        Some(C::DiskFull) => Kind::ResourceExhausted,
        Some(C::PermissionDenied | C::ReadOnly) => Kind::PermissionDenied,
        _ => Kind::Unavailable,
    };
    Error::new(kind, "the index of recordings cannot be read or written").with_source(e)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic in the middle of a transaction rolls it back when the transaction is dropped.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Large enough for every sentence below: SQL knows no unsigned 64-bit numbers.
fn int(v: u64) -> i64 {
    i64::try_from(v).unwrap_or(i64::MAX)
}

impl Index {
    /// Opens for writing, creating it if it is missing. The error's kind is `DataLoss` if it is
    /// damaged: move it aside and rebuild.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let write = Connection::open(path).map_err(sql)?;
        write.busy_timeout(Duration::from_secs(5)).map_err(sql)?;
        let mode: String =
            write.query_row("PRAGMA journal_mode=WAL", [], |r| r.get(0)).map_err(sql)?;
        if mode != "wal" {
            return Err(Error::new(
                Kind::Unsupported,
                "the data directory cannot hold a database in WAL mode; use a local filesystem",
            ));
        }
        write.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=OFF;").map_err(sql)?;
        let version: i64 = write.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(sql)?;
        match version {
            0 => write.execute_batch(&format!("BEGIN IMMEDIATE;{SCHEMA}COMMIT;")).map_err(sql)?,
            SCHEMA_VERSION => {}
            _ => {
                return Err(Error::new(
                    Kind::DataLoss,
                    format!("the index has version {version}, this program knows {SCHEMA_VERSION}"),
                ));
            }
        }
        let sound: String =
            write.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(sql)?;
        if sound != "ok" {
            return Err(Error::new(Kind::DataLoss, format!("the index is damaged: {sound}")));
        }
        let read = Self::reader(path)?;
        Ok(Self { write: Some(Mutex::new(write)), read: Mutex::new(read) })
    }

    /// Opens beside a process that writes.
    pub(crate) fn open_read(path: &Path) -> Result<Self> {
        let read = Self::reader(path)?;
        Ok(Self { write: None, read: Mutex::new(read) })
    }

    fn reader(path: &Path) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read = Connection::open_with_flags(path, flags).map_err(sql)?;
        read.busy_timeout(Duration::from_secs(5)).map_err(sql)?;
        read.set_prepared_statement_cache_capacity(32);
        Ok(read)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Connection>> {
        let write = self.write.as_ref().ok_or_else(|| {
            Error::new(Kind::FailedPrecondition, "the store is open for reading only")
        })?;
        Ok(lock(write))
    }

    /// Carries out all changes, or none.
    pub(crate) fn apply(&self, ops: &[Op]) -> Result<()> {
        if ops.is_empty() {
            return Ok(());
        }
        let mut write = self.writer()?;
        let tx = write.transaction().map_err(sql)?;
        for op in ops {
            apply(&tx, op).map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }

    /// What is wrong with the database; `None` if nothing is.
    pub(crate) fn check(&self) -> Result<Option<String>> {
        let version: i64 =
            lock(&self.read).query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(sql)?;
        if version != SCHEMA_VERSION {
            let what = format!("it has version {version}, this program knows {SCHEMA_VERSION}");
            return Ok(Some(what));
        }
        let sound: String =
            lock(&self.read).query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(sql)?;
        Ok((sound != "ok").then_some(sound))
    }

    /// A value of the `meta` table.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>> {
        lock(&self.read)
            .query_row("SELECT value FROM meta WHERE key=?1", [key], |r| r.get(0))
            .optional()
            .map_err(sql)
    }

    /// Sets values of the `meta` table.
    pub(crate) fn set_meta(&self, values: &[(&str, &str)]) -> Result<()> {
        let mut write = self.writer()?;
        let tx = write.transaction().map_err(sql)?;
        for (key, value) in values {
            tx.execute("INSERT OR REPLACE INTO meta VALUES(?1,?2)", [key, value]).map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }

    /// Every camera that has segments, gaps or had segments.
    pub(crate) fn cameras(&self) -> Result<Vec<CameraId>> {
        self.rows("SELECT id FROM camera UNION SELECT DISTINCT camera FROM gap", [], |r| {
            camera_at(r, 0)
        })
    }

    /// The highest run a camera ever had here.
    pub(crate) fn last_run(&self, camera: CameraId) -> Result<Option<RunId>> {
        let run: Option<u32> = lock(&self.read)
            .query_row("SELECT run FROM camera WHERE id=?1", [camera.to_string()], |r| r.get(0))
            .optional()
            .map_err(sql)?;
        Ok(run.map(RunId))
    }

    /// Segments that overlap `[from, to)`, by start.
    pub(crate) fn segments(
        &self,
        camera: CameraId,
        from: Wall,
        to: Wall,
    ) -> Result<Vec<SegmentRow>> {
        let earliest = from.plus_us(-SEGMENT_SPAN_US_MAX);
        self.rows(
            &format!(
                "SELECT {SEGMENT} FROM segment WHERE camera=?1 AND start_us>?2 AND start_us<?3
                 AND end_us>?4 ORDER BY start_us, run, sequence LIMIT {ROWS_MAX}"
            ),
            params![camera.to_string(), earliest.0, to.0, from.0],
            segment,
        )
    }

    /// One segment.
    pub(crate) fn segment(&self, camera: CameraId, key: SegmentKey) -> Result<Option<SegmentRow>> {
        lock(&self.read)
            .query_row(
                &format!(
                    "SELECT {SEGMENT} FROM segment WHERE camera=?1 AND run=?2 AND sequence=?3"
                ),
                params![camera.to_string(), key.run.0, key.sequence],
                segment,
            )
            .optional()
            .map_err(sql)
    }

    /// The newest segment in order of recording, of the runs up to `run`.
    pub(crate) fn newest(&self, camera: CameraId, run: RunId) -> Result<Option<SegmentRow>> {
        lock(&self.read)
            .query_row(
                &format!(
                    "SELECT {SEGMENT} FROM segment WHERE camera=?1 AND run<=?2
                     ORDER BY run DESC, sequence DESC LIMIT 1"
                ),
                params![camera.to_string(), run.0],
                segment,
            )
            .optional()
            .map_err(sql)
    }

    /// The segment recorded before this one.
    pub(crate) fn previous(&self, camera: CameraId, key: SegmentKey) -> Result<Option<SegmentRow>> {
        lock(&self.read)
            .query_row(
                &format!(
                    "SELECT {SEGMENT} FROM segment WHERE camera=?1 AND (run,sequence)<(?2,?3)
                     ORDER BY run DESC, sequence DESC LIMIT 1"
                ),
                params![camera.to_string(), key.run.0, key.sequence],
                segment,
            )
            .optional()
            .map_err(sql)
    }

    /// Segments that no footer ended.
    pub(crate) fn unsealed(&self) -> Result<Vec<SegmentRow>> {
        self.rows(&format!("SELECT {SEGMENT} FROM segment WHERE sealed=0"), [], segment)
    }

    /// All segments of a camera, by run and sequence.
    pub(crate) fn all_segments(&self, camera: CameraId) -> Result<Vec<SegmentRow>> {
        self.rows(
            &format!("SELECT {SEGMENT} FROM segment WHERE camera=?1 ORDER BY run, sequence"),
            [camera.to_string()],
            segment,
        )
    }

    /// Bytes of all segments, of one camera or of all.
    pub(crate) fn bytes(&self, camera: Option<CameraId>) -> Result<u64> {
        let camera = camera.map(|c| c.to_string());
        let sum: i64 = lock(&self.read)
            .query_row(
                "SELECT coalesce(sum(bytes),0) FROM segment WHERE ?1 IS NULL OR camera=?1",
                [camera],
                |r| r.get(0),
            )
            .map_err(sql)?;
        Ok(u64::try_from(sum).unwrap_or(0))
    }

    /// Gaps that overlap `[from, to)`, by start. An open gap overlaps everything after its start.
    pub(crate) fn gaps(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Vec<Gap>> {
        let rows = self.rows(
            &format!(
                "SELECT from_us, to_us, cause FROM gap WHERE camera=?1 AND from_us<?2
                 AND (to_us IS NULL OR to_us>?3) ORDER BY from_us LIMIT {ROWS_MAX}"
            ),
            params![camera.to_string(), to.0, from.0],
            gap,
        )?;
        Ok(rows)
    }

    /// Spans whose footage was deleted by retention and that overlap `[from, to)`.
    pub(crate) fn expired(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Vec<Span>> {
        self.rows(
            "SELECT from_us, to_us FROM expired WHERE camera=?1 AND from_us<?2 AND to_us>?3
             ORDER BY from_us",
            params![camera.to_string(), to.0, from.0],
            |r| Ok(Span { from: Wall(r.get(0)?), to: Wall(r.get(1)?) }),
        )
    }

    /// The first instant the index knows anything about: footage, a gap or an expired span.
    pub(crate) fn first_known(&self, camera: CameraId) -> Result<Option<Wall>> {
        let first: Option<i64> = lock(&self.read)
            .query_row(
                "SELECT min(t) FROM (SELECT min(start_us) t FROM segment WHERE camera=?1
                 UNION ALL SELECT min(from_us) FROM gap WHERE camera=?1
                 UNION ALL SELECT min(from_us) FROM expired WHERE camera=?1)",
                [camera.to_string()],
                |r| r.get(0),
            )
            .map_err(sql)?;
        Ok(first.map(Wall))
    }

    /// First and last instant of footage.
    pub(crate) fn recorded(&self, camera: CameraId) -> Result<Option<Span>> {
        let (from, to): (Option<i64>, Option<i64>) = lock(&self.read)
            .query_row(
                "SELECT min(start_us), max(end_us) FROM segment WHERE camera=?1",
                [camera.to_string()],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .map_err(sql)?;
        Ok(from.zip(to).map(|(from, to)| Span { from: Wall(from), to: Wall(to) }))
    }

    /// Adds expired spans that a journal tells of.
    pub(crate) fn add_expired(&self, camera: CameraId, spans: &[Span]) -> Result<()> {
        let mut write = self.writer()?;
        let tx = write.transaction().map_err(sql)?;
        for span in spans {
            tx.execute(
                "INSERT OR REPLACE INTO expired VALUES(?1,?2,?3)",
                params![camera.to_string(), span.from.0, span.to.0],
            )
            .map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }

    /// The gap that has no end yet and begins last.
    pub(crate) fn open_gap(&self, camera: CameraId) -> Result<Option<Gap>> {
        let open = self.rows(
            "SELECT from_us, to_us, cause FROM gap WHERE camera=?1 AND to_us IS NULL
             ORDER BY from_us DESC LIMIT 1",
            [camera.to_string()],
            gap,
        )?;
        Ok(open.into_iter().next())
    }

    fn rows<T, P: rusqlite::Params>(
        &self,
        query: &str,
        params: P,
        row: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let read = lock(&self.read);
        let mut statement = read.prepare_cached(query).map_err(sql)?;
        let rows = statement.query_map(params, row).map_err(sql)?;
        rows.collect::<rusqlite::Result<_>>().map_err(sql)
    }
}

const SEGMENT: &str = "camera, run, sequence, start_us, end_us, bytes, sealed, init, params";

fn camera_at(r: &Row<'_>, column: usize) -> rusqlite::Result<CameraId> {
    let text: String = r.get(column)?;
    text.parse().map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e))
    })
}

fn key_at(r: &Row<'_>, column: usize) -> rusqlite::Result<SegmentKey> {
    Ok(SegmentKey { run: RunId(r.get(column)?), sequence: r.get(column + 1)? })
}

fn gap(r: &Row<'_>) -> rusqlite::Result<Gap> {
    let cause: String = r.get(2)?;
    Ok(Gap {
        from: Wall(r.get(0)?),
        to: r.get::<_, Option<i64>>(1)?.map(Wall),
        cause: cause.parse().unwrap_or(Cause::Unknown),
    })
}

fn segment(r: &Row<'_>) -> rusqlite::Result<SegmentRow> {
    Ok(SegmentRow {
        camera: camera_at(r, 0)?,
        key: key_at(r, 1)?,
        start: Wall(r.get(3)?),
        end: Wall(r.get(4)?),
        bytes: u64::try_from(r.get::<_, i64>(5)?).unwrap_or(0),
        sealed: r.get(6)?,
        init: InitKey(r.get::<_, i64>(7)?.cast_unsigned()),
        params: r.get(8)?,
    })
}

fn apply(tx: &Connection, op: &Op) -> rusqlite::Result<()> {
    match op {
        Op::Segment(row) => {
            tx.prepare_cached(
                "INSERT INTO camera VALUES(?1,?2) ON CONFLICT(id) DO UPDATE
                 SET run=max(run, excluded.run)",
            )?
            .execute(params![row.camera.to_string(), row.key.run.0])?;
            tx.prepare_cached("INSERT OR REPLACE INTO segment VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)")?
                .execute(params![
                    row.camera.to_string(),
                    row.key.run.0,
                    row.key.sequence,
                    row.start.0,
                    row.end.0,
                    int(row.bytes),
                    row.sealed,
                    row.init.0.cast_signed(),
                    row.params,
                ])?;
        }
        Op::Gap(camera, gap, noticed) => {
            tx.prepare_cached("INSERT OR REPLACE INTO gap VALUES(?1,?2,?3,?4,?5)")?.execute(
                params![
                    camera.to_string(),
                    gap.from.0,
                    gap.to.map(|t| t.0),
                    gap.cause.slug(),
                    noticed.0
                ],
            )?;
        }
        Op::NoGap(camera, from) => {
            tx.prepare_cached("DELETE FROM gap WHERE camera=?1 AND from_us=?2")?
                .execute(params![camera.to_string(), from.0])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
