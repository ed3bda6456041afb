use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

const PPS_HEX: &str = "4401c172b46240";

/// VPS, SPS, size, codec string, frame rate, reordering, (chroma format, luma and chroma bits).
type Case = (&'static str, &'static str, (u32, u32), &'static str, f64, bool, (u8, u8, u8));

/// Sets as x265 writes them, with what ffprobe says of them.
const SETS: &[Case] = &[
    (
        "40010c01ffff016000000300900000030000030078928090",
        "420101016000000300900000030000030078a003c08010e5964a924caf016808000003000800000300c840",
        (1920, 1080),
        "hvc1.1.6.L120.90",
        25.0,
        false,
        (1, 8, 8),
    ),
    (
        "40010c01ffff01600000030090000003000003003f959409",
        "42010101600000030090000003000003003fa005120171c926595964932bc05a020000030002000003001e10",
        (642, 362),
        "hvc1.1.6.L63.90",
        15.0,
        true,
        (1, 8, 8),
    ),
    // Main 10.
    (
        "40010c01ffff022000000300900000030000030096959809",
        "420101022000000300900000030000030096a001402005a1365959a4932bc05a020000030002000003003210",
        (2_560, 1_440),
        "hvc1.2.4.L150.90",
        25.0,
        true,
        (1, 10, 10),
    ),
    // 4:2:2, cropped in one direction.
    (
        "40010c01ffff0408000003009d0800000300003c959409",
        "4201010408000003009d0800000300003cb00a480f1c9e595964932bc05a020000030002000003003210",
        (322, 240),
        "hvc1.4.10.L60.9D.8",
        25.0,
        true,
        (2, 8, 8),
    ),
    // 4:4:4, twelve bits, scaling lists, 30000/1001 frames a second.
    (
        "40010c01ffff040800000300980800000300003c959809",
        "420101040800000300980800000300003c90014101e2294b2b349272bc05a02000007d20000ea601",
        (320, 240),
        "hvc1.4.10.L60.98.8",
        30_000.0 / 1_001.0,
        true,
        (3, 12, 12),
    ),
    // Without colour.
    (
        "40010c01ffff0408000003009fc800000300005a928090",
        "4201010408000003009fc800000300005ac014080785964a924caf016c08000003000800000300c840",
        (640, 480),
        "hvc1.4.10.L90.9F.C8",
        25.0,
        false,
        (0, 8, 8),
    ),
    // HRD parameters in the VUI.
    (
        "40010c01ffff01600000030090000003000003003c928090",
        "42010101600000030090000003000003003ca00a080f16592a4932bc05a0200000030020000003032c01918bc003d08000f42640",
        (320, 240),
        "hvc1.1.6.L60.90",
        25.0,
        false,
        (1, 8, 8),
    ),
];

#[test]
fn sets_say_what_ffprobe_says() {
    for (vps, sps, size, string, fps, reordered, format) in SETS {
        let p = Params::parse(&hex(vps), &hex(sps), &hex(PPS_HEX)).unwrap();
        assert_eq!((p.width, p.height), *size, "{string}");
        assert_eq!(p.codec_string(), *string);
        assert_eq!(p.frame_rate, Some(*fps), "{string}");
        assert_eq!(p.reordered, *reordered, "{string}");
        assert_eq!((p.chroma_format, p.luma_bits, p.chroma_bits), *format, "{string}");
    }
}

#[test]
fn rubbish_is_refused_without_panic() {
    assert!(Params::parse(&[], &[], &[]).is_err());
    for set in SETS {
        let (vps, sps, pps) = (hex(set.0), hex(set.1), hex(PPS_HEX));
        assert!(Params::parse(&sps, &vps, &pps).is_err());
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

#[test]
fn levels_of_temporal_layers_are_passed_over() {
    // The first set with three layers: after the general level two layers with profile and
    // level, then the rest as it was but for the layer count.
    let plain = hex("420101016000000090000000000078a003c08010e5964a924caf01");
    let mut sps = vec![0x42, 1, 0x05];
    sps.extend_from_slice(&plain[3..15]);
    sps.extend([0xf0, 0x00]);
    sps.extend([0x55; 24]);
    sps.extend_from_slice(&plain[15..]);
    let p = Params::parse(&hex(SETS[0].0), &sps, &hex(PPS_HEX)).unwrap();
    assert_eq!((p.width, p.height), (1_920, 1_080));
}
