//! On whose behalf a request acts: a value that only verification can make.

use crate::access_token::{AccessToken, UserToken};
use crate::api_key::ApiKey;
use crate::problem::{Kind, Problem};
use http::HeaderMap;
use serde_json::json;
use uuid::Uuid;

/// What goes to the database as the first argument of a tenant-facing function.
///
/// Its field is private and its makers take a verified token or a well-formed key, so a handler cannot make one up. The
/// database takes it from there: it reads a member's role anew, and looks a key up by its hash.
#[derive(Debug, Clone)]
pub struct Authority {
    document: String,
}

/// A user who acts for nobody but themselves: in what is theirs across organizations, and before they have one.
///
/// Like [`Authority`] it comes from a verified token and from nowhere else, and it is no [`Authority`]: no function of a
/// tenant takes it.
#[derive(Debug, Clone, Copy)]
pub struct UserAuthority {
    user_id: Uuid,
}

/// What a request shows to act for somebody.
pub(crate) enum Credential<'a> {
    /// A key of the right form; the database knows whether it exists.
    ApiKey(ApiKey),
    /// Anything else: a token still to be verified.
    AccessToken(&'a str),
}

impl Authority {
    /// The authority of a user in an organization.
    pub(crate) fn from_token(token: &AccessToken) -> Self {
        Self {
            document: json!({"sub": token.user_id(), "org_id": token.org_id(), "user_role": token.role()}).to_string(),
        }
    }

    /// The authority of whoever has the key.
    pub(crate) fn from_key(key: &ApiKey) -> Self {
        Self { document: json!({"api_key_hash": key.hash()}).to_string() }
    }

    /// As JSON, for `app.assume_authority`.
    pub fn into_json(self) -> String {
        self.document
    }
}

impl UserAuthority {
    /// The user whom the token was made for.
    pub(crate) fn from_token(token: &UserToken) -> Self {
        Self { user_id: token.user_id() }
    }

    /// Whose rows the statement is about.
    pub fn user_id(self) -> Uuid {
        self.user_id
    }
}

impl<'a> Credential<'a> {
    /// The credential of a request, from `Authorization: Bearer`.
    pub(crate) fn from_headers(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let credential = bearer(headers)?;
        match ApiKey::parse(credential) {
            Some(key) => Ok(Self::ApiKey(key?)),
            None => Ok(Self::AccessToken(credential)),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        Problem::new(
            Kind::MissingCredential,
            "Send the header `Authorization: Bearer` with an access token or an API key.",
        )
    };
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(missing)?.to_str().map_err(|_| missing())?;
    if values.next().is_some() {
        return Err(Problem::new(Kind::MalformedHeader, "Send one Authorization header, not several."));
    }
    let (scheme, credential) = value.split_once(' ').ok_or_else(missing)?;
    let credential = credential.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || credential.is_empty() {
        return Err(missing());
    }
    Ok(credential)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(http::header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer(&headers(&["bearer abc"])).unwrap(), "abc");
        assert_eq!(bearer(&headers(&["Basic abc"])).unwrap_err().kind(), Kind::MissingCredential);
        assert_eq!(bearer(&headers(&["Bearer "])).unwrap_err().kind(), Kind::MissingCredential);
        assert_eq!(bearer(&headers(&[])).unwrap_err().kind(), Kind::MissingCredential);
    }

    #[test]
    fn two_credentials_are_refused() {
        assert_eq!(bearer(&headers(&["Bearer a", "Bearer b"])).unwrap_err().kind(), Kind::MalformedHeader);
    }
}
