//! Who sends webhooks, and how each shows who it is.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::Algorithm;
use reqwest::RequestBuilder;
use serde_json::Value;
use sha2::Sha256;
use tally_host::identity::{now, with_headers};

use crate::harness::{Answer, Bundle, KeyServer, SigningKey};

pub(crate) const DATABASE_SECRET: &str = "a secret of the database webhooks";
pub(crate) const WORKOS_SECRET: &str = "workos-endpoint-secret";
pub(crate) const AUTH0_SECRET: &str = "a secret of the auth0 event stream";

/// The variables of a bundle that takes the webhooks of all who have a secret.
pub(crate) fn with_secrets(variables: &mut BTreeMap<String, String>) {
    for (name, value) in [
        ("database_webhook_secrets", format!("the one before, of all the same|{DATABASE_SECRET}")),
        ("workos_webhook_secrets", WORKOS_SECRET.to_owned()),
        ("auth0_webhook_secrets", AUTH0_SECRET.to_owned()),
    ] {
        variables.insert(name.to_owned(), value);
    }
}

/// A webhook without anything that shows who sent it.
pub(crate) fn post(bundle: &Bundle, body: &str) -> RequestBuilder {
    let request = bundle.client.post(bundle.url("/hooks/user-created"));
    request.header("content-type", "application/json").body(body.to_owned())
}

/// One of a sender of Standard Webhooks; `prefix` begins the names of its headers.
pub(crate) fn signed(bundle: &Bundle, prefix: &str, body: &str) -> RequestBuilder {
    let headers = bundle.identity.sign_webhook(body).unwrap();
    with_headers(post(bundle, body), headers.map(|(name, value)| (name.replace("webhook-", prefix), value)))
}

/// One of `WorkOS`, signed at this time.
pub(crate) fn workos(bundle: &Bundle, secret: &str, body: &str, milliseconds: u64) -> RequestBuilder {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{milliseconds}.{body}")).finalize().into_bytes();
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    post(bundle, body).header("WorkOS-Signature", format!("t={milliseconds}, v1={hex}"))
}

/// The provider's request, for a fixture or what was made of one.
pub(crate) fn from_provider(bundle: &Bundle, provider: &str, body: &str) -> RequestBuilder {
    match provider {
        "clerk" => signed(bundle, "svix-", body),
        "workos" => workos(bundle, WORKOS_SECRET, body, now() * 1_000),
        "database" => post(bundle, body).bearer_auth(DATABASE_SECRET),
        "auth0" => post(bundle, body).bearer_auth(AUTH0_SECRET),
        _ => signed(bundle, "webhook-", body),
    }
}

/// Kinde, whose webhooks are a JWT: its key, and where it publishes that.
pub(crate) struct Kinde {
    key: SigningKey,
    server: KeyServer,
}

impl Kinde {
    pub(crate) async fn start() -> Self {
        let key = SigningKey::new("kinde", Algorithm::ES256).unwrap();
        let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
        Self { key, server }
    }

    /// The variables of a bundle that takes its webhooks.
    pub(crate) fn trusted(&self, variables: &mut BTreeMap<String, String>) {
        variables.insert("kinde_jwks_url".to_owned(), self.server.url());
        variables.insert("kinde_jwks_origin".to_owned(), self.server.origin.clone());
    }

    pub(crate) fn sign(&self, event: &Value) -> String {
        self.key.mint(event).unwrap()
    }
}

/// A webhook that is a JWT, whoever signed it.
pub(crate) fn post_jwt(bundle: &Bundle, jwt: String) -> RequestBuilder {
    let request = bundle.client.post(bundle.url("/hooks/user-created")).header("content-type", "application/jwt");
    request.header("webhook-id", "whe_1").body(jwt)
}
