//! Requests in, replies out: request ids, bounded bodies, problems, and the log of what failed.

use super::variables::{kinde_key_url, sent_secrets, webhook_secrets, workos_secrets};
use super::{keys, log, within};
use crate::access_token::{MAX_TOKEN_BYTES, UnverifiedEvent};
use crate::identity::sender::{Scheme, Sender};
use crate::identity::workos;
use crate::problem::{Kind, Problem};
use crate::reply::Reply;
use ::http::{HeaderMap, HeaderValue, Method, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use spin_sdk::http::{FullBody, IntoResponse, Request};
use spin_sdk::wasip3::http::types::{ErrorCode, Response as WasiResponse};
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

const REQUEST_ID: &str = "x-request-id";
/// The most that a whole body may take to come; the platform would wait without end.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// The most that is read of a body nobody wants, bytes and time.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;
const DISCARD_DEADLINE: Duration = Duration::from_secs(5);
/// The same within a hook, which is answered after it.
const HOOK_DISCARD_DEADLINE: Duration = Duration::from_secs(2);
/// What is kept of a body that is too large: enough to tell what it was going to be.
const BEGINNING_BYTES: usize = 1024;
/// The most that a hook may take, from its first byte to its answer: the strictest provider gives it five seconds, the way
/// there and back included.
const HOOK_DEADLINE: Duration = Duration::from_millis(4_500);

/// A request, whose body comes when it is asked for.
pub struct Incoming {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: IncomingRequestBody,
    body_ended: bool,
    beginning: BytesMut,
    function: String,
    request_id: String,
}

/// A reply that the platform takes.
pub struct Outgoing(Reply);

/// How a route writes its problems.
pub type ProblemForm = fn(&Problem, &str) -> Reply;

/// Nobody is there any more to read the answer, whatever it was going to be.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {HOOK_DEADLINE:?}")]
struct HookTooSlow;

/// Answers a request by a route. A problem is written in the given form, and logged once, here, if it is ours.
pub async fn serve<F>(function: &str, request: Request, form: ProblemForm, route: F) -> Outgoing
where
    F: AsyncFnOnce(&mut Incoming) -> Result<Reply, Problem>,
{
    respond(function, request, form, async |incoming| (route(incoming).await, DISCARD_DEADLINE)).await
}

/// The same for a hook, whose provider hangs up after a while: whatever it is that takes so long, there is an answer before.
pub async fn serve_hook<F>(function: &str, request: Request, form: ProblemForm, route: F) -> Outgoing
where
    F: AsyncFnOnce(&mut Incoming) -> Result<Reply, Problem>,
{
    let started = Instant::now();
    respond(function, request, form, async |incoming| {
        let outcome = within(HOOK_DEADLINE, route(incoming)).await;
        let outcome = outcome.unwrap_or_else(|| Err(Problem::ours(Kind::HookTooSlow, HookTooSlow)));
        (outcome, HOOK_DEADLINE.saturating_sub(started.elapsed()))
    })
    .await
}

/// `route` answers, and says how long what is left of the body may be read.
async fn respond<F>(function: &str, request: Request, form: ProblemForm, route: F) -> Outgoing
where
    F: AsyncFnOnce(&mut Incoming) -> (Result<Reply, Problem>, Duration),
{
    let request_id = Uuid::new_v4().to_string();
    let mut incoming = Incoming::new(request, function, &request_id);
    let mut reply = match route(&mut incoming).await {
        (Ok(reply), _) => reply,
        (Err(problem), patience) => {
            if problem.kind().status() >= 500 {
                incoming.log_failure(&problem);
            }
            incoming.discard(patience).await;
            form(&problem, &request_id)
        }
    };
    if let Ok(value) = HeaderValue::try_from(request_id) {
        reply.headers.insert(REQUEST_ID, value);
    }
    Outgoing(reply)
}

impl Incoming {
    fn new(request: Request, function: &str, request_id: &str) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            body_ended: false,
            beginning: BytesMut::new(),
            function: function.to_owned(),
            request_id: request_id.to_owned(),
        }
    }

    /// Logs a failure of ours that the request does not fail for; one that it does fail for is logged by itself.
    pub fn log_failure(&self, problem: &Problem) {
        log::failure(&self.function, &self.request_id, problem);
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

    /// What follows the question mark of the URL, as it was written.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Refuses every other method.
    pub fn require_method(&self, method: &Method) -> Result<(), Problem> {
        if self.method == method {
            return Ok(());
        }
        Err(Problem::method_not_allowed(std::slice::from_ref(method)))
    }

    /// Refuses a body that is not plain JSON.
    pub fn require_json(&self) -> Result<(), Problem> {
        if !self.media_type().eq_ignore_ascii_case("application/json") {
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

    fn media_type(&self) -> &str {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim()
    }

    /// The whole body, if it has at most `max_bytes` and comes in time; not a byte more is kept.
    pub async fn read(&mut self, max_bytes: usize) -> Result<Bytes, Problem> {
        within(BODY_DEADLINE, self.collect(max_bytes)).await.unwrap_or_else(|| {
            let detail = format!("The body must come within {} seconds.", BODY_DEADLINE.as_secs());
            Err(Problem::new(Kind::RequestTimeout, detail))
        })
    }

    /// The whole body of a webhook, and who sent it.
    pub async fn read_webhook(&mut self, max_bytes: usize) -> Result<(Sender, Bytes), Problem> {
        if self.media_type().eq_ignore_ascii_case("application/jwt") {
            return Ok((Sender::Kinde, self.read_jwt(max_bytes.min(MAX_TOKEN_BYTES)).await?));
        }
        match Scheme::of(&self.headers) {
            Scheme::StandardWebhooks => Ok((Sender::StandardWebhooks, self.read_signed(max_bytes).await?)),
            Scheme::WorkOs => {
                let secrets = workos_secrets().await?;
                let body = self.read(max_bytes).await?;
                workos::verify(&secrets, &self.headers, &body, SystemTime::now())?;
                Ok((Sender::WorkOs, body))
            }
            Scheme::Secret(secret) => {
                let sender = sent_secrets().await?.sender(&secret)?;
                Ok((sender, self.read(max_bytes).await?))
            }
        }
    }

    /// What a webhook that is a JWT says, if one of the sender's published keys signed it.
    async fn read_jwt(&mut self, max_bytes: usize) -> Result<Bytes, Problem> {
        let url = kinde_key_url().await?;
        let body = self.read(max_bytes).await?;
        let event = UnverifiedEvent::read(&body)?;
        let keys = keys::keys_for(&url, event.token()).await?;
        Ok(Bytes::copy_from_slice(event.verify(&keys)?.get().as_bytes()))
    }

    /// The whole body of a webhook, if one of the provider's secrets signed it.
    pub async fn read_signed(&mut self, max_bytes: usize) -> Result<Bytes, Problem> {
        let secrets = webhook_secrets().await?;
        let body = self.read(max_bytes).await?;
        secrets.verify(&self.headers, &body, SystemTime::now())?;
        Ok(body)
    }

    async fn collect(&mut self, max_bytes: usize) -> Result<Bytes, Problem> {
        let announced = self.announced_bytes();
        if announced.is_some_and(|bytes| bytes > max_bytes) {
            return Err(too_large(announced, max_bytes));
        }
        // In one piece if the sender says how much: growing would take twice as much for a while.
        let mut kept = BytesMut::with_capacity(announced.unwrap_or_default());
        while let Some(data) = self.next().await? {
            if kept.len() + data.len() > max_bytes {
                kept.extend_from_slice(&data[..data.len().min(BEGINNING_BYTES)]);
                kept.truncate(BEGINNING_BYTES);
                self.beginning = kept;
                return Err(too_large(None, max_bytes));
            }
            kept.extend_from_slice(&data);
        }
        Ok(kept.freeze())
    }

    /// The first bytes of a body that was too large to be taken; the others are read and not kept.
    pub async fn beginning(&mut self) -> &[u8] {
        // Nothing was read of one whose sender said how large it is.
        while self.beginning.len() < BEGINNING_BYTES
            && let Ok(Some(data)) = self.next().await
        {
            self.beginning.extend_from_slice(&data);
        }
        self.beginning.truncate(BEGINNING_BYTES);
        self.discard(HOOK_DISCARD_DEADLINE).await;
        &self.beginning
    }

    /// How much comes, if the sender says so.
    fn announced_bytes(&self) -> Option<usize> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Reads what is left of the body, for a while, and keeps nothing: a server that answers and hangs up while the client
    /// still sends resets the connection, and the client never sees the answer.
    async fn discard(&mut self, patience: Duration) {
        let reading = async {
            let mut discarded = 0;
            while let Ok(Some(data)) = self.next().await {
                discarded += data.len();
                if discarded > DISCARD_BYTES {
                    return;
                }
            }
        };
        // Whether it came to its end or not, the answer goes out.
        let _ended = within(patience, reading).await;
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.body_ended {
            return Ok(None);
        }
        let frame = self.body.frame().await;
        self.body_ended = !matches!(frame, Some(Ok(_)));
        match frame {
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(_)) => Err(Problem::new(Kind::MalformedBody, "The body ended before its time.")),
            None => Ok(None),
        }
    }
}

fn too_large(announced: Option<usize>, max_bytes: usize) -> Problem {
    let came = announced.map_or_else(|| format!("more than {max_bytes}"), |bytes| bytes.to_string());
    Problem::new(Kind::BodyTooLarge, format!("The body has {came} bytes as it was sent; {max_bytes} are taken."))
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
