//! Problem documents (RFC 9457): every error that the functions answer, each with a stable type.

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Serialize;
use std::error::Error;
use std::fmt;

/// Where the type of a problem lives; what follows is [`Kind::code`].
pub const TYPE_PREFIX: &str = "urn:tallyhouse:problem:";

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $status:literal, $code:literal, $title:literal;)*) => {
        /// What went wrong, as a client can tell it apart. Codes never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// Every kind there is, for the documentation and its test.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The last part of its type.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// A short summary, the same every time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

kinds! {
    /// The body, or a part of it that everything else needs, cannot be read.
    MalformedBody = 400, "malformed-body", "The body cannot be read";
    /// A header is missing or cannot be read.
    MalformedHeader = 400, "malformed-header", "A header is missing or malformed";
    /// A parameter of the URL has a value that the route does not take.
    InvalidParameter = 400, "invalid-parameter", "A parameter of the URL is not valid";
    /// No credential, or one of an unknown form.
    MissingCredential = 401, "missing-credential", "A credential is needed";
    /// The access token is not one of ours, or not any more.
    InvalidToken = 401, "invalid-token", "The access token is not valid";
    /// The API key does not exist, or not any more.
    InvalidApiKey = 401, "invalid-api-key", "The API key is not valid";
    /// No signature of the webhook matches.
    InvalidSignature = 401, "invalid-signature", "The signature is not valid";
    /// The webhook was signed too long ago, or in the future.
    StaleTimestamp = 401, "stale-timestamp", "The signature is too old or too new";
    /// The token names no organization, or is an anonymous user's.
    NoOrganization = 403, "no-organization", "The token names no organization";
    /// The user does not belong to the organization of the token any more.
    NotAMember = 403, "not-a-member", "The user is not a member of the organization";
    /// The role, or the scope of the key, does not allow it.
    Forbidden = 403, "forbidden", "The role does not allow this";
    /// There is no such route.
    NotFound = 404, "not-found", "There is nothing here";
    /// There is no such organization, or the user does not belong to it.
    UnknownOrganization = 404, "unknown-organization", "There is no such organization";
    /// There is no such store, or it is somebody else's.
    UnknownStore = 404, "unknown-store", "There is no such store";
    /// There is no such workspace, or it is somebody else's.
    UnknownWorkspace = 404, "unknown-workspace", "There is no such workspace";
    /// There is no such API key in the organization.
    UnknownApiKey = 404, "unknown-api-key", "There is no such API key";
    /// There is no definition of this key that the organization could use.
    UnknownDefinition = 404, "unknown-definition", "There is no such definition";
    /// The route exists, but not with this method.
    MethodNotAllowed = 405, "method-not-allowed", "The method is not allowed here";
    /// The body came too slowly.
    RequestTimeout = 408, "request-timeout", "The body came too slowly";
    /// The organization has as many API keys as it may have.
    TooManyApiKeys = 409, "too-many-api-keys", "The organization has too many API keys";
    /// Events or other metrics need the definition as it is, or there are as many as there may be.
    DefinitionInUse = 409, "definition-in-use", "The definition is needed as it is";
    /// The body is larger than the route takes.
    BodyTooLarge = 413, "body-too-large", "The body is too large";
    /// The batch has, or the deletion names, more events than the route takes.
    TooManyEvents = 413, "too-many-events", "The batch has too many events";
    /// There are more exchange rates than the route takes, or than it removes.
    TooManyRates = 413, "too-many-rates", "Too many exchange rates at once";
    /// Every event of the request is larger than the route takes.
    EventTooLarge = 413, "event-too-large", "The event is too large";
    /// The content type or encoding is not one the route reads.
    UnsupportedMediaType = 415, "unsupported-media-type", "The content type is not supported";
    /// A field of the body has a value that the route does not take.
    InvalidField = 422, "invalid-field", "A field of the body is not valid";
    /// The formula cannot be read, or the metric stands on what does not exist, on itself or on too much.
    InvalidDefinition = 422, "invalid-definition", "The definition makes no sense";
    /// The query asks for something that does not exist or makes no sense.
    InvalidQuery = 422, "invalid-query", "The query cannot be answered";
    /// The batch needs more new months than one request may make.
    TooManyMonths = 422, "too-many-months", "The batch covers too many new months";
    /// Money of a day cannot be converted.
    MissingExchangeRate = 422, "missing-exchange-rate", "An exchange rate is missing";
    /// There is no such metric.
    UnknownMetric = 422, "unknown-metric", "There is no such metric";
    /// There is no such time zone.
    UnknownTimeZone = 422, "unknown-time-zone", "There is no such time zone";
    /// More was sent than may be in so short a time.
    RateLimited = 429, "rate-limited", "Too much at once";
    /// What the plan has for the month is used up.
    VolumeExceeded = 429, "volume-exceeded", "The volume of the plan is used up";
    /// A variable is missing or cannot be used.
    Misconfigured = 500, "misconfigured", "The service is not configured";
    /// Anything that should not happen.
    Internal = 500, "internal", "Something went wrong on our side";
    /// The database cannot be reached, has no connection to spare, or does not take statements.
    DatabaseUnavailable = 503, "database-unavailable", "The database is not available";
    /// The database did not answer in time.
    DatabaseSlow = 503, "database-slow", "The database did not answer in time";
    /// A hook was given up, since its provider would not have waited for the answer.
    HookTooSlow = 503, "hook-too-slow", "The hook took too long";
    /// The identity provider's keys cannot be had, so that the token can be neither taken nor refused.
    KeysUnavailable = 503, "keys-unavailable", "The identity provider's keys are not available";
}

/// An error on its way to the client: what the client is told, and what only the log is.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    retry_after: Option<u32>,
    headers: Box<HeaderMap>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem of the client's making; `detail` tells a person what to do about it.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None, headers: Box::default(), source: None }
    }

    /// A problem of ours: the client gets a fixed text, `source` goes to the log.
    pub fn ours(kind: Kind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(kind, fixed_detail(kind)) }
    }

    /// 405, and which methods there are.
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let problem = Self::new(Kind::MethodNotAllowed, format!("Use {} here.", names.join(" or ")));
        // RFC 9110, 15.5.6.
        let allow = HeaderValue::try_from(names.join(", ")).map(|value| (header::ALLOW, value));
        problem.with_headers(allow.into_iter().collect())
    }

    /// 415, and which encodings of a body there are.
    pub fn encoding_not_supported(accepted: &'static str) -> Self {
        let detail = format!("Send the body with one `Content-Encoding` of {accepted}, or without.");
        // RFC 9110, 12.5.3.
        let accept = (header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        Self::new(Kind::UnsupportedMediaType, detail).with_headers([accept].into_iter().collect())
    }

    /// Says after how many seconds trying again helps.
    pub fn with_retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Adds headers to the reply that it becomes.
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the client is told about it.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Headers of the reply that are this problem's own.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Seconds after which trying again may help, for problems that pass: a second, where nobody knows better.
    pub fn retry_after(&self) -> Option<u32> {
        matches!(self.kind.status(), 429 | 503).then(|| self.retry_after.unwrap_or(1).max(1))
    }

    /// The document of RFC 9457, with the request's id as its instance.
    pub fn document(&self, request_id: &str) -> Document<'_> {
        Document {
            r#type: format!("{TYPE_PREFIX}{}", self.kind.code()),
            title: self.kind.title(),
            status: self.kind.status(),
            detail: &self.detail,
            instance: format!("urn:uuid:{request_id}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title())
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// `application/problem+json`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: String,
}

fn fixed_detail(kind: Kind) -> &'static str {
    match kind {
        Kind::Misconfigured => "The operator must set a variable of this function; its log names it.",
        Kind::DatabaseUnavailable => {
            "The database cannot be reached, or has too much to do at the moment. Trying again is safe: nothing is ever \
             counted twice."
        }
        Kind::DatabaseSlow => "The database took too long. Trying again is safe: nothing is ever counted twice.",
        Kind::HookTooSlow => "The request was not read and answered in time. Try again: nothing is made twice.",
        Kind::KeysUnavailable => {
            "The token cannot be checked at the moment: the identity provider does not answer. Try again."
        }
        _ => "The request failed on our side. Give the operator the instance of this problem to find the cause.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique() {
        let codes: HashSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
    }

    #[test]
    fn what_passes_says_when_to_try_again() {
        let retry_after = |kind| Problem::new(kind, "text").with_retry_after(41).retry_after();
        assert_eq!(retry_after(Kind::RateLimited), Some(41));
        assert_eq!(retry_after(Kind::VolumeExceeded), Some(41));
        assert_eq!(retry_after(Kind::InvalidQuery), None);
        assert_eq!(Problem::ours(Kind::DatabaseUnavailable, "text").retry_after(), Some(1));
        // At once is no answer to whoever is too fast.
        assert_eq!(Problem::new(Kind::RateLimited, "text").with_retry_after(0).retry_after(), Some(1));
    }

    #[test]
    fn a_problem_of_ours_hides_its_cause() {
        let problem = Problem::ours(Kind::Internal, "password=hunter2");
        let document = serde_json::to_string(&problem.document("0")).unwrap();
        assert!(!document.contains("hunter2"));
        assert_eq!(problem.source().unwrap().to_string(), "password=hunter2");
    }
}
