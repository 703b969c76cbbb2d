//! Partitions and maintenance with several connections: who waits for whom, and what is left when they race.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::harness::{Database, run, until_waiting};

/// More than any bounded wait of the functions under test, and less than a person waits for a test.
const LIMIT: Duration = Duration::from_secs(60);

/// Much longer than catalogues are locked by tests beside this one. Who waits for a lock of a transaction that stays open
/// fails.
const WAIT_FOR_NOBODY: &str = "set lock_timeout = '5s'";
const MAKE_2001_01: &str = "select app.ensure_partition('2001-01-01')";

/// A connection of the owner, which may take the role of others.
struct Session(PgConnection);

impl Session {
    async fn open(database: &Database) -> Result<Self> {
        Ok(Self(PgConnection::connect(&database.url).await?))
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await.with_context(|| sql.to_owned())?;
        Ok(())
    }

    /// The one value of the one row, as JSON.
    async fn ask(&mut self, sql: &str) -> Result<Value> {
        let sql = format!("select to_jsonb(answer)::text from ({sql}) as question(answer)");
        let answer: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.0).await?;
        Ok(serde_json::from_str(answer.as_deref().unwrap_or("null"))?)
    }

    async fn maintain(&mut self) -> Result<Value> {
        self.ask("select app.maintain()").await
    }

    /// Calls as a scheduler does, until there is no more to do.
    async fn maintain_all(&mut self) -> Result<Vec<Value>> {
        let mut reports = Vec::new();
        while reports.len() < 100 {
            let report = self.maintain().await?;
            let again = report["again"] == true;
            reports.push(report);
            if !again {
                return Ok(reports);
            }
        }
        anyhow::bail!("maintenance does not come to an end: {reports:#?}")
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(LIMIT, future).await.with_context(|| format!("{what}: still waiting"))?
}

/// Runs a question beside the test.
fn spawn(mut session: Session, sql: String) -> JoinHandle<Result<(Session, Value)>> {
    tokio::spawn(async move {
        let answer = session.ask(&sql).await?;
        Ok((session, answer))
    })
}

/// An organization on the free plan with one store.
struct Tenant {
    user: Uuid,
    org: String,
    store: String,
}

impl Tenant {
    async fn found(session: &mut Session, name: &str) -> Result<Self> {
        let user = Uuid::new_v4();
        session.run(&format!("select app.provision_user('{user}', '{name}')")).await?;
        let org = session.ask(&format!("select org_id from public.org_members where user_id = '{user}'")).await?;
        let org = org.as_str().context("no organization")?.to_owned();
        let store = Uuid::new_v4().to_string();
        session
            .run(&format!(
                "insert into public.stores (org_id, workspace_id, name, id) \
                 select org_id, id, 'Store', '{store}' from public.workspaces where org_id = '{org}'"
            ))
            .await?;
        Ok(Self { user, org, store })
    }

    /// The call that ingests an order for each of these (id, time).
    fn batch(&self, orders: &[(String, String)]) -> String {
        let authority = json!({"sub": self.user, "org_id": self.org, "user_role": "owner"});
        let lines = |value: fn(&(String, String)) -> &str| orders.iter().map(value).collect::<Vec<_>>().join("\n");
        format!(
            "select api.ingest_events('{authority}', array['{}'], '{{null}}', '{{test}}', '{{orders}}', '{{null}}', '{{\"{{}}\"}}', \
             {}, '{}', '{}', (select array_agg(extract(epoch from t::timestamptz) * 1000000) from unnest('{{{}}}'::text[]) as t)::bigint[], \
             '{{}}', '{}', '[]', 'ignore', false)::jsonb",
            self.store,
            format_args!("'{{{}}}'", vec!["1"; orders.len()].join(",")),
            lines(|order| &order.0),
            lines(|_| "1"),
            orders.iter().map(|order| format!("\"{}\"", order.1)).collect::<Vec<_>>().join(","),
            lines(|_| "0"),
        )
    }

    /// How many of its orders there are as events, and how many the rollups count.
    async fn counted(&self, session: &mut Session) -> Result<(u64, u64)> {
        let org = &self.org;
        let events = session.ask(&format!("select count(*) from public.metric_events where org_id = '{org}'")).await?;
        let rollups = session
            .ask(&format!(
                "select coalesce(sum(count), 0)::bigint from public.metric_rollups where org_id = '{org}' and grain = 'day'"
            ))
            .await?;
        Ok((events.as_u64().context("no number")?, rollups.as_u64().context("no number")?))
    }
}

fn order(id: impl ToString, at: &str) -> (String, String) {
    (id.to_string(), at.to_owned())
}

fn accepted(answer: &Value) -> u64 {
    answer["accepted"].as_u64().unwrap()
}

#[tokio::test]
async fn making_a_month_waits_for_no_writer_and_no_reader_of_other_months() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut owner, mut writer) = (Session::open(&database).await?, Session::open(&database).await?);
    let (mut reader, mut maker) = (Session::open(&database).await?, Session::open(&database).await?);
    let tenant = Tenant::found(&mut owner, "Acme").await?;
    owner.run("select app.ensure_partition('2020-05-01')").await?;

    writer.run("begin; set local role tally_ingest").await?;
    assert_eq!(accepted(&writer.ask(&tenant.batch(&[order(1, "2020-05-05Z")])).await?), 1);
    reader.run("begin").await?;
    reader
        .run(
            "declare c cursor for select from public.metric_events \
             where recorded_at >= '2020-05-01Z' and recorded_at < '2020-06-01Z'; fetch c",
        )
        .await?;

    maker.run(WAIT_FOR_NOBODY).await?;
    maker.run("begin").await?;
    assert_eq!(maker.ask(MAKE_2001_01).await?, true);
    // And none of them waits for the one who makes it, who has not committed.
    in_time("the writer", writer.ask(&tenant.batch(&[order(2, "2020-05-06Z")]))).await?;
    in_time("the reader", reader.run("fetch c")).await?;
    maker.run("commit").await?;
    writer.run("commit").await?;
    assert_eq!(tenant.counted(&mut owner).await?, (2, 2));
    Ok(())
}

#[tokio::test]
async fn a_deletion_locks_the_months_of_its_events_and_no_other() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut owner, mut other) = (Session::open(&database).await?, Session::open(&database).await?);
    let tenant = Tenant::found(&mut owner, "Acme").await?;
    let orders = ["2001-01-05Z", "2001-03-05Z"].map(|at| order(1, at)).into_iter().chain([order(2, "2001-02-05Z")]);
    assert_eq!(accepted(&owner.ask(&tenant.batch(&orders.collect::<Vec<_>>())).await?), 3);
    other.run("begin; lock table partitions.metric_events_200102 in exclusive mode").await?;

    owner.run(WAIT_FOR_NOBODY).await?;
    let Tenant { user, org, store } = &tenant;
    let authority = json!({"sub": user, "org_id": org, "user_role": "owner"});
    // By a time and without one, of which the latter has events before and behind the month that is locked.
    for (id, times, deleted) in [("3", "'2001-01-05Z', '2001-03-05Z'", 0), ("1", "null, null", 2)] {
        let deletion = format!(
            "select api.delete_events('{authority}', array['{store}', '{store}'], '{{test,test}}', '{{{id},{id}}}', \
             array[{times}]::text[], 0, false)::jsonb"
        );
        assert_eq!(in_time("the deletion", owner.ask(&deletion)).await?["deleted"], deleted);
    }
    other.run("commit").await?;
    assert_eq!(tenant.counted(&mut owner).await?, (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_reader_of_all_partitions_puts_no_month_off() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut reader, mut maker) = (Session::open(&database).await?, Session::open(&database).await?);
    reader.run("begin; select from public.metric_events").await?;
    maker.run(WAIT_FOR_NOBODY).await?;
    assert_eq!(in_time("the month", maker.ask(MAKE_2001_01)).await?, true);
    reader.run("commit").await
}

#[tokio::test]
async fn maintenance_goes_on_while_somebody_makes_a_month() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut other, mut maker) = (Session::open(&database).await?, Session::open(&database).await?);
    let tenant = Tenant::found(&mut maker, "Acme").await?;
    let last = maker.ask("select relation::text from app.event_months() order by starts desc limit 1").await?;
    maker.run(&format!("drop table {}", last.as_str().context("no month")?)).await?;
    other.run("begin").await?;
    assert_eq!(other.ask(MAKE_2001_01).await?, true);

    let report = in_time("maintenance", maker.maintain()).await?;
    assert_eq!((&report["making_busy"], &report["organizations_closed"]), (&json!(true), &json!(1)));
    // And so does who writes.
    let now = maker.ask("select now()::text").await?;
    let batch = tenant.batch(&[order(1, now.as_str().context("no time")?)]);
    assert_eq!(accepted(&in_time("the writer", maker.ask(&batch)).await?), 1);

    other.run("commit").await?;
    assert_eq!(maker.maintain().await?["months_made"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn who_waited_for_a_month_that_another_made_holds_up_nobody() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut first, mut third) = (Session::open(&database).await?, Session::open(&database).await?);
    let mut second = Session::open(&database).await?;
    first.run("begin").await?;
    assert_eq!(first.ask(MAKE_2001_01).await?, true);
    second.run("begin").await?;
    let second = spawn(second, MAKE_2001_01.into());
    until_waiting(&database.url, 1).await?;
    first.run("commit").await?;
    let (mut second, made) = in_time("the second", async { second.await? }).await?;
    assert_eq!(made, false);
    // The second has not ended its transaction, and yet a third one makes another month at once.
    third.run(WAIT_FOR_NOBODY).await?;
    assert_eq!(third.ask("select app.ensure_partition('2001-02-01')").await?, true);
    second.run("commit").await?;
    Ok(())
}

#[tokio::test]
async fn fifty_batches_of_the_same_missing_month() -> Result<()> {
    let database = run().await?.new_database().await?;
    let mut owner = Session::open(&database).await?;
    let tenant = Tenant::found(&mut owner, "Acme").await?;
    let sessions = try_join_all((0..50).map(|_| Session::open(&database))).await?;
    let batches = sessions.into_iter().enumerate().map(|(number, mut session)| {
        let batch = tenant.batch(&[order(number, "2001-01-05Z"), order("the same", "2001-01-06Z")]);
        async move {
            session.run("set role tally_ingest").await?;
            session.ask(&batch).await
        }
    });
    let answers = in_time("the batches", async { Ok(join_all(batches).await) }).await?;
    let answers = answers.into_iter().collect::<Result<Vec<_>>>()?;
    assert_eq!(answers.iter().map(accepted).sum::<u64>(), 51);
    assert_eq!(tenant.counted(&mut owner).await?, (51, 51));
    Ok(())
}

/// A session that is finding out which partitions there are, as another one is attached, keeps in mind what it found
/// (`PostgreSQL` 15): without `app.know_months` about one session in fifteen hundred misses a month, until there is another.
#[tokio::test]
async fn every_session_finds_a_month_from_its_commit_on() -> Result<()> {
    const MONTHS: u32 = 400;
    const READERS: u32 = 6;
    let database = run().await?.new_database().await?;
    let mut owner = Session::open(&database).await?;
    let tenant = Tenant::found(&mut owner, "Acme").await?;
    assert_eq!(accepted(&owner.ask(&tenant.batch(&[order(0, "2026-11-01T12:00:00Z")])).await?), 1);
    let made = AtomicU32::new(0);
    let write = async {
        for number in 0..MONTHS {
            let month = format!("{}-{:02}-01", 1970 + number / 12, 1 + number % 12);
            owner.run("begin").await?;
            owner.ask(&format!("select app.ensure_partition('{month}')")).await?;
            owner
                .run(&format!(
                    "insert into public.metric_events select (jsonb_populate_record(e, jsonb_build_object(
                       'event_id', '{month}', 'recorded_at', '{month}T12:00:00Z'))).*
                     from public.metric_events e where e.recorded_at >= '2026-01-01'; commit"
                ))
                .await?;
            made.store(number + 1, Ordering::SeqCst);
        }
        anyhow::Ok(())
    };
    let read = async |mut session: Session| {
        session.run("set role service_role").await?;
        let mut reads = 0;
        while made.load(Ordering::SeqCst) < MONTHS {
            let least = made.load(Ordering::SeqCst);
            session.run("select app.know_months()").await?;
            let found =
                session.ask("select count(*) from public.metric_events where recorded_at < '2020-01-01'").await?;
            ensure!(found.as_u64() >= Some(least.into()), "{found} months of {least}");
            reads += 1;
        }
        anyhow::Ok(reads)
    };
    let sessions = try_join_all((0..READERS).map(|_| Session::open(&database))).await?;
    let reads = try_join_all(sessions.into_iter().map(read));
    let ((), reads) = in_time("the sessions", async { tokio::try_join!(write, reads) }).await?;
    assert!(reads.iter().sum::<u32>() > MONTHS, "{reads:?}");
    Ok(())
}

#[tokio::test]
async fn two_maintainers_at_once_are_as_one() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut one, mut other) = (Session::open(&database).await?, Session::open(&database).await?);
    one.run("begin; set local role service_role").await?;
    assert_eq!(one.maintain().await?["again"], false);
    other.run("set role service_role").await?;
    assert_eq!(in_time("the other", other.maintain()).await?, json!({"running": true, "again": false}));
    one.run("commit").await?;
    assert_eq!(other.maintain().await?["again"], false);
    Ok(())
}

#[tokio::test]
async fn a_month_that_is_read_or_written_is_dropped_later() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut owner, mut reader) = (Session::open(&database).await?, Session::open(&database).await?);
    let mut writer = Session::open(&database).await?;
    let (old, new) = (Tenant::found(&mut owner, "Old").await?, Tenant::found(&mut owner, "New").await?);
    owner.run(&format!("update public.organizations set plan_tier = 'enterprise' where id = '{}'", new.org)).await?;
    owner.ask(&old.batch(&[order(1, "2001-01-05Z"), order(2, "2001-02-05Z")])).await?;
    assert_eq!(owner.maintain().await?["organizations_closed"], 1);

    reader.run("begin; select from public.metric_events where recorded_at = '2001-01-05Z'").await?;
    let busy = in_time("a reader", owner.maintain()).await?;
    assert_eq!(busy["dropping_busy"], json!(["2001-01"]));
    assert_eq!(
        (&busy["months_dropped"], &busy["events_purged"], &busy["again"]),
        (&json!([]), &json!(0), &json!(false))
    );
    reader.run("commit").await?;

    // Its month was there when this batch looked, so it stays for it.
    writer.run("begin; set local role tally_ingest").await?;
    writer.ask("select app.ensure_months('{2001-01-01}') is null").await?;
    assert_eq!(in_time("a writer", owner.maintain()).await?["dropping_busy"], json!(["2001-01"]));
    assert_eq!(accepted(&writer.ask(&new.batch(&[order(1, "2001-01-07Z")])).await?), 1);
    writer.run("commit").await?;

    // It is kept now; the other month goes.
    let reports = owner.maintain_all().await?;
    assert_eq!(reports[0]["months_dropped"], json!(["2001-02"]));
    assert_eq!(reports.iter().map(|report| report["events_purged"].as_u64().unwrap()).sum::<u64>(), 1);
    assert_eq!((old.counted(&mut owner).await?, new.counted(&mut owner).await?), ((0, 2), (1, 1)));
    Ok(())
}

#[tokio::test]
async fn a_batch_under_way_is_waited_for_before_its_months_are_closed() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut owner, mut writer) = (Session::open(&database).await?, Session::open(&database).await?);
    let tenant = Tenant::found(&mut owner, "Acme").await?;
    writer.run("begin; set local role tally_ingest").await?;
    assert_eq!(accepted(&writer.ask(&tenant.batch(&[order(1, "2001-01-05Z")])).await?), 1);

    let busy = in_time("the batch", owner.maintain()).await?;
    assert_eq!((&busy["organizations_closed"], &busy["organizations_busy"]), (&json!(0), &json!(1)));
    assert_eq!(busy["again"], false);
    writer.run("commit").await?;
    assert_eq!(owner.maintain().await?["organizations_closed"], 1);

    owner.run("set role tally_ingest").await?;
    let late = owner.ask(&tenant.batch(&[order(1, "2001-01-05Z"), order(2, "2001-01-05Z")])).await?;
    let codes: Vec<_> =
        late["errors"].as_array().unwrap().iter().map(|error| (&error["index"], &error["code"])).collect();
    assert_eq!(codes, [(&json!(0), &json!("out_of_range")), (&json!(1), &json!("out_of_range"))]);
    owner.run("reset role").await?;
    assert_eq!(owner.maintain_all().await?[0]["months_dropped"], json!(["2001-01"]));
    assert_eq!(tenant.counted(&mut owner).await?, (0, 1));
    Ok(())
}

/// Senders repeat the same orders, old and new, while their months are closed, purged and dropped: what was ever accepted is
/// what the rollups count, and no order was accepted twice.
#[tokio::test]
async fn closing_and_purging_race_ingestion() -> Result<()> {
    let database = run().await?.new_database().await?;
    let mut owner = Session::open(&database).await?;
    let tenants = [Tenant::found(&mut owner, "Acme").await?, Tenant::found(&mut owner, "Bolt").await?];
    // One of them keeps all for now, so that the months of the other are purged row by row, too.
    owner
        .run(&format!("update public.organizations set plan_tier = 'enterprise' where id = '{}'", tenants[1].org))
        .await?;
    let orders: Vec<_> =
        (1..=6).flat_map(|month| (0..5).map(move |id| order(id, &format!("2001-0{month}-05Z")))).collect();
    let batch = |tenant: &Tenant, turn: usize| tenant.batch(&orders[turn % 25..][..5]);

    let senders = try_join_all((0..6).map(|_| Session::open(&database))).await?;
    let sending = senders.into_iter().enumerate().map(|(number, mut session)| {
        let tenant = number % 2;
        let batches: Vec<_> = (0..60).map(|turn| batch(&tenants[tenant], turn * 7 + number)).collect();
        async move {
            session.run("set role tally_ingest").await?;
            let mut sum = 0;
            for batch in batches {
                sum += accepted(&session.ask(&batch).await?);
            }
            Ok::<_, anyhow::Error>((tenant, sum))
        }
    });
    let maintaining = async {
        let mut reports = Vec::new();
        for turn in 0..30 {
            if turn == 15 {
                owner.run("update public.organizations set plan_tier = 'free'").await?;
            }
            reports.push(owner.maintain().await?);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, anyhow::Error>(reports)
    };
    let (sent, reports) = in_time("the race", async { tokio::try_join!(try_join_all(sending), maintaining) }).await?;

    let mut reports = [reports, owner.maintain_all().await?].concat();
    reports.retain(|report| report["organizations_closed"] != 0);
    ensure!(!reports.is_empty(), "nothing was closed");
    for (number, tenant) in tenants.iter().enumerate() {
        let ever_accepted = sent.iter().filter(|(of, _)| *of == number).map(|(_, sum)| sum).sum::<u64>();
        ensure!(ever_accepted <= orders.len() as u64, "{ever_accepted} accepted of {}", orders.len());
        assert_eq!(tenant.counted(&mut owner).await?, (0, ever_accepted));
    }
    assert_eq!(owner.ask("select to_regclass('partitions.metric_events_200101')").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_batch_under_way_leaves_nothing_of_a_deleted_store() -> Result<()> {
    let database = run().await?.new_database().await?;
    let (mut owner, mut writer) = (Session::open(&database).await?, Session::open(&database).await?);
    let tenant = Tenant::found(&mut owner, "Acme").await?;
    writer.run("begin; set local role tally_ingest").await?;
    let now = owner.ask("select now()::text").await?;
    let batch = tenant.batch(&[order(1, now.as_str().context("no time")?)]);
    assert_eq!(accepted(&writer.ask(&batch).await?), 1);

    // The store goes, with its organization, before the batch is committed.
    in_time("deleting", owner.run(&format!("delete from public.organizations where id = '{}'", tenant.org))).await?;
    let busy = in_time("the batch", owner.maintain()).await?;
    assert_eq!((&busy["organizations_busy"], &busy["stores_cleaned"]), (&json!(1), &json!(0)));
    writer.run("commit").await?;
    assert_eq!(tenant.counted(&mut owner).await?, (1, 1));

    let reports = owner.maintain_all().await?;
    assert_eq!(reports.iter().map(|report| report["stores_cleaned"].as_u64().unwrap()).sum::<u64>(), 1);
    assert_eq!(tenant.counted(&mut owner).await?, (0, 0));
    assert_eq!(owner.ask("select count(*) from app.deleted_stores").await?, 0);
    Ok(())
}
