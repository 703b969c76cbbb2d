//! What the contestants stand on: a private Postgres, and in it databases, each with its tenants and a host that serves the
//! bundle over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tally_host::builder;
use tally_host::database::{Cluster, ClusterOptions};
use tally_host::identity::{Identity, User};
use tally_host::migrate::Schema;
use tally_host::process::find_on_path;
use tally_host::progress::say;
use tally_host::roles::{set_role_passwords, variables};
use tally_host::secrets::Secrets;
use tally_host::server_process::{Server, ServerOptions, ServerProcess};
use tally_host::spin::ReuseLimits;
use tally_host::spin::manifest::Manifest;
use uuid::Uuid;

use crate::cpu::{Processes, parent_of};
use crate::data::{Organization, Store};
use crate::writer::connect;

/// The settings of the server that differ from its own defaults, as `name=value`: those that any server has which is meant
/// for more than a trial. What it acknowledges is on the disk.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=4GB"];
/// Stores of a database, whoever has them.
pub(crate) const STORES: i32 = 1_000;
const OUTFIT: &str = include_str!("sql/outfit.sql");

/// What is measured, and on what.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The working copy whose components and schema are measured.
    pub(crate) checkout: PathBuf,
    /// Whether a real Spin serves, rather than the local host.
    pub(crate) on_spin: bool,
    /// Further settings of the server.
    pub(crate) settings: Vec<String>,
    /// How many organizations share the stores.
    pub(crate) organizations: usize,
}

/// A database server, and how to serve over it.
pub(crate) struct Ground {
    pub(crate) subject: Subject,
    cluster: Cluster,
    secrets: Secrets,
    schema: Schema,
    settings: Vec<String>,
}

/// A database with tenants, served.
pub(crate) struct Arena {
    pub(crate) organizations: Vec<Organization>,
    /// The database, as its owner.
    pub(crate) database_url: String,
    /// The database, as the role of the function `query`.
    pub(crate) query_url: String,
    pub(crate) processes: Processes,
    server: ServerProcess,
}

impl Ground {
    /// Builds the components and starts the database server.
    pub(crate) async fn prepare(subject: Subject) -> Result<Self> {
        let manifest = Manifest::load(&subject.checkout.join("spin.toml"))?;
        builder::build(&[&manifest]).await.context("the components")?;
        let schema = Schema::read(&subject.checkout.join("sql"))?;
        let settings = settings(&subject.settings);
        let cluster = Cluster::start(ClusterOptions::Durable(settings.clone())).await.context("the database")?;
        Ok(Self { settings, subject, cluster, secrets: Secrets::random()?, schema })
    }

    /// The settings of the server that differ from its own defaults.
    pub(crate) fn settings(&self) -> &[String] {
        &self.settings
    }

    /// A program that comes with the server, where it is installed.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.cluster.binaries().program(name)).filter(|file| file.is_file()).or_else(|| find_on_path(name))
    }

    /// The server's version.
    pub(crate) async fn version(&self) -> Result<String> {
        let session = connect(&self.cluster.database_url("postgres")).await?;
        Ok(session.query_one("show server_version", &[]).await?.get(0))
    }

    /// Makes a database with stores in it, and serves it.
    pub(crate) async fn arena(&self, name: &str) -> Result<Arena> {
        self.arena_of(name, self.subject.organizations).await
    }

    /// The same with so many organizations, which share the stores.
    pub(crate) async fn arena_of(&self, name: &str, organizations: usize) -> Result<Arena> {
        let stores = STORES / i32::try_from(organizations)?;
        let database_url = self.database(name).await?;
        let variables = variables(&database_url, &self.secrets)?;
        let server = self.serve(&variables).await?;
        let session = connect(&database_url).await?;
        let backend: i32 = session.query_one("select pg_backend_pid()", &[]).await?.get(0);
        let postmaster = u32::try_from(backend).ok().and_then(parent_of).unwrap_or_default();
        let processes = Processes { postmaster, host: server.ancestor_id().unwrap_or_default() };
        let mut tenants = Vec::new();
        for index in 0..organizations {
            tenants.push(self.organization(index, stores, &variables, &server.base_url(), &database_url).await?);
        }
        let query_url = variables["query_database_url"].clone();
        Ok(Arena { organizations: tenants, database_url, query_url, processes, server })
    }

    /// A migrated database; answers its URL, as its owner.
    pub(crate) async fn database(&self, name: &str) -> Result<String> {
        self.cluster.create_database(name).await?;
        let url = self.cluster.database_url(name);
        self.schema.apply(&url).await?;
        set_role_passwords(&url, &self.secrets).await?;
        Ok(url)
    }

    /// The bundle's variables for a database.
    pub(crate) fn variables(&self, database_url: &str) -> Result<BTreeMap<String, String>> {
        variables(database_url, &self.secrets)
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.subject.checkout.join("spin.toml")
    }

    /// Drops a database that nothing serves any more.
    pub(crate) async fn drop_database(&self, name: &str) -> Result<()> {
        self.cluster.drop_database(name).await
    }

    async fn serve(&self, variables: &BTreeMap<String, String>) -> Result<ServerProcess> {
        let server = if self.subject.on_spin {
            Server::Spin
        } else {
            Server::Local(std::env::current_exe()?, vec!["serve".into()])
        };
        let (manifest, variables) = (self.manifest(), variables.clone());
        ServerProcess::start(&ServerOptions { server, manifest, variables, reuse: ReuseLimits::default() }).await
    }

    /// Signs up a company the way people do, and gives it stores and a key.
    pub(crate) async fn organization(
        &self,
        index: usize,
        stores: i32,
        variables: &BTreeMap<String, String>,
        base_url: &str,
        database_url: &str,
    ) -> Result<Organization> {
        let identity = Identity {
            webhook_secret: self.secrets.webhook_secret.clone(),
            jwt_secret: self.secrets.jwt_secret.clone(),
            issuer: variables["jwt_issuer"].clone(),
            audience: variables["jwt_audience"].clone(),
        };
        let user = User {
            id: Uuid::new_v4(),
            email: format!("founder@bench-{index}.example"),
            company: format!("Bench {index}"),
        };
        let client = reqwest::Client::new();
        identity.sign_up(&client, base_url, &user).await?;
        let claims = identity.sign_in(&client, base_url, &user).await?;
        let org_id: Uuid = serde_json::from_value(claims["org_id"].clone()).context("the token has no org_id")?;

        let session = connect(database_url).await?;
        let rows = session.query(OUTFIT, &[&org_id, &stores]).await?;
        let key = "select app.create_api_key($1, 'bench', array['events:write', 'metrics:read'], null)";
        let api_key = session.query_one(key, &[&org_id]).await?.get(0);
        let stores = rows.iter().map(|row| Store { org_id, id: row.get(0) }).collect();
        Ok(Organization { stores, api_key })
    }
}

impl Arena {
    /// Stops to serve.
    pub(crate) async fn close(self) -> Result<()> {
        if let Err(error) = self.server.stop().await {
            say(format!("the host did not stop: {error:#}"));
        }
        Ok(())
    }

    /// Where the service answers.
    pub(crate) fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The last of what the host wrote.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.server.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// The settings of the server: what was asked for comes before what is usual here.
fn settings(wanted: &[String]) -> Vec<String> {
    let name = |setting: &str| setting.split('=').next().unwrap_or_default().to_owned();
    let usual = SETTINGS.into_iter().filter(|usual| !wanted.iter().any(|wanted| name(wanted) == name(usual)));
    usual.map(str::to_owned).chain(wanted.iter().cloned()).collect()
}

/// The repository that this was built from.
pub(crate) fn own_checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_asked_for_takes_the_place_of_the_usual_one() {
        assert_eq!(settings(&[]), SETTINGS);
        let wanted = ["max_wal_size=1GB".to_owned(), "jit=off".to_owned()];
        assert_eq!(settings(&wanted), ["shared_buffers=1GB", "max_wal_size=1GB", "jit=off"]);
    }
}
