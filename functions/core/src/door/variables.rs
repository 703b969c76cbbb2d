//! Variables of the component, as `spin.toml` gives them, and what is made of them.

use crate::access_token::{ClaimNames, TokenVerifier, check_key_url};
use crate::identity::sender::{self, SentSecrets};
use crate::identity::text_secret::TextSecrets;
use crate::identity::webhook::WebhookSecrets;
use crate::identity::workos;
use crate::problem::{Kind, Problem};
use ::http::Uri;
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

/// Whose access tokens are taken.
pub(super) struct IdentityProvider {
    /// What checks them.
    pub(super) verifier: TokenVerifier,
    /// Where its public keys are, if it has any.
    pub(super) key_url: Option<Uri>,
}

#[derive(Debug, thiserror::Error)]
#[error("neither `jwt_secret` nor `jwks_url` is set: one of them must be, or no access token can be checked")]
struct NoKeys;

/// Whose access tokens are taken, as the variables `jwt_secret`, `jwks_url`, `jwt_issuer`, `jwt_audience`, `jwt_org_claim` and
/// `jwt_role_claim` have it.
pub(super) async fn identity_provider() -> Result<IdentityProvider, Problem> {
    let (secret, url) = (variable("jwt_secret").await?, variable("jwks_url").await?);
    let (issuer, audience) = (variable("jwt_issuer").await?, variable("jwt_audience").await?);
    if secret.is_empty() && url.is_empty() {
        return Err(Problem::ours(Kind::Misconfigured, NoKeys));
    }
    let names = ClaimNames::new(&variable("jwt_org_claim").await?, &variable("jwt_role_claim").await?)
        .map_err(|error| unusable("jwt_org_claim` or `jwt_role_claim", error))?;
    let key_url = if url.is_empty() { None } else { Some(check_key_url(&url)) };
    Ok(IdentityProvider {
        verifier: TokenVerifier::new(&secret, &issuer, &audience)
            .map_err(|error| unusable("jwt_secret", error))?
            .with_names(names),
        key_url: key_url.transpose().map_err(|error| unusable("jwks_url", error))?,
    })
}

/// What checks Standard Webhooks, as the variable `webhook_secrets` has it.
pub async fn webhook_secrets() -> Result<WebhookSecrets, Problem> {
    let name = "webhook_secrets";
    WebhookSecrets::parse(&variable(name).await?).map_err(|error| unusable(name, error))
}

/// What checks webhooks of WorkOS, as the variable `workos_webhook_secrets` has it.
pub(super) async fn workos_secrets() -> Result<TextSecrets, Problem> {
    let name = "workos_webhook_secrets";
    let secrets = text_secrets(name, workos::MIN_SECRET_BYTES).await?;
    if secrets.is_empty() {
        let detail = format!("Webhooks of WorkOS are not taken here: the variable `{name}` is empty.");
        return Err(Problem::new(Kind::InvalidSignature, detail));
    }
    Ok(secrets)
}

/// The secrets that senders send along, as the variables `database_webhook_secrets` and `auth0_webhook_secrets` have them.
pub(super) async fn sent_secrets() -> Result<SentSecrets, Problem> {
    Ok(SentSecrets {
        database: text_secrets("database_webhook_secrets", sender::MIN_SECRET_BYTES).await?,
        auth0: text_secrets("auth0_webhook_secrets", sender::MIN_SECRET_BYTES).await?,
    })
}

/// Where Kinde publishes the keys of its webhooks, as the variable `kinde_jwks_url` has it.
pub(super) async fn kinde_key_url() -> Result<Uri, Problem> {
    let name = "kinde_jwks_url";
    let url = variable(name).await?;
    if url.is_empty() {
        let detail =
            format!("Webhooks that are a JWT, as Kinde's, are not taken here: the variable `{name}` is empty.");
        return Err(Problem::new(Kind::InvalidSignature, detail));
    }
    check_key_url(&url).map_err(|error| unusable(name, error))
}

async fn text_secrets(name: &'static str, needed: usize) -> Result<TextSecrets, Problem> {
    TextSecrets::parse(&variable(name).await?, needed).map_err(|error| unusable(name, error))
}
