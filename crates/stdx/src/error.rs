//! The error of engines and doors (floors 2 to 4): a kind for machines, a sentence for people, a
//! source for the log. Formats (floor 1) have small enums of their own instead.

use std::fmt;

/// What went wrong, as far as a caller can act on it. HTTP status and exit code are each one
/// `match` over this, in `api` and `khien`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The thing named does not exist.
    NotFound,
    /// The request itself is wrong, whatever the state of the system.
    InvalidArgument,
    /// Nobody is logged in, or the credentials are wrong.
    Unauthenticated,
    /// Logged in, but without the right.
    PermissionDenied,
    /// The request is right but the system is not in a state to serve it.
    FailedPrecondition,
    /// It exists already.
    AlreadyExists,
    /// A limit was reached: memory, disk, viewers, attempts.
    ResourceExhausted,
    /// A peer or a device does not answer; trying again later may help.
    Unavailable,
    /// Recorded data is damaged or missing.
    DataLoss,
    /// Understood, but not something khien does.
    Unsupported,
    /// Somebody asked for it to stop.
    Cancelled,
    /// Our fault.
    Internal,
}

impl Kind {
    /// The kind's name as it appears in logs and in `problem+json` types: `not-found`.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::InvalidArgument => "invalid-argument",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission-denied",
            Self::FailedPrecondition => "failed-precondition",
            Self::AlreadyExists => "already-exists",
            Self::ResourceExhausted => "resource-exhausted",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data-loss",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// Shorthand for results with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A kind, a sentence that says what happened and what to do, an optional machine-readable code,
/// and the error below it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    code: Option<&'static str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a sentence for people.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), code: None, source: None }))
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds a stable slug such as `camera-auth`, which the page translates.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// The same error with another sentence, usually the old one with a place in front.
    #[must_use]
    pub fn map_message(mut self, f: impl FnOnce(&str) -> String) -> Self {
        self.0.message = f(&self.0.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The sentence, without sources.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The stable slug, if one was given.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// Message and all sources, joined by `: `, for logs. A source that the text before it names
    /// already is not said again.
    pub fn chain(&self) -> String {
        let mut out = self.0.message.clone();
        let mut next = std::error::Error::source(self);
        while let Some(e) = next {
            let text = e.to_string();
            if !out.contains(&text) {
                out.push_str(": ");
                out.push_str(&text);
            }
            next = e.source();
        }
        out
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.slug(), self.chain())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let kind = match e.kind() {
            E::NotFound => Kind::NotFound,
            E::PermissionDenied => Kind::PermissionDenied,
            E::AlreadyExists => Kind::AlreadyExists,
            E::InvalidInput => Kind::InvalidArgument,
            E::StorageFull | E::QuotaExceeded | E::OutOfMemory => Kind::ResourceExhausted,
            E::InvalidData | E::UnexpectedEof => Kind::DataLoss,
            _ => Kind::Unavailable,
        };
        Self::new(kind, e.to_string()).with_source(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_names_every_cause() {
        let io = std::io::Error::new(std::io::ErrorKind::StorageFull, "no space");
        let e = Error::new(Kind::ResourceExhausted, "cannot write the segment").with_source(io);
        assert_eq!(e.chain(), "cannot write the segment: no space");
        assert_eq!(e.kind(), Kind::ResourceExhausted);
        let same = || Error::from(std::io::Error::from(std::io::ErrorKind::AddrInUse));
        assert_eq!(same().chain(), "address in use");
        let placed = same().map_message(|m| format!("127.0.0.1:80: {m}; choose another port"));
        assert_eq!(placed.chain(), "127.0.0.1:80: address in use; choose another port");
        assert_eq!(format!("{e:?}"), "resource-exhausted: cannot write the segment: no space");
    }
}
