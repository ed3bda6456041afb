//! What retention asks of the index and tells it. Within a camera, (run, sequence) is the order of
//! recording; a time is only what the clock said, so no deletion goes by times alone.

use media::{CameraId, Wall};
use rusqlite::{Connection, OptionalExtension, params};
use stdx::Result;

use super::{Index, SEGMENT, SegmentRow, camera_at, int, key_at, lock, segment, sql};
use crate::format::SegmentKey;

impl Index {
    /// The first sealed segments of a camera in order of recording, at most `limit`.
    pub(crate) fn oldest(&self, camera: CameraId, limit: usize) -> Result<Vec<SegmentRow>> {
        self.rows(
            &format!(
                "SELECT {SEGMENT} FROM segment WHERE camera=?1 AND sealed=1
                 ORDER BY run, sequence LIMIT ?2"
            ),
            params![camera.to_string(), int(limit as u64)],
            segment,
        )
    }

    /// The sealed segments that were recorded before the first one which is certainly younger than
    /// `limit`, as far as the last one that ended before it; at most `most`. One that seems to end
    /// after `latest` was recorded under a wrong clock: it goes with what follows it.
    pub(crate) fn aged(
        &self,
        camera: CameraId,
        limit: Wall,
        latest: Wall,
        most: usize,
    ) -> Result<Vec<SegmentRow>> {
        let camera = camera.to_string();
        let kept: Option<SegmentKey> = lock(&self.read)
            .query_row(
                "SELECT run, sequence FROM segment WHERE camera=?1 AND end_us>?2 AND end_us<=?3
                 ORDER BY run, sequence LIMIT 1",
                params![camera, limit.0, latest.0],
                |r| key_at(r, 0),
            )
            .optional()
            .map_err(sql)?;
        let (run, sequence) = kept.map_or((i64::MAX, 0), |k| (i64::from(k.run.0), k.sequence));
        self.rows(
            &format!(
                "SELECT {SEGMENT} FROM segment WHERE camera=?1 AND sealed=1 AND (run,sequence)<=(
                   SELECT run, sequence FROM segment WHERE camera=?1 AND end_us<=?2
                   AND (run,sequence)<(?3,?4) ORDER BY run DESC, sequence DESC LIMIT 1)
                 ORDER BY run, sequence LIMIT ?5"
            ),
            params![camera, limit.0, run, sequence, int(most as u64)],
            segment,
        )
    }

    /// Bytes of all sealed segments: what can be deleted.
    pub(crate) fn sealed_bytes(&self) -> Result<u64> {
        let sum: i64 = lock(&self.read)
            .query_row("SELECT coalesce(sum(bytes),0) FROM segment WHERE sealed=1", [], |r| {
                r.get(0)
            })
            .map_err(sql)?;
        Ok(u64::try_from(sum).unwrap_or(0))
    }

    /// Removes rows of segments that have no file, without calling them expired.
    pub(crate) fn forget(&self, rows: &[SegmentRow]) -> Result<()> {
        let mut write = self.writer()?;
        let tx = write.transaction().map_err(sql)?;
        for row in rows {
            delete_segment(&tx, row.camera, row.key).map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }

    /// The first step of a deletion: what is going to be deleted.
    pub(crate) fn intend(&self, rows: &[SegmentRow]) -> Result<()> {
        let mut write = self.writer()?;
        let tx = write.transaction().map_err(sql)?;
        for row in rows {
            let key = params![row.camera.to_string(), row.key.run.0, row.key.sequence];
            tx.execute("INSERT OR IGNORE INTO deleting VALUES(?1,?2,?3)", key).map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }

    /// Deletions that were intended and are not known to be done.
    pub(crate) fn intended(&self) -> Result<Vec<(CameraId, SegmentKey)>> {
        self.rows("SELECT camera, run, sequence FROM deleting", [], |r| {
            Ok((camera_at(r, 0)?, key_at(r, 1)?))
        })
    }

    /// The last step of a deletion: the rows go, their spans become expired.
    pub(crate) fn deleted(&self, done: &[(CameraId, SegmentKey)]) -> Result<()> {
        let mut write = self.writer()?;
        let tx = write.transaction().map_err(sql)?;
        for (camera, key) in done {
            expire(&tx, *camera, *key).map_err(sql)?;
        }
        tx.commit().map_err(sql)
    }
}

fn delete_segment(tx: &Connection, camera: CameraId, key: SegmentKey) -> rusqlite::Result<()> {
    let id = params![camera.to_string(), key.run.0, key.sequence];
    tx.execute("DELETE FROM segment WHERE camera=?1 AND run=?2 AND sequence=?3", id)?;
    tx.execute("DELETE FROM deleting WHERE camera=?1 AND run=?2 AND sequence=?3", id)?;
    Ok(())
}

/// Deletes one segment's row and adds its span to the expired ones. Footage goes oldest first, so
/// usually there is one expired span per camera, which grows and swallows the gaps inside.
fn expire(tx: &Connection, camera: CameraId, key: SegmentKey) -> rusqlite::Result<()> {
    let id = camera.to_string();
    let span: Option<(i64, i64)> = tx
        .query_row(
            "SELECT start_us, end_us FROM segment WHERE camera=?1 AND run=?2 AND sequence=?3",
            params![id, key.run.0, key.sequence],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()?;
    delete_segment(tx, camera, key)?;
    let Some((start, end)) = span else { return Ok(()) };
    let before: Option<(i64, i64)> = tx
        .query_row(
            "SELECT from_us, to_us FROM expired WHERE camera=?1 AND from_us<=?2
             ORDER BY from_us DESC LIMIT 1",
            params![id, start],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()?;
    let mut row = (start, end);
    if let Some((from, to)) = before {
        let kept: bool = tx.query_row(
            "SELECT EXISTS(SELECT 1 FROM segment WHERE camera=?1 AND start_us>=?2 AND start_us<?3)",
            params![id, to, start],
            |r| r.get(0),
        )?;
        if !kept {
            row = (from, end.max(to));
        }
    }
    tx.execute("INSERT OR REPLACE INTO expired VALUES(?1,?2,?3)", params![id, row.0, row.1])?;
    tx.execute(
        "DELETE FROM gap WHERE camera=?1 AND from_us>=?2 AND to_us IS NOT NULL AND to_us<=?3",
        params![id, row.0, row.1],
    )?;
    Ok(())
}
