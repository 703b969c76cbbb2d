//! Migrating a database of any earlier version, with data in it: nothing is lost, every constraint holds, and what comes out
//! is what a new database is.
//!
//! `upgrades/` holds one file a migration, of the same name: rows as they were valid when that migration was the newest.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tally_host::migrate::{Schema, migrate};
use tokio::process::Command;

use crate::harness::{Database, TestRun, repository, run};

/// Tables of ours, but for partitions and the list of migrations.
const TABLES: &str = "select c.oid::regclass::text from pg_class c
    where c.relkind in ('r', 'p') and not c.relispartition
      and c.relnamespace::regnamespace::text in ('public', 'app', 'api', 'private')
      and c.oid is distinct from to_regclass('app.schema_migrations')
    order by 1";
/// Constraints and indexes that Postgres does not vouch for.
const DOUBTFUL: &str = "select conname::text from pg_constraint where not convalidated
    union all select indexrelid::regclass::text from pg_index where not indisvalid";
/// The months of the events in `upgrades/`.
const PARTITIONS: &str = "select app.ensure_partition('2025-12-01'), app.ensure_partition('2026-01-01')";
/// A definition that nothing refused before there were bounds.
const ODD_DEFINITION: &str = "insert into public.metric_definitions
      (org_id, key, source, display_name, unit, aggregation_method, category, metadata)
    values ('11111111-0000-4000-8000-000000000001', 'odd', '', '', 'count', 'sum', repeat('x', 64), jsonb_build_object(
      'numerator', 1, 'note', repeat('x', 5000),
      'rollup_dimensions', '[1, \"b\", \"b\", \"\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\"]'::jsonb
    ))";

const LATE_DAY: &str = "insert into app.time_zones (name) values ('Asia/Chita') on conflict do nothing;
    update public.stores set timezone = 'Asia/Chita' where id = '33333333-0000-4000-8000-000000000002';
    insert into public.metric_rollups
      (org_id, store_id, metric_key, grain, bucket_start, currency, dimensions, count, sum, min, max, last, last_at)
    select '11111111-0000-4000-8000-000000000002', '33333333-0000-4000-8000-000000000002', 'late', 'day', start, '', '{}',
      1, 1, 1, 1, 1, start
    from unnest(array['2014-10-25T16:00Z', '2014-10-26T16:00Z']::timestamptz[]) as start";

/// The rows of each table, as JSON.
type Rows = BTreeMap<String, Vec<String>>;

#[tokio::test]
async fn every_earlier_version_becomes_todays_with_all_its_rows() -> Result<()> {
    let run = run().await?;
    let fresh = run.new_database().await?;
    sqlx::raw_sql(PARTITIONS).execute(&mut PgConnection::connect(&fresh.url).await?).await?;
    let expected = dump(run, &fresh.url).await?;

    let schema = Schema::embedded()?;
    for version in 1..=schema.migrations.len() {
        let name = fixture_path(&schema, version - 1);
        upgrade(run, &schema, version, &expected).await.with_context(|| format!("from {}", name.display()))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_definition_that_breaks_todays_bounds_is_put_right() -> Result<()> {
    let run = run().await?;
    let schema = Schema::embedded()?;
    let unbounded =
        schema.migrations.iter().position(|file| file.path.ends_with("20261122221000_extend_metric_definitions.sql"));
    let database = old_database(run, &schema, unbounded.context("no such migration")?).await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql(ODD_DEFINITION).execute(&mut connection).await?;
    migrate(&database.url).await?;
    let kept: String = sqlx::query_scalar(
        "select jsonb_build_array(display_name, length(category), source, metadata)::text \
         from public.metric_definitions where key = 'odd'",
    )
    .fetch_one(&mut connection)
    .await?;
    assert_eq!(kept, r#"["odd", 63, null, {"rollup_dimensions": ["b", "c", "d", "e", "f", "g", "h", "i"]}]"#);
    Ok(())
}

/// In Chita 26 October 2014 began at 14:00Z, and was there again at 16:00Z, under which its rollups were kept.
#[tokio::test]
async fn a_day_that_was_kept_under_a_later_instant_is_moved() -> Result<()> {
    let run = run().await?;
    let schema = Schema::embedded()?;
    let moving = schema.migrations.iter().position(|file| file.path.ends_with("20261125132000_move_days.sql"));
    let database = old_database(run, &schema, moving.context("no such migration")?).await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql(LATE_DAY).execute(&mut connection).await?;
    migrate(&database.url).await?;
    let days: Vec<String> = sqlx::query_scalar(
        "select (bucket_start at time zone 'UTC')::text from public.metric_rollups where metric_key = 'late' order by 1",
    )
    .fetch_all(&mut connection)
    .await?;
    assert_eq!(days, ["2014-10-25 14:00:00", "2014-10-26 16:00:00"]);
    Ok(())
}

async fn upgrade(run: &'static TestRun, schema: &Schema, version: usize, expected: &str) -> Result<()> {
    let database = old_database(run, schema, version).await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    let before = rows(&mut connection).await?;
    for (table, rows) in &before {
        ensure!(!rows.is_empty(), "{table} has no row: upgrades/ lacks one");
    }

    migrate(&database.url).await?;
    for (table, rows) in &before {
        let kept = format!(
            "select b.\"row\" from unnest($1::text[]) as b (\"row\")
             where not exists (select from {table} as t where to_jsonb(t) @> b.\"row\"::jsonb)"
        );
        let lost: Vec<String> = sqlx::query_scalar(AssertSqlSafe(kept))
            .bind(rows)
            .fetch_all(&mut connection)
            .await
            .context(table.clone())?;
        ensure!(lost.is_empty(), "{table} lost or changed {lost:?}");
    }
    let doubtful: Vec<String> = sqlx::query_scalar(DOUBTFUL).fetch_all(&mut connection).await?;
    ensure!(doubtful.is_empty(), "not valid: {doubtful:?}");

    sqlx::raw_sql(PARTITIONS).execute(&mut connection).await?;
    connection.close().await?;
    let dump = dump(run, &database.url).await?;
    if let Some((is, should_be)) = dump.lines().zip(expected.lines()).find(|(is, should_be)| is != should_be) {
        anyhow::bail!("the schema is another than that of a new database:\nis        {is}\nshould be {should_be}");
    }
    ensure!(dump == expected, "the schema is another than that of a new database: one of them has more");
    Ok(())
}

/// A database that had its migrations one by one, up to a version, and was in use at each.
async fn old_database(run: &'static TestRun, schema: &Schema, version: usize) -> Result<Database> {
    let database = run.empty_database().await?;
    for index in 0..version {
        let migrations = schema.migrations[..=index].to_vec();
        // The functions of that time are gone, and today's would not fit.
        let then = Schema { shim: schema.shim.clone(), migrations, ..Schema::default() };
        then.apply(&database.url).await?;
        let path = fixture_path(schema, index);
        let fixture = fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))?;
        let mut connection = PgConnection::connect(&database.url).await?;
        let filled = sqlx::raw_sql(AssertSqlSafe(fixture)).execute(&mut connection).await;
        filled.with_context(|| path.display().to_string())?;
        connection.close().await?;
    }
    Ok(database)
}

fn fixture_path(schema: &Schema, index: usize) -> PathBuf {
    let name = schema.migrations[index].path.file_name().unwrap_or_default();
    repository().join("tests/it/tooling/upgrades").join(name)
}

async fn rows(connection: &mut PgConnection) -> Result<Rows> {
    let mut rows = Rows::new();
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *connection).await?;
    for table in tables {
        let query = format!("select to_jsonb(t)::text from {table} as t");
        let found = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut *connection).await?;
        rows.insert(table, found);
    }
    Ok(rows)
}

/// The whole schema as text: tables, constraints, indexes, policies, grants, comments, functions.
async fn dump(run: &TestRun, url: &str) -> Result<String> {
    let output = Command::new(run.cluster.binaries().program("pg_dump"))
        .args(["--schema-only", "--dbname", url])
        .output()
        .await
        .context("cannot run pg_dump")?;
    ensure!(output.status.success(), "pg_dump failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    // Headings; two lines with a random key; and what a partition's columns were called when it was made.
    let noise = ["--", "\\restrict", "\\unrestrict", "COMMENT ON COLUMN partitions."];
    let lines = text.lines().filter(|line| !line.is_empty() && !noise.iter().any(|noise| line.starts_with(noise)));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
