//! Requests in, replies out: request ids, bounded bodies, problems, and the log of what failed.

use super::log;
use crate::problem::{Kind, Problem};
use crate::reply::Reply;
use ::http::{HeaderMap, HeaderValue, Method, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use spin_sdk::http::{FullBody, IntoResponse, Request};
use spin_sdk::wasip3::http::types::{ErrorCode, Response as WasiResponse};
use uuid::Uuid;

const REQUEST_ID: &str = "x-request-id";

/// A request whose body has not been read yet.
pub struct Incoming {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: spin_sdk::wasip3::http_compat::IncomingRequestBody,
}

/// A reply that the platform takes.
pub struct Outgoing(Reply);

/// How a route writes its problems.
pub type ProblemForm = fn(&Problem, &str) -> Reply;

/// Answers a request by a route. A problem is written in the given form, and logged once, here, if it is ours.
pub async fn serve<F>(function: &str, request: Request, form: ProblemForm, route: F) -> Outgoing
where
    F: AsyncFnOnce(Incoming) -> Result<Reply, Problem>,
{
    let request_id = Uuid::new_v4().to_string();
    let mut reply = match route(Incoming::new(request)).await {
        Ok(reply) => reply,
        Err(problem) => {
            if problem.kind().status() >= 500 {
                log::failure(function, &request_id, &problem);
            }
            form(&problem, &request_id)
        }
    };
    if let Ok(value) = HeaderValue::try_from(request_id) {
        reply.headers.insert(REQUEST_ID, value);
    }
    Outgoing(reply)
}

impl Incoming {
    fn new(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        Self { method: parts.method, path: parts.uri.path().to_owned(), headers: parts.headers, body }
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The path, without a slash at its end.
    pub fn path(&self) -> &str {
        match self.path.trim_end_matches('/') {
            "" => "/",
            path => path,
        }
    }

    /// Refuses every other method.
    pub fn require_method(&self, method: &Method) -> Result<(), Problem> {
        if self.method == method {
            return Ok(());
        }
        Err(Problem::method_not_allowed(method))
    }

    /// Refuses a body that is not plain JSON.
    pub fn require_json(&self) -> Result<(), Problem> {
        let content_type =
            self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            let detail = "Send the body with the header `Content-Type: application/json`.";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        match self.headers.get(header::CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => {
                Err(Problem::new(Kind::UnsupportedMediaType, "Send the body without a Content-Encoding."))
            }
            _ => Ok(()),
        }
    }

    /// The headers, and the whole body if it has at most `max_bytes`; not a byte more is kept.
    pub async fn read(self, max_bytes: usize) -> Result<(HeaderMap, Bytes), Problem> {
        let too_large = || Problem::new(Kind::BodyTooLarge, format!("The body has more than {max_bytes} bytes."));
        let declared =
            self.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|length| length > max_bytes) {
            return Err(too_large());
        }
        match Limited::new(self.body, max_bytes).collect().await {
            Ok(body) => Ok((self.headers, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(_) => Err(Problem::new(Kind::MalformedBody, "The body ended before its time.")),
        }
    }
}

impl IntoResponse for Outgoing {
    fn into_response(self) -> Result<WasiResponse, ErrorCode> {
        let Reply { status, headers, body } = self.0;
        let mut response = ::http::Response::new(FullBody::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.into_response()
    }
}
