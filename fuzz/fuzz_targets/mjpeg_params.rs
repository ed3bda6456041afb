//! The size of a JPEG picture.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::codec::mjpeg;

fuzz_target!(|data: &[u8]| {
    if let Ok(params) = mjpeg::Params::parse(data) {
        assert!(params.width > 0 && params.height > 0);
    }
});
