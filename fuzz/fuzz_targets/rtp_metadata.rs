//! RTP payloads of ONVIF metadata to documents.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::Params;

fuzz_target!(|data: &[u8]| fuzz::payloads(Params::Metadata, data, |_| {}));
