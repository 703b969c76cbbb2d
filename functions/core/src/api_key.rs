//! API keys: `tally_`, 32 characters of base 62 (190 random bits), and six that are their CRC-32, so that a mistyped key,
//! or text that only looks like one, never costs a look-up, and a scanner knows a key without asking anybody.

use crate::problem::{Kind, Problem};
use sha2::{Digest, Sha256};

const PREFIX: &str = "tally_";
const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;
/// How much of a key is kept to tell keys apart in a list: the prefix and six characters, 36 bits of 190.
const SHOWN_LENGTH: usize = 12;
/// Random bytes from here on are thrown away, or the first eight digits would come more often than the others.
const EVEN_BYTES: u8 = 248;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key of the right form; whether it exists, the database knows.
pub struct ApiKey {
    hash: String,
}

/// A key that was just made: the one value that holds its text, which can be neither copied nor printed by accident.
pub struct NewApiKey {
    text: String,
}

impl NewApiKey {
    /// A key of the platform's strong randomness.
    pub fn generate() -> Result<Self, Problem> {
        let mut secret = String::with_capacity(SECRET_LENGTH);
        while secret.len() < SECRET_LENGTH {
            let mut bytes = [0; SECRET_LENGTH];
            getrandom::fill(&mut bytes).map_err(|error| Problem::ours(Kind::Internal, error))?;
            secret.extend(digits(&bytes).take(SECRET_LENGTH - secret.len()));
        }
        Ok(Self { text: format!("{PREFIX}{secret}{}", checksum(&secret)) })
    }

    /// The whole key, for whoever asked for it and for nobody else.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the key, hex: what the database keeps.
    pub fn hash(&self) -> String {
        hash(&self.text)
    }

    /// The first characters of the key, to tell keys apart in a list.
    pub fn prefix(&self) -> &str {
        &self.text[..SHOWN_LENGTH]
    }
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
        Some(Ok(Self { hash: hash(credential) }))
    }

    /// SHA-256 of the key, hex: what the database keeps.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

fn hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digits of base 62 made of random bytes, all as likely.
fn digits(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.iter().filter(|byte| **byte < EVEN_BYTES).map(|byte| char::from(DIGITS[usize::from(byte % 62)]))
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
    fn a_new_key_is_well_formed_and_like_no_other() {
        let [one, other] = [NewApiKey::generate().unwrap(), NewApiKey::generate().unwrap()];
        assert_ne!(one.text()[..SHOWN_LENGTH + 12], other.text()[..SHOWN_LENGTH + 12]);
        for key in [one, other] {
            assert_eq!(ApiKey::parse(key.text()).unwrap().unwrap().hash(), key.hash());
            assert!(key.text().starts_with(key.prefix()) && key.prefix().len() == 12, "{}", key.prefix());
        }
    }

    #[test]
    fn every_digit_is_as_likely() {
        let mut counts = std::collections::HashMap::new();
        for digit in digits(&(0..=255).collect::<Vec<u8>>()) {
            *counts.entry(digit).or_insert(0) += 1;
        }
        assert!(counts.len() == 62 && counts.values().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // The check value of CRC-32/ISO-HDLC, which is zlib's, is 0xcbf43926; in base 62, 3jZRME.
        assert_eq!(checksum("123456789"), "3jZRME");
        assert_eq!(checksum(""), "000000");
    }

    #[test]
    fn a_token_is_no_key() {
        assert!(ApiKey::parse("eyJhbGciOiJIUzI1NiJ9.e30.x").is_none());
    }
}
