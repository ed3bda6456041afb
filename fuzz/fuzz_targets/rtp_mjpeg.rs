//! RTP payloads of JPEG to pictures, whose header can be read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::Params;
use media::codec::{Codec, mjpeg};

fuzz_target!(|data: &[u8]| {
    fuzz::payloads(Params::Pending(Codec::Mjpeg), data, |unit| {
        let read = mjpeg::Params::parse(&unit.data).map(Params::Mjpeg);
        assert_eq!(read.as_ref(), Ok(&*unit.params));
    });
});
