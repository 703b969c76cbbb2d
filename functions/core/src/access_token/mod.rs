//! Access tokens of the identity provider (RFC 7519): `HS256` with a shared secret; `ES256`, `RS256` and `EdDSA` with the
//! public keys of its key set. `iss`, `aud`, `exp` and `sub` are required.

mod claims;
mod jwk;
mod key_set;
mod key_store;
mod key_url;
mod signed_event;
mod unverified;
#[cfg(test)]
mod vectors;

pub use claims::{ClaimNames, ClaimNamesError};
pub use jwk::LeftOut;
pub use key_set::{KeySet, KeySetError, MAX_KEY_SET_BYTES};
pub use key_store::{Cause, Fetched, KeyStore, fresh_for};
pub use key_url::{KeyUrlError, check_key_url};
pub use signed_event::UnverifiedEvent;
pub use unverified::{MAX_TOKEN_BYTES, UnverifiedToken};

use crate::identity::user_id::user_id;
use crate::problem::{Kind, Problem};
use claims::Claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use key_set::Fit;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Clocks of providers and servers differ; seconds.
const LEEWAY: u64 = 30;
/// RFC 7518, 3.2: a key of the hash's size or larger.
const MIN_SECRET_BYTES: usize = 32;
/// What there is to say of a token that makes no sense.
const UNREADABLE: &str = "The token cannot be read.";

/// Checks access tokens.
pub struct TokenVerifier {
    secret: Option<DecodingKey>,
    validation: Validation,
    issuer: String,
    names: ClaimNames,
}

/// A token that was verified, of a user who may have no organization. Only [`TokenVerifier::verify`] makes one.
#[derive(Debug)]
pub struct UserToken {
    user_id: Uuid,
    organization: Option<(Uuid, Role)>,
    is_anonymous: bool,
    names: ClaimNames,
}

/// A verified token that names an organization. Only [`UserToken::in_organization`] makes one.
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

impl TokenVerifier {
    /// Takes the secret as it is, or none if it is empty, and the `iss` and `aud` that tokens must carry.
    pub fn new(secret: &str, issuer: &str, audience: &str) -> Result<Self, WeakSecret> {
        let secret = if secret.is_empty() { None } else { Some(secret_key(secret.as_bytes())?) };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        Ok(Self { secret, validation, issuer: issuer.to_owned(), names: ClaimNames::default() })
    }

    /// The same for tokens that call organization and role by these names.
    #[must_use]
    pub fn with_names(self, names: ClaimNames) -> Self {
        Self { names, ..self }
    }

    /// The token, if it is the provider's, for us, in time, and names a user. `keys` are the provider's public
    /// keys.
    pub fn verify(&self, token: &UnverifiedToken<'_>, keys: &KeySet) -> Result<UserToken, Problem> {
        let key = self.key_for(token, keys)?;
        // One algorithm, the one that the key is for: `none` and key confusion have no way in.
        let validation = Validation { algorithms: vec![token.algorithm()], ..self.validation.clone() };
        let claims = jsonwebtoken::decode::<Claims>(token.text(), key, &validation)
            .map_err(|error| invalid(explain(error.kind())))?
            .claims;
        let subject: Option<String> = claims.get("sub")?;
        let user_id = subject
            .and_then(|subject| user_id(&self.issuer, &subject))
            .ok_or_else(|| invalid("The token's `sub` is not a user id."))?;
        let org_id = claims.text(&self.names.organization).and_then(|id| id.parse().ok());
        let role = claims.text(&self.names.role).and_then(|role| Role::parse(&role));
        Ok(UserToken {
            user_id,
            organization: org_id.zip(role),
            is_anonymous: claims.is_set("is_anonymous"),
            names: self.names.clone(),
        })
    }

    /// The secret for the one algorithm that uses it, and a public key of just the token's algorithm for the others.
    fn key_for<'a>(&'a self, token: &UnverifiedToken<'_>, keys: &'a KeySet) -> Result<&'a DecodingKey, Problem> {
        if token.is_symmetric() {
            return self.secret.as_ref().ok_or_else(|| invalid("The token's `alg` is not accepted here."));
        }
        match keys.key_for(token) {
            Fit::One(key) => Ok(key),
            Fit::None => Err(invalid("The identity provider has no key with the token's `kid` and `alg`.")),
            Fit::Several => Err(invalid("The token has no `kid`, and the identity provider has several keys.")),
        }
    }
}

/// The key for HS256.
fn secret_key(secret: &[u8]) -> Result<DecodingKey, WeakSecret> {
    if secret.len() < MIN_SECRET_BYTES {
        return Err(WeakSecret { bytes: secret.len() });
    }
    Ok(DecodingKey::from_secret(secret))
}

impl UserToken {
    /// The user: `sub`.
    pub fn user_id(&self) -> Uuid {
        self.user_id
    }

    /// The token, if it names an organization.
    pub fn in_organization(self) -> Result<AccessToken, Problem> {
        let no_organization = |detail: String| Problem::new(Kind::NoOrganization, detail);
        // Before what the token says of an organization, which an anonymous user's must not.
        if self.is_anonymous {
            let detail = "The user is anonymous and so belongs to no organization; sign up, and get a new token.";
            return Err(no_organization(detail.to_owned()));
        }
        let ClaimNames { organization, role } = &self.names;
        let (org_id, role) = self.organization.ok_or_else(|| {
            no_organization(format!(
                "The token carries no `{organization}` and `{role}`: the access-token hook is not set up, or the user \
                 belongs to no organization."
            ))
        })?;
        Ok(AccessToken { user_id: self.user_id, org_id, role })
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
        _ => UNREADABLE,
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
        let verifier = TokenVerifier::new(SECRET, "https://id", "authenticated").unwrap();
        verifier.verify(&UnverifiedToken::read(token)?, &KeySet::default())?.in_organization()
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
    fn a_user_id_that_is_no_uuid_is_the_one_of_the_webhooks() {
        let token = verify(&sign(&with("sub", json!("user_29w83")), Algorithm::HS256, SECRET)).unwrap();
        assert_eq!(Some(token.user_id()), user_id("https://id", "user_29w83"));
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
        for (name, value) in [("iss", "https://evil"), ("aud", "anon"), ("sub", "")] {
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
    fn organization_and_role_may_have_other_names() {
        let verifier = || TokenVerifier::new(SECRET, "https://id", "authenticated").unwrap();
        let names = ClaimNames::new("https://tally.example/org_id", "https://tally.example/user_role").unwrap();
        let verdict = |verifier: TokenVerifier, claims: &Value| {
            let text = sign(claims, Algorithm::HS256, SECRET);
            verifier.verify(&UnverifiedToken::read(&text)?, &KeySet::default())?.in_organization()
        };
        let mut claims = claims();
        claims["https://tally.example/org_id"] = json!(ORG);
        claims["https://tally.example/user_role"] = json!("viewer");
        // What the provider itself calls `org_id` is an organization of its own.
        claims["org_id"] = json!("org_01HRDMC6CM357W30QMHMQ96Q0S");
        let token = verdict(verifier().with_names(names.clone()), &claims).unwrap();
        assert_eq!((token.org_id().to_string(), token.role()), (ORG.into(), Role::Viewer));
        assert_eq!(verdict(verifier(), &claims).unwrap_err().kind(), Kind::NoOrganization);
        let problem = verdict(verifier().with_names(names), &self::claims()).unwrap_err();
        assert_eq!(problem.kind(), Kind::NoOrganization, "the usual names are not taken besides");
        assert!(problem.detail().contains("`https://tally.example/org_id`"), "{}", problem.detail());
    }

    #[test]
    fn an_organization_or_role_of_another_type_is_none() {
        for name in ["org_id", "user_role"] {
            for value in [json!(7), json!(["admin"]), json!({"id": ORG}), json!(true), json!("")] {
                assert_eq!(verdict(&with(name, value.clone())), Kind::NoOrganization, "{name}: {value}");
            }
        }
        assert_eq!(verdict(&with("is_anonymous", json!("false"))), Kind::NoOrganization);
        let token = sign(&with("user_role", json!(["admin"])), Algorithm::HS256, SECRET);
        let verifier = TokenVerifier::new(SECRET, "https://id", "authenticated").unwrap();
        let user = verifier.verify(&UnverifiedToken::read(&token).unwrap(), &KeySet::default()).unwrap();
        assert_eq!(user.user_id().to_string(), USER, "the user is one all the same");
    }

    #[test]
    fn a_user_of_another_type_or_a_claim_twice_is_refused() {
        assert_eq!(verdict(&with("sub", json!(7))), Kind::InvalidToken);
        let twice = format!(r#"{{"org_id": "{ORG}", {}"#, claims().to_string().trim_start_matches('{'));
        let twice: Box<serde_json::value::RawValue> = serde_json::from_str(&twice).unwrap();
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let text = encode(&Header::new(Algorithm::HS256), &twice, &key).unwrap();
        assert_eq!(verify(&text).unwrap_err().kind(), Kind::InvalidToken);
    }

    #[test]
    fn without_an_organization_it_is_still_a_users() {
        let mut claims = with("org_id", Value::Null);
        claims["user_role"] = Value::Null;
        let verifier = TokenVerifier::new(SECRET, "https://id", "authenticated").unwrap();
        let token = sign(&claims, Algorithm::HS256, SECRET);
        let user = verifier.verify(&UnverifiedToken::read(&token).unwrap(), &KeySet::default()).unwrap();
        assert_eq!(user.user_id().to_string(), USER);
    }

    #[test]
    fn an_anonymous_user_is_told_why() {
        let mut claims = with("is_anonymous", json!(true));
        // Also one whose token names an organization, which no hook of ours puts there.
        for org_id in [json!(ORG), Value::Null] {
            claims["org_id"] = org_id;
            let problem = verify(&sign(&claims, Algorithm::HS256, SECRET)).unwrap_err();
            assert_eq!(problem.kind(), Kind::NoOrganization);
            assert!(problem.detail().contains("anonymous"), "{}", problem.detail());
        }
    }

    #[test]
    fn without_a_secret_nothing_is_signed_with_the_empty_one() {
        let verifier = TokenVerifier::new("", "https://id", "authenticated").unwrap();
        let token = sign(&claims(), Algorithm::HS256, "");
        let token = UnverifiedToken::read(&token).unwrap();
        assert_eq!(verifier.verify(&token, &KeySet::default()).unwrap_err().kind(), Kind::InvalidToken);
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
        ] {
            assert_eq!(verify(&token).unwrap_err().kind(), Kind::InvalidToken, "{token}");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(TokenVerifier::new("x", "i", "a").is_err());
        assert!(TokenVerifier::new(&SECRET[1..], "i", "a").is_err());
    }
}
