//! Random secrets for local use, and the file that keeps them the same from one start to the next.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::roles::ROLES;

/// Its name in a data directory.
pub const FILE: &str = "secrets.json";

/// What a local bundle needs to keep to itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// What the identity provider signs webhooks with: `v1,whsec_<base64>`.
    pub webhook_secret: String,
    /// What it signs access tokens with.
    pub jwt_secret: String,
    /// The passwords of the functions' roles, by role.
    pub role_passwords: BTreeMap<String, String>,
}

impl Secrets {
    /// New ones.
    pub fn random() -> Result<Self> {
        let passwords = ROLES.iter().map(|role| Ok(((*role).to_owned(), random_hex(16)?)));
        Ok(Self {
            webhook_secret: format!("v1,whsec_{}", BASE64_STANDARD.encode(random_bytes(32)?)),
            jwt_secret: random_hex(32)?,
            role_passwords: passwords.collect::<Result<_>>()?,
        })
    }

    /// Those of a data directory, made on the first call.
    pub fn of(data_dir: &Path) -> Result<Self> {
        let file = data_dir.join(FILE);
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secrets = Self::random()?;
                write_private(&file, &serde_json::to_vec_pretty(&secrets)?)?;
                Ok(secrets)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }
}

/// Writes a file that only its owner may read, wholly or not at all.
pub fn write_private(file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = file.parent().context("a file without a folder")?;
    // Such a file has mode 0600 from its first moment.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.persist(file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}

/// Random bytes from the operating system, in hex.
pub fn random_hex(bytes: usize) -> Result<String> {
    Ok(random_bytes(bytes)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random_bytes(length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).context("the system has no randomness")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn stay_the_same_in_a_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::of(folder.path()).unwrap();
        assert_eq!(Secrets::of(folder.path()).unwrap(), first);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn have_the_form_that_their_readers_want() {
        let secrets = Secrets::random().unwrap();
        let encoded = secrets.webhook_secret.strip_prefix("v1,whsec_").unwrap();
        assert_eq!(BASE64_STANDARD.decode(encoded).unwrap().len(), 32);
        assert_eq!(secrets.jwt_secret.len(), 64);
        assert_eq!(secrets.role_passwords.len(), 4);
        assert!(secrets.role_passwords.values().all(|password| password.len() == 32));
        assert_ne!(Secrets::random().unwrap(), secrets);
    }
}
