//! AudioSpecificConfig and ADTS headers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::codec::aac;

fuzz_target!(|data: &[u8]| {
    if let Ok(params) = aac::Params::parse_config(data) {
        assert!(params.sample_rate > 0 && params.channels > 0);
        assert!((960..=2_048).contains(&params.frame_samples()));
        assert!(params.codec_string().starts_with("mp4a.40."));
    }
    if let Some(adts) = aac::adts(data) {
        assert!(adts.header_len < adts.frame_len);
    }
});
