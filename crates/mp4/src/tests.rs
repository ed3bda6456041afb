use std::sync::Arc;

use media::codec::{Codec, aac, g711, h264, h265, mjpeg, opus};
use media::{Params, Rate};

use super::*;
use crate::progressive::{Chunk, Edit, ExportTrack};
use crate::read::SampleTables;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn avc() -> Params {
    let sps = hex("67640028acb200f0044fcb8088000003000800000301e078c19240");
    Params::H264(h264::Params::parse(&sps, &hex("68ebc3cb22c0")).unwrap())
}

fn hevc() -> Params {
    let vps = hex("40010c01ffff016000000300900000030000030078928090");
    let sps = hex(
        "420101016000000300900000030000030078a003c08010e5964a924caf016808000003000800000300c840",
    );
    let pps = hex("4401c172b46240");
    Params::H265(h265::Params::parse(&vps, &sps, &pps).unwrap())
}

fn every_codec() -> Vec<(Params, u32)> {
    let law = |law| Params::G711(g711::Params { law, sample_rate: 8_000, channels: 1 });
    vec![
        (avc(), 90_000),
        (hevc(), 90_000),
        (Params::Mjpeg(mjpeg::Params { width: 640, height: 360 }), 90_000),
        (Params::Aac(aac::Params::parse_config(&[0x14, 0x08]).unwrap()), 16_000),
        (law(g711::Law::A), 8_000),
        (law(g711::Law::Mu), 8_000),
        (Params::Opus(opus::Params { channels: 2, pre_skip: 312 }), 48_000),
        (Params::Metadata, 90_000),
    ]
}

#[test]
fn every_codec_reads_back_as_it_was_written() {
    let tracks: Vec<InitTrack> = (1..)
        .zip(every_codec())
        .map(|(id, (p, rate))| InitTrack {
            id,
            rate: Rate::new(rate).unwrap(),
            params: Arc::new(p),
        })
        .collect();
    let extra = uuid_box(*b"0123456789abcdef", b"hello");
    let data = init(&tracks, &extra).unwrap();
    let ftyp = read::box_header(&data).unwrap().unwrap();
    assert_eq!(&ftyp.kind, b"ftyp");
    let moov = &data[usize::try_from(ftyp.size.unwrap()).unwrap()..];
    let back = read::moov(moov).unwrap();
    assert!(back.fragmented);
    assert_eq!(back.extra, [(*b"0123456789abcdef", b"hello".to_vec())]);
    assert_eq!(back.tracks.len(), tracks.len());
    for (was, is) in tracks.iter().zip(&back.tracks) {
        assert_eq!((was.id, was.rate), (is.id, is.rate));
        assert_eq!(*was.params, *is.entries[0]);
    }
    for end in 0..moov.len() {
        let _ = read::moov(&moov[..end]);
    }
    for at in 0..moov.len() {
        let mut flipped = moov.to_vec();
        flipped[at] ^= 0xff;
        let _ = read::moov(&flipped);
    }
}

#[test]
fn unknown_parameters_cannot_be_written() {
    let params = Arc::new(Params::Pending(Codec::H264));
    let track = InitTrack { id: 1, rate: Rate::VIDEO, params };
    assert!(matches!(init(std::slice::from_ref(&track), &[]), Err(Error::Unsupported(_))));
    assert_eq!(mime(&[track]), None);
}

#[test]
fn fragments_read_back_as_they_were_written() {
    let video: Vec<Sample> = (0..30)
        .map(|n| Sample {
            size: 1_000 + n,
            duration: 3_000,
            composition_offset: if n % 3 == 1 { 3_000 } else { 0 },
            sync: n % 15 == 0,
        })
        .collect();
    let audio = [Sample { size: 300, duration: 1_024, composition_offset: 0, sync: true }; 20];
    let one = [video[0]];
    for (video, audio) in [(&video[..], &audio[..]), (&one, &audio[..1])] {
        let runs = [
            Run { track: 1, decode_time: 1 << 40, samples: video },
            Run { track: 2, decode_time: 77, samples: audio },
        ];
        let data = fragment_header(9, &runs).unwrap();
        let back = read::moof(&data).unwrap();
        assert_eq!((back.sequence, back.runs.len()), (9, 2));
        let mut offset = data.len() as u64;
        for (was, is) in runs.iter().zip(&back.runs) {
            assert_eq!((was.track, was.decode_time), (is.track, is.decode_time));
            assert_eq!((was.samples, offset), (&is.samples[..], is.data_offset));
            offset += was.samples.iter().map(|s| u64::from(s.size)).sum::<u64>();
        }
        let mdat = read::box_header(&data[data.len() - 8..]).unwrap().unwrap();
        assert_eq!((mdat.kind, mdat.size), (*b"mdat", Some(offset - data.len() as u64 + 8)));
        for end in 0..data.len() {
            let _ = read::moof(&data[..end]);
        }
        for at in 0..data.len() * 8 {
            let mut flipped = data.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            let _ = read::moof(&flipped);
        }
    }
}

#[test]
fn a_fragment_without_some_of_its_tracks() {
    let sample = |size| Sample { size, duration: 10, composition_offset: 0, sync: true };
    let (a, b, c) = ([sample(5), sample(6)], [sample(70)], [sample(800)]);
    let run = |track, samples| Run { track, decode_time: u64::from(track), samples };
    let data = fragment_header(3, &[run(1, &a), run(2, &b), run(4, &c)]).unwrap();
    let part = read::moof(&data).unwrap().only(&[4, 1, 9]).unwrap();
    let len = data.len() as u64;
    assert_eq!(part.payload, [len..len + 11, len + 81..len + 881]);
    assert_eq!(part.header, fragment_header(3, &[run(1, &a), run(4, &c)]).unwrap());
}

#[test]
fn limits_of_fragments() {
    let huge = Sample { size: 1 << 31, duration: 1, composition_offset: 0, sync: true };
    let two = [huge; 2];
    let one = &two[..1];
    fn run(samples: &[Sample]) -> Run<'_> {
        Run { track: 1, decode_time: 0, samples }
    }
    assert!(fragment_header(1, &[run(one)]).is_ok());
    assert_eq!(fragment_header(1, &[run(&two)]), Err(Error::Limit("mdat")));
    assert_eq!(fragment_header(1, &[run(one); 2]), Err(Error::Limit("data offset")));
    let many = vec![Sample { size: 0, ..huge }; SAMPLES_MAX + 1];
    assert_eq!(fragment_header(1, &[run(&many)]), Err(Error::Limit("frames in a fragment")));
    assert_eq!(fragment_header(1, &[run(&[]); 33]), Err(Error::Limit("runs in a fragment")));
    // A `trun` that counts more frames than it has bytes, or than anybody has.
    let mut data = fragment_header(1, &[run(one)]).unwrap();
    let at = data.windows(4).position(|w| w == b"trun").unwrap() + 8;
    data[at..at + 4].copy_from_slice(&60_000_u32.to_be_bytes());
    assert!(matches!(read::moof(&data), Err(Error::Truncated { .. })));
    data[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read::moof(&data), Err(Error::Limit("frames in a fragment")));
}

#[test]
fn what_a_player_is_told() {
    let track = |id, params| InitTrack { id, rate: Rate::VIDEO, params: Arc::new(params) };
    let mut codecs = every_codec().into_iter().map(|(p, _)| p);
    let (avc, hevc) = (codecs.next().unwrap(), codecs.next().unwrap());
    let aac = codecs.nth(1).unwrap();
    let both = [track(1, avc), track(2, aac.clone()), track(3, Params::Metadata)];
    assert_eq!(mime(&both).unwrap(), "video/mp4; codecs=\"avc1.640028,mp4a.40.2\"");
    assert_eq!(mime(&[track(1, hevc)]).unwrap(), "video/mp4; codecs=\"hvc1.1.6.L120.90\"");
    assert_eq!(mime(&[track(1, aac)]).unwrap(), "audio/mp4; codecs=\"mp4a.40.2\"");
    assert_eq!(mime(&[track(1, Params::Metadata)]), None);
}

#[test]
fn sample_entries_without_sets_wait_for_the_frames() {
    let track = InitTrack { id: 1, rate: Rate::VIDEO, params: Arc::new(avc()) };
    let mut moov = init(&[track], &[]).unwrap()[28..].to_vec();
    let at = moov.windows(4).position(|w| w == b"avcC").unwrap() + 9;
    // No SPS, no PPS; what follows is passed over.
    moov[at..at + 2].copy_from_slice(&[0xe0, 0]);
    let back = read::moov(&moov).unwrap();
    assert_eq!(*back.tracks[0].entries[0], Params::Pending(Codec::H264));
}

/// Two picture tracks' worth of everything a head can say.
fn export(size: u32) -> (Vec<ExportTrack>, Vec<Chunk>) {
    let sample = |n: u32| Sample {
        size: size + n,
        duration: 3_000 + n / 5,
        composition_offset: if n.is_multiple_of(3) { -7 } else { 6_000 },
        sync: n.is_multiple_of(4),
    };
    let video = ExportTrack {
        rate: Rate::VIDEO,
        entries: vec![Arc::new(avc()), Arc::new(avc())],
        samples: (0..10).map(sample).collect(),
        edit: Some(Edit { delay_us: 250_000, start: 3_000, duration_us: 100_000 }),
    };
    let sound = Params::G711(g711::Params { law: g711::Law::A, sample_rate: 8_000, channels: 1 });
    let audio = ExportTrack {
        rate: Rate::new(8_000).unwrap(),
        entries: vec![Arc::new(sound)],
        samples: vec![Sample { size: 160, duration: 160, composition_offset: 0, sync: true }; 6],
        edit: None,
    };
    let bytes = |t: &ExportTrack, from: usize, to: usize| {
        t.samples[from..to].iter().map(|s| u64::from(s.size)).sum()
    };
    let chunks = vec![
        Chunk { track: 0, samples: 4, entry: 0, size: bytes(&video, 0, 4) },
        Chunk { track: 1, samples: 3, entry: 0, size: bytes(&audio, 0, 3) },
        Chunk { track: 0, samples: 4, entry: 1, size: bytes(&video, 4, 8) },
        Chunk { track: 1, samples: 3, entry: 0, size: bytes(&audio, 3, 6) },
        Chunk { track: 0, samples: 2, entry: 1, size: bytes(&video, 8, 10) },
    ];
    (vec![video, audio], chunks)
}

/// The `moov` of a head, and the header of its `mdat`.
fn parts(head: &[u8]) -> (&[u8], read::BoxHeader) {
    let ftyp = usize::try_from(read::box_header(head).unwrap().unwrap().size.unwrap()).unwrap();
    let moov = read::box_header(&head[ftyp..]).unwrap().unwrap();
    let end = ftyp + usize::try_from(moov.size.unwrap()).unwrap();
    let mdat = read::box_header(&head[end..]).unwrap().unwrap();
    assert_eq!((&moov.kind, &mdat.kind), (b"moov", b"mdat"));
    assert_eq!(head.len(), end + usize::from(mdat.header_len));
    (&head[ftyp..end], mdat)
}

#[test]
fn heads_read_back_as_they_were_written() {
    // Small, and with offsets that 32 bits do not hold.
    for (size, large) in [(1_000, false), (1 << 30, true)] {
        let (tracks, chunks) = export(size);
        let head = progressive::head(&tracks, &chunks, None).unwrap();
        let (moov, mdat) = parts(&head);
        let payload: u64 = chunks.iter().map(|c| c.size).sum();
        assert_eq!(mdat.size, Some(payload + u64::from(mdat.header_len)));
        assert_eq!(mdat.header_len, if large { 16 } else { 8 });
        assert_eq!(moov.windows(4).any(|w| w == b"co64"), large);
        let back = read::moov(moov).unwrap();
        assert_eq!(back.tracks[0].tables.edit_start(), Some(3_000));
        for (index, (was, is)) in tracks.iter().zip(&back.tracks).enumerate() {
            assert_eq!((&was.entries, was.rate), (&is.entries, is.rate));
            let mut expect = Vec::new();
            let (mut offset, mut time, mut n) = (head.len() as u64, 0, 0);
            for chunk in &chunks {
                let mut at = offset;
                for _ in 0..if chunk.track == index { chunk.samples } else { 0 } {
                    let sample = was.samples[n];
                    let entry = chunk.entry as usize;
                    expect.push(read::Located { offset: at, decode_time: time, sample, entry });
                    at += u64::from(sample.size);
                    time += u64::from(sample.duration);
                    n += 1;
                }
                offset += chunk.size;
            }
            assert_eq!(is.tables.iter().collect::<Vec<_>>(), expect);
        }
    }
}

#[test]
fn heads_of_nonsense_are_refused() {
    let (tracks, chunks) = export(1_000);
    let check = |change: &dyn Fn(&mut Vec<Chunk>)| {
        let mut chunks = chunks.clone();
        change(&mut chunks);
        assert!(matches!(progressive::head(&tracks, &chunks, None), Err(Error::Malformed(_))));
    };
    check(&|c| c[0].track = 2);
    check(&|c| c[0].entry = 2);
    check(&|c| c[0].size += 1);
    check(&|c| c[0].samples = 5);
    check(&|c| c[0].samples = u32::MAX);
    check(&|c| c.truncate(4));
    check(&|c| c.push(c[0]));
}

#[test]
fn broken_tables_end_early_and_never_panic() {
    let (tracks, chunks) = export(1_000);
    let head = progressive::head(&tracks, &chunks, None).unwrap();
    let (moov, _) = parts(&head);
    let frames = |t: &SampleTables| assert!(t.iter().take(100_000).count() <= t.len().max(1));
    for at in 0..moov.len() * 8 {
        let mut flipped = moov.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        let Ok(init) = read::moov(&flipped) else { continue };
        init.tracks.iter().for_each(|t| frames(&t.tables));
    }
    for end in 0..moov.len() {
        assert!(read::moov(&moov[..end]).is_err());
    }
}

#[test]
fn headers_of_boxes() {
    use read::box_header;
    assert_eq!(box_header(&[0; 7]), Ok(None));
    assert!(box_header(&[0, 0, 0, 7, b'm', b'o', b'o', b'v']).is_err());
    let large = [0, 0, 0, 1, b'm', b'd', b'a', b't', 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(box_header(&large[..15]), Ok(None));
    assert_eq!(box_header(&large).unwrap().unwrap().size, Some(1 << 32));
    assert_eq!(box_header(b"\0\0\0\0free").unwrap().unwrap().size, None);
}
