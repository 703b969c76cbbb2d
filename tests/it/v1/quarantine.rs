//! `/v1/events/quarantine`: what is kept of rejected events, for how many, and what becomes of it.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::events::{event, with};
use super::pages::{list, pages};
use super::plans::put_on_plan;
use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

const EVENTS: &str = "/v1/events";
const QUARANTINE: &str = "/v1/events/quarantine";
const REPLAY: &str = "/v1/events/quarantine/replay";
const DISCARD: &str = "/v1/events/quarantine/discard";

/// One that is rejected for a metric that is not there.
fn unknown(tenant: &Tenant, id: &str) -> Value {
    with(event(tenant, id), "metric", json!("visits"))
}

async fn send(bundle: &Bundle, credential: &str, path: &str, body: &Value) -> Value {
    ask(post(bundle, path, credential, body)).await.ok()
}

async fn define(bundle: &Bundle, tenant: &Tenant, key: &str) {
    let statement = format!(
        "insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category)
         values ('{}', '{key}', '{key}', 'count', 'sum', 'test')",
        tenant.org_id
    );
    bundle.execute(AssertSqlSafe(statement)).await;
}

/// The ids that the events are kept under, by the receipt.
fn ids(receipt: &Value) -> Vec<&str> {
    receipt["errors"].as_array().unwrap().iter().filter_map(|error| error["quarantine_id"].as_str()).collect()
}

/// The ids of the senders, as the list has them.
fn senders_ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["event_id"].as_str().unwrap_or("?")).collect()
}

#[tokio::test]
async fn rejected_events_are_listed_newest_first_and_by_every_filter() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let nowhere = Uuid::new_v4();
    for rejected in [
        unknown(&acme, "1"),
        with(unknown(&acme, "2"), "source", json!("amazon")),
        with(event(&acme, "3"), "value", json!("lots")),
        with(event(&acme, "4"), "store_id", json!(nowhere)),
        with(unknown(&acme, "5"), "metric", json!("steps")),
        json!([7]),
    ] {
        assert_eq!(send(&bundle, &acme.token, EVENTS, &rejected).await["quarantined"], 1, "{rejected}");
    }
    send(&bundle, &bolt.token, EVENTS, &unknown(&bolt, "of bolt")).await;

    let (all, last) = pages(&bundle, &acme.token, QUARANTINE, &[], 4).await;
    assert_eq!(senders_ids(&all), ["?", "5", "4", "3", "2", "1"]);
    assert_eq!((&last["held"], &last["limit"]), (&json!(6), &json!(10_000)));
    assert_eq!(pages(&bundle, &acme.token, QUARANTINE, &[], 1).await.0, all);
    assert_eq!((&all[0]["body"], &all[0]["replayable"]), (&json!("7"), &json!(false)));
    assert_eq!(all[5]["body"], json!(unknown(&acme, "1").to_string()));
    let (store, nowhere) = (acme.store_id.as_str(), nowhere.to_string());
    let at = |place: usize| all[place]["received_at"].as_str().unwrap();
    for (filter, expected) in [
        (vec![("code", "unknown_metric")], vec!["5", "2", "1"]),
        (vec![("code", "invalid_event")], vec!["?"]),
        (vec![("store_id", store)], vec!["5", "3", "2", "1"]),
        (vec![("store_id", &nowhere)], vec!["4"]),
        (vec![("source", "shopify")], vec!["5", "4", "3", "1"]),
        (vec![("metric", "steps")], vec!["5"]),
        (vec![("id", "3")], vec!["3"]),
        (vec![("id", "3"), ("code", "unknown_metric")], vec![]),
        (vec![("from", at(2))], vec!["?", "5", "4"]),
        (vec![("to", at(2))], vec!["3", "2", "1"]),
        (vec![("from", at(4)), ("to", at(2)), ("store_id", store)], vec!["3", "2"]),
        (vec![("id", "of bolt")], vec![]),
    ] {
        for limit in [1, 200] {
            let (found, _) = pages(&bundle, &acme.token, QUARANTINE, &filter, limit).await;
            assert_eq!(senders_ids(&found), expected, "{filter:?}");
        }
    }
    for wrong in
        [("limit", "0"), ("limit", "201"), ("cursor", "x"), ("store_id", "shop"), ("from", "today"), ("all", "1")]
    {
        list(&bundle, &acme.token, QUARANTINE, &[wrong]).await.problem(400, "invalid-parameter");
    }
    let request = bundle.client.post(bundle.url(QUARANTINE)).bearer_auth(&acme.token);
    ask(request).await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn what_a_replay_counts_leaves_the_quarantine_and_the_rest_stays() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let late = Uuid::new_v4();
    let batch = json!([
        unknown(&acme, "1"),
        with(unknown(&acme, "2"), "value", json!("7")),
        unknown(&acme, "3"),
        with(event(&acme, "store"), "store_id", json!(late)),
        with(event(&acme, "form"), "value", json!("lots")),
        event(&acme, "good"),
    ]);
    let receipt = send(&bundle, &acme.token, EVENTS, &batch).await;
    let kept = ids(&receipt);
    assert_eq!((kept.len(), &receipt["accepted"]), (5, &json!(1)));
    // Somebody else has none of them.
    let nothing = json!({"accepted": 0, "duplicates": 0, "replaced": 0, "rejected": 0, "remaining": 0, "errors": []});
    for selection in [json!({"ids": kept}), json!({"all": true})] {
        assert_eq!(send(&bundle, &bolt.token, REPLAY, &selection).await, nothing);
        assert_eq!(send(&bundle, &bolt.token, DISCARD, &selection).await, json!({"discarded": 0, "remaining": 0}));
    }

    define(&bundle, &acme, "visits").await;
    let mut first = nothing.clone();
    first["accepted"] = json!(1);
    let selection = json!({"ids": [kept[0]]});
    assert_eq!(send(&bundle, &acme.token, &format!("{REPLAY}?dry_run=true"), &selection).await, first);
    assert_eq!(bundle.count("quarantined_events").await, 5);
    assert_eq!(send(&bundle, &acme.token, REPLAY, &selection).await, first);
    assert_eq!(send(&bundle, &acme.token, REPLAY, &selection).await, nothing);
    // One came by itself in the meantime, with another value.
    let other = with(unknown(&acme, "2"), "value", json!("8"));
    assert_eq!(send(&bundle, &acme.token, EVENTS, &other).await["accepted"], 1);
    let by_filter = json!({"filter": {"metric": "visits", "id": "2"}});
    let receipt = send(&bundle, &acme.token, &format!("{REPLAY}?on_conflict=replace"), &by_filter).await;
    assert_eq!((&receipt["replaced"], &receipt["rejected"]), (&json!(1), &json!(0)));

    // Of all, those of bad form are not tried; where they are named, they are told.
    let receipt = send(&bundle, &acme.token, REPLAY, &json!({"all": true})).await;
    assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&json!(1), &json!(1)));
    let error = &receipt["errors"][0];
    assert_eq!((&error["quarantine_id"], &error["code"]), (&json!(kept[3]), &json!("unknown_store")));
    let receipt = send(&bundle, &acme.token, REPLAY, &json!({"ids": kept})).await;
    let codes: Vec<_> = receipt["errors"].as_array().unwrap().iter().map(|error| &error["code"]).collect();
    assert_eq!(codes.len(), 2);
    assert!(codes.contains(&&json!("invalid_value")) && codes.contains(&&json!("unknown_store")), "{receipt}");

    // A store that came later is there for the event that named it.
    let statement =
        "insert into public.stores (org_id, workspace_id, id, name) values ($1::uuid, $2::uuid, $3, 'late')";
    let query = sqlx::query(statement).bind(&acme.org_id).bind(&acme.workspace_id).bind(late);
    query.execute(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(send(&bundle, &acme.token, REPLAY, &json!({"ids": [kept[3]]})).await["accepted"], 1);
    assert_eq!(bundle.count("metric_events").await, 5);
    assert_eq!(bundle.count("quarantined_events").await, 1);
    assert_eq!(
        send(&bundle, &acme.token, DISCARD, &json!({"filter": {"code": "invalid_value"}})).await,
        json!({"discarded": 1, "remaining": 0})
    );
    assert_eq!(bundle.count("quarantined_events").await, 0);
}

#[tokio::test]
async fn events_replayed_by_many_at_once_count_once() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let batch: Vec<Value> = (0..100).map(|index| unknown(&acme, &index.to_string())).collect();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(batch)).await["quarantined"], 100);
    define(&bundle, &acme, "visits").await;
    let replays = (0..8).map(|_| async {
        let receipt = send(&bundle, &acme.token, REPLAY, &json!({"all": true})).await;
        assert_eq!(receipt["rejected"], 0);
        receipt["accepted"].as_u64().unwrap()
    });
    assert_eq!(join_all(replays).await.iter().sum::<u64>(), 100);
    assert_eq!((bundle.count("metric_events").await, bundle.count("quarantined_events").await), (100, 0));
}

#[tokio::test]
async fn the_same_event_rejected_again_is_kept_once() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let twice = json!([unknown(&acme, "1"), unknown(&acme, "1")]);
    let sent = join_all((0..50).map(|_| send(&bundle, &acme.token, EVENTS, &twice))).await;
    let kept: BTreeSet<&str> = sent.iter().flat_map(ids).collect();
    assert_eq!(kept.len(), 1);
    assert!(sent.iter().all(|receipt| receipt["quarantined"] == 2 && receipt["quarantine_full"] == false));
    let (found, _) = pages(&bundle, &acme.token, QUARANTINE, &[], 200).await;
    assert_eq!((found.len(), &found[0]["times"]), (1, &json!(50)));
    assert_eq!(found[0]["id"], kept.first().copied().unwrap());

    // From another store's key it is another event, though it reads the same.
    let mut implied = unknown(&acme, "2");
    implied.as_object_mut().unwrap().remove("store_id");
    let key = acme.api_key(&bundle, &["events:write"], Some(&acme.store_id)).await.unwrap();
    for (credential, code) in [(&acme.token, "store_required"), (&key, "unknown_metric")] {
        assert_eq!(send(&bundle, credential, EVENTS, &implied).await["errors"][0]["code"], code);
    }
    assert_eq!(bundle.count("quarantined_events").await, 3);
    let (found, last) = pages(&bundle, &key, QUARANTINE, &[], 200).await;
    assert_eq!((senders_ids(&found), &last["held"]), (vec!["2", "1"], &json!(2)));
}

#[tokio::test]
async fn a_full_quarantine_keeps_what_it_has_and_takes_no_more() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    put_on_plan(&bundle, &acme, "starter", "quarantined_events = 5").await;
    let batch =
        |range: std::ops::Range<usize>| -> Value { range.map(|index| unknown(&acme, &index.to_string())).collect() };
    let receipt = send(&bundle, &acme.token, EVENTS, &batch(0..8)).await;
    assert_eq!((&receipt["quarantined"], &receipt["quarantine_full"]), (&json!(5), &json!(true)));
    assert_eq!(receipt["rejected"], 8);
    let errors = receipt["errors"].as_array().unwrap();
    assert!(errors[..5].iter().all(|error| error["quarantine_id"].is_string()), "{receipt}");
    assert!(errors[5..].iter().all(|error| error["quarantine_id"].is_null()), "{receipt}");
    // What is kept already still is; a dry run keeps nothing, and is not full.
    let again = send(&bundle, &acme.token, EVENTS, &batch(0..5)).await;
    assert_eq!((&again["quarantined"], &again["quarantine_full"]), (&json!(5), &json!(false)));
    assert_eq!(ids(&again), ids(&receipt));
    let tried = send(&bundle, &acme.token, "/v1/events?dry_run=true", &batch(0..8)).await;
    assert_eq!((&tried["quarantined"], &tried["quarantine_full"]), (&json!(0), &json!(false)));
    // Good events are taken as always, and who makes room has room.
    let mixed = json!([unknown(&acme, "9"), event(&acme, "good")]);
    let receipt = send(&bundle, &acme.token, EVENTS, &mixed).await;
    assert_eq!((&receipt["accepted"], &receipt["quarantine_full"]), (&json!(1), &json!(true)));
    let discarded = send(&bundle, &acme.token, DISCARD, &json!({"ids": [ids(&again)[0]]})).await;
    assert_eq!(discarded, json!({"discarded": 1, "remaining": 0}));
    let receipt = send(&bundle, &acme.token, EVENTS, &batch(8..10)).await;
    assert_eq!((&receipt["quarantined"], &receipt["quarantine_full"]), (&json!(1), &json!(true)));
    let page = list(&bundle, &acme.token, QUARANTINE, &[]).await.ok();
    assert_eq!((&page["held"], &page["limit"]), (&json!(5), &json!(5)));
}

#[tokio::test]
async fn many_senders_at_once_fill_the_quarantine_exactly() {
    const SENDERS: usize = 8;
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    put_on_plan(&bundle, &acme, "growth", "quarantined_events = 50").await;
    let senders = (0..SENDERS).map(|sender| {
        let (bundle, acme) = (&bundle, &acme);
        async move {
            let mut kept = Vec::new();
            for turn in 0..5 {
                let rejected = |index| unknown(acme, &format!("{sender}-{turn}-{index}"));
                // Everybody sends this one, too.
                let batch: Vec<Value> = (0..4).map(rejected).chain([unknown(acme, "common")]).collect();
                let receipt = send(bundle, &acme.token, EVENTS, &json!(batch)).await;
                assert_eq!(receipt["quarantine_full"], ids(&receipt).len() < 5);
                assert_eq!(receipt["quarantined"], ids(&receipt).len());
                kept.extend(ids(&receipt).into_iter().map(str::to_owned));
            }
            kept
        }
    });
    let kept: BTreeSet<String> = join_all(senders).await.into_iter().flatten().collect();
    assert_eq!((kept.len(), bundle.count("quarantined_events").await), (50, 50));
    let (found, _) = pages(&bundle, &acme.token, QUARANTINE, &[("id", "common")], 200).await;
    assert_eq!(found[0]["times"], SENDERS * 5);
}

#[tokio::test]
async fn more_than_one_request_takes_is_left_for_the_next() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let fill = async |count: usize| {
        let batch: Vec<Value> = (0..count).map(|index| unknown(&acme, &index.to_string())).collect();
        for part in batch.chunks(5_000) {
            assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(part)).await["quarantined"], part.len());
        }
    };
    let all = json!({"all": true});
    fill(1_005).await;
    // In vain at first, and each is tried all the same: what was tried comes after what was not.
    let mut tried = BTreeSet::new();
    for _ in 0..2 {
        let receipt = send(&bundle, &acme.token, REPLAY, &all).await;
        assert_eq!((&receipt["rejected"], &receipt["remaining"]), (&json!(1_000), &json!(5)));
        tried.extend(ids(&receipt).into_iter().map(str::to_owned));
    }
    assert_eq!(tried.len(), 1_005);
    define(&bundle, &acme, "visits").await;
    for (accepted, remaining) in [(1_000, 5), (5, 0)] {
        let receipt = send(&bundle, &acme.token, REPLAY, &all).await;
        assert_eq!((&receipt["accepted"], &receipt["remaining"]), (&json!(accepted), &json!(remaining)));
    }
    assert_eq!((bundle.count("metric_events").await, bundle.count("quarantined_events").await), (1_005, 0));

    // What has events stays: so they were never counted.
    bundle.execute("delete from public.metric_rollups where metric_key = 'visits'").await;
    bundle.execute("delete from public.metric_definitions where key = 'visits'").await;
    fill(5_005).await;
    for (discarded, remaining) in [(5_000, 5), (5, 0)] {
        let receipt = send(&bundle, &acme.token, DISCARD, &all).await;
        assert_eq!(receipt, json!({"discarded": discarded, "remaining": remaining}));
    }
}

/// The time of the database.
async fn now(bundle: &Bundle) -> String {
    let query = sqlx::query_scalar("select app.utc_text(clock_timestamp())");
    query.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn whoever_replays_until_nothing_remains_comes_to_an_end() {
    const VAIN: usize = 1_200;
    const GOOD: usize = 30;
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let vain: Vec<Value> = (0..VAIN).map(|number| unknown(&acme, &format!("vain-{number}"))).collect();
    assert_eq!(send(&bundle, &acme.token, EVENTS, &json!(vain)).await["quarantined"], VAIN);
    let good = (0..GOOD).map(|number| with(unknown(&acme, &format!("good-{number}")), "metric", json!("steps")));
    assert_eq!(send(&bundle, &acme.token, EVENTS, &good.collect()).await["quarantined"], GOOD);
    define(&bundle, &acme, "steps").await;

    // Twice, since whatever was rejected once is there to be tried again.
    for accepted in [GOOD, 0] {
        let began = now(&bundle).await;
        let filter = json!({"filter": {"replayed_before": began}});
        let (mut counted, mut remaining) = (0, Vec::new());
        while remaining.last() != Some(&0) {
            assert!(remaining.len() < 3, "{remaining:?}");
            let receipt = send(&bundle, &acme.token, REPLAY, &filter).await;
            counted += receipt["accepted"].as_u64().unwrap();
            remaining.push(receipt["remaining"].as_u64().unwrap());
        }
        assert_eq!((counted, remaining), (accepted as u64, vec![(VAIN + accepted - 1_000) as u64, 0]));
        let (found, _) = pages(&bundle, &acme.token, QUARANTINE, &[("replayed_before", &began)], 200).await;
        assert_eq!(found, Vec::<Value>::new());
        let nothing = json!({"discarded": 0, "remaining": 0});
        assert_eq!(send(&bundle, &acme.token, DISCARD, &filter).await, nothing);
    }
    assert_eq!((bundle.count("metric_events").await, bundle.count("quarantined_events").await), (30, 1_200));
    let all = json!({"filter": {"replayed_before": now(&bundle).await}});
    assert_eq!(send(&bundle, &acme.token, DISCARD, &all).await["discarded"], VAIN);
}

#[tokio::test]
async fn what_can_never_be_replayed_does_not_keep_back_what_can() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let bad: Vec<Value> = (0..1_100).map(|number| json!([number])).collect();
    let mut kept = send(&bundle, &acme.token, EVENTS, &json!(bad)).await;
    let mut named: Vec<String> = ids(&kept).into_iter().map(str::to_owned).collect();
    kept = send(&bundle, &acme.token, EVENTS, &unknown(&acme, "good")).await;
    named.extend(ids(&kept).into_iter().map(str::to_owned));
    assert_eq!(named.len(), 1_101);
    define(&bundle, &acme, "visits").await;

    for (accepted, rejected, remaining) in [(0, 1_000, 101), (1, 999, 101), (0, 1_000, 100)] {
        let receipt = send(&bundle, &acme.token, REPLAY, &json!({"ids": named})).await;
        let told = ["accepted", "rejected", "remaining"].map(|field| receipt[field].as_u64().unwrap());
        assert_eq!(told, [accepted, rejected, remaining]);
    }
    assert_eq!((bundle.count("metric_events").await, bundle.count("quarantined_events").await), (1, 1_100));
}

#[tokio::test]
async fn a_selection_that_means_nothing_clear_is_refused() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    send(&bundle, &acme.token, EVENTS, &unknown(&acme, "1")).await;
    for path in [REPLAY, DISCARD] {
        for body in [json!({}), json!({"all": false}), json!({"filter": {}}), json!({"ids": []})] {
            ask(post(&bundle, path, &acme.token, &body)).await.problem(422, "invalid-field");
        }
        for body in [json!([]), json!({"every": true}), json!({"ids": ["1"]})] {
            ask(post(&bundle, path, &acme.token, &body)).await.problem(400, "malformed-body");
        }
        let plain = bundle.client.post(bundle.url(path)).bearer_auth(&acme.token).body(r#"{"all": true}"#);
        ask(plain).await.problem(415, "unsupported-media-type");
    }
    let misspelt = ask(post(&bundle, &format!("{DISCARD}?dry_run=true"), &acme.token, &json!({"all": true}))).await;
    misspelt.problem(400, "invalid-parameter");
    assert_eq!(bundle.count("quarantined_events").await, 1);
}

/// Otherwise a key for one store could have events counted in another, by the hands of whoever replays everything.
#[tokio::test]
async fn what_a_key_sends_to_a_store_that_it_does_not_see_is_never_counted_there() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut database = bundle.database().await.unwrap();
    let other: String = sqlx::query_scalar(
        "insert into stores (org_id, workspace_id, name, external_id)
         select org_id, workspace_id, 'Other', 'other-shop' from stores where id = $1::uuid returning id::text",
    )
    .bind(&acme.store_id)
    .fetch_one(&mut database)
    .await
    .unwrap();
    let key = acme.api_key(&bundle, &["events:write"], Some(&acme.store_id)).await.unwrap();
    let named = with(event(&acme, "by id"), "store_id", json!(other));
    let receipt = ask(post(&bundle, "/v1/events", &key, &named)).await.ok();
    assert_eq!(receipt["errors"][0]["code"], "unknown_store");
    let cloud = json!({"specversion": "1.0", "id": "by name", "type": "revenue", "source": "x", "subject": "other-shop",
                       "time": "2026-10-05T10:00:00Z", "data": {"value": "1"}});
    let request = bundle.client.post(bundle.url(EVENTS)).bearer_auth(&key).body(cloud.to_string());
    let receipt = ask(request.header("content-type", "application/cloudevents+json")).await.ok();
    assert_eq!(receipt["errors"][0]["code"], "unknown_store");

    let replay = ask(post(&bundle, "/v1/events/quarantine/replay", &acme.token, &json!({"all": true}))).await.ok();
    assert_eq!((&replay["accepted"], &replay["rejected"]), (&json!(0), &json!(0)));
    assert_eq!(bundle.count("metric_events").await, 0);
    let url = bundle.url("/v1/events/quarantine");
    let seen = ask(bundle.client.get(url).bearer_auth(&key)).await.ok();
    let entries: Vec<_> =
        seen["events"].as_array().unwrap().iter().map(|held| (&held["store_id"], &held["replayable"])).collect();
    assert_eq!(entries, [(&json!(acme.store_id), &json!(false)); 2]);
}
