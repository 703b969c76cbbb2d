//! Signatures of Standard Webhooks (<https://www.standardwebhooks.com>, specification 1.0.0): symmetric `v1` and asymmetric
//! `v1a`.
//!
//! Written here and not taken from the crate `standardwebhooks` 1.0.1: that one takes an empty secret, knows no `v1a`, and of
//! a list that is separated by `", "`, as Supabase Auth sends it, only the last signature can match.

mod key;
#[cfg(test)]
mod tests;

pub use key::SecretError;

use crate::problem::{Kind, Problem};
use base64::Engine;
use http::HeaderMap;
use key::{BASE64, Key};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the official libraries allow between the clocks, either way.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// Signatures of one version looked at in one header: a provider in the middle of a rotation sends two.
const MAX_SIGNATURES: usize = 8;
/// Webhooks of providers that send through Svix carry these names.
const HEADER_PREFIXES: [&str; 2] = ["webhook-", "svix-"];

/// The secrets that a webhook may be signed with: more than one while they are rotated.
pub struct WebhookSecrets {
    keys: Vec<Key>,
}

impl WebhookSecrets {
    /// Reads secrets separated by `|` as Supabase Auth has them, or in a JSON array: `v1,whsec_<base64>`, `whsec_<base64>` or
    /// bare base64, and for asymmetric signatures `v1a,whpk_<base64>` or `whpk_<base64>`. There may be none.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        // Which no secret begins with.
        let list: Vec<String> = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map_err(|_| SecretError::List)?
        } else {
            text.split('|').map(str::to_owned).collect()
        };
        let secrets = list.iter().map(|secret| secret.trim()).filter(|secret| !secret.is_empty());
        let keys =
            (1..).zip(secrets).map(|(position, secret)| Key::parse(secret, position)).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Whether there is none, and so no signature that fits.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of the secrets signed this body, within five minutes of `now`.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<(), Problem> {
        let signed = SignedHeaders::read(headers)?;
        check_time(signed.timestamp, now)?;
        let message = [signed.id.as_bytes(), b".", signed.timestamp.as_bytes(), b".", body];
        let fits = |key: &Key| signed.signatures(key.version()).any(|signature| key.signed(&message, &signature));
        if self.keys.iter().any(fits) {
            return Ok(());
        }
        let detail = "No signature of the webhook fits: check that the provider and this service have the same secret.";
        Err(Problem::new(Kind::InvalidSignature, detail))
    }
}

/// Whether the headers have a signature of Standard Webhooks, good or bad.
pub fn is_signed(headers: &HeaderMap) -> bool {
    HEADER_PREFIXES.iter().any(|prefix| headers.contains_key(format!("{prefix}signature")))
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

    /// The signatures of a version: the specification separates them by a space, Supabase Auth by a comma and a space.
    fn signatures(&self, version: &'static str) -> impl Iterator<Item = Vec<u8>> + 'a {
        self.signature
            .split_ascii_whitespace()
            .filter_map(move |entry| entry.trim_end_matches(',').strip_prefix(version))
            .take(MAX_SIGNATURES)
            .filter_map(|signature| BASE64.decode(signature).ok())
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
