//! Who asks: the credential of a request, held against the variables and the identity provider's keys.

use super::keys;
use super::variables::identity_provider;
use crate::access_token::{AccessToken, UnverifiedToken};
use crate::authority::{Authority, Credential};
use crate::problem::Problem;
use ::http::HeaderMap;
use std::rc::Rc;

/// The authority of a request, from `Authorization: Bearer` an access token or an API key.
pub async fn authority(headers: &HeaderMap) -> Result<Authority, Problem> {
    match Credential::from_headers(headers)? {
        Credential::ApiKey(key) => Ok(Authority::from_key(&key)),
        Credential::AccessToken(token) => Ok(Authority::from_token(&verify(token).await?)),
    }
}

async fn verify(token: &str) -> Result<AccessToken, Problem> {
    let provider = identity_provider().await?;
    let token = UnverifiedToken::read(token)?;
    let keys = match &provider.key_url {
        // Nobody is asked for a key that the token does not want.
        Some(url) if !token.is_symmetric() => keys::keys_for(url, &token).await?,
        _ => Rc::default(),
    };
    provider.verifier.verify(&token, &keys)
}
