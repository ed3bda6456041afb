//! RTSP 1.0 messages (RFC 2326, section 4 to 6 and 12) and the TCP byte stream that mixes them
//! with `$` interleaved frames (section 10.12).
//!
//! Not here: what a message means, and RTSP 2.0. [`Reader`] is the same for both ends.

mod reader;

use std::fmt;

use bytes::Bytes;

use crate::Error;
pub use reader::{Item, Reader};

/// Longest first line and headers together that are read, bytes.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Longest body that is read, bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Most header lines of one message.
pub const HEADERS_MAX: usize = 128;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// What can be asked.
    Options,
    /// The SDP of a presentation.
    Describe,
    /// The transport of one track.
    Setup,
    /// Start.
    Play,
    /// Stop for now.
    Pause,
    /// End the session.
    Teardown,
    /// Read parameters; with no body a keep-alive.
    GetParameter,
    /// Write parameters.
    SetParameter,
    /// Publish a description.
    Announce,
    /// Start recording what the client sends.
    Record,
    /// The server sends the client elsewhere.
    Redirect,
    /// Anything else.
    Other(String),
}

impl Method {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Options => "OPTIONS",
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Pause => "PAUSE",
            Self::Teardown => "TEARDOWN",
            Self::GetParameter => "GET_PARAMETER",
            Self::SetParameter => "SET_PARAMETER",
            Self::Announce => "ANNOUNCE",
            Self::Record => "RECORD",
            Self::Redirect => "REDIRECT",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        match name {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "PAUSE" => Self::Pause,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            "SET_PARAMETER" => Self::SetParameter,
            "ANNOUNCE" => Self::Announce,
            "RECORD" => Self::Record,
            "REDIRECT" => Self::Redirect,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Header lines in their order; names compare without case, values are trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every value of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Adds one at the end. Control characters are taken out, so that a value can never become
    /// another header.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let clean = |mut s: String| {
            s.retain(|c| !c.is_control());
            s
        };
        let (name, value) = (clean(name.into()), clean(value.into()));
        let value = match value.trim() {
            trimmed if trimmed.len() == value.len() => value,
            trimmed => trimmed.to_owned(),
        };
        self.0.push((name, value));
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sequence number, if there is a readable one.
    pub fn cseq(&self) -> Option<u32> {
        self.get("CSeq")?.parse().ok()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.push(name, value);
        }
        headers
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// The request-line URI exactly as sent; `*` for the server itself.
    pub uri: String,
    /// The header lines.
    pub headers: Headers,
    /// The body; empty for nearly all.
    pub body: Bytes,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 100 to 999.
    pub status: u16,
    /// The words after it, for people.
    pub reason: String,
    /// The header lines.
    pub headers: Headers,
    /// The body, an SDP mostly.
    pub body: Bytes,
}

impl Request {
    /// Without headers and body.
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self { method, uri: uri.into(), headers: Headers::new(), body: Bytes::new() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The bytes to send; `Content-Length` is that of the body.
    pub fn encode(&self) -> Bytes {
        let clean = |c: char| if c.is_control() || c == ' ' { '_' } else { c };
        let mut out: String = self.method.as_str().chars().map(clean).collect();
        out.push(' ');
        out.extend(self.uri.chars().map(clean));
        out.push_str(" RTSP/1.0");
        encode(out, &self.headers, &self.body)
    }
}

impl Response {
    /// Without headers and body, with the usual words for that status.
    pub fn new(status: u16) -> Self {
        let reason = reason(status).to_owned();
        Self { status, reason, headers: Headers::new(), body: Bytes::new() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The bytes to send; `Content-Length` is that of the body.
    pub fn encode(&self) -> Bytes {
        let mut out = format!("RTSP/1.0 {} ", self.status);
        out.extend(self.reason.chars().filter(|c| !c.is_control()));
        encode(out, &self.headers, &self.body)
    }
}

fn encode(first_line: String, headers: &Headers, body: &[u8]) -> Bytes {
    let mut out = first_line.into_bytes();
    let mut line = |parts: &[&str]| {
        out.extend_from_slice(b"\r\n");
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    };
    for (name, value) in headers.iter() {
        if !name.eq_ignore_ascii_case("Content-Length") {
            line(&[name, ": ", value]);
        }
    }
    if !body.is_empty() {
        line(&["Content-Length: ", &body.len().to_string()]);
    }
    line(&["\r\n"]);
    out.extend_from_slice(body);
    Bytes::from(out)
}

/// The words of RFC 2326, section 7.1.1, for a status.
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        451 => "Parameter Not Understood",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        457 => "Invalid Range",
        459 => "Aggregate Operation Not Allowed",
        460 => "Only Aggregate Operation Allowed",
        461 => "Unsupported Transport",
        463 => "Key Management Failure",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "RTSP Version Not Supported",
        551 => "Option not supported",
        _ => "Status",
    }
}

/// First line and headers, the empty line at the end included.
#[derive(Debug)]
struct Head {
    start: Start,
    headers: Headers,
    body_len: usize,
}

#[derive(Debug)]
enum Start {
    Request { method: Method, uri: String },
    Response { status: u16, reason: String },
}

fn parse_head(bytes: &[u8]) -> Result<Head, Error> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let start = parse_start(lines.next().unwrap_or(""))?;
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(Error::Malformed("control character in a header"));
        }
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut().ok_or(Error::Malformed("header line"))?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let name_and_value = line.split_once(':').map(|(n, v)| (n.trim_end(), v.trim()));
        match name_and_value {
            Some((name, value)) if is_token(name) => fields.push((name, value.to_owned())),
            // Cameras put stray text here; of a client it would be an attempt at something.
            _ if matches!(start, Start::Response { .. }) => {}
            _ => return Err(Error::Malformed("header line")),
        }
        if fields.len() > HEADERS_MAX {
            return Err(Error::TooLarge("number of headers"));
        }
    }
    let headers: Headers = fields.into_iter().collect();
    let body_len = body_len(&headers)?;
    Ok(Head { start, headers, body_len })
}

fn parse_start(line: &str) -> Result<Start, Error> {
    if line.contains(char::is_control) {
        return Err(Error::Malformed("control character in the first line"));
    }
    let line = line.trim_end();
    if let Some(rest) = line.strip_prefix("RTSP/") {
        let mut words = rest.splitn(3, ' ');
        let status = words.nth(1).and_then(|s| s.parse().ok()).filter(|s| (100..1000).contains(s));
        let status = status.ok_or(Error::Malformed("status line"))?;
        return Ok(Start::Response {
            status,
            reason: words.next().unwrap_or("").trim().to_owned(),
        });
    }
    let malformed = Error::Malformed("request line");
    let (method, rest) = line.split_once(' ').ok_or(malformed)?;
    let (uri, version) = rest.rsplit_once(' ').ok_or(malformed)?;
    let uri = uri.trim();
    let version = version.strip_prefix("RTSP/").ok_or(malformed)?;
    if !version.starts_with("1.") {
        return Err(Error::Unsupported("RTSP version"));
    }
    if uri.is_empty() || !is_token(method) {
        return Err(malformed);
    }
    Ok(Start::Request { method: Method::from(method), uri: uri.to_owned() })
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&b))
}

fn body_len(headers: &Headers) -> Result<usize, Error> {
    let mut len = None;
    for value in headers.get_all("Content-Length") {
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        if !digits || len.is_some_and(|seen| seen != value) {
            return Err(Error::Malformed("Content-Length"));
        }
        len = Some(value);
    }
    let Some(len) = len else { return Ok(0) };
    // Too many digits for the type is too large for the limit as well.
    match len.parse() {
        Ok(len) if len <= BODY_BYTES_MAX => Ok(len),
        _ => Err(Error::TooLarge("body")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_read_back() {
        for name in ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "FROBNICATE"] {
            assert_eq!(Method::from(name).as_str(), name);
        }
        assert_eq!(Method::from("GET_PARAMETER"), Method::GetParameter);
        assert_eq!(Method::from("options"), Method::Other("options".to_owned()));
    }

    #[test]
    fn encoding_sets_the_length_and_lets_no_header_in() {
        let mut response = Response::new(200).with("CSeq", "3").with("Content-Length", "99");
        response.headers.push("Server", "a\r\nSet-Cookie: b ");
        response.body = Bytes::from_static(b"v=0\r\n");
        assert_eq!(
            response.encode(),
            "RTSP/1.0 200 OK\r\nCSeq: 3\r\nServer: aSet-Cookie: b\r\nContent-Length: 5\r\n\r\nv=0\r\n"
        );
        let request = Request::new(Method::Options, "rtsp://h/a b\r\nX: y").with("CSeq", "1");
        assert_eq!(request.encode(), "OPTIONS rtsp://h/a_b__X:_y RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    }

    #[test]
    fn headers_are_found_without_case_and_in_order() {
        let h: Headers = [("CSeq", " 7 "), ("X", "a"), ("x", "b")].into_iter().collect();
        assert_eq!((h.cseq(), h.get("cseq"), h.len()), (Some(7), Some("7"), 3));
        assert_eq!(h.get_all("X").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(h.get("y"), None);
    }
}
