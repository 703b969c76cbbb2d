//! How many events a plan has room for: in a minute, and in a month.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::events::{event, with};
use super::plans::put_on_plan;
use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant};

const EVENTS: &str = "/v1/events";
/// The least that a plan can have of a minute.
const MINUTE: usize = 5_000;

async fn send(bundle: &Bundle, tenant: &Tenant, path: &str, body: &Value) -> Answer {
    ask(post(bundle, path, &tenant.token, body)).await
}

/// Sends so many events that are no events, without keeping them.
async fn try_lines(bundle: &Bundle, tenant: &Tenant, count: usize) -> Answer {
    let request = bundle.client.post(bundle.url("/v1/events?dry_run=true")).bearer_auth(&tenant.token);
    ask(request.header("content-type", "application/x-ndjson").body("x\n".repeat(count))).await
}

/// What is left of each limit, and in how many seconds its next window begins, by `RateLimit`.
fn left(answer: &Answer) -> BTreeMap<String, (u64, u64)> {
    let text = answer.headers["ratelimit"].to_str().unwrap();
    let read = |limit: &str| {
        let (name, rest) = limit.strip_prefix('"').unwrap().split_once("\";r=").unwrap();
        let (left, seconds) = rest.split_once(";t=").unwrap();
        (name.to_owned(), (left.parse().unwrap(), seconds.parse().unwrap()))
    };
    text.split(", ").map(read).collect()
}

fn left_of(answer: &Answer, limit: &str) -> u64 {
    left(answer)[limit].0
}

/// Holds that a request was refused for a limit, and says the same of the time in both headers.
fn assert_limited(answer: &Answer, code: &str, limit: &str) {
    answer.problem(429, code);
    let (_, seconds) = left(answer)[limit];
    assert_eq!(answer.headers["retry-after"].to_str().unwrap(), seconds.to_string());
    assert!(seconds >= 1);
}

/// A number that the database works out.
async fn number(bundle: &Bundle, expression: &str) -> u64 {
    let query = AssertSqlSafe(format!("select ({expression})::bigint"));
    let number: i64 = sqlx::query_scalar(query).fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
    u64::try_from(number).unwrap()
}

/// Waits for the next minute, unless this one lasts: a test of what is left of it needs all of its requests in one.
async fn until_the_minute_lasts(bundle: &Bundle) {
    let seconds = number(bundle, "60 - floor(extract(second from now()))").await;
    if seconds < 25 {
        tokio::time::sleep(Duration::from_secs(seconds + 1)).await;
    }
}

/// Nothing is there that a request would store.
async fn assert_nothing_stored(bundle: &Bundle) {
    for table in ["metric_events", "metric_rollups", "quarantined_events", "event_changes"] {
        assert_eq!(bundle.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_minute_has_room_for_so_many_events() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let limits = format!("events_per_minute = {MINUTE}, events_per_month = null");
    put_on_plan(&bundle, &acme, "starter", &limits).await;
    put_on_plan(&bundle, &bolt, "starter", &limits).await;
    let deletion = json!({"events": [{"id": "1", "store_id": acme.store_id}, {"id": "2"}, [3]]});
    until_the_minute_lasts(&bundle).await;

    // Whatever becomes of them, and tried or not, events count; an empty request as one.
    let first = try_lines(&bundle, &acme, 4_000).await;
    assert_eq!(first.ok()["rejected"], 4_000);
    assert_eq!(first.headers["ratelimit-policy"], format!("\"minute\";q={MINUTE};qu=\"events\";w=60"));
    assert_eq!(left(&first).keys().collect::<Vec<_>>(), ["minute"]);
    assert_eq!(left_of(&first, "minute"), 1_000);
    assert!((1..=60).contains(&left(&first)["minute"].1));
    assert_eq!(left_of(&send(&bundle, &acme, EVENTS, &json!([])).await, "minute"), 999);
    assert_eq!(left_of(&send(&bundle, &acme, "/v1/events/delete", &deletion).await, "minute"), 996);

    // One too many, and nothing of it is stored; nor is it counted.
    let bad = with(event(&acme, "bad"), "metric", json!("nope"));
    let batch: Vec<Value> = (0..996).map(|index| event(&acme, &index.to_string())).chain([bad]).collect();
    let refused = send(&bundle, &acme, EVENTS, &json!(batch)).await;
    assert_limited(&refused, "rate-limited", "minute");
    assert_eq!(left_of(&refused, "minute"), 996);
    assert_nothing_stored(&bundle).await;
    assert_eq!(left_of(&try_lines(&bundle, &acme, 996).await, "minute"), 0);
    for (path, body) in [
        (EVENTS, event(&acme, "1")),
        (EVENTS, json!([])),
        ("/v1/events?dry_run=true", event(&acme, "1")),
        ("/v1/events/delete", deletion),
        ("/v1/events/quarantine/replay", json!({"all": true})),
    ] {
        let refused = send(&bundle, &acme, path, &body).await;
        assert_limited(&refused, "rate-limited", "minute");
        assert_eq!(left_of(&refused, "minute"), 0, "{path}");
    }
    // Reading and discarding is not sending, and nobody else is held up.
    let listed = bundle.client.get(bundle.url("/v1/events/quarantine")).bearer_auth(&acme.token);
    assert_eq!(ask(listed).await.ok()["held"], 0);
    assert_eq!(send(&bundle, &acme, "/v1/events/quarantine/discard", &json!({"all": true})).await.ok()["discarded"], 0);
    let other = send(&bundle, &bolt, EVENTS, &event(&bolt, "1")).await;
    assert_eq!((&other.ok()["accepted"], left_of(&other, "minute")), (&json!(1), 4_999));

    // In the next minute there is room again.
    bundle.execute("update app.ingest_usage set minute = minute - interval '1 minute'").await;
    let next = send(&bundle, &acme, EVENTS, &event(&acme, "1")).await;
    assert_eq!((&next.ok()["accepted"], left_of(&next, "minute")), (&json!(1), 4_999));
}

#[tokio::test]
async fn a_month_has_room_for_so_many_new_events() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    put_on_plan(&bundle, &acme, "starter", "events_per_minute = null, events_per_month = 3").await;
    put_on_plan(&bundle, &bolt, "enterprise", "events_per_minute = null, events_per_month = null").await;
    until_the_minute_lasts(&bundle).await;
    let batch = |count: usize| -> Value { (0..count).map(|index| event(&acme, &index.to_string())).collect() };
    let bad = with(event(&acme, "bad"), "metric", json!("nope"));

    // One too many, and nothing of it is stored.
    let mixed = json!([event(&acme, "0"), event(&acme, "1"), bad, event(&acme, "2"), event(&acme, "3")]);
    for path in [EVENTS, "/v1/events?dry_run=true"] {
        let refused = send(&bundle, &acme, path, &mixed).await;
        assert_limited(&refused, "volume-exceeded", "month");
        assert_eq!(left_of(&refused, "month"), 3);
        assert_nothing_stored(&bundle).await;
    }
    let full = send(&bundle, &acme, EVENTS, &batch(3)).await;
    assert_eq!((&full.ok()["accepted"], left_of(&full, "month")), (&json!(3), 0));
    let month = "extract(epoch from date_trunc('month', now() at time zone 'UTC') + interval '1 month'";
    let window = number(&bundle, &format!("{month} - date_trunc('month', now() at time zone 'UTC'))")).await;
    assert_eq!(full.headers["ratelimit-policy"], format!("\"month\";q=3;qu=\"events\";w={window}"));
    let ends_in = number(&bundle, &format!("{month} - now() at time zone 'UTC')")).await;
    let told = left(&full)["month"].1;
    assert!((ends_in..=ends_in + 60).contains(&told), "{told} {ends_in}");

    // What is no new event goes on: the batch again, another value, what is rejected, a deletion.
    assert_eq!(send(&bundle, &acme, EVENTS, &batch(3)).await.ok()["duplicates"], 3);
    let restated = with(event(&acme, "0"), "value", json!("1"));
    let again = json!([restated, event(&acme, "1"), bad]);
    let receipt = send(&bundle, &acme, "/v1/events?on_conflict=replace", &again).await.ok();
    assert_eq!([&receipt["replaced"], &receipt["duplicates"], &receipt["quarantined"]], [1, 1, 1]);
    let deletion = json!({"events": [{"id": "2", "store_id": acme.store_id, "source": "shopify"}]});
    let deleted = send(&bundle, &acme, "/v1/events/delete", &deletion).await;
    assert_eq!((&deleted.ok()["deleted"], left_of(&deleted, "month")), (&json!(1), 0));
    // What was taken stays counted.
    for path in [EVENTS, "/v1/events?on_conflict=replace", "/v1/events?dry_run=true"] {
        let refused = send(&bundle, &acme, path, &event(&acme, "2")).await;
        assert_limited(&refused, "volume-exceeded", "month");
        assert_eq!(left_of(&refused, "month"), 0);
    }
    // A replay that would count waits for the next month, and is not lost.
    let define = format!(
        "insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category)
         values ('{}', 'nope', 'Nope', 'count', 'sum', 'test')",
        acme.org_id
    );
    bundle.execute(AssertSqlSafe(define)).await;
    let (replay, all) = ("/v1/events/quarantine/replay", json!({"all": true}));
    assert_limited(&send(&bundle, &acme, replay, &all).await, "volume-exceeded", "month");
    assert_eq!((bundle.count("quarantined_events").await, bundle.count("metric_events").await), (1, 2));

    // Somebody else is not held up, and is told of no limit where there is none.
    let other = send(&bundle, &bolt, EVENTS, &event(&bolt, "1")).await;
    assert_eq!(other.ok()["accepted"], 1);
    for header in ["ratelimit", "ratelimit-policy", "retry-after"] {
        assert!(!other.headers.contains_key(header), "{header}");
    }
    bundle.execute("update app.ingest_usage set month = (month - interval '1 month')::date").await;
    let next = send(&bundle, &acme, replay, &all).await;
    assert_eq!((&next.ok()["accepted"], left_of(&next, "month")), (&json!(1), 2));
}

#[tokio::test]
async fn both_limits_are_told_and_the_minute_is_asked_first() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    put_on_plan(&bundle, &acme, "growth", &format!("events_per_minute = {MINUTE}, events_per_month = 1")).await;
    until_the_minute_lasts(&bundle).await;
    let tried = try_lines(&bundle, &acme, MINUTE - 2).await;
    let limits: Vec<(String, u64)> = left(&tried).into_iter().map(|(name, (left, _))| (name, left)).collect();
    assert_eq!(limits, [("minute".to_owned(), 2), ("month".to_owned(), 1)]);
    let policy = tried.headers["ratelimit-policy"].to_str().unwrap();
    assert!(policy.starts_with("\"minute\";q=5000;qu=\"events\";w=60, \"month\";q=1;qu=\"events\";w="), "{policy}");
    // Refused for the month, it counts for the minute: the work was done.
    let two = json!([event(&acme, "1"), event(&acme, "2")]);
    let refused = send(&bundle, &acme, EVENTS, &two).await;
    assert_limited(&refused, "volume-exceeded", "month");
    assert_eq!((left_of(&refused, "minute"), left_of(&refused, "month")), (0, 1));
    assert_limited(&send(&bundle, &acme, EVENTS, &two).await, "rate-limited", "minute");
    assert_nothing_stored(&bundle).await;
}
