//! The schema on every major version of Postgres that it is written for: migrated by a role that is no superuser, and held
//! against the tests of `tests/sql`.
//!
//! The run's own cluster is of one version; `tests/postgres-versions/` names the programs of all, which npm has for Linux.

use std::fs;
use std::io::{Write as _, stderr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tally_host::account::Account;
use tally_host::database::{Binaries, Cluster, ClusterOptions, SUPPORTED, temporary_folder};
use tally_host::migrate::migrate;
use tally_host::packages::install_npm;
use tally_host::process::capture;
use tempfile::TempDir;

use crate::harness::{repository, run};
use crate::sql::pgtap;

/// Where the packages' programs run.
const HAS_PACKAGES: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));
const MIGRATED: &str = "migrated";

#[tokio::test]
async fn the_schema_passes_on_every_supported_version() -> Result<()> {
    let own = run().await?.cluster.binaries();
    let others: Vec<u32> = SUPPORTED.filter(|major| *major != own.major).collect();
    if !HAS_PACKAGES {
        // No macro: cargo does not show what those print in a test that passes.
        writeln!(stderr(), "not tried, for want of programs for this machine: the schema on Postgres {others:?}")?;
        return Ok(());
    }
    pgtap::install().await?;
    let packages = tokio::task::spawn_blocking(install).await??;
    for major in others {
        passes_on(&packages, major).await.with_context(|| format!("on Postgres {major}"))?;
    }
    Ok(())
}

/// The folder with a package for each version: `postgres-15` and so on.
fn install() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres-versions");
    install_npm(&repository().join("tests/postgres-versions"), &folder)?;
    Ok(folder.join("node_modules"))
}

async fn passes_on(packages: &Path, major: u32) -> Result<()> {
    let (package, own) = (packages.join(format!("postgres-{major}")), run().await?.cluster.binaries());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&package, &own.extensions()?)).await??;
    let binaries = Binaries::in_folder(&unpacked.path().join("native/bin")).context("its programs do not run")?;
    ensure!(binaries.major == major, "the package holds Postgres {}", binaries.major);
    let mut cluster = Cluster::start(ClusterOptions::ThrowawayIn(unpacked.keep(), binaries)).await?;
    let outcome = schema_passes(&cluster).await;
    outcome.and(cluster.stop().await)
}

async fn schema_passes(cluster: &Cluster) -> Result<()> {
    cluster.administer("create role migrator login createrole password 'test'".to_owned()).await?;
    cluster.administer(format!("create database {MIGRATED} owner migrator template template0")).await?;
    let url = format!("postgres://migrator:test@127.0.0.1:{}/{MIGRATED}?sslmode=disable", cluster.port());
    let first = migrate(&url).await?;
    ensure!(first.applied.len() == first.migrations, "{first:?}");
    let second = migrate(&url).await?;
    ensure!(second.applied.is_empty(), "{second:?}");

    // A database that anybody is connected to, be it autovacuum, cannot be copied.
    cluster.administer(format!("alter database {MIGRATED} allow_connections false")).await?;
    pgtap::each_file(async |file| {
        let name = file.file_stem().context("no name")?.to_string_lossy();
        cluster.create_from_template(&name, MIGRATED).await?;
        pgtap::run_file(file, &cluster.database_url(&name)).await
    })
    .await
}

/// Copies a package to where the account that the server runs as can read it, makes the links that npm leaves out, and adds
/// pgTAP, which is plain SQL and the same for all versions.
fn unpack(package: &Path, extensions: &Path) -> Result<TempDir> {
    let account = Account::for_database()?;
    let folder = temporary_folder(Path::new(env!("CARGO_TARGET_TMPDIR")), account.as_ref())?;
    let native = folder.path().join("native");
    capture(Command::new("cp").arg("-R").arg(package.join("native")).arg(&native))?;
    for link in links(&native)? {
        let path = |end: &str| link[end].as_str().map(|path| folder.path().join(path)).context("no path of a link");
        symlink(path("source")?, path("target")?)?;
    }
    for file in fs::read_dir(extensions)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("pgtap") {
            fs::copy(file.path(), native.join("share/postgresql/extension").join(file.file_name()))?;
        }
    }
    if let Some(account) = account {
        // All of it: the account also removes it, should this process be killed.
        capture(Command::new("chown").arg("-R").arg(account.uid().to_string()).arg(&native))?;
    }
    Ok(folder)
}

fn links(native: &Path) -> Result<Vec<Value>> {
    let text = fs::read(native.join("pg-symlinks.json")).context("the package does not say what links it needs")?;
    Ok(serde_json::from_slice(&text)?)
}
