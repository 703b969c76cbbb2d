//! Waiting until others wait.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

/// Longer than a slow machine takes to get there, and less than a person waits for a test.
const LIMIT: Duration = Duration::from_secs(60);
const WAITING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and wait_event_type = 'Lock'";
const USED: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and usename like 'tally\\_%'";
const STORED: &str = "select count(*) from public.metric_events";

/// Waits until so many sessions of the database wait for a lock.
pub(crate) async fn until_waiting(database_url: &str, sessions: usize) -> Result<()> {
    let expected = i64::try_from(sessions)?;
    let watch = until(database_url, WAITING, |waiting| waiting >= expected);
    watch.await.with_context(|| format!("there should be sessions that wait for a lock: {sessions}"))
}

/// Waits until the functions have no session left in the database, and so no statement under way.
pub(crate) async fn until_unused(database_url: &str) -> Result<()> {
    until(database_url, USED, |sessions| sessions == 0).await.context("the functions' sessions should end")
}

/// Waits until so many events are stored, for all to see.
pub(crate) async fn until_stored(database_url: &str, events: usize) -> Result<()> {
    let expected = i64::try_from(events)?;
    until(database_url, STORED, |stored| stored >= expected).await.with_context(|| format!("no {events} events"))
}

/// Waits until a table has so many rows, for all to see.
pub(crate) async fn until_count(database_url: &str, table: &str, rows: i64) -> Result<()> {
    let query = format!("select count(*) from public.{table}");
    until(database_url, &query, |count| count == rows).await.with_context(|| format!("not {rows} rows in {table}"))
}

/// Waits until the number that a query answers will do.
async fn until(database_url: &str, query: &str, will_do: impl Fn(i64) -> bool) -> Result<()> {
    let mut watcher = PgConnection::connect(database_url).await?;
    let watch = async {
        while !will_do(sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut watcher).await?) {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(watcher.close().await?)
    };
    timeout(LIMIT, watch).await?
}
