use super::*;

fn requests() -> Vec<Request<'static>> {
    vec![
        Request::Jpeg { codec: Codec::Mjpeg, width_max: 640, picture: &[1, 2, 3] },
        Request::OpenDecoder { codec: Codec::H265, width_max: 320 },
        Request::Decode { pts: -5, picture: &[] },
        Request::Drain,
        Request::OpenEncoder(EncoderSettings {
            codec: Codec::H264,
            width: 1920,
            height: 1080,
            fps: 30,
            bit_rate: 4_000_000,
            gop: 60,
            lens: Lens::Device,
        }),
        Request::Draw { camera: 1, frame: u32::MAX, wall_us: i64::MIN },
        Request::Capture,
        Request::Trial,
    ]
}

fn replies() -> Vec<Reply<'static>> {
    let ready = Ready {
        version: VERSION,
        landlock: 7,
        seccomp: true,
        encodes: (true, false),
        libavcodec: "59.37.100".to_owned(),
    };
    let attempt = Attempt { what: "open".into(), refused: true, detail: "no".into() };
    let fault = |kind| Reply::Fault(Fault { kind, text: "không".to_owned() });
    let mut all = vec![
        Reply::Ready(ready),
        Reply::Jpeg(&[0xff, 0xd8]),
        Reply::Opened("libx264"),
        Reply::Packet { number: 3, data: &[0, 0, 1] },
        Reply::Luma { pts: 1, width: 2, height: 2, luma: &[1, 2, 3, 4] },
        Reply::Report(vec![attempt.clone(), attempt]),
        Reply::End,
    ];
    all.extend(FaultKind::ALL.map(fault));
    all
}

#[test]
fn messages_go_there_and_back_one_after_the_other() {
    let mut bytes = Vec::new();
    for request in requests() {
        request.write(&mut bytes).unwrap();
    }
    for reply in replies() {
        reply.write(&mut bytes).unwrap();
    }
    let (mut input, mut body) = (&bytes[..], Vec::new());
    for request in requests() {
        let kind = read(&mut input, &mut body).unwrap().unwrap();
        assert_eq!(Request::parse(kind, &body), Ok(request));
        assert!(Reply::parse(kind, &body).is_err());
    }
    for reply in replies() {
        let kind = read(&mut input, &mut body).unwrap().unwrap();
        assert_eq!(Reply::parse(kind, &body), Ok(reply));
        assert!(Request::parse(kind, &body).is_err());
    }
    assert_eq!(read(&mut input, &mut body).unwrap(), None);
}

#[test]
fn torn_messages_are_refused() {
    for reply in replies() {
        let mut bytes = Vec::new();
        reply.write(&mut bytes).unwrap();
        for end in 1..bytes.len() {
            assert!(read(&mut &bytes[..end], &mut Vec::new()).is_err());
            // A body that ends early, with a length that says so.
            let tail = matches!(reply, Reply::Jpeg(_) | Reply::Packet { .. });
            if end > HEAD_BYTES && !tail {
                let cut = Reply::parse(bytes[0], &bytes[HEAD_BYTES..end]);
                assert!(cut.is_err(), "{reply:?} {end}");
            }
        }
        if !matches!(reply, Reply::Jpeg(_) | Reply::Packet { .. }) {
            bytes.push(0);
            assert!(Reply::parse(bytes[0], &bytes[HEAD_BYTES..]).is_err());
        }
    }
}

#[test]
fn lengths_are_refused_before_anything_is_read() {
    for kind in 0..=u8::MAX {
        let [a, b, c, d] = u32::MAX.to_be_bytes();
        assert!(head([kind, a, b, c, d]).is_err());
        let mut input = &[kind, 0x7f, 0xff, 0xff, 0xff][..];
        let mut body = Vec::new();
        assert_eq!(read(&mut input, &mut body).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(body.capacity(), 0);
    }
    let huge = vec![0; PICTURE_BYTES_MAX + 65];
    let request = Request::Decode { pts: 0, picture: &huge };
    assert!(request.write(&mut io::sink()).is_err());
}

#[test]
fn what_is_not_a_message_never_panics() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let bytes = seed.to_be_bytes();
        for kind in [1, 2, 5, 6, 128, 130, 132, 133, 135, bytes[7]] {
            let _ = Request::parse(kind, &bytes[..(seed % 9) as usize]);
            let _ = Reply::parse(kind, &bytes[..(seed % 9) as usize]);
        }
    }
}
