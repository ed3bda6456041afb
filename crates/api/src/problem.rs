//! Every error of the API: RFC 9457 `application/problem+json` with a stable `code` that the page
//! translates and an English sentence for everybody else.

use axum::body::Body;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use stdx::{Error, Kind};

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after_s: Option<u64>,
}

/// The JSON form.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemView {
    /// `urn:khien:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do, in English.
    detail: String,
    /// Stable slug for machines and translators.
    code: String,
}

impl Problem {
    /// An answer with `status`.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_s: None }
    }

    /// A request that is wrong whatever the state of the system.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 404 for things and paths alike.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this address")
    }

    pub(crate) fn internal() -> Self {
        let detail = "khien could not answer; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub(crate) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// An error of a camera, on whose behalf we asked: it must not look like one of ours. 401
    /// would tell the page that its own session has ended.
    pub(crate) fn of_camera(e: &Error) -> Self {
        let status = match (e.kind(), e.code()) {
            (Kind::InvalidArgument, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (Kind::Internal, _) => return Self::from(Error::new(Kind::Internal, e.chain())),
            (Kind::ResourceExhausted, _) => StatusCode::SERVICE_UNAVAILABLE,
            (_, Some("camera-timeout")) => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, e.code().unwrap_or("camera-protocol"), e.message())
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable slug.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// The one place where a kind becomes an HTTP status.
const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::InvalidArgument => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::PermissionDenied => StatusCode::FORBIDDEN,
        Kind::FailedPrecondition | Kind::AlreadyExists => StatusCode::CONFLICT,
        Kind::ResourceExhausted | Kind::Unavailable | Kind::Cancelled => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::DataLoss | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(e: Error) -> Self {
        match e.kind() {
            // What is our fault tells the log its chain and the client nothing of our inside.
            Kind::Internal | Kind::DataLoss => {
                tracing::error!("request failed: {}", e.chain());
                Self { code: e.code().unwrap_or("internal"), ..Self::internal() }
            }
            kind => Self::new(status(kind), e.code().unwrap_or(kind.slug()), e.message()),
        }
    }
}

impl From<Problem> for Error {
    fn from(p: Problem) -> Self {
        let kind = match p.status {
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
            StatusCode::FORBIDDEN => Kind::PermissionDenied,
            StatusCode::CONFLICT => Kind::AlreadyExists,
            s if s.is_client_error() => Kind::InvalidArgument,
            _ => Kind::Internal,
        };
        Self::new(kind, p.detail).with_code(p.code)
    }
}

impl From<JsonRejection> for Problem {
    fn from(r: JsonRejection) -> Self {
        match r {
            JsonRejection::MissingJsonContentType(_) => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type",
                "send JSON with Content-Type: application/json",
            ),
            JsonRejection::BytesRejection(r) => r.into(),
            JsonRejection::JsonSyntaxError(r) => {
                Self::new(StatusCode::BAD_REQUEST, "json", r.body_text())
            }
            other => Self::invalid("json", other.body_text()),
        }
    }
}

impl From<BytesRejection> for Problem {
    fn from(r: BytesRejection) -> Self {
        if r.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(r.status(), "body-too-large", "a request has at most 64 KiB");
        }
        Self::new(StatusCode::BAD_REQUEST, "body", "the body of the request could not be read")
    }
}

impl From<QueryRejection> for Problem {
    fn from(r: QueryRejection) -> Self {
        Self::invalid("query", r.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let view = ProblemView {
            r#type: format!("urn:khien:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code.to_owned(),
        };
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(s) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(s));
        }
        response
    }
}
