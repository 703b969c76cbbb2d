//! API keys: `tally_`, 32 characters of base 62, and six that are their CRC-32, so that a mistyped key, or text that only
//! looks like one, never costs a look-up.

use crate::problem::{Kind, Problem};
use sha2::{Digest, Sha256};

const PREFIX: &str = "tally_";
const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key of the right form; whether it exists, the database knows.
pub struct ApiKey {
    hash: String,
}

impl ApiKey {
    /// `None` for what is no API key at all, an error for a key with a wrong checksum.
    pub fn parse(credential: &str) -> Option<Result<Self, Problem>> {
        let rest = credential.strip_prefix(PREFIX)?;
        let well_formed = rest.len() == SECRET_LENGTH + CHECKSUM_LENGTH
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && checksum(&rest[..SECRET_LENGTH]) == rest[SECRET_LENGTH..];
        if !well_formed {
            let detail = "The API key is mistyped or cut: its checksum does not fit.";
            return Some(Err(Problem::new(Kind::InvalidApiKey, detail)));
        }
        let hash = Sha256::digest(credential).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Ok(Self { hash }))
    }

    /// SHA-256 of the key, hex: what the database keeps.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

fn checksum(secret: &str) -> String {
    let mut rest = crc32fast::hash(secret.as_bytes());
    let mut digits = [0_u8; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `app.create_api_key`.
    const KEY: &str = "tally_l7m3dC6EcbPBf2Qrjcg3CoY1abya65OD15W75t";

    #[test]
    fn a_key_of_the_database_is_well_formed() {
        assert_eq!(ApiKey::parse(KEY).unwrap().unwrap().hash().len(), 64);
    }

    #[test]
    fn a_changed_or_cut_key_is_refused() {
        for bad in
            [KEY.replace('m', "n"), KEY[..43].to_owned(), format!("{KEY}0"), "tally_".to_owned(), "tally_é".to_owned()]
        {
            assert_eq!(ApiKey::parse(&bad).unwrap().err().unwrap().kind(), Kind::InvalidApiKey, "{bad}");
        }
    }

    #[test]
    fn a_token_is_no_key() {
        assert!(ApiKey::parse("eyJhbGciOiJIUzI1NiJ9.e30.x").is_none());
    }
}
