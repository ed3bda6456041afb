use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// SPS and PPS as x264 writes them, with what ffprobe says of them.
const SETS: &[(&str, &str, (u32, u32), &str, f64, bool)] = &[
    (
        "67640028acb200f0044fcb8088000003000800000301e078c19240",
        "68ebc3cb22c0",
        (1920, 1080),
        "avc1.640028",
        30.0,
        false,
    ),
    (
        "6742c016d900a02ff930110000030001000003001e0f162e48",
        "68cb83cb20",
        (640, 362),
        "avc1.42C016",
        15.0,
        false,
    ),
    (
        "674d401eeca05a09360220000003002000000641e2c5b2c0",
        "68ebe3cb20",
        (720, 576),
        "avc1.4D401E",
        25.0,
        true,
    ),
];

#[test]
fn sets_say_what_ffprobe_says() {
    for (sps, pps, size, string, fps, reordered) in SETS {
        let p = Params::parse(&hex(sps), &hex(pps)).unwrap();
        assert_eq!((p.width, p.height), *size);
        assert_eq!(p.codec_string(), *string);
        assert_eq!(p.frame_rate, Some(*fps), "{string}");
        assert_eq!(p.reordered, *reordered, "{string}");
    }
}

#[test]
fn padding_is_stripped_and_rubbish_refused() {
    let (sps, pps) = (hex(SETS[0].0), hex(SETS[0].1));
    let mut padded = sps.clone();
    padded.extend([0, 0]);
    assert_eq!(Params::parse(&padded, &pps), Params::parse(&sps, &pps));
    assert!(Params::parse(&pps, &sps).is_err());
    assert!(Params::parse(&sps, &[]).is_err());
    for end in 0..sps.len() {
        // May be readable or not, but never panics.
        let _ = Params::parse(&sps[..end], &pps);
    }
    for byte in 4..sps.len() {
        for bit in 0..8 {
            let mut flipped = sps.clone();
            flipped[byte] ^= 1 << bit;
            let _ = Params::parse(&flipped, &pps);
        }
    }
}

#[test]
fn slices() {
    assert_eq!(first_mb_in_slice(&[0x65, 0x88, 0x84]), Some(0));
    assert_eq!(first_mb_in_slice(&[0x41, 0b0100_0000]), Some(1));
    assert_eq!(first_mb_in_slice(&[0x67, 0x88]), None);
    assert_eq!(first_mb_in_slice(&[0x65]), None);
    assert!(is_b_slice(&[0x01, 0b1010_0000]));
    assert!(!is_b_slice(&[0x65, 0x88, 0x84]));
    assert!(is_idr(&[0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x65, 0x88]));
    assert!(!is_idr(&[0, 0, 0, 2, 0x41, 0x88]));
}
