//! Sign-ups at the same moment.

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::harness::{Database, run, until_waiting};

const AT_ONCE: usize = 20;

/// Provisions these users with one company name, all at the same moment: they queue up behind a lock, which then goes.
/// Gives the answers: whether the call made the organization.
async fn provision_at_once(database: &Database, users: Vec<Uuid>) -> Result<Vec<bool>> {
    let mut gate = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql("begin; lock table public.organizations in exclusive mode").execute(&mut gate).await?;
    let mut calls = JoinSet::new();
    for user in users {
        let url = database.url.clone();
        calls.spawn(async move {
            let mut connection = PgConnection::connect(&url).await?;
            let query = "select app.provision_user($1, 'Acme & Sons')";
            sqlx::query_scalar::<_, bool>(query).bind(user).fetch_one(&mut connection).await
        });
    }
    until_waiting(&database.url, calls.len()).await?;
    sqlx::raw_sql("commit").execute(&mut gate).await?;
    let mut answers = Vec::new();
    while let Some(answer) = calls.join_next().await {
        answers.push(answer??);
    }
    Ok(answers)
}

/// How many organizations there are, with how many slugs, workspaces and owners.
async fn counts(database: &Database) -> Result<(i64, i64, i64, i64)> {
    let mut connection = PgConnection::connect(&database.url).await?;
    let query = "select count(*), count(distinct slug), (select count(*) from public.workspaces),
                   (select count(*) from public.org_members where role = 'owner')
                 from public.organizations";
    Ok(sqlx::query_as(query).fetch_one(&mut connection).await?)
}

#[tokio::test]
async fn the_same_company_name_makes_different_slugs() -> Result<()> {
    let database = run().await?.new_database().await?;
    let users = (0..AT_ONCE).map(|_| Uuid::new_v4()).collect();
    let answers = provision_at_once(&database, users).await?;
    assert!(answers.iter().all(|made| *made), "{answers:?}");
    assert_eq!(counts(&database).await?, (20, 20, 20, 20));
    Ok(())
}

#[tokio::test]
async fn one_user_gets_one_organization() -> Result<()> {
    let database = run().await?.new_database().await?;
    let answers = provision_at_once(&database, vec![Uuid::new_v4(); AT_ONCE]).await?;
    assert_eq!(answers.iter().filter(|made| **made).count(), 1, "{answers:?}");
    assert_eq!(counts(&database).await?, (1, 1, 1, 1));
    Ok(())
}
