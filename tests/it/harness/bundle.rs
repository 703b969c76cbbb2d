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

use super::app::{App, Setting, start, start_apart};
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
        let (setting, identity) = compose(&database.url, &run.secrets, change)?;
        let app = start(Setting { reuse, ..setting }).await?;
        Ok(Self { database_url: database.url.clone(), identity, app, _database: Some(database), cluster: None })
    }

    /// Serves the bundle from a process of its own, to be killed and restarted.
    pub(crate) async fn apart() -> Result<Self> {
        let run = run().await?;
        let database = run.new_database().await?;
        let (setting, identity) = compose(&database.url, &run.secrets, |_| {})?;
        let app = start_apart(setting).await?;
        Ok(Self { database_url: database.url.clone(), identity, app, _database: Some(database), cluster: None })
    }

    /// Serves the bundle with a database server of its own, to be killed and restarted.
    pub(crate) async fn isolated() -> Result<Self> {
        Self::with_cluster(ClusterOptions::Throwaway, |_| {}).await
    }

    /// The same with other variables.
    pub(crate) async fn isolated_with(change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<Self> {
        Self::with_cluster(ClusterOptions::Throwaway, change).await
    }

    /// The same with a server on which a commit is safe, to be crashed.
    pub(crate) async fn durable() -> Result<Self> {
        Self::with_cluster(ClusterOptions::Durable(Vec::new()), |_| {}).await
    }

    async fn with_cluster(options: ClusterOptions, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<Self> {
        let run = run().await?;
        let cluster = Cluster::start(options).await?;
        prepare_template(&cluster, &run.secrets).await?;
        let database_url = first_database(&cluster).await?;
        let (setting, identity) = compose(&database_url, &run.secrets, change)?;
        Ok(Self { database_url, identity, app: start(setting).await?, _database: None, cluster: Some(cluster) })
    }

    /// The database server of an isolated bundle, to be disturbed while the bundle is used; keep it as long.
    pub(crate) fn take_cluster(&mut self) -> Result<Cluster> {
        self.cluster.take().context("this bundle shares its database server")
    }

    /// Serves anew what was killed.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.app.restart().await
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

/// What to serve on a database, and who signs what it is called with.
fn compose(
    database_url: &str,
    secrets: &Secrets,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(Setting, Identity)> {
    let mut variables = variables(database_url, secrets)?;
    let identity = Identity {
        webhook_secret: secrets.webhook_secret.clone(),
        jwt_secret: variables["jwt_secret"].clone(),
        issuer: variables["jwt_issuer"].clone(),
        audience: variables["jwt_audience"].clone(),
    };
    change(&mut variables);
    Ok((Setting::new(repository().join("spin.toml"), variables), identity))
}
