//! Variables of the component, as `spin.toml` gives them. What is made of their texts stands in [`crate::settings`].

use crate::identity::sender::SentSecrets;
use crate::identity::text_secret::TextSecrets;
use crate::identity::webhook::WebhookSecrets;
use crate::problem::{Kind, Problem};
use crate::settings::{self, IdentityProvider, ProviderTexts, VariableError};
use ::http::Uri;

fn unusable(error: VariableError) -> Problem {
    Problem::ours(Kind::Misconfigured, error)
}

/// The value of a variable. Asked for anew in each request, so that a rotated secret is seen.
pub async fn variable(name: &'static str) -> Result<String, Problem> {
    spin_sdk::variables::get(name).await.map_err(|error| unusable(VariableError::new(name, error)))
}

/// Whose access tokens are taken, as the variables `jwt_secret`, `jwks_url`, `jwt_issuer`, `jwt_audience`, `jwt_org_claim` and
/// `jwt_role_claim` have it.
pub(super) async fn identity_provider() -> Result<IdentityProvider, Problem> {
    let texts = ProviderTexts {
        jwt_secret: &variable("jwt_secret").await?,
        jwks_url: &variable("jwks_url").await?,
        jwt_issuer: &variable("jwt_issuer").await?,
        jwt_audience: &variable("jwt_audience").await?,
        jwt_org_claim: &variable("jwt_org_claim").await?,
        jwt_role_claim: &variable("jwt_role_claim").await?,
    };
    IdentityProvider::read(&texts).map_err(unusable)
}

/// What checks Standard Webhooks, as the variable `webhook_secrets` has it.
pub(super) async fn webhook_secrets() -> Result<WebhookSecrets, Problem> {
    let name = "webhook_secrets";
    let secrets = settings::webhook_secrets(&variable(name).await?).map_err(unusable)?;
    if secrets.is_empty() { Err(not_taken("signed as Standard Webhooks", name)) } else { Ok(secrets) }
}

/// What checks webhooks of WorkOS, as the variable `workos_webhook_secrets` has it.
pub(super) async fn workos_secrets() -> Result<TextSecrets, Problem> {
    let name = "workos_webhook_secrets";
    let secrets = settings::workos_secrets(&variable(name).await?).map_err(unusable)?;
    if secrets.is_empty() { Err(not_taken("of WorkOS", name)) } else { Ok(secrets) }
}

/// The secrets that senders send along, as the variables `database_webhook_secrets` and `auth0_webhook_secrets` have them.
pub(super) async fn sent_secrets() -> Result<SentSecrets, Problem> {
    let (database, auth0) = (variable("database_webhook_secrets").await?, variable("auth0_webhook_secrets").await?);
    settings::sent_secrets(&database, &auth0).map_err(unusable)
}

/// Where Kinde publishes the keys of its webhooks, as the variable `kinde_jwks_url` has it.
pub(super) async fn kinde_key_url() -> Result<Uri, Problem> {
    let name = "kinde_jwks_url";
    let url = settings::kinde_key_url(&variable(name).await?).map_err(unusable)?;
    url.ok_or_else(|| not_taken("that are a JWT, as Kinde's,", name))
}

fn not_taken(which: &str, name: &str) -> Problem {
    Problem::new(
        Kind::InvalidSignature,
        format!("Webhooks {which} are not taken here: the variable `{name}` is empty."),
    )
}
