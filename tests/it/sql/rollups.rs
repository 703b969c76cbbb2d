//! Rollups equal the sums of the events, whatever came in which order from how many writers at once.
//!
//! Random histories: several connections send small batches of the same few events, new, again and restated. Afterwards all
//! rollups are compared with what plain SQL makes of the events. A history that fails is named by its seed; `TALLY_SEED`
//! tries that one first. What the writers' timing made of it may differ.

use std::env;
use std::io::{Write as _, stderr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::harness::{Database, Random, rollup_difference, run, until_waiting};

/// How long histories are tried, and how many at least and at most.
const TIME: Duration = Duration::from_secs(12);
const HISTORIES: RangeInclusive<usize> = 8..=100;
const WRITERS: usize = 4;

/// Zones whose days are made differently: with summer time, at midnight and not, at an offset of 45 minutes, and with days
/// that once began within a quarter hour, and with a clock that was put back by two hours.
pub(crate) const ZONES: [&str; 7] = [
    "America/New_York",
    "America/Havana",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "America/St_Johns",
    "Africa/Monrovia",
    "Asia/Chita",
];
pub(crate) const METRICS: [(&str, &str, &str, &str); 6] = [
    ("t_sum", "currency", "sum", r#"["channel"]"#),
    ("t_count", "count", "count", "[]"),
    ("t_avg", "count", "avg", r#"["channel", "kind"]"#),
    ("t_min", "currency", "min", r#"["kind"]"#),
    ("t_max", "count", "max", r#"["channel"]"#),
    ("t_last", "count", "last", r#"["channel"]"#),
];
/// Instants where days, months and offsets change; a history keeps to one or two of these.
const TIMES: [&[&str]; 8] = [
    &[
        "2025-11-02T03:59:59.999999Z",
        "2025-11-02T04:00:00Z", // the day begins in New York and Havana
        "2025-11-02T04:59:59Z",
        "2025-11-02T05:30:00Z", // after midnight for the second time in Havana
        "2025-11-02T06:10:00Z",
        "2025-11-03T04:30:00Z", // the 25th hour of the day
        "2025-11-03T05:00:00Z",
    ],
    &[
        "2026-03-08T05:00:00Z", // 00:00 is 01:00 in Havana
        "2026-03-08T06:59:59.999999Z",
        "2026-03-08T07:00:00Z", // 02:00 is 03:00 in New York
        "2026-03-09T03:59:59.999999Z",
        "2026-03-09T04:30:00Z", // the next day, after 23 hours
    ],
    &[
        "2026-04-04T10:14:59Z",
        "2026-04-04T10:15:00Z", // the day begins in Chatham
        "2026-04-04T14:45:00Z", // 03:45 is 02:45
        "2026-04-05T11:00:00Z", // the 25th hour
        "2026-04-05T11:15:00Z",
    ],
    &["2026-01-31T23:59:59.999999Z", "2026-02-01T00:00:00Z", "2026-02-01T04:59:59Z", "1999-12-31T23:59:59Z"],
    &["2026-05-05T18:14:59Z", "2026-05-05T18:15:00Z", "2026-05-06T18:14:59.999999Z"], // days of Kathmandu
    &[
        "2010-11-07T02:29:59Z",
        "2010-11-07T02:30:30Z", // the day has begun in St John's
        "2010-11-07T02:31:30Z", // 00:01 was 23:01 of the day before
        "2010-11-07T02:44:59Z",
        "2010-11-07T03:30:00Z", // the day begins again
    ],
    &["1971-06-01T00:30:00Z", "1971-06-01T00:44:29Z", "1971-06-01T00:44:30Z", "1971-06-01T00:44:59Z"], // days of Monrovia
    &[
        "2014-10-25T13:59:59.999999Z",
        "2014-10-25T14:00:00Z", // the day begins in Chita
        "2014-10-25T15:30:00Z", // 01:30, which comes again
        "2014-10-25T16:00:00Z", // after midnight for the second time
        "2014-10-26T15:59:59Z", // the 26th hour
    ],
];

#[tokio::test]
async fn rollups_equal_the_events_after_any_history() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let end = Instant::now() + TIME;
    let mut random = Random::new(Uuid::new_v4().as_u64_pair().0);
    let mut seed = env::var("TALLY_SEED").ok().map_or_else(|| random.number(), |text| text.parse().unwrap());
    let mut writers = join_all((0..WRITERS).map(|_| writer(&database))).await;
    let (mut histories, mut totals) = (0, Receipt::default());
    while histories < *HISTORIES.start() || histories < *HISTORIES.end() && Instant::now() < end {
        let org = Organization::found(&database).await;
        let receipts = history(&mut writers, &org, &mut Random::new(seed)).await;
        let receipts = receipts.unwrap_or_else(|error| panic!("TALLY_SEED={seed}: {error}"));
        assert_eq!(org.difference(&database).await, Vec::<String>::new(), "TALLY_SEED={seed}");
        assert_eq!(receipts.accepted, org.events(&database).await, "TALLY_SEED={seed}");
        totals.add(&receipts);
        histories += 1;
        seed = random.number();
    }
    // Past the capture of output: whoever runs the tests should see how much was tried.
    writeln!(stderr(), "rollups: {histories} histories, {totals:?}").unwrap();
    assert!(totals.accepted > 0 && totals.replaced > 0 && totals.duplicates > 0, "{totals:?}");
}

/// Lets all writers send their batches at once.
async fn history(
    writers: &mut [PgConnection],
    org: &Organization,
    random: &mut Random,
) -> Result<Receipt, sqlx::Error> {
    let space = Space::of(org, random);
    let sending = writers.iter_mut().map(|writer| {
        let batches: Vec<Batch> = (0..=random.below(12)).map(|_| space.batch(random)).collect();
        async move {
            let mut receipts = Receipt::default();
            for batch in batches {
                receipts.add(&batch.send(org, writer).await?);
            }
            Ok::<_, sqlx::Error>(receipts)
        }
    });
    let mut receipts = Receipt::default();
    for of_one in join_all(sending).await {
        receipts.add(&of_one?);
    }
    Ok(receipts)
}

#[tokio::test]
async fn of_two_restatements_at_once_one_counts_as_a_whole() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut one, mut two) = (writer(&database).await, writer(&database).await);
    let ids: Vec<String> = (0..100).map(|index| format!("order-{index}")).collect();
    let batch = |value: &str, reversed: bool| {
        let mut events: Vec<Event> = ids.iter().map(|id| Event::new(&org.stores[0], id, "t_max", value)).collect();
        if reversed {
            events.reverse();
        }
        Batch { on_conflict: "replace", events }
    };
    batch("0", false).send(&org, &mut one).await.unwrap();
    for turn in 1..20 {
        let (first, second) = (batch(&turn.to_string(), false), batch(&format!("-{turn}"), true));
        let (first, second) = futures::join!(first.send(&org, &mut one), second.send(&org, &mut two));
        assert_eq!((first.unwrap().replaced, second.unwrap().replaced), (100, 100));
        let values: Vec<String> =
            org.texts(&database, "select distinct value::text from metric_events where org_id = $1").await;
        assert!(values == [turn.to_string()] || values == [format!("-{turn}")], "{values:?}");
        assert_eq!(org.difference(&database).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_restatement_wins_over_the_event_it_races_with() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let (mut one, mut two) = (writer(&database).await, writer(&database).await);
    for turn in 0..30 {
        let batch = |on_conflict: &'static str, value: &str| {
            let event = |index| Event::new(&org.stores[1], &format!("{turn}-{index}"), "t_last", value);
            Batch { on_conflict, events: (0..20).map(event).collect() }
        };
        let (plain, restated) = (batch("ignore", "1"), batch("replace", "2"));
        let (plain, restated) = futures::join!(plain.send(&org, &mut one), restated.send(&org, &mut two));
        assert_eq!(plain.unwrap().accepted + restated.unwrap().accepted, 20);
        let values = org.texts(&database, "select distinct value::text from metric_events where org_id = $1").await;
        assert_eq!(values, ["2"]);
        assert_eq!(org.difference(&database).await, Vec::<String>::new());
    }
}

/// The greatest of a bucket is taken away while another writer has not committed yet what it added, or what it took.
#[tokio::test]
async fn who_waits_for_a_rollup_sees_what_the_other_made_of_it() {
    let database = run().await.unwrap().new_database().await.unwrap();
    let org = Organization::found(&database).await;
    let send = |on_conflict: &'static str, events: &[(&str, &str)]| {
        let event = |(id, value): &(&str, &str)| Event::new(&org.stores[2], id, "t_max", value);
        Batch { on_conflict, events: events.iter().map(event).collect() }
    };
    for (first, second, max) in [
        (send("ignore", &[("new", "10")]), send("replace", &[("high", "1")]), "10"),
        (send("replace", &[("high", "1")]), send("ignore", &[("new", "5")]), "5"),
        (send("replace", &[("high", "1")]), send("replace", &[("low", "0"), ("middle", "2")]), "2"),
        (send("replace", &[("high", "1"), ("low", "1"), ("middle", "1")]), send("replace", &[("high", "3")]), "3"),
    ] {
        org.clear(&database).await;
        let (mut one, mut two) = (writer(&database).await, writer(&database).await);
        send("ignore", &[("low", "1"), ("middle", "4"), ("high", "8")]).send(&org, &mut one).await.unwrap();
        let mut open = one.begin().await.unwrap();
        first.send(&org, &mut open).await.unwrap();
        let commit = async {
            until_waiting(&database.url, 1).await.unwrap();
            open.commit().await.unwrap();
        };
        let (_, second) = futures::join!(commit, second.send(&org, &mut two));
        second.unwrap();
        assert_eq!(org.difference(&database).await, Vec::<String>::new());
        let kept = org.texts(&database, "select distinct max::text from metric_rollups where org_id = $1").await;
        assert_eq!(kept, [max]);
    }
}

pub(super) async fn writer(database: &Database) -> PgConnection {
    let secrets = &run().await.unwrap().secrets;
    let variables = tally_host::roles::variables(&database.url, secrets).unwrap();
    PgConnection::connect(&variables["ingest_database_url"]).await.unwrap()
}

/// An organization with a store in each zone and a metric of each method.
pub(super) struct Organization {
    pub(super) id: Uuid,
    pub(super) stores: Vec<String>,
    pub(super) authority: String,
}

impl Organization {
    pub(super) async fn found(database: &Database) -> Self {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let (id, user) = (Uuid::new_v4(), Uuid::new_v4());
        let found = "
            with org as (insert into public.organizations (id, name, slug) values ($1, 'Acme', 'acme-' || $1) returning id),
            member as (insert into public.org_members (org_id, user_id, role) select id, $2, 'member' from org),
            workspace as (insert into public.workspaces (org_id, name, slug) select id, 'Main', 'main' from org returning org_id, id)
            insert into public.stores (org_id, workspace_id, name, timezone)
            select w.org_id, w.id, z.name, z.name from workspace w, unnest($3::text[]) as z(name) returning id::text";
        let query = sqlx::query_scalar(found).bind(id).bind(user).bind(ZONES.as_slice());
        let stores = query.fetch_all(&mut connection).await.unwrap();
        for (key, unit, method, dimensions) in METRICS {
            let define = "
                insert into public.metric_definitions
                  (org_id, key, display_name, unit, aggregation_method, category, metadata)
                values ($1, $2, $2, $3, $4, 'test', jsonb_build_object('rollup_dimensions', $5::jsonb))";
            let query = sqlx::query(define).bind(id).bind(key).bind(unit).bind(method).bind(dimensions);
            query.execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
        Self { id, stores, authority: json!({"sub": user, "org_id": id, "user_role": "member"}).to_string() }
    }

    pub(super) async fn texts(&self, database: &Database, query: &str) -> Vec<String> {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let found = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).bind(self.id).fetch_all(&mut connection).await;
        connection.close().await.unwrap();
        found.unwrap()
    }

    /// Rollups that are missing, wrong or too many.
    pub(super) async fn difference(&self, database: &Database) -> Vec<String> {
        rollup_difference(&database.url, self.id).await.unwrap()
    }

    async fn events(&self, database: &Database) -> u64 {
        let query = "select count(*)::text from public.metric_events where org_id = $1";
        self.texts(database, query).await[0].parse().unwrap()
    }

    async fn clear(&self, database: &Database) {
        for table in ["metric_events", "metric_rollups"] {
            self.texts(database, &format!("delete from public.{table} where org_id = $1 returning ''")).await;
        }
    }
}

/// What the events of a history are made of: few of everything, so that they meet.
pub(super) struct Space {
    pub(super) stores: Vec<String>,
    pub(super) ids: usize,
    pub(super) times: Vec<&'static str>,
    pub(super) metrics: usize,
    pub(super) most_events: usize,
    pub(super) replaced_in_100: usize,
}

impl Space {
    pub(super) fn of(org: &Organization, random: &mut Random) -> Self {
        let times = (0..=random.below(2)).flat_map(|_| random.pick(&TIMES).to_vec()).collect();
        Self {
            stores: (0..=random.below(3)).map(|_| random.pick(&org.stores).clone()).collect(),
            ids: 1 + random.below(12),
            times,
            metrics: 1 + random.below(METRICS.len()),
            most_events: 1 + random.below(25),
            replaced_in_100: random.below(101),
        }
    }

    pub(super) fn batch(&self, random: &mut Random) -> Batch {
        let values = ["-1.5", "0", "0.10", "1", "2", "2.00", "1000000000000000000000.000000000000000001"];
        let dimensions =
            ["{}", r#"{"channel": "web"}"#, r#"{"channel": "app", "kind": 1}"#, r#"{"kind": true, "note": "x"}"#];
        let on_conflict = if random.below(100) < self.replaced_in_100 { "replace" } else { "ignore" };
        let length = 1 + random.below(self.most_events);
        let event = |_| Event {
            store: random.pick(&self.stores).clone(),
            id: random.below(self.ids).to_string(),
            metric: METRICS[random.below(self.metrics)].0,
            value: (*random.pick(&values)).to_owned(),
            currency: *random.pick(&[None, Some("USD"), Some("EUR")]),
            recorded_at: self.times[random.below(self.times.len())],
            dimensions: dimensions[random.below(dimensions.len())],
        };
        Batch { on_conflict, events: (0..length).map(event).collect() }
    }
}

/// An event to be sent.
pub(super) struct Event {
    pub(super) store: String,
    pub(super) id: String,
    pub(super) metric: &'static str,
    pub(super) value: String,
    pub(super) currency: Option<&'static str>,
    pub(super) recorded_at: &'static str,
    pub(super) dimensions: &'static str,
}

impl Event {
    pub(super) fn new(store: &str, id: &str, metric: &'static str, value: &str) -> Self {
        let (store, id, value) = (store.to_owned(), id.to_owned(), value.to_owned());
        Self { store, id, metric, value, currency: None, recorded_at: "2026-10-05T10:00:00Z", dimensions: "{}" }
    }

    /// When it happened, since 1970.
    fn microseconds(&self) -> i64 {
        self.recorded_at.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }
}

/// Events to be sent together.
pub(super) struct Batch {
    pub(super) on_conflict: &'static str,
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Default)]
pub(super) struct Receipt {
    accepted: u64,
    duplicates: u64,
    replaced: u64,
}

impl Receipt {
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.replaced += other.replaced;
    }
}

impl Batch {
    /// Sends it as the function does, and holds that every event was taken somehow.
    pub(super) async fn send(&self, org: &Organization, connection: &mut PgConnection) -> Result<Receipt, sqlx::Error> {
        let column = |field: fn(&Event) -> &str| self.events.iter().map(field).collect::<Vec<_>>();
        let query = sqlx::query_scalar(tally_core::statements::INGEST_EVENTS.text())
            .bind(&org.authority)
            .bind(column(|event| &event.store))
            .bind(vec![None::<String>; self.events.len()])
            .bind(column(|_| "test"))
            .bind(column(|event| event.metric))
            .bind(self.events.iter().map(|event| event.currency).collect::<Vec<_>>())
            .bind(column(|event| event.dimensions))
            .bind((1..).take(self.events.len()).collect::<Vec<i32>>())
            .bind(column(|event| &event.id).join("\n"))
            .bind(column(|event| &event.value).join("\n"))
            .bind(self.events.iter().map(|event| event.microseconds()).collect::<Vec<_>>())
            .bind(Vec::<u8>::new())
            .bind(column(|_| "0").join("\n"))
            .bind("[]")
            .bind(self.on_conflict)
            .bind(false);
        let text: String = query.fetch_one(connection).await?;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let count = |field: &str| answer[field].as_u64().unwrap();
        assert_eq!(answer["errors"], json!([]));
        let receipt =
            Receipt { accepted: count("accepted"), duplicates: count("duplicates"), replaced: count("replaced") };
        assert_eq!(receipt.accepted + receipt.duplicates + receipt.replaced, self.events.len() as u64, "{text}");
        Ok(receipt)
    }
}
