//! The byte stream of a connection: messages and interleaved frames, whole and in pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtsp::Error;
use rtsp::message::{Item, Reader, Request, Response};

#[derive(Debug, PartialEq)]
enum Found {
    Request(Request),
    Response(Response),
    Data(u8, Vec<u8>),
}

fn read(data: &[u8], channels: u8, piece: usize) -> (Vec<Found>, Result<(), Error>) {
    let mut reader = Reader::new();
    (0..channels).for_each(|c| reader.expect_channel(c));
    let mut found = Vec::new();
    for piece in data.chunks(piece) {
        let result = reader.read(piece, &mut |item| {
            found.push(match item {
                Item::Request(request) => Found::Request(request),
                Item::Response(response) => Found::Response(response),
                Item::Data { channel, payload } => Found::Data(channel, payload.to_vec()),
            });
        });
        if result.is_err() {
            return (found, result);
        }
    }
    (found, Ok(()))
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, data)) = data.split_first() else { return };
    let (channels, piece) = (flags & 3, usize::from(flags >> 2) + 1);
    let whole = read(data, channels, usize::MAX);
    assert_eq!(read(data, channels, piece), whole, "pieces of {piece}");
    // What was understood can be said again.
    for item in whole.0 {
        let said = match &item {
            Found::Request(request) => request.encode(),
            Found::Response(response) => response.encode(),
            Found::Data(..) => continue,
        };
        let (again, result) = read(&said, 0, usize::MAX);
        assert_eq!((again.len(), result), (1, Ok(())));
        match (&item, &again[0]) {
            (Found::Request(a), Found::Request(b)) => {
                assert_eq!((&a.method, &a.body), (&b.method, &b.body));
            }
            (Found::Response(a), Found::Response(b)) => {
                assert_eq!((a.status, &a.body), (b.status, &b.body));
            }
            _ => panic!("another kind of message"),
        }
    }
});
