//! H.265 parameter sets and slices, and the codec string that is made of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use media::codec::h265;

fuzz_target!(|data: &[u8]| {
    let Some((&[a, b], rest)) = data.split_first_chunk() else { return };
    let (vps, rest) = rest.split_at(usize::from(a).min(rest.len()));
    let (sps, pps) = rest.split_at(usize::from(b).min(rest.len()));
    if let Ok(params) = h265::Params::parse(vps, sps, pps) {
        assert!(params.width > 0 && params.height > 0);
        assert!(params.codec_string().starts_with("hvc1."));
    }
    let _ = (h265::first_slice_in_picture(data), h265::picture_type(data));
});
