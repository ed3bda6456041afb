use super::*;

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker][..], &len, body].concat()
}

fn huffman() -> Vec<u8> {
    let dc: Vec<u8> = (0..12).collect();
    [
        &[0x00][..],
        &DC_LUMA,
        &dc,
        &[0x10],
        &AC_LUMA,
        &AC_LUMA_SYMBOLS,
        &[0x01],
        &DC_CHROMA,
        &dc,
        &[0x11],
        &AC_CHROMA,
        &AC_CHROMA_SYMBOLS,
    ]
    .concat()
}

struct Jpeg {
    sampling: [u8; 3],
    tables: [u8; 3],
    width: u16,
    restart: Option<u16>,
    start_of_frame: u8,
    huffman: Vec<u8>,
    scan: Vec<u8>,
}

impl Jpeg {
    fn new() -> Self {
        let scan = (0..300).map(|i| (i % 251) as u8).collect();
        Self {
            sampling: [0x22, 0x11, 0x11],
            tables: [0, 1, 1],
            width: 33,
            restart: None,
            start_of_frame: 0xc0,
            huffman: huffman(),
            scan,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let [w1, w0] = self.width.to_be_bytes();
        let mut frame = vec![8, 0, 16, w1, w0, 3];
        for (id, (sampling, table)) in (1..).zip(self.sampling.iter().zip(self.tables)) {
            frame.extend_from_slice(&[id, *sampling, table]);
        }
        let quant = [&[0][..], &[11; 64], &[1], &[22; 64], &[2], &[33; 64]].concat();
        let mut out = vec![0xff, 0xd8];
        out.extend(segment(0xe0, b"JFIF\0"));
        out.extend(segment(0xdb, &quant));
        out.push(0xff);
        out.extend(segment(self.start_of_frame, &frame));
        out.extend(segment(0xc4, &self.huffman));
        if let Some(interval) = self.restart {
            out.extend(segment(0xdd, &interval.to_be_bytes()));
        }
        out.extend(segment(0xda, &[3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]));
        out.extend_from_slice(&self.scan);
        out.extend_from_slice(&[0xff, 0xd9, 0, 0]);
        out
    }

    fn packets(&self, payload_max: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut out = Writer {
            data: Vec::new(),
            ends: Vec::new(),
            header: super::super::Header { channel: 0, payload_type: 26, ssrc: 0, seq: 0 },
            timestamp: 0,
            payload_max,
            last: 0,
        };
        let params = media::codec::mjpeg::Params { width: 33, height: 16 };
        let frame = Frame {
            track: media::TrackId(0),
            pts: media::Ticks(0),
            dts: media::Ticks(0),
            wall: media::Wall(0),
            random_access: true,
            damaged: false,
            discontinuity: false,
            params: std::sync::Arc::new(media::Params::Mjpeg(params)),
            data: self.bytes().into(),
        };
        write(&mut out, &frame)?;
        let packets = super::super::Packets { data: out.data.into(), ends: out.ends };
        let count = packets.ends.len();
        for (i, packet) in packets.iter().enumerate() {
            assert_eq!(packet[1] & 0x80 != 0, i + 1 == count, "marker on the last only");
        }
        Ok(packets.iter().map(|p| p[12..].to_vec()).collect())
    }
}

#[test]
fn a_picture_in_fragments() {
    let jpeg = Jpeg::new();
    let got = jpeg.packets(240).unwrap();
    let head = |offset: u8| vec![0, 0, 0, offset, 1, 255, 5, 2];
    let first = [&head(0)[..], &[0, 0, 0, 128], &[11; 64], &[22; 64], &jpeg.scan[..100]].concat();
    assert_eq!(got, [first, [&head(100)[..], &jpeg.scan[100..]].concat()]);
}

#[test]
fn restart_intervals_and_sampling_change_the_type() {
    let jpeg = Jpeg { sampling: [0x21, 0x11, 0x11], restart: Some(260), ..Jpeg::new() };
    let got = jpeg.packets(240).unwrap();
    for packet in &got {
        assert_eq!(packet[4..12], [64, 255, 5, 2, 1, 4, 0xff, 0xff]);
    }
    assert_eq!(got[0][12..16], [0, 0, 0, 128]);
    assert_eq!(got.len(), 2);
    // An interval of zero is none.
    let none = Jpeg { restart: Some(0), ..Jpeg::new() };
    assert_eq!(none.packets(1_000).unwrap()[0][4], 1);
}

#[test]
fn what_the_format_cannot_carry_is_refused() {
    let cases = [
        (Jpeg { sampling: [0x11; 3], ..Jpeg::new() }, Error::Unsupported("JPEG sampling")),
        (Jpeg { sampling: [0x41, 0x11, 0x11], ..Jpeg::new() }, Error::Unsupported("JPEG sampling")),
        (Jpeg { tables: [0, 1, 2], ..Jpeg::new() }, Error::Unsupported("JPEG with three tables")),
        (Jpeg { tables: [0, 3, 3], ..Jpeg::new() }, Error::Malformed("JPEG table missing")),
        (Jpeg { tables: [0, 9, 9], ..Jpeg::new() }, Error::Malformed("JPEG table missing")),
        (Jpeg { width: 2_041, ..Jpeg::new() }, Error::TooLarge("JPEG picture side")),
        (Jpeg { width: 0, ..Jpeg::new() }, Error::Malformed("JPEG size")),
        (
            Jpeg { start_of_frame: 0xc2, ..Jpeg::new() },
            Error::Unsupported("JPEG that is not baseline"),
        ),
    ];
    for (jpeg, expect) in cases {
        assert_eq!(jpeg.packets(1_000), Err(expect));
    }
    let mut own = Jpeg::new();
    own.huffman[30] ^= 1;
    assert_eq!(own.packets(1_000), Err(Error::Unsupported("JPEG Huffman tables of its own")));
    let small = Error::Unsupported("JPEG tables in so small a packet");
    assert_eq!(Jpeg::new().packets(140), Err(small));
    // Pictures without Huffman tables mean the usual ones.
    assert!(Jpeg { huffman: Vec::new(), ..Jpeg::new() }.packets(1_000).is_ok());
}

#[test]
fn broken_pictures_do_no_harm() {
    let whole = Jpeg { restart: Some(4), ..Jpeg::new() }.bytes();
    assert!(parse(&whole).is_ok());
    for cut in 0..whole.len() {
        let _ = parse(&whole[..cut]);
        for bits in [0x01, 0x80, 0xff] {
            let mut broken = whole.clone();
            broken[cut] ^= bits;
            let _ = parse(&broken);
        }
    }
}
