//! What all tests of a run share.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, anyhow};
use tally_host::builder;
use tally_host::database::{Cluster, ClusterOptions};
use tally_host::migrate::migrate;
use tally_host::roles::set_role_passwords;
use tally_host::secrets::Secrets;
use tally_host::spin::manifest::Manifest;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

const TEMPLATE: &str = "tally_template";

/// What all tests of a run share.
pub(crate) struct TestRun {
    /// The database server. Tests that disturb it have one of their own: [`super::Bundle::isolated`].
    pub(crate) cluster: Cluster,
    /// The secrets of all bundles: roles and their passwords belong to the whole server.
    pub(crate) secrets: Secrets,
}

/// Outlives the tests' own runtimes.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The run, set up by whoever asks first. A set-up that failed is not tried again.
pub(crate) async fn run() -> Result<&'static TestRun> {
    static RUN: OnceCell<Result<TestRun, String>> = OnceCell::const_new();
    let set_up = async || match RUNTIME.spawn(TestRun::set_up()).await {
        Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
        Err(panic) => Err(panic.to_string()),
    };
    RUN.get_or_init(set_up).await.as_ref().map_err(|error| anyhow!("the test run cannot be set up: {error}"))
}

/// The repository.
pub(crate) fn repository() -> &'static Path {
    static REPOSITORY: LazyLock<PathBuf> =
        LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository"));
    &REPOSITORY
}

impl TestRun {
    async fn set_up() -> Result<Self> {
        let load = |path: &str| Manifest::load(&repository().join(path));
        builder::build(&[&load("spin.toml")?, &load("tests/host/probe/spin.toml")?]).await.context("the components")?;
        let cluster = Cluster::start(ClusterOptions::Throwaway).await.context("the database")?;
        let secrets = Secrets::random()?;
        prepare_template(&cluster, &secrets).await?;
        Ok(Self { cluster, secrets })
    }

    /// A migrated database of one's own.
    pub(crate) async fn new_database(&'static self) -> Result<Database> {
        self.copy_of(TEMPLATE).await
    }

    /// A database of one's own with nothing in it.
    pub(crate) async fn empty_database(&'static self) -> Result<Database> {
        self.copy_of("template0").await
    }

    async fn copy_of(&'static self, template: &str) -> Result<Database> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("it_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.cluster.create_from_template(&name, template).await?;
        Ok(Database { url: self.cluster.database_url(&name), name, run: self })
    }
}

/// Makes the database that others are copied from, and gives the roles their passwords.
pub(super) async fn prepare_template(cluster: &Cluster, secrets: &Secrets) -> Result<()> {
    cluster.create_database(TEMPLATE).await?;
    let url = cluster.database_url(TEMPLATE);
    migrate(&url).await?;
    set_role_passwords(&url, secrets).await?;
    // A database that anybody is connected to, be it autovacuum, cannot be copied.
    cluster.administer(format!("alter database {TEMPLATE} allow_connections false")).await
}

/// The name of a database on a cluster of its own, copied from its template.
pub(super) async fn first_database(cluster: &Cluster) -> Result<String> {
    cluster.create_from_template("it", TEMPLATE).await?;
    Ok(cluster.database_url("it"))
}

/// A database that is dropped with this value.
pub(crate) struct Database {
    /// Its URL, as the owner.
    pub(crate) url: String,
    name: String,
    run: &'static TestRun,
}

impl Drop for Database {
    fn drop(&mut self) {
        let (run, name) = (self.run, std::mem::take(&mut self.name));
        // Not waited for, and not missed: what is left goes with the server.
        RUNTIME.spawn(async move { run.cluster.drop_database(&name).await });
    }
}
