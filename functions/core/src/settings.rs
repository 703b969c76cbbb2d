//! What is made of the texts of variables that decide whom to trust, and which cannot be used. Where the texts come from is
//! the caller's business: a function asks the platform in each request, the command that starts one looks beforehand.

use crate::access_token::{ClaimNames, TokenVerifier, check_key_url};
use crate::identity::sender::{self, SentSecrets};
use crate::identity::text_secret::TextSecrets;
use crate::identity::webhook::WebhookSecrets;
use crate::identity::workos;
use http::Uri;
use std::error::Error;

/// A variable that is not there, or holds what cannot be used. Never says what it holds.
#[derive(Debug, thiserror::Error)]
#[error("variable `{name}` cannot be used")]
pub struct VariableError {
    name: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

#[derive(Debug, thiserror::Error)]
#[error("neither `jwt_secret` nor `jwks_url` is set: one of them must be, or no access token can be checked")]
struct NoKeys;

/// Whose access tokens are taken.
pub struct IdentityProvider {
    /// What checks them.
    pub verifier: TokenVerifier,
    /// Where its public keys are, if it has any.
    pub key_url: Option<Uri>,
}

/// The texts of the variables that say so, each under its own name.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "spin.toml describes them")]
pub struct ProviderTexts<'a> {
    pub jwt_secret: &'a str,
    pub jwks_url: &'a str,
    pub jwt_issuer: &'a str,
    pub jwt_audience: &'a str,
    pub jwt_org_claim: &'a str,
    pub jwt_role_claim: &'a str,
}

impl VariableError {
    /// What is wrong with which variable.
    pub fn new(name: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { name, source: source.into() }
    }
}

impl IdentityProvider {
    /// Reads the variables.
    pub fn read(texts: &ProviderTexts<'_>) -> Result<Self, VariableError> {
        if texts.jwt_secret.is_empty() && texts.jwks_url.is_empty() {
            return Err(VariableError::new("jwt_secret", NoKeys));
        }
        let names = ClaimNames::new(texts.jwt_org_claim, texts.jwt_role_claim)
            .map_err(|error| VariableError::new("jwt_org_claim` or `jwt_role_claim", error))?;
        let verifier = TokenVerifier::new(texts.jwt_secret, texts.jwt_issuer, texts.jwt_audience)
            .map_err(|error| VariableError::new("jwt_secret", error))?;
        Ok(Self { verifier: verifier.with_names(names), key_url: key_url("jwks_url", texts.jwks_url)? })
    }
}

/// What checks Standard Webhooks: `webhook_secrets`.
pub fn webhook_secrets(text: &str) -> Result<WebhookSecrets, VariableError> {
    WebhookSecrets::parse(text).map_err(|error| VariableError::new("webhook_secrets", error))
}

/// What checks webhooks of WorkOS: `workos_webhook_secrets`.
pub fn workos_secrets(text: &str) -> Result<TextSecrets, VariableError> {
    text_secrets("workos_webhook_secrets", text, workos::MIN_SECRET_BYTES)
}

/// What senders send along: `database_webhook_secrets` and `auth0_webhook_secrets`.
pub fn sent_secrets(database: &str, auth0: &str) -> Result<SentSecrets, VariableError> {
    Ok(SentSecrets {
        database: text_secrets("database_webhook_secrets", database, sender::MIN_SECRET_BYTES)?,
        auth0: text_secrets("auth0_webhook_secrets", auth0, sender::MIN_SECRET_BYTES)?,
    })
}

/// Where Kinde publishes the keys of its webhooks, if anywhere: `kinde_jwks_url`.
pub fn kinde_key_url(text: &str) -> Result<Option<Uri>, VariableError> {
    key_url("kinde_jwks_url", text)
}

/// Whether the functions could use each of these variables, found by name; one that is not found is as it comes.
pub fn check<'a>(find: impl Fn(&str) -> Option<&'a str>) -> Result<(), VariableError> {
    let text = |name| find(name).unwrap_or_default();
    let or = |name, usual: &'static str| find(name).unwrap_or(usual);
    webhook_secrets(text("webhook_secrets"))?;
    workos_secrets(text("workos_webhook_secrets"))?;
    sent_secrets(text("database_webhook_secrets"), text("auth0_webhook_secrets"))?;
    kinde_key_url(text("kinde_jwks_url"))?;
    IdentityProvider::read(&ProviderTexts {
        jwt_secret: text("jwt_secret"),
        jwks_url: text("jwks_url"),
        jwt_issuer: text("jwt_issuer"),
        jwt_audience: text("jwt_audience"),
        jwt_org_claim: or("jwt_org_claim", "org_id"),
        jwt_role_claim: or("jwt_role_claim", "user_role"),
    })?;
    Ok(())
}

fn key_url(name: &'static str, text: &str) -> Result<Option<Uri>, VariableError> {
    if text.is_empty() {
        return Ok(None);
    }
    check_key_url(text).map(Some).map_err(|error| VariableError::new(name, error))
}

fn text_secrets(name: &'static str, text: &str, needed: usize) -> Result<TextSecrets, VariableError> {
    TextSecrets::parse(text, needed).map_err(|error| VariableError::new(name, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 2] = [
        ("webhook_secrets", "v1,whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        ("jwt_secret", "0123456789abcdef0123456789abcdef"),
    ];

    /// What is wrong where these variables are set besides, or instead.
    fn complaint(changed: &[(&str, &str)]) -> Option<String> {
        let find = |name: &str| changed.iter().chain(&GOOD).find(|(found, _)| *found == name).map(|(_, text)| *text);
        let error = check(find).err()?;
        Some(format!("{error}: {}", error.source().unwrap()))
    }

    #[test]
    fn what_can_be_used_passes() {
        for changed in [
            &[][..],
            &[("webhook_secrets", "")],
            &[("jwt_secret", ""), ("jwks_url", "https://id.example/keys")],
            &[("kinde_jwks_url", "https://acme.kinde.com/.well-known/jwks"), ("workos_webhook_secrets", "")],
            &[("jwt_org_claim", "https://tally.example/org_id")],
        ] {
            assert_eq!(complaint(changed), None, "{changed:?}");
        }
    }

    #[test]
    fn what_cannot_is_named_and_not_shown() {
        for (name, text) in [
            ("webhook_secrets", "hunter2"),
            ("database_webhook_secrets", "hunter2"),
            ("auth0_webhook_secrets", "hunter2"),
            ("workos_webhook_secrets", "hunter2"),
            ("jwt_secret", "hunter2"),
            ("jwt_secret", ""),
            ("jwks_url", "http://id.example/hunter2"),
            ("kinde_jwks_url", "hunter2"),
            ("jwt_org_claim", "user_role"),
            ("jwt_role_claim", ""),
        ] {
            let complaint = complaint(&[(name, text)]).unwrap_or_else(|| panic!("{name}={text} passes"));
            assert!(complaint.contains(&format!("`{name}`")) && !complaint.contains("hunter"), "{complaint}");
        }
    }
}
