//! The access matrix: what each persona reaches of each table, and who may call which function, against
//! `tests/sql/access_matrix.txt`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use sqlx::{Connection as _, PgConnection};

use crate::harness::{Database, repository, run};

const HEAD: &str = "\
# Who reaches what. Computed by tests/it/sql/matrix.rs, which tries every cell on a real database and compares.
#
#   -        no right: 42501
#   none     the right, and no row that it reaches
#   self     the user's own rows; part: some of the own organization's; own: all of them
#   std      what belongs to nobody, the standard definitions; own+std: both
#   all      every row of every organization
#
# An insert is that of a row like the one there. Personas are of one organization: ws_admin is a viewer who manages a
# workspace, demoted a viewer with an owner's token, removed no member any more, outsider the owner of another
# organization with a token that names this one; the functions' roles act for an owner (token_hook), a member (ingest) and
# a viewer (query).

";

const COLUMNS: &str = "# Columns that a right is confined to; every other right is one to the whole table.";

/// A database with two organizations and a row of each in every table.
async fn filled() -> Result<(Database, PgConnection)> {
    let database = run().await?.new_database().await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql(include_str!("fixture.sql")).execute(&mut connection).await?;
    sqlx::raw_sql("select fixture.found('aaaaaaaa', '1a2b3c4d'), fixture.found('bbbbbbbb', '5e6f7a8b')")
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql(include_str!("matrix.sql")).execute(&mut connection).await?;
    Ok((database, connection))
}

async fn lines(connection: &mut PgConnection, query: &'static str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(query).fetch_all(connection).await?)
}

async fn matrix(connection: &mut PgConnection) -> Result<String> {
    let tables = lines(connection, "select * from fixture.tables_matrix()").await?.join("\n");
    let functions = lines(connection, "select * from fixture.functions_matrix()").await?.join("\n");
    let columns = lines(connection, "select * from fixture.columns_matrix()").await?.join("\n");
    Ok(format!("{HEAD}{tables}\n\n{COLUMNS}\n{columns}\n\n{functions}\n"))
}

async fn unfilled(connection: &mut PgConnection) -> Result<Vec<String>> {
    lines(connection, "select * from fixture.unfilled()").await
}

/// What one text has and the other has not, line by line.
fn difference(expected: &str, actual: &str) -> String {
    let missing = expected.lines().filter(|line| !actual.lines().any(|other| other == *line));
    let new = actual.lines().filter(|line| !expected.lines().any(|other| other == *line));
    missing.map(|line| format!("-{line}\n")).chain(new.map(|line| format!("+{line}\n"))).collect()
}

#[tokio::test]
async fn access_is_what_the_matrix_says() -> Result<()> {
    let (_database, mut connection) = filled().await?;
    let empty = unfilled(&mut connection).await?;
    ensure!(empty.is_empty(), "fixture.sql gives no row of each organization to {empty:?}");

    let actual = matrix(&mut connection).await?;
    ensure!(!actual.contains("FOREIGN"), "somebody reaches what is another organization's:\n{actual}");
    let file = repository().join("tests/sql/access_matrix.txt");
    let expected = fs::read_to_string(&file)?;
    if actual != expected {
        let new: PathBuf = repository().join("target/access_matrix.txt");
        fs::write(&new, &actual)?;
        let (file, new) = (file.display(), new.display());
        anyhow::bail!(
            "the access matrix has changed:\n{}\nIf all of it is meant: cp {new} {file}",
            difference(&expected, &actual)
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_hole_and_an_empty_table_are_noticed() -> Result<()> {
    let (_database, mut connection) = filled().await?;
    let before = matrix(&mut connection).await?;
    sqlx::raw_sql(
        "create policy hole on public.stores for all to authenticated using (true);
         grant update (timezone) on public.stores to authenticated;
         create table public.planted (org_id uuid not null);",
    )
    .execute(&mut connection)
    .await?;
    assert_eq!(unfilled(&mut connection).await?, ["public.planted"]);
    let after = difference(&before, &matrix(&mut connection).await?);
    for action in ["select", "insert", "update", "delete"] {
        let head = format!("+{:<35}{action} all ", "public.stores");
        assert!(after.lines().any(|line| line.starts_with(&head)), "no line {head:?} in\n{after}");
    }
    assert!(after.lines().any(|line| line.starts_with("+public.planted")), "{after}");
    let columns = format!("+{:<35}{:<7}{:<21}", "public.stores", "update", "authenticated");
    assert!(after.lines().any(|line| line.starts_with(&columns) && line.contains("timezone")), "{after}");
    Ok(())
}
