//! One entry of a JWK set (RFC 7517): whether it may verify access tokens, and by which algorithm.

use crate::object::Object;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, crypto};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// NIST SP 800-131A: fewer are not secure any more. More than 4096 the library does not take, nor does anybody use.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const P256_COORDINATE_BYTES: usize = 32;
const ED25519_BYTES: usize = 32;

/// A public key that may verify tokens of one algorithm, which its type decides and not the token.
#[derive(Debug, Clone)]
pub(super) struct PublicKey {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why an entry is not among the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// A key for something else; sets may hold such.
    #[error("it is for another purpose or algorithm")]
    OtherPurpose,
    /// Not what RFC 7517 and 7518 describe.
    #[error("it is malformed")]
    Malformed,
    /// Anybody may have read it by now.
    #[error("it is a secret or private key, published")]
    Private,
    /// RSA of fewer than 2048 bits, or more than 4096.
    #[error("an RSA key must have 2048 to 4096 bits and an odd exponent above 1")]
    RsaSize,
    /// Another key has the same id, and the same algorithm.
    #[error("another key has its `kid`")]
    Ambiguous,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    // What only the owner of a key has.
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl PublicKey {
    /// The key that an entry describes.
    pub(super) fn read(entry: &str) -> Result<Self, LeftOut> {
        let Object(jwk): Object<Jwk> = serde_json::from_str(entry).map_err(|_| LeftOut::Malformed)?;
        if jwk.d.is_some() || jwk.p.is_some() || jwk.q.is_some() || jwk.k.is_some() {
            return Err(LeftOut::Private);
        }
        if !jwk.is_for_verification() {
            return Err(LeftOut::OtherPurpose);
        }
        let (algorithm, name) = jwk.algorithm().ok_or(LeftOut::OtherPurpose)?;
        if jwk.alg.as_ref().is_some_and(|alg| alg != name) {
            return Err(LeftOut::OtherPurpose);
        }
        let key = match algorithm {
            Algorithm::RS256 => rsa(&jwk)?,
            Algorithm::ES256 => p256(&jwk)?,
            _ => ed25519(&jwk)?,
        };
        // The library looks at a key when it first uses it: whether a point lies on its curve shows here.
        crypto::verify("", b"", &key, algorithm).map_err(|_| LeftOut::Malformed)?;
        Ok(Self { id: jwk.kid, algorithm, key })
    }

    /// Whether it is the same key for the same algorithm, whatever its id.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let same = match (self.key.kind(), other.key.kind()) {
            (DecodingKeyKind::SecretOrDer(one), DecodingKeyKind::SecretOrDer(two)) => one == two,
            (
                DecodingKeyKind::RsaModulusExponent { n, e },
                DecodingKeyKind::RsaModulusExponent { n: other_n, e: other_e },
            ) => n == other_n && e == other_e,
            _ => false,
        };
        same && self.algorithm == other.algorithm
    }
}

impl Jwk {
    fn is_for_verification(&self) -> bool {
        self.r#use.as_ref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"))
    }

    /// The one algorithm for keys of this type and curve.
    fn algorithm(&self) -> Option<(Algorithm, &'static str)> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => Some((Algorithm::RS256, "RS256")),
            ("EC", Some("P-256")) => Some((Algorithm::ES256, "ES256")),
            ("OKP", Some("Ed25519")) => Some((Algorithm::EdDSA, "EdDSA")),
            _ => None,
        }
    }
}

fn bytes(member: Option<&String>) -> Result<Vec<u8>, LeftOut> {
    BASE64_URL_SAFE_NO_PAD.decode(member.ok_or(LeftOut::Malformed)?).map_err(|_| LeftOut::Malformed)
}

fn fixed(member: Option<&String>, length: usize) -> Result<Vec<u8>, LeftOut> {
    bytes(member).and_then(|bytes| if bytes.len() == length { Ok(bytes) } else { Err(LeftOut::Malformed) })
}

fn rsa(jwk: &Jwk) -> Result<DecodingKey, LeftOut> {
    let (n, e) = (bytes(jwk.n.as_ref())?, bytes(jwk.e.as_ref())?);
    let exponent = e.iter().try_fold(0_u32, |value, &byte| value.checked_mul(256)?.checked_add(byte.into()));
    let is_odd = n.last().is_some_and(|byte| byte % 2 == 1);
    // An exponent of 1 would make every message its own signature.
    if !RSA_BITS.contains(&bits(&n)) || !exponent.is_some_and(|exponent| exponent > 1 && exponent % 2 == 1) {
        return Err(LeftOut::RsaSize);
    }
    if is_odd { Ok(DecodingKey::from_rsa_raw_components(&n, &e)) } else { Err(LeftOut::Malformed) }
}

fn bits(number: &[u8]) -> usize {
    let mut significant = number.iter().skip_while(|&&byte| byte == 0);
    significant.next().map_or(0, |first| 8 - first.leading_zeros() as usize + 8 * significant.count())
}

fn p256(jwk: &Jwk) -> Result<DecodingKey, LeftOut> {
    let x = fixed(jwk.x.as_ref(), P256_COORDINATE_BYTES)?;
    let y = fixed(jwk.y.as_ref(), P256_COORDINATE_BYTES)?;
    // SEC 1, 2.3.3: an uncompressed point.
    Ok(DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
}

fn ed25519(jwk: &Jwk) -> Result<DecodingKey, LeftOut> {
    Ok(DecodingKey::from_ed_der(&fixed(jwk.x.as_ref(), ED25519_BYTES)?))
}
