//! What a caller got, and what a test expects of it; a failure shows status and body.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::harness::Bundle;

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Sends a request; only a connection that fails is an error of the test.
pub(crate) async fn ask(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// A POST of JSON with a credential.
pub(crate) fn post(bundle: &Bundle, path: &str, credential: &str, body: &Value) -> RequestBuilder {
    bundle.client.post(bundle.url(path)).bearer_auth(credential).json(body)
}

impl Answer {
    /// The JSON of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/json");
        self.json()
    }

    /// A problem document of this status and code, with everything it promises.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let document = self.json();
        assert_eq!(document["type"], format!("urn:tallyhouse:problem:{code}"), "{} {}", self.status, self.text);
        assert_eq!((self.status, &document["status"]), (status, &Value::from(status)), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let request_id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(document["instance"], format!("urn:uuid:{request_id}"));
        assert!(document["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", self.text);
        assert_eq!(self.headers.contains_key("retry-after"), matches!(status, 429 | 503));
        assert_eq!(self.headers.contains_key("allow"), status == 405);
        document
    }

    /// An error in the form that Supabase Auth reads, which needs a 200.
    #[track_caller]
    pub(crate) fn hook_error(&self, http_code: u16) -> String {
        let body = self.ok();
        assert_eq!(body["error"]["http_code"], http_code, "{}", self.text);
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "the provider takes an empty message for success: {}", self.text);
        message.to_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{} {error}: {}", self.status, self.text))
    }
}
