//! Migrating: once each, whoever is at it at the same time, and never over something unknown.

use std::path::Path;

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use tally_host::migrate::{Schema, SqlFile, migrate};

use crate::harness::run;

fn file(path: &str, text: &str) -> SqlFile {
    SqlFile { path: path.into(), text: text.to_owned() }
}

/// A small schema.
fn schema() -> Schema {
    Schema {
        shim: vec![file("shim/role.sql", "create schema if not exists shimmed")],
        migrations: vec![
            file("migrations/20260101000000_create_notes.sql", "create table shimmed.notes (text text)"),
            file("migrations/20260102000000_add_note.sql", "insert into shimmed.notes values ('once')"),
        ],
        // The first calls the second, which comes after it.
        functions: vec![
            file(
                "functions/a.sql",
                "create or replace function shimmed.a() returns bigint language sql as $$ select shimmed.b() $$",
            ),
            file(
                "functions/b.sql",
                "create or replace function shimmed.b() returns bigint language sql as $$ select count(*) from shimmed.notes $$",
            ),
        ],
        catalogue: vec![file("catalogue/c.sql", "comment on table shimmed.notes is 'catalogued'")],
    }
}

async fn number(url: &str, query: &'static str) -> Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let number = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(number)
}

#[tokio::test]
async fn a_second_time_changes_nothing() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let url = &database.url;
    let first = schema().apply(url).await?;
    assert_eq!(first.applied, ["20260101000000_create_notes.sql", "20260102000000_add_note.sql"]);
    let second = schema().apply(url).await?;
    assert!(second.applied.is_empty());
    assert_eq!(second.migrations, 2);
    assert_eq!(number(url, "select shimmed.a()").await?, 1);
    let in_public = "select count(*) from pg_tables where schemaname = 'public'";
    assert_eq!(number(url, in_public).await?, 0);
    Ok(())
}

#[tokio::test]
async fn two_at_once_are_as_one() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let url = &database.url;
    let (one, other) = (schema(), schema());
    let (one, other) = tokio::join!(one.apply(url), other.apply(url));
    let applied = [one?.applied.len(), other?.applied.len()];
    assert_eq!(applied.iter().sum::<usize>(), 2, "{applied:?}");
    assert_eq!(number(url, "select shimmed.a()").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_migration_does_not_wait_long_for_a_lock() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let mut schema = schema();
    schema.migrations[0].text =
        "create table shimmed.notes as select pg_catalog.current_setting('lock_timeout') as text".to_owned();
    schema.apply(&database.url).await?;
    let asked = "select count(*) from shimmed.notes where text = '10s'";
    assert_eq!(number(&database.url, asked).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_changed_migration_is_refused() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let url = &database.url;
    schema().apply(url).await?;
    let mut changed = schema();
    changed.migrations[1].text = "insert into shimmed.notes values ('twice')".to_owned();
    let error = format!("{:#}", changed.apply(url).await.unwrap_err());
    assert!(error.contains("20260102000000_add_note.sql was changed"), "{error}");
    assert_eq!(number(url, "select shimmed.a()").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let url = &database.url;
    schema().apply(url).await?;
    let mut older = schema();
    older.migrations.pop();
    let error = format!("{:#}", older.apply(url).await.unwrap_err());
    assert!(error.contains("20260102000000"), "{error}");
    assert!(error.contains("newer version"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_fails_is_named_and_undoes_the_others() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let url = &database.url;
    schema().apply(url).await?;
    let mut broken = schema();
    broken.functions[0].text = broken.functions[0].text.replace("select shimmed.b()", "select 7::bigint");
    broken.functions[1].text = "create or replace nonsense".to_owned();
    let error = format!("{:#}", broken.apply(url).await.unwrap_err());
    assert!(error.contains(Path::new("sql/functions/b.sql").to_str().unwrap_or_default()), "{error}");
    assert_eq!(number(url, "select shimmed.a()").await?, 1, "the first function was replaced without the second");

    let mut failing = schema();
    failing.migrations.push(file("migrations/20260103000000_fail.sql", "select 1 / 0"));
    let error = format!("{:#}", failing.apply(url).await.unwrap_err());
    assert!(error.contains("20260103000000_fail.sql"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_real_schema_migrates_twice_and_at_once() -> Result<()> {
    let database = run().await?.empty_database().await?;
    let url = &database.url;
    let (one, other) = tokio::join!(migrate(url), migrate(url));
    let (one, other) = (one?, other?);
    assert_eq!(one.applied.len() + other.applied.len(), one.migrations);
    assert!(migrate(url).await?.applied.is_empty());
    Ok(())
}
