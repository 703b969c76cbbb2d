//! Access tokens of the identity provider (RFC 7519): HS256 with a shared secret, `iss`, `aud` and `exp` required.

use crate::problem::{Kind, Problem};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Clocks of providers and servers differ; seconds.
const LEEWAY: u64 = 30;
/// RFC 7518, 3.2: a key of the hash's size or larger.
const MIN_SECRET_BYTES: usize = 32;
/// Longer than any header a server lets through; bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Checks access tokens.
pub struct TokenVerifier {
    key: DecodingKey,
    validation: Validation,
}

/// A token that was verified. Only [`TokenVerifier::verify`] makes one.
#[derive(Debug)]
pub struct AccessToken {
    user_id: Uuid,
    org_id: Uuid,
    role: Role,
}

/// What a member may do, from most to least (`org_role` in the database).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, and the organization itself.
    Owner,
    /// Everything but the organization itself.
    Admin,
    /// Reads and writes events.
    Member,
    /// Reads.
    Viewer,
}

impl Role {
    fn parse(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, ValueError> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

/// A secret that would let anybody sign.
#[derive(Debug, thiserror::Error)]
#[error("the secret for access tokens has {bytes} bytes, HS256 needs at least {MIN_SECRET_BYTES}")]
pub struct WeakSecret {
    bytes: usize,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    org_id: Option<String>,
    user_role: Option<String>,
}

impl TokenVerifier {
    /// Takes the secret as it is, and the `iss` and `aud` that tokens must carry.
    pub fn new(secret: &str, issuer: &str, audience: &str) -> Result<Self, WeakSecret> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(WeakSecret { bytes: secret.len() });
        }
        // One algorithm, and not the token's choice: `none` and key confusion have no way in.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        Ok(Self { key: DecodingKey::from_secret(secret.as_bytes()), validation })
    }

    /// The token, if it is the provider's, for us, in time, and names a user and an organization.
    pub fn verify(&self, token: &str) -> Result<AccessToken, Problem> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(invalid("The token is longer than any the provider makes."));
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| invalid(explain(error.kind())))?
            .claims;
        let user_id = claims.sub.parse().map_err(|_| invalid("The token's `sub` is not a user id."))?;
        let org_id = claims.org_id.and_then(|id| id.parse().ok());
        let role = claims.user_role.and_then(|role| Role::parse(&role));
        let (Some(org_id), Some(role)) = (org_id, role) else {
            let detail = "The token carries no `org_id` and `user_role`: the access-token hook is not set up, or the user belongs to no organization.";
            return Err(Problem::new(Kind::NoOrganization, detail));
        };
        Ok(AccessToken { user_id, org_id, role })
    }
}

impl AccessToken {
    /// The user: `sub`.
    pub fn user_id(&self) -> Uuid {
        self.user_id
    }

    /// The organization that the token was made for: `org_id`.
    pub fn org_id(&self) -> Uuid {
        self.org_id
    }

    /// The role that the token was given: `user_role`.
    pub fn role(&self) -> Role {
        self.role
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidToken, detail)
}

fn explain(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "The token has expired; get a new one from the identity provider.",
        ErrorKind::ImmatureSignature => "The token is not valid yet.",
        ErrorKind::InvalidIssuer => "The token's `iss` is not the provider this service trusts.",
        ErrorKind::InvalidAudience => "The token's `aud` is not this service.",
        ErrorKind::InvalidSignature => "The token's signature does not fit.",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "The token's `alg` is not accepted here.",
        ErrorKind::MissingRequiredClaim(_) => "The token lacks one of `exp`, `iss`, `aud` and `sub`.",
        _ => "The token cannot be read.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
    use serde_json::{Value, json};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const USER: &str = "11111111-1111-4111-8111-111111111111";
    const ORG: &str = "22222222-2222-4222-8222-222222222222";

    fn claims() -> Value {
        json!({"sub": USER, "org_id": ORG, "user_role": "admin", "iss": "https://id", "aud": "authenticated",
               "exp": get_current_timestamp() + 60})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn sign(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    fn verify(token: &str) -> Result<AccessToken, Problem> {
        TokenVerifier::new(SECRET, "https://id", "authenticated").unwrap().verify(token)
    }

    fn verdict(claims: &Value) -> Kind {
        verify(&sign(claims, Algorithm::HS256, SECRET)).unwrap_err().kind()
    }

    #[test]
    fn a_good_token_names_user_and_organization() {
        let token = verify(&sign(&claims(), Algorithm::HS256, SECRET)).unwrap();
        assert_eq!((token.user_id().to_string(), token.org_id().to_string()), (USER.into(), ORG.into()));
        assert_eq!(token.role(), Role::Admin);
    }

    #[test]
    fn an_audience_may_stand_in_an_array() {
        assert!(verify(&sign(&with("aud", json!(["authenticated"])), Algorithm::HS256, SECRET)).is_ok());
    }

    #[test]
    fn what_is_out_of_time_is_refused() {
        let now = get_current_timestamp();
        assert_eq!(verdict(&with("exp", json!(now - LEEWAY - 1))), Kind::InvalidToken);
        assert_eq!(verdict(&with("nbf", json!(now + LEEWAY + 5))), Kind::InvalidToken);
    }

    #[test]
    fn what_is_for_others_or_of_others_is_refused() {
        for (name, value) in [("iss", "https://evil"), ("aud", "anon"), ("sub", "not a user")] {
            assert_eq!(verdict(&with(name, json!(value))), Kind::InvalidToken, "{name}");
        }
    }

    #[test]
    fn every_required_claim_is_required() {
        for name in ["exp", "iss", "aud", "sub"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(verdict(&claims), Kind::InvalidToken, "{name}");
        }
    }

    #[test]
    fn without_an_organization_it_is_403() {
        assert_eq!(verdict(&with("org_id", Value::Null)), Kind::NoOrganization);
        assert_eq!(verdict(&with("user_role", json!("emperor"))), Kind::NoOrganization);
    }

    #[test]
    fn another_key_or_algorithm_is_refused() {
        let other = "another secret that is long enough too";
        let unsigned = format!(
            "{}.{}.",
            "eyJhbGciOiJub25lIn0",
            sign(&claims(), Algorithm::HS256, SECRET).split('.').nth(1).unwrap()
        );
        let tampered = sign(&claims(), Algorithm::HS256, SECRET).replacen('.', ".e", 1);
        for token in [
            sign(&claims(), Algorithm::HS256, other),
            sign(&claims(), Algorithm::HS512, SECRET),
            unsigned,
            tampered,
            String::new(),
            "a.b.c".to_owned(),
            "x".repeat(MAX_TOKEN_BYTES + 1),
        ] {
            assert_eq!(verify(&token).unwrap_err().kind(), Kind::InvalidToken, "{token}");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(TokenVerifier::new("", "i", "a").is_err());
        assert!(TokenVerifier::new(&SECRET[1..], "i", "a").is_err());
    }
}
