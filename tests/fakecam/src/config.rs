//! What a camera is told to do.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::Quirk;

/// The pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// H.264 640x360, a key frame each second, no B-frames.
    H264,
    /// The same with two B-frames.
    H264B,
    /// H.264 480x270.
    H264Alt,
    /// H.264 320x180 with one key frame in 27 s.
    H264LongGop,
    /// H.264 with a key frame each 6 s.
    H264Gop6,
    /// H.264 with recovery points instead of IDR pictures after the first.
    H264Open,
    /// H.264 High with scaling matrices, VUI and HRD.
    H264Hard,
    /// H.265 640x360, a key frame each second.
    H265,
    /// H.265 with CRA pictures and leading pictures.
    H265Cra,
    /// H.265 3840x2160.
    H265Uhd,
    /// JPEG 640x360.
    Jpeg,
    /// JPEG 2560x1440.
    JpegLarge,
    /// H.264 inside MPEG-TS.
    Mp2t,
}

/// The sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audio {
    /// None.
    None,
    /// AAC-LC, 16 kHz mono, one access unit a packet.
    Aac,
    /// G.711 µ-law, 20 ms a packet.
    Pcmu,
    /// G.711 A-law, 20 ms a packet.
    Pcma,
    /// Opus, 20 ms a packet.
    Opus,
    /// 16-bit samples at 48 kHz, 10 ms a packet.
    Pcm,
}

/// The camera's timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Life of a nonce (auth-nonce-expires).
    pub nonce: Duration,
    /// Session timeout as announced, in whole seconds; 0 announces none.
    pub session_announced_s: u32,
    /// How long a session really lives without a sign of life.
    pub session: Duration,
    /// After start, how long the camera is still booting (sess-slow-boot).
    pub boot: Duration,
    /// How long somebody else holds the only session (sess-limit).
    pub busy: Duration,
    /// When connections are cut after PLAY (auth-nonce-per-conn, sess-describe-again,
    /// sess-config-drop).
    pub cut: Duration,
    /// Longest silence between receiver reports (ka-rtcp-5s).
    pub reports: Duration,
    /// Between sender reports.
    pub sender_report: Duration,
    /// Seconds between parameter sets in band (ps-inband-only).
    pub inband_s: u64,
}

impl Timers {
    /// As real cameras have them.
    pub const REAL: Self = Self {
        nonce: Duration::from_secs(20),
        session_announced_s: 60,
        session: Duration::from_secs(60),
        boot: Duration::from_secs(60),
        busy: Duration::from_secs(30),
        cut: Duration::from_secs(10),
        reports: Duration::from_secs(7),
        sender_report: Duration::from_secs(5),
        inband_s: 60,
    };
    /// Short ones, so that a test sees each happen within seconds.
    pub const FAST: Self = Self {
        nonce: Duration::from_secs(1),
        session_announced_s: 4,
        session: Duration::from_secs(4),
        boot: Duration::from_millis(1500),
        busy: Duration::from_millis(1500),
        cut: Duration::from_secs(1),
        reports: Duration::from_secs(7),
        sender_report: Duration::from_secs(1),
        inband_s: 2,
    };
}

/// Losses on UDP, as fractions of 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Loss {
    /// Packets that never arrive.
    pub drop: f64,
    /// Packets that change places with the next.
    pub swap: f64,
    /// Packets sent twice.
    pub double: f64,
}

/// Faults that are nobody's quirk. Frame numbers are those of pictures since PLAY, from 0. They may
/// be changed while the camera runs, with `Camera::faults`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults {
    /// Sends half the packets of this frame, then closes the connection.
    pub stop_mid_frame_at: Option<u64>,
    /// From this frame on sends nothing, answers nothing and never closes.
    pub half_open_at: Option<u64>,
    /// Closes the connection after so many frames.
    pub close_after: Option<u64>,
    /// From this frame on sends random bytes instead of packets, for a second, then goes on.
    pub garbage_at: Option<u64>,
    /// Stops sending sound and pictures between these frames; the numbers go on.
    pub silent: Option<(u64, u64)>,
    /// From the first key frame after this one on, pictures of another size.
    pub change_parameters_at: Option<u64>,
    /// Answers every request this much later.
    pub answer_delay: Duration,
    /// Losses on UDP.
    pub udp: Loss,
    /// Accepts connections and closes them at once.
    pub refuse: bool,
}

/// What a camera is told to do.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The pictures.
    pub media: Media,
    /// The sound.
    pub audio: Audio,
    /// What it does wrong.
    pub quirks: Vec<Quirk>,
    /// Which form of it (see [`Quirk::reproduction`]).
    pub variant: u32,
    /// User and password; `None` lets everybody in.
    pub credentials: Option<(String, String)>,
    /// Offers Digest with MD5.
    pub md5: bool,
    /// Offers Digest with SHA-256.
    pub sha256: bool,
    /// Offers Basic.
    pub basic: bool,
    /// Speaks TLS with a certificate of its own.
    pub tls: bool,
    /// Starts the clip again at its end, for ever; otherwise says BYE and closes.
    pub repeat: bool,
    /// Puts each picture's number into an SEI message.
    pub number: bool,
    /// Pictures per second.
    pub fps: f64,
    /// The timers.
    pub timers: Timers,
    /// The faults.
    pub faults: Faults,
    /// Largest RTP payload.
    pub payload_max: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Where the clips are; `None` finds and makes them.
    pub media_dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            media: Media::H264,
            audio: Audio::None,
            quirks: Vec::new(),
            variant: 0,
            credentials: None,
            md5: true,
            sha256: false,
            basic: false,
            tls: false,
            repeat: true,
            number: true,
            fps: 15.0,
            timers: Timers::REAL,
            faults: Faults::default(),
            payload_max: 1400,
            seed: 1,
            media_dir: None,
        }
    }
}

impl Config {
    /// Has this quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Has this quirk in this form.
    pub(crate) fn form(&self, quirk: Quirk, variant: u32) -> bool {
        self.has(quirk) && self.variant == variant
    }

    /// A camera with one quirk, everything the quirk needs to be seen (sound, credentials, ...)
    /// and short timers.
    pub fn for_quirk(quirk: Quirk) -> Self {
        Self { timers: Timers::FAST, ..Self::default() }.with_quirk(quirk)
    }

    /// Another form of the quirk.
    #[must_use]
    pub fn variant(mut self, variant: u32) -> Self {
        self.variant = variant;
        if self.has(Quirk::IdrOpen) && variant == 1 {
            self.media = Media::H264Open;
        }
        self
    }

    /// Adds a quirk and what it needs. User and password, where needed, are `admin` and `pass`
    /// unless already set.
    #[must_use]
    pub fn with_quirk(mut self, quirk: Quirk) -> Self {
        use Quirk as Q;
        if !self.has(quirk) {
            self.quirks.push(quirk);
        }
        match quirk {
            Q::AuthNeedsUserAgent => self.credentials = None,
            Q::AuthManyChallenges => {
                self.basic = true;
                self.login();
            }
            Q::AuthBasic => {
                self.md5 = false;
                self.basic = true;
                self.login();
            }
            Q::AuthDigestOnly => {
                self.md5 = false;
                self.sha256 = true;
                self.login();
            }
            Q::AuthDrop | Q::AuthNonceExpires | Q::AuthKaUnsigned | Q::AuthNoncePerConn => {
                self.login();
            }
            Q::SdpFmtpStray | Q::SessIdChanges | Q::TrChannels => self.sound(Audio::Pcma),
            Q::AacAdts | Q::AacFrag => self.audio = Audio::Aac,
            Q::SdpMimeGuess => self.sound(Audio::Pcmu),
            Q::SdpOpusClock => self.audio = Audio::Opus,
            Q::SdpPcmName => self.audio = Audio::Pcm,
            Q::SdpTransportMp2t => self.media = Media::Mp2t,
            Q::SdpH265SpropPart => self.media = Media::H265,
            Q::KaShort => {
                let fast = self.timers == Timers::FAST;
                self.timers.session_announced_s = if fast { 8 } else { 60 };
                self.timers.session = Duration::from_secs(if fast { 3 } else { 20 });
            }
            Q::KaSetParameter400 if self.timers == Timers::REAL => {
                self.timers.session_announced_s = 15;
                self.timers.session = Duration::from_secs(15);
            }
            Q::TrUdpJumbo => self.payload_max = 9000,
            Q::TrUdpLoss => {
                self.faults.udp = Loss { drop: 0.02, swap: 0.03, double: 0.03 };
            }
            Q::TrTlsOdd => self.tls = true,
            Q::GopSmart => self.media = Media::H264LongGop,
            Q::GopLong => self.media = Media::H264Gop6,
            Q::IdrOpen => self.media = Media::H265Cra,
            Q::Bframes => self.media = Media::H264B,
            Q::SpsHard => self.media = Media::H264Hard,
            Q::H265Only4k => self.media = Media::H265Uhd,
            Q::Jpeg2040 => self.media = Media::JpegLarge,
            _ => {}
        }
        self
    }

    fn login(&mut self) {
        if self.credentials.is_none() {
            self.credentials = Some(("admin".into(), "pass".into()));
        }
    }

    fn sound(&mut self, audio: Audio) {
        if self.audio == Audio::None {
            self.audio = audio;
        }
    }
}
