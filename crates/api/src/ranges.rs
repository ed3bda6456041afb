//! Byte ranges (RFC 9110, section 14): one range, its errors, and the answer in bounded pieces.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::problem::Problem;

/// Read and sent at once: large enough for a disk, small enough to hold for a thousand readers.
const PIECE_BYTES: u64 = 256 << 10;

/// Something with a length that can be read anywhere. `read` blocks.
pub(crate) trait Source: Send + Sync + 'static {
    /// Bytes from `at`; fewer than `len` only at the end.
    fn read(&self, at: u64, len: usize) -> std::io::Result<Bytes>;
}

/// What is answered besides the bytes.
pub(crate) struct Meta {
    pub(crate) len: u64,
    /// Strong validator with its quotes: other bytes, other tag.
    pub(crate) etag: String,
    pub(crate) content_type: &'static str,
    pub(crate) cache: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    Nothing,
}

/// What a `Range` header asks of `len` bytes. What is malformed, of another unit or of several
/// parts is answered with the whole, as the standard allows.
fn wanted(value: &str, len: u64) -> Wanted {
    let number = |s: &str| {
        let digits = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        // Longer than any file is as good as the end of it.
        digits.then(|| s.parse::<u64>().unwrap_or(u64::MAX))
    };
    let Some(set) = value.trim().strip_prefix("bytes=").map(str::trim) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = set.split_once('-').filter(|_| !set.contains(',')) else {
        return Wanted::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => Wanted::Nothing,
        (None, Some(_)) if first.is_empty() && len == 0 => Wanted::Nothing,
        (None, Some(count)) if first.is_empty() => Wanted::Part(len.saturating_sub(count)..len),
        (Some(from), None) if last.is_empty() && from >= len => Wanted::Nothing,
        (Some(from), None) if last.is_empty() => Wanted::Part(from..len),
        (Some(from), Some(to)) if from > to => Wanted::Whole,
        (Some(from), Some(_)) if from >= len => Wanted::Nothing,
        (Some(from), Some(to)) => Wanted::Part(from..to.saturating_add(1).min(len)),
        _ => Wanted::Whole,
    }
}

/// Whether a list of entity tags names this one (`If-None-Match`, weak comparison).
fn names(list: &HeaderValue, etag: &str) -> bool {
    list.to_str().is_ok_and(|l| {
        l.split(',').map(str::trim).any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == etag)
    })
}

/// The answer to a GET or HEAD.
pub(crate) fn answer(
    method: &Method,
    headers: &HeaderMap,
    meta: &Meta,
    source: Arc<dyn Source>,
) -> Response {
    let mut response = respond(method, headers, meta, source);
    let out = response.headers_mut();
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(meta.cache));
    if let Ok(etag) = HeaderValue::from_str(&meta.etag) {
        out.insert(header::ETAG, etag);
    }
    response
}

fn respond(method: &Method, headers: &HeaderMap, meta: &Meta, source: Arc<dyn Source>) -> Response {
    if headers.get(header::IF_NONE_MATCH).is_some_and(|list| names(list, &meta.etag)) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    // A range of bytes that the client holds in another version is of no use to it.
    let current = headers.get(header::IF_RANGE).is_none_or(|tag| tag == meta.etag.as_str());
    let range = headers.get(header::RANGE).and_then(|r| r.to_str().ok()).filter(|_| current);
    // Only GET knows ranges; a HEAD describes the whole.
    let range = range.filter(|_| method == Method::GET);
    let (status, part) = match range.map_or(Wanted::Whole, |r| wanted(r, meta.len)) {
        Wanted::Whole => (StatusCode::OK, 0..meta.len),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let mut response =
                Problem::new(status, "range", "there is nothing in this range").into_response();
            insert(&mut response, header::CONTENT_RANGE, format!("bytes */{}", meta.len));
            return response;
        }
    };
    let length = part.end - part.start;
    let body = if method == Method::HEAD { Body::empty() } else { body(source, part.clone()) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    insert(&mut response, header::CONTENT_LENGTH, length.to_string());
    insert(&mut response, header::CONTENT_TYPE, meta.content_type.to_owned());
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{}", part.start, part.end - 1, meta.len);
        insert(&mut response, header::CONTENT_RANGE, range);
    }
    response
}

fn insert(response: &mut Response, name: http::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(name, value);
    }
}

/// Reads a piece when the one before has been taken: a slow reader holds one piece.
fn body(source: Arc<dyn Source>, part: Range<u64>) -> Body {
    let pieces = stream::try_unfold((source, part), |(source, part)| async move {
        let len = PIECE_BYTES.min(part.end - part.start);
        if len == 0 {
            return Ok(None);
        }
        let (at, reader) = (part.start, Arc::clone(&source));
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let piece = tokio::task::spawn_blocking(move || reader.read(at, len))
            .await
            .map_err(std::io::Error::other)??;
        if piece.is_empty() || piece.len() > len {
            // The file is shorter than it was. The connection breaks, so that nobody takes what
            // came for the whole.
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        let next = part.start + piece.len() as u64;
        Ok(Some((piece, (source, next..part.end))))
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    struct Numbers(u64);

    impl Source for Numbers {
        fn read(&self, at: u64, len: usize) -> std::io::Result<Bytes> {
            let end = self.0.min(at + len as u64);
            Ok((at..end).map(|i| i.to_le_bytes()[0]).collect())
        }
    }

    #[test]
    fn ranges_are_read() {
        for (value, want) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..100)),
            ("bytes=10-19", Wanted::Part(10..20)),
            ("bytes= 10 - 19 ", Wanted::Part(10..20)),
            ("bytes=90-1000", Wanted::Part(90..100)),
            ("bytes=90-99999999999999999999999", Wanted::Part(90..100)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(value, 100), want, "{value}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(wanted("bytes=-5", 0), Wanted::Nothing);
    }

    async fn ask(len: u64, real: u64, headers: &[(&str, &str)]) -> (u16, HeaderMap, Option<Bytes>) {
        let meta =
            Meta { len, etag: "\"a\"".to_owned(), content_type: "video/mp4", cache: "private" };
        let headers: HeaderMap =
            headers.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        let r = answer(&Method::GET, &headers, &meta, Arc::new(Numbers(real)));
        let (parts, body) = r.into_parts();
        (parts.status.as_u16(), parts.headers, body.collect().await.ok().map(|b| b.to_bytes()))
    }

    #[tokio::test]
    async fn parts_and_wholes_are_sent_exactly() {
        let len = PIECE_BYTES * 2 + 7;
        let whole: Vec<u8> = (0..len).map(|i| i.to_le_bytes()[0]).collect();
        for (headers, status, part) in [
            (vec![], 200, 0..len),
            (vec![("range", "bytes=1-3")], 206, 1..4),
            (vec![("range", "bytes=262143-262145")], 206, 262_143..262_146),
            (vec![("range", "bytes=5-"), ("if-range", "\"a\"")], 206, 5..len),
            (vec![("range", "bytes=5-"), ("if-range", "\"b\"")], 200, 0..len),
            (vec![("range", "bytes=5-"), ("if-range", "W/\"a\"")], 200, 0..len),
        ] {
            let (got, head, body) = ask(len, len, &headers).await;
            let at = |i: u64| usize::try_from(i).unwrap();
            assert_eq!(got, status, "{headers:?}");
            assert!(body.unwrap() == whole[at(part.start)..at(part.end)], "{headers:?}");
            assert_eq!(head["content-length"], (part.end - part.start).to_string().as_str());
            assert_eq!(head["etag"], "\"a\"");
            let range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
            assert_eq!(head.contains_key("content-range"), status == 206);
            assert!(status == 200 || head["content-range"] == range.as_str());
        }
    }

    #[tokio::test]
    async fn nothing_is_said_to_be_nothing() {
        let (status, head, _) = ask(10, 10, &[("range", "bytes=10-")]).await;
        assert_eq!((status, head["content-range"].to_str().unwrap()), (416, "bytes */10"));
        let (status, _, body) = ask(10, 10, &[("if-none-match", "\"x\", W/\"a\"")]).await;
        assert_eq!((status, body.unwrap().len()), (304, 0));
        let (status, head, body) = ask(0, 0, &[]).await;
        assert_eq!((status, body.unwrap().len()), (200, 0));
        assert_eq!(head["content-length"], "0");
    }

    #[tokio::test]
    async fn a_file_that_shrank_breaks_the_answer() {
        let (status, _, body) = ask(1_000, 500, &[]).await;
        assert_eq!((status, body), (200, None));
    }
}
