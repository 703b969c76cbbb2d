//! The vectors of RFC 7515, 7519 and 8037, changed ones, and what makes tokens of them.

use super::key_set::{Fit, KeySet};
use super::unverified::UnverifiedToken;
use super::{AccessToken, TokenVerifier, secret_key};
use crate::problem::{Kind, Problem};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto, encode, get_current_timestamp};
use serde_json::{Value, json};

/// RFC 7515, A.3.
pub(super) const P256_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
/// RFC 7515, A.2.
pub(super) const RSA_JWK: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
/// RFC 8037, A.2.
pub(super) const ED25519_JWK: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// RFC 7515, A.1.
const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037, A.4.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// RFC 7519, 6.1.
const UNSECURED: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";

const USER: &str = "11111111-1111-4111-8111-111111111111";
const ORG: &str = "22222222-2222-4222-8222-222222222222";

/// A key with some of its members changed.
pub(super) fn jwk_with(jwk: &str, change: Value) -> Value {
    let mut jwk: Value = serde_json::from_str(jwk).unwrap();
    if let Value::Object(change) = change {
        jwk.as_object_mut().unwrap().extend(change);
    }
    jwk
}

/// A token of this header, with no claims and no signature.
pub(super) fn token_of(header: &Value) -> String {
    format!("{}.e30.", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

fn of_the_rfcs() -> KeySet {
    set(&[P256_JWK, RSA_JWK, ED25519_JWK].map(|jwk| jwk_with(jwk, json!({}))))
}

/// Whether the signature is by the key that is chosen for the token.
fn is_signed(token: &str) -> bool {
    let Ok(token) = UnverifiedToken::read(token) else {
        return false;
    };
    let keys = of_the_rfcs();
    let secret = secret_key(&BASE64_URL_SAFE_NO_PAD.decode(SECRET).unwrap()).unwrap();
    let key = if token.is_symmetric() {
        &secret
    } else {
        match keys.key_for(&token) {
            Fit::One(key) => key,
            fit => panic!("{fit:?}"),
        }
    };
    let (message, signature) = token.text().rsplit_once('.').unwrap();
    crypto::verify(signature, message.as_bytes(), key, token.algorithm()).unwrap_or(false)
}

/// The token with another signature.
fn signed(token: &str, signature: &[u8]) -> String {
    format!("{}.{}", token.rsplit_once('.').unwrap().0, BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn signature(token: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(token.rsplit_once('.').unwrap().1).unwrap()
}

#[test]
fn the_tokens_of_the_rfcs_are_signed() {
    for token in [HS256, RS256, ES256, EDDSA] {
        assert!(is_signed(token), "{token}");
    }
    assert!(!is_signed(UNSECURED));
}

#[test]
fn no_bit_of_a_signature_or_message_may_change() {
    for token in [HS256, RS256, ES256, EDDSA] {
        let good = signature(token);
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert!(!is_signed(&signed(token, &bad)), "{index} {token}");
        }
        let mut parts = token.split('.');
        let (header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        assert!(!is_signed(&format!("{header}.{}.{signature}", claims.replacen('e', "f", 1).replacen('R', "S", 1))));
        assert!(!is_signed(&format!("{header}.{claims}.")));
        assert!(!is_signed(&format!("{header}.{claims}.{signature}=")));
        assert!(!is_signed(&format!("{header}.{claims}")));
    }
}

#[test]
fn signatures_of_a_wrong_form_are_refused() {
    // What Wycheproof tries of ECDSA: zeros, the order of the curve, DER instead of two numbers, other lengths.
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let good = signature(ES256);
    let (r, s) = good.split_at(32);
    let one: Vec<u8> = [[0; 31].as_slice(), &[1]].concat();
    // The first byte of each number is below 0x80 or has a zero before it, as DER wants it.
    let der_number = |number: &[u8]| {
        let padding: &[u8] = if number[0] < 0x80 { &[] } else { &[0] };
        let length = u8::try_from(padding.len() + number.len()).unwrap();
        [&[2, length], padding, number].concat()
    };
    let numbers = [der_number(r), der_number(s)].concat();
    let der = [&[0x30, u8::try_from(numbers.len()).unwrap()], numbers.as_slice()].concat();
    for bad in [
        vec![0; 64],
        [&[0; 32], s].concat(),
        [r, &[0; 32]].concat(),
        [order.as_slice(), s].concat(),
        [r, order.as_slice()].concat(),
        [one.as_slice(), &one].concat(),
        [0xff; 64].to_vec(),
        [s, r].concat(),
        good[..63].to_vec(),
        good[1..].to_vec(),
        [good.as_slice(), &[0]].concat(),
        [&[0], good.as_slice()].concat(),
        der,
        Vec::new(),
    ] {
        assert!(!is_signed(&signed(ES256, &bad)), "{bad:x?}");
    }
    for token in [RS256, EDDSA] {
        let good = signature(token);
        for bad in [
            vec![0; good.len()],
            [vec![0; good.len() - 1], vec![1]].concat(),
            good[1..].to_vec(),
            [good.as_slice(), &[0]].concat(),
            [&[0], good.as_slice()].concat(),
            vec![0xff; good.len()],
        ] {
            assert!(!is_signed(&signed(token, &bad)), "{bad:x?}");
        }
    }
}

/// What signs by a private key of 32 bytes, and what a key set shows of it.
fn key_pair(algorithm: Algorithm, private: &[u8; 32]) -> (EncodingKey, Value) {
    // PKCS #8: all but the key is the same for every key of its type.
    let start: &[u8] = match algorithm {
        Algorithm::ES256 => b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20",
        _ => b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
    };
    let document = [start, private].concat();
    let key = match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(&document),
        _ => EncodingKey::from_ed_der(&document),
    };
    let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
    (key, jwk)
}

fn claims() -> Value {
    json!({"sub": USER, "org_id": ORG, "user_role": "admin", "iss": "https://id", "aud": "authenticated",
           "exp": get_current_timestamp() + 60})
}

fn verify(secret: &str, keys: &KeySet, token: &str) -> Result<AccessToken, Problem> {
    let verifier = TokenVerifier::new(secret, "https://id", "authenticated").unwrap();
    verifier.verify(&UnverifiedToken::read(token)?, keys)?.in_organization()
}

#[test]
fn claims_are_checked_whatever_the_algorithm() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        let (key, jwk) = key_pair(algorithm, &[1; 32]);
        let keys = set(&[jwk]);
        let good = encode(&Header::new(algorithm), &claims(), &key).unwrap();
        assert_eq!(verify("", &keys, &good).unwrap().org_id().to_string(), ORG);
        for (name, value) in [("exp", json!(1)), ("iss", json!("https://evil")), ("aud", json!("anon"))] {
            let mut claims = claims();
            claims[name] = value;
            let bad = encode(&Header::new(algorithm), &claims, &key).unwrap();
            assert_eq!(verify("", &keys, &bad).unwrap_err().kind(), Kind::InvalidToken, "{name}");
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let (_, jwk) = key_pair(Algorithm::ES256, &[1; 32]);
    let keys = set(std::slice::from_ref(&jwk));
    let point: Vec<u8> = ["x", "y"]
        .iter()
        .flat_map(|name| BASE64_URL_SAFE_NO_PAD.decode(jwk[*name].as_str().unwrap()).unwrap())
        .collect();
    let uncompressed = [&[4], point.as_slice()].concat();
    for secret in [jwk.to_string().into_bytes(), point, uncompressed, Vec::new()] {
        let token = encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        for our_secret in ["", "0123456789abcdef0123456789abcdef"] {
            assert_eq!(verify(our_secret, &keys, &token).unwrap_err().kind(), Kind::InvalidToken);
        }
    }
}

#[test]
fn each_algorithm_has_its_own_keys_and_no_others() {
    let secret = "0123456789abcdef0123456789abcdef";
    let (key, jwk) = key_pair(Algorithm::ES256, &[1; 32]);
    let symmetric =
        encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(secret.as_bytes())).unwrap();
    let asymmetric = encode(&Header::new(Algorithm::ES256), &claims(), &key).unwrap();
    let keys = set(&[jwk]);
    assert!(verify(secret, &keys, &symmetric).is_ok());
    assert!(verify(secret, &keys, &asymmetric).is_ok());
    assert!(verify("", &keys, &symmetric).is_err());
    assert!(verify(secret, &KeySet::default(), &asymmetric).is_err());
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (_, ours) = key_pair(Algorithm::ES256, &[1; 32]);
    let (key, theirs) = key_pair(Algorithm::ES256, &[2; 32]);
    let mut header = Header::new(Algorithm::ES256);
    header.jwk = Some(serde_json::from_value(theirs).unwrap());
    header.jku = Some("https://evil.example/keys".to_owned());
    let token = encode(&header, &claims(), &key).unwrap();
    assert_eq!(verify("", &set(&[ours]), &token).unwrap_err().kind(), Kind::InvalidToken);
}
