//! Two owners who leave at the same time: one of them stays.

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::harness::{Database, run, until_waiting};

const OWNERS: [&str; 2] = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"];
const DEMOTE: &str = "update public.org_members set role = 'member' where user_id = ";
const REMOVE: &str = "delete from public.org_members where user_id = ";

/// An organization with two owners.
async fn two_owners() -> Result<Database> {
    let database = run().await?.new_database().await?;
    let mut connection = PgConnection::connect(&database.url).await?;
    let [one, other] = OWNERS;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "select app.provision_user('{one}', 'Acme');
         insert into public.org_members (org_id, user_id, role) select id, '{other}', 'owner' from public.organizations"
    )))
    .execute(&mut connection)
    .await?;
    Ok(database)
}

/// Lets one owner go while the other one's going is not committed yet; gives the SQLSTATE that the second met.
async fn race(isolation: &str, first: &str, second: &str) -> Result<String> {
    let database = two_owners().await?;
    let mut one = PgConnection::connect(&database.url).await?;
    let mut other = PgConnection::connect(&database.url).await?;
    let begin = format!("begin isolation level {isolation}; select count(*) from public.org_members");
    for connection in [&mut one, &mut other] {
        sqlx::raw_sql(AssertSqlSafe(begin.clone())).execute(connection).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("{first}'{}'", OWNERS[0]))).execute(&mut one).await?;
    let statement = format!("{second}'{}'", OWNERS[1]);
    let waiting = tokio::spawn(async move { sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut other).await });
    until_waiting(&database.url, 1).await?;
    sqlx::raw_sql("commit").execute(&mut one).await?;
    let error = waiting.await?.err().context("both owners are gone")?;
    let owners = "select count(*) from public.org_members where role = 'owner'";
    assert_eq!(sqlx::query_scalar::<_, i64>(owners).fetch_one(&mut one).await?, 1);
    Ok(error.as_database_error().and_then(|error| error.code()).context("no SQLSTATE")?.into_owned())
}

#[tokio::test]
async fn the_second_sees_the_first() -> Result<()> {
    for (first, second) in [(DEMOTE, DEMOTE), (DEMOTE, REMOVE), (REMOVE, DEMOTE), (REMOVE, REMOVE)] {
        assert_eq!(race("read committed", first, second).await?, "TH009");
    }
    Ok(())
}

#[tokio::test]
async fn an_old_snapshot_does_not_hide_the_first() -> Result<()> {
    for isolation in ["repeatable read", "serializable"] {
        assert_eq!(race(isolation, REMOVE, DEMOTE).await?, "40001");
    }
    Ok(())
}
