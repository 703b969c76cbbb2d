//! The bundle of `spin.toml`, served for one test.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr};
use tally_host::database::{Cluster, ClusterOptions};
use tally_host::identity::Identity;
use tally_host::roles::variables;
use tally_host::secrets::Secrets;
use tally_host::spin::ReuseLimits;

use super::app::{App, Setting, start};
use super::persona::Tenant;
use super::test_run::{Database, first_database, prepare_template, repository, run};

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The bundle, with a database of its own. Derefs to its [`App`].
pub(crate) struct Bundle {
    /// The database, as its owner, whom row-level security does not hold.
    pub(crate) database_url: String,
    /// Who signs webhooks and access tokens.
    pub(crate) identity: Identity,
    // In this order: the host goes before the database does.
    app: App,
    _database: Option<Database>,
    cluster: Option<Cluster>,
}

impl Deref for Bundle {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Drop for Bundle {
    /// A test that fails shows what the functions had to say.
    #[expect(clippy::print_stdout, reason = "the output of a test that fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.app.guest_log().join("\n"));
        }
    }
}

impl Bundle {
    /// Serves the bundle.
    pub(crate) async fn start() -> Result<Self> {
        Self::with(|_| {}).await
    }

    /// Serves the bundle with other variables.
    pub(crate) async fn with(change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<Self> {
        Self::with_reuse(ReuseLimits::default(), change).await
    }

    /// Serves the bundle with other variables, by instances that never end for being idle, however slow the requests
    /// come: what one of them knows, it still knows later.
    pub(crate) async fn lasting(change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<Self> {
        Self::with_reuse(ReuseLimits { idle_timeout: FOR_EVER, ..ReuseLimits::default() }, change).await
    }

    async fn with_reuse(reuse: ReuseLimits, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<Self> {
        let run = run().await?;
        let database = run.new_database().await?;
        Self::serve(database.url.clone(), &run.secrets, reuse, change, Some(database), None).await
    }

    /// Serves the bundle with a database server of its own, to be killed and restarted.
    pub(crate) async fn isolated() -> Result<Self> {
        Self::isolated_with(|_| {}).await
    }

    /// The same with other variables.
    pub(crate) async fn isolated_with(change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<Self> {
        let run = run().await?;
        let cluster = Cluster::start(ClusterOptions::Throwaway).await?;
        prepare_template(&cluster, &run.secrets).await?;
        let url = first_database(&cluster).await?;
        Self::serve(url, &run.secrets, ReuseLimits::default(), change, None, Some(cluster)).await
    }

    async fn serve(
        database_url: String,
        secrets: &Secrets,
        reuse: ReuseLimits,
        change: impl FnOnce(&mut BTreeMap<String, String>),
        database: Option<Database>,
        cluster: Option<Cluster>,
    ) -> Result<Self> {
        let mut variables = variables(&database_url, secrets)?;
        let identity = Identity {
            webhook_secret: secrets.webhook_secret.clone(),
            jwt_secret: variables["jwt_secret"].clone(),
            issuer: variables["jwt_issuer"].clone(),
            audience: variables["jwt_audience"].clone(),
        };
        change(&mut variables);
        let app = start(Setting { reuse, ..Setting::new(repository().join("spin.toml"), variables) }).await?;
        Ok(Self { database_url, identity, app, _database: database, cluster })
    }

    /// The database server of an isolated bundle, to be disturbed while the bundle is used; keep it as long.
    pub(crate) fn take_cluster(&mut self) -> Result<Cluster> {
        self.cluster.take().context("this bundle shares its database server")
    }

    /// A connection to the database, as its owner.
    pub(crate) async fn database(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.database_url).await?)
    }

    /// How many rows a table of the schema `public` has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let query = AssertSqlSafe(format!("select count(*) from public.{table}"));
        sqlx::query_scalar(query).fetch_one(&mut self.database().await.unwrap()).await.unwrap()
    }

    /// From now on the database refuses new organizations, with details that quote the row.
    pub(crate) async fn refuse_organizations(&self) {
        self.execute("alter table organizations add constraint organizations_test_check check (false) not valid").await;
    }

    /// Takes that back.
    pub(crate) async fn take_organizations(&self) {
        self.execute("alter table organizations drop constraint organizations_test_check").await;
    }

    /// Runs statements as the owner of the database.
    pub(crate) async fn execute(&self, statements: impl SqlSafeStr) {
        sqlx::raw_sql(statements).execute(&mut self.database().await.unwrap()).await.unwrap();
    }

    /// The full URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// A company that signed up, with its founder signed in and one store.
    pub(crate) async fn tenant(&self, company: &str) -> Result<Tenant> {
        Tenant::found(self, company).await
    }
}
