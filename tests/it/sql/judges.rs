//! What judges from outside say of the schema: squawk of the files, splinter of the database that they make.
//!
//! `.squawk.toml` and `tests/judges/` hold what is excluded or accepted, each with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, anyhow, ensure};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tally_host::packages::install_npm;

use crate::harness::{Database, repository, run};

/// The folder of the judges' programs, installed by whoever asks first.
async fn programs() -> Result<&'static Path> {
    static PROGRAMS: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges");
        install_npm(&repository().join("tests/judges"), &folder).map_err(|error| format!("{error:#}"))
    });
    let programs = tokio::task::spawn_blocking(|| PROGRAMS.as_ref()).await?;
    programs.map(PathBuf::as_path).map_err(|error| anyhow!("{error}"))
}

async fn squawk(files: &[PathBuf]) -> Result<Output> {
    let mut command = tokio::process::Command::new(programs().await?.join("squawk"));
    command.current_dir(repository()).args(["--reporter", "gcc"]).args(files);
    command.output().await.context("cannot run squawk")
}

#[tokio::test]
async fn squawk_has_nothing_to_say_of_the_files() -> Result<()> {
    let output = squawk(&["sql/migrations/*.sql".into(), "sql/functions/**/*.sql".into()]).await?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success() && said.is_empty(), "{said}");
    Ok(())
}

#[tokio::test]
async fn squawk_notices_a_dangerous_migration() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("20270101000000_break_stores.sql");
    fs::write(&file, "alter table public.stores alter column name type varchar(10), add column visits integer;\n")?;
    let output = squawk(&[file]).await?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(!output.status.success(), "squawk is content with it");
    for rule in ["changing-column-type", "prefer-text-field", "prefer-bigint-over-int"] {
        ensure!(said.contains(rule), "no {rule} in:\n{said}");
    }
    Ok(())
}

/// What splinter finds in a database: rule and message, the months of partitions written as `#`.
async fn splinter(database: &Database) -> Result<BTreeSet<String>> {
    let mut command = tokio::process::Command::new(programs().await?.join("postgres-language-server"));
    command
        .args(["dblint", "--reporter=json", "--config-path"])
        .arg(repository().join("tests/judges/postgres-language-server.jsonc"))
        .env("DATABASE_URL", &database.url);
    let output = command.output().await.context("cannot run splinter")?;
    // A finding that is an error ends it with an error, after the report.
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("splinter failed: {}", String::from_utf8_lossy(&output.stderr)))?;
    let diagnostics = report["diagnostics"].as_array().context("no diagnostics")?;
    let findings = diagnostics.iter().map(|finding| {
        let (rule, message) = (finding["category"].as_str()?, finding["message"].as_str()?);
        Some(without_digits(&format!("{rule} {message}").replace('\\', "")))
    });
    findings.collect::<Option<_>>().context("a finding without rule or message")
}

fn without_digits(text: &str) -> String {
    let mut result = String::new();
    for char in text.chars().map(|char| if char.is_ascii_digit() { '#' } else { char }) {
        if char != '#' || !result.ends_with('#') {
            result.push(char);
        }
    }
    result
}

/// The accepted findings; each must have a reason above it.
fn accepted(text: &str) -> Result<BTreeSet<String>> {
    let mut has_reason = false;
    let mut findings = BTreeSet::new();
    for line in text.lines() {
        if !line.is_empty() && !line.starts_with('#') {
            ensure!(has_reason, "accepted without a reason: {line}");
            findings.insert(line.to_owned());
        }
        has_reason = line.starts_with('#');
    }
    Ok(findings)
}

/// A migrated database that says, as Supabase's do, that `public` is what clients are shown.
async fn exposed_database(sql: &'static str) -> Result<Database> {
    let database = run().await?.new_database().await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(&mut connection).await?;
    let expose = format!("alter database {name} set pgrst.db_schemas = 'public'; {sql}");
    sqlx::raw_sql(AssertSqlSafe(expose)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(database)
}

#[tokio::test]
async fn splinter_finds_what_was_accepted_and_nothing_else() -> Result<()> {
    let found = splinter(&exposed_database("").await?).await?;
    let accepted = accepted(&fs::read_to_string(repository().join("tests/judges/accepted_findings.txt"))?)?;
    let new: Vec<_> = found.difference(&accepted).collect();
    let gone: Vec<_> = accepted.difference(&found).collect();
    ensure!(new.is_empty() && gone.is_empty(), "found, not accepted: {new:#?}\naccepted, not found: {gone:#?}");
    Ok(())
}

#[tokio::test]
async fn splinter_notices_holes() -> Result<()> {
    let planted =
        "create table public.open (id uuid primary key, metric_id uuid references public.metric_definitions (id));
        grant select on public.open to anon;
        alter policy stores_delete on public.stores using (true);
        create policy twice on public.stores for delete to authenticated
          using (auth.uid() is not null);";
    let found = splinter(&exposed_database(planted).await?).await?;
    // The first and the last two are asked only where Supabase's roles are seen, the first only of exposed schemas.
    for (rule, object) in [
        ("security/rlsDisabledInPublic", "public.open"),
        ("performance/unindexedForeignKeys", "public.open"),
        ("performance/multiplePermissivePolicies", "public.stores"),
        ("performance/authRlsInitplan", "public.stores"),
        ("security/rlsPolicyAlwaysTrue", "public.stores"),
    ] {
        ensure!(found.iter().any(|line| line.contains(rule) && line.contains(object)), "no {rule} in {found:#?}");
    }
    Ok(())
}

#[test]
fn a_finding_is_accepted_with_a_reason_only() {
    assert_eq!(without_digits("metric_events_202611 and 1"), "metric_events_# and #");
    assert_eq!(accepted("# why\na b\n\n# why\nc d\n").unwrap().len(), 2);
    assert!(accepted("# why\n\na b\n").is_err() && accepted("# why\na b\nc d\n").is_err());
}
