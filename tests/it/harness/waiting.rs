//! Waiting until others wait.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

/// Longer than a slow machine takes to get there, and less than a person waits for a test.
const LIMIT: Duration = Duration::from_secs(60);
const WAITING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and wait_event_type = 'Lock'";

/// Waits until so many sessions of the database wait for a lock.
pub(crate) async fn until_waiting(database_url: &str, sessions: usize) -> Result<()> {
    let mut watcher = PgConnection::connect(database_url).await?;
    let expected = i64::try_from(sessions)?;
    let watch = async {
        while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&mut watcher).await? < expected {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    };
    timeout(LIMIT, watch).await.with_context(|| format!("there should be sessions that wait for a lock: {sessions}"))?
}
