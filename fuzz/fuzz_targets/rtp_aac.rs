//! RTP payloads of AAC to access units.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::Params;
use media::codec::Codec;

fuzz_target!(|data: &[u8]| fuzz::payloads(Params::Pending(Codec::Aac), data, |_| {}));
