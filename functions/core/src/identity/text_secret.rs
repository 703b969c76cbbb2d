//! Secrets that are plain text: what a sender puts into a header as it is, or makes its signatures with.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Secrets, any of which will do; none where the variable is empty.
pub struct TextSecrets {
    secrets: Vec<String>,
}

/// A secret that can be guessed. Never says which characters it has.
#[derive(Debug, thiserror::Error)]
#[error("secret {position} has {bytes} bytes, {needed} are needed")]
pub struct ShortSecret {
    /// Counted from 1.
    position: usize,
    bytes: usize,
    needed: usize,
}

impl TextSecrets {
    /// Reads secrets separated by `|`, of at least so many bytes each.
    pub fn parse(text: &str, needed: usize) -> Result<Self, ShortSecret> {
        let secrets = text.split('|').map(str::trim).filter(|secret| !secret.is_empty()).map(str::to_owned);
        let secrets: Vec<String> = secrets.collect();
        match (1..).zip(&secrets).find(|(_, secret)| secret.len() < needed) {
            Some((position, secret)) => Err(ShortSecret { position, bytes: secret.len(), needed }),
            None => Ok(Self { secrets }),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Whether one of them is `given`. How long it takes tells nothing of them.
    pub fn contains(&self, given: &str) -> bool {
        let given = Sha256::digest(given);
        let equal = self.secrets.iter().fold(Choice::from(0), |equal, secret| {
            // Digests, since the comparison itself would tell the length.
            equal | Sha256::digest(secret).ct_eq(&given)
        });
        equal.into()
    }

    /// Each of them, to make signatures with.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.secrets.iter().map(String::as_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_will_do() {
        let secrets = TextSecrets::parse(" first-secret | second-secret|", 12).unwrap();
        assert!(secrets.contains("first-secret") && secrets.contains("second-secret"));
        for other in ["", "first", "first-secret ", "third-secret", "first-secret|second-secret", "First-secret"] {
            assert!(!secrets.contains(other), "{other}");
        }
        assert!(!secrets.is_empty());
    }

    #[test]
    fn none_takes_nothing() {
        for empty in ["", " ", "|"] {
            let secrets = TextSecrets::parse(empty, 12).unwrap();
            assert!(secrets.is_empty() && !secrets.contains(""));
        }
    }

    #[test]
    fn a_short_one_is_refused_and_not_shown() {
        let error = TextSecrets::parse("first-secret|hunter2", 12).err().unwrap();
        assert_eq!(error.to_string(), "secret 2 has 7 bytes, 12 are needed");
    }
}
