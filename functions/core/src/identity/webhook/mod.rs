//! Signatures of Standard Webhooks, symmetric `v1` (<https://www.standardwebhooks.com>, specification 1.0.0).
//!
//! Written here and not taken from the crate `standardwebhooks` 1.0.1: that one takes an empty secret, and of a list that
//! is separated by `", "`, as Supabase Auth sends it, only the last signature can match.

use crate::problem::{Kind, Problem};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the official libraries allow between the clocks, either way.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// The specification asks for 24 random bytes or more.
const MIN_SECRET_BYTES: usize = 24;
/// Signatures looked at in one header: a provider in the middle of a rotation sends two.
const MAX_SIGNATURES: usize = 8;
/// Webhooks of providers that send through Svix carry these names.
const HEADER_PREFIXES: [&str; 2] = ["webhook-", "svix-"];
/// As forgiving as the official libraries: a secret without its padding is the same secret.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The secrets that a webhook may be signed with: more than one while they are rotated.
pub struct WebhookSecrets {
    keys: Vec<Vec<u8>>,
}

/// A secret that cannot be used. Never says which characters it has.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is none at all.
    #[error("no webhook secret is set")]
    Missing,
    /// Not base64.
    #[error("webhook secret {position} is not base64")]
    Base64 {
        /// Counted from 1.
        position: usize,
    },
    /// So short that it can be guessed.
    #[error("webhook secret {position} has {bytes} bytes, {MIN_SECRET_BYTES} are needed")]
    Short {
        /// Counted from 1.
        position: usize,
        /// What it has.
        bytes: usize,
    },
}

impl WebhookSecrets {
    /// Reads `v1,whsec_<base64>`, `whsec_<base64>` or bare base64, several separated by `|` as Supabase Auth has them.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut keys = Vec::new();
        for (position, secret) in (1..).zip(text.split('|').map(str::trim).filter(|secret| !secret.is_empty())) {
            let secret = secret.strip_prefix("v1,").unwrap_or(secret);
            let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
            let key = BASE64.decode(secret).map_err(|_| SecretError::Base64 { position })?;
            if key.len() < MIN_SECRET_BYTES {
                return Err(SecretError::Short { position, bytes: key.len() });
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(SecretError::Missing) } else { Ok(Self { keys }) }
    }

    /// Whether one of the secrets signed this body, within five minutes of `now`.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<(), Problem> {
        let signed = SignedHeaders::read(headers)?;
        check_time(signed.timestamp, now)?;
        let given: Vec<Vec<u8>> = signed.signatures().collect();
        let matches = self.keys.iter().any(|key| {
            given.iter().any(|signature| signed.mac(key, body).is_some_and(|mac| mac.verify_slice(signature).is_ok()))
        });
        if matches {
            return Ok(());
        }
        let detail = "No signature of the webhook fits: check that the provider and this service have the same secret.";
        Err(Problem::new(Kind::InvalidSignature, detail))
    }
}

struct SignedHeaders<'a> {
    id: &'a str,
    timestamp: &'a str,
    signature: &'a str,
}

impl<'a> SignedHeaders<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let prefix = HEADER_PREFIXES
            .into_iter()
            .find(|prefix| headers.contains_key(format!("{prefix}signature")))
            .unwrap_or(HEADER_PREFIXES[0]);
        let get = |name: &str| {
            let name = format!("{prefix}{name}");
            headers.get(&name).and_then(|value| value.to_str().ok()).ok_or_else(|| {
                Problem::new(Kind::InvalidSignature, format!("The webhook carries no readable header `{name}`."))
            })
        };
        Ok(Self { id: get("id")?, timestamp: get("timestamp")?, signature: get("signature")? })
    }

    /// The `v1` signatures: the specification separates them by a space, Supabase Auth by a comma and a space.
    fn signatures(&self) -> impl Iterator<Item = Vec<u8>> + 'a {
        self.signature
            .split_ascii_whitespace()
            .filter_map(|entry| entry.trim_end_matches(',').strip_prefix("v1,"))
            .take(MAX_SIGNATURES)
            .filter_map(|signature| BASE64.decode(signature).ok())
    }

    /// The MAC over `id.timestamp.body`; verifying it compares in constant time.
    fn mac(&self, key: &[u8], body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        for part in [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        Some(mac)
    }
}

fn check_time(timestamp: &str, now: SystemTime) -> Result<(), Problem> {
    let sent: u64 = timestamp
        .parse()
        .map_err(|_| Problem::new(Kind::InvalidSignature, "The webhook's timestamp is not a number of seconds."))?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if now.abs_diff(sent) > TOLERANCE.as_secs() {
        let detail = "The webhook was signed more than five minutes away from this service's clock; send it anew.";
        return Err(Problem::new(Kind::StaleTimestamp, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the official libraries: secret, id, timestamp, body, signature.
    const VECTORS: [[&str; 5]; 2] = [
        [
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            "1649367553",
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ],
        [
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ],
    ];

    fn headers(prefix: &str, id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("id", id), ("timestamp", timestamp), ("signature", signature)] {
            let name: http::HeaderName = format!("{prefix}{name}").parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    fn at(timestamp: &str, offset: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs((timestamp.parse::<i64>().unwrap() + offset).try_into().unwrap())
    }

    fn verdict(secrets: &str, signature: &str, offset: i64) -> Option<Kind> {
        let [_, id, timestamp, body, _] = VECTORS[0];
        WebhookSecrets::parse(secrets)
            .unwrap()
            .verify(&headers("webhook-", id, timestamp, signature), body.as_bytes(), at(timestamp, offset))
            .err()
            .map(|problem| problem.kind())
    }

    #[test]
    fn published_vectors_verify_under_both_header_names() {
        for [secret, id, timestamp, body, signature] in VECTORS {
            for prefix in HEADER_PREFIXES {
                let secrets = WebhookSecrets::parse(secret).unwrap();
                let headers = headers(prefix, id, timestamp, signature);
                secrets.verify(&headers, body.as_bytes(), at(timestamp, 0)).unwrap();
                let changed = secrets.verify(&headers, b"{}", at(timestamp, 0)).unwrap_err();
                assert_eq!(changed.kind(), Kind::InvalidSignature);
            }
        }
    }

    #[test]
    fn a_rotation_has_several_secrets_and_several_signatures() {
        let [[secret, .., good], [other, .., wrong]] = VECTORS;
        assert_eq!(verdict(&format!("v1,{other}|v1,{secret}"), good, 0), None);
        for list in [
            format!("{wrong} {good}"),
            format!("{wrong}, {good}"),
            format!("{good}, {wrong}"),
            format!("v2,x {good}"),
            format!("{}{good}", "v1a,x ".repeat(20)),
        ] {
            assert_eq!(verdict(secret, &list, 0), None, "{list}");
        }
        assert_eq!(verdict(other, good, 0), Some(Kind::InvalidSignature));
    }

    #[test]
    fn what_is_not_the_whole_signature_does_not_match() {
        let [secret, .., good] = VECTORS[0];
        for bad in ["", "v1,", "v1", &good[..11], &good[3..], "v2,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="] {
            assert_eq!(verdict(secret, bad, 0), Some(Kind::InvalidSignature), "{bad}");
        }
    }

    #[test]
    fn five_minutes_either_way_and_no_more() {
        let [secret, .., good] = VECTORS[0];
        assert_eq!(verdict(secret, good, 300), None);
        assert_eq!(verdict(secret, good, -300), None);
        assert_eq!(verdict(secret, good, 301), Some(Kind::StaleTimestamp));
        assert_eq!(verdict(secret, good, -301), Some(Kind::StaleTimestamp));
    }

    #[test]
    fn each_header_is_needed() {
        let [secret, id, timestamp, body, signature] = VECTORS[0];
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut headers = headers("webhook-", id, timestamp, signature);
            headers.remove(name);
            let verdict = WebhookSecrets::parse(secret).unwrap().verify(&headers, body.as_bytes(), at(timestamp, 0));
            assert_eq!(verdict.unwrap_err().kind(), Kind::InvalidSignature, "{name}");
        }
        let headers = headers("webhook-", id, "soon", signature);
        let verdict = WebhookSecrets::parse(secret).unwrap().verify(&headers, body.as_bytes(), at(timestamp, 0));
        assert_eq!(verdict.unwrap_err().kind(), Kind::InvalidSignature);
    }

    #[test]
    fn secrets_that_anybody_could_guess_are_refused() {
        assert!(matches!(WebhookSecrets::parse(""), Err(SecretError::Missing)));
        assert!(matches!(WebhookSecrets::parse("|"), Err(SecretError::Missing)));
        assert!(matches!(WebhookSecrets::parse("v1,whsec_"), Err(SecretError::Short { position: 1, bytes: 0 })));
        assert!(matches!(
            WebhookSecrets::parse("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ=="),
            Err(SecretError::Short { bytes: 22, .. })
        ));
        assert!(matches!(WebhookSecrets::parse("whsec_***"), Err(SecretError::Base64 { position: 1 })));
    }
}
