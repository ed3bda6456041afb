//! The names of everything this camera can do wrong, one for each row of
//! `crates/rtsp/quirks.toml`, and what a test must know to see it happen.

use std::fmt;
use std::str::FromStr;

macro_rules! quirks {
    ($($name:ident = $id:literal, $variants:literal, $seconds:literal, $doc:literal;)*) => {
        /// One misbehaviour. The text of each says how this camera reproduces it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Quirk { $(#[doc = $doc] $name,)* }

        impl Quirk {
            /// All of them, in the order of the data file.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name on the command line and in the data file.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// How this camera reproduces it.
            pub fn reproduction(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }

            /// How many forms it has; `Config::variant` chooses one, from 0.
            pub fn variants(self) -> u32 {
                match self { $(Self::$name => $variants,)* }
            }

            /// Seconds, with the short timers of `Config::for_quirk`, until it has happened and a
            /// good client has recovered from it.
            pub fn min_seconds(self) -> u64 {
                match self { $(Self::$name => $seconds,)* }
            }
        }

        impl FromStr for Quirk {
            type Err = UnknownQuirk;
            fn from_str(s: &str) -> Result<Self, UnknownQuirk> {
                match s { $($id => Ok(Self::$name),)* _ => Err(UnknownQuirk) }
            }
        }
    };
}

/// The text names no quirk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownQuirk;

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a quirk this camera knows; --list-quirks prints them")
    }
}

impl std::error::Error for UnknownQuirk {}

quirks! {
    UrlBaseNoScheme = "url-base-no-scheme", 1, 3, "Content-Base without rtsp://.";
    UrlBaseDouble = "url-base-double", 1, 3, "Content-Base with rtsp:// twice.";
    UrlBaseV4mapped = "url-base-v4mapped", 1, 3, "Content-Base with the host ::ffff:127.0.0.1, no brackets, no port.";
    UrlBaseOtherHost = "url-base-other-host", 2, 3, "Content-Base (variant 1: absolute controls) on the host 10.9.9.9.";
    UrlControlJoin = "url-control-join", 1, 3, "The URL has a query, the base no slash; SETUP answers only on base + / + control, else 404.";
    UrlControlAbsent = "url-control-absent", 1, 3, "No a=control anywhere; SETUP answers only on the base URL.";
    UrlRedirect = "url-redirect", 1, 3, "DESCRIBE on the first path answers 302 to /moved on the same host.";
    SdpManyS = "sdp-many-s", 4, 3, "0: o= cut short, three s=, t=now-, c=IN. 1: no s= and no o=. 2: t=now- and c=IN 127.0.0.1. 3: empty s=.";
    SdpNoContentType = "sdp-no-content-type", 1, 3, "The DESCRIBE answer has no Content-Type.";
    SdpBadMedia = "sdp-bad-media", 1, 3, "m=vana and m=application/TP-LINK around the video.";
    SdpSpace = "sdp-space", 1, 3, "Blanks at the end of rtpmap lines and of CSeq.";
    SdpFmtpStray = "sdp-fmtp-stray", 1, 3, "The video's fmtp stands under the audio; an empty a=fmtp:96 under the video.";
    SdpSpropBad = "sdp-sprop-bad", 4, 3, "sprop-parameter-sets: 0 missing, 1 not base64, 2 start codes inside, 3 PPS first.";
    SdpH265SpropPart = "sdp-h265-sprop-part", 1, 3, "H.265 with sprop-vps and sprop-sps only.";
    SdpPlid = "sdp-plid", 1, 3, "profile-level-id=000001.";
    SdpAllSendonly = "sdp-all-sendonly", 1, 3, "a=sendonly on every media.";
    SdpTwoRtpmap = "sdp-two-rtpmap", 1, 3, "A back channel section with PCMA and PCMU both on payload type 0.";
    SdpOpusClock = "sdp-opus-clock", 1, 3, "opus/8000 in the SDP; the stream itself is 48 kHz.";
    SdpPcmName = "sdp-pcm-name", 1, 3, "PCM/48000 audio, little-endian samples.";
    SdpTransportMp2t = "sdp-transport-mp2t", 1, 3, "The only media is MP2T on payload type 33.";
    SdpMimeGuess = "sdp-mime-guess", 1, 3, "The audio has payload type 97 and no rtpmap; b=AS:64.";
    AuthNeedsUserAgent = "auth-needs-user-agent", 1, 3, "401 on every DESCRIBE without User-Agent.";
    AuthManyChallenges = "auth-many-challenges", 2, 3, "Basic before Digest, 0: in one header, 1: in two; only Digest is accepted.";
    AuthDigestOnly = "auth-digest-only", 1, 3, "Digest with SHA-256 only.";
    AuthBasic = "auth-basic", 1, 3, "Offers and accepts Basic only.";
    AuthDrop = "auth-drop", 1, 3, "Closes on any DESCRIBE that carries Authorization.";
    AuthNonceExpires = "auth-nonce-expires", 1, 5, "A new nonce each second; older ones get a 401 without stale; a session that stays unsigned dies.";
    AuthKaUnsigned = "auth-ka-unsigned", 1, 5, "Sends no more media after an unsigned keep-alive.";
    AuthNoncePerConn = "auth-nonce-per-conn", 1, 6, "Nonces belong to a connection; the first connection is cut after a second.";
    SessIdChanges = "sess-id-changes", 2, 3, "The second SETUP answers another session id; 0: the first is valid, 1: only the latest (else 454).";
    SessDescribeAgain = "sess-describe-again", 1, 6, "SETUP without DESCRIBE on the same connection gets 455; the first connection is cut after a second.";
    SessDescribeOnce = "sess-describe-once", 1, 3, "A second DESCRIBE that would succeed on the same connection gets 500.";
    SessEarlyData = "sess-early-data", 1, 3, "The first ten packets leave before the answer to PLAY.";
    SessUnassignedChannel = "sess-unassigned-channel", 1, 3, "Packets on channel 9 between the others.";
    SessStaleLive555 = "sess-stale-live555", 1, 3, "a=tool:LIVE555 of 2014 and an older session's packets on channels 4 and 5.";
    SessCrlf = "sess-crlf", 2, 3, "Between interleaved frames, 0: CRLF, 1: 37 bytes of garbage.";
    SessSetupSubset = "sess-setup-subset", 1, 3, "RTP-Info names a back channel that nobody set up, and sender reports come for it on channel 5.";
    SessLimit = "sess-limit", 3, 10, "Another viewer holds the only session for a time: 0: SETUP gets 453, 1: 503, 2: the connection is closed.";
    SessConfigDrop = "sess-config-drop", 1, 5, "Closes every connection once, a second after the first PLAY.";
    SessSlowBoot = "sess-slow-boot", 2, 8, "After start DESCRIBE gets 0: 404, 1: 503 for a time.";
    KaSetParameter400 = "ka-set-parameter-400", 1, 6, "Keep-alives by SET_PARAMETER get 400; every keep-alive answer has the CSeq of the request before.";
    KaGetParameterBad = "ka-get-parameter-bad", 1, 5, "Closes the connection on GET_PARAMETER, which Public advertises.";
    KaGetParameterOnly = "ka-get-parameter-only", 1, 20, "Only GET_PARAMETER keeps the session; the others are answered and change nothing.";
    KaSilent = "ka-silent", 1, 5, "No keep-alive is ever answered.";
    KaRtcp5s = "ka-rtcp-5s", 1, 10, "Closes when no receiver report came for 7 seconds.";
    KaBaseUrl = "ka-base-url", 1, 7, "Content-Base is another path; keep-alives elsewhere get 404 and do not count.";
    KaShort = "ka-short", 1, 14, "Announces a timeout of 8 seconds and drops after 3 without keep-alive.";
    Tr461Udp = "tr-461-udp", 1, 4, "SETUP for UDP gets 461.";
    Tr461Tcp = "tr-461-tcp", 1, 4, "SETUP for TCP gets 461.";
    TrOther = "tr-other", 2, 3, "Answers interleaved= with 0: RTP/AVP, 1: RTP/AVP/UDP.";
    TrChannels = "tr-channels", 2, 3, "0: channels from 10 up whatever was asked, 1: one number only (interleaved=0).";
    TrOrder = "tr-order", 1, 3, "Transport with ssrc first, blanks, upper case and unknown parameters.";
    TrNoServerPort = "tr-no-server-port", 1, 3, "UDP without server_port.";
    TrModeParam = "tr-mode-param", 1, 3, "400 when Transport has mode=.";
    TrUdpJumbo = "tr-udp-jumbo", 1, 3, "UDP packets of 9 kB.";
    TrUdpSilent = "tr-udp-silent", 1, 8, "UDP is set up and stays empty; TCP works.";
    TrUdpLoss = "tr-udp-loss", 1, 4, "UDP with 2 % lost, 3 % swapped and 3 % doubled packets.";
    TrTcpStall = "tr-tcp-stall", 1, 4, "Media in bursts each half second; a write that blocks for a second ends the session.";
    TrSrtpMki = "tr-srtp-mki", 1, 3, "SDP with RTP/SAVP; every SETUP without keys gets 463.";
    TrTlsOdd = "tr-tls-odd", 3, 3, "rtsps with a certificate that is 0: self-signed, 1: expired, 2: for another name.";
    TrTunnelPost = "tr-tunnel-post", 1, 3, "Only an HTTP tunnel: plain RTSP gets an HTTP 400, GET is answered late, POST never.";
    RtpinfoSeq = "rtpinfo-seq", 2, 3, "RTP-Info has 0: seq=0, 1: seq=1, the stream another.";
    RtpinfoRtptime = "rtpinfo-rtptime", 3, 3, "RTP-Info has 0: rtptime=0, 1: rtptime=abc and a trailing semicolon, 2: another URL and time.";
    SsrcOther = "ssrc-other", 3, 3, "Other SSRC than in SETUP; 0: changes alone, 1: changes with a jump of seq, 2: SETUP names none.";
    RtcpUnknownSsrc = "rtcp-unknown-ssrc", 1, 3, "Sender reports of a random SSRC, with an SDES that has no end byte.";
    RtpPtUnknown = "rtp-pt-unknown", 2, 3, "Packets of type 50: 0: other SSRC and numbers, 1: in the sequence of the video.";
    RtpMarkerPs = "rtp-marker-ps", 1, 3, "Marker on parameter sets and SEI.";
    RtpNoMarker = "rtp-no-marker", 1, 3, "No marker at all.";
    RtpTsSame = "rtp-ts-same", 1, 3, "Every tenth picture has the timestamp of the one before.";
    RtpTsReset = "rtp-ts-reset", 1, 3, "The timestamp starts again from 0 after 20 frames.";
    RtpTsBackward = "rtp-ts-backward", 1, 3, "The timestamp jumps 3 s back after 20 frames.";
    RtpTsDrift = "rtp-ts-drift", 1, 3, "The camera's clock is 300 ppm fast.";
    RtpTsStep = "rtp-ts-step", 1, 3, "The timestamp jumps an hour ahead after 20 frames.";
    SrMissing = "sr-missing", 1, 3, "No sender report.";
    SrWrong = "sr-wrong", 4, 3, "The report's time is 0: counted from 1970, 1: zero, 2: an hour off, 3: frozen.";
    SubLate = "sub-late", 1, 3, "Sender reports say that the pictures are 12 s old.";
    NalAnnexb = "nal-annexb", 2, 3, "0: SPS, PPS and IDR with start codes inside as one unit, 1: every unit begins with a start code.";
    FuStartEnd = "fu-start-end", 1, 3, "Units that fit a packet come as a fragment with S and E.";
    FuType = "fu-type", 1, 3, "Later fragments name another unit type; the reserved bit is set.";
    FuEmpty = "fu-empty", 2, 3, "0: fragments without payload, 1: whole units, header included, in a fragment with S and E.";
    FuBroken = "fu-broken", 1, 3, "Every 20th frame loses its first fragment on the way, ten frames later another its last.";
    SpsTrailing = "sps-trailing", 1, 3, "Two zero bytes after each SPS, in band and in the SDP.";
    SpsHard = "sps-hard", 2, 3, "0: an SPS with scaling matrices, VUI and HRD; 1: the same, cut short.";
    SpsFlap = "sps-flap", 1, 3, "Two parameter sets of the same size take turns every second.";
    PsSdpOnly = "ps-sdp-only", 1, 3, "No parameter sets in band.";
    PsInbandOnly = "ps-inband-only", 1, 6, "No parameter sets in the SDP; in band at the third key frame and then seldom.";
    GopSmart = "gop-smart", 1, 11, "One key frame, then none for 27 s.";
    GopLong = "gop-long", 1, 8, "A key frame each 6 s.";
    IdrOpen = "idr-open", 2, 3, "0: H.265 with CRA and leading pictures, 1: H.264 with recovery points only after the first IDR.";
    Bframes = "bframes", 1, 3, "Two B-frames between the others.";
    H265Only4k = "h265-only-4k", 1, 3, "H.265 of 3840x2160.";
    Jpeg2040 = "jpeg-2040", 2, 3, "JPEG of 2560x1440: 0: with ONVIF's header extension, 1: with a size of 0 and nothing else.";
    ResLie = "res-lie", 1, 3, "a=x-dimensions and a=framesize disagree with the SPS.";
    AacAdts = "aac-adts", 2, 3, "AAC with ADTS headers, 0: inside the RFC 3640 payload, 1: instead of its headers.";
    AacFrag = "aac-frag", 1, 3, "Each AAC access unit in three packets.";
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
