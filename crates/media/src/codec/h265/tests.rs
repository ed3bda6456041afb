use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

const PPS_HEX: &str = "4401c172b46240";

/// VPS and SPS as x265 writes them, with what ffprobe says of them.
const SETS: &[(&str, &str, (u32, u32), &str, f64, bool)] = &[
    (
        "40010c01ffff016000000300900000030000030078928090",
        "420101016000000300900000030000030078a003c08010e5964a924caf016808000003000800000300c840",
        (1920, 1080),
        "hvc1.1.6.L120.90",
        25.0,
        false,
    ),
    (
        "40010c01ffff01600000030090000003000003003f959409",
        "42010101600000030090000003000003003fa005120171c926595964932bc05a020000030002000003001e10",
        (642, 362),
        "hvc1.1.6.L63.90",
        15.0,
        true,
    ),
];

#[test]
fn sets_say_what_ffprobe_says() {
    for (vps, sps, size, string, fps, reordered) in SETS {
        let p = Params::parse(&hex(vps), &hex(sps), &hex(PPS_HEX)).unwrap();
        assert_eq!((p.width, p.height), *size, "{string}");
        assert_eq!(p.codec_string(), *string);
        assert_eq!(p.frame_rate, Some(*fps), "{string}");
        assert_eq!(p.reordered, *reordered, "{string}");
        assert_eq!((p.chroma_format, p.luma_bits, p.chroma_bits), (1, 8, 8));
    }
}

#[test]
fn rubbish_is_refused_without_panic() {
    let (vps, sps, pps) = (hex(SETS[0].0), hex(SETS[0].1), hex(PPS_HEX));
    assert!(Params::parse(&sps, &vps, &pps).is_err());
    assert!(Params::parse(&[], &[], &[]).is_err());
    for end in 0..sps.len() {
        let _ = Params::parse(&vps, &sps[..end], &pps);
        let _ = Params::parse(&vps[..end.min(vps.len())], &sps, &pps);
    }
    for byte in 2..sps.len() {
        for bit in 0..8 {
            let mut flipped = sps.clone();
            flipped[byte] ^= 1 << bit;
            let _ = Params::parse(&vps, &flipped, &pps);
        }
    }
}

#[test]
fn units_are_told_apart() {
    assert_eq!(unit_type(0x26), 19);
    assert!(is_irap(16) && is_irap(21) && is_irap(23) && !is_irap(1) && !is_irap(24));
    assert!(is_rasl(8) && is_rasl(9) && !is_rasl(7));
    assert!(first_slice_in_picture(&[0x26, 1, 0x80]));
    assert!(!first_slice_in_picture(&[0x26, 1, 0x00]));
    assert!(!first_slice_in_picture(&[0x42, 1, 0x80]));
    assert_eq!(picture_type(&[0, 0, 0, 2, 0x42, 1, 0, 0, 0, 3, 0x2a, 1, 0x80]), Some(CRA));
}
