//! Rollups are rebuilt when the dimensions of a metric change, and equal the events before, meanwhile as far as they are kept, and
//! after, whatever is written while they are.

use futures::future::join_all;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tally_core::statements::DELETE_EVENTS;

use super::rollups::{Batch, Event, METRICS, Organization, Space, ZONES, writer};
use crate::harness::{Database, Random, run, until_waiting};

const HISTORIES: usize = 12;
const WRITERS: usize = 3;
const DIMENSIONS: [&str; 5] =
    ["[]", r#"["channel"]"#, r#"["kind"]"#, r#"["channel", "kind"]"#, r#"["note", "channel"]"#];
/// On both sides of where a month of UTC begins, of which each zone has a day with hours of both.
const TURN_OF_THE_MONTH: [&str; 7] = [
    "2026-01-31T04:59:59Z",
    "2026-01-31T10:15:00Z",
    "2026-01-31T19:00:00Z",
    "2026-01-31T23:59:59.999999Z",
    "2026-02-01T00:00:00Z",
    "2026-02-01T04:30:00Z",
    "2026-02-01T12:00:00Z",
];
/// The parts of each bucket, whatever it is split by; of 2 and 2.00 either may be the greatest.
const BUCKETS: &str = "
    select concat_ws(' ', store_id, metric_key, grain, extract(epoch from bucket_start), currency, sum(count),
      trim_scale(sum(sum)), trim_scale(min(min)), trim_scale(max(max)), extract(epoch from max(last_at)),
      trim_scale((max(array[extract(epoch from last_at), last]))[2]))
    from public.metric_rollups where org_id = $1
    group by store_id, metric_key, grain, bucket_start, currency order by 1";

/// Whoever keeps the database in order, and changes definitions.
struct Owner(PgConnection);

impl Owner {
    /// Plans keep every month, so that only a test closes any.
    async fn of(database: &Database) -> Self {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let keep =
            "update app.plan_limits set events_retention_months = null where events_retention_months is not null";
        sqlx::query(keep).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn text(&mut self, query: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut self.0).await.unwrap()
    }

    async fn define(&mut self, org: &Organization, metric: &str, dimensions: &str) {
        let change =
            "update public.metric_definitions set metadata = jsonb_build_object('rollup_dimensions', $3::jsonb)
                      where org_id = $1 and key = $2";
        sqlx::query(change).bind(org.id).bind(metric).bind(dimensions).execute(&mut self.0).await.unwrap();
    }

    /// How many rebuilds of metrics there are to come.
    async fn pending(&mut self) -> usize {
        self.text("select count(*)::text from app.rollup_rebuilds").await.parse().unwrap()
    }

    /// Rebuilds, and leaves everything else undone: the events of closed months stay, to compare with.
    async fn rebuild(&mut self) {
        const MOST_PIECES: usize = 100;
        for _ in 0..MOST_PIECES {
            self.text("select app.rebuild_rollups(1000, 1000000)::text").await;
            if self.pending().await == 0 {
                return;
            }
        }
        panic!("it is not done after {MOST_PIECES} pieces");
    }

    /// Rebuilds a piece or two, of a few events each.
    async fn rebuild_some(&mut self, events: usize) {
        self.text(&format!("select app.rebuild_rollups(2, {events})::text")).await;
    }

    /// Does all that there is to do; answers how many metrics were rebuilt.
    async fn maintain(&mut self) -> u64 {
        let mut rebuilt = 0;
        loop {
            let report: Value = serde_json::from_str(&self.text("select app.maintain()::text").await).unwrap();
            rebuilt += report["rollups_rebuilt"].as_u64().unwrap();
            if report["again"] == false {
                return rebuilt;
            }
        }
    }
}

/// Deletes events by store and id, as the function does.
async fn delete(connection: &mut PgConnection, org: &Organization, events: &[Event]) -> Result<(), sqlx::Error> {
    let query = sqlx::query(DELETE_EVENTS.text())
        .bind(&org.authority)
        .bind(events.iter().map(|event| event.store.as_str()).collect::<Vec<_>>())
        .bind(vec!["test"; events.len()])
        .bind(events.iter().map(|event| event.id.as_str()).collect::<Vec<_>>())
        .bind(vec![None::<String>; events.len()])
        .bind(0_i64)
        .bind(false);
    query.execute(connection).await.map(drop)
}

/// Sends batches, and takes a part of what it sent back.
async fn write(connection: &mut PgConnection, org: &Organization, space: &Space, random: &mut Random) {
    for _ in 0..=random.below(8) {
        let batch = space.batch(random);
        batch.send(org, connection).await.unwrap();
        if random.below(3) == 0 {
            let taken = random.below(batch.events.len() + 1);
            delete(connection, org, &batch.events[..taken]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn rollups_equal_the_events_after_any_change_of_dimensions() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let mut owner = Owner::of(&database).await;
    let mut writers = join_all((0..WRITERS).map(|_| writer(&database))).await;
    let mut rebuilt = 0;
    for history in 0..HISTORIES {
        let org = Organization::found(&database).await;
        let seed = seed_of(history);
        let mut random = Random::new(seed);
        let space = Space::of(&org, &mut random);
        let mut randoms: Vec<Random> = (0..WRITERS).map(|_| Random::new(random.number())).collect();
        let writing = async {
            let each = writers.iter_mut().zip(&mut randoms);
            join_all(each.map(|(connection, random)| write(connection, &org, &space, random))).await;
        };
        let changing = async {
            let mut rebuilt = 0;
            for _ in 0..20 {
                let (metric, _, _, _) = *random.pick(&METRICS);
                match random.below(6) {
                    0 => rebuilt += owner.maintain().await,
                    1..=3 => owner.rebuild_some(1 + random.below(6)).await,
                    _ => owner.define(&org, metric, DIMENSIONS[random.below(DIMENSIONS.len())]).await,
                }
            }
            rebuilt
        };
        let ((), at_once) = tokio::join!(writing, changing);
        rebuilt += at_once + owner.maintain().await;
        assert_eq!(owner.pending().await, 0);
        assert_eq!(org.difference(&database).await, Vec::<String>::new(), "TALLY_SEED={seed}");

        // And they are kept by the new dimensions from now on.
        write(&mut writers[0], &org, &space, &mut random).await;
        assert_eq!(org.difference(&database).await, Vec::<String>::new(), "TALLY_SEED={seed}");
    }
    assert!(rebuilt > 0);
}

/// Every history has a seed of its own, the same each time; what the timing of the writers makes of it differs.
fn seed_of(history: usize) -> u64 {
    20_261_125 + history as u64
}

#[tokio::test]
async fn what_is_written_meanwhile_waits_for_the_rebuild() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let send = |on_conflict: &'static str, events: &[(&str, &str)]| {
        let event = |(id, value): &(&str, &str)| Event {
            dimensions: r#"{"channel": "web", "kind": 1}"#,
            ..Event::new(&org.stores[0], id, "t_max", value)
        };
        Batch { on_conflict, events: events.iter().map(event).collect() }
    };
    send("ignore", &[("a", "8"), ("b", "4")]).send(&org, &mut connection).await.unwrap();
    assert_eq!(org.difference(&database).await, Vec::<String>::new());

    owner.define(&org, "t_max", r#"["kind"]"#).await;
    assert_eq!(owner.pending().await, 1);
    let before = org.texts(&database, BUCKETS).await;
    send("ignore", &[("c", "16")]).send(&org, &mut connection).await.unwrap();
    send("replace", &[("a", "2")]).send(&org, &mut connection).await.unwrap();
    delete(&mut connection, &org, &send("ignore", &[("b", "")]).events).await.unwrap();
    assert_eq!(org.texts(&database, BUCKETS).await, before, "as they were left");
    let other = Event::new(&org.stores[1], "other", "t_max", "1");
    Batch { on_conflict: "ignore", events: vec![other] }.send(&org, &mut connection).await.unwrap();
    assert_eq!(org.texts(&database, BUCKETS).await.len(), before.len() + 2, "another store's are kept as always");

    // It is changed again before anybody came to it.
    owner.define(&org, "t_max", r#"["channel", "kind"]"#).await;
    assert_eq!(owner.maintain().await, 2);
    assert_eq!(org.difference(&database).await, Vec::<String>::new());
    let kept = org
        .texts(
            &database,
            "select distinct (dimensions || jsonb_build_object('count', count))::text from metric_rollups
            where org_id = $1 and store_id = (select id from stores where org_id = $1 and name = 'America/New_York')",
        )
        .await;
    assert_eq!(kept, [r#"{"kind": 1, "count": 2, "channel": "web"}"#]);
}

/// A day at a time: what is rebuilt is kept from then on, what is not yet waits; a change of the zone begins anew.
#[tokio::test]
async fn a_rebuild_goes_piece_by_piece() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let times = ["2026-10-05T10:00:00Z", "2026-10-06T10:00:00Z", "2026-10-07T10:00:00Z"];
    let batch = |value: &str| Batch {
        on_conflict: "replace",
        events: times
            .map(|recorded_at| Event {
                recorded_at,
                dimensions: r#"{"channel": "web", "kind": 1}"#,
                ..Event::new(&org.stores[0], "a", "t_max", value)
            })
            .into(),
    };
    batch("1").send(&org, &mut connection).await.unwrap();
    let by_kind = "select count(*)::text from metric_rollups where org_id = $1 and dimensions ? 'kind'";
    let kept = "select count(*)::text from metric_rollups where org_id = $1 and dimensions ? 'kind' and max = 2";
    owner.define(&org, "t_max", r#"["kind"]"#).await;
    for (days, value) in [(1, "2"), (2, "2")] {
        owner.rebuild_some(1).await;
        assert_eq!(org.texts(&database, by_kind).await, [(2 * days).to_string()], "a quarter hour and a day each");
        batch(value).send(&org, &mut connection).await.unwrap();
        assert_eq!(org.texts(&database, kept).await, [(2 * days).to_string()]);
    }
    let zone =
        "update stores set timezone = 'Asia/Kathmandu' where org_id = $1 and name = 'America/New_York' returning ''";
    org.texts(&database, zone).await;
    for _ in times {
        assert_eq!(owner.pending().await, 1);
        owner.rebuild_some(1).await;
    }
    assert_eq!(owner.pending().await, 0);
    assert_eq!(org.difference(&database).await, Vec::<String>::new());
}

/// Who is rebuilding has the organization's lock, and who changes the definition waits for it and asks anew.
/// In Chita 26 October 2014 began at 14:00Z, and was there again at 16:00Z.
#[tokio::test]
async fn a_day_that_begins_twice_is_rebuilt_as_a_whole() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let chita = ZONES.iter().position(|zone| *zone == "Asia/Chita").unwrap();
    let events = ["2014-10-25T05:00:00Z", "2014-10-25T14:30:00Z", "2014-10-25T20:00:00Z"]
        .map(|recorded_at| Event {
            recorded_at,
            dimensions: r#"{"channel": "web", "kind": 1}"#,
            ..Event::new(&org.stores[chita], recorded_at, "t_max", "1")
        })
        .into();
    Batch { on_conflict: "ignore", events }.send(&org, &mut connection).await.unwrap();
    owner.define(&org, "t_max", r#"["kind"]"#).await;
    for pending in [1, 1, 0] {
        owner.rebuild_some(1).await;
        assert_eq!(owner.pending().await, pending);
    }
    assert_eq!(org.difference(&database).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_change_during_a_rebuild_is_not_lost() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let event = Event { dimensions: r#"{"channel": "web"}"#, ..Event::new(&org.stores[0], "a", "t_max", "1") };
    let batch = Batch { on_conflict: "ignore", events: vec![event] };
    batch.send(&org, &mut connection).await.unwrap();
    owner.define(&org, "t_max", "[]").await;

    let mut rebuilder = Owner::of(&database).await;
    let mut transaction = rebuilder.0.begin().await.unwrap();
    sqlx::query("select app.rebuild_rollups(10, 10)").execute(&mut *transaction).await.unwrap();
    let commit = async {
        until_waiting(&database.url, 2).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let late = Event { dimensions: r#"{"kind": 1}"#, ..Event::new(&org.stores[0], "b", "t_max", "2") };
    let late = Batch { on_conflict: "ignore", events: vec![late] };
    let (receipt, (), ()) =
        tokio::join!(late.send(&org, &mut connection), owner.define(&org, "t_max", r#"["kind"]"#), commit);
    receipt.unwrap();
    assert_eq!(owner.pending().await, 1);
    assert_eq!(owner.maintain().await, 1);
    assert_eq!(org.difference(&database).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_organization_with_a_batch_under_way_is_left_out() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let (busy, idle) = (Organization::found(&database).await, Organization::found(&database).await);
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let batch = |org: &Organization, id: &str| Batch {
        on_conflict: "ignore",
        events: vec![Event::new(&org.stores[0], id, "t_max", "1")],
    };
    for org in [&busy, &idle] {
        batch(org, "a").send(org, &mut connection).await.unwrap();
        owner.define(org, "t_max", "[]").await;
    }
    let mut open = connection.begin().await.unwrap();
    batch(&busy, "b").send(&busy, &mut open).await.unwrap();
    let report: Value = serde_json::from_str(&owner.text("select app.maintain()::text").await).unwrap();
    assert_eq!((&report["rollups_rebuilt"], &report["rollups_busy"]), (&1.into(), &1.into()), "{report}");
    // It waits for one that is the only one, but not for long.
    let report: Value = serde_json::from_str(&owner.text("select app.maintain()::text").await).unwrap();
    assert_eq!((&report["rollups_rebuilt"], &report["rollups_busy"]), (&0.into(), &1.into()), "{report}");
    assert_eq!(report["again"], false, "{report}");
    open.commit().await.unwrap();
    assert_eq!(owner.maintain().await, 1);
    for org in [&busy, &idle] {
        assert_eq!(org.difference(&database).await, Vec::<String>::new());
    }
}

/// Of closed months the rollups are all that there is: they lose dimensions and nothing else.
#[tokio::test]
async fn closed_months_keep_what_is_in_them() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let mut owner = Owner::of(&database).await;
    let mut connection = writer(&database).await;
    for history in 0..HISTORIES {
        let org = Organization::found(&database).await;
        let seed = seed_of(history);
        let mut random = Random::new(seed);
        let space = Space {
            stores: org.stores.clone(),
            ids: 400,
            times: TURN_OF_THE_MONTH.to_vec(),
            ..Space::of(&org, &mut random)
        };
        for (metric, _, _, _) in METRICS {
            owner.define(&org, metric, r#"["channel", "kind", "note"]"#).await;
        }
        for _ in 0..20 {
            space.batch(&mut random).send(&org, &mut connection).await.unwrap();
        }
        assert_eq!(org.difference(&database).await, Vec::<String>::new());
        let close = "insert into app.retention (org_id, closed_before) values ($1, '2026-02-01Z') returning ''";
        org.texts(&database, close).await;

        // What the rollups say of fewer dimensions is what the events would.
        for (metric, _, _, _) in METRICS {
            owner.define(&org, metric, DIMENSIONS[random.below(DIMENSIONS.len())]).await;
        }
        owner.rebuild().await;
        assert_eq!(owner.pending().await, 0);
        assert_eq!(org.difference(&database).await, Vec::<String>::new(), "seed {seed}");

        // And what they do not say any more, nobody makes up.
        let purge = "delete from public.metric_events where org_id = $1 and recorded_at < '2026-02-01Z' returning ''";
        org.texts(&database, purge).await;
        let before = org.texts(&database, BUCKETS).await;
        for _ in 0..3 {
            for (metric, _, _, _) in METRICS {
                owner.define(&org, metric, DIMENSIONS[random.below(DIMENSIONS.len())]).await;
            }
            owner.rebuild().await;
            assert_eq!(org.texts(&database, BUCKETS).await, before, "seed {seed}");
        }
    }
    let days = "select count(distinct timezone)::text from public.stores s join public.metric_rollups r
                on r.store_id = s.id where r.grain = 'day'";
    assert_eq!(owner.text(days).await, ZONES.len().to_string());
}

/// Closed months are gone through one by one, and what is not of the store's own day is not lost between them and the open ones.
#[tokio::test]
async fn closed_months_are_rebuilt_one_by_one() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let times = ["2025-11-05T10:00:00Z", "2026-01-07T10:00:00Z", "2026-01-31T23:00:00Z", "2026-02-01T03:00:00Z"];
    let events = times
        .map(|recorded_at| Event {
            recorded_at,
            dimensions: r#"{"channel": "web", "kind": 1}"#,
            ..Event::new(&org.stores[0], recorded_at, "t_max", "1")
        })
        .into();
    owner.define(&org, "t_max", r#"["channel", "kind"]"#).await;
    owner.rebuild().await;
    Batch { on_conflict: "ignore", events }.send(&org, &mut connection).await.unwrap();
    let close = "insert into app.retention (org_id, closed_before) values ($1, '2026-02-01Z') returning ''";
    org.texts(&database, close).await;
    owner.define(&org, "t_max", r#"["kind"]"#).await;
    let rebuilt = "select (rebuilt_before at time zone 'UTC')::text from app.rollup_rebuilds where org_id = $1";
    for until in ["2025-12-01 00:00:00", "2026-01-31 23:59:59.999999"] {
        owner.rebuild_some(1).await;
        assert_eq!(org.texts(&database, rebuilt).await, [until]);
    }
    owner.rebuild().await;
    assert_eq!(org.difference(&database).await, Vec::<String>::new());
}

/// Months are not closed while their events are still needed.
#[tokio::test]
async fn no_month_is_closed_before_its_rollups_are_rebuilt() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let old = Event {
        recorded_at: "2001-01-15T10:00:00Z",
        dimensions: r#"{"kind": 1}"#,
        ..Event::new(&org.stores[0], "old", "t_max", "7")
    };
    Batch { on_conflict: "ignore", events: vec![old] }.send(&org, &mut connection).await.unwrap();
    owner.define(&org, "t_max", r#"["kind"]"#).await;
    let closed = format!("select app.close_organization('{}', '2002-01-01Z', false)::text", org.id);
    assert_eq!(owner.text(&closed).await, "false");
    assert_eq!(owner.maintain().await, 1);
    assert_eq!(owner.text(&closed).await, "true");
    let kept = org.texts(&database, "select distinct dimensions::text from metric_rollups where org_id = $1").await;
    assert_eq!(kept, [r#"{"kind": 1}"#]);
}

/// A batch reads a definition only when nobody can change it any more, a standard one too.
#[tokio::test]
async fn a_batch_goes_by_the_standard_definition_that_it_waited_for() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut owner, mut connection) = (Owner::of(&database).await, writer(&database).await);
    let event = |id: &str| Event {
        dimensions: r#"{"channel": "web", "kind": 1}"#,
        ..Event::new(&org.stores[0], id, "sessions", "1")
    };
    let batch = |id: &str| Batch { on_conflict: "ignore", events: vec![event(id)] };
    // The first changes it where there are no rollups yet, the second where there are.
    for (id, dimensions) in [("a", r#"["kind"]"#), ("b", r#"["channel"]"#)] {
        let mut catalogue = owner.0.begin().await.unwrap();
        let change =
            "update public.metric_definitions set metadata = jsonb_build_object('rollup_dimensions', $1::jsonb)
                      where org_id is null and key = 'sessions'";
        sqlx::query(change).bind(dimensions).execute(&mut *catalogue).await.unwrap();
        let batch = batch(id);
        let commit = async {
            until_waiting(&database.url, 1).await.unwrap();
            catalogue.commit().await.unwrap();
        };
        let (receipt, ()) = tokio::join!(batch.send(&org, &mut connection), commit);
        receipt.unwrap();
        owner.maintain().await;
        assert_eq!(org.difference(&database).await, Vec::<String>::new(), "{dimensions}");
    }
}
