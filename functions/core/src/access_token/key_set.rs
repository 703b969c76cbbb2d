//! A JWK set (RFC 7517), and which of its keys a token may be checked with.

use super::jwk::{LeftOut, PublicKey};
use super::unverified::UnverifiedToken;
use crate::object::Object;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The largest document that is read, bytes.
pub const MAX_KEY_SET_BYTES: usize = 64 * 1024;
/// More keys than any provider has at once.
const MAX_KEYS: usize = 64;
/// What is quoted of a `kid` in the log, characters.
const MAX_QUOTED: usize = 64;

/// The provider's public keys that may verify access tokens.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    left_out: Vec<(String, LeftOut)>,
}

/// A document that is no usable JWK set.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// It has more bytes than are read.
    #[error("the key set has more than {MAX_KEY_SET_BYTES} bytes")]
    TooLarge,
    /// It has more keys than are taken.
    #[error("the key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// It is not of the form `{"keys": [...]}`.
    #[error("the key set is not of the form {{\"keys\": [...]}}")]
    Form(#[source] serde_json::Error),
}

/// Which key a token may be checked with.
#[derive(Debug)]
pub(super) enum Fit<'a> {
    /// This one.
    One(&'a DecodingKey),
    /// None of these; newer ones may have it.
    None,
    /// The token names no key, and there are several of its algorithm.
    Several,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// What is told of an entry that was left out.
#[derive(Deserialize)]
struct Name {
    kid: String,
}

impl KeySet {
    /// Reads a set. An entry that cannot be used is left out and the others stay, as RFC 7517, 5 wants it.
    pub fn read(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_KEY_SET_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let Object(document): Object<Document<'_>> = serde_json::from_slice(document).map_err(KeySetError::Form)?;
        if document.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self::default();
        for entry in document.keys {
            match PublicKey::read(entry.get()) {
                Ok(key) if set.keys.iter().any(|known| known.id == key.id && known.is_same_as(&key)) => {}
                Ok(key) => set.keys.push(key),
                Err(reason) => set.left_out.push((name(entry), reason)),
            }
        }
        set.leave_out_ambiguous();
        Ok(set)
    }

    /// An id that stands for two keys of one algorithm names none of them. Keys of different types may share one.
    fn leave_out_ambiguous(&mut self) {
        let named: Vec<_> = self.keys.iter().map(|key| (key.id.clone(), key.algorithm)).collect();
        let is_ambiguous = |key: &PublicKey| {
            let same = named.iter().filter(|(id, algorithm)| *id == key.id && *algorithm == key.algorithm).count();
            key.id.is_some() && same > 1
        };
        let (ambiguous, unique) = std::mem::take(&mut self.keys).into_iter().partition(is_ambiguous);
        self.keys = unique;
        let ambiguous: Vec<PublicKey> = ambiguous;
        self.left_out
            .extend(ambiguous.into_iter().map(|key| (quoted(&key.id.unwrap_or_default()), LeftOut::Ambiguous)));
    }

    /// The entries that should not be as they are, for the log: which, and why it was left out.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        let odd = self.left_out.iter().filter(|(_, reason)| *reason != LeftOut::OtherPurpose);
        odd.map(|(id, reason)| format!("the key {id:?} is left out: {reason}"))
    }

    /// Whether there is a key, or would be more than one, for this token.
    pub(super) fn knows(&self, token: &UnverifiedToken<'_>) -> bool {
        !matches!(self.key_for(token), Fit::None)
    }

    /// The key of the token's `kid` and of just its algorithm. Without a `kid`, the only key of that algorithm.
    pub(super) fn key_for(&self, token: &UnverifiedToken<'_>) -> Fit<'_> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithm == token.algorithm() && token.key_id().is_none_or(|id| key.id.as_deref() == Some(id))
        });
        match (fitting.next(), fitting.next()) {
            (None, _) => Fit::None,
            (Some(key), None) => Fit::One(&key.key),
            (Some(_), Some(_)) => Fit::Several,
        }
    }
}

fn name(entry: &RawValue) -> String {
    serde_json::from_str(entry.get()).map_or_else(|_| String::new(), |Object(name): Object<Name>| quoted(&name.kid))
}

fn quoted(id: &str) -> String {
    id.chars().take(MAX_QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{ED25519_JWK, P256_JWK, RSA_JWK, jwk_with, token_of};
    use super::*;
    use serde_json::{Value, json};

    fn set(keys: &[Value]) -> KeySet {
        KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    /// Why the only entry was left out.
    fn reason(entry: Value) -> LeftOut {
        let set = set(std::slice::from_ref(&entry));
        assert!(set.keys.is_empty(), "{entry}");
        set.left_out[0].1
    }

    /// Which key of the set is for a token of this header: "none", "several", or "one".
    fn fit(set: &KeySet, header: Value) -> &'static str {
        match set.key_for(&UnverifiedToken::read(&token_of(&header)).unwrap()) {
            Fit::One(_) => "one",
            Fit::None => "none",
            Fit::Several => "several",
        }
    }

    #[test]
    fn the_type_of_a_key_decides_its_algorithm() {
        for (jwk, its_own) in [(P256_JWK, "ES256"), (RSA_JWK, "RS256"), (ED25519_JWK, "EdDSA")] {
            let set = set(&[jwk_with(jwk, json!({"kid": "a"}))]);
            for algorithm in ["HS256", "ES256", "RS256", "EdDSA"] {
                let expected = if algorithm == its_own { "one" } else { "none" };
                assert_eq!(fit(&set, json!({"alg": algorithm, "kid": "a"})), expected, "{algorithm} {jwk}");
            }
            assert_eq!(fit(&set, json!({"alg": its_own, "kid": "b"})), "none");
        }
    }

    #[test]
    fn a_token_without_a_kid_needs_an_only_key() {
        let keys = [jwk_with(P256_JWK, json!({"kid": "a"})), jwk_with(RSA_JWK, json!({}))];
        assert_eq!(fit(&set(&keys), json!({"alg": "ES256"})), "one");
        assert_eq!(fit(&set(&keys), json!({"alg": "RS256"})), "one");
        assert_eq!(fit(&set(&keys), json!({"alg": "EdDSA"})), "none");
        // A `kid` is never ignored.
        assert_eq!(fit(&set(&keys), json!({"alg": "RS256", "kid": "a"})), "none");

        let keys = [jwk_with(P256_JWK, json!({"kid": "a"})), jwk_with(P256_JWK, json!({"kid": "b"}))];
        assert_eq!(fit(&set(&keys), json!({"alg": "ES256"})), "several");
        assert_eq!(fit(&set(&keys), json!({"alg": "ES256", "kid": "b"})), "one");
    }

    #[test]
    fn a_kid_that_names_two_keys_names_none() {
        let second = json!({"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"});
        let other = jwk_with(ED25519_JWK, json!({"x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw", "kid": "a"}));
        let ambiguous = set(&[jwk_with(ED25519_JWK, second.clone()), other, jwk_with(P256_JWK, json!({"kid": "a"}))]);
        assert_eq!(fit(&ambiguous, json!({"alg": "EdDSA", "kid": "a"})), "none");
        assert_eq!(fit(&ambiguous, json!({"alg": "ES256", "kid": "a"})), "one");
        assert_eq!(ambiguous.complaints().count(), 2);
        // The same key twice is one key.
        let twice = set(&[jwk_with(ED25519_JWK, second.clone()), jwk_with(ED25519_JWK, second)]);
        assert_eq!(fit(&twice, json!({"alg": "EdDSA", "kid": "a"})), "one");
        assert_eq!(twice.complaints().count(), 0);
    }

    #[test]
    fn keys_for_something_else_are_left_out_quietly() {
        for (jwk, change) in [
            (P256_JWK, json!({"use": "enc"})),
            (P256_JWK, json!({"key_ops": ["sign"]})),
            (P256_JWK, json!({"key_ops": []})),
            (P256_JWK, json!({"alg": "ES384"})),
            (P256_JWK, json!({"alg": "HS256"})),
            (P256_JWK, json!({"crv": "P-384"})),
            (P256_JWK, json!({"crv": "secp256k1"})),
            (RSA_JWK, json!({"alg": "RSA-OAEP"})),
            (RSA_JWK, json!({"alg": "PS256"})),
            (ED25519_JWK, json!({"crv": "X25519"})),
            (ED25519_JWK, json!({"alg": "ES256"})),
            (ED25519_JWK, json!({"kty": "AKP"})),
        ] {
            assert_eq!(reason(jwk_with(jwk, change.clone())), LeftOut::OtherPurpose, "{change}");
        }
        assert_eq!(set(&[jwk_with(P256_JWK, json!({"use": "enc"}))]).complaints().count(), 0);
        for change in [json!({"use": "sig", "alg": "ES256"}), json!({"key_ops": ["verify"]}), json!({"x5c": ["?"]})] {
            assert_eq!(set(&[jwk_with(P256_JWK, change)]).keys.len(), 1);
        }
    }

    #[test]
    fn secrets_and_private_keys_are_left_out() {
        assert_eq!(reason(json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"})), LeftOut::Private);
        for (jwk, member) in [(P256_JWK, "d"), (RSA_JWK, "d"), (RSA_JWK, "p"), (RSA_JWK, "q"), (ED25519_JWK, "d")] {
            assert_eq!(reason(jwk_with(jwk, json!({member: "AQAB"}))), LeftOut::Private, "{member}");
        }
    }

    #[test]
    fn malformed_entries_are_left_out_and_the_rest_is_kept() {
        let mut keys = vec![json!(null), json!(1), json!("key"), json!([]), json!({}), json!({"kty": 1})];
        let mut values = vec![json!(null); 14];
        values[0] = json!("oct");
        assert_eq!(reason(json!(values)), LeftOut::Malformed);
        for (jwk, change) in [
            (P256_JWK, json!({"y": null})),
            (P256_JWK, json!({"y": "AQAB"})),
            (P256_JWK, json!({"x": "not base64!"})),
            // Not on the curve.
            (P256_JWK, json!({"y": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})),
            (P256_JWK, json!({"kid": 1})),
            (P256_JWK, json!({"use": 1})),
            (P256_JWK, json!({"key_ops": "verify"})),
            (RSA_JWK, json!({"n": null})),
            (RSA_JWK, json!({"e": "="})),
            (ED25519_JWK, json!({"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"})),
            // No point has this for its y: 2 leads to a non-square.
            (ED25519_JWK, json!({"x": "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})),
        ] {
            let entry = jwk_with(jwk, change);
            assert_eq!(reason(entry.clone()), LeftOut::Malformed, "{entry}");
            keys.push(entry);
        }
        keys.push(jwk_with(P256_JWK, json!({"kid": "good"})));
        let set = set(&keys);
        assert_eq!(set.keys.len(), 1);
        assert_eq!(fit(&set, json!({"alg": "ES256", "kid": "good"})), "one");
        assert_eq!(set.complaints().count(), keys.len() - 1);
    }

    #[test]
    fn rsa_keys_have_a_size() {
        let number = |bits: usize| {
            let mut bytes = vec![0xff; bits.div_ceil(8)];
            bytes[0] >>= bytes.len() * 8 - bits;
            base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes)
        };
        for (bits, taken) in [(1024, false), (2047, false), (2048, true), (4096, true), (4097, false)] {
            assert_eq!(set(&[jwk_with(RSA_JWK, json!({"n": number(bits)}))]).keys.len() == 1, taken, "{bits}");
        }
        // 0, 1, an even one, and one that no library takes.
        for exponent in ["AA", "AQ", "", "Ag", "AQAAAAE"] {
            assert_eq!(reason(jwk_with(RSA_JWK, json!({"e": exponent}))), LeftOut::RsaSize, "{exponent}");
        }
    }

    #[test]
    fn a_document_is_bounded() {
        let many = |count: usize| json!({"keys": vec![json!({}); count]}).to_string();
        assert!(KeySet::read(many(MAX_KEYS).as_bytes()).is_ok());
        assert!(matches!(KeySet::read(many(MAX_KEYS + 1).as_bytes()), Err(KeySetError::TooManyKeys)));
        let long = |bytes: usize| format!("{{\"keys\":[]}}{}", " ".repeat(bytes - 11));
        assert!(KeySet::read(long(MAX_KEY_SET_BYTES).as_bytes()).is_ok());
        assert!(matches!(KeySet::read(long(MAX_KEY_SET_BYTES + 1).as_bytes()), Err(KeySetError::TooLarge)));
        for document in
            ["", "[]", "[[]]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>", "{\"keys\":["]
        {
            assert!(matches!(KeySet::read(document.as_bytes()), Err(KeySetError::Form(_))), "{document}");
        }
    }

    #[test]
    fn a_complaint_quotes_no_more_than_a_little_of_the_id() {
        let entry = jwk_with(P256_JWK, json!({"y": null, "kid": format!("\n{}", "k".repeat(1_000))}));
        let complaint = set(&[entry]).complaints().next().unwrap();
        assert!(complaint.len() < 200 && complaint.contains("\\nkkk"), "{complaint}");
    }
}
