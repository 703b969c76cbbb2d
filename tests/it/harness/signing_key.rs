//! A private key of an identity provider, made for one test.

use std::sync::OnceLock;

use anyhow::Result;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::OsRng;
use serde_json::{Value, json};
use uuid::Uuid;

const RSA_BITS: usize = 2048;
/// PKCS #8 of an Ed25519 key, up to the key itself (RFC 8410, 7).
const ED25519_START: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What tokens are signed with, and what the key set shows of it.
pub(crate) struct SigningKey {
    id: String,
    algorithm: Algorithm,
    private: EncodingKey,
}

impl SigningKey {
    /// A new key for this algorithm.
    pub(crate) fn new(id: &str, algorithm: Algorithm) -> Result<Self> {
        let private = match algorithm {
            Algorithm::ES256 => {
                EncodingKey::from_ec_der(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_der())
            }
            Algorithm::RS256 => EncodingKey::from_rsa_der(&rsa_key()?),
            _ => {
                let seed = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
                EncodingKey::from_ed_der(&[ED25519_START.as_slice(), &seed].concat())
            }
        };
        Ok(Self { id: id.to_owned(), algorithm, private })
    }

    /// The public key, as Supabase shows it.
    pub(crate) fn public(&self) -> Result<Value> {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private, self.algorithm)?)?;
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk["key_ops"] = json!(["verify"]);
        Ok(jwk)
    }

    /// The header that its tokens have.
    pub(crate) fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) }
    }

    /// A token with these claims.
    pub(crate) fn mint(&self, claims: &Value) -> Result<String> {
        self.mint_with(&self.header(), claims)
    }

    /// A token with another header.
    pub(crate) fn mint_with(&self, header: &Header, claims: &Value) -> Result<String> {
        Ok(jsonwebtoken::encode(header, claims, &self.private)?)
    }
}

/// One for all tests of a run: such keys take their time to make.
fn rsa_key() -> Result<Vec<u8>> {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key.clone());
    }
    let made = RsaPrivateKey::new(&mut OsRng, RSA_BITS)?.to_pkcs1_der()?.as_bytes().to_vec();
    Ok(KEY.get_or_init(|| made).clone())
}
