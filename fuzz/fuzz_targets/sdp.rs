//! Descriptions of cameras: whatever they say, what comes out is within bounds and usable.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtsp::quirk::QuirkCounts;
use rtsp::sdp::{self, MEDIAS_MAX};
use rtsp::url::{self, Url};

fuzz_target!(|data: &[u8]| {
    let mut quirks = QuirkCounts::default();
    let Ok(session) = sdp::parse(data, &mut quirks) else { return };
    assert!(session.medias.len() <= MEDIAS_MAX);
    let home = Url::parse("rtsp://192.0.2.5:8554/stream?x=1").expect("is an address");
    for media in &session.medias {
        assert!(media.payload_type < 128);
        let control = media.control.as_deref().unwrap_or_default();
        for by_the_book in [false, true] {
            let url = url::join(&home, control, by_the_book, &mut quirks);
            assert_eq!((url.host(), url.port()), (home.host(), home.port()), "leaves the host");
        }
    }
    let mut again = QuirkCounts::default();
    assert_eq!(sdp::parse(data, &mut again), Ok(session));
});
