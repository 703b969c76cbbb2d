//! `dev.json`: what somebody needs who talks to a local bundle.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identity::Identity;
use crate::secrets::write_private;

/// Its name in the data directory.
pub const FILE: &str = "dev.json";

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dev {
    /// Where the functions answer.
    pub base_url: String,
    /// The database, as its owner.
    pub database_url: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// What access tokens are signed with.
    pub jwt_secret: String,
    /// The `iss` of access tokens.
    pub jwt_issuer: String,
    /// The `aud` of access tokens.
    pub jwt_audience: String,
    /// The demo tenant, once it is loaded.
    #[serde(flatten)]
    pub tenant: Option<DemoTenant>,
}

/// The demo tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoTenant {
    /// Its owner.
    pub user_id: String,
    /// Its organization.
    pub org_id: String,
    /// The organization's workspace.
    pub workspace_id: String,
    /// The store that the events are of.
    pub store_id: String,
    /// A key that writes the store's events and reads its metrics.
    pub api_key: String,
    /// The owner's access token.
    pub access_token: String,
}

impl Dev {
    /// Reads the file of a data directory; `None` when there is none, or none that this version wrote.
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data_dir.join(FILE)).ok()?).ok()
    }

    /// Writes the file, readable by its owner alone.
    pub fn write(&self, data_dir: &Path) -> Result<()> {
        write_private(&data_dir.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// One value of the file.
    pub fn value(&self, key: &str) -> Result<String> {
        let all = serde_json::to_value(self)?;
        let value = all.get(key).and_then(Value::as_str).map(str::to_owned);
        value.with_context(|| {
            let keys: Vec<&str> = all.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            format!("{FILE} has no {key}; it has {}", keys.join(", "))
        })
    }

    /// The identity provider that the bundle trusts.
    pub fn identity(&self) -> Identity {
        Identity {
            webhook_secret: self.webhook_secret.clone(),
            jwt_secret: self.jwt_secret.clone(),
            issuer: self.jwt_issuer.clone(),
            audience: self.jwt_audience.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn dev(tenant: Option<DemoTenant>) -> Dev {
        let text = |text: &str| text.to_owned();
        Dev {
            base_url: text("http://127.0.0.1:3000"),
            database_url: text("postgres://tally@127.0.0.1:5433/tally"),
            webhook_secret: text("v1,whsec_AAAA"),
            jwt_secret: text("secret"),
            jwt_issuer: text("issuer"),
            jwt_audience: text("authenticated"),
            tenant,
        }
    }

    fn tenant() -> DemoTenant {
        let text = |text: &str| text.to_owned();
        DemoTenant {
            user_id: text("u"),
            org_id: text("o"),
            workspace_id: text("w"),
            store_id: text("s"),
            api_key: text("tally_k"),
            access_token: text("a.b.c"),
        }
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        for dev in [dev(None), dev(Some(tenant()))] {
            dev.write(folder.path()).unwrap();
            assert_eq!(Dev::read(folder.path()), Some(dev));
        }
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn has_the_keys_that_others_read() {
        let value = serde_json::to_value(dev(Some(tenant()))).unwrap();
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "base_url",
            "database_url",
            "webhook_secret",
            "jwt_secret",
            "jwt_issuer",
            "jwt_audience",
            "user_id",
            "org_id",
            "workspace_id",
            "store_id",
            "api_key",
            "access_token",
        ];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected);
    }

    #[test]
    fn values_are_found_by_key() {
        assert_eq!(dev(Some(tenant())).value("access_token").unwrap(), "a.b.c");
        let error = dev(None).value("access_token").unwrap_err().to_string();
        assert!(error.contains("it has") && error.contains("base_url"), "{error}");
    }
}
