//! The secrets of Standard Webhooks, in the forms that people are given them.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The specification asks for 24 random bytes or more.
const MIN_SECRET_BYTES: usize = 24;
/// As forgiving as the official libraries: a secret without its padding is the same secret.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What signatures are checked with.
pub(super) enum Key {
    /// `v1`: HMAC-SHA256 with what both sides know.
    Shared(Vec<u8>),
    /// `v1a`: Ed25519, with the public half.
    Public(Box<VerifyingKey>),
}

/// A secret that cannot be used. Never says which characters it has.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Begun as a JSON array.
    #[error("the webhook secrets begin with [ and are no JSON array of texts")]
    List,
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
    /// Announced as `v1a` and no public key, or one that anybody could sign for.
    #[error("webhook secret {position} is not an Ed25519 public key of the form v1a,whpk_<base64>")]
    PublicKey {
        /// Counted from 1.
        position: usize,
    },
    /// A private key. Whoever only checks signatures has no use for it, and cannot lose what it does not have.
    #[error("webhook secret {position} has a private key, whsk_…: give only the public one, v1a,whpk_<base64>")]
    PrivateKey {
        /// Counted from 1.
        position: usize,
    },
}

impl Key {
    /// Reads the secret at this position of the list.
    pub(super) fn parse(secret: &str, position: usize) -> Result<Self, SecretError> {
        if secret.contains("whsk_") {
            return Err(SecretError::PrivateKey { position });
        }
        if let Some(key) = secret.strip_prefix("v1a,") {
            let key = key.strip_prefix("whpk_").ok_or(SecretError::PublicKey { position })?;
            return public(key, position);
        }
        if let Some(key) = secret.strip_prefix("whpk_") {
            return public(key, position);
        }
        let secret = secret.strip_prefix("v1,").unwrap_or(secret);
        let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = BASE64.decode(secret).map_err(|_| SecretError::Base64 { position })?;
        if key.len() < MIN_SECRET_BYTES {
            return Err(SecretError::Short { position, bytes: key.len() });
        }
        Ok(Self::Shared(key))
    }

    /// The version of the signatures that it checks, as they begin.
    pub(super) fn version(&self) -> &'static str {
        match self {
            Self::Shared(_) => "v1,",
            Self::Public(_) => "v1a,",
        }
    }

    /// Whether this is its signature of the message, which comes in parts.
    pub(super) fn signed(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        match self {
            Self::Shared(key) => Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mut mac| {
                message.iter().for_each(|part| mac.update(part));
                // Compares in constant time.
                mac.verify_slice(signature).is_ok()
            }),
            // Strict: one signature a message and key, none by keys of small order.
            Self::Public(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(&message.concat(), &signature).is_ok()),
        }
    }
}

fn public(text: &str, position: usize) -> Result<Key, SecretError> {
    let bytes: Option<[u8; 32]> = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).filter(|key| !key.is_weak());
    key.map(|key| Key::Public(Box::new(key))).ok_or(SecretError::PublicKey { position })
}
