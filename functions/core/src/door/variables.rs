//! Variables of the component, as `spin.toml` gives them.

use crate::access_token::TokenVerifier;
use crate::problem::{Kind, Problem};
use spin_sdk::variables::Error;

/// A variable that is not there, or that its provider would not tell.
#[derive(Debug, thiserror::Error)]
#[error("variable `{name}` cannot be read")]
struct VariableError {
    name: &'static str,
    #[source]
    source: Error,
}

/// The value of a variable. Asked for anew in each request, so that a rotated secret is seen.
pub async fn variable(name: &'static str) -> Result<String, Problem> {
    spin_sdk::variables::get(name)
        .await
        .map_err(|source| Problem::ours(Kind::Misconfigured, VariableError { name, source }))
}

/// What checks access tokens, as the variables `jwt_secret`, `jwt_issuer` and `jwt_audience` have it.
pub async fn token_verifier() -> Result<TokenVerifier, Problem> {
    let (secret, issuer, audience) =
        (variable("jwt_secret").await?, variable("jwt_issuer").await?, variable("jwt_audience").await?);
    TokenVerifier::new(&secret, &issuer, &audience).map_err(|error| Problem::ours(Kind::Misconfigured, error))
}
