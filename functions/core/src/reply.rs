//! What a handler answers, before it is a response.

use crate::problem::{Kind, Problem};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;

/// A status, headers and a whole body.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, content type included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// 200 with a JSON body.
    pub fn json(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|error| Problem::ours(Kind::Internal, error))?;
        Ok(Self::new(StatusCode::OK, "application/json", body))
    }

    /// 200 with a body that is JSON already.
    pub fn json_text(body: String) -> Self {
        Self::new(StatusCode::OK, "application/json", body.into_bytes())
    }

    /// 201 with a JSON body.
    pub fn created(body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self { status: StatusCode::CREATED, ..Self::json(body)? })
    }

    /// 204, without a body.
    pub fn no_content() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status: StatusCode::NO_CONTENT, headers, body: Bytes::new() }
    }

    /// A problem document.
    pub fn problem(problem: &Problem, request_id: &str) -> Self {
        let status = StatusCode::from_u16(problem.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem.document(request_id)).unwrap_or_default();
        let mut reply = Self::new(status, "application/problem+json", body);
        if let Some(seconds) = problem.retry_after() {
            reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 9110, 15.5.6.
        let allowed: Vec<&str> = problem.allowed().iter().map(Method::as_str).collect();
        if let (false, Ok(allowed)) = (allowed.is_empty(), HeaderValue::try_from(allowed.join(", "))) {
            reply.headers.insert(header::ALLOW, allowed);
        }
        if status == StatusCode::UNAUTHORIZED {
            reply.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply
    }

    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers, body: body.into() }
    }
}
