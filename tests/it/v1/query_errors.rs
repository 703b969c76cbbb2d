//! An example of everything that `POST /v1/query` refuses: the problem, and what it says.

use serde_json::{Value, json};
use uuid::Uuid;

use super::query::define;
use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

/// Fields of a question that is fine but for them, and what is said of it.
type Example = (Value, u16, &'static str, &'static str);

fn invalid(fields: Value, phrase: &'static str) -> Example {
    (fields, 422, "invalid-query", phrase)
}

fn question(fields: &Value) -> Value {
    let mut question = json!({"metrics": ["orders", "revenue"], "from": "2026-10-01", "to": "2026-11-01"});
    for (field, value) in fields.as_object().unwrap() {
        question[field] = value.clone();
    }
    question
}

async fn all_refused(bundle: &Bundle, acme: &Tenant, examples: Vec<Example>) {
    let mut otherwise = Vec::new();
    for (fields, status, code, phrase) in examples {
        let answer = ask(post(bundle, "/v1/query", &acme.token, &question(&fields))).await;
        let said: Value = serde_json::from_str(&answer.text).unwrap();
        let is_said = said["detail"].as_str().is_some_and(|detail| detail.contains(phrase));
        if answer.status != status || said["type"] != format!("urn:tallyhouse:problem:{code}") || !is_said {
            let text: String = answer.text.chars().take(300).collect();
            otherwise.push(format!(
                "{:.200}\n  {status} {code} {phrase:?}: {} {text}",
                fields.to_string(),
                answer.status
            ));
        } else {
            answer.problem(status, code);
        }
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
}

#[tokio::test]
async fn what_is_asked_for_must_be_there() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let many = |count: usize| (0..count).map(|_| json!(Uuid::new_v4())).collect::<Value>();
    all_refused(
        &bundle,
        &acme,
        vec![
            (json!({"metrics": ["nope"]}), 422, "unknown-metric", "nope"),
            (json!({"stores": [bolt.store_id]}), 404, "unknown-store", ""),
            (json!({"stores": [acme.store_id, Uuid::new_v4()]}), 404, "unknown-store", ""),
            (json!({"workspace": bolt.workspace_id}), 404, "unknown-workspace", ""),
            (json!({"workspace": Uuid::new_v4()}), 404, "unknown-workspace", ""),
            (json!({"timezone": "Mars/Olympus"}), 422, "unknown-time-zone", "Mars/Olympus"),
            (json!({"timezone": "EST5EDT4,M3.2.0"}), 422, "unknown-time-zone", "EST5EDT4"),
            invalid(json!({"metrics": null}), "expected a sequence"),
            invalid(json!({"metrics": []}), "metrics"),
            invalid(json!({"metrics": "orders"}), "expected a sequence"),
            invalid(json!({"metrics": many(21)}), "metrics"),
            invalid(json!({"metrics": ["orders", "revenue", "orders"]}), "`metrics` names something twice"),
            invalid(json!({"stores": []}), "stores"),
            invalid(json!({"stores": many(1_001)}), "stores"),
            invalid(json!({"stores": ["nowhere"]}), "UUID"),
            invalid(json!({"workspace": "nowhere"}), "UUID"),
            invalid(json!({"colour": "red"}), "colour"),
        ],
    )
    .await;
}

#[tokio::test]
async fn ranges_and_buckets_must_make_sense() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    all_refused(
        &bundle,
        &acme,
        vec![
            invalid(json!({"from": null}), "expected a string"),
            invalid(json!({"to": null}), "expected a string"),
            invalid(json!({"from": "soon"}), "from"),
            invalid(json!({"from": "2026-02-30"}), "from"),
            invalid(json!({"from": "2026-10-01T00:07:00"}), "quarter"),
            invalid(json!({"to": "2026-11-01T00:00:01Z"}), "quarter"),
            invalid(json!({"to": "2026-10-01"}), "to"),
            invalid(json!({"to": "2026-09-01"}), "to"),
            invalid(json!({"granularity": "fortnight"}), "fortnight"),
            invalid(json!({"granularity": "week", "week_start": "someday"}), "someday"),
            invalid(json!({"granularity": "day", "week_start": "sunday"}), "week_start"),
            invalid(json!({"fill": "linear"}), "linear"),
            invalid(json!({"totals": "yes"}), "expected a boolean"),
            // 31 years of days.
            invalid(json!({"to": "2057-11-01"}), "11000 buckets"),
            invalid(json!({"granularity": "15m", "to": "2027-02-01"}), "11000 buckets"),
            invalid(
                json!({"metrics": ["orders", "revenue", "refunds", "tax", "shipping"], "to": "2056-01-01"}),
                "50000",
            ),
            invalid(json!({"compare": "last_week"}), "last_week"),
            invalid(json!({"compare": {"from": "2026-09-01"}}), "compare"),
            invalid(json!({"compare": {"from": "2026-09-01", "to": "2026-08-01"}}), "compare"),
            invalid(json!({"compare": {"period": "previous_year", "align": "month"}}), "month"),
            invalid(json!({"compare": {"period": "previous_period", "align": "weekday"}}), "align"),
            invalid(json!({"cumulative": "yes"}), "expected a boolean"),
            invalid(json!({"cumulative": true, "metrics": ["aov"]}), "aov"),
            invalid(json!({"cumulative": true, "metrics": ["orders", "inventory_level"]}), "inventory_level"),
        ],
    )
    .await;
}

#[tokio::test]
async fn groups_and_conditions_must_make_sense() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let web = || json!({"dimension": "channel", "eq": "web"});
    let deep = (0..8).fold(web(), |condition, _| json!({"not": condition}));
    let by_channel = |fields: Value| {
        let mut all = json!({"group_by": ["channel"]});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        all
    };
    all_refused(
        &bundle,
        &acme,
        vec![
            invalid(json!({"group_by": "channel"}), "expected a sequence"),
            invalid(json!({"group_by": ["a", "b", "c", "d"]}), "group_by"),
            invalid(json!({"group_by": ["a", "a"]}), "group_by"),
            invalid(json!({"filter": {}}), "filter"),
            invalid(json!({"filter": {"dimension": "store", "eq": acme.store_id}}), "stores"),
            invalid(json!({"filter": {"dimension": "channel"}}), "filter"),
            invalid(json!({"filter": {"dimension": "channel", "eq": "web", "in": ["web"]}}), "filter"),
            invalid(json!({"filter": {"dimension": "channel", "like": "w%"}}), "filter"),
            invalid(json!({"filter": {"eq": "web"}}), "filter"),
            invalid(json!({"filter": {"dimension": "channel", "in": []}}), "1 to 100 values"),
            invalid(json!({"filter": {"dimension": "channel", "in": (0..101).collect::<Vec<_>>()}}), "1 to 100 values"),
            invalid(json!({"filter": {"dimension": "channel", "eq": ["web"]}}), "filter"),
            invalid(json!({"filter": {"dimension": "channel", "contains": 5}}), "filter"),
            invalid(json!({"filter": {"dimension": "channel", "exists": "yes"}}), "filter"),
            invalid(json!({"filter": {"and": []}}), "filter"),
            invalid(json!({"filter": {"and": vec![web(); 51]}}), "50"),
            invalid(json!({"filter": deep}), "8"),
            invalid(json!({"top": {"n": 5}}), "group_by"),
            invalid(by_channel(json!({"top": {"n": 0}})), "top"),
            invalid(by_channel(json!({"top": {"n": 101}})), "top"),
            invalid(by_channel(json!({"top": {}})), "missing field `n`"),
            invalid(by_channel(json!({"top": {"n": 5, "by": "refunds"}})), "`by`"),
            invalid(by_channel(json!({"top": {"n": 5, "rest": true}})), "rest"),
            invalid(by_channel(json!({"top": {"n": 5}, "limit": 10})), "limit"),
            invalid(by_channel(json!({"order_by": {"metric": "refunds"}})), "`order_by`"),
            invalid(by_channel(json!({"order_by": {"dimension": "region"}})), "`order_by`"),
            invalid(by_channel(json!({"order_by": {"metric": "orders", "direction": "up"}})), "`up`"),
            invalid(by_channel(json!({"order_by": {"metric": "orders", "dimension": "channel"}})), "order_by"),
            invalid(by_channel(json!({"order_by": {}})), "order_by"),
            invalid(by_channel(json!({"limit": 0})), "limit"),
            invalid(by_channel(json!({"limit": 1_001})), "limit"),
            invalid(by_channel(json!({"limit": 10, "cursor": "nowhere"})), "cursor"),
        ],
    )
    .await;
}

async fn send(bundle: &Bundle, acme: &Tenant, events: &[(&str, &str, Option<&str>, &str, &str)]) {
    let events: Value = events
        .iter()
        .map(|(metric, value, currency, at, channel)| {
            json!({"id": Uuid::new_v4(), "metric": metric, "store_id": acme.store_id, "value": value, "currency": currency,
                   "recorded_at": at, "dimensions": {"channel": channel}})
        })
        .collect();
    let receipt = ask(post(bundle, "/v1/events", &acme.token, &events)).await.ok();
    assert_eq!(receipt["rejected"], 0, "{receipt}");
}

#[tokio::test]
async fn what_the_data_does_not_allow_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define(&bundle, &acme.org_id, "users", "count", "distinct", &json!({"distinct_dimension": "user"})).await;
    send(
        &bundle,
        &acme,
        &[
            ("revenue", "1", Some("USD"), "2026-10-05T10:00:00Z", "web"),
            ("revenue", "1", Some("GBP"), "2026-10-06T02:00:00Z", "app"),
        ],
    )
    .await;
    let group = json!(["channel"]);
    all_refused(
        &bundle,
        &acme,
        vec![
            invalid(json!({"currency": "XYZ"}), "ISO 4217"),
            invalid(json!({"currency": "usd"}), "currency"),
            // The day in New York.
            (json!({"currency": "USD"}), 422, "missing-exchange-rate", "2026-10-05"),
            (json!({"currency": "USD"}), 422, "missing-exchange-rate", "GBP"),
            invalid(json!({"metrics": ["revenue"], "group_by": group, "top": {"n": 1}}), "currency"),
            invalid(json!({"group_by": group, "order_by": {"metric": "revenue"}}), "currency"),
            // What is answered from events: too long a range, and longer ago than they are kept.
            invalid(json!({"metrics": ["users"], "from": "2025-08-01"}), "400 days"),
            invalid(json!({"group_by": ["user"], "from": "2025-08-01"}), "400 days"),
            invalid(json!({"filter": {"dimension": "user", "exists": true}, "from": "2025-08-01"}), "400 days"),
        ],
    )
    .await;
    let closed = "select app.close_organization($1::uuid, '2026-02-01', true)";
    let query = sqlx::query_scalar(closed).bind(&acme.org_id);
    let is_done: bool = query.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
    assert!(is_done);
    let ago = json!({"metrics": ["users"], "from": "2026-01-31", "to": "2026-02-03"});
    all_refused(&bundle, &acme, vec![invalid(ago, "2026-02-01")]).await;
}

#[tokio::test]
async fn one_question_of_several_that_cannot_be_answered_is_named() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let good = question(&json!({}));
    for (body, phrase) in [
        (json!({"queries": []}), "queries"),
        (json!({"queries": vec![good.clone(); 51]}), "queries"),
        (json!({"queries": "all"}), "queries"),
        (json!({"queries": [good], "metrics": ["orders"]}), "queries"),
        (json!({"queries": [good, good, good, question(&json!({"fill": "linear"}))]}), "queries[3]"),
        (json!({"queries": [good, question(&json!({"cumulative": true, "metrics": ["aov"]}))]}), "queries[1]"),
        (json!({"queries": [good, {"queries": [good]}]}), "queries[1]"),
    ] {
        let problem = ask(post(&bundle, "/v1/query", &acme.token, &body)).await.problem(422, "invalid-query");
        assert!(problem["detail"].as_str().unwrap().contains(phrase), "{phrase}: {problem}");
    }
    let body = json!({"queries": [good, question(&json!({"metrics": ["nope"]}))]});
    let problem = ask(post(&bundle, "/v1/query", &acme.token, &body)).await.problem(422, "unknown-metric");
    assert!(problem["detail"].as_str().unwrap().contains("queries[1]"), "{problem}");
}

#[tokio::test]
async fn what_a_request_takes_has_bounds() {
    const CUSTOMERS: u32 = 4_100;
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    define(&bundle, &acme.org_id, "users", "count", "distinct", &json!({"distinct_dimension": "user"})).await;
    for metric in ["orders", "users"] {
        let events: Value = (0..CUSTOMERS)
            .map(|user| {
                json!({"id": format!("{metric}-{user}"), "metric": metric, "store_id": acme.store_id, "value": "1",
                       "recorded_at": "2026-10-05T10:00:00Z", "dimensions": {"user": user}})
            })
            .collect();
        let receipt = ask(post(&bundle, "/v1/events", &acme.token, &events)).await.ok();
        assert_eq!(receipt["accepted"], CUSTOMERS, "{receipt}");
    }
    let stores = "insert into stores (org_id, workspace_id, name)
                  select $1::uuid, $2::uuid, n::text from generate_series(2, 2001) as n";
    let stores = sqlx::query(stores).bind(&bolt.org_id).bind(&bolt.workspace_id);
    stores.execute(&mut bundle.database().await.unwrap()).await.unwrap();

    let grouped =
        |metric: &str| question(&json!({"metrics": [metric], "group_by": ["user"], "granularity": "none", "limit": 1}));
    let of_all = question(&json!({"metrics": ["orders", "sessions"], "granularity": "none"}));
    for (tenant, query, fewer, phrase) in [
        (&acme, grouped("orders"), 40, "200000 combinations of groups and buckets"),
        (&acme, grouped("users"), 20, "200000 combinations of groups and buckets"),
        (&bolt, of_all, 40, "200000 combinations of stores and metrics"),
    ] {
        let asked = json!({"queries": vec![query.clone(); 50]});
        let problem = ask(post(&bundle, "/v1/query", &tenant.token, &asked)).await.problem(422, "invalid-query");
        assert!(problem["detail"].as_str().unwrap().contains(phrase), "{problem}");
        ask(post(&bundle, "/v1/query", &tenant.token, &json!({"queries": vec![query; fewer]}))).await.ok();
    }
}

#[tokio::test]
async fn a_product_of_very_many_digits_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (key, factors) in [("sixth", 6), ("seventh", 7)] {
        let formula = vec!["orders"; factors].join(" * ");
        define(&bundle, &acme.org_id, key, "count", "formula", &json!({"formula": formula})).await;
    }
    let largest = "9".repeat(30);
    send(&bundle, &acme, &[("orders", &largest, None, "2026-10-05T10:00:00Z", "web")]).await;
    let sixth = question(&json!({"metrics": ["sixth"], "granularity": "none"}));
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &sixth)).await.ok();
    assert_eq!(answer["series"][0]["points"][0]["value"].as_str().unwrap().len(), 180);
    let seventh = json!({"metrics": ["seventh"]});
    let asked = json!({"queries": [sixth, question(&seventh)]});
    let problem = ask(post(&bundle, "/v1/query", &acme.token, &asked)).await.problem(422, "invalid-query");
    assert!(problem["detail"].as_str().unwrap().starts_with("queries[1]: a value of seventh has"), "{problem}");
    all_refused(&bundle, &acme, vec![invalid(seventh, "seventh has more than 200 digits")]).await;
}

#[tokio::test]
async fn a_cursor_is_of_its_own_question() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let orders = |channel| ("orders", "1", None, "2026-10-05T10:00:00Z", channel);
    send(&bundle, &acme, &[orders("web"), orders("app")]).await;
    let mut first = question(&json!({"group_by": ["channel"], "limit": 1}));
    let cursor = ask(post(&bundle, "/v1/query", &acme.token, &first)).await.ok()["next_cursor"].clone();
    assert!(cursor.is_string());
    first["cursor"] = cursor;
    ask(post(&bundle, "/v1/query", &acme.token, &first)).await.ok();
    first["metrics"] = json!(["orders"]);
    let problem = ask(post(&bundle, "/v1/query", &acme.token, &first)).await.problem(422, "invalid-query");
    assert!(problem["detail"].as_str().unwrap().contains("cursor"), "{problem}");
}
