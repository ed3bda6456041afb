use super::super::Method;
use super::*;

/// One line per item, whatever the pieces the input comes in.
fn read(reader: &mut Reader, pieces: &[&[u8]]) -> Result<Vec<String>, Error> {
    let mut items = Vec::new();
    for piece in pieces {
        reader.read(piece, &mut |item| {
            items.push(match item {
                Item::Request(r) => {
                    format!("{} {} {:?} {}", r.method, r.uri, r.headers.cseq(), r.body.len())
                }
                Item::Response(r) => format!("{} {} {}", r.status, r.reason, r.body.len()),
                Item::Data { channel, payload } => format!("${channel} {payload:?}"),
            });
        })?;
    }
    Ok(items)
}

const MIXED: &[u8] = b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 1 \r\n\r\n$\x00\x00\x03abc\r\n\
$\x01\x00\x00RTSP/1.0 200 Fine  thing \nCSeq:2\nContent-length: 4\n\n$$$$SETUP  rtsp://h/a b  RTSP/1.0\r\n\
Transport: RTP/AVP;\r\n\tunicast\r\n CSeq: 9\r\nCSeq: 3\r\n\r\n$\xff\x00\x01$";

fn expected() -> Vec<String> {
    [
        "OPTIONS rtsp://h/ Some(1) 0",
        "$0 [97, 98, 99]",
        "$1 []",
        "200 Fine  thing 4",
        "SETUP rtsp://h/a b Some(3) 0",
        "$255 [36]",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn any_cut_gives_the_same_items() {
    for cut in 0..MIXED.len() {
        for second in [cut, (cut + 1).min(MIXED.len()), MIXED.len()] {
            let mut reader = Reader::new();
            let pieces = [&MIXED[..cut], &MIXED[cut..second], &MIXED[second..]];
            assert_eq!(read(&mut reader, &pieces), Ok(expected()), "{cut} {second}");
            assert_eq!((reader.skipped_bytes(), reader.tail.len()), (2, 0), "{cut} {second}");
        }
    }
    let bytes: Vec<&[u8]> = MIXED.chunks(1).collect();
    assert_eq!(read(&mut Reader::new(), &bytes), Ok(expected()));
}

#[test]
fn whole_frames_are_borrowed_from_the_input() {
    let input = b"$\x00\x00\x02ab$\x00\x00\x02cd$\x00";
    let range = input.as_ptr_range();
    let mut seen = 0;
    let mut reader = Reader::new();
    reader
        .read(input, &mut |item| {
            let Item::Data { payload, .. } = item else { panic!("{item:?}") };
            assert!(range.contains(&payload.as_ptr()));
            seen += 1;
        })
        .unwrap();
    assert_eq!((seen, reader.tail.as_slice()), (2, &b"$\x00"[..]));
}

#[test]
fn garbage_is_passed_over_up_to_the_next_sure_thing() {
    let rtp = b"$\x00\x00\x0c\x80\x60\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03";
    for garbage in [
        &b"\x00\x01\x02"[..],
        b"xyz$$$",
        b"\x01$\x07\x00\x10\x80$\x00",
        b"R RTSP OPT",
        b"$\x09\x00\x04abcd",
        b"\x00$\x00\x00\x01\x80",
    ] {
        for known in [true, false] {
            let mut input = rtp.to_vec();
            input.extend_from_slice(garbage);
            input.extend_from_slice(rtp);
            input.extend_from_slice(b"\x01\x02RTSP/1.0 200 OK\r\n\r\n");
            let mut whole = Reader::new();
            let mut bytewise = Reader::new();
            if known {
                whole.expect_channel(0);
                bytewise.expect_channel(0);
            } else if garbage.contains(&b'$') {
                continue;
            }
            let items = read(&mut whole, &[&input]).unwrap();
            assert_eq!(items.len(), 3, "{garbage:?}: {items:?}");
            assert_eq!(items[2], "200 OK 0");
            assert_eq!(whole.skipped_bytes(), garbage.len() as u64 + 2, "{garbage:?}");
            let pieces: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(read(&mut bytewise, &pieces), Ok(items));
            assert_eq!(bytewise.skipped_bytes(), whole.skipped_bytes());
        }
    }
}

#[test]
fn frames_of_unassigned_channels_are_given_out_if_they_look_like_rtp() {
    let mut reader = Reader::new();
    reader.expect_channel(200);
    let items = read(&mut reader, &[b"$\x09\x00\x08\x80\x01\x02\x03\x04\x05\x06\x07"]).unwrap();
    assert_eq!((items.len(), reader.skipped_bytes()), (1, 0));
}

#[test]
fn what_is_refused() {
    let long = |head: &str, n: usize| format!("{head}{}", "a".repeat(n)).into_bytes();
    let many = format!("OPTIONS * RTSP/1.0\r\n{}\r\n", "a: b\r\n".repeat(129)).into_bytes();
    let cases: Vec<(Vec<u8>, Error)> = vec![
        (vec![0; 70_000], Error::PeerMisbehaved("64 KiB without a message or frame")),
        (vec![b'\n'; 70_000], Error::PeerMisbehaved("64 KiB without a message or frame")),
        (long("OPTIONS * RTSP/1.0\r\nA: ", 70_000), Error::TooLarge("message")),
        (many, Error::TooLarge("number of headers")),
        (b"OPTIONS *\r\n\r\n".to_vec(), Error::Malformed("request line")),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Error::Malformed("request line")),
        (b"OPTIONS * RTSP/2.0\r\n\r\n".to_vec(), Error::Unsupported("RTSP version")),
        (b"RTSP/1.0 OK\r\n\r\n".to_vec(), Error::Malformed("status line")),
        (b"RTSP/1.0 20000 OK\r\n\r\n".to_vec(), Error::Malformed("status line")),
        (b"OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n".to_vec(), Error::Malformed("header line")),
        (b"OPTIONS * RTSP/1.0\r\n folded\r\n\r\n".to_vec(), Error::Malformed("header line")),
        (
            b"OPTIONS * RTSP/1.0\r\nA: b\x00c\r\n\r\n".to_vec(),
            Error::Malformed("control character in a header"),
        ),
        (
            b"OPTIONS *\x07 RTSP/1.0\r\n\r\n".to_vec(),
            Error::Malformed("control character in the first line"),
        ),
        (
            b"OPTIONS * RTSP/1.0\r\nA: b\rc\r\n\r\n".to_vec(),
            Error::Malformed("control character in a header"),
        ),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 65537\r\n\r\n".to_vec(), Error::TooLarge("body")),
        (
            b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_vec(),
            Error::TooLarge("body"),
        ),
        (
            b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec(),
            Error::Malformed("Content-Length"),
        ),
        (
            b"RTSP/1.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
            Error::Malformed("Content-Length"),
        ),
    ];
    for (input, expect) in cases {
        let shown = String::from_utf8_lossy(&input[..input.len().min(60)]).into_owned();
        assert_eq!(read(&mut Reader::new(), &[&input]), Err(expect), "{shown}");
        let pieces: Vec<&[u8]> = input.chunks(7).collect();
        assert_eq!(read(&mut Reader::new(), &pieces), Err(expect), "{shown}");
    }
}

#[test]
fn odd_but_harmless_responses_are_read() {
    for (input, status, headers) in [
        (&b"RTSP/1.0 200\r\nstray text\r\nCSeq: 1\r\n\r\n"[..], 200, 1),
        (b"RTSP/1.1 404 \xe9\r\nServer: \xff\xfe\r\nA :\t b \t\r\n\r\n", 404, 2),
    ] {
        let mut got = None;
        let on_item = &mut |item: Item<'_>| {
            let Item::Response(response) = item else { panic!("{item:?}") };
            got = Some((response.status, response.headers.len()));
        };
        Reader::new().read(input, on_item).unwrap();
        assert_eq!(got, Some((status, headers)));
    }
}

#[test]
fn what_is_encoded_reads_back() {
    let mut request = Request::new(Method::SetParameter, "rtsp://h/x?a=b").with("CSeq", "4");
    request.body = Bytes::from_static(b"a: b\r\n");
    let on_item = &mut |item: Item<'_>| {
        let Item::Request(got) = item else { panic!("{item:?}") };
        assert_eq!((got.headers.get("content-length"), &got.body), (Some("6"), &request.body));
        assert_eq!((&got.method, &got.uri), (&request.method, &request.uri));
    };
    Reader::new().read(&request.encode(), on_item).unwrap();
}

#[test]
fn noise_never_panics() {
    let mut x = 0x2545_f491_u32;
    for round in 0..2_000 {
        let mut reader = Reader::new();
        if round % 2 == 0 {
            reader.expect_channel(0);
        }
        for _ in 0..8 {
            let mut input = MIXED.to_vec();
            for _ in 0..round % 40 {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                let at = x as usize % input.len();
                input[at] = (x >> 24) as u8;
            }
            if reader.read(&input, &mut |_| ()).is_err() {
                break;
            }
            assert!(reader.tail.len() <= 128 << 10);
        }
    }
}
