use super::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// SPS, PPS, size, codec string, frame rate, reordering.
type Case = (&'static str, &'static str, (u32, u32), &'static str, f64, bool);

/// Sets as x264 writes them, with what ffprobe says of them.
const SETS: &[Case] = &[
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
    // Interlaced.
    (
        "67640015acd941410fcb808800000300080000030190f8a14cb0",
        "68fba3cb22c0",
        (320, 240),
        "avc1.640015",
        25.0,
        true,
    ),
    // Scaling lists in the picture parameter set, odd size.
    (
        "6764000dacd94150878888c044000003000400000300c83c50a658",
        "68ebe3cb3002c0",
        (322, 242),
        "avc1.64000D",
        25.0,
        true,
    ),
    // 4:4:4, 30000/1001 frames a second.
    (
        "67f4000d919b28283f6022000007d20001d4c01e28532c",
        "68ebe3c44844",
        (320, 240),
        "avc1.F4000D",
        30_000.0 / 1_001.0,
        true,
    ),
    // 4:2:2, ten bits.
    (
        "677a000db6cd94151fe23c0440000003004000000c83c50a6580",
        "68ebe3cb22c0",
        (322, 240),
        "avc1.7A000D",
        25.0,
        true,
    ),
    // HRD parameters in the VUI.
    (
        "6764000dacb20283f6022000000300200000064c04003d08000f427261803c50a920",
        "68ebccb22c",
        (320, 240),
        "avc1.64000D",
        25.0,
        false,
    ),
    // Constrained baseline, pic_order_cnt_type 2.
    (
        "6742c00dda0507ec0440000003004000000ca3c50aa8",
        "68ce0fc8",
        (320, 240),
        "avc1.42C00D",
        25.0,
        false,
    ),
];

/// Writes bits for sets that no encoder at hand makes.
#[derive(Default)]
struct Pen(Vec<bool>);

impl Pen {
    fn bits(&mut self, value: u32, count: u32) -> &mut Self {
        self.0.extend((0..count).rev().map(|n| value >> n & 1 == 1));
        self
    }

    fn ue(&mut self, value: u32) -> &mut Self {
        let len = 32 - (value + 1).leading_zeros();
        self.bits(0, len - 1).bits(value + 1, len)
    }

    /// Bytes with emulation prevention.
    fn bytes(&mut self, head: &[u8]) -> Vec<u8> {
        self.bits(1, 1);
        let mut out = head.to_vec();
        for bits in self.0.chunks(8) {
            let byte = (0..8).fold(0, |b, n| b << 1 | u8::from(bits.get(n) == Some(&true)));
            if byte < 4 && out.ends_with(&[0, 0]) {
                out.push(3);
            }
            out.push(byte);
        }
        out
    }
}

#[test]
fn scaling_lists_and_order_count_cycles_are_passed_over() {
    let mut pen = Pen::default();
    pen.ue(0).ue(1).ue(2).ue(2).bits(0, 1).bits(1, 1);
    // A 4x4 list that ends after its first step (delta -8), a full one, an 8x8 one, none else.
    pen.bits(1, 1).ue(16).bits(1, 1);
    for _ in 0..16 {
        pen.ue(1);
    }
    pen.bits(0, 4).bits(1, 1);
    for _ in 0..64 {
        pen.ue(0);
    }
    pen.bits(0, 1);
    // frame_num, type 1 with a cycle of three, reference frames, gaps, 80x45 macroblocks.
    pen.ue(0).ue(1).bits(0, 1).ue(3).ue(4).ue(3).ue(1).ue(2).ue(9).ue(40).bits(0, 1);
    pen.ue(79).ue(44).bits(1, 1).bits(0, 1).bits(0, 1).bits(0, 1);
    let sps = pen.bytes(&[0x67, 110, 0, 31]);
    let p = Params::parse(&sps, &[0x68, 0xee]).unwrap();
    assert_eq!((p.width, p.height, p.frame_rate), (1_280, 720, None));
    assert_eq!(p.chroma_and_depths(), (1, 10, 10));
}

#[test]
fn a_mistake_behind_the_size_costs_only_what_is_behind_it() {
    let size = |crop: [u32; 4], vui: u32| {
        let mut pen = Pen::default();
        pen.ue(0).ue(0).ue(2).ue(1).bits(0, 1).ue(119).ue(67).bits(1, 1).bits(1, 1).bits(1, 1);
        crop.into_iter().for_each(|side| {
            pen.ue(side);
        });
        let sps = pen.bits(vui, 9).bytes(&[0x67, 66, 0xc0, 31]);
        let p = Params::parse(&sps, &[0x68, 0xee]).unwrap();
        (p.width, p.height, p.frame_rate, p.reordered)
    };
    // A VUI that breaks off; cropping; cropping that leaves nothing is no cropping.
    assert_eq!(size([0, 0, 0, 4], 0x1ff), (1_920, 1_080, None, false));
    assert_eq!(size([0, 0, 0, 4], 0), (1_920, 1_080, None, false));
    assert_eq!(size([0, 960, 0, 0], 0), (1_920, 1_088, None, false));
    assert_eq!(size([0, u32::MAX - 1, 0, 2], 0), (1_920, 1_088, None, false));
}

#[test]
fn the_format_of_samples() {
    let of =
        |n: usize| Params::parse(&hex(SETS[n].0), &hex(SETS[n].1)).unwrap().chroma_and_depths();
    assert_eq!([of(0), of(5), of(6), of(8)], [(1, 8, 8), (3, 8, 8), (2, 10, 10), (1, 8, 8)]);
}

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
    for set in SETS {
        let (sps, pps) = (hex(set.0), hex(set.1));
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
                let _ = Params::parse(&flipped, &pps).map(|p| p.chroma_and_depths());
            }
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
