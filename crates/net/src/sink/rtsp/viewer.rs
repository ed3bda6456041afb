//! One RTSP viewer: its requests, and the frames it is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::rtsp::server::{Connection, Event, Input, Output, Presentation, Transport};
use bytes::{Bytes, BytesMut};
use hub::{Item, Kind, Subscriber};
use media::{Frame, Params, Track, TrackKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep_until, timeout};

use super::Shared;
use super::egress::Egress;
use crate::{Stop, now};

/// A write that a viewer does not take for this long ends it.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// Distance of sender reports.
const REPORT: Duration = Duration::from_secs(5);
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
    started: bool,
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
        let seed = std::array::from_fn(|_| crate::random().to_le_bytes()).concat();
        let mut session = [0; 32];
        session.copy_from_slice(&seed[..32]);
        Self {
            shared,
            peer,
            connection: Connection::new(config, session, now()),
            path: String::new(),
            egress: None,
            subscriber: None,
            transports: Vec::new(),
            reported: Vec::new(),
            started: false,
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
                () = sleep_until(deadline.into()) => self.connection.handle(now(), Input::Timeout),
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
        let mut next = Some(first);
        // All that is there goes into one write; the bound keeps a burst from growing it.
        for _ in 0..64 {
            match next.take() {
                Some(Item::Frame { seq, frame }) => self.frame(seq, &frame),
                Some(Item::Skipped(frames)) => self.skipped += frames,
                Some(Item::Published(tracks)) => {
                    // Another publication than the one that was described: other tracks, other
                    // parameters. The viewer has to ask again.
                    if self.egress.as_ref().is_some_and(|e| !Arc::ptr_eq(&e.tracks, &tracks)) {
                        self.closing = true;
                    }
                }
                Some(Item::Unpublished(_)) => self.closing = true,
                Some(Item::Gap(_)) => {}
                None => break,
            }
            next = self.subscriber.as_mut().and_then(Subscriber::try_next);
        }
        if let Some(Item::Frame { seq, frame }) = next {
            self.frame(seq, &frame);
        }
    }

    fn frame(&mut self, seq: u64, frame: &Frame) {
        let Some(egress) = self.egress.clone() else { return };
        let Some(index) = egress.index(frame) else { return };
        let Some(transport) = self.transports.get(index).copied().flatten() else {
            // Numbered for all viewers even if this one does not want it.
            let _ = egress.packets(seq, frame);
            return;
        };
        if !self.started {
            // Sound may come first only where there are no pictures.
            let video = egress.tracks.iter().any(|t| t.kind() == TrackKind::Video);
            if video && !(frame.random_access && frame.params.kind() == TrackKind::Video) {
                return;
            }
            self.started = true;
        }
        let Some(packets) = egress.packets(seq, frame) else { return };
        let at = Instant::now();
        let due = self.reported[index].is_none_or(|r| at.duration_since(r) >= REPORT);
        let report = due.then(|| egress.report(index, frame, frame.wall)).flatten();
        if report.is_some() {
            self.reported[index] = Some(at);
        }
        match transport {
            Transport::Tcp { rtp, rtcp } => {
                if let Some(report) = report {
                    self.out.push(interleaved(rtcp, &report));
                }
                let standard = usize::from(rtp) == index * 2;
                self.out.push(if standard {
                    packets.data.clone()
                } else {
                    renumbered(&packets.data, &packets.ends, rtp)
                });
            }
            Transport::Udp { rtp, rtcp } => {
                let Some(ports) = &self.shared.ports else { return };
                let ip = self.peer.ip();
                if let Some(report) = report {
                    let _ = ports.rtcp.try_send_to(&report, SocketAddr::new(ip, rtcp));
                }
                let mut start = 0;
                for &end in &packets.ends {
                    let end = end as usize;
                    // A full socket buffer loses the packet, as UDP does.
                    if let Some(packet) = packets.data.get(start + 4..end) {
                        let _ = ports.rtp.try_send_to(packet, SocketAddr::new(ip, rtp));
                    }
                    start = end;
                }
            }
        }
    }

    /// Carries out what the machine wants until it waits.
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.connection.poll() {
                Output::Transmit(data) => self.out.push(data),
                Output::Event(event) => self.event(event).await,
                Output::Wait(at) => return at,
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
                if matches!(transport, Transport::Udp { .. })
                    && let Some(ports) = &self.shared.ports
                    && let Ok(address) = ports.rtp.local_addr()
                {
                    self.connection.udp_ready(track, address.port());
                }
            }
            Event::Play { tracks } => self.play(&tracks).await,
            Event::Pause => self.subscriber = None,
            Event::Teardown | Event::Closed => {
                self.subscriber = None;
                self.closing = true;
            }
            Event::AuthFailed => tracing::warn!(peer = %self.peer, "wrong user or password"),
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
        let ssrcs = (0..tracks.len()).filter_map(|i| egress.info(i)).map(|(ssrc, _)| ssrc).collect();
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
        let wanting = |shown: &[Track]| shown.iter().any(|t| matches!(*t.params, Params::Pending(_)));
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
        // The first frame tells where the RTP clock stands; without one soon, RTP-Info is left
        // out, which the standard allows.
        let mut info = Vec::new();
        let mut early = Vec::new();
        let first = async {
            loop {
                if let Item::Frame { seq, frame } = subscriber.next().await {
                    return (seq, frame);
                }
            }
        };
        if let Ok((seq, frame)) = timeout(Duration::from_millis(500), first).await {
            if let Some(index) = egress.index(&frame)
                && let Some(packets) = egress.packets(seq, &frame)
                && let Some(number) = first_number(&packets.data)
                && let Some(time) = egress.rtp_time(index, &frame)
            {
                info.push((index, number, time));
            }
            early.push((seq, frame));
        }
        self.connection.play_info(&info);
        self.subscriber = Some(subscriber);
        self.started = false;
        // The reply goes out before the media.
        while let Output::Transmit(data) = self.connection.poll() {
            self.out.push(data);
        }
        for (seq, frame) in early {
            self.frame(seq, &frame);
        }
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

async fn next(subscriber: &mut Option<Subscriber>) -> Item {
    match subscriber {
        Some(subscriber) => subscriber.next().await,
        None => std::future::pending().await,
    }
}

fn interleaved(channel: u8, packet: &[u8]) -> Bytes {
    let len = u16::try_from(packet.len()).unwrap_or(0).to_be_bytes();
    let mut out = BytesMut::with_capacity(packet.len() + 4);
    out.extend_from_slice(&[b'$', channel, len[0], len[1]]);
    out.extend_from_slice(packet);
    out.freeze()
}

/// The same packets on another channel, for a viewer that wants its own numbers.
fn renumbered(data: &Bytes, ends: &[u32], channel: u8) -> Bytes {
    let mut out = BytesMut::from(&data[..]);
    let mut start = 0;
    for &end in ends {
        if let Some(byte) = out.get_mut(start + 1) {
            *byte = channel;
        }
        start = end as usize;
    }
    out.freeze()
}

/// Sequence number of the first packet of a payloaded frame.
fn first_number(data: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*data.get(6)?, *data.get(7)?]))
}
