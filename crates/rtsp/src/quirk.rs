//! Tolerated deviations of cameras, named and counted: knowledge of how real cameras break the
//! rules, as data.
//!
//! A quirk is never an error. The machines count what they see; what only a driver can see
//! (reconnects, a switched transport, certificates) it counts itself with [`QuirkCounts::add`].

use std::fmt;
use std::str::FromStr;

/// What a quirk asks of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing: it is counted.
    Counter,
    /// Worth knowing: it works, with a workaround.
    Note,
    /// A function is lost or worse; [`Quirk::remedy`] says what to do.
    Warning,
}

/// Where in the protocol stack a quirk lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Addresses and SDP.
    Sdp,
    /// Authentication and session.
    Session,
    /// Keep-alive.
    KeepAlive,
    /// Transport.
    Transport,
    /// RTP, RTCP and time.
    Rtp,
    /// Payloads and codecs.
    Codec,
}

macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident: $layer:ident $level:ident $slug:literal = $remedy:literal,)*) => {
        /// One way in which cameras differ from the standards.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quirk { $($(#[$doc])* $name,)* }

        impl Quirk {
            /// Every quirk there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in metrics, in the API and in `fakecam --quirk`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// Where it lives.
            pub const fn layer(self) -> Layer {
                match self { $(Self::$name => Layer::$layer,)* }
            }

            /// What it asks of people.
            pub const fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// One sentence that says what to do; empty for mere counters.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }

        impl FromStr for Quirk {
            type Err = UnknownQuirk;
            fn from_str(s: &str) -> Result<Self, UnknownQuirk> {
                match s { $($slug => Ok(Self::$name),)* _ => Err(UnknownQuirk) }
            }
        }
    };
}

/// The text names no quirk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownQuirk;

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a known quirk")
    }
}

impl std::error::Error for UnknownQuirk {}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

quirks! {
    /// Content-Base without a scheme.
    UrlBaseNoScheme: Sdp Counter "url-base-no-scheme" = "",
    /// Content-Base with the scheme twice.
    UrlBaseDouble: Sdp Counter "url-base-double" = "",
    /// Content-Base with an IPv4-mapped IPv6 address without brackets.
    UrlBaseV4mapped: Sdp Counter "url-base-v4mapped" = "",
    /// Content-Base or a control names another host or port; we stay where we are.
    UrlBaseOtherHost: Sdp Counter "url-base-other-host" = "",
    /// A relative control under a base without a slash at its end, or with a query.
    UrlControlJoin: Sdp Counter "url-control-join" = "",
    /// A media without a control.
    UrlControlAbsent: Sdp Counter "url-control-absent" = "",
    /// DESCRIBE is answered with a redirect.
    UrlRedirect: Sdp Note "url-redirect" = "The camera sends its viewers to another address; enter that address directly.",
    /// Malformed, missing or repeated lines in the session part of the SDP.
    SdpManyS: Sdp Counter "sdp-many-s" = "",
    /// DESCRIBE is answered without a Content-Type.
    SdpNoContentType: Sdp Counter "sdp-no-content-type" = "",
    /// A media line that cannot be understood.
    SdpBadMedia: Sdp Counter "sdp-bad-media" = "",
    /// Trailing blanks in an rtpmap.
    SdpSpace: Sdp Counter "sdp-space" = "",
    /// Format parameters under another media, or empty.
    SdpFmtpStray: Sdp Counter "sdp-fmtp-stray" = "",
    /// Parameter sets in the SDP are missing or cannot be used.
    SdpSpropBad: Sdp Counter "sdp-sprop-bad" = "",
    /// Only some of the three H.265 parameter sets are in the SDP.
    SdpH265SpropPart: Sdp Counter "sdp-h265-sprop-part" = "",
    /// profile-level-id differs from the parameter set.
    SdpPlid: Sdp Counter "sdp-plid" = "",
    /// Every media is marked as a back channel.
    SdpAllSendonly: Sdp Counter "sdp-all-sendonly" = "",
    /// Two rtpmap lines for one payload type.
    SdpTwoRtpmap: Sdp Counter "sdp-two-rtpmap" = "",
    /// Opus with another clock than 48 000 or with one channel.
    SdpOpusClock: Sdp Counter "sdp-opus-clock" = "",
    /// PCM under a private name; such sound is not recorded.
    SdpPcmName: Sdp Note "sdp-pcm-name" = "Set the camera's sound to G.711 or AAC; PCM is not recorded.",
    /// The camera offers an MPEG transport stream only.
    SdpTransportMp2t: Sdp Warning "sdp-transport-mp2t" = "Set the camera to send RTP with H.264 or H.265; MPEG transport streams cannot be recorded.",
    /// A dynamic payload type without an rtpmap.
    SdpMimeGuess: Sdp Counter "sdp-mime-guess" = "",

    /// Refuses requests without a User-Agent; ours always have one.
    AuthNeedsUserAgent: Session Counter "auth-needs-user-agent" = "",
    /// Several challenges, or Basic before Digest; the strongest is answered.
    AuthManyChallenges: Session Counter "auth-many-challenges" = "",
    /// Digest with SHA-256 only.
    AuthDigestOnly: Session Counter "auth-digest-only" = "",
    /// Only Basic is offered: the password travels readably.
    AuthBasic: Session Warning "auth-basic" = "Switch on Digest authentication or RTSPS at the camera; with Basic anybody in the network can read the password.",
    /// Closes the connection after a request with credentials.
    AuthDrop: Session Warning "auth-drop" = "Check user and password; this camera closes the connection instead of refusing them.",
    /// Asks for a new signature in the middle of a session.
    AuthNonceExpires: Session Counter "auth-nonce-expires" = "",
    /// Stops when a keep-alive is not signed; ours always are.
    AuthKaUnsigned: Session Counter "auth-ka-unsigned" = "",
    /// A nonce counts on one connection only; each of ours asks for its own.
    AuthNoncePerConn: Session Counter "auth-nonce-per-conn" = "",
    /// Another session id in a later SETUP.
    SessIdChanges: Session Counter "sess-id-changes" = "",
    /// SETUP is refused without a DESCRIBE on the same connection; ours always has one.
    SessDescribeAgain: Session Counter "sess-describe-again" = "",
    /// A second DESCRIBE on a connection fails; we send one.
    SessDescribeOnce: Session Counter "sess-describe-once" = "",
    /// Media before the answer to PLAY.
    SessEarlyData: Session Counter "sess-early-data" = "",
    /// Interleaved frames on channels that were never set up.
    SessUnassignedChannel: Session Counter "sess-unassigned-channel" = "",
    /// Packets of an older session in this one.
    SessStaleLive555: Session Note "sess-stale-live555" = "Update the camera's firmware; its RTSP server keeps sending to sessions that have ended.",
    /// Line ends or garbage between interleaved frames.
    SessCrlf: Session Note "sess-crlf" = "Update the camera's firmware; its RTSP server sends bytes that belong to no message.",
    /// RTP-Info or packets for tracks that were not set up.
    SessSetupSubset: Session Counter "sess-setup-subset" = "",
    /// Refuses more sessions.
    SessLimit: Session Warning "sess-limit" = "Too many are connected to the camera; close other apps or recorders that watch it.",
    /// All sessions end when the camera's settings change.
    SessConfigDrop: Session Counter "sess-config-drop" = "",
    /// Answers but has no stream yet for a while after it started.
    SessSlowBoot: Session Counter "sess-slow-boot" = "",

    /// Answers a keep-alive with an error or with the number of another request.
    KaSetParameter400: KeepAlive Counter "ka-set-parameter-400" = "",
    /// GET_PARAMETER breaks the session; it is tried last.
    KaGetParameterBad: KeepAlive Counter "ka-get-parameter-bad" = "",
    /// Only GET_PARAMETER keeps the session alive.
    KaGetParameterOnly: KeepAlive Counter "ka-get-parameter-only" = "",
    /// Never answers keep-alives.
    KaSilent: KeepAlive Counter "ka-silent" = "",
    /// Ends sessions without a receiver report every five seconds; ours always send them.
    KaRtcp5s: KeepAlive Counter "ka-rtcp-5s" = "",
    /// Answers keep-alives on the aggregate address only, which is the one we use.
    KaBaseUrl: KeepAlive Counter "ka-base-url" = "",
    /// Ends the session earlier than announced.
    KaShort: KeepAlive Note "ka-short" = "The camera ends sessions too early; keep-alives are now sent more often.",

    /// Refuses UDP.
    Tr461Udp: Transport Counter "tr-461-udp" = "",
    /// Refuses TCP.
    Tr461Tcp: Transport Counter "tr-461-tcp" = "",
    /// Answers with another transport than asked for.
    TrOther: Transport Counter "tr-other" = "",
    /// Answers with other channel numbers, or one.
    TrChannels: Transport Counter "tr-channels" = "",
    /// Parameters of Transport in an unusual order, with blanks or in upper case.
    TrOrder: Transport Counter "tr-order" = "",
    /// No server port in the answer for UDP.
    TrNoServerPort: Transport Counter "tr-no-server-port" = "",
    /// Refuses a mode parameter; we send none.
    TrModeParam: Transport Counter "tr-mode-param" = "",
    /// UDP packets that must be fragmented on the way.
    TrUdpJumbo: Transport Note "tr-udp-jumbo" = "Use TCP for this camera; its packets are larger than the network's.",
    /// Plays over UDP but no packet arrives.
    TrUdpSilent: Transport Note "tr-udp-silent" = "A firewall or access point blocks UDP; TCP is used instead.",
    /// Packets are lost, doubled or out of order.
    TrUdpLoss: Transport Counter "tr-udp-loss" = "",
    /// Stops when we read too slowly.
    TrTcpStall: Transport Counter "tr-tcp-stall" = "",
    /// Wants SRTP with keys of ours, which is not supported.
    TrSrtpMki: Transport Counter "tr-srtp-mki" = "Switch SRTP off at the camera, or use RTSPS; SRTP is not supported.",
    /// A certificate that is self-signed, expired or of another name.
    TrTlsOdd: Transport Note "tr-tls-odd" = "Check the certificate once; it is remembered, and a change is reported.",
    /// Never answers the POST of an HTTP tunnel; HTTP tunnels are not supported.
    TrTunnelPost: Transport Counter "tr-tunnel-post" = "Use RTSP over TCP; the HTTP tunnel is not supported.",

    /// The sequence number in RTP-Info is not that of the first packet.
    RtpinfoSeq: Rtp Counter "rtpinfo-seq" = "",
    /// The time in RTP-Info is zero, garbage or far off.
    RtpinfoRtptime: Rtp Counter "rtpinfo-rtptime" = "",
    /// The SSRC differs from the one announced, or changes.
    SsrcOther: Rtp Counter "ssrc-other" = "",
    /// Sender reports of an unrelated SSRC.
    RtcpUnknownSsrc: Rtp Counter "rtcp-unknown-ssrc" = "",
    /// Packets of a payload type that was not agreed on.
    RtpPtUnknown: Rtp Counter "rtp-pt-unknown" = "",
    /// The marker is set on packets that do not end a picture.
    RtpMarkerPs: Rtp Counter "rtp-marker-ps" = "",
    /// The marker is never set.
    RtpNoMarker: Rtp Counter "rtp-no-marker" = "",
    /// Two pictures with one time stamp.
    RtpTsSame: Rtp Counter "rtp-ts-same" = "",
    /// Time stamps start again from zero.
    RtpTsReset: Rtp Note "rtp-ts-reset" = "Update the camera's firmware; its clock starts again in the middle of a session.",
    /// Time stamps jump back.
    RtpTsBackward: Rtp Note "rtp-ts-backward" = "Set the camera to use one time server; its clock jumps back.",
    /// The camera's clock runs fast or slow.
    RtpTsDrift: Rtp Counter "rtp-ts-drift" = "",
    /// Time stamps jump ahead.
    RtpTsStep: Rtp Note "rtp-ts-step" = "Set the camera to use one time server; its clock jumps.",
    /// No sender reports.
    SrMissing: Rtp Counter "sr-missing" = "",
    /// Sender reports with a wrong time of day.
    SrWrong: Rtp Note "sr-wrong" = "Set the camera's clock, best by a time server.",
    /// The second stream is seconds behind the first.
    SubLate: Rtp Note "sub-late" = "Use the main stream for live viewing; the second one of this camera is late.",

    /// Start codes inside RTP payloads.
    NalAnnexb: Codec Counter "nal-annexb" = "",
    /// A fragment that is both the first and the last.
    FuStartEnd: Codec Counter "fu-start-end" = "",
    /// The NAL type differs between fragments.
    FuType: Codec Counter "fu-type" = "",
    /// Fragments without content, or a whole unit inside one.
    FuEmpty: Codec Counter "fu-empty" = "",
    /// Fragments without their first or last one.
    FuBroken: Codec Counter "fu-broken" = "",
    /// Extra bytes behind the sequence parameter set.
    SpsTrailing: Codec Counter "sps-trailing" = "",
    /// A parameter set that our parser does not understand.
    SpsHard: Codec Counter "sps-hard" = "",
    /// Parameter sets change often.
    SpsFlap: Codec Counter "sps-flap" = "",
    /// Parameter sets in the SDP only.
    PsSdpOnly: Codec Counter "ps-sdp-only" = "",
    /// Parameter sets in band only.
    PsInbandOnly: Codec Note "ps-inband-only" = "The first picture may take long; set a shorter key frame interval at the camera.",
    /// More than eight seconds between key frames.
    GopSmart: Codec Warning "gop-smart" = "Switch off \"Smart Codec\", \"H.264+\" or \"H.265+\" at the camera; live view starts slowly and seeking is coarse.",
    /// More than four seconds between key frames.
    GopLong: Codec Warning "gop-long" = "Set the camera's key frame interval to one or two seconds; live view starts slowly.",
    /// Key frames that are no IDR.
    IdrOpen: Codec Note "idr-open" = "Set the camera to send IDR pictures (closed GOP); seeking is less exact.",
    /// B-frames.
    Bframes: Codec Warning "bframes" = "Switch B-frames off at the camera (profile Baseline, or B-frames 0); they cost delay, and WebRTC viewers cannot show them.",
    /// The full size comes in H.265 only.
    H265Only4k: Codec Note "h265-only-4k" = "A browser without H.265 can show the second stream only.",
    /// JPEG pictures above 2 040 pixels, whose size RTP cannot tell.
    Jpeg2040: Codec Warning "jpeg-2040" = "Set the camera to H.264 or H.265, or to a picture size below 2040 pixels.",
    /// The announced picture size differs from the real one.
    ResLie: Codec Counter "res-lie" = "",
    /// ADTS headers inside the payload.
    AacAdts: Codec Counter "aac-adts" = "",
    /// AAC frames in several packets.
    AacFrag: Codec Counter "aac-frag" = "",
}

const COUNT: usize = Quirk::ALL.len();

/// How often each quirk was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuirkCounts {
    counts: [u64; COUNT],
    /// One bit per quirk that was seen and not yet taken by [`QuirkCounts::take_first`].
    first: u128,
}

const _: () = assert!(COUNT <= 128, "one bit per quirk");

impl Default for QuirkCounts {
    fn default() -> Self {
        Self { counts: [0; COUNT], first: 0 }
    }
}

impl QuirkCounts {
    /// Counts one; true the first time.
    pub fn add(&mut self, quirk: Quirk) -> bool {
        let Some(count) = self.counts.get_mut(index(quirk)) else { return false };
        *count = count.saturating_add(1);
        let first = *count == 1;
        if first {
            self.first |= 1 << index(quirk);
        }
        first
    }

    /// How often it was seen.
    pub fn get(&self, quirk: Quirk) -> u64 {
        self.counts.get(index(quirk)).copied().unwrap_or(0)
    }

    /// Those seen at least once, in the order of [`Quirk::ALL`].
    pub fn list(&self) -> Vec<(Quirk, u64)> {
        let seen = Quirk::ALL.iter().zip(self.counts);
        seen.filter(|(_, n)| *n > 0).map(|(q, n)| (*q, n)).collect()
    }

    /// Adds those of another session.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|n| *n == 0)
    }

    /// A quirk that was counted for the first time since the last call, each given once.
    pub fn take_first(&mut self) -> Option<Quirk> {
        if self.first == 0 {
            return None;
        }
        let at = self.first.trailing_zeros();
        self.first &= self.first - 1;
        Quirk::ALL.get(usize::try_from(at).ok()?).copied()
    }
}

const fn index(quirk: Quirk) -> usize {
    quirk as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_reads_back_and_every_warning_has_a_remedy() {
        for (i, &quirk) in Quirk::ALL.iter().enumerate() {
            assert_eq!(index(quirk), i);
            assert_eq!(quirk.slug().parse(), Ok(quirk));
            assert!(quirk.slug().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            if quirk.level() != Level::Counter {
                assert!(quirk.remedy().ends_with('.'), "{quirk}");
            }
        }
        assert_eq!("tr-carrier-pigeon".parse::<Quirk>(), Err(UnknownQuirk));
    }

    /// The values of `key` in the data file, in order.
    fn column(key: &str) -> Vec<&'static str> {
        let start = format!("{key} = ");
        let lines = include_str!("../quirks.toml").lines();
        lines.filter_map(|l| Some(l.strip_prefix(&start)?.trim_matches('"'))).collect()
    }

    #[test]
    fn the_data_file_has_a_row_for_every_quirk_and_says_the_same() {
        let expect = |of: fn(Quirk) -> &'static str| -> Vec<&str> {
            Quirk::ALL.iter().map(|q| of(*q)).collect()
        };
        assert_eq!(column("id"), expect(Quirk::slug), "in the same order");
        assert_eq!(
            column("level"),
            expect(|q| match q.level() {
                Level::Counter => "c",
                Level::Note => "n",
                Level::Warning => "w",
            })
        );
        assert_eq!(
            column("layer"),
            expect(|q| match q.layer() {
                Layer::Sdp => "url-sdp",
                Layer::Session => "auth-session",
                Layer::KeepAlive => "keep-alive",
                Layer::Transport => "transport",
                Layer::Rtp => "rtp-time",
                Layer::Codec => "codec",
            })
        );
        for key in ["what", "seen", "action", "expect", "outcome", "counted", "test"] {
            let filled = column(key).into_iter().filter(|v| !v.is_empty()).count();
            assert_eq!(filled, COUNT, "{key}");
        }
        assert!(column("counted").iter().all(|c| matches!(*c, "true" | "false")));
    }

    /// Both lists could lose the same row together: this one they cannot.
    #[test]
    fn no_layer_loses_a_quirk() {
        let count = |layer| Quirk::ALL.iter().filter(|q| q.layer() == layer).count();
        let layers = [
            Layer::Sdp,
            Layer::Session,
            Layer::KeepAlive,
            Layer::Transport,
            Layer::Rtp,
            Layer::Codec,
        ];
        assert_eq!(layers.map(count), [21, 19, 7, 14, 15, 19]);
    }

    #[test]
    fn counts_know_first_times_and_merge() {
        let mut counts = QuirkCounts::default();
        assert!(counts.is_empty() && counts.take_first().is_none());
        assert!(counts.add(Quirk::SrWrong));
        assert!(counts.add(Quirk::KaShort));
        assert!(!counts.add(Quirk::SrWrong));
        assert_eq!(counts.take_first(), Some(Quirk::KaShort));
        assert_eq!(counts.take_first(), Some(Quirk::SrWrong));
        assert_eq!(counts.take_first(), None);
        let mut all = counts.clone();
        all.merge(&counts);
        assert_eq!(all.list(), [(Quirk::KaShort, 2), (Quirk::SrWrong, 4)]);
        assert_eq!((all.get(Quirk::SrWrong), all.get(Quirk::Bframes)), (4, 0));
    }
}
