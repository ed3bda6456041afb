//! Compares the index, the files and the journals of gaps, and changes nothing. May run beside a
//! process that records: what that one is writing at the moment is noted, not held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use media::{CameraId, Gap, Wall};
use stdx::{Error, Kind, Result};

use crate::disk::{Disk, Entry as Listed, RealDisk};
use crate::format::{self, FRAGMENTS_MAX, SegmentKey};
use crate::index::{self, Index, SegmentRow};
use crate::journal;
use crate::lock;
use crate::recover;
use crate::registry;
use crate::segment::{self, Scan};
use crate::timeline::JITTER_US;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Names, sizes, headers and tables.
    Tables,
    /// Every byte, against the checksums written with it. Takes as long as reading the disk.
    Bytes,
}

/// Something that a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Index and files disagree, or something recorded is damaged. Without it the finding is a
    /// note: nothing is wrong with any recording.
    pub wrong: bool,
    /// A stable slug: `no-index`, `index-damaged`, `missing-file`, `missing-row`, `differs`,
    /// `not-a-segment`, `misplaced`, `damaged`, `table`, `bit-rot`, `sequence`, `gap`, `unsealed`,
    /// `unfinished`, `deleting`, `foreign`, `outdated`.
    pub code: &'static str,
    /// The camera it is about.
    pub camera: Option<CameraId>,
    /// The segment it is about.
    pub segment: Option<SegmentKey>,
    /// The file it is about.
    pub path: Option<PathBuf>,
    /// A sentence.
    pub message: String,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Cameras with recordings or gaps.
    pub cameras: u64,
    /// Segment files looked at.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Fragments in them.
    pub fragments: u64,
    /// Gaps in the index.
    pub gaps: u64,
    /// What was found, in order of the files.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Index and files agree and nothing is damaged. Notes do not count.
    pub fn sound(&self) -> bool {
        self.findings.iter().all(|f| !f.wrong)
    }
}

/// Checks a data directory. `progress` is told (segments done, segments there are) from time to
/// time.
///
/// # Errors
/// `NotFound` if there is no such directory, or none that khien has ever used; else when the disk cannot be read. What is wrong with
/// the recordings is in the report, not an error.
pub fn check(dir: &Path, depth: Depth, progress: &mut dyn FnMut(u64, u64)) -> Result<Report> {
    if !dir.is_dir() {
        let message = format!("{}: there is no such directory", dir.display());
        return Err(Error::new(Kind::NotFound, message).with_code("no-directory"));
    }
    if !is_ours(&RealDisk, dir)? {
        let message = format!(
            "{}: this is no data directory of khien: there is no index, no list of cameras and no \
             recording in it; give the directory that khien serve was given",
            dir.display()
        );
        return Err(Error::new(Kind::NotFound, message).with_code("no-data"));
    }
    let mut check = Check { disk: RealDisk, dir, depth, report: Report::default() };
    let Some(index) = check.index()? else { return Ok(check.report) };
    let dirs = recover::camera_dirs(&check.disk, dir)?;
    let cameras: BTreeSet<CameraId> = index.cameras()?.into_iter().chain(dirs).collect();
    check.report.cameras = cameras.len() as u64;
    check.foreign_cameras()?;
    let mut work = Vec::new();
    for camera in cameras {
        let files = check.files(camera)?;
        // Read after the files: a row that is missing then was not written in between.
        let rows = index.all_segments(camera)?;
        work.push((camera, files, rows));
    }
    let total = work.iter().map(|(_, files, _)| files.len() as u64).sum();
    let deleting: BTreeSet<(CameraId, SegmentKey)> = index.intended()?.into_iter().collect();
    let mut done = 0;
    for (camera, files, rows) in work {
        let mut camera = Camera { index: &index, camera, deleting: &deleting, rows };
        check.camera(&mut camera, files, &mut |n| {
            done += n;
            progress(done, total);
        })?;
        check.gaps(&index, camera.camera)?;
    }
    for (camera, key) in deleting {
        check.note("deleting", Some(camera), Some(key), None, "its deletion is not finished yet");
    }
    Ok(check.report)
}

/// Whether khien has ever used this directory.
fn is_ours(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    let kept = [index::FILE, registry::FILE].iter().any(|name| dir.join(name).is_file());
    Ok(kept || lock::is_lock(dir) || !recover::camera_dirs(disk, dir)?.is_empty())
}

struct Check<'a> {
    disk: RealDisk,
    dir: &'a Path,
    depth: Depth,
    report: Report,
}

struct Camera<'a> {
    index: &'a Index,
    camera: CameraId,
    deleting: &'a BTreeSet<(CameraId, SegmentKey)>,
    rows: Vec<SegmentRow>,
}

impl Check<'_> {
    fn add(
        &mut self,
        wrong: bool,
        code: &'static str,
        camera: Option<CameraId>,
        segment: Option<SegmentKey>,
        path: Option<PathBuf>,
        message: &str,
    ) {
        let message = message.to_owned();
        self.report.findings.push(Finding { wrong, code, camera, segment, path, message });
    }

    fn note(
        &mut self,
        code: &'static str,
        camera: Option<CameraId>,
        segment: Option<SegmentKey>,
        path: Option<PathBuf>,
        message: &str,
    ) {
        self.add(false, code, camera, segment, path, message);
    }

    /// A file that is no segment has a segment's name.
    fn intruder(&mut self, code: &'static str, camera: CameraId, key: SegmentKey, what: &str) {
        let path = format::segment_path(self.dir, camera, key);
        let message = format!("{what}; khien leaves it alone: move {} away", path.display());
        self.wrong(code, camera, key, &message);
    }

    /// Something is wrong with a segment.
    fn wrong(&mut self, code: &'static str, camera: CameraId, key: SegmentKey, message: &str) {
        let path = format::segment_path(self.dir, camera, key);
        self.add(true, code, Some(camera), Some(key), Some(path), message);
    }

    /// The index, if it can be read. None is right where nothing was ever recorded.
    fn index(&mut self) -> Result<Option<Index>> {
        let path = self.dir.join(index::FILE);
        if !path.is_file() {
            if !recover::camera_dirs(&self.disk, self.dir)?.is_empty() {
                let message = "there are recordings but no index; khien serve makes it anew";
                self.add(true, "no-index", None, None, Some(path), message);
            }
            return Ok(None);
        }
        let opened = Index::open_read(&path).and_then(|index| {
            let sound = index.check()?;
            let whole = index.meta(recover::WHOLE)?;
            Ok((index, sound, whole))
        });
        match opened {
            Ok((index, None, whole)) => {
                if whole.as_deref() != Some("1") {
                    let message = "the index is being made anew; check again when that is done";
                    self.add(true, "no-index", None, None, Some(path), message);
                }
                Ok(Some(index))
            }
            Ok((_, Some(what), _)) => {
                self.add(true, "index-damaged", None, None, Some(path), &what);
                Ok(None)
            }
            Err(e) => {
                self.add(true, "index-damaged", None, None, Some(path), &e.chain());
                Ok(None)
            }
        }
    }

    /// Names beside the cameras' directories that are not khien's.
    fn foreign_cameras(&mut self) -> Result<()> {
        let media = format::media_dir(self.dir);
        for entry in self.disk.list(&media)? {
            if !entry.directory || entry.name.parse::<CameraId>().is_err() {
                self.foreign(None, media.join(&entry.name));
            }
        }
        Ok(())
    }

    fn foreign(&mut self, camera: Option<CameraId>, path: PathBuf) {
        self.note("foreign", camera, None, Some(path), "this is not khien's; it is left alone");
    }

    /// The segment files of a camera with their lengths, in order.
    fn files(&mut self, camera: CameraId) -> Result<BTreeMap<SegmentKey, u64>> {
        let dir = format::camera_dir(self.dir, camera);
        let mut files = BTreeMap::new();
        for entry in self.disk.list(&dir)? {
            match format::parse_run(&entry.name).filter(|_| entry.directory) {
                Some(run) => {
                    for file in self.disk.list(&dir.join(&entry.name))? {
                        let path = dir.join(&entry.name).join(&file.name);
                        match format::parse_segment_name(&file.name).filter(|_| !file.directory) {
                            Some(sequence) => {
                                files.insert(SegmentKey { run, sequence }, file.bytes);
                            }
                            None => self.unknown_file(camera, &file, path),
                        }
                    }
                }
                None if !entry.directory && is_journal(&entry.name) => {}
                None => self.foreign(Some(camera), dir.join(&entry.name)),
            }
        }
        Ok(files)
    }

    fn unknown_file(&mut self, camera: CameraId, file: &Listed, path: PathBuf) {
        if !file.directory && recover::is_unfinished(&file.name) {
            let message = "a rewriting that was not finished; removed at the next start";
            self.note("unfinished", Some(camera), None, Some(path), message);
        } else {
            self.foreign(Some(camera), path);
        }
    }

    /// Files and rows of one camera against one another.
    fn camera(
        &mut self,
        c: &mut Camera<'_>,
        files: BTreeMap<SegmentKey, u64>,
        step: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let rows: BTreeMap<SegmentKey, SegmentRow> =
            std::mem::take(&mut c.rows).into_iter().map(|r| (r.key, r)).collect();
        let newest = rows.keys().next_back().copied();
        for (key, bytes) in &files {
            self.report.segments += 1;
            self.report.bytes += bytes;
            self.segment(c, *key, rows.get(key), newest)?;
            step(1);
        }
        for (key, _) in rows.iter().filter(|(key, _)| !files.contains_key(key)) {
            // Made or deleted while we looked?
            let path = format::segment_path(self.dir, c.camera, *key);
            let known = c.index.segment(c.camera, *key)?.is_some();
            if known && !path.exists() && !c.deleting.contains(&(c.camera, *key)) {
                self.wrong("missing-file", c.camera, *key, "the index has it, the disk has not");
            }
        }
        self.sequences(c.camera, files.keys().copied().chain(rows.keys().copied()).collect());
        Ok(())
    }

    /// Sequences within a run have no holes, except what retention took from the front.
    fn sequences(&mut self, camera: CameraId, keys: BTreeSet<SegmentKey>) {
        let mut before: Option<SegmentKey> = None;
        for key in keys {
            if let Some(before) = before.filter(|b| b.run == key.run)
                && key.sequence != before.sequence + 1
            {
                let message = format!("segment {before} is followed by this one");
                self.wrong("sequence", camera, key, &message);
            }
            before = Some(key);
        }
    }

    fn segment(
        &mut self,
        c: &Camera<'_>,
        key: SegmentKey,
        row: Option<&SegmentRow>,
        newest: Option<SegmentKey>,
    ) -> Result<()> {
        let path = format::segment_path(self.dir, c.camera, key);
        let file = match self.disk.open_read(&path) {
            Ok(file) => file,
            // Deleted while we looked.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let scan = match segment::scan(&*file) {
            Ok(scan) => scan,
            Err(e) if e.kind() == Kind::DataLoss => {
                if row.is_none() && newest.is_none_or(|n| key > n) {
                    let message = "it has no whole header yet; the next start looks after it";
                    self.note("unsealed", Some(c.camera), Some(key), Some(path), message);
                } else if row.is_some() {
                    self.wrong("damaged", c.camera, key, e.message());
                } else {
                    self.intruder("not-a-segment", c.camera, key, e.message());
                }
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let header = &scan.head.header;
        if (header.camera, header.key) != (c.camera, key) {
            let message = format!("it says that it is {} of camera {}", header.key, header.camera);
            self.intruder("misplaced", c.camera, key, &message);
            return Ok(());
        }
        self.report.fragments += scan.entries.len() as u64;
        let row = match row {
            Some(row) => Some(row.clone()),
            // Published while we looked?
            None => c.index.segment(c.camera, key)?,
        };
        self.compare(c, key, row, newest, &scan);
        if scan.sealed {
            self.table(c.camera, key, &scan, &*file)?;
        }
        if self.depth == Depth::Bytes {
            for entry in &scan.entries {
                if !segment::intact(&*file, entry)? {
                    let message = format!("the fragment of {} changed by itself", entry.start);
                    self.wrong("bit-rot", c.camera, key, &message);
                }
            }
        }
        Ok(())
    }

    /// A file against its row.
    fn compare(
        &mut self,
        c: &Camera<'_>,
        key: SegmentKey,
        row: Option<SegmentRow>,
        newest: Option<SegmentKey>,
        scan: &Scan,
    ) {
        let path = Some(format::segment_path(self.dir, c.camera, key));
        let says = recover::row(scan);
        match row {
            None if newest.is_none_or(|n| key > n) => {
                let message = "it is newer than the index; the next start looks after it, or the \
                               process that is writing it";
                self.note("unsealed", Some(c.camera), Some(key), path, message);
            }
            None if c.deleting.contains(&(c.camera, key)) => {}
            None => self.wrong("missing-row", c.camera, key, "the disk has it, the index has not"),
            Some(row) if !row.sealed || !scan.sealed => {
                if row.sealed {
                    self.wrong("differs", c.camera, key, "the index says that it is sealed");
                } else if row.start != says.start {
                    self.wrong("differs", c.camera, key, "the index has another beginning");
                } else if scan.sealed {
                    let message = "the index does not know yet that it is sealed";
                    self.note("unsealed", Some(c.camera), Some(key), path, message);
                } else {
                    let message = "it is being written, or was when its writer died";
                    self.note("unsealed", Some(c.camera), Some(key), path, message);
                }
            }
            Some(row) => {
                let same = (row.start, row.end, row.bytes, row.init)
                    == (says.start, says.end, says.bytes, says.init);
                if !same {
                    let message = format!(
                        "the index says {} to {}, {} bytes; the file {} to {}, {} bytes",
                        row.start, row.end, row.bytes, says.start, says.end, says.bytes
                    );
                    self.wrong("differs", c.camera, key, &message);
                }
            }
        }
    }

    /// The footer's table against the marks in front of the fragments.
    fn table(
        &mut self,
        camera: CameraId,
        key: SegmentKey,
        scan: &Scan,
        file: &dyn crate::disk::File,
    ) -> Result<()> {
        let walked = segment::walk(file, scan.head.clone(), scan.len)?;
        if walked.entries != scan.entries && scan.entries.len() <= FRAGMENTS_MAX {
            let good = walked.entries.iter().zip(&scan.entries).take_while(|(a, b)| a == b).count();
            let message = format!("its table and its marks differ from fragment {} on", good + 1);
            self.wrong("table", camera, key, &message);
        }
        Ok(())
    }

    /// The gaps of the index against the journal.
    fn gaps(&mut self, index: &Index, camera: CameraId) -> Result<()> {
        // In this order: a line is in the journal before its row is in the index.
        let stored = index.gaps(camera, Wall(i64::MIN), Wall(i64::MAX))?;
        self.report.gaps += stored.len() as u64;
        let told = journal::read(&self.disk, self.dir, camera)?;
        let told: BTreeMap<Wall, Gap> = told.gaps.into_iter().map(|(g, _)| (g.from, g)).collect();
        let path = journal::path(self.dir, camera);
        for gap in &stored {
            match told.get(&gap.from) {
                Some(t) if t == gap => {}
                // Closed, or replaced, while we looked.
                _ if index
                    .gaps(camera, gap.from, gap.from.plus_us(1))?
                    .iter()
                    .all(|g| g != gap) => {}
                // What is shorter than this is no hole in anybody's eyes.
                None if gap.to.is_some_and(|to| to.us_since(gap.from) <= JITTER_US) => {}
                _ => {
                    let message = format!(
                        "the gap of {} is not in the journal as the index has it",
                        gap.from
                    );
                    self.add(true, "gap", Some(camera), None, Some(path.clone()), &message);
                }
            }
        }
        Ok(())
    }
}

fn is_journal(name: &str) -> bool {
    matches!(name, "gaps.log" | "gaps.new")
}
