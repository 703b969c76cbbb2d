//! An access token, and the one who made it up.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};
use tally_core::access_token::{KeySet, TokenVerifier, UnverifiedToken};

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
}
