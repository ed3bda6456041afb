//! The text side of RTSP: requests out of bytes, answers into bytes.

/// A request of RTSP or HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) http: bool,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The URI without scheme and host.
    pub(crate) fn path(&self) -> &str {
        path_of(&self.uri)
    }
}

/// A URI without scheme and host.
pub(crate) fn path_of(uri: &str) -> &str {
    match uri.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => uri,
    }
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    Request(Request),
    /// An interleaved packet from the viewer: its RTCP.
    Data(Vec<u8>),
    /// Something else; the connection cannot go on.
    Garbage,
}

/// Collects bytes until something is whole.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buf: Vec<u8>,
}

impl Inbox {
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.buf.extend_from_slice(data);
    }

    pub(crate) fn next(&mut self) -> Option<Incoming> {
        let blank = self.buf.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        self.buf.drain(..blank);
        if *self.buf.first()? == b'$' {
            let head = self.buf.get(..4)?;
            let end = 4 + (usize::from(head[2]) << 8 | usize::from(head[3]));
            let payload = self.buf.get(4..end)?.to_vec();
            self.buf.drain(..end);
            return Some(Incoming::Data(payload));
        }
        let Some(end) = self.buf.windows(4).position(|w| w == b"\r\n\r\n") else {
            return (self.buf.len() > 65_536).then_some(Incoming::Garbage);
        };
        let Some(request) = parse(&String::from_utf8_lossy(&self.buf[..end])) else {
            return Some(Incoming::Garbage);
        };
        let body: usize =
            request.header("content-length").and_then(|v| v.trim().parse().ok()).unwrap_or(0);
        if self.buf.len() < end + 4 + body {
            return None;
        }
        self.buf.drain(..end + 4 + body);
        Some(Incoming::Request(request))
    }
}

fn parse(text: &str) -> Option<Request> {
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, uri, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !(version.starts_with("RTSP/") || version.starts_with("HTTP/")) {
        return None;
    }
    let headers = lines
        .map(|l| l.split_once(':').map(|(n, v)| (n.trim().into(), v.trim().into())))
        .collect::<Option<Vec<_>>>()?;
    Some(Request {
        method: method.into(),
        uri: uri.into(),
        http: version.starts_with("HTTP/"),
        headers,
    })
}

/// An answer, without CSeq.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The bytes, with the text after `CSeq: ` given.
    pub(crate) fn encode(&self, cseq: &str) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            302 => "Moved Temporarily",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            405 => "Method Not Allowed",
            453 => "Not Enough Bandwidth",
            454 => "Session Not Found",
            455 => "Method Not Valid in This State",
            461 => "Unsupported Transport",
            463 => "Key Management Failure",
            503 => "Service Unavailable",
            _ => "Error",
        };
        let mut text = format!("RTSP/1.0 {} {reason}\r\nCSeq: {cseq}\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_packets_come_out_in_order_and_only_when_whole() {
        let mut inbox = Inbox::default();
        inbox.push(b"\r\nOPTIONS rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nx");
        assert!(inbox.next().is_none());
        inbox.push(b"y$\x01\x00\x02ab");
        let Some(Incoming::Request(r)) = inbox.next() else { panic!("a request") };
        assert_eq!((r.method.as_str(), r.path(), r.header("cseq")), ("OPTIONS", "/a", Some("1")));
        let Some(Incoming::Data(d)) = inbox.next() else { panic!("a packet") };
        assert_eq!(d, b"ab");
        assert!(inbox.next().is_none());
        inbox.push(b"nonsense\r\n\r\n");
        assert!(matches!(inbox.next(), Some(Incoming::Garbage)));
    }
}
