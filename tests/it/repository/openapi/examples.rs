//! Every request that the document shows is sent, and answered as the example of the same name says.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{Operation, document, examples, object};
use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant};
use crate::senders::{Kinde, from_provider, post_jwt, with_secrets};

/// Ids of the examples, and what stands for them in a test: the real ones.
pub(super) struct Placeholders([(&'static str, String); 5]);

/// A request that is shown.
struct Shown {
    operation: &'static Operation,
    name: &'static str,
    media_type: Option<&'static str>,
    body: String,
}

impl Placeholders {
    /// The ids of a tenant, of a key that it has, and of an event of its that was rejected.
    pub(super) async fn of(bundle: &Bundle, tenant: &Tenant) -> Self {
        let key = json!({"name": "another", "scopes": ["metrics:read"]});
        let key: Value =
            serde_json::from_str(&ask(post(bundle, "/v1/api-keys", &tenant.token, &key)).await.text).unwrap();
        let rejected = ask(post(bundle, "/v1/events", &tenant.token, &json!([{}]))).await.ok();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        Self([
            ("11111111-1111-4111-8111-111111111111", tenant.user.id.to_string()),
            ("22222222-2222-4222-8222-222222222222", tenant.org_id.clone()),
            ("33333333-3333-4333-8333-333333333333", tenant.store_id.clone()),
            ("44444444-4444-4444-8444-444444444444", id(&key["id"])),
            ("55555555-5555-4555-8555-555555555555", id(&rejected["errors"][0]["quarantine_id"])),
        ])
    }

    pub(super) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (made_up, real)| text.replace(made_up, real))
    }
}

/// The text of a value: of a text itself, of anything else its JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the document shows of an operation: each example of a body, else each of a parameter, else the bare request.
fn shown(operation: &'static Operation) -> Vec<Shown> {
    let body = operation.value.get("requestBody").map(|body| &document().resolve(body)["content"]);
    let bodies = body.map(object).into_iter().flatten().flat_map(|(media_type, content)| {
        let shown = move |(name, value)| Shown { operation, name, media_type: Some(media_type), body: text(value) };
        examples(content).map(shown)
    });
    let bodies: Vec<Shown> = bodies.collect();
    if !bodies.is_empty() {
        return bodies;
    }
    let bare = |name| Shown { operation, name, media_type: None, body: String::new() };
    let of_parameters: BTreeSet<&str> =
        parameters(operation).flat_map(|parameter| examples(parameter).map(|(name, _)| name)).collect();
    if of_parameters.is_empty() {
        return vec![bare("")];
    }
    // Parameters are shared, and so are their examples: those of this operation are the ones it has an answer for.
    let is_own = |name: &&str| status_of(operation, name).is_some() || operation.path.contains('{');
    of_parameters.into_iter().filter(is_own).map(bare).collect()
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &'static Value> {
    let parameters = operation.value.get("parameters").and_then(Value::as_array);
    parameters.into_iter().flatten().map(|parameter| document().resolve(parameter))
}

/// The status whose response has an example of this name.
fn status_of(operation: &Operation, name: &str) -> Option<u16> {
    let has = |response: &'static Value| {
        let content = response.get("content").map(object).into_iter().flatten();
        content.flat_map(|(_, content)| examples(content)).any(|(found, _)| found == name)
    };
    let mut statuses = operation.responses().filter(|(_, response)| has(response)).map(|(status, _)| status);
    let status = statuses.next();
    assert_eq!(statuses.next(), None, "{} {} answers {name} in two ways", operation.method, operation.path);
    status
}

impl Shown {
    /// What the document says that the answer is.
    fn status(&self) -> u16 {
        let success = || self.operation.responses().map(|(status, _)| status).find(|status| *status < 300);
        let has_content = |status: &u16| self.operation.value["responses"][status.to_string()].get("content").is_some();
        let found = status_of(self.operation, self.name);
        // What has no name, and what is answered without content, cannot have an example.
        let found = found.or_else(|| success().filter(|status| self.name.is_empty() || !has_content(status)));
        found.unwrap_or_else(|| {
            panic!("{} {}: no response to {}", self.operation.method, self.operation.path, self.name)
        })
    }

    /// The request, but for who sends it.
    fn request(&self, bundle: &Bundle, placeholders: &Placeholders) -> RequestBuilder {
        let (mut path, mut query, mut headers) = (self.operation.path.to_owned(), Vec::new(), Vec::new());
        for parameter in parameters(self.operation) {
            let name = parameter["name"].as_str().unwrap();
            let Some((_, value)) = examples(parameter).find(|(example, _)| *example == self.name) else { continue };
            let value = placeholders.fill(&text(value));
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), &value),
                "query" => query.push((name, value)),
                "header" => headers.push((name, value)),
                elsewhere => panic!("a parameter in {elsewhere}"),
            }
        }
        let mut url = reqwest::Url::parse(&bundle.url(&path)).unwrap();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = bundle.client.request(self.operation.method.clone(), url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match self.media_type {
            Some(media_type) => request.header("content-type", media_type).body(placeholders.fill(&self.body)),
            None => request,
        }
    }

    /// Whether the answer is the one that the document shows.
    fn judge(&self, answer: &Answer) {
        let (status, name) = (self.status(), self.name);
        let what =
            format!("{} {} {name}: {} {}", self.operation.method, self.operation.path, answer.status, answer.text);
        assert_eq!(answer.status, status, "{what}");
        let response = document().resolve(&self.operation.value["responses"][status.to_string()]);
        let Some(content) = response.get("content") else {
            assert_eq!(answer.text, "", "{what}");
            return;
        };
        let (media_type, content) = object(content).iter().next().unwrap();
        assert_eq!(answer.headers["content-type"], media_type.as_str(), "{what}");
        let answered: Value = serde_json::from_str(&answer.text).unwrap();
        let mut shown = examples(content).filter(|(example, _)| *example == name || name.is_empty());
        let (_, shown) = shown.next().unwrap();
        let keys = |value: &Value| object(value).keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&answered), keys(shown), "{what}");
        assert_eq!(answered.get("type"), shown.get("type"), "{what}");
    }
}

/// The operations that take this credential.
fn operations(scheme: &str) -> Vec<&'static Operation> {
    let takes = |operation: &Operation| {
        let schemes = operation.value["security"].as_array().unwrap();
        schemes.iter().any(|alternative| alternative.get(scheme).is_some())
    };
    // For good: so small a list, made twice.
    let operations: &'static [Operation] = document().operations().leak();
    operations.iter().filter(|operation| takes(operation)).collect()
}

async fn send_all(bundle: &Bundle, scheme: &str, credential: &str, placeholders: &Placeholders) {
    let shown: Vec<Shown> = operations(scheme).into_iter().flat_map(shown).collect();
    assert!(shown.len() > 20, "only {} examples for {scheme}", shown.len());
    for shown in shown {
        let request = shown.request(bundle, placeholders).bearer_auth(credential);
        shown.judge(&ask(request).await);
    }
}

#[tokio::test]
async fn every_example_is_answered_as_the_document_says() {
    let bundle = Bundle::start().await.unwrap();
    let owner = bundle.tenant("acme").await.unwrap();
    send_all(&bundle, "accessToken", &owner.token, &Placeholders::of(&bundle, &owner).await).await;
    let machine = bundle.tenant("bolt").await.unwrap();
    let key = machine.api_key(&bundle, &["events:write", "metrics:read"], None).await.unwrap();
    send_all(&bundle, "apiKey", &key, &Placeholders::of(&bundle, &machine).await).await;
}

#[tokio::test]
async fn every_example_of_a_hook_is_answered_as_the_document_says_once_it_is_signed() {
    let kinde = Kinde::start().await;
    let bundle = Bundle::with(|variables| {
        with_secrets(variables);
        kinde.trusted(variables);
    });
    let bundle = bundle.await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let placeholders = Placeholders::of(&bundle, &acme).await;
    let before = bundle.count("organizations").await;
    let mut made = 0;
    for shown in operations("webhookSignature").into_iter().flat_map(shown) {
        let body = placeholders.fill(&shown.body);
        let request = match (shown.operation.path, shown.media_type) {
            ("/hooks/access-token", _) => {
                bundle.identity.webhook_text(&bundle.client, bundle.url("/hooks/access-token"), body).unwrap()
            }
            (_, Some("application/jwt")) => {
                let claims = URL_SAFE_NO_PAD.decode(body.split('.').nth(1).unwrap()).unwrap();
                post_jwt(&bundle, kinde.sign(&serde_json::from_slice(&claims).unwrap()))
            }
            _ => from_provider(&bundle, shown.name, &body),
        };
        shown.judge(&ask(request).await);
        made += i64::from(shown.operation.path == "/hooks/user-created" && shown.status() == 200);
    }
    assert!(made > 5);
    assert_eq!(bundle.count("organizations").await, before + made);
}
