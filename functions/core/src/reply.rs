//! What a handler answers, before it is a response.

use crate::problem::{Kind, Problem};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
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

    /// A problem document.
    pub fn problem(problem: &Problem, request_id: &str) -> Self {
        let status = StatusCode::from_u16(problem.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem.document(request_id)).unwrap_or_default();
        let mut reply = Self::new(status, "application/problem+json", body);
        if let Some(seconds) = problem.retry_after() {
            reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 9110, 15.5.6.
        if let Some(allowed) = problem.allowed().and_then(|method| HeaderValue::from_str(method.as_str()).ok()) {
            reply.headers.insert(header::ALLOW, allowed);
        }
        // RFC 9110, 12.5.3.
        if let Some(accepted) = problem.accepted_encodings() {
            reply.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
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
