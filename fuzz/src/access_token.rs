//! A token, and the one who made it up: an access token, or a webhook that is one.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tally_core::access_token::{KeySet, TokenVerifier, UnverifiedEvent, UnverifiedToken};

const SECRET: &str = "the secret of the provider 12345";
const ISSUER: &str = "https://id.example/auth/v1";
const AUDIENCE: &str = "authenticated";
const LEEWAY: u64 = 30;
/// A published key, whose private half nobody has any more.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "alg": "ES256", "use": "sig",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// Any text; and a header and claims, a line each, signed in several ways. Nothing is accepted that the secret did not
/// sign, and of that only what is the provider's, for us, in time and of a user.
pub fn access_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    assert!(!is_taken(text.trim()), "accepted as it came: {text}");
    let (header, claims) = text.split_once('\n').unwrap_or_default();
    let message = [header, claims.trim_end()].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
    // Nobody's, the empty secret's, another's, and the published key taken for a secret.
    assert!(!is_taken(&format!("{message}.")), "accepted unsigned: {text}");
    for key in ["", "another secret, just as long: 12", KEYS, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"] {
        assert!(!is_taken(&signed(&message, key)), "accepted by the secret {key}: {text}");
    }
    if is_taken(&signed(&message, SECRET)) {
        assert_acceptable(header, claims);
    }
    webhook(&text, &message, header, claims);
}

/// The same as the body of a webhook: nothing is accepted that the sender's key did not sign, and nothing that is a token
/// for somebody.
fn webhook(text: &str, message: &str, header: &str, claims: &str) {
    let event_keys = event_keys();
    for unsigned in [text.to_owned(), format!("{message}."), signed(message, SECRET), signed(message, &event_keys)] {
        assert!(told(&unsigned, &event_keys).is_none(), "a webhook nobody signed was accepted: {unsigned}");
    }
    let signed = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(sender().sign(message.as_bytes()).to_bytes()));
    assert!(told(&signed, KEYS).is_none(), "accepted by another's key: {signed}");
    if let Some(told) = told(&signed, &event_keys) {
        assert_eq!(told.trim(), claims.trim(), "what is told is not what was signed");
        assert_eq!(member::<String>(header, "alg").as_deref(), Some("EdDSA"), "{header}");
        assert!(member::<Value>(header, "crit").is_none(), "{header}");
        let typ = member::<String>(header, "typ").unwrap_or_default().to_ascii_lowercase();
        assert!(!["at+jwt", "application/at+jwt"].contains(&typ.as_str()), "{header}");
        for name in ["sub", "aud", "azp", "scp"] {
            assert!(member::<IgnoredAny>(claims, name).is_none(), "a token was accepted as a webhook: {claims}");
        }
    }
}

/// A member of an object, if it is there and not null; the others may be what no value could hold.
fn member<T: DeserializeOwned>(object: &str, name: &str) -> Option<T> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).unwrap_or_default();
    members.get(name).and_then(|value| serde_json::from_str::<Option<T>>(value.get()).ok().flatten())
}

/// What a webhook says, where it is accepted.
fn told(body: &str, keys: &str) -> Option<String> {
    let Ok(keys) = KeySet::read(keys.as_bytes()) else { panic!("the keys of this test cannot be used") };
    let event = UnverifiedEvent::read(body.as_bytes()).ok()?;
    event.verify(&keys).ok().map(|told| told.get().to_owned())
}

/// Whoever sends webhooks.
fn sender() -> SigningKey {
    SigningKey::from_bytes(b"the private key of a sender 1234")
}

fn event_keys() -> String {
    let public = BASE64_URL_SAFE_NO_PAD.encode(sender().verifying_key().as_bytes());
    format!(r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "{public}"}}]}}"#)
}

fn signed(message: &str, key: &str) -> String {
    let signature = super::mac(key.as_bytes(), &[message.as_bytes()]);
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn is_taken(token: &str) -> bool {
    let (Ok(verifier), Ok(keys)) = (TokenVerifier::new(SECRET, ISSUER, AUDIENCE), KeySet::read(KEYS.as_bytes())) else {
        panic!("the secret and the keys of this test cannot be used")
    };
    UnverifiedToken::read(token).is_ok_and(|token| verifier.verify(&token, &keys).is_ok())
}

fn assert_acceptable(header: &str, claims: &str) {
    let [header, claims] = [header, claims].map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none(), "{header}");
    assert!(is_or_holds(&claims["iss"], ISSUER) && is_or_holds(&claims["aud"], AUDIENCE), "{claims}");
    assert!(claims["sub"].as_str().is_some_and(|user| (1..=255).contains(&user.len())), "{claims}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    assert!(claims["exp"].as_f64().is_some_and(|end| end + 1.0 >= (now - LEEWAY) as f64), "{claims}");
    let begins = claims["nbf"].as_f64();
    assert!(begins.is_none_or(|begin| begin - 1.0 <= (now + LEEWAY) as f64), "{claims}");
}

/// Both may be arrays; an `iss` that is one is the crate's leniency, and the provider's to sign.
fn is_or_holds(claim: &Value, value: &str) -> bool {
    claim == value || claim.as_array().is_some_and(|all| all.iter().any(|one| one == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_token_is_taken() {
        let claims = format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"{}","exp":4102444800}}"#, "user_1");
        let message = [r#"{"alg":"HS256"}"#, &claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        assert!(is_taken(&signed(&message, SECRET)));
        access_token(format!("{{\"alg\":\"HS256\"}}\n{claims}").as_bytes());
    }

    #[test]
    fn a_good_webhook_is_taken_and_a_token_by_its_key_is_not() {
        let taken = |header: &str, claims: &str| {
            access_token(format!("{header}\n{claims}").as_bytes());
            let message = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
            let signature = BASE64_URL_SAFE_NO_PAD.encode(sender().sign(message.as_bytes()).to_bytes());
            told(&format!("{message}.{signature}"), &event_keys()).is_some()
        };
        assert!(taken(r#"{"alg":"EdDSA","kid":"a"}"#, r#"{"event_id":"e","type":"user.created"}"#));
        assert!(!taken(r#"{"alg":"EdDSA","kid":"a"}"#, r#"{"event_id":"e","sub":"u"}"#));
        assert!(!taken(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, r#"{"event_id":"e"}"#));
    }
}
