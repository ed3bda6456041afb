//! The recorder of one camera: everything the hub publishes goes to the store; what does not
//! arrive becomes a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hub::{Hub, Item, Kind};
use media::{CameraId, Wall};
use net::Stop;
use store::{Assembler, Fragment, Writer};

/// How long a fragment waits before it is offered to a busy writer again. The hub's budget for
/// lossless readers is what stands behind it.
const RETRY: Duration = Duration::from_millis(20);

/// What a recorder counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) fragments: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// End of the newest fragment that the writer took, microseconds since 1970.
    pub(crate) newest_us: std::sync::atomic::AtomicI64,
}

pub(crate) struct Recorder {
    camera: CameraId,
    writer: Writer,
    assembler: Assembler,
    counts: Arc<Counts>,
    newest: Option<Wall>,
}

impl Recorder {
    pub(crate) fn new(camera: CameraId, writer: Writer, counts: Arc<Counts>) -> Self {
        Self { camera, writer, assembler: Assembler::new(camera), counts, newest: None }
    }

    /// Records `path` until `stop`, then hands over what is unfinished.
    pub(crate) async fn run(mut self, hub: Hub, path: String, mut stop: Stop) {
        let mut subscriber = hub.subscribe(&path, Kind::Lossless);
        loop {
            let item = tokio::select! {
                item = subscriber.next() => item,
                () = stop.wanted() => break,
            };
            match item {
                Item::Published(tracks) => self.assembler.begin(&tracks),
                Item::Frame { frame, .. } => {
                    let done = self.assembler.push(frame);
                    self.append_all(done).await;
                }
                Item::Skipped(_) => {}
                Item::Gap(gap) => {
                    self.flush().await;
                    self.writer.gap(self.camera, gap);
                }
                Item::Unpublished(cause) => {
                    self.flush().await;
                    self.writer.end(self.camera);
                    if let Some(newest) = self.newest {
                        self.writer.gap_open(self.camera, newest, cause);
                    }
                }
            }
        }
        while let Some(item) = subscriber.try_next() {
            if let Item::Frame { frame, .. } = item {
                let done = self.assembler.push(frame);
                self.append_all(done).await;
            }
        }
        self.flush().await;
        self.writer.end(self.camera);
    }

    async fn flush(&mut self) {
        let done = self.assembler.flush();
        self.append_all(done).await;
    }

    async fn append_all(&mut self, done: store::Assembled) {
        for gap in done.gaps {
            self.writer.gap(self.camera, gap);
        }
        for fragment in done.fragments {
            self.append(fragment).await;
        }
    }

    async fn append(&mut self, mut fragment: Fragment) {
        let (end, bytes) = (fragment.end(), fragment.bytes());
        loop {
            match self.writer.try_append(self.camera, fragment) {
                Ok(()) => break,
                Err(full) => {
                    fragment = full.0;
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        self.newest = Some(end);
        self.counts.fragments.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.newest_us.store(end.0, Ordering::Relaxed);
    }
}
