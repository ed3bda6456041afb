//! Whether a camera with a quirk was treated as its row says.

use fakecam::{Camera, Quirk as Q, Stats};
use media::codec::Codec;
use media::{Params, TrackKind};
use net::source::{State, Status};

use crate::row::{Expect, Row};
use crate::watching::{Arrived, Run, Seen};

/// Everything that is known about one case when it is over.
pub(crate) struct Evidence<'a> {
    pub(crate) row: &'a Row,
    pub(crate) variant: u32,
    pub(crate) seen: Seen,
    pub(crate) status: Status,
    pub(crate) sent: Stats,
    pub(crate) camera: &'a Camera,
}

/// Wall times are estimated at arrival: as far from our clock as a busy machine makes them.
const WALL_ERROR_US_MAX: i64 = 3_000_000;

macro_rules! need {
    ($wrong:ident, $what:expr, $($text:tt)+) => {
        if !$what {
            $wrong.push(format!($($text)+));
        }
    };
}

/// Quirks that are there again after a break: what comes behind it is waited for.
pub(crate) fn recovered(quirk: Q, seen: &Seen) -> bool {
    match quirk {
        Q::AuthNoncePerConn | Q::SessDescribeAgain | Q::SessConfigDrop => {
            seen.runs.len() >= 2 && seen.newest() > 0
        }
        // Longer than the camera gives to who does not say the right thing.
        Q::KaGetParameterOnly | Q::KaShort => seen.newest() >= 120,
        _ => true,
    }
}

/// What is wrong.
pub(crate) fn all(e: &Evidence<'_>, expect: Expect) -> Vec<String> {
    let mut wrong = Vec::new();
    let quirk = e.row.quirk;
    let count = e.status.quirks.iter().find(|(q, _)| q.slug() == quirk.id());
    if e.row.counted {
        need!(wrong, count.is_some(), "is not counted, only {:?}", e.status.quirks);
    }
    match expect {
        Expect::Plays => {
            for run in &e.seen.runs {
                wrong.extend(whole(e, run));
                wrong.extend(timed(e, run));
            }
            wrong.extend(outcome(e));
        }
        Expect::Refused => wrong.extend(refused(e)),
        Expect::QuirkOnly => {}
    }
    wrong
}

fn refused(e: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    need!(wrong, e.seen.pictures() == 0, "sends pictures");
    let codes = e.row.codes();
    need!(wrong, !codes.is_empty(), "the row names no code");
    match &e.status.trouble {
        Some(trouble) => {
            need!(wrong, codes.contains(&trouble.code), "{} is not one of {codes:?}", trouble.code);
            need!(wrong, trouble.message.len() > 20, "says too little: {}", trouble.message);
        }
        None => wrong.push("no trouble is reported".to_owned()),
    }
    let said = matches!(e.status.state, State::Refused | State::Offline);
    need!(wrong, said, "is {:?}", e.status.state);
    wrong
}

/// Packets are lost on purpose.
fn lossy(quirk: Q) -> bool {
    matches!(quirk, Q::TrUdpLoss | Q::FuBroken)
}

/// Every picture from the first on, undamaged.
fn whole(e: &Evidence<'_>, run: &Run) -> Vec<String> {
    let mut wrong = Vec::new();
    let quirk = e.row.quirk;
    let mut pictures: Vec<_> = run.of(TrackKind::Video).collect();
    if quirk == Q::PsInbandOnly {
        // What comes before the first parameter sets is passed on, and begins no group.
        pictures.retain(|a| !matches!(*a.frame.params, Params::Pending(_)));
    }
    let Some(first) = pictures.first() else { return wrong };
    need!(wrong, first.frame.random_access, "begins in the middle of a group");
    let number = |a: &&Arrived| fakecam::frame_number(&a.frame.data);
    let numbers: Vec<u64> = pictures.iter().filter_map(number).collect();
    let damaged: Vec<u64> = run
        .of(TrackKind::Video)
        .filter(|a| a.frame.damaged)
        .filter_map(|a| fakecam::frame_number(&a.frame.data))
        .collect();
    if lossy(quirk) {
        need!(wrong, numbers.is_sorted(), "pictures out of order: {numbers:?}");
        return wrong;
    }
    need!(wrong, damaged.is_empty(), "damaged: {damaged:?}");
    if first.frame.params.codec() == Codec::Mjpeg {
        let jpeg = pictures.iter().all(|p| p.frame.data.starts_with(&[0xff, 0xd8, 0xff]));
        need!(wrong, jpeg, "pictures are no JPEG");
        return wrong;
    }
    // Parameter sets come with the third key frame.
    let start = if quirk == Q::PsInbandOnly { 30 } else { 0 };
    let expected: Vec<u64> = (start..).take(pictures.len()).collect();
    need!(wrong, numbers == expected, "pictures {numbers:?}");
    wrong
}

/// Decoding times that grow, presentation that is not before, one break where one is promised, and
/// wall times near arrival.
fn timed(e: &Evidence<'_>, run: &Run) -> Vec<String> {
    let mut wrong = Vec::new();
    let quirk = e.row.quirk;
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let frames: Vec<_> = run.of(kind).collect();
        let mut breaks = 0;
        for pair in frames.windows(2) {
            let (before, after) = (&pair[0].frame, &pair[1].frame);
            if after.discontinuity {
                breaks += 1;
            } else {
                let (a, b) = (before.dts.0, after.dts.0);
                need!(wrong, b > a, "{kind:?}: decoding time {b} behind {a}");
                let step = after.wall.us_since(before.wall);
                need!(wrong, step.abs() < WALL_ERROR_US_MAX, "{kind:?}: {step} us between frames");
            }
        }
        let jumps = match quirk {
            Q::RtpTsReset | Q::RtpTsBackward | Q::RtpTsStep => true,
            Q::SsrcOther => e.variant == 1,
            _ => false,
        };
        let promised = usize::from(jumps && kind == TrackKind::Video);
        need!(wrong, breaks == promised, "{kind:?}: {breaks} breaks in time, not {promised}");
        for arrived in frames {
            let frame = &arrived.frame;
            need!(wrong, frame.dts <= frame.pts, "decoded after it is shown");
            let late = arrived.wall.us_since(frame.wall);
            need!(wrong, late.abs() < WALL_ERROR_US_MAX, "{kind:?}: wall time {late} us off");
        }
    }
    wrong.truncate(5);
    wrong
}

/// What the row's outcome says beyond that pictures come.
fn outcome(e: &Evidence<'_>) -> Vec<String> {
    match e.row.layer.as_str() {
        "url-sdp" => url_sdp(e),
        "auth-session" => auth_session(e),
        "keep-alive" => keep_alive(e),
        "transport" => transport(e),
        "rtp-time" => Vec::new(),
        _ => codec(e),
    }
}

fn url_sdp(e: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let sound = e.seen.count(TrackKind::Audio);
    let announced = |kind| e.status.tracks.iter().any(|t| t.kind() == kind);
    let setups = || e.sent.requests.iter().filter(|r| r.method == "SETUP");
    match e.row.quirk {
        Q::UrlBaseOtherHost => {
            let here = e.camera.url();
            let here = here.trim_end_matches("/stream");
            let strays = e.sent.requests.iter().filter(|r| !r.uri.starts_with(here)).count();
            need!(wrong, strays == 0, "{strays} requests for another host");
        }
        Q::UrlControlJoin => {
            let joined = setups().all(|r| r.uri.ends_with("?channel=1&subtype=0/trackID=0"));
            need!(wrong, joined, "SETUP elsewhere");
        }
        Q::UrlRedirect => {
            let moved = setups().all(|r| r.uri.contains("/moved"));
            need!(wrong, moved, "SETUP elsewhere");
        }
        Q::SdpFmtpStray | Q::SdpOpusClock => need!(wrong, sound > 50, "{sound} frames of sound"),
        Q::SdpPcmName | Q::SdpMimeGuess => {
            need!(wrong, !announced(TrackKind::Audio), "sound is announced that nobody knows");
            need!(wrong, sound == 0, "{sound} frames of sound that nobody knows");
        }
        Q::SdpTwoRtpmap => {
            let back = setups().filter(|r| r.uri.ends_with("trackID=5")).count();
            need!(wrong, back == 0, "the back channel is set up");
        }
        _ => {}
    }
    if e.row.quirk == Q::SdpOpusClock {
        let opus = e.status.tracks.iter().find(|t| t.kind() == TrackKind::Audio);
        let known = opus.map(|t| (t.rate.get(), t.params.audio()));
        need!(wrong, known == Some((48_000, Some((48_000, 2)))), "Opus is taken as {known:?}");
    }
    wrong
}

fn auth_session(e: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let (sent, runs) = (&e.sent, e.seen.runs.len());
    match e.row.quirk {
        Q::AuthNeedsUserAgent => {
            need!(wrong, sent.unauthorized == 0, "{} times 401", sent.unauthorized);
        }
        Q::AuthManyChallenges | Q::AuthDigestOnly => {
            let basic = |r: &&fakecam::Seen| {
                r.header("Authorization")
                    .is_some_and(|a| a.to_ascii_lowercase().starts_with("basic"))
            };
            need!(wrong, sent.requests.iter().find(basic).is_none(), "the password was sent");
        }
        Q::AuthNonceExpires => {
            need!(wrong, sent.plays == 1, "{} sessions", sent.plays);
            need!(wrong, sent.unauthorized >= 2, "{} times 401", sent.unauthorized);
        }
        Q::AuthKaUnsigned => {
            need!(wrong, sent.keep_alives >= 1, "no keep-alive");
            need!(wrong, runs == 1, "{runs} sessions");
        }
        Q::AuthNoncePerConn | Q::SessDescribeAgain | Q::SessConfigDrop => {
            need!(wrong, sent.plays >= 2 && runs >= 2, "{} sessions", sent.plays);
        }
        Q::SessDescribeOnce => need!(wrong, sent.count("DESCRIBE") == 1, "asks again"),
        Q::SessIdChanges => {
            let sound = e.seen.count(TrackKind::Audio);
            need!(wrong, sound > 50, "{sound} frames of sound");
            need!(wrong, sent.plays == 1, "{} sessions", sent.plays);
        }
        Q::SessLimit | Q::SessSlowBoot => {
            need!(wrong, runs == 1, "{runs} sessions");
            need!(wrong, e.status.attempts >= 2, "{} attempts", e.status.attempts);
            need!(wrong, e.status.trouble.is_none(), "still {:?}", e.status.trouble);
        }
        _ => need!(wrong, runs == 1, "{runs} sessions"),
    }
    wrong
}

fn keep_alive(e: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let sent = &e.sent;
    match e.row.quirk {
        Q::KaGetParameterOnly => {
            need!(wrong, sent.expired >= 1, "nothing was to be learned");
            let asked = sent.count("GET_PARAMETER");
            need!(wrong, asked >= 1, "GET_PARAMETER is not tried");
        }
        Q::KaShort => need!(wrong, sent.expired >= 1, "nothing was to be learned"),
        quirk => {
            need!(wrong, sent.expired == 0, "{} sessions died", sent.expired);
            need!(wrong, e.seen.runs.len() == 1, "{} sessions", e.seen.runs.len());
            let reports = quirk == Q::KaRtcp5s;
            let kept = if reports { sent.receiver_reports } else { sent.keep_alives };
            need!(wrong, kept >= 1, "nothing kept the session");
        }
    }
    wrong
}

fn transport(e: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let last = e.sent.requests.iter().rev().find(|r| r.method == "SETUP");
    let tcp = last.and_then(|r| r.header("Transport")).is_some_and(|t| t.contains("/TCP"));
    match e.row.quirk {
        Q::Tr461Udp | Q::TrUdpSilent => need!(wrong, tcp, "does not change to TCP"),
        Q::Tr461Tcp => need!(wrong, !tcp, "does not change to UDP"),
        Q::TrNoServerPort | Q::TrUdpJumbo | Q::TrUdpLoss => need!(wrong, !tcp, "leaves UDP"),
        Q::TrChannels => {
            let sound = e.seen.count(TrackKind::Audio);
            need!(wrong, sound > 50, "{sound} frames of sound");
        }
        Q::TrTcpStall => {
            let blocked = e.sent.blocked_max;
            need!(wrong, blocked.as_millis() < 900, "a write blocked for {blocked:?}");
        }
        Q::TrTlsOdd => {
            let shown = e.status.certificate.as_ref().map(|c| hex(&c.sha256));
            need!(wrong, shown == e.camera.certificate_sha256(), "another certificate is reported");
        }
        _ => {}
    }
    if e.row.quirk == Q::TrUdpLoss {
        let hole = e.seen.runs.iter().flat_map(|r| &r.frames).any(|a| a.frame.damaged);
        need!(wrong, hole || e.sent.lost == 0, "no frame is marked as damaged");
        need!(wrong, e.seen.runs.len() == 1, "{} sessions", e.seen.runs.len());
    }
    wrong
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn codec(e: &Evidence<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let pictures = || e.seen.runs.iter().flat_map(|r| r.of(TrackKind::Video));
    let size = pictures().last().and_then(|a| a.frame.params.resolution());
    match e.row.quirk {
        Q::FuBroken => {
            let holes = pictures().filter(|a| a.frame.damaged).count();
            let all = pictures().count();
            // One in ten is broken; what depends on it is whole.
            need!(wrong, holes >= 2 && holes * 5 < all, "{holes} of {all} are marked as damaged");
        }
        Q::AacAdts | Q::AacFrag => {
            let sound = e.seen.count(TrackKind::Audio);
            need!(wrong, sound > 30, "{sound} frames of sound");
            let headers = e.seen.runs.iter().flat_map(|r| r.of(TrackKind::Audio));
            let bare = headers.filter(|a| a.frame.data.starts_with(&[0xff, 0xf1])).count();
            need!(wrong, bare == 0, "{bare} frames of sound have ADTS headers");
            let known = e.status.tracks.iter().find_map(|t| t.params.audio());
            need!(wrong, known == Some((16_000, 1)), "sound is taken as {known:?}");
        }
        Q::ResLie | Q::SpsTrailing | Q::SpsFlap | Q::PsSdpOnly | Q::PsInbandOnly | Q::NalAnnexb => {
            need!(wrong, size == Some((640, 360)), "the size is {size:?}");
        }
        Q::H265Only4k => need!(wrong, size == Some((3840, 2160)), "the size is {size:?}"),
        Q::Jpeg2040 => need!(wrong, size == Some((2560, 1440)), "the size is {size:?}"),
        Q::IdrOpen => {
            let keys = pictures().filter(|a| a.frame.random_access).count();
            let promised = if e.variant == 0 { keys >= 3 } else { keys == 1 };
            need!(wrong, promised, "{keys} points of random access");
        }
        Q::Bframes => {
            let later = pictures().filter(|a| a.frame.pts > a.frame.dts).count();
            need!(wrong, later > 10, "{later} pictures wait to be shown");
        }
        _ => {}
    }
    let known = !pictures().any(|a| matches!(*a.frame.params, Params::Pending(_)));
    // An SPS that is cut short has no parameters that could be known, and sets that come late come
    // after pictures.
    let unknown = matches!(e.row.quirk, Q::SpsHard | Q::PsInbandOnly);
    need!(wrong, known || unknown, "pictures without parameters");
    wrong
}
