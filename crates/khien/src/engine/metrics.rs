//! The engine's figures in the Prometheus text format.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use net::source::State;

use super::{Engine, Running, lock, path_of};

/// One family: name, type, help, and what it reads of a camera (more labels, value).
type Family<'a> = (&'a str, &'a str, &'a str, &'a dyn Fn(&Running) -> Vec<(String, u64)>);

/// The same, read from the hub.
type OfHub<'a> = (&'a str, &'a str, &'a str, fn(&hub::Stats) -> u64);

impl Engine {
    pub(super) fn figures(&self, out: &mut String) {
        self.of_cameras(out);
        self.of_hub(out);
        self.of_store(out);
        let panics = self.panics.load(Ordering::Relaxed);
        let help = "Camera tasks that panicked and were started again.";
        family(out, "khien_panics_total", "counter", help, &[(String::new(), panics)]);
    }

    fn of_cameras(&self, out: &mut String) {
        let one = |value: u64| vec![(String::new(), value)];
        let families: &[Family<'_>] = &[
            ("khien_camera_up", "gauge", "1 while frames come.", &|r| {
                one(u64::from(r.status.borrow().state == State::Streaming))
            }),
            ("khien_camera_recorded_bytes_total", "counter", "Bytes given to the store.", &|r| {
                one(r.counts.bytes.load(Ordering::Relaxed))
            }),
            ("khien_camera_fragments_total", "counter", "Fragments given to the store.", &|r| {
                one(r.counts.fragments.load(Ordering::Relaxed))
            }),
            ("khien_camera_packets_lost_total", "counter", "Packets lost on the way.", &|r| {
                one(r.status.borrow().lost)
            }),
            ("khien_camera_attempts_total", "counter", "Connections tried.", &|r| {
                one(r.status.borrow().attempts)
            }),
            ("khien_camera_quirk_total", "counter", "Tolerated deviations.", &|r| {
                let seen = &r.status.borrow().quirks;
                seen.iter().map(|(q, n)| (format!(",quirk=\"{}\"", q.slug()), *n)).collect()
            }),
        ];
        let cameras = lock(&self.cameras);
        for (name, kind, help, read) in families {
            let rows: Vec<(String, u64)> = cameras
                .iter()
                .flat_map(|(id, running)| {
                    let values = read(running).into_iter();
                    values.map(move |(more, n)| (format!("{{camera=\"{id}\"{more}}}"), n))
                })
                .collect();
            family(out, name, kind, help, &rows);
        }
    }

    fn of_hub(&self, out: &mut String) {
        let ids: Vec<_> = lock(&self.cameras).keys().copied().collect();
        let stats: Vec<_> =
            ids.into_iter().filter_map(|id| Some((id, self.hub.stats(&path_of(id))?))).collect();
        let rows = |read: fn(&hub::Stats) -> u64| -> Vec<(String, u64)> {
            stats.iter().map(|(id, s)| (format!("{{camera=\"{id}\"}}"), read(s))).collect()
        };
        let lost = "Frames that came and were not recorded.";
        let memory = "Bytes of frames in memory.";
        let families: &[OfHub<'_>] = &[
            ("khien_camera_frames_total", "counter", "Frames received.", |s| s.frames),
            ("khien_camera_skipped_total", "counter", "Frames that slow viewers skipped.", |s| {
                s.skipped
            }),
            ("khien_camera_frames_lost_total", "counter", lost, |s| s.lost),
            ("khien_camera_memory_bytes", "gauge", memory, |s| s.ring_bytes as u64),
        ];
        for (name, kind, help, read) in families {
            family(out, name, kind, help, &rows(*read));
        }
    }

    fn of_store(&self, out: &mut String) {
        let s = self.store.stats();
        for (name, kind, help, value) in [
            ("khien_store_fragments_total", "counter", "Fragments written.", s.fragments),
            ("khien_store_written_bytes_total", "counter", "Bytes of them.", s.bytes),
            (
                "khien_store_fragments_lost_total",
                "counter",
                "Fragments that could not be written.",
                s.fragments_lost,
            ),
            ("khien_store_batches_total", "counter", "Batches made durable.", s.batches),
            (
                "khien_store_syncs_failed_total",
                "counter",
                "Files whose sync failed.",
                s.syncs_failed,
            ),
            (
                "khien_store_segments_deleted_total",
                "counter",
                "Segments that retention deleted.",
                s.segments_deleted,
            ),
            (
                "khien_store_panics_total",
                "counter",
                "Panics of the writer, each a gap of one camera.",
                s.panics,
            ),
            (
                "khien_store_dead",
                "gauge",
                "1 if a thread of the store broke and nothing is recorded any more.",
                u64::from(self.store.is_dead()),
            ),
            (
                "khien_store_recovering",
                "gauge",
                "1 while what the process before left is put in order.",
                u64::from(s.recovering),
            ),
        ] {
            family(out, name, kind, help, &[(String::new(), value)]);
        }
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str, rows: &[(String, u64)]) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in rows {
        let _ = writeln!(out, "{name}{labels} {value}");
    }
}
