//! Fragmented MP4 for Media Source Extensions: an init segment, then one `moof`+`mdat` per frame.
//!
//! A frame is muxed once, however many viewers: the fragments of a path are remembered by the
//! frame's number as long as viewers may still ask. The WebSocket itself is `api`'s.
//!
//! G.711 is left out of live: no browser's MSE plays it. It is recorded and exported.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::{BufMut, Bytes, BytesMut};
use hub::{Hub, Item, Kind, Subscriber};
use media::codec::{Codec, h264, h265, nal};
use media::{Frame, Params, Rate, Ticks, Track, TrackId, TrackKind, Wall};
use mp4::{InitTrack, Run, Sample};
use stdx::{Error, Kind as ErrorKind, Result};

use super::memo::Memo;

/// How often a viewer is told which instant the media time stands for.
const WALL_EVERY_US: i64 = 1_000_000;

/// Media time at which a path begins, so that a frame from before the first muxed one still has
/// a positive time.
const LEAD_US: i64 = 20_000_000;

/// What a viewer is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A new init segment; all media after it belongs to it. Media begins with a picture that
    /// can be decoded alone.
    Init(Arc<Init>),
    /// One frame as `moof`+`mdat`.
    Media(Bytes),
    /// The instant that a media time stands for.
    Wall {
        /// Microseconds since 1970 UTC.
        us: i64,
        /// Media time, seconds.
        media_s: f64,
    },
    /// The viewer was too slow; the next media starts a group.
    Drop {
        /// Frames that were skipped.
        frames: u64,
    },
    /// The camera left; the viewer may open again.
    Ended,
}

/// An init segment and what a page must know to use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Init {
    /// Differs from every other init of the path.
    pub id: u32,
    /// `video/mp4; codecs="…"`.
    pub mime: String,
    /// Width of the picture.
    pub width: u32,
    /// Height of the picture.
    pub height: u32,
    /// `ftyp`+`moov`.
    pub data: Bytes,
}

/// All live fMP4 of a hub. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    hub: Hub,
    muxers: Arc<Mutex<HashMap<String, Weak<Mutex<Muxer>>>>>,
}

impl Live {
    /// Serves the paths of `hub`.
    pub fn new(hub: Hub) -> Self {
        Self { hub, muxers: Arc::default() }
    }

    fn muxer(&self, path: &str) -> Arc<Mutex<Muxer>> {
        let mut muxers = lock(&self.muxers);
        if let Some(muxer) = muxers.get(path).and_then(Weak::upgrade) {
            return muxer;
        }
        muxers.retain(|_, m| m.strong_count() > 0);
        let muxer = Arc::new(Mutex::new(Muxer::new()));
        muxers.insert(path.to_owned(), Arc::downgrade(&muxer));
        muxer
    }
}

/// Muxer state is changed in whole steps; a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One viewer of one path.
pub struct Viewer {
    hub: Hub,
    path: String,
    subscriber: Subscriber,
    muxer: Arc<Mutex<Muxer>>,
    init: u32,
    wall_sent: Option<Wall>,
    /// A picture is missing: the next one that can be decoded alone is waited for.
    broken: bool,
    queue: VecDeque<Event>,
}

impl Viewer {
    /// Begins at the newest group of `path`.
    ///
    /// # Errors
    /// `Unavailable` when nobody publishes there now.
    pub fn open(live: &Live, path: &str) -> Result<Self> {
        let Some(tracks) = live.hub.tracks(path) else {
            return Err(Error::new(ErrorKind::Unavailable, "the camera is not connected")
                .with_code("camera-offline"));
        };
        if !tracks.iter().any(|t| t.kind() == TrackKind::Video) {
            return Err(Error::new(ErrorKind::Unsupported, "the camera sends no pictures")
                .with_code("camera-codec"));
        }
        Ok(Self {
            hub: live.hub.clone(),
            path: path.to_owned(),
            subscriber: live.hub.subscribe(path, Kind::Live),
            muxer: live.muxer(path),
            init: 0,
            wall_sent: None,
            broken: false,
            queue: VecDeque::new(),
        })
    }

    /// The next thing to send; waits for it. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return event;
            }
            match self.subscriber.next().await {
                Item::Published(tracks) => lock(&self.muxer).publish(&tracks),
                Item::Frame { seq, frame } => self.frame(seq, &frame),
                Item::Skipped(frames) => self.queue.push_back(Event::Drop { frames }),
                Item::Gap(_) => {}
                Item::Unpublished(_) => self.queue.push_back(Event::Ended),
            }
        }
    }

    fn frame(&mut self, seq: u64, frame: &Frame) {
        let active = self.hub.active_tracks(&self.path);
        let muxed = match lock(&self.muxer).mux(seq, frame, active) {
            Ok(muxed) => muxed,
            Err(Miss::Gone) if !self.broken => {
                self.broken = true;
                self.queue.push_back(Event::Drop { frames: 1 });
                return;
            }
            Err(_) => return,
        };
        self.broken &= !(frame.random_access && muxed.video);
        if self.broken {
            return;
        }
        if muxed.init.id != self.init {
            if !(frame.random_access && muxed.video) {
                return;
            }
            self.init = muxed.init.id;
            self.wall_sent = None;
            self.queue.push_back(Event::Init(muxed.init));
        }
        let due =
            self.wall_sent.is_none_or(|sent| frame.wall.us_since(sent).abs() >= WALL_EVERY_US);
        if muxed.video && due {
            self.wall_sent = Some(frame.wall);
            self.queue.push_back(Event::Wall { us: frame.wall.0, media_s: muxed.media_s });
        }
        self.queue.push_back(Event::Media(muxed.data));
    }
}

/// What one frame became.
#[derive(Clone)]
struct Muxed {
    init: Arc<Init>,
    video: bool,
    media_s: f64,
    data: Bytes,
}

/// One muxed track: its number in the file and its time line.
struct Lane {
    track: TrackId,
    number: u32,
    rate: Rate,
    /// The track's own ticks at `base_time`.
    base_dts: Ticks,
    /// Decode time in the file of `base_dts`.
    base_time: i64,
    last_dts: Ticks,
    duration: u32,
}

struct Muxer {
    tracks: Arc<[Track]>,
    video_params: Option<Arc<Params>>,
    init: Option<Arc<Init>>,
    inits: u32,
    audio_on: bool,
    epoch: Option<Wall>,
    lanes: Vec<Lane>,
    memo: Memo<Muxed>,
}

/// Why there is nothing to send of a frame.
enum Miss {
    /// It is not wanted, or nothing can be begun with yet.
    Unwanted,
    /// Other viewers have gone on and it is forgotten.
    Gone,
}

impl Muxer {
    fn new() -> Self {
        Self {
            tracks: Arc::from([]),
            video_params: None,
            init: None,
            inits: 0,
            audio_on: false,
            epoch: None,
            lanes: Vec::new(),
            memo: Memo::new(),
        }
    }

    /// A publication begins. Every viewer says so; only the first counts.
    fn publish(&mut self, tracks: &Arc<[Track]>) {
        if !Arc::ptr_eq(&self.tracks, tracks) {
            self.tracks = Arc::clone(tracks);
            self.video_params = None;
            self.init = None;
            self.lanes.clear();
        }
    }

    /// The first picture track, and the first sound that MSE plays if it is really sent.
    fn chosen(&self, active: u32) -> (Option<&Track>, Option<&Track>) {
        let video = self.tracks.iter().find(|t| t.kind() == TrackKind::Video);
        let audio = self.tracks.iter().find(|t| {
            matches!(t.params.codec(), Codec::Aac | Codec::Opus)
                && !matches!(*t.params, Params::Pending(_))
                && active & 1_u32.checked_shl(u32::from(t.id.0)).unwrap_or(0) != 0
        });
        (video, audio)
    }

    fn mux(&mut self, seq: u64, frame: &Frame, active: u32) -> Result<Muxed, Miss> {
        if let Some(muxed) = self.memo.get(seq) {
            return Ok(muxed.clone());
        }
        let video = frame.params.kind() == TrackKind::Video;
        if self.memo.has_passed(seq) {
            return Err(if video { Miss::Gone } else { Miss::Unwanted });
        }
        if video && frame.random_access {
            self.refresh(frame, active);
        }
        let muxed = self.fragment(seq, frame, video).ok_or(Miss::Unwanted)?;
        let starts = video && frame.random_access;
        self.memo.push(seq, frame.wall, starts, muxed.data.len(), muxed.clone());
        Ok(muxed)
    }

    /// `moof` and `mdat` of one frame.
    fn fragment(&mut self, seq: u64, frame: &Frame, video: bool) -> Option<Muxed> {
        let init = Arc::clone(self.init.as_ref()?);
        let epoch = *self.epoch.get_or_insert(frame.wall);
        let lane = self.lanes.iter_mut().find(|l| l.track == frame.track)?;
        let (time, duration) = lane.time(frame, epoch);
        let sample = Sample {
            size: u32::try_from(frame.data.len()).ok()?,
            duration,
            composition_offset: i32::try_from(frame.pts.since(frame.dts).0).unwrap_or(0),
            sync: frame.random_access,
        };
        let run = Run { track: lane.number, decode_time: time, samples: &[sample] };
        let rate = lane.rate;
        let header = mp4::fragment_header(u32::try_from(seq & 0xffff_ffff).ok()?, &[run]).ok()?;
        let mut data = BytesMut::with_capacity(header.len() + frame.data.len());
        data.put_slice(&header);
        data.put_slice(&frame.data);
        let shown = i64::try_from(time).ok()?.saturating_add(frame.pts.since(frame.dts).0);
        let media_s = rate.to_us(Ticks(shown)) as f64 / 1e6;
        Some(Muxed { init, video, media_s, data: data.freeze() })
    }

    /// Makes a new init segment if this random-access picture needs one.
    fn refresh(&mut self, frame: &Frame, active: u32) {
        let (video, audio) = self.chosen(active);
        let (Some(video), audio) = (video.cloned(), audio.cloned()) else { return };
        if video.id != frame.track {
            return;
        }
        let same = self.video_params.as_ref().is_some_and(|p| continues(p, frame));
        if self.init.is_some() && same && self.audio_on == audio.is_some() {
            return;
        }
        let mut tracks =
            vec![InitTrack { id: 1, rate: video.rate, params: Arc::clone(&frame.params) }];
        let mut chosen = vec![(video.id, video.rate)];
        if let Some(audio) = &audio {
            tracks.push(InitTrack { id: 2, rate: audio.rate, params: Arc::clone(&audio.params) });
            chosen.push((audio.id, audio.rate));
        }
        let (Ok(data), Some(mime)) = (mp4::init(&tracks, &[]), mp4::mime(&tracks)) else { return };
        self.inits += 1;
        let (width, height) = frame.params.resolution().unwrap_or_default();
        self.init = Some(Arc::new(Init { id: self.inits, mime, width, height, data }));
        self.audio_on = audio.is_some();
        self.video_params = Some(Arc::clone(&frame.params));
        for (number, (track, rate)) in (1_u32..).zip(chosen) {
            if !self.lanes.iter().any(|l| l.track == track) {
                self.lanes.push(Lane::new(track, number, rate, frame.params.frame_rate()));
            }
        }
    }
}

/// Whether a player that was given `known` can go on with `frame`: sets that differ in bytes only
/// are read from the pictures that carry them.
fn continues(known: &Params, frame: &Frame) -> bool {
    let new = &*frame.params;
    let alike =
        known.codec_string() == new.codec_string() && known.resolution() == new.resolution();
    known == new || alike && carries_sets(frame)
}

fn carries_sets(frame: &Frame) -> bool {
    let has = |kind: u8, of: fn(u8) -> u8| {
        nal::prefixed(&frame.data).any(|u| u.first().is_some_and(|first| of(*first) == kind))
    };
    match frame.params.codec() {
        Codec::H264 => [h264::SPS, h264::PPS].iter().all(|k| has(*k, h264::unit_type)),
        Codec::H265 => [h265::VPS, h265::SPS, h265::PPS].iter().all(|k| has(*k, h265::unit_type)),
        _ => false,
    }
}

impl Lane {
    fn new(track: TrackId, number: u32, rate: Rate, fps: Option<f64>) -> Self {
        let fps = fps.filter(|f| *f >= 1.0).unwrap_or(25.0);
        let duration = (f64::from(rate.get()) / fps) as u32;
        Self {
            track,
            number,
            rate,
            base_dts: Ticks(0),
            base_time: -1,
            last_dts: Ticks(i64::MIN),
            duration,
        }
    }

    /// Decode time of what follows the last frame; 0 before the first.
    fn end(&self) -> i64 {
        if self.base_time < 0 {
            return 0;
        }
        let last = self.base_time.saturating_add(self.last_dts.since(self.base_dts).0);
        last.saturating_add(i64::from(self.duration))
    }

    /// Decode time and duration of a frame. The duration is a guess, the distance to the frame
    /// before: waiting for the next frame would cost a frame's time of delay.
    fn time(&mut self, frame: &Frame, epoch: Wall) -> (u64, u32) {
        if self.base_time < 0 || frame.discontinuity {
            let by_wall = self.rate.from_us(frame.wall.us_since(epoch).saturating_add(LEAD_US)).0;
            self.base_time = by_wall.max(self.end()).max(0);
            self.base_dts = frame.dts;
        } else {
            let step = frame.dts.since(self.last_dts).0;
            if let Ok(step) = u32::try_from(step)
                && step > 0
                && step <= self.rate.get()
            {
                self.duration = step;
            }
        }
        self.last_dts = frame.dts;
        let time = self.base_time.saturating_add(frame.dts.since(self.base_dts).0);
        (u64::try_from(time).unwrap_or(0), self.duration.max(1))
    }
}
