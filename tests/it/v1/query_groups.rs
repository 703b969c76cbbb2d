//! Groups of `/v1/query`: their order, pages, the rest of the greatest, conditions, workspaces, and money that is converted.

use serde_json::{Value, json};
use uuid::Uuid;

use super::query::define;
use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

/// A purchase on 5 October 2026 at noon.
fn order(store_id: &str, value: &str, dimensions: &Value) -> Value {
    json!({"id": Uuid::new_v4(), "metric": "orders", "store_id": store_id, "value": value,
           "recorded_at": "2026-10-05T12:00:00Z", "dimensions": dimensions})
}

async fn send(bundle: &Bundle, tenant: &Tenant, events: &[Value]) {
    let receipt = ask(post(bundle, "/v1/events", &tenant.token, &json!(events))).await.ok();
    assert_eq!(receipt["accepted"], events.len(), "{receipt}");
}

async fn query(bundle: &Bundle, tenant: &Tenant, fields: &Value) -> Value {
    let mut question = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01", "granularity": "none"});
    question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ask(post(bundle, "/v1/query", &tenant.token, &question)).await.ok()
}

/// Group, or whether it is the rest, and value of each series.
fn summary(answer: &Value) -> Value {
    let series = answer["series"].as_array().unwrap().iter();
    series
        .map(|series| json!([series.get("other").unwrap_or(&series["group"]), series["points"][0]["value"]]))
        .collect()
}

#[tokio::test]
async fn groups_come_by_their_values_or_a_total_and_in_pages() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let store = &acme.store_id;
    let values = [json!("b"), json!("B"), json!("é"), json!(10), json!(9), json!("10"), json!(true), json!(false)];
    let mut events: Vec<Value> = values.iter().map(|value| order(store, "1", &json!({"tag": value}))).collect();
    events.push(order(store, "5", &json!({})));
    events.push(order(store, "2", &json!({"tag": 9})));
    send(&bundle, &acme, &events).await;

    let by_value = query(&bundle, &acme, &json!({"group_by": ["tag"]})).await;
    let tags: Vec<&Value> =
        by_value["series"].as_array().unwrap().iter().map(|series| &series["group"]["tag"]).collect();
    let expected = json!([null, "10", "B", "b", "é", 9, 10, false, true]);
    assert_eq!(json!(tags), expected);
    assert_eq!(by_value["meta"], json!({"source": "events"}));

    let backwards = json!({"group_by": ["tag"], "order_by": {"dimension": "tag", "direction": "desc"}});
    let tags = query(&bundle, &acme, &backwards).await["series"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|one| one["group"]["tag"].clone())
        .collect::<Vec<_>>();
    assert_eq!(json!(tags), expected);

    // By a total, equal ones by their values; page by page, while one is added that was to come before.
    let mut question = json!({"group_by": ["tag"], "order_by": {"metric": "orders"}, "limit": 4});
    let first = query(&bundle, &acme, &question).await;
    assert_eq!(
        summary(&first),
        json!([[{"tag": null}, "5"], [{"tag": 9}, "3"], [{"tag": "10"}, "1"], [{"tag": "B"}, "1"]])
    );
    send(&bundle, &acme, &[order(store, "1", &json!({"tag": "A"})), order(store, "7", &json!({"tag": 10}))]).await;
    question["cursor"] = first["next_cursor"].clone();
    let second = query(&bundle, &acme, &question).await;
    assert_eq!(
        summary(&second),
        json!([[{"tag": "b"}, "1"], [{"tag": "é"}, "1"], [{"tag": false}, "1"], [{"tag": true}, "1"]])
    );
    assert_eq!(second["next_cursor"], Value::Null);
    question["cursor"] = json!("bm90IG91cnM");
    question["metrics"] = json!(["orders"]);
    question["from"] = json!("2026-10-01");
    question["to"] = json!("2026-11-01");
    ask(post(&bundle, "/v1/query", &acme.token, &question)).await.problem(422, "invalid-query");
}

#[tokio::test]
async fn the_rest_of_the_greatest_is_worked_out_anew() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut events = Vec::new();
    for (channel, sessions, orders) in [("web", 100, 4), ("app", 50, 5), ("mail", 10, 5), ("fax", 30, 1)] {
        for (metric, value) in [("sessions", sessions), ("orders", orders)] {
            let mut event = order(&acme.store_id, &value.to_string(), &json!({"channel": channel}));
            event["metric"] = json!(metric);
            events.push(event);
        }
    }
    send(&bundle, &acme, &events).await;
    let fields = json!({"metrics": ["conversion_rate", "sessions"], "group_by": ["channel"],
                        "top": {"n": 2, "by": "sessions", "other": true}, "totals": true});
    let answer = query(&bundle, &acme, &fields).await;
    assert_eq!(
        summary(&answer),
        json!([
            [{"channel": "web"}, "0.040000000000"],
            [{"channel": "app"}, "0.100000000000"],
            // 6 of 40, and not the average of 0.5 and 0.033.
            [true, "0.150000000000"],
            [{"channel": "web"}, "100"],
            [{"channel": "app"}, "50"],
            [true, "40"],
        ])
    );
    assert_eq!((&answer["series"][2]["group"], &answer["series"][2]["total"]), (&json!({}), &json!("0.150000000000")));
    assert_eq!(answer["meta"]["source"], "rollups");
}

#[tokio::test]
async fn conditions_are_true_or_false() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let dimensions = [
        (1, json!({"channel": "web", "n": 5})),
        (2, json!({"channel": "Webshop", "n": "5"})),
        (4, json!({"channel": "a.b", "n": 5.0})),
        (8, json!({"n": true})),
        (16, json!({"channel": "axb\"\\"})),
    ];
    let events: Vec<Value> =
        dimensions.iter().map(|(value, dimensions)| order(&acme.store_id, &value.to_string(), dimensions)).collect();
    send(&bundle, &acme, &events).await;
    for (filter, sum) in [
        (json!({"dimension": "channel", "eq": "web"}), "1"),
        (json!({"dimension": "channel", "in": ["web", "a.b", "no"]}), "5"),
        (json!({"dimension": "channel", "contains": "eb"}), "3"),
        (json!({"dimension": "channel", "contains": "."}), "4"),
        (json!({"dimension": "channel", "contains": "\"\\"}), "16"),
        (json!({"dimension": "channel", "exists": false}), "8"),
        (json!({"not": {"dimension": "channel", "eq": "web"}}), "30"),
        (json!({"not": {"dimension": "channel", "contains": "w"}}), "30"),
        (json!({"not": {"dimension": "n", "contains": "5"}}), "29"),
        (json!({"not": {"dimension": "n", "in": [true, 5]}}), "18"),
        (json!({"dimension": "n", "eq": 5}), "5"),
        (json!({"dimension": "n", "eq": "5"}), "2"),
        (json!({"dimension": "n", "in": [true, "5"]}), "10"),
        (json!({"dimension": "n", "eq": null}), "0"),
        (
            json!({"and": [{"dimension": "n", "exists": true}, {"or": [{"dimension": "channel", "eq": "web"}, {"dimension": "n", "eq": true}]}]}),
            "9",
        ),
    ] {
        let answer = query(&bundle, &acme, &json!({"filter": filter})).await;
        assert_eq!(answer["series"][0]["points"][0]["value"], sum, "{filter}");
    }
}

#[tokio::test]
async fn a_workspace_is_all_of_its_stores() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let mut database = bundle.database().await.unwrap();
    let other: (String, String) = sqlx::query_as(
        "with made as (
           insert into workspaces (org_id, name, slug) values ($1::uuid, 'Other', 'other') returning id
         )
         insert into stores (org_id, workspace_id, name) select $1::uuid, id, 'Other' from made
         returning workspace_id::text, id::text",
    )
    .bind(&acme.org_id)
    .fetch_one(&mut database)
    .await
    .unwrap();
    let empty: String = sqlx::query_scalar(
        "insert into workspaces (org_id, name, slug) values ($1::uuid, 'Empty', 'empty') returning id::text",
    )
    .bind(&acme.org_id)
    .fetch_one(&mut database)
    .await
    .unwrap();
    send(&bundle, &acme, &[order(&acme.store_id, "1", &json!({})), order(&other.1, "2", &json!({}))]).await;
    for (fields, sum) in [
        (json!({}), "3"),
        (json!({"workspace": acme.workspace_id}), "1"),
        (json!({"workspace": other.0}), "2"),
        (json!({"workspace": empty}), "0"),
    ] {
        assert_eq!(query(&bundle, &acme, &fields).await["series"][0]["points"][0]["value"], sum, "{fields}");
    }
    let by_store = query(&bundle, &acme, &json!({"group_by": ["store"], "order_by": {"metric": "orders"}})).await;
    assert_eq!(summary(&by_store), json!([[{"store": other.1}, "2"], [{"store": acme.store_id}, "1"]]));

    let mut question =
        json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01", "workspace": acme.workspace_id});
    ask(post(&bundle, "/v1/query", &bolt.token, &question)).await.problem(404, "unknown-workspace");
    question["workspace"] = json!(Uuid::new_v4());
    ask(post(&bundle, "/v1/query", &acme.token, &question)).await.problem(404, "unknown-workspace");
}

#[tokio::test]
async fn money_is_converted_at_the_rate_of_its_day_in_its_store() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    sqlx::query(
        "insert into exchange_rates (org_id, currency, day, rate) values
           (null, 'USD', '2026-10-04', 1.25), (null, 'USD', '2026-10-05', 2), ($1::uuid, 'USD', '2026-10-05', 1.6),
           (null, 'GBP', '2026-10-05', 0.8)",
    )
    .bind(&acme.org_id)
    .execute(&mut bundle.database().await.unwrap())
    .await
    .unwrap();
    // The store is in New York, where it is the fourth until 04:00Z.
    let events = [
        ("10.00", "USD", "2026-10-05T03:59:59Z"),
        ("16.00", "USD", "2026-10-05T04:00:00Z"),
        ("5.00", "EUR", "2026-10-05T12:00:00Z"),
        ("1.00", "GBP", "2026-10-05T12:00:00Z"),
    ];
    let events: Vec<Value> = events
        .iter()
        .map(|(value, currency, time)| {
            json!({"id": Uuid::new_v4(), "metric": "revenue", "store_id": acme.store_id, "value": value,
                   "currency": currency, "recorded_at": time})
        })
        .chain([order(&acme.store_id, "3", &json!({}))])
        .collect();
    send(&bundle, &acme, &events).await;
    let fields = json!({"metrics": ["revenue", "aov"], "currency": "EUR", "timezone": "Asia/Tokyo"});
    let answer = query(&bundle, &acme, &fields).await;
    // 10 / 1.25 + 16 / 1.6 + 5 + 1 / 0.8, and a third of it for each order.
    assert_eq!(summary(&answer), json!([[{}, "24.25"], [{}, "8.083333333333"]]));
    assert_eq!(answer["series"][0]["currency"], "EUR");
    // 16 stay 16, and the others take the rate of the dollar over their own.
    let dollars = json!({"metrics": ["revenue"], "currency": "USD", "timezone": "Asia/Tokyo"});
    assert_eq!(summary(&query(&bundle, &acme, &dollars).await), json!([[{}, "36"]]));

    let pounds = json!({"metrics": ["revenue"], "currency": "GBP", "from": "2026-10-01", "to": "2026-11-01"});
    let problem = ask(post(&bundle, "/v1/query", &acme.token, &pounds)).await.problem(422, "missing-exchange-rate");
    assert_eq!(problem["detail"], "no exchange rate from USD to GBP on 2026-10-04");
    // What is no money needs no rate.
    assert_eq!(summary(&query(&bundle, &acme, &json!({"currency": "GBP"})).await), json!([[{}, "3"]]));
    let mixed = json!({"metrics": ["revenue"], "group_by": ["store"], "order_by": {"metric": "revenue"},
                       "from": "2026-10-01", "to": "2026-11-01"});
    ask(post(&bundle, "/v1/query", &acme.token, &mixed)).await.problem(422, "invalid-query");
}

#[tokio::test]
async fn only_money_that_a_condition_lets_through_needs_rates() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define(&bundle, &acme.org_id, "median_order", "currency", "percentile", &json!({"percentile": "0.5"})).await;
    sqlx::query("insert into exchange_rates (org_id, currency, day, rate) values (null, 'USD', '2026-10-05', 2)")
        .execute(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
    let events: Vec<Value> =
        [("web", "10.00", "2026-10-05"), ("web", "30.00", "2026-10-05"), ("app", "7.00", "2026-10-06")]
            .iter()
            .flat_map(|(channel, value, day)| {
                ["median_order", "revenue"].map(|metric| {
            json!({"id": Uuid::new_v4(), "metric": metric, "store_id": acme.store_id, "value": value, "currency": "USD",
                       "recorded_at": format!("{day}T12:00:00Z"), "dimensions": {"channel": channel}})
        })
            })
            .collect();
    send(&bundle, &acme, &events).await;
    let fields = |channel: &str| {
        json!({"metrics": ["median_order", "revenue"], "currency": "EUR", "filter": {"dimension": "channel", "eq": channel},
               "from": "2026-10-01", "to": "2026-11-01", "granularity": "none"})
    };
    assert_eq!(summary(&query(&bundle, &acme, &fields("web")).await), json!([[{}, "5"], [{}, "20"]]));
    let problem =
        ask(post(&bundle, "/v1/query", &acme.token, &fields("app"))).await.problem(422, "missing-exchange-rate");
    assert_eq!(problem["detail"], "no exchange rate from USD to EUR on 2026-10-06");
}

/// In St John's, 7 November 2010 was the 6th again from 00:01 to 01:00: 02:30Z was the one and 02:40Z the other.
#[tokio::test]
async fn money_of_two_days_in_one_quarter_hour_has_two_rates() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut database = bundle.database().await.unwrap();
    sqlx::query(
        "insert into exchange_rates (org_id, currency, day, rate)
         values (null, 'USD', '2010-11-06', 2), (null, 'USD', '2010-11-07', 4)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    let zone = sqlx::query("update stores set timezone = 'America/St_Johns' where id = $1::uuid").bind(&acme.store_id);
    zone.execute(&mut database).await.unwrap();
    let events: Vec<Value> = [("8.00", "2010-11-07T02:30:30Z"), ("80.00", "2010-11-07T02:40:00Z")]
        .iter()
        .map(|(value, time)| {
            json!({"id": Uuid::new_v4(), "metric": "revenue", "store_id": acme.store_id, "value": value, "currency": "USD",
                   "recorded_at": time})
        })
        .collect();
    send(&bundle, &acme, &events).await;
    let fields = json!({"metrics": ["revenue"], "currency": "EUR", "from": "2010-11-01", "to": "2010-12-01"});
    assert_eq!(summary(&query(&bundle, &acme, &fields).await), json!([[{}, "42"]]));
}

#[tokio::test]
async fn the_greatest_has_the_places_of_the_event_with_most() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let methods = json!({"rollup_dimensions": ["channel"]});
    define(&bundle, &acme.org_id, "best", "count", "max", &methods).await;
    for (value, hour) in [("5", 6), ("5.00", 9), ("4.5", 10)] {
        let event = json!({"id": Uuid::new_v4(), "metric": "best", "store_id": acme.store_id, "value": value,
                           "recorded_at": format!("2026-10-05T{hour:02}:00:00Z"), "dimensions": {"channel": "web", "seat": "1"}});
        send(&bundle, &acme, &[event]).await;
    }
    for (dimension, source) in [("channel", "rollups"), ("seat", "events")] {
        let fields = json!({"metrics": ["best"], "group_by": [dimension]});
        let answer = query(&bundle, &acme, &fields).await;
        assert_eq!(
            (&answer["series"][0]["points"][0]["value"], &answer["meta"]["source"]),
            (&json!("5.00"), &json!(source))
        );
    }
}

/// What is added up counts, and not from how many days or places.
#[tokio::test]
async fn many_days_and_places_are_no_combinations() {
    const DAYS: u32 = 28;
    const GROUPS: u32 = 170;
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    sqlx::query(
        "insert into exchange_rates (org_id, currency, day, rate)
         select null, 'USD', d::date, 2 from generate_series(date '2026-10-01', '2026-10-31', '1 day') as d",
    )
    .execute(&mut bundle.database().await.unwrap())
    .await
    .unwrap();
    let events: Vec<Value> = (0..DAYS * GROUPS)
        .map(|n| {
            json!({"id": Uuid::new_v4(), "metric": "revenue", "store_id": acme.store_id, "value": "2.00", "currency": "USD",
                   "recorded_at": format!("2026-10-{:02}T12:00:00Z", 1 + n % DAYS),
                   "dimensions": {"customer": format!("customer {}", n / DAYS)}})
        })
        .collect();
    send(&bundle, &acme, &events).await;
    let fields = json!({"metrics": ["revenue"], "group_by": ["customer"], "granularity": "none", "currency": "EUR",
                        "from": "2026-10-01", "to": "2026-11-01", "limit": 1});
    let asked = json!({"queries": vec![fields; 50]});
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &asked)).await.ok();
    assert_eq!(answer["results"][49]["series"][0]["points"][0]["value"], "28");
}
