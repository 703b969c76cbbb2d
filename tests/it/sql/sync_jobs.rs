//! Workers that take jobs from one queue at the same time, die in the middle, and come back too late.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::future::try_join_all;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::sync::Barrier;
use tokio::time::{sleep, timeout};

use crate::harness::run;

const PATIENCE: Duration = Duration::from_secs(20);

/// An organization with a connection, and a place for what workers fetch, which takes a record as often as it is brought.
const PREPARE: &str = "
    select app.provision_user('aaaaaaaa-0000-4000-8000-000000000001', 'Acme');
    insert into public.stores (org_id, workspace_id, name) select org_id, id, 'Store' from public.workspaces;
    insert into public.integration_connections (org_id, store_id, provider, display_name)
      select org_id, id, 'shopify', 'Shop' from public.stores;
    create table public.ledger (record bigint, worker text);
    grant select, insert on public.ledger to service_role";

/// How many records there are to fetch, and how many at a time.
const RECORDS: i64 = 100;
const BATCH: i64 = 10;

/// A job that a worker holds.
struct Held {
    org_id: String,
    id: String,
    token: String,
    /// The last record that a checkpoint saved.
    cursor: i64,
}

/// A worker: a connection as `service_role`.
struct Worker {
    name: String,
    connection: PgConnection,
}

impl Worker {
    async fn start(url: &str, name: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql("set role service_role").execute(&mut connection).await?;
        Ok(Self { name: name.to_owned(), connection })
    }

    async fn claim(&mut self, lease: &str) -> Result<Option<Held>> {
        let row = sqlx::query(
            "select org_id::text, id::text, lease_token::text, coalesce((cursor ->> 'after')::bigint, 0) \
             from app.claim_sync_job($1, $2::text::interval)",
        )
        .bind(&self.name)
        .bind(lease)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.map(|row| Held { org_id: row.get(0), id: row.get(1), token: row.get(2), cursor: row.get(3) }))
    }

    /// Claims again and again until there is a job.
    async fn wait_for_job(&mut self) -> Result<Held> {
        let wait = async {
            loop {
                if let Some(held) = self.claim("5 minutes").await? {
                    return Ok(held);
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, wait).await.context("no job was handed out")?
    }

    /// Writes the next batch and its checkpoint, in a transaction that is still open.
    async fn write_batch(&mut self, held: &Held) -> Result<i64> {
        let last = held.cursor + BATCH;
        sqlx::raw_sql("begin").execute(&mut self.connection).await?;
        sqlx::query("insert into public.ledger select generate_series($1 + 1, $2), $3")
            .bind(held.cursor)
            .bind(last)
            .bind(&self.name)
            .execute(&mut self.connection)
            .await?;
        sqlx::query(
            "select app.checkpoint_sync_job($1::uuid, $2::uuid, $3::uuid, jsonb_build_object('after', $4::bigint), $5)",
        )
        .bind(&held.org_id)
        .bind(&held.id)
        .bind(&held.token)
        .bind(last)
        .bind(BATCH)
        .execute(&mut self.connection)
        .await?;
        Ok(last)
    }

    async fn commit(&mut self) -> Result<()> {
        sqlx::raw_sql("commit").execute(&mut self.connection).await?;
        Ok(())
    }

    async fn complete(&mut self, held: &Held) -> Result<()> {
        sqlx::query("select app.complete_sync_job($1::uuid, $2::uuid, $3::uuid)")
            .bind(&held.org_id)
            .bind(&held.id)
            .bind(&held.token)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}

/// A migrated database with the given number of jobs that are due, and its administrator.
async fn prepared(jobs: u32) -> Result<(crate::harness::Database, PgConnection)> {
    let database = run().await?.new_database().await?;
    let mut administrator = PgConnection::connect(&database.url).await?;
    sqlx::raw_sql(PREPARE).execute(&mut administrator).await?;
    let insert = format!(
        "insert into public.sync_jobs (org_id, connection_id, stream) \
         select org_id, id, 'stream_' || n from public.integration_connections, generate_series(1, {jobs}) n"
    );
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut administrator).await?;
    Ok((database, administrator))
}

fn code(error: &anyhow::Error) -> Option<String> {
    let error = error.downcast_ref::<sqlx::Error>()?.as_database_error()?;
    Some(error.code()?.into_owned())
}

#[tokio::test]
async fn each_job_is_handed_out_once() -> Result<()> {
    const JOBS: u32 = 200;
    const WORKERS: usize = 16;
    let (database, _administrator) = prepared(JOBS).await?;
    // Else the first to connect could be done before the others have.
    let connected = Barrier::new(WORKERS);
    let work = async |name: String| -> Result<Vec<String>> {
        let mut worker = Worker::start(&database.url, &name).await?;
        connected.wait().await;
        let mut taken = Vec::new();
        while let Some(held) = worker.claim("5 minutes").await? {
            worker.complete(&held).await?;
            taken.push(held.id);
        }
        Ok(taken)
    };
    let taken = try_join_all((1..=WORKERS).map(|number| work(format!("worker {number}")))).await?;
    let busy = taken.iter().filter(|jobs| !jobs.is_empty()).count();
    let all: Vec<String> = taken.into_iter().flatten().collect();
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (JOBS as usize, JOBS as usize));
    assert!(busy > 1, "one worker did it all: the others stood in line");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_dies_loses_and_doubles_nothing() -> Result<()> {
    let (database, mut administrator) = prepared(1).await?;
    let mut first = Worker::start(&database.url, "first").await?;
    let mut held = first.claim("2 seconds").await?.context("no job")?;
    for _ in 0..3 {
        held.cursor = first.write_batch(&held).await?;
        first.commit().await?;
    }
    // It dies with a batch written and its checkpoint, and neither committed.
    first.write_batch(&held).await?;
    let killed: bool = sqlx::query_scalar("select pg_terminate_backend(pid, 5000) from pg_stat_activity where query like '%checkpoint_sync_job%' and pid <> pg_backend_pid() and datname = current_database()")
        .fetch_one(&mut administrator)
        .await?;
    assert!(killed);
    assert!(first.commit().await.is_err(), "the connection still stands");

    let mut second = Worker::start(&database.url, "second").await?;
    let mut taken = second.wait_for_job().await?;
    assert_eq!((&taken.id, taken.cursor), (&held.id, 30), "not from the last checkpoint");

    // The first one comes back, and knows nothing of it.
    let mut late = Worker::start(&database.url, "late").await?;
    let refused = late.write_batch(&held).await.unwrap_err();
    assert_eq!(code(&refused).as_deref(), Some("TH010"), "{refused:#}");
    sqlx::raw_sql("rollback").execute(&mut late.connection).await?;
    let refused = late.complete(&held).await.unwrap_err();
    assert_eq!(code(&refused).as_deref(), Some("TH010"), "{refused:#}");

    while taken.cursor < RECORDS {
        taken.cursor = second.write_batch(&taken).await?;
        second.commit().await?;
    }
    second.complete(&taken).await?;
    let row = sqlx::query(
        "select count(*), count(distinct record), min(record), max(record), count(*) filter (where worker = 'first'), \
         (select records from public.sync_jobs) from public.ledger",
    )
    .fetch_one(&mut administrator)
    .await?;
    let numbers: [i64; 6] = std::array::from_fn(|index| row.get(index));
    assert_eq!(numbers, [RECORDS, RECORDS, 1, RECORDS, 30, RECORDS]);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_saving_is_not_robbed() -> Result<()> {
    const CHECKPOINT: &str = "select app.checkpoint_sync_job($1::uuid, $2::uuid, $3::uuid, '1', 1)";
    let (database, mut administrator) = prepared(1).await?;
    let mut slow = Worker::start(&database.url, "slow").await?;
    let mut other = Worker::start(&database.url, "other").await?;
    let held = slow.claim("1 hour").await?.context("no job")?;
    sqlx::raw_sql("begin; select pg_sleep(0.05)").execute(&mut slow.connection).await?;
    // The lease ends while the checkpoint is under way; its commit lends the job on.
    let over = "update public.sync_jobs set available_at = now() - interval '1 minute'";
    sqlx::raw_sql(over).execute(&mut administrator).await?;
    let checkpoint = sqlx::query(CHECKPOINT).bind(&held.org_id).bind(&held.id).bind(&held.token);
    checkpoint.execute(&mut slow.connection).await?;
    let claim = timeout(PATIENCE, other.claim("1 hour")).await.context("waits for a worker that is saving")??;
    assert!(claim.is_none(), "taken from a worker that is saving");
    // From now on, and not from when its transaction began.
    let is_whole = "select available_at - lease >= now() + interval '50 ms' from public.sync_jobs";
    assert!(sqlx::query_scalar::<_, bool>(is_whole).fetch_one(&mut slow.connection).await?);
    slow.commit().await?;
    assert!(other.claim("1 hour").await?.is_none(), "taken from a worker that has just saved");
    slow.complete(&held).await
}

#[tokio::test]
async fn a_claim_reads_the_queue_and_not_the_past() -> Result<()> {
    let (database, mut administrator) = prepared(3).await?;
    sqlx::raw_sql(
        "insert into public.sync_jobs (org_id, connection_id, stream, status, finished_at)
           select org_id, id, 'past', 'succeeded', now() from public.integration_connections, generate_series(1, 50000);
         analyze public.sync_jobs",
    )
    .execute(&mut administrator)
    .await?;
    let mut worker = Worker::start(&database.url, "worker").await?;
    sqlx::raw_sql("begin").execute(&mut worker.connection).await?;
    if worker.claim("5 minutes").await?.is_none() {
        bail!("no job");
    }
    let row = sqlx::query(
        "select t.seq_scan, t.idx_tup_fetch, pg_stat_get_xact_numscans('public.sync_jobs_priority_available_at_idx'::regclass) \
         from pg_stat_xact_user_tables t where t.relid = 'public.sync_jobs'::regclass",
    )
    .fetch_one(&mut worker.connection)
    .await?;
    let (whole, rows, queue): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(whole, 0, "the claim reads the whole table");
    assert!(queue > 0, "the claim does not read the index of the queue");
    assert!(rows < 20, "the claim reads {rows} rows");
    Ok(())
}
