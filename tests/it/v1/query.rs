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

/// One event of a store on a day of October 2026, at noon.
fn event(store_id: &str, metric: &str, value: u32, currency: Option<&str>, day: u32) -> Value {
    json!({"id": Uuid::new_v4(), "metric": metric, "store_id": store_id, "value": value, "currency": currency,
           "recorded_at": format!("2026-10-{day:02}T12:00:00Z")})
}

async fn send(bundle: &Bundle, tenant: &Tenant, events: &[Value]) {
    let receipt = ask(post(bundle, "/v1/events", &tenant.token, &json!(events))).await.ok();
    assert_eq!(receipt["accepted"], events.len(), "{receipt}");
}

/// A definition of an organization's own, as its owner would write it.
pub(super) async fn define(bundle: &Bundle, org_id: &str, key: &str, unit: &str, method: &str, metadata: &Value) {
    sqlx::query(
        "insert into metric_definitions (org_id, key, display_name, unit, aggregation_method, category, metadata)
         values ($1::uuid, $2, $2, $3, $4, 'own', $5::jsonb)",
    )
    .bind(org_id)
    .bind(key)
    .bind(unit)
    .bind(method)
    .bind(metadata.to_string())
    .execute(&mut bundle.database().await.unwrap())
    .await
    .unwrap();
}

/// A quotient as the API writes it, rounded to 12 places by integers; none over nothing.
fn quotient(numerator: u32, denominator: u32) -> Value {
    const ONE: u64 = 1_000_000_000_000;
    let (numerator, denominator) = (u64::from(numerator), u64::from(denominator));
    if denominator == 0 {
        return Value::Null;
    }
    let rounded = (2 * numerator * ONE + denominator) / (2 * denominator);
    json!(format!("{}.{:012}", rounded / ONE, rounded % ONE))
}

/// Values of the points of a series.
fn values(series: &Value) -> Vec<&Value> {
    series["points"].as_array().unwrap().iter().map(|point| &point["value"]).collect()
}

/// Metric, currency, the first point's value and the total of each series.
fn summary(answer: &Value) -> Value {
    let series = answer["series"].as_array().unwrap().iter();
    series.map(|series| json!([series["metric"], series["currency"], values(series)[0], series["total"]])).collect()
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
        json!([
            ["2.500000000000", null, "2.500000000000"],
            ["1.0", null, "1.0"],
            ["4.5", null, "4.5"],
            ["3", "0", "3"],
        ])
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
            "metrics": ["orders"], "stores": null, "workspace": null, "from": "2026-10-01T00:00:00",
            "to": "2026-11-01T00:00:00", "granularity": "day", "week_start": null, "timezone": "UTC", "currency": null,
            "group_by": [], "filter": null, "top": null, "order_by": null, "limit": null, "cursor": null,
            "fill": "zero", "cumulative": false, "totals": false, "compare": null,
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
    ask(request.body(" ".repeat(257 * 1024))).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn a_ratio_is_divided_after_its_sides_are_summed() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Revenue and orders of 5 to 9 October: the average of the daily ratios would be another number than the total.
    let days = [(5, 100, 1), (6, 100, 3), (7, 50, 0), (8, 0, 2), (9, 0, 0)];
    let mut events = Vec::new();
    for (day, revenue, orders) in days {
        events.push(event(&acme.store_id, "revenue", revenue, None, day));
        for _ in 0..orders {
            events.push(event(&acme.store_id, "orders", 1, None, day));
        }
    }
    send(&bundle, &acme, &events).await;
    let daily: Vec<Value> = days.iter().map(|(_, revenue, orders)| quotient(*revenue, *orders)).collect();
    let total = quotient(days.iter().map(|day| day.1).sum(), days.iter().map(|day| day.2).sum());
    assert_eq!((&daily[1], &daily[2], &total), (&json!("33.333333333333"), &Value::Null, &json!("41.666666666667")));

    // From the store's own days, and from quarter hours.
    for zone in ["America/New_York", "UTC"] {
        let mut question = json!({"metrics": ["aov", "orders"], "from": "2026-10-05", "to": "2026-10-10", "timezone": zone, "totals": true});
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
        let (aov, orders) = (&answer["series"][0], &answer["series"][1]);
        // Revenue was not asked for.
        assert_eq!(answer["series"].as_array().unwrap().len(), 2, "{answer}");
        assert_eq!(
            (&aov["metric"], &aov["unit"], &aov["currency"]),
            (&json!("aov"), &json!("currency"), &json!("USD"))
        );
        assert_eq!((values(aov), &aov["total"]), (daily.iter().collect(), &total));
        assert_eq!(
            (values(orders), &orders["total"]),
            (
                vec!["1", "3", "0", "2", "0"].into_iter().map(Value::from).collect::<Vec<_>>().iter().collect(),
                &json!("6")
            )
        );

        question["granularity"] = json!("week");
        question["metrics"] = json!(["aov"]);
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
        assert_eq!((values(&answer["series"][0]), &answer["series"][0]["total"]), (vec![&total], &total));
    }
}

#[tokio::test]
async fn a_large_quotient_has_its_twelve_places() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define(&bundle, &acme.org_id, "mean", "count", "avg", &json!({})).await;
    define(&bundle, &acme.org_id, "share", "ratio", "formula", &json!({"formula": "clicks / impressions"})).await;
    let large = |metric: &str, value: &str| {
        json!({"id": Uuid::new_v4(), "metric": metric, "store_id": acme.store_id, "value": value,
               "recorded_at": "2026-10-05T12:00:00Z"})
    };
    let clicks = "1000000000000000000";
    let mut events = vec![large("clicks", clicks), large("impressions", "3"), large("mean", clicks)];
    events.extend([large("mean", "0"), large("mean", "0")]);
    send(&bundle, &acme, &events).await;
    let question = json!({"metrics": ["ctr", "share", "mean"], "from": "2026-10-05", "to": "2026-10-06", "totals": true,
                          "compare": {"from": "2026-10-05", "to": "2026-10-06"}});
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    let third = json!("333333333333333333.333333333333");
    for series in answer["series"].as_array().unwrap() {
        assert_eq!((values(series), &series["total"]), (vec![&third], &third), "{}", series["metric"]);
    }
}

#[tokio::test]
async fn a_ratio_keeps_currencies_apart() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define(
        &bundle,
        &acme.org_id,
        "clicks_per_spend",
        "ratio",
        "ratio",
        &json!({"numerator": "clicks", "denominator": "ad_spend"}),
    )
    .await;
    let store = &acme.store_id;
    let (usd, eur, gbp) = (Some("USD"), Some("EUR"), Some("GBP"));
    let mut question = json!({"metrics": ["aov", "refund_rate", "ctr", "clicks_per_spend", "cpc"], "from": "2026-10-01",
                              "to": "2026-11-01", "granularity": "month", "totals": true});
    // Nothing at all: no currency, and nothing to divide by.
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    let nothing = |metric| json!([metric, null, null, null]);
    assert_eq!(summary(&answer), json!(["aov", "refund_rate", "ctr", "clicks_per_spend", "cpc"].map(nothing)));

    send(
        &bundle,
        &acme,
        &[
            event(store, "revenue", 100, usd, 5),
            event(store, "revenue", 50, eur, 6),
            event(store, "orders", 3, None, 5),
            event(store, "refunds", 5, usd, 7),
            event(store, "refunds", 1, gbp, 7),
            event(store, "clicks", 4, None, 5),
            event(store, "impressions", 16, None, 5),
            event(store, "ad_spend", 8, eur, 5),
        ],
    )
    .await;
    let twice = |metric, currency, value: Value| json!([metric, currency, value, value]);
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    assert_eq!(
        summary(&answer),
        json!([
            // Whose orders the three are, nobody knows.
            twice("aov", json!("EUR"), Value::Null),
            twice("aov", json!("USD"), Value::Null),
            twice("refund_rate", json!("EUR"), quotient(0, 50)),
            twice("refund_rate", json!("GBP"), Value::Null),
            twice("refund_rate", json!("USD"), quotient(5, 100)),
            twice("ctr", Value::Null, quotient(4, 16)),
            twice("clicks_per_spend", json!("EUR"), quotient(4, 8)),
            twice("cpc", json!("EUR"), quotient(8, 4)),
        ])
    );

    // Where there is one currency there is a quotient.
    question["to"] = json!("2026-10-06");
    question["metrics"] = json!(["aov"]);
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    assert_eq!(summary(&answer), json!([twice("aov", json!("USD"), quotient(100, 3))]));
}

#[tokio::test]
async fn a_metric_that_was_money_once_is_no_plain_side() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define(&bundle, &acme.org_id, "points", "currency", "sum", &json!({})).await;
    send(
        &bundle,
        &acme,
        &[event(&acme.store_id, "points", 7, Some("USD"), 5), event(&acme.store_id, "orders", 2, None, 5)],
    )
    .await;
    // Nothing refused that before.
    let change = "alter table metric_definitions disable trigger metric_definitions_follow;
                  update metric_definitions set unit = 'count' where key = 'points';
                  alter table metric_definitions enable trigger metric_definitions_follow";
    sqlx::raw_sql(change).execute(&mut bundle.database().await.unwrap()).await.unwrap();
    define(
        &bundle,
        &acme.org_id,
        "points_per_order",
        "ratio",
        "ratio",
        &json!({"numerator": "points", "denominator": "orders"}),
    )
    .await;
    send(&bundle, &acme, &[event(&acme.store_id, "points", 6, None, 6)]).await;
    let mut question =
        json!({"metrics": ["points_per_order"], "from": "2026-10-05", "to": "2026-10-07", "totals": true});
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    assert_eq!(summary(&answer), json!([["points_per_order", null, null, null]]));
    question["metrics"] = json!(["points"]);
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    assert_eq!(summary(&answer), json!([["points", null, "0", "6"], ["points", "USD", "7", "7"]]));
}

#[tokio::test]
async fn levels_are_added_over_stores_and_places_and_never_over_time() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let other: String = sqlx::query_scalar(
        "insert into stores (org_id, workspace_id, name, timezone) values ($1::uuid, $2::uuid, 'Other', 'America/New_York')
         returning id::text",
    )
    .bind(&acme.org_id)
    .bind(&acme.workspace_id)
    .fetch_one(&mut bundle.database().await.unwrap())
    .await
    .unwrap();
    // Told late and out of order; 13 and 12 are of one instant.
    let levels = [
        (&acme.store_id, "north", 20, "2026-10-05T18:00:00Z"),
        (&acme.store_id, "north", 30, "2026-10-05T12:00:00Z"),
        (&acme.store_id, "south", 13, "2026-10-05T15:07:00Z"),
        (&acme.store_id, "south", 12, "2026-10-05T15:07:00Z"),
        (&other, "north", 400, "2026-10-05T10:00:00Z"),
        (&acme.store_id, "north", 15, "2026-10-07T10:00:00Z"),
        (&acme.store_id, "north", 16, "2026-10-07T09:59:00Z"),
    ];
    for (store_id, location, value, time) in levels {
        let event = json!({"id": Uuid::new_v4(), "metric": "inventory_level", "store_id": store_id, "value": value,
                           "recorded_at": time, "dimensions": {"location": location, "shelf": value}});
        send(&bundle, &acme, &[event]).await;
    }
    for zone in ["America/New_York", "UTC"] {
        let mut question = json!({"metrics": ["inventory_level"], "from": "2026-10-05", "to": "2026-10-08", "timezone": zone, "totals": true});
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
        let series = &answer["series"][0];
        assert_eq!(json!(values(series)), json!(["433", null, "15"]), "{zone}");
        assert_eq!(series["total"], "428", "15 north, 13 south, 400 in the other store");
        question["granularity"] = json!("none");
        question["stores"] = json!([acme.store_id]);
        let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
        assert_eq!(summary(&answer), json!([["inventory_level", null, "28", "28"]]), "{zone}");
    }

    // A side of a ratio is the level too.
    let sides = json!({"numerator": "orders", "denominator": "inventory_level"});
    define(&bundle, &acme.org_id, "turnover", "ratio", "ratio", &sides).await;
    send(&bundle, &acme, &[event(&acme.store_id, "orders", 7, None, 6), event(&acme.store_id, "orders", 6, None, 7)])
        .await;
    let question = json!({"metrics": ["turnover"], "from": "2026-10-05", "to": "2026-10-08", "totals": true});
    let series = &ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok()["series"][0];
    assert_eq!(json!(values(series)), json!([quotient(0, 433), null, quotient(6, 15)]));
    assert_eq!(series["total"], quotient(13, 428));
}

#[tokio::test]
async fn a_ratio_follows_an_organizations_own_definition_of_a_side() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    // To Acme an event of orders is one order, whatever its value.
    define(&bundle, &acme.org_id, "orders", "count", "count", &json!({})).await;
    for (tenant, orders) in [(&acme, 1), (&bolt, 5)] {
        let store = &tenant.store_id;
        send(&bundle, tenant, &[event(store, "revenue", 120, None, 5), event(store, "orders", 5, None, 5)]).await;
        let question = json!({"metrics": ["aov"], "from": "2026-10-05", "to": "2026-10-06", "totals": true});
        let answer = ask(post(&bundle, "/v1/query", &tenant.token, &question)).await.ok();
        let aov = quotient(120, orders);
        assert_eq!(summary(&answer), json!([["aov", "USD", aov, aov]]));
    }
    // An own definition of the ratio itself stands before the standard one too, and may be none.
    define(&bundle, &bolt.org_id, "aov", "count", "max", &json!({})).await;
    send(&bundle, &bolt, &[event(&bolt.store_id, "aov", 9, None, 5)]).await;
    let question = json!({"metrics": ["aov"], "from": "2026-10-05", "to": "2026-10-06", "totals": true});
    let answer = ask(post(&bundle, "/v1/query", &bolt.token, &question)).await.ok();
    assert_eq!(summary(&answer), json!([["aov", null, "9", "9"]]));
}

#[tokio::test]
async fn a_ratio_that_broke_says_so() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut database = bundle.database().await.unwrap();
    sqlx::query(
        "insert into metric_definitions (key, display_name, unit, aggregation_method, category)
         values ('visits', 'Visits', 'count', 'sum', 'traffic')",
    )
    .execute(&mut database)
    .await
    .unwrap();
    define(&bundle, &acme.org_id, "rate", "ratio", "ratio", &json!({"numerator": "orders", "denominator": "visits"}))
        .await;
    let question = |metrics: Value| json!({"metrics": metrics, "from": "2026-10-05", "to": "2026-10-06"});
    ask(post(&bundle, "/v1/query", &acme.token, &question(json!(["rate"])))).await.ok();

    // Only the product itself can take a standard metric away.
    sqlx::query("delete from metric_definitions where key = 'visits'").execute(&mut database).await.unwrap();
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question(json!(["orders", "rate"])))).await;
    let problem = answer.problem(422, "invalid-query");
    assert_eq!(problem["detail"], "The ratio rate needs the metric visits, which does not exist.");
    ask(post(&bundle, "/v1/query", &acme.token, &question(json!(["orders"])))).await.ok();
}
