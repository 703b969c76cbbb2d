//! Variables of the component, as `spin.toml` gives them, and what is made of them.

use crate::access_token::TokenVerifier;
use crate::identity::webhook::WebhookSecrets;
use crate::problem::{Kind, Problem};
use std::error::Error;

/// A variable that is not there, or holds what cannot be used. Never says what it holds.
#[derive(Debug, thiserror::Error)]
#[error("variable `{name}` cannot be used")]
struct VariableError {
    name: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

fn unusable(name: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Problem {
    Problem::ours(Kind::Misconfigured, VariableError { name, source: source.into() })
}

/// The value of a variable. Asked for anew in each request, so that a rotated secret is seen.
pub async fn variable(name: &'static str) -> Result<String, Problem> {
    spin_sdk::variables::get(name).await.map_err(|error| unusable(name, error))
}

/// What checks access tokens, as the variables `jwt_secret`, `jwt_issuer` and `jwt_audience` have it.
pub async fn token_verifier() -> Result<TokenVerifier, Problem> {
    let (secret, issuer, audience) =
        (variable("jwt_secret").await?, variable("jwt_issuer").await?, variable("jwt_audience").await?);
    TokenVerifier::new(&secret, &issuer, &audience).map_err(|error| unusable("jwt_secret", error))
}

/// What checks webhooks, as the variable `webhook_secrets` has it.
pub async fn webhook_secrets() -> Result<WebhookSecrets, Problem> {
    let name = "webhook_secrets";
    WebhookSecrets::parse(&variable(name).await?).map_err(|error| unusable(name, error))
}
