//! The recorder of one camera: everything the hub publishes goes to the store; what does not
//! arrive becomes a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hub::{Hub, Item, Kind, Subscriber};
use media::{CameraId, Cause, Track, Wall};
use net::Stop;
use store::{Assembler, Fragment, Full, Writer};

/// How long a fragment waits before it is offered to a busy writer again. The hub's budget for
/// lossless readers is what stands behind it.
const RETRY: Duration = Duration::from_millis(20);
/// How often the assembler is asked whether its camera fell silent.
const TICK: Duration = Duration::from_secs(1);

/// What a recorder counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) fragments: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// End of the newest fragment that the writer took, microseconds since 1970.
    pub(crate) newest_us: AtomicI64,
}

pub(crate) struct Recorder {
    camera: CameraId,
    writer: Writer,
    assembler: Assembler,
    counts: Arc<Counts>,
    /// Where the footage ends: the newest fragment's end, or before the first when it began.
    newest: Wall,
}

impl Recorder {
    pub(crate) fn new(camera: CameraId, writer: Writer, counts: Arc<Counts>) -> Self {
        let assembler = Assembler::new(camera, &[]);
        Self { camera, writer, assembler, counts, newest: net::now().wall }
    }

    /// Records `path` until `stop`, then hands over what is unfinished.
    pub(crate) async fn run(mut self, hub: Hub, path: String, mut stop: Stop) {
        let mut subscriber = hub.subscribe(&path, Kind::Lossless);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                item = subscriber.next() => self.take(item).await,
                _ = tick.tick() => {
                    let silent = self.assembler.tick(net::now().wall);
                    self.append(silent).await;
                }
                () = stop.wanted() => break,
            }
            if self.writer.is_closed() {
                return;
            }
        }
        self.end(&mut subscriber).await;
    }

    async fn take(&mut self, item: Item) {
        match item {
            Item::Published(tracks) => self.begin(&tracks).await,
            Item::Frame { frame, .. } => {
                let done = self.assembler.push(frame);
                self.append(done).await;
            }
            // Only live subscribers skip.
            Item::Skipped(_) => {}
            Item::Gap(gap) => {
                // What follows cannot be decoded with what was before.
                self.flush().await;
                self.writer.gap(self.camera, gap);
            }
            Item::Unpublished(cause) => {
                self.flush().await;
                self.writer.end(self.camera);
                self.writer.gap_open(self.camera, self.newest, cause);
            }
        }
    }

    async fn begin(&mut self, tracks: &[Track]) {
        let done = self.assembler.set_tracks(tracks);
        self.append(done).await;
    }

    async fn flush(&mut self) {
        let done = self.assembler.flush();
        self.append(done).await;
    }

    /// The camera is switched off, or khien is: takes what the hub still has, and says why nothing
    /// follows.
    async fn end(&mut self, subscriber: &mut Subscriber) {
        while let Some(item) = subscriber.try_next() {
            self.take(item).await;
        }
        self.flush().await;
        self.writer.end(self.camera);
        self.writer.gap_open(self.camera, self.newest, Cause::SwitchedOff);
    }

    /// Waits until the writer takes the fragment; gives up only if it takes nothing any more.
    async fn append(&mut self, fragment: Option<Fragment>) {
        let Some(mut fragment) = fragment else { return };
        let (end, bytes) = (fragment.end, fragment.payload_bytes());
        while let Err(Full(back)) = self.writer.try_append(fragment) {
            if self.writer.is_closed() {
                return;
            }
            fragment = *back;
            tokio::time::sleep(RETRY).await;
        }
        self.newest = end;
        self.counts.fragments.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.newest_us.store(end.0, Ordering::Relaxed);
    }
}
