//! H.264 parameter sets and slices, and what is made of them: avcC and the codec string.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::codec::h264;

fuzz_target!(|data: &[u8]| {
    let at = data.first().map_or(0, |n| usize::from(*n)).min(data.len());
    let (sps, pps) = data.split_at(at);
    if let Ok(params) = h264::Params::parse(sps.get(1..).unwrap_or_default(), pps) {
        assert!(params.width > 0 && params.height > 0);
        assert!(params.codec_string().starts_with("avc1."));
        let (chroma, luma_bits, chroma_bits) = params.chroma_and_depths();
        assert!(chroma <= 3 && luma_bits <= 14 && chroma_bits <= 14);
    }
    let _ = (h264::first_mb_in_slice(data), h264::is_b_slice(data), h264::is_idr(data));
});
