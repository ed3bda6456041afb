//! What the recorder knows and the index does not yet: open segments with their fragments, and
//! changes that wait for the next sync. Readers ask here first and the index second, so that
//! nothing is missed in between.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use media::{CameraId, Gap, Wall};

use crate::format::{Entry, SegmentKey};
use crate::index::{Op, SegmentRow};

/// The segment a camera is being recorded into.
#[derive(Debug, Clone)]
pub(crate) struct OpenView {
    pub(crate) row: SegmentRow,
    pub(crate) rate: media::Rate,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Default)]
pub(crate) struct CameraView {
    pub(crate) open: Option<OpenView>,
    /// Changes of the index with the batch that will carry them out.
    waiting: Vec<(u64, Op)>,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Live(RwLock<HashMap<CameraId, CameraView>>);

/// One camera's share of it, copied out.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pub(crate) open: Option<OpenView>,
    pub(crate) segments: Vec<SegmentRow>,
    pub(crate) gaps: Vec<Gap>,
    /// Starts of gaps that the index may still hold and that this overlay replaces.
    pub(crate) replaced: Vec<Wall>,
}

impl Live {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<CameraId, CameraView>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<CameraId, CameraView>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the open segment of a camera.
    pub(crate) fn with_open<R>(
        &self,
        camera: CameraId,
        change: impl FnOnce(&mut Option<OpenView>) -> R,
    ) -> R {
        change(&mut self.write().entry(camera).or_default().open)
    }

    /// Adds a change that `batch` will carry out.
    pub(crate) fn wait(&self, batch: u64, op: &Op) {
        let camera = match op {
            Op::Segment(row) => row.camera,
            Op::Gap(camera, ..) | Op::NoGap(camera, _) => *camera,
        };
        self.write().entry(camera).or_default().waiting.push((batch, op.clone()));
    }

    /// The changes of this batch and those before it are in the index.
    pub(crate) fn retire(&self, batch: u64) {
        let mut cameras = self.write();
        for view in cameras.values_mut() {
            view.waiting.retain(|(b, _)| *b > batch);
        }
        cameras.retain(|_, v| v.open.is_some() || !v.waiting.is_empty());
    }

    /// Every camera in here.
    pub(crate) fn cameras(&self) -> Vec<CameraId> {
        self.read().keys().copied().collect()
    }

    /// The segments being written.
    pub(crate) fn open_keys(&self) -> Vec<(CameraId, SegmentKey)> {
        let cameras = self.read();
        cameras.iter().filter_map(|(c, v)| Some((*c, v.open.as_ref()?.row.key))).collect()
    }

    /// Everything about one camera.
    pub(crate) fn overlay(&self, camera: CameraId) -> Overlay {
        let cameras = self.read();
        let Some(view) = cameras.get(&camera) else { return Overlay::default() };
        let mut out = Overlay { open: view.open.clone(), ..Overlay::default() };
        for (_, op) in &view.waiting {
            match op {
                Op::Segment(row) => {
                    out.segments.retain(|r| r.key != row.key);
                    out.segments.push(row.clone());
                }
                Op::Gap(_, gap, _) => {
                    out.gaps.retain(|g| g.from != gap.from);
                    out.gaps.push(*gap);
                    out.replaced.push(gap.from);
                }
                Op::NoGap(_, from) => {
                    out.gaps.retain(|g| g.from != *from);
                    out.replaced.push(*from);
                }
            }
        }
        out
    }
}
