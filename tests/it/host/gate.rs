//! Holds requests up for as long as a test needs them to be under way.

use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::Url;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::until;

/// A lock in the database. Requests whose script has [`Gate::step`] wait there until it opens.
pub(super) struct Gate {
    holder: PgConnection,
    key: i64,
}

impl Gate {
    /// A gate of one's own, shut.
    pub(super) async fn shut(database: &Url) -> Self {
        // Far from the numbers that tests lock themselves.
        static NEXT: AtomicI64 = AtomicI64::new(1_000_000);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut holder = PgConnection::connect(database.as_str()).await.unwrap();
        sqlx::query("select pg_advisory_lock($1)").bind(key).execute(&mut holder).await.unwrap();
        Self { holder, key }
    }

    /// The step of a script that waits. Those who wait do not wait for each other.
    pub(super) fn step(&self) -> Value {
        json!({"execute": [format!("select pg_advisory_xact_lock_shared({})", self.key), []]})
    }

    /// Comes back when so many requests wait.
    pub(super) async fn waiting(&mut self, count: i64) {
        let (holder, key) = (&mut self.holder, self.key);
        until("the requests to wait at the gate", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_locks where locktype = 'advisory' and objid::int8 = $1 and not granted",
            )
            .bind(key)
            .fetch_one(&mut *holder)
            .await
            .unwrap();
            waiting >= count
        })
        .await;
    }

    /// Lets them all go on.
    pub(super) async fn open(mut self) {
        sqlx::query("select pg_advisory_unlock($1)").bind(self.key).execute(&mut self.holder).await.unwrap();
        self.holder.close().await.unwrap();
    }
}
