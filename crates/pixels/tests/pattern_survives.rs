//! The pattern, encoded and decoded again at 320 pixels, still says which picture it is: every
//! one, in the picture and beside it.
#![allow(clippy::unwrap_used, reason = "this file is all tests")]

mod support;

use media::Params;
use media::codec::Codec;
use pixels::pattern::{Code, read, read_sei};
use pixels::{Decoder, Luma};
use support::{config, encoder, frame, settings, stamp};

/// Encodes `count` pictures, decodes them, and compares.
fn check(codec: Codec, size: (u32, u32), bit_rate: u64, count: u32) {
    let settings = settings(codec, size, bit_rate);
    let Some(mut encoder) = encoder(&settings) else { return };
    let mut decoder = Decoder::open(&config(), &Params::Pending(codec), 320).unwrap();
    let (mut sent, mut seen, mut bytes) = (0, Vec::<Luma>::new(), 0);
    for n in 0..count {
        for packet in encoder.draw(stamp(7, n)).unwrap() {
            assert_eq!(packet.number, sent);
            assert_eq!(packet.stamp, Some(stamp(7, n)), "no delay");
            assert_eq!(read_sei(&packet.data), packet.stamp);
            assert_eq!(packet.random_access, n % settings.gop == 0);
            assert_eq!(packet.params.codec(), codec);
            assert_eq!(packet.params.resolution(), Some(size));
            sent += 1;
            bytes += packet.data.len();
            seen.extend(decoder.decode(&frame(&packet)).unwrap());
        }
    }
    seen.extend(decoder.finish().unwrap());
    assert_eq!(seen.len(), count as usize, "every picture was decoded");
    for (n, picture) in seen.iter().enumerate() {
        assert_eq!(picture.width, 320);
        let code = read(&picture.luma, picture.width, picture.height, picture.width);
        let n = u32::try_from(n).unwrap();
        assert_eq!(code, Some(Code::from(stamp(7, n))), "{codec} {size:?} picture {n}");
    }
    let seconds = f64::from(count) / 30.0;
    let rate = bytes as f64 * 8.0 / seconds;
    eprintln!("{codec} {size:?} with {}: {rate:.0} bit/s of {bit_rate}", encoder.name());
    // The ceiling holds, but for the buffer of half a second.
    assert!(rate * seconds < bit_rate as f64 * (seconds + 0.75), "{rate}");
}

#[test]
fn h264_of_a_large_picture() {
    check(Codec::H264, (1920, 1080), 4_000_000, 75);
}

#[test]
fn h264_of_a_small_picture_at_little() {
    check(Codec::H264, (640, 360), 300_000, 150);
}

#[test]
fn h264_of_odd_shapes() {
    check(Codec::H264, (704, 576), 500_000, 40);
    check(Codec::H264, (360, 640), 300_000, 40);
}

#[test]
fn h265() {
    check(Codec::H265, (1280, 720), 1_000_000, 40);
    check(Codec::H265, (640, 360), 300_000, 75);
}
