//! `POST /v1/events`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

pub(super) fn event(tenant: &Tenant, id: &str) -> Value {
    json!({"id": id, "metric": "revenue", "store_id": tenant.store_id, "value": "129.90", "currency": "USD",
           "recorded_at": "2026-10-05T10:00:00Z", "source": "shopify", "dimensions": {"channel": "web"}})
}

pub(super) fn with(mut event: Value, field: &str, value: Value) -> Value {
    event[field] = value;
    event
}

async fn rows(bundle: &Bundle, table: &str) -> i64 {
    let query = format!("select count(*) from {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut bundle.database().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn one_bad_event_does_not_spoil_the_batch() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let batch = json!([
        event(&acme, "good"),
        with(event(&acme, "metric"), "metric", json!("nope")),
        with(event(&acme, "foreign"), "store_id", json!(bolt.store_id)),
        with(event(&acme, "nowhere"), "store_id", json!(Uuid::new_v4())),
        with(event(&acme, "value"), "value", json!("lots")),
        with(event(&acme, "future"), "recorded_at", json!("2126-01-01T00:00:00Z")),
        with(event(&acme, "past"), "recorded_at", json!("1969-01-01T00:00:00Z")),
        with(event(&acme, "field"), "colour", json!("red")),
        with(event(&acme, "number"), "dimensions", json!({"channel": 1e200})),
        event(&acme, "good"),
    ]);
    let receipt = ask(post(&bundle, "/v1/events", &acme.token, &batch)).await.ok();
    assert_eq!((&receipt["accepted"], &receipt["duplicates"], &receipt["rejected"]), (&json!(1), &json!(1), &json!(8)));
    let errors: Vec<_> = receipt["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["index"].as_u64().unwrap(), error["id"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        errors,
        [
            (1, "metric", "unknown_metric"),
            (2, "foreign", "unknown_store"),
            (3, "nowhere", "unknown_store"),
            (4, "value", "invalid_value"),
            (5, "future", "out_of_range"),
            (6, "past", "out_of_range"),
            (7, "field", "invalid_event"),
            (8, "number", "invalid_dimensions"),
        ]
    );
    // A store of somebody else and one that is nowhere cannot be told apart.
    assert_eq!(receipt["errors"][1]["detail"], receipt["errors"][2]["detail"]);
    assert_eq!(rows(&bundle, "metric_events").await, 1);
}

#[tokio::test]
async fn a_field_that_no_text_of_the_database_can_name_costs_its_own_event() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let batch = json!([event(&acme, "good"), with(event(&acme, "bad"), "colour\0", json!("red"))]);
    let receipt = ask(post(&bundle, "/v1/events", &acme.token, &batch)).await.ok();
    assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&json!(1), &json!(1)), "{receipt}");
    assert_eq!(receipt["errors"][0]["code"], "invalid_event");
    let kept = ask(bundle.client.get(bundle.url("/v1/events/quarantine")).bearer_auth(&acme.token)).await.ok();
    assert_eq!(kept["events"][0]["detail"], receipt["errors"][0]["detail"]);
}

#[tokio::test]
async fn a_value_is_kept_as_it_was_written() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let written = ["0.10", "-5", "123456789012345678901234567890.123456789012345678", "0"];
    for (index, value) in written.iter().enumerate() {
        let text = with(event(&acme, &format!("text {index}")), "value", json!(value));
        let number = event(&acme, &format!("number {index}")).to_string().replace(r#""129.90""#, value);
        ask(post(&bundle, "/v1/events", &acme.token, &text)).await.ok();
        let request = bundle.client.post(bundle.url("/v1/events")).bearer_auth(&acme.token);
        let receipt = ask(request.header("content-type", "application/json").body(number)).await.ok();
        assert_eq!(receipt["accepted"], 1, "{receipt}");
    }
    let query = "select value::text from metric_events order by event_id";
    let kept: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(kept, [written, written].concat());
}

#[tokio::test]
async fn money_without_a_currency_is_in_the_stores_own() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let orders = with(event(&acme, "2"), "metric", json!("orders"));
    let batch = json!([with(event(&acme, "1"), "currency", Value::Null), orders]);
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &batch)).await.ok()["accepted"], 2);
    let query = "select currency from metric_events order by event_id";
    let kept: Vec<Option<String>> =
        sqlx::query_scalar(query).fetch_all(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(kept, [Some("USD".to_owned()), None]);
}

#[tokio::test]
async fn the_same_events_at_once_count_once() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let batch: Vec<Value> = (0..200).map(|index| event(&acme, &index.to_string())).collect();
    let reversed: Vec<Value> = batch.iter().rev().cloned().collect();
    let requests = (0..16).map(|turn| {
        let events = if turn % 2 == 0 { &batch } else { &reversed };
        ask(post(&bundle, "/v1/events", &acme.token, &json!(events)))
    });
    let mut accepted = 0;
    for answer in futures::future::join_all(requests).await {
        accepted += answer.ok()["accepted"].as_u64().unwrap();
    }
    assert_eq!(accepted, 200);
    let query = "select grain, count, sum::text from metric_rollups order by grain";
    let rollups: Vec<(String, i64, String)> =
        sqlx::query_as(query).fetch_all(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(
        rollups,
        [("15m".to_owned(), 200, "25980.00".to_owned()), ("day".to_owned(), 200, "25980.00".to_owned())]
    );
}

#[tokio::test]
async fn restated_events_take_their_new_values() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let key = acme.api_key(&bundle, &["events:write"], Some(&acme.store_id)).await.unwrap();
    let send = async |path: &str, credential: &str, events: Value| {
        let receipt = ask(post(&bundle, path, credential, &events)).await.ok();
        assert_eq!((&receipt["rejected"], &receipt["errors"]), (&json!(0), &json!([])));
        ["accepted", "duplicates", "replaced"].map(|field| receipt[field].as_u64().unwrap())
    };
    let (plain, replace) = ("/v1/events", "/v1/events?on_conflict=replace");
    let (one, two) = (event(&acme, "1"), event(&acme, "2"));
    assert_eq!(send(plain, &acme.token, json!([one, two])).await, [2, 0, 0]);
    assert_eq!(revenue(&bundle, &acme).await, json!([["USD", "259.80"]]));

    // What is there stays, unless it is said otherwise; then what is new is taken, too, and what is the same is not counted.
    let changed = with(one.clone(), "value", json!("100"));
    assert_eq!(send(plain, &acme.token, changed.clone()).await, [0, 1, 0]);
    assert_eq!(send("/v1/events?on_conflict=ignore", &acme.token, changed.clone()).await, [0, 1, 0]);
    assert_eq!(revenue(&bundle, &acme).await, json!([["USD", "259.80"]]));
    assert_eq!(send(replace, &acme.token, json!([changed, two, event(&acme, "3")])).await, [1, 1, 1]);
    assert_eq!(revenue(&bundle, &acme).await, json!([["USD", "359.80"]]));

    // Another currency, another metric, by a key; of two in one request the last.
    let euro = with(two.clone(), "currency", json!("EUR"));
    let tax = with(event(&acme, "3"), "metric", json!("tax"));
    assert_eq!(send(replace, &key, json!([two, euro, tax])).await, [0, 1, 2]);
    assert_eq!(revenue(&bundle, &acme).await, json!([["EUR", "129.90"], ["USD", "100.00"]]));

    // Sent again, whatever was answered.
    assert_eq!(send(replace, &key, json!([euro, tax])).await, [0, 2, 0]);
    assert_eq!(rows(&bundle, "metric_events").await, 3);
    let query = "select count(*) from metric_rollups where count <> 1";
    let empty: i64 = sqlx::query_scalar(query).fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(empty, 0, "what a rollup held before is gone");
}

/// Currencies and totals.
async fn revenue(bundle: &Bundle, tenant: &Tenant) -> Value {
    let question = json!({"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01", "granularity": "none",
                          "totals": true});
    let answer = ask(post(bundle, "/v1/query", &tenant.token, &question)).await.ok();
    answer["series"].as_array().unwrap().iter().map(|series| json!([series["currency"], series["total"]])).collect()
}

#[tokio::test]
async fn a_restatement_needs_the_same_rights_and_a_parameter_that_is_known() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &event(&acme, "1"))).await.ok()["accepted"], 1);
    let changed = with(event(&acme, "1"), "value", json!("1"));

    for wrong in [
        "on_conflict=update",
        "on_conflict",
        "on_conflict=replace&on_conflict=replace",
        "dryrun=true",
        "dry_run=yes",
        "on_conflict=replace&x=1",
    ] {
        let answer = ask(post(&bundle, &format!("/v1/events?{wrong}"), &acme.token, &changed)).await;
        answer.problem(400, "invalid-parameter");
    }
    let replace = "/v1/events?on_conflict=replace";
    let reader = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    ask(post(&bundle, replace, &reader, &changed)).await.problem(403, "forbidden");
    // Another organization does not even learn that the store is there; a ratio has no events.
    let receipt = ask(post(&bundle, replace, &bolt.token, &changed)).await.ok();
    assert_eq!(receipt["errors"][0]["code"], "unknown_store");
    let ratio = with(event(&acme, "1"), "metric", json!("aov"));
    let receipt = ask(post(&bundle, replace, &acme.token, &ratio)).await.ok();
    assert_eq!((&receipt["replaced"], &receipt["errors"][0]["code"]), (&json!(0), &json!("derived_metric")));
    assert_eq!(revenue(&bundle, &acme).await, json!([["USD", "129.90"]]));
}

#[tokio::test]
async fn months_that_many_need_at_once_are_made_once() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let batches = (0..16).map(|turn| {
        let month = |index: usize| {
            let recorded_at = format!("{}-{:02}-15T00:00:00Z", 2001 + index / 12, 1 + index % 12);
            with(event(&acme, &format!("{turn}-{index}")), "recorded_at", json!(recorded_at))
        };
        // Some from the first month on, some from the last.
        let events = if turn % 2 == 0 { (0..24).map(month).collect() } else { (0..24).rev().map(month).collect() };
        ask(post(&bundle, "/v1/events", &acme.token, &Value::Array(events)))
    });
    for answer in futures::future::join_all(batches).await {
        assert_eq!(answer.ok()["accepted"], 24);
    }
    assert_eq!(rows(&bundle, "metric_events").await, 16 * 24);
}

#[tokio::test]
async fn one_request_makes_only_so_many_months() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let months = |count: usize| {
        let month = |index: usize| {
            let recorded_at = format!("{}-{:02}-15T00:00:00Z", 1990 + index / 12, 1 + index % 12);
            with(event(&acme, &index.to_string()), "recorded_at", json!(recorded_at))
        };
        Value::Array((0..count).map(month).collect())
    };
    ask(post(&bundle, "/v1/events", &acme.token, &months(37))).await.problem(422, "too-many-months");
    assert_eq!(rows(&bundle, "metric_events").await, 0);
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &months(36))).await.ok()["accepted"], 36);
    // Those there are do not count.
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &months(37))).await.ok()["accepted"], 1);
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_still_sends() {
    let bundle = Bundle::start().await.unwrap();
    let large = "x".repeat(10 * 1024 * 1024);
    let request = bundle.client.post(bundle.url("/v1/events")).bearer_auth("x").body(large.clone());
    ask(request).await.problem(401, "invalid-token");
    ask(bundle.client.put(bundle.url("/hooks/user-created")).body(large)).await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn what_is_no_batch_is_refused_as_a_whole() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let send = |content_type: &str, body: String| {
        let request = bundle.client.post(bundle.url("/v1/events")).bearer_auth(&acme.token);
        ask(request.header("content-type", content_type).body(body))
    };
    for body in ["", "{", "7", "null", "[{]", r#"{"events": 1}"#] {
        send("application/json", body.to_owned()).await.problem(400, "malformed-body");
    }
    send("text/plain", "[]".to_owned()).await.problem(415, "unsupported-media-type");
    send("application/json", format!("[{}]", vec!["1"; 5_001].join(","))).await.problem(413, "too-many-events");
    send("application/json", "x".repeat(10 * 1024 * 1024 + 1)).await.problem(413, "body-too-large");
    ask(bundle.client.get(bundle.url("/v1/events")).bearer_auth(&acme.token)).await.problem(405, "method-not-allowed");
    ask(post(&bundle, "/v1/events/elsewhere", &acme.token, &json!([]))).await.problem(404, "not-found");
    assert_eq!(rows(&bundle, "metric_events").await, 0);
}

#[tokio::test]
async fn a_full_batch_is_taken() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let batch: Vec<Value> = (0..5_000).map(|index| event(&acme, &index.to_string())).collect();
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &json!(batch))).await.ok()["accepted"], 5_000);
}

/// What quotes the event must still be a text that the database takes.
#[tokio::test]
async fn an_event_that_names_what_no_text_can_hold_is_rejected_and_kept() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (index, name) in ["a\u{0}b".to_owned(), "\u{7f}".to_owned(), "x".repeat(30_000)].into_iter().enumerate() {
        let odd = with(event(&acme, &format!("{index}")), &name, json!("\u{0}"));
        let receipt = ask(post(&bundle, "/v1/events", &acme.token, &json!([odd, event(&acme, "good")]))).await.ok();
        assert_eq!((&receipt["rejected"], &receipt["quarantined"]), (&json!(1), &json!(1)), "{receipt}");
        assert!(receipt["errors"][0]["detail"].as_str().unwrap().len() < 600, "{receipt}");
    }
    assert_eq!(rows(&bundle, "quarantined_events").await, 3);
}
