//! Runs `tests/sql/*.sql`, each on a migrated database of its own, with pgTAP in reach.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use sqlx::{Connection as _, PgConnection};
use tally_host::database::install_pgtap;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::harness::{repository, run};

/// pgTAP, and what the files share.
const PREPARE: &str = include_str!("pgtap.sql");

#[tokio::test]
async fn every_file_passes() -> Result<()> {
    let run = run().await?;
    install().await?;
    each_file(async |file| run_file(file, &run.new_database().await?.url).await).await
}

/// Installs pgTAP for the run's Postgres, once.
pub(crate) async fn install() -> Result<()> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let install = async || {
        let binaries = run().await?.cluster.binaries();
        tokio::task::spawn_blocking(|| install_pgtap(binaries)).await?
    };
    INSTALLED.get_or_try_init(install).await.copied()
}

/// Does something with every file, and tells of all those that failed.
pub(crate) async fn each_file(act: impl AsyncFn(&Path) -> Result<()>) -> Result<()> {
    let files = files()?;
    ensure!(!files.is_empty(), "tests/sql holds no test");
    let mut failures = Vec::new();
    for file in files {
        if let Err(error) = act(&file).await {
            failures.push(format!("{}: {error:#}", file.display()));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}

fn files() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(repository().join("tests/sql"))?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    Ok(files)
}

/// Runs a file on a migrated database, as its superuser, with the psql of the run's Postgres.
pub(crate) async fn run_file(file: &Path, url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(PREPARE).execute(&mut connection).await?;
    connection.close().await?;
    let output = Command::new(run().await?.cluster.binaries().program("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-f"])
        .arg(file)
        .env("PGOPTIONS", "-c search_path=public,tap")
        .output()
        .await
        .context("cannot run psql")?;
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "psql failed:\n{text}{errors}");
    check(&text).with_context(|| format!("{text}{errors}"))
}

/// Checks the output of a file: a plan, that many results, none of them bad.
fn check(text: &str) -> Result<()> {
    let lines = || text.lines().map(str::trim);
    let plan: usize = lines()
        .find_map(|line| line.strip_prefix("1.."))
        .context("no plan: begin with select plan(n)")?
        .parse()
        .context("the plan")?;
    let bad: Vec<&str> = lines().filter(|line| line.starts_with("not ok") && !line.contains("# TODO")).collect();
    if !bad.is_empty() {
        bail!("{}", bad.join("\n"));
    }
    let results = lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
    ensure!(results == plan && plan > 0, "planned {plan} tests, ran {results}");
    Ok(())
}

#[test]
fn bad_output_is_noticed() {
    assert!(check("1..2\nok 1 - one\nok 2 - two\n").is_ok());
    for bad in ["", "ok 1 - one", "1..2\nok 1 - one", "1..1\nnot ok 1 - one\n# Failed", "1..0\n"] {
        assert!(check(bad).is_err(), "{bad:?}");
    }
}
