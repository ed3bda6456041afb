//! One RTSP viewer: its requests, and the frames it is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::rtsp::pay::interleave;
use ::rtsp::server::{Connection, Event, Input, Output, Presentation, Transport};
use bytes::Bytes;
use hub::{Item, Kind, Subscriber};
use media::{Frame, Params, Track};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep_until, timeout};

use super::Shared;
use super::egress::Egress;
use super::ports::Heard;
use crate::{Stop, now};

/// A write that a viewer does not take for this long ends it.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// Distance of sender reports.
const REPORT: Duration = Duration::from_secs(5);
/// Items of the hub that go into one write.
const ITEMS_MAX: usize = 64;
/// How long PLAY waits for a first frame.
const PLAY_WAIT: Duration = Duration::from_millis(500);
/// How long DESCRIBE waits for parameter sets that come only in band.
const DESCRIBE_WAIT: Duration = Duration::from_secs(3);

pub(super) struct Viewer<'a> {
    shared: &'a Arc<Shared>,
    peer: SocketAddr,
    connection: Connection,
    path: String,
    egress: Option<Arc<Egress>>,
    subscriber: Option<Subscriber>,
    transports: Vec<Option<Transport>>,
    /// When each track was last reported on.
    reported: Vec<Option<Instant>>,
    /// Media flows; before it a frame that can be begun with is waited for.
    started: bool,
    /// What was looked at before the answer to PLAY, and comes after it.
    early: Vec<(u64, Frame)>,
    heard: Vec<Heard>,
    out: Vec<Bytes>,
    skipped: u64,
    closing: bool,
}

impl<'a> Viewer<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, peer: SocketAddr) -> Self {
        let config = ::rtsp::server::Config {
            auth: shared.config.auth.clone(),
            server_name: shared.config.name.clone(),
            session_timeout_s: 60,
            udp: shared.ports.is_some(),
        };
        let words: [[u8; 8]; 4] = std::array::from_fn(|_| crate::random().to_le_bytes());
        let mut seed = [0; 32];
        seed.copy_from_slice(words.as_flattened());
        Self {
            shared,
            peer,
            connection: Connection::new(config, seed, now()),
            path: String::new(),
            egress: None,
            subscriber: None,
            transports: Vec::new(),
            reported: Vec::new(),
            started: false,
            early: Vec::new(),
            heard: Vec::new(),
            out: Vec::new(),
            skipped: 0,
            closing: false,
        }
    }

    pub(super) async fn run<S>(mut self, stream: S, mut stop: Stop)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut buf = vec![0; 4 << 10];
        loop {
            let wait = self.drain().await;
            if !self.write(&mut writer).await || self.closing {
                break;
            }
            let deadline = wait.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
            let handled = tokio::select! {
                biased;
                read = reader.read(&mut buf) => match read {
                    Ok(0) | Err(_) => {
                        let _ = self.connection.handle(now(), Input::Closed);
                        break;
                    }
                    Ok(n) => self.connection.handle(now(), Input::Tcp(&buf[..n])),
                },
                item = next(&mut self.subscriber) => {
                    self.items(item);
                    Ok(())
                }
                () = sleep_until(deadline.into()) => {
                    // All are asked, so that none is left for the next time.
                    let heard = self.heard.iter().filter(|h| h.take()).count() > 0;
                    let input = if heard { Input::Alive } else { Input::Timeout };
                    self.connection.handle(now(), input)
                }
                () = stop.wanted() => break,
            };
            if let Err(e) = handled {
                tracing::debug!(peer = %self.peer, "{e}");
                let _ = self.drain().await;
                let _ = self.write(&mut writer).await;
                break;
            }
        }
        if self.skipped > 0 {
            tracing::info!(peer = %self.peer, path = self.path, skipped = self.skipped, "slow viewer");
        }
        let _ = timeout(Duration::from_secs(1), writer.shutdown()).await;
    }

    /// Takes what the hub has and turns it into bytes.
    fn items(&mut self, first: Item) {
        self.item(first);
        // All that is there goes into one write; the bound keeps a burst from growing it.
        for _ in 1..ITEMS_MAX {
            let Some(item) = self.subscriber.as_mut().and_then(Subscriber::try_next) else { break };
            self.item(item);
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Frame { seq, frame } => self.frame(seq, &frame),
            Item::Skipped(frames) => {
                self.skipped += frames;
                self.started = false;
            }
            Item::Published(tracks) => {
                // Another publication than the one that was described: other tracks, other
                // parameters. The viewer has to ask again.
                if self.egress.as_ref().is_some_and(|e| !Arc::ptr_eq(&e.tracks, &tracks)) {
                    self.closing = true;
                }
            }
            Item::Unpublished(_) => self.closing = true,
            Item::Gap(_) => {}
        }
    }

    fn frame(&mut self, seq: u64, frame: &Frame) {
        let Some(egress) = self.egress.clone() else { return };
        let Some(index) = egress.index(frame) else { return };
        self.started |= egress.starts(frame);
        if !self.started {
            return;
        }
        // Numbered for all viewers even if this one does not want it.
        let Some(packets) = egress.packets(seq, frame) else {
            self.skipped += 1;
            self.started = false;
            return;
        };
        let Some(transport) = self.transports.get(index).copied().flatten() else { return };
        if packets.is_empty() {
            return;
        }
        let report = self.report(&egress, index, frame);
        match transport {
            Transport::Tcp { rtp, rtcp } => {
                self.out.extend(report.map(|r| interleave(rtcp, &r)));
                let standard = usize::from(rtp) == index * 2;
                self.out.push(match standard {
                    true => packets.data.clone(),
                    // For a viewer that wants its own numbers.
                    false => packets.with_channel(rtp),
                });
            }
            Transport::Udp { rtp, rtcp } => {
                let Some(ports) = &self.shared.ports else { return };
                let to = |port| SocketAddr::new(self.peer.ip(), port);
                if let Some(report) = report {
                    ports.send(true, to(rtcp), &report);
                }
                for packet in packets.iter() {
                    ports.send(false, to(rtp), packet);
                }
            }
        }
    }

    /// A sender report, when one is due.
    fn report(&mut self, egress: &Egress, index: usize, frame: &Frame) -> Option<Bytes> {
        let at = Instant::now();
        let last = self.reported.get_mut(index)?;
        if last.is_some_and(|last| at.duration_since(last) < REPORT) {
            return None;
        }
        let report = egress.report(index, frame, frame.wall)?;
        *last = Some(at);
        Some(report)
    }

    /// Carries out what the machine wants until it waits.
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.connection.poll() {
                Output::Transmit(data) => self.out.push(data),
                Output::Event(event) => self.event(event).await,
                Output::Wait(at) => {
                    for (seq, frame) in std::mem::take(&mut self.early) {
                        self.frame(seq, &frame);
                    }
                    return at;
                }
            }
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Describe { path } => self.describe(path).await,
            Event::Setup { track, transport } => {
                if let Some(slot) = self.transports.get_mut(track) {
                    *slot = Some(transport);
                }
                if let Transport::Udp { rtp, rtcp } = transport
                    && let Some(ports) = &self.shared.ports
                {
                    for port in [rtp, rtcp] {
                        self.heard.push(ports.listen(SocketAddr::new(self.peer.ip(), port)));
                    }
                    self.connection.udp_ready(track, ports.number());
                }
            }
            Event::Play { tracks } => self.play(&tracks).await,
            Event::Pause => {
                self.subscriber = None;
                self.early.clear();
            }
            Event::Teardown | Event::Closed => {
                self.subscriber = None;
                self.closing = true;
            }
            Event::AuthFailed => {
                tracing::debug!(peer = %self.peer, "wrong user or password");
                self.shared.door.failed(self.peer, Instant::now());
                if self.shared.door.is_locked(self.peer.ip(), Instant::now()) {
                    self.closing = true;
                }
            }
            Event::Rtcp { .. } => {}
        }
    }

    async fn describe(&mut self, path: String) {
        let tracks = self.known_tracks(&path).await;
        let Some((tracks, shown)) = tracks else {
            self.connection.describe(None);
            return;
        };
        let egress = self.shared.egresses.get(&path, &tracks);
        let ssrcs = egress.ssrcs();
        self.transports = vec![None; tracks.len()];
        self.reported = vec![None; tracks.len()];
        self.path = path;
        self.egress = Some(egress);
        self.connection.describe(Some(&Presentation { tracks: shown, ssrcs }));
    }

    /// The tracks of a path as published and as they are best described: with the parameters of
    /// the newest group where the publisher did not know them yet.
    async fn known_tracks(&self, path: &str) -> Option<(Arc<[Track]>, Vec<Track>)> {
        let tracks = self.shared.hub.tracks(path)?;
        let mut shown = tracks.to_vec();
        let mut subscriber = self.shared.hub.subscribe(path, Kind::Live);
        let wanting =
            |shown: &[Track]| shown.iter().any(|t| matches!(*t.params, Params::Pending(_)));
        let look = async {
            while wanting(&shown) {
                if let Item::Frame { frame, .. } = subscriber.next().await
                    && let Some(track) = shown.iter_mut().find(|t| t.id == frame.track)
                {
                    track.params = frame.params;
                }
            }
        };
        let _ = timeout(DESCRIBE_WAIT, look).await;
        Some((tracks, shown))
    }

    async fn play(&mut self, tracks: &[(usize, Transport)]) {
        let Some(egress) = self.egress.clone() else {
            self.connection.play_info(&[]);
            return;
        };
        for (index, transport) in tracks {
            if let Some(slot) = self.transports.get_mut(*index) {
                *slot = Some(*transport);
            }
        }
        let mut subscriber = self.shared.hub.subscribe(&self.path, Kind::Live);
        match timeout(PLAY_WAIT, first_frame(&mut subscriber, &egress.tracks)).await {
            Ok(Some(first)) => self.early.push(first),
            // Another publication than the one that was described.
            Ok(None) => self.closing = true,
            // RTP-Info is left out, which the standard allows.
            Err(_) => {}
        }
        let mut info: Vec<(usize, u16, u32)> = Vec::new();
        if self.early.first().is_some_and(|(_, frame)| egress.starts(frame)) {
            // Players put the tracks together by the times of their first packets, so as many of
            // them are told as are there without waiting.
            let kinds = egress.tracks.len();
            while self.early.len() < ITEMS_MAX && covered(&self.early) < kinds {
                let Some(Item::Frame { seq, frame }) = subscriber.try_next() else { break };
                self.early.push((seq, frame));
            }
            for (seq, frame) in &self.early {
                if let Some(index) = egress.index(frame)
                    && let Some(packets) = egress.packets(*seq, frame)
                    && info.iter().all(|(i, ..)| *i != index)
                    && tracks.iter().any(|(i, _)| *i == index)
                    && let Some(number) = first_number(&packets.data)
                    && let Some(time) = egress.rtp_time(index, frame)
                {
                    info.push((index, number, time));
                }
            }
        }
        self.subscriber = Some(subscriber);
        self.started = false;
        self.connection.play_info(&info);
    }

    async fn write<W: AsyncWrite + Unpin>(&mut self, writer: &mut W) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let written = timeout(WRITE_MAX, async {
            for data in &self.out {
                writer.write_all(data).await?;
            }
            writer.flush().await
        });
        let done = matches!(written.await, Ok(Ok(())));
        self.out.clear();
        done
    }
}

/// The next frame of this publication; `None` if it has ended.
async fn first_frame(subscriber: &mut Subscriber, tracks: &Arc<[Track]>) -> Option<(u64, Frame)> {
    loop {
        match subscriber.next().await {
            Item::Frame { seq, frame } => return Some((seq, frame)),
            Item::Published(other) if Arc::ptr_eq(&other, tracks) => {}
            Item::Published(_) | Item::Unpublished(_) => return None,
            Item::Skipped(_) | Item::Gap(_) => {}
        }
    }
}

/// How many tracks have a frame.
fn covered(frames: &[(u64, Frame)]) -> usize {
    let mut tracks = 0_u128;
    for (_, frame) in frames {
        tracks |= 1_u128.checked_shl(u32::from(frame.track.0)).unwrap_or(0);
    }
    usize::try_from(tracks.count_ones()).unwrap_or(0)
}

async fn next(subscriber: &mut Option<Subscriber>) -> Item {
    match subscriber {
        Some(subscriber) => subscriber.next().await,
        None => std::future::pending().await,
    }
}

/// Sequence number of the first packet of a payloaded frame.
fn first_number(data: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*data.get(6)?, *data.get(7)?]))
}
