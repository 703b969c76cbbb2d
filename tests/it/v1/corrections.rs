//! `POST /v1/events/delete` and `GET /v1/events/changes`: what was wrong is taken back, and it stays on record.

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::events::{event, with};
use super::pages::{list, pages};
use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant, rollup_difference};

const EVENTS: &str = "/v1/events";
const DELETE: &str = "/v1/events/delete";
const CHANGES: &str = "/v1/events/changes";

async fn send(bundle: &Bundle, credential: &str, path: &str, body: &Value) -> Value {
    ask(post(bundle, path, credential, body)).await.ok()
}

/// An entry of a deletion.
fn entry(tenant: &Tenant, id: &str) -> Value {
    json!({"id": id, "store_id": tenant.store_id, "source": "shopify"})
}

async fn delete(bundle: &Bundle, credential: &str, entries: &[Value]) -> Value {
    send(bundle, credential, DELETE, &json!({"events": entries})).await
}

/// The day's rollup of a metric: count, sum, min, max and last.
async fn day(bundle: &Bundle, metric: &str) -> Option<(i64, String, String, String, String)> {
    let query = "select count, sum::text, min::text, max::text, last::text from public.metric_rollups
                 where grain = 'day' and metric_key = $1";
    sqlx::query_as(query).bind(metric).fetch_optional(&mut bundle.database().await.unwrap()).await.unwrap()
}

/// Defines a metric of this method, by no dimensions.
async fn define(bundle: &Bundle, tenant: &Tenant, key: &str, method: &str) {
    let statement = format!(
        "insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
         values ('{}', '{key}', '{key}', 'count', '{method}', 'test', '{{\"rollup_dimensions\": []}}')",
        tenant.org_id
    );
    bundle.execute(AssertSqlSafe(statement)).await;
}

async fn assert_rollups_equal_events(bundle: &Bundle, tenant: &Tenant) {
    let org_id = Uuid::try_parse(&tenant.org_id).unwrap();
    let difference = rollup_difference(&bundle.database_url, org_id).await.unwrap();
    assert_eq!(difference, Vec::<String>::new());
}

#[tokio::test]
async fn rollups_forget_what_is_deleted() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define(&bundle, &acme, "level", "last").await;
    let at = |id: &str, minute: u32, value: &str| {
        let event = with(with(event(&acme, id), "metric", json!("level")), "value", json!(value));
        with(event, "recorded_at", json!(format!("2026-10-05T10:{minute:02}:00Z")))
    };
    let batch = json!([at("low", 0, "-3"), at("middle", 1, "4"), at("high", 16, "8"), at("late", 31, "5")]);
    assert_eq!(send(&bundle, &acme.token, EVENTS, &batch).await["accepted"], 4);
    let rollup = |count: i64, texts: [&str; 4]| {
        let [sum, min, max, last] = texts.map(str::to_owned);
        Some((count, sum, min, max, last))
    };
    assert_eq!(day(&bundle, "level").await, rollup(4, ["14", "-3", "8", "5"]));
    for (id, expected) in [
        ("late", rollup(3, ["9", "-3", "8", "8"])),
        ("low", rollup(2, ["12", "4", "8", "8"])),
        ("high", rollup(1, ["4", "4", "4", "4"])),
        ("middle", None),
    ] {
        let receipt = delete(&bundle, &acme.token, &[entry(&acme, id)]).await;
        assert_eq!(receipt, json!({"deleted": 1, "not_found": 0, "rejected": 0, "errors": []}), "{id}");
        assert_eq!(day(&bundle, "level").await, expected, "{id}");
        assert_rollups_equal_events(&bundle, &acme).await;
    }
    assert_eq!(bundle.count("metric_rollups").await, 0);
    // What was deleted can be sent anew.
    assert_eq!(send(&bundle, &acme.token, EVENTS, &batch).await["accepted"], 4);
    assert_eq!(day(&bundle, "level").await, rollup(4, ["14", "-3", "8", "5"]));
}

#[tokio::test]
async fn an_entry_names_one_event_or_all_of_an_id() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let key = acme.api_key(&bundle, &["events:write"], Some(&acme.store_id)).await.unwrap();
    let times = ["2026-08-01T00:00:00Z", "2026-09-01T00:00:00.000001Z", "2026-10-01T00:00:00Z"];
    let batch: Vec<Value> = times.iter().map(|at| with(event(&acme, "1"), "recorded_at", json!(at))).collect();
    let other = with(event(&acme, "1"), "source", json!("api"));
    let batch: Vec<Value> = batch.into_iter().chain([other]).collect();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(batch)).await["accepted"], 4);

    // Another organization's, and a time at which there was nothing.
    let receipt = delete(&bundle, &bolt.token, &[entry(&acme, "1")]).await;
    assert_eq!(receipt["errors"][0]["code"], "unknown_store");
    let nearly = with(entry(&acme, "1"), "recorded_at", json!("2026-09-01T00:00:00Z"));
    let receipt = delete(&bundle, &acme.token, &[nearly, entry(&acme, "2")]).await;
    assert_eq!((&receipt["deleted"], &receipt["not_found"]), (&json!(0), &json!(2)));
    // The same instant by another clock; the same twice counts once, and is found twice.
    let exactly = with(entry(&acme, "1"), "recorded_at", json!("2026-09-01T02:00:00.000001+02:00"));
    let dry = send(&bundle, &acme.token, "/v1/events/delete?dry_run=true", &json!({"events": [exactly]})).await;
    assert_eq!((&dry["deleted"], bundle.count("metric_events").await), (&json!(1), 4));
    let receipt = delete(&bundle, &acme.token, &[exactly.clone(), exactly]).await;
    assert_eq!((&receipt["deleted"], &receipt["not_found"]), (&json!(1), &json!(0)));
    // The store is the key's, the source `api`; without a time all are meant.
    assert_eq!(delete(&bundle, &key, &[json!({"id": "1"})]).await["deleted"], 1);
    assert_eq!(delete(&bundle, &acme.token, &[entry(&acme, "1")]).await["deleted"], 2);
    assert_eq!(bundle.count("metric_events").await, 0);
    assert_eq!(bundle.count("event_changes").await, 4);
}

#[tokio::test]
async fn an_entry_that_cannot_be_is_rejected_and_the_others_are_not() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &event(&acme, "1")).await["accepted"], 1);
    let entries = [
        json!({"id": ""}),
        with(entry(&acme, "time"), "recorded_at", json!("yesterday")),
        json!({"id": "no store"}),
        with(entry(&acme, "nowhere"), "store_id", json!(Uuid::new_v4())),
        json!([1]),
        entry(&acme, "1"),
        with(entry(&acme, "early"), "recorded_at", json!("1969-12-31T00:00:00Z")),
    ];
    let receipt = delete(&bundle, &acme.token, &entries).await;
    assert_eq!((&receipt["deleted"], &receipt["rejected"]), (&json!(1), &json!(6)));
    let errors = receipt["errors"].as_array().unwrap();
    let told: Vec<(u64, Option<&str>, &str)> = errors
        .iter()
        .map(|error| (error["index"].as_u64().unwrap(), error["id"].as_str(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (0, None, "invalid_event"),
            (1, Some("time"), "invalid_time"),
            (2, Some("no store"), "store_required"),
            (3, Some("nowhere"), "unknown_store"),
            (4, None, "invalid_event"),
            (6, Some("early"), "out_of_range"),
        ]
    );
    for body in [json!({}), json!([]), json!({"events": 1}), json!({"events": [], "all": true})] {
        ask(post(&bundle, DELETE, &acme.token, &body)).await.problem(400, "malformed-body");
    }
    for entries in [vec![], vec![entry(&acme, "1"); 1_001]] {
        ask(post(&bundle, DELETE, &acme.token, &json!({"events": entries}))).await.problem(422, "invalid-field");
    }
    assert_eq!(delete(&bundle, &acme.token, &vec![entry(&acme, "1"); 1_000]).await["not_found"], 1_000);
}

#[tokio::test]
async fn a_deletion_of_too_many_events_deletes_none() {
    const MOST: usize = 5_000;
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let at = |number: usize| format!("2026-10-05T{:02}:{:02}:{:02}Z", number / 3_600, number / 60 % 60, number % 60);
    let same: Vec<Value> = (0..MOST).map(|number| with(event(&acme, "1"), "recorded_at", json!(at(number)))).collect();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(same)).await["accepted"], MOST);
    let batch = json!([event(&acme, "2"), with(event(&acme, "2"), "recorded_at", json!(at(0)))]);
    assert_eq!(send(&bundle, &acme.token, EVENTS, &batch).await["accepted"], 2);

    let named = |id: &str, number: usize| with(entry(&acme, id), "recorded_at", json!(at(number)));
    let one_too_many = [vec![entry(&acme, "1"), entry(&acme, "2")], vec![named("2", 0), entry(&acme, "1")]];
    for entries in one_too_many {
        for path in [DELETE, "/v1/events/delete?dry_run=true"] {
            let refused = ask(post(&bundle, path, &acme.token, &json!({"events": entries}))).await;
            let detail = refused.problem(413, "too-many-events")["detail"].to_string();
            assert!(detail.contains("`recorded_at`") && detail.contains("5000"), "{detail}");
        }
    }
    assert_eq!((bundle.count("metric_events").await, bundle.count("event_changes").await), (5_002, 0));
    // What is named twice, or is not there, is not one more.
    let entries = [entry(&acme, "1"), entry(&acme, "1"), named("1", 7), named("2", 1), entry(&acme, "3")];
    let receipt = delete(&bundle, &acme.token, &entries).await;
    assert_eq!(receipt, json!({"deleted": MOST, "not_found": 2, "rejected": 0, "errors": []}));
    assert_eq!(delete(&bundle, &acme.token, &[named("2", 0)]).await["deleted"], 1);
    assert_eq!(bundle.count("metric_events").await, 1);
}

#[tokio::test]
async fn events_of_a_closed_month_stay() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let (closed, open) = ("2026-01-31T23:59:59.999999Z", "2026-02-01T00:00:00Z");
    let batch: Vec<Value> = [closed, open].iter().map(|at| with(event(&acme, "1"), "recorded_at", json!(at))).collect();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(batch)).await["accepted"], 2);
    let close = format!("select app.close_organization('{}', '2026-02-01T00:00:00Z', true)", acme.org_id);
    bundle.execute(AssertSqlSafe(close)).await;

    let at = |at: &str| with(entry(&acme, "1"), "recorded_at", json!(at));
    let receipt = delete(&bundle, &acme.token, &[at(closed)]).await;
    assert_eq!((&receipt["deleted"], &receipt["errors"][0]["code"]), (&json!(0), &json!("out_of_range")));
    assert_eq!(receipt["errors"][0]["id"], "1");
    // Both days are one in New York: the one that is left is all of it.
    assert_eq!(delete(&bundle, &acme.token, &[entry(&acme, "1")]).await["deleted"], 1);
    assert_eq!(delete(&bundle, &acme.token, &[entry(&acme, "1"), at(open)]).await["not_found"], 2);
    assert_eq!(bundle.count("metric_events").await, 1);
    assert_eq!(day(&bundle, "revenue").await.unwrap().0, 1);
    let receipt = send(&bundle, &acme.token, "/v1/events?on_conflict=replace", &json!(batch)).await;
    assert_eq!((&receipt["accepted"], &receipt["errors"][0]["code"]), (&json!(1), &json!("out_of_range")));
}

#[tokio::test]
async fn events_deleted_by_many_at_once_are_deleted_once() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let ids: Vec<String> = (0..100).map(|index| index.to_string()).collect();
    let batch: Vec<Value> = ids.iter().map(|id| event(&acme, id)).collect();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(batch)).await["accepted"], 100);
    let entries: Vec<Value> = ids.iter().map(|id| entry(&acme, id)).collect();
    let reversed: Vec<Value> = entries.iter().rev().cloned().collect();
    let deletions = (0..8).map(|turn| {
        let (bundle, entries) = (&bundle, if turn % 2 == 0 { &entries } else { &reversed });
        let token = &acme.token;
        async move { delete(bundle, token, entries).await }
    });
    let receipts = join_all(deletions).await;
    let total = |field: &str| receipts.iter().map(|receipt| receipt[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!((total("deleted"), total("not_found")), (100, 700));
    assert_eq!(bundle.count("event_changes").await, 100);
    assert_eq!((bundle.count("metric_events").await, bundle.count("metric_rollups").await), (0, 0));
}

/// What the record tells of an event.
fn said(metric: &str, value: &str, currency: Option<&str>) -> Value {
    json!({"metric": metric, "value": value, "currency": currency, "dimensions": {"channel": "web"}})
}

#[tokio::test]
async fn what_was_changed_is_on_record_with_who_did_it() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let key = acme.api_key(&bundle, &["events:write"], None).await.unwrap();
    let query = "select id::text from public.api_keys where org_id = $1::uuid";
    let query = sqlx::query_scalar(query).bind(&acme.org_id);
    let key_id: String = query.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
    let orders = with(event(&acme, "2"), "metric", json!("orders"));
    let batch = json!([event(&acme, "1"), orders, event(&acme, "3")]);
    assert_eq!(send(&bundle, &acme.token, EVENTS, &batch).await["accepted"], 3);
    let restated = with(with(event(&acme, "1"), "value", json!("100.0")), "currency", json!("EUR"));
    let replace = "/v1/events?on_conflict=replace";
    // What says the same, and what is only tried, is no change.
    assert_eq!(send(&bundle, &key, replace, &json!([event(&acme, "3"), restated])).await["replaced"], 1);
    assert_eq!(send(&bundle, &key, &format!("{replace}&dry_run=true"), &event(&acme, "1")).await["replaced"], 1);
    assert_eq!(delete(&bundle, &acme.token, &[entry(&acme, "2")]).await["deleted"], 1);
    assert_eq!(delete(&bundle, &key, &[entry(&acme, "1")]).await["deleted"], 1);

    let (changes, _) = pages(&bundle, &acme.token, CHANGES, &[], 200).await;
    let (user, key_id) = (json!({"user_id": acme.user.id}), json!({"api_key_id": key_id}));
    let euros = said("revenue", "100.0", Some("EUR"));
    for (change, (action, by, id, before, after)) in changes.iter().zip([
        ("deleted", &key_id, "1", &euros, &Value::Null),
        ("deleted", &user, "2", &said("orders", "129.90", None), &Value::Null),
        ("replaced", &key_id, "1", &said("revenue", "129.90", Some("USD")), &euros),
    ]) {
        assert_eq!((&change["action"], &change["changed_by"], &change["event_id"]), (&json!(action), by, &json!(id)));
        assert_eq!((&change["before"], &change["after"]), (before, after));
        assert_eq!((&change["store_id"], &change["source"]), (&json!(acme.store_id), &json!("shopify")));
        assert_eq!(change["recorded_at"], "2026-10-05T10:00:00Z");
    }
    assert_eq!(changes.len(), 3);
    assert_eq!(pages(&bundle, &acme.token, CHANGES, &[], 1).await.0, changes);
    let at = |place: usize| changes[place]["changed_at"].as_str().unwrap();
    for (filter, expected) in [
        (vec![("action", "replaced")], &changes[2..]),
        (vec![("action", "deleted")], &changes[..2]),
        (vec![("id", "2")], &changes[1..2]),
        (vec![("store_id", acme.store_id.as_str()), ("source", "shopify")], &changes[..]),
        (vec![("source", "amazon")], &[]),
        (vec![("store_id", bolt.store_id.as_str())], &[]),
        (vec![("from", at(1))], &changes[..2]),
        (vec![("to", at(1))], &changes[2..]),
    ] {
        assert_eq!(pages(&bundle, &acme.token, CHANGES, &filter, 1).await.0, expected, "{filter:?}");
    }
    assert_eq!(pages(&bundle, &bolt.token, CHANGES, &[], 200).await.0, Vec::<Value>::new());
    for wrong in [("action", "accepted"), ("limit", "0"), ("from", "today"), ("event_id", "1"), ("store_id", "shop")] {
        list(&bundle, &acme.token, CHANGES, &[wrong]).await.problem(400, "invalid-parameter");
    }
}
