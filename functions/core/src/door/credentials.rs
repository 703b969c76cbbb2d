//! Who asks: the credential of a request, held against the variables and the identity provider's keys.

use super::keys;
use super::variables::identity_provider;
use crate::access_token::{UnverifiedToken, UserToken};
use crate::authority::{Authority, Credential, UserAuthority};
use crate::problem::{Kind, Problem};
use ::http::HeaderMap;
use std::rc::Rc;

/// The authority of a request, from `Authorization: Bearer` an access token or an API key.
pub async fn authority(headers: &HeaderMap) -> Result<Authority, Problem> {
    match Credential::from_headers(headers)? {
        Credential::ApiKey(key) => Ok(Authority::from_key(&key)),
        Credential::AccessToken(token) => Ok(Authority::from_token(&verify(token).await?.in_organization()?)),
    }
}

/// The authority of a request that only a person may make, from `Authorization: Bearer` an access token that names an
/// organization.
pub async fn member(headers: &HeaderMap) -> Result<Authority, Problem> {
    Ok(Authority::from_token(&verify(access_token(headers)?).await?.in_organization()?))
}

/// The user of a request, with or without an organization, from `Authorization: Bearer` an access token.
pub async fn user(headers: &HeaderMap) -> Result<UserAuthority, Problem> {
    Ok(UserAuthority::from_token(&verify(access_token(headers)?).await?))
}

fn access_token(headers: &HeaderMap) -> Result<&str, Problem> {
    match Credential::from_headers(headers)? {
        Credential::ApiKey(_) => {
            let detail = "An API key is an organization's and no user's; send the user's own access token.";
            Err(Problem::new(Kind::Forbidden, detail))
        }
        Credential::AccessToken(token) => Ok(token),
    }
}

async fn verify(token: &str) -> Result<UserToken, Problem> {
    let provider = identity_provider().await?;
    let token = UnverifiedToken::read(token)?;
    let keys = match &provider.key_url {
        // Nobody is asked for a key that the token does not want.
        Some(url) if !token.is_symmetric() => keys::keys_for(url, &token).await?,
        _ => Rc::default(),
    };
    provider.verifier.verify(&token, &keys)
}
