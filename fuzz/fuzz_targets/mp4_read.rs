//! MP4 files: every box that is read, fragments with and without what `moov` says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mp4::read::{self, Init};

/// Frames of a file that are looked at.
const SAMPLES_MAX: usize = 4_096;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let mut init: Option<Init> = None;
    while let Ok(Some(header)) = read::box_header(rest) {
        let whole = header.size.and_then(|s| usize::try_from(s).ok()).unwrap_or(rest.len());
        let Some((content, behind)) = rest.split_at_checked(whole) else { break };
        match &header.kind {
            b"moov" => init = read::moov(content).ok().or(init),
            b"moof" => {
                let _ = read::moof(content);
                if let Some(init) = &init {
                    let ids: Vec<u32> = init.tracks.iter().map(|t| t.id).take(1).collect();
                    if let Ok(fragment) = read::moof_of(content, 0, init) {
                        let _ = fragment.only(&ids);
                    }
                }
            }
            _ => {}
        }
        if whole == 0 {
            break;
        }
        rest = behind;
    }
    for track in init.iter().flat_map(|i| &i.tracks) {
        let _ = track.tables.iter().take(SAMPLES_MAX).count();
    }
    let _ = (read::moov(data), read::moof(data));
});
