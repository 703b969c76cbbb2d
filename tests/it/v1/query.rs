//! `POST /v1/query`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

async fn record(bundle: &Bundle, tenant: &Tenant, metric: &str, value: &str, currency: Option<&str>, time: &str) {
    let event = json!({"id": Uuid::new_v4(), "metric": metric, "store_id": tenant.store_id, "value": value,
                       "currency": currency, "recorded_at": time});
    assert_eq!(ask(post(bundle, "/v1/events", &tenant.token, &event)).await.ok()["accepted"], 1);
}

fn question() -> Value {
    json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01"})
}

#[tokio::test]
async fn days_are_local_and_every_one_is_there() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Daylight saving ends on 1 November 2026 in New York: that day has 25 hours, from 04:00Z to 05:00Z of the next.
    for time in ["2026-11-01T03:59:59Z", "2026-11-01T04:00:00Z", "2026-11-02T04:59:59.999999Z", "2026-11-02T05:00:00Z"]
    {
        record(&bundle, &acme, "orders", "1", None, time).await;
    }
    for store_zone in ["America/New_York", "Asia/Kathmandu"] {
        let mut question = question();
        question["to"] = json!("2026-11-03");
        question["from"] = json!("2026-10-30");
        question["timezone"] = json!("America/New_York");
        let series = &ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok()["series"][0];
        assert_eq!(
            series["points"],
            json!([
                {"start": "2026-10-30T00:00:00-04:00", "value": "0"},
                {"start": "2026-10-31T00:00:00-04:00", "value": "1"},
                {"start": "2026-11-01T00:00:00-04:00", "value": "2"},
                {"start": "2026-11-02T00:00:00-05:00", "value": "1"},
            ]),
            "{store_zone}"
        );
        // Once more from quarter hours: the store's own days are another zone's now.
        sqlx::query("update stores set timezone = 'Asia/Kathmandu'")
            .execute(&mut bundle.database().await.unwrap())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn days_without_a_midnight_and_with_two_are_days() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (zone, from, to, starts) in [
        // The clock goes from 00:00 to 01:00 on 29 March.
        ("Asia/Beirut", "2026-03-28", "2026-03-29", vec!["2026-03-28T00:00:00+02:00"]),
        ("Asia/Beirut", "2026-03-28", "2026-03-30", vec!["2026-03-28T00:00:00+02:00", "2026-03-29T01:00:00+03:00"]),
        // Samoa left 30 December 2011 out altogether.
        ("Pacific/Apia", "2011-12-29", "2012-01-01", vec!["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"]),
        // From 01:00 back to 00:00 on 1 November: midnight comes twice, and the day begins with the first.
        ("America/Havana", "2026-10-31", "2026-11-01", vec!["2026-10-31T00:00:00-04:00"]),
        ("America/Havana", "2026-11-01", "2026-11-02", vec!["2026-11-01T00:00:00-04:00"]),
    ] {
        let question = json!({"metrics": ["orders"], "from": from, "to": to, "timezone": zone});
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
        let points = answer["series"][0]["points"].as_array().unwrap();
        let found: Vec<&str> = points.iter().map(|point| point["start"].as_str().unwrap()).collect();
        assert_eq!(found, starts, "{zone} from {from} to {to}");
    }
}

#[tokio::test]
async fn each_granularity_has_its_buckets() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (granularity, starts) in [
        ("none", vec!["2026-09-30"]),
        ("week", vec!["2026-09-30", "2026-10-05", "2026-10-12"]),
        ("month", vec!["2026-09-30", "2026-10-01"]),
        ("quarter", vec!["2026-09-30", "2026-10-01"]),
        ("year", vec!["2026-09-30"]),
    ] {
        let question =
            json!({"metrics": ["orders"], "from": "2026-09-30", "to": "2026-10-14", "granularity": granularity});
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
        let points = answer["series"][0]["points"].as_array().unwrap();
        let found: Vec<&str> = points.iter().map(|point| &point["start"].as_str().unwrap()[..10]).collect();
        assert_eq!(found, starts, "{granularity}");
    }
}

#[tokio::test]
async fn currencies_are_split_and_never_added() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    record(&bundle, &acme, "revenue", "1.10", Some("USD"), "2026-10-05T10:00:00Z").await;
    record(&bundle, &acme, "revenue", "2.20", Some("EUR"), "2026-10-05T10:00:00Z").await;
    let question = json!({"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01", "granularity": "month", "totals": true});
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    let found: Vec<_> = answer["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|series| {
            (series["currency"].as_str().unwrap(), series["total"].as_str().unwrap(), series["unit"].as_str().unwrap())
        })
        .collect();
    assert_eq!(found, [("EUR", "2.20", "currency"), ("USD", "1.10", "currency")]);
}

#[tokio::test]
async fn averages_and_extremes_of_nothing_are_null() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for method in ["avg", "min", "max", "count"] {
        sqlx::query(
            "insert into metric_definitions (org_id, key, display_name, unit, aggregation_method, category)
             values ($1::uuid, $2, $2, 'count', $2, 'own')",
        )
        .bind(&acme.org_id)
        .bind(method)
        .execute(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
        for value in ["1", "2", "4.5"] {
            record(&bundle, &acme, method, value, None, "2026-10-05T10:00:00Z").await;
        }
    }
    let question =
        json!({"metrics": ["avg", "min", "max", "count"], "from": "2026-10-05", "to": "2026-10-07", "totals": true});
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    let found: Vec<_> = answer["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|series| {
            [&series["points"][0]["value"], &series["points"][1]["value"], &series["total"]].map(Value::clone)
        })
        .collect();
    assert_eq!(
        json!(found),
        json!([["2.500000000000", null, "2.500000000000"], ["1", null, "1"], ["4.5", null, "4.5"], ["3", "0", "3"],])
    );
    // Another organization has no such metric.
    let bolt = bundle.tenant("bolt").await.unwrap();
    ask(post(&bundle, "/v1/query", &bolt.token, &question)).await.problem(422, "unknown-metric");
}

#[tokio::test]
async fn the_answer_repeats_the_question_as_it_was_understood() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question())).await.ok();
    assert_eq!(
        answer["query"],
        json!({
            "metrics": ["orders"], "stores": null, "from": "2026-10-01T00:00:00", "to": "2026-11-01T00:00:00",
            "granularity": "day", "timezone": "UTC", "fill": "zero", "totals": false,
        })
    );
    assert!(answer["series"][0].get("total").is_none());
    assert_eq!(answer["series"][0]["points"].as_array().unwrap().len(), 31);
}

#[tokio::test]
async fn what_cannot_be_answered_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    for (field, value, status, code) in [
        ("metrics", json!(["nope"]), 422, "unknown-metric"),
        ("metrics", json!([]), 422, "invalid-query"),
        ("metrics", json!(["orders", "revenue", "orders"]), 422, "invalid-query"),
        ("stores", json!([bolt.store_id]), 404, "unknown-store"),
        ("stores", json!([acme.store_id, Uuid::new_v4()]), 404, "unknown-store"),
        ("timezone", json!("Mars/Olympus"), 422, "unknown-time-zone"),
        ("timezone", json!("EST5EDT4,M3.2.0"), 422, "unknown-time-zone"),
        ("to", json!("2026-10-01"), 422, "invalid-query"),
        ("to", json!("2026-09-01"), 422, "invalid-query"),
        ("to", json!("9000-01-01"), 422, "invalid-query"),
        // Few enough buckets, too many points.
        ("to", json!("2056-01-01"), 422, "invalid-query"),
        ("from", json!("soon"), 422, "invalid-query"),
        ("granularity", json!("fortnight"), 422, "invalid-query"),
        ("colour", json!("red"), 422, "invalid-query"),
    ] {
        let mut question = question();
        if value == "2056-01-01" {
            question["metrics"] = json!(["orders", "revenue", "refunds", "tax", "shipping"]);
        }
        question[field] = value;
        ask(post(&bundle, "/v1/query", &acme.token, &question)).await.problem(status, code);
    }
    let request =
        bundle.client.post(bundle.url("/v1/query")).bearer_auth(&acme.token).header("content-type", "application/json");
    ask(request.try_clone().unwrap().body("{")).await.problem(400, "malformed-body");
    ask(request.body(" ".repeat(65 * 1024))).await.problem(413, "body-too-large");
}
