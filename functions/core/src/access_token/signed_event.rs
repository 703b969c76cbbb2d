//! Webhooks that are a JWT themselves, as Kinde sends them: signed with the keys that sign access tokens, too, so that the
//! one must not pass for the other.

use super::key_set::{Fit, KeySet};
use super::{LEEWAY, UnverifiedToken, explain};
use crate::object::Object;
use crate::problem::{Kind, Problem};
use jsonwebtoken::Validation;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What tokens have and events do not: whom a token is about, whom it was made for, and what it is good for.
#[derive(Deserialize)]
struct TokenClaims {
    sub: Option<IgnoredAny>,
    aud: Option<IgnoredAny>,
    azp: Option<IgnoredAny>,
    scp: Option<IgnoredAny>,
}

/// A token that may turn out to be a webhook.
#[derive(Debug)]
pub struct UnverifiedEvent<'a>(UnverifiedToken<'a>);

impl<'a> UnverifiedEvent<'a> {
    /// Reads the header of a webhook's body, and refuses what no public key could make acceptable.
    pub fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let text = str::from_utf8(body).map_err(|_| invalid("The webhook cannot be read."))?;
        let token = UnverifiedToken::read(text.trim()).map_err(|problem| invalid(problem.detail()))?;
        if token.is_symmetric() {
            return Err(invalid("The token's `alg` is not accepted here."));
        }
        Ok(Self(token))
    }

    /// The token, to find its key by.
    pub fn token(&self) -> &UnverifiedToken<'a> {
        &self.0
    }

    /// What the webhook says, if one of the keys signed it, and as no access token.
    ///
    /// How old it may be is not limited, but by an `exp` of its own: it carries the time of the event, and is sent again for
    /// days until it is answered.
    pub fn verify(&self, keys: &KeySet) -> Result<Box<RawValue>, Problem> {
        let token = &self.0;
        let key = match keys.key_for(token) {
            Fit::One(key) => key,
            Fit::None => return Err(invalid("The sender has no key with the webhook's `kid` and `alg`.")),
            Fit::Several => return Err(invalid("The webhook has no `kid`, and the sender has several keys.")),
        };
        // One algorithm, the one that the key is for.
        let mut validation = Validation::new(token.algorithm());
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode::<Box<RawValue>>(token.text(), key, &validation)
            .map_err(|error| invalid(explain(error.kind())))?;
        if decoded.header.typ.as_deref().is_some_and(is_access_token) || has_token_claims(&decoded.claims) {
            return Err(invalid("This is a token for somebody, and no webhook."));
        }
        Ok(decoded.claims)
    }
}

/// Whether this `typ` is the one of access tokens (RFC 9068, 2.1).
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "at+jwt"
}

fn has_token_claims(claims: &RawValue) -> bool {
    // What cannot be read, with a claim twice say, is no event either.
    serde_json::from_str(claims.get())
        .map_or(true, |Object(TokenClaims { sub, aud, azp, scp })| [sub, aud, azp, scp].iter().any(Option::is_some))
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidSignature, detail)
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{ED25519_JWK, P256_JWK, RSA_JWK, jwk_with, token_of};
    use super::*;
    use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
    use serde_json::{Value, json};

    /// PKCS #8 of the private half of the key of RFC 8037, A.1.
    const ED25519_DER: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
        \x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
        \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";

    fn keys(keys: &[Value]) -> KeySet {
        KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    fn all_keys() -> KeySet {
        keys(&[P256_JWK, RSA_JWK, ED25519_JWK].map(|jwk| jwk_with(jwk, json!({"kid": "a"}))))
    }

    fn header() -> Header {
        Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::EdDSA) }
    }

    fn event() -> Value {
        json!({"type": "user.created", "event_id": "event_1", "data": {"user": {"id": "kp_1"}}})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut event = event();
        event[name] = value;
        event
    }

    fn sign(header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_der(ED25519_DER)).unwrap()
    }

    fn verify(text: &str, keys: &KeySet) -> Result<String, Kind> {
        let event = UnverifiedEvent::read(text.as_bytes()).map_err(|problem| problem.kind())?;
        event.verify(keys).map(|claims| claims.get().to_owned()).map_err(|problem| problem.kind())
    }

    fn refused(text: &str, keys: &KeySet) {
        assert_eq!(verify(text, keys), Err(Kind::InvalidSignature), "{text}");
    }

    #[test]
    fn what_a_key_signed_is_given_as_it_was_written() {
        let text = sign(&header(), &event());
        assert_eq!(verify(&text, &all_keys()), Ok(event().to_string()));
        assert_eq!(verify(&format!("{text}\r\n"), &all_keys()), Ok(event().to_string()));
        for typ in [None, Some("JWT"), Some("webhook+jwt")] {
            let header = Header { typ: typ.map(str::to_owned), ..header() };
            assert!(verify(&sign(&header, &event()), &all_keys()).is_ok(), "{typ:?}");
        }
    }

    #[test]
    fn an_access_token_is_no_webhook_whatever_it_claims_besides() {
        for (name, value) in [
            ("sub", json!("kp_1")),
            ("sub", json!("")),
            ("aud", json!([])),
            ("azp", json!("client")),
            ("scp", json!(["openid"])),
        ] {
            refused(&sign(&header(), &with(name, value)), &all_keys());
        }
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
            refused(&sign(&Header { typ: Some(typ.to_owned()), ..header() }, &event()), &all_keys());
        }
    }

    #[test]
    fn a_time_of_its_own_counts() {
        let now = get_current_timestamp();
        assert!(verify(&sign(&header(), &with("exp", json!(now + 60))), &all_keys()).is_ok());
        refused(&sign(&header(), &with("exp", json!(now - LEEWAY - 1))), &all_keys());
        refused(&sign(&header(), &with("nbf", json!(now + LEEWAY + 5))), &all_keys());
    }

    #[test]
    fn another_key_algorithm_or_content_is_refused() {
        let good = sign(&header(), &event());
        let changed = sign(&header(), &with("event_id", json!("event_2")));
        let (head, signature) = (changed.rsplit_once('.').unwrap().0, good.rsplit_once('.').unwrap().1);
        refused(&format!("{head}.{signature}"), &all_keys());
        refused(&good, &KeySet::default());
        refused(&good, &keys(&[jwk_with(P256_JWK, json!({"kid": "a"}))]));
        refused(&good, &keys(&[jwk_with(ED25519_JWK, json!({"kid": "b"}))]));
        let other = json!({"kid": "a", "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"});
        refused(&good, &keys(&[jwk_with(ED25519_JWK, other)]));
        refused(&sign(&Header { kid: Some("b".to_owned()), ..header() }, &event()), &all_keys());
        let shared = EncodingKey::from_secret(ED25519_JWK.as_bytes());
        let header = Header { kid: Some("a".to_owned()), ..Header::default() };
        refused(&jsonwebtoken::encode(&header, &event(), &shared).unwrap(), &all_keys());
    }

    #[test]
    fn what_is_no_signed_token_is_refused_before_a_key_is_wanted() {
        for text in ["", "x", "{}", &event().to_string(), &token_of(&json!({"alg": "none"}))] {
            assert_eq!(UnverifiedEvent::read(text.as_bytes()).unwrap_err().kind(), Kind::InvalidSignature, "{text}");
        }
        assert!(UnverifiedEvent::read(&[0xff]).is_err());
        assert!(UnverifiedEvent::read(token_of(&json!({"alg": "HS256"})).as_bytes()).is_err());
        assert!(UnverifiedEvent::read(token_of(&json!({"alg": "RS256"})).as_bytes()).is_ok());
    }
}
