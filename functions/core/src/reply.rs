//! What a handler answers, before it is a response.

use crate::problem::{Kind, Problem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Of the hash that an entity tag is made from: enough that no two bodies have the same.
const TAG_BYTES: usize = 18;

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

    /// 200 with a body of comma-separated values, the first row of which is a header (RFC 4180).
    pub fn csv(body: Vec<u8>) -> Self {
        Self::new(StatusCode::OK, "text/csv; charset=utf-8; header=present", body)
    }

    /// Lets the client keep the body as long as it asks each time whether it is the same still, and answers that without it: 304
    /// (RFC 9110, 13.1.2). The tag is made from the body, so it changes exactly when that does.
    pub fn revalidated(mut self, request: &HeaderMap) -> Self {
        let digest = Sha256::digest(&self.body);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest.get(..TAG_BYTES).unwrap_or_default()));
        if is_named(request, &tag) {
            self.status = StatusCode::NOT_MODIFIED;
            self.body = Bytes::new();
            self.headers.remove(header::CONTENT_TYPE);
        }
        self.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        self.headers.insert(header::VARY, HeaderValue::from_static("authorization, accept"));
        self.headers.extend(HeaderValue::try_from(tag).map(|tag| (header::ETAG, tag)));
        self
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
        if status == StatusCode::UNAUTHORIZED {
            reply.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply.with_headers(problem.headers().clone())
    }

    /// Adds headers; a problem brings its own ([`Problem::with_headers`]).
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers, body: body.into() }
    }
}

/// Whether `If-None-Match` names a tag, weak or not.
fn is_named(request: &HeaderMap, tag: &str) -> bool {
    let named = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn headers() -> HeaderMap {
        [(header::AGE, HeaderValue::from(7))].into_iter().collect()
    }

    #[test]
    fn headers_go_on_what_succeeds_and_on_what_does_not() {
        let success = Reply::json_text("{}".to_owned()).with_headers(headers());
        let problem = Problem::new(Kind::RateLimited, "text").with_retry_after(41).with_headers(headers());
        let failure = Reply::problem(&problem, "0");
        for (reply, content_type) in [(&success, "application/json"), (&failure, "application/problem+json")] {
            assert_eq!(reply.headers[header::AGE], "7");
            assert_eq!(reply.headers[header::CONTENT_TYPE], content_type);
            assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
        }
        assert_eq!(
            (failure.status, &failure.headers[header::RETRY_AFTER]),
            (StatusCode::TOO_MANY_REQUESTS, &"41".parse().unwrap())
        );
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let asked = |tags: &[&str]| {
            let request = tags.iter().map(|tags| (header::IF_NONE_MATCH, tags.parse().unwrap())).collect();
            Reply::json_text("{}".to_owned()).revalidated(&request)
        };
        let first = asked(&[]);
        assert_eq!(
            (first.status, &first.headers[header::CACHE_CONTROL]),
            (StatusCode::OK, &"private, no-cache".parse().unwrap())
        );
        let tag = first.headers[header::ETAG].to_str().unwrap();
        for tags in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
            let again = asked(&["\"y\"", tags]);
            assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{tags}");
            assert_eq!(again.headers[header::ETAG], tag);
            assert!(!again.headers.contains_key(header::CONTENT_TYPE));
        }
        assert_eq!(asked(&["\"y\""]).status, StatusCode::OK);
        assert_ne!(Reply::json_text("[]".to_owned()).revalidated(&HeaderMap::new()).headers[header::ETAG], tag);
    }

    #[test]
    fn a_method_that_is_not_there_names_the_one_that_is() {
        let reply = Reply::problem(&Problem::method_not_allowed(&[Method::PUT]), "0");
        assert_eq!(reply.headers[header::ALLOW], "PUT");
    }
}
