//! Rollups against the events they are made of.

use anyhow::Result;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

const DIFFERENCE: &str = include_str!("rollups.sql");

/// The rollups of an organization that are missing, wrong or too many, a line each.
pub(crate) async fn rollup_difference(database_url: &str, org_id: Uuid) -> Result<Vec<String>> {
    let mut connection = PgConnection::connect(database_url).await?;
    let lines = sqlx::query_scalar(DIFFERENCE).bind(org_id).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(lines)
}
