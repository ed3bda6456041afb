//! Reading: what the recorder is writing now is asked first, the index second, so that nothing is
//! missed in between; files last, and only where an index row does not suffice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use media::{CameraId, Gap, Rate, Ticks, Wall};
use stdx::{Error, Kind, Result};

use crate::disk::Disk;
use crate::format::{self, Entry, InitKey, SegmentKey};
use crate::index::{Index, SegmentRow};
use crate::live::{Live, Overlay};
use crate::segment;
use crate::timeline::{JITTER_US, Known, Span, Timeline, compose};

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) index: Index,
    pub(crate) live: Live,
    /// This process records: what is not sealed and not in `live` is as the index says.
    records: bool,
}

/// Where one fragment lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// In which segment.
    pub segment: SegmentKey,
    /// Where its `moof` begins in the file.
    pub offset: u64,
    /// Bytes of its `moof` and `mdat`.
    pub len: u32,
    /// When its first frame of the primary track was taken.
    pub start: Wall,
    /// When its last one ended.
    pub end: Wall,
    /// That first frame can be decoded alone.
    pub random_access: bool,
    /// Equal for segments whose codec parameters are equal.
    pub init: InitKey,
    /// Media time of that first frame, seconds.
    pub media_time_s: f64,
}

/// The fragments of one segment.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rate: Rate,
    pub(crate) entries: Vec<Entry>,
}

fn no_segment(key: SegmentKey) -> Error {
    Error::new(Kind::NotFound, format!("there is no segment {key}")).with_code("no-segment")
}

impl Shelf {
    pub(crate) fn new(dir: &Path, disk: Arc<dyn Disk>, index: Index, records: bool) -> Self {
        Self { dir: dir.to_owned(), disk, index, live: Live::default(), records }
    }

    pub(crate) fn cameras(&self) -> Result<Vec<CameraId>> {
        let mut cameras = self.live.cameras();
        cameras.extend(self.index.cameras()?);
        cameras.sort_unstable();
        cameras.dedup();
        Ok(cameras)
    }

    /// Segments that overlap `[from, to)`, by start, and what is being written.
    pub(crate) fn rows(
        &self,
        camera: CameraId,
        from: Wall,
        to: Wall,
    ) -> Result<(Vec<SegmentRow>, Overlay)> {
        let mut overlay = self.live.overlay(camera);
        let mut rows: BTreeMap<SegmentKey, SegmentRow> = BTreeMap::new();
        for row in self.index.segments(camera, from, to)? {
            rows.insert(row.key, row);
        }
        if !self.records {
            for row in self.index.unsealed()?.into_iter().filter(|r| r.camera == camera) {
                let row = self.as_of_now(row);
                rows.insert(row.key, row);
            }
        }
        for row in std::mem::take(&mut overlay.segments) {
            rows.insert(row.key, row);
        }
        if let Some(open) = &overlay.open {
            rows.insert(open.row.key, open.row.clone());
        }
        let mut rows: Vec<SegmentRow> = rows.into_values().collect();
        rows.retain(|r| r.start < to && r.end > from);
        rows.sort_by_key(|r| (r.start, r.key));
        Ok((rows, overlay))
    }

    /// The row of a segment that another process is writing.
    fn as_of_now(&self, row: SegmentRow) -> SegmentRow {
        let path = format::segment_path(&self.dir, row.camera, row.key);
        let scanned =
            self.disk.open_read(&path).map_err(Error::from).and_then(|f| segment::scan(&*f));
        match scanned {
            Ok(scan) if !scan.entries.is_empty() => {
                let end = scan.entries.iter().map(|e| e.end).max().unwrap_or(row.end);
                SegmentRow { end, bytes: scan.whole, ..row }
            }
            _ => row,
        }
    }

    pub(crate) fn recorded(&self, camera: CameraId) -> Result<Option<Span>> {
        let overlay = self.live.overlay(camera);
        let fresh = overlay.segments.iter().chain(overlay.open.as_ref().map(|o| &o.row));
        let mut all: Option<Span> = self.index.recorded(camera)?;
        let mut widen = |row: &SegmentRow| {
            let span = all.get_or_insert(Span { from: row.start, to: row.end });
            span.from = span.from.min(row.start);
            span.to = span.to.max(row.end);
        };
        fresh.for_each(&mut widen);
        if !self.records {
            for row in self.index.unsealed()?.into_iter().filter(|r| r.camera == camera) {
                widen(&self.as_of_now(row));
            }
        }
        Ok(all)
    }

    pub(crate) fn timeline(&self, camera: CameraId, from: Wall, to: Wall) -> Result<Timeline> {
        let wide = (from.plus_us(-JITTER_US), to.plus_us(JITTER_US));
        let (rows, overlay) = self.rows(camera, wide.0, wide.1)?;
        let recorded = self.recorded(camera)?;
        let gaps = self.all_gaps(camera, from, to, &overlay)?;
        let first_gap = gaps.iter().map(|g| g.from).min();
        let first = self.index.first_known(camera)?;
        let first = first.into_iter().chain(first_gap).chain(recorded.map(|r| r.from)).min();
        let known = Known {
            footage: rows.iter().map(|r| Span { from: r.start, to: r.end }).collect(),
            gaps,
            expired: self.index.expired(camera, from, to)?,
            first,
            last: recorded.map(|r| r.to),
        };
        Ok(compose(known, from, to))
    }

    fn all_gaps(
        &self,
        camera: CameraId,
        from: Wall,
        to: Wall,
        overlay: &Overlay,
    ) -> Result<Vec<Gap>> {
        let mut gaps = self.index.gaps(camera, from, to)?;
        gaps.retain(|g| !overlay.replaced.contains(&g.from));
        let overlaps = |g: &&Gap| g.from < to && g.to.is_none_or(|end| end > from);
        gaps.extend(overlay.gaps.iter().filter(overlaps));
        Ok(gaps)
    }

    pub(crate) fn open_gap(&self, camera: CameraId) -> Result<Option<Gap>> {
        let overlay = self.live.overlay(camera);
        let stored = self.index.open_gap(camera)?;
        let stored = stored.filter(|g| !overlay.replaced.contains(&g.from));
        let fresh = overlay.gaps.iter().copied().filter(|g| g.to.is_none());
        Ok(fresh.chain(stored).max_by_key(|g| g.from))
    }

    /// The fragments of a segment; `None` if retention was faster or it is damaged.
    pub(crate) fn table(&self, row: &SegmentRow, overlay: &Overlay) -> Result<Option<Table>> {
        if let Some(open) = overlay.open.as_ref().filter(|o| o.row.key == row.key) {
            return Ok(Some(Table { rate: open.rate, entries: open.entries.clone() }));
        }
        let path = format::segment_path(&self.dir, row.camera, row.key);
        let file = match self.disk.open_read(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        match segment::scan(&*file) {
            Ok(scan) => Ok(Some(Table { rate: scan.head.header.rate, entries: scan.entries })),
            // What lies before and after it can still be played.
            Err(e) if e.kind() == Kind::DataLoss => {
                tracing::error!(path = %path.display(), "left out: {}", e.chain());
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    pub(crate) fn fragments(
        &self,
        camera: CameraId,
        from: Wall,
        to: Wall,
        limit: usize,
    ) -> Result<Vec<Piece>> {
        let (rows, overlay) = self.rows(camera, from, to)?;
        let mut pieces: Vec<Piece> = Vec::new();
        for row in rows {
            // Rows come by start: what follows begins later than all that was found.
            if pieces.len() >= limit && pieces.last().is_some_and(|p| p.start <= row.start) {
                break;
            }
            let Some(table) = self.table(&row, &overlay)? else { continue };
            let wanted = table.entries.iter().filter(|e| e.end > from && e.start < to);
            pieces.extend(wanted.map(|e| piece(&row, table.rate, e)));
            pieces.sort_by_key(|p| (p.start, p.segment, p.offset));
        }
        pieces.truncate(limit);
        Ok(pieces)
    }

    pub(crate) fn row(&self, camera: CameraId, key: SegmentKey) -> Result<SegmentRow> {
        let overlay = self.live.overlay(camera);
        let fresh = overlay.open.map(|o| o.row).into_iter().chain(overlay.segments);
        match fresh.into_iter().find(|r| r.key == key) {
            Some(row) => Ok(row),
            None => self.index.segment(camera, key)?.ok_or_else(|| no_segment(key)),
        }
    }

    pub(crate) fn segment_path(&self, camera: CameraId, key: SegmentKey) -> Result<PathBuf> {
        self.row(camera, key)?;
        Ok(format::segment_path(&self.dir, camera, key))
    }

    pub(crate) fn init_bytes(&self, camera: CameraId, key: SegmentKey) -> Result<Bytes> {
        let path = self.segment_path(camera, key)?;
        let file = match self.disk.open_read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(no_segment(key)),
            other => other?,
        };
        Ok(segment::read_head(&*file)?.init)
    }

    pub(crate) fn bytes(&self, camera: Option<CameraId>) -> Result<u64> {
        let mut sum = self.index.bytes(camera)?;
        for (of, key) in self.live.open_keys() {
            if camera.is_none_or(|c| c == of) {
                let overlay = self.live.overlay(of);
                let open = overlay.open.filter(|o| o.row.key == key).map_or(0, |o| o.row.bytes);
                let stale = self.index.segment(of, key)?.map_or(0, |r| r.bytes);
                sum = sum.saturating_add(open).saturating_sub(stale);
            }
        }
        Ok(sum)
    }
}

fn piece(row: &SegmentRow, rate: Rate, e: &Entry) -> Piece {
    let ticks = Ticks(i64::try_from(e.decode_time).unwrap_or(i64::MAX));
    // Microseconds of any recording are far below the 53 bits of a float.
    #[allow(clippy::cast_precision_loss)]
    let media_time_s = rate.to_us(ticks) as f64 / 1e6;
    Piece {
        segment: row.key,
        offset: e.offset,
        len: e.bytes,
        start: e.start,
        end: e.end,
        random_access: e.random_access(),
        init: row.init,
        media_time_s,
    }
}
