//! `GET`, `PUT` and `DELETE /v1/metrics/{key}`.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tally_core::statements::PUT_METRIC;

use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant, rollup_difference, run, until_waiting};

async fn send(bundle: &Bundle, credential: &str, method: Method, key: &str, body: Option<&Value>) -> Answer {
    let request = bundle.client.request(method, bundle.url(&format!("/v1/metrics/{key}"))).bearer_auth(credential);
    ask(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn put(bundle: &Bundle, credential: &str, key: &str, body: &Value) -> Answer {
    send(bundle, credential, Method::PUT, key, Some(body)).await
}

async fn get(bundle: &Bundle, credential: &str, key: &str) -> Answer {
    send(bundle, credential, Method::GET, key, None).await
}

async fn delete(bundle: &Bundle, credential: &str, key: &str) -> Answer {
    send(bundle, credential, Method::DELETE, key, None).await
}

#[track_caller]
fn assert_removed(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

/// The definition of a metric that was made or replaced.
#[track_caller]
fn defined(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

fn sum(unit: &str) -> Value {
    json!({"display_name": "Own", "unit": unit, "aggregation_method": "sum"})
}

fn with(mut definition: Value, members: &Value) -> Value {
    definition.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    definition
}

fn formula(formula: &str) -> Value {
    with(sum("count"), &json!({"aggregation_method": "formula", "formula": formula}))
}

fn event(tenant: &Tenant, id: &str, metric: &str, value: i64) -> Value {
    json!({
        "id": id, "metric": metric, "store_id": tenant.store_id, "value": value,
        "recorded_at": "2026-10-05T10:00:00Z", "dimensions": {"channel": "web", "country": "DE"}
    })
}

async fn count_in(bundle: &Bundle, tenant: &Tenant, events: &[Value]) {
    let receipt = ask(post(bundle, "/v1/events", &tenant.token, &json!(events))).await.ok();
    assert_eq!(receipt["accepted"], events.len(), "{receipt}");
}

#[tokio::test]
async fn a_definition_is_made_replaced_and_removed() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let made = defined(&put(&bundle, &acme.token, "visits", &sum("count")).await, 201);
    let expected = json!({
        "key": "visits", "display_name": "Own", "description": "", "unit": "count", "aggregation_method": "sum",
        "category": "other", "source": null, "dimensions": [], "standard": false, "rebuilding": false
    });
    assert_eq!(made, expected);
    assert_eq!(get(&bundle, &acme.token, "visits").await.ok(), made);
    get(&bundle, &bolt.token, "visits").await.problem(404, "unknown-definition");
    assert_eq!(defined(&put(&bundle, &acme.token, "visits", &sum("count")).await, 200), made);

    let members = json!({
        "category": "traffic", "source": "pixel", "description": "Seen.\nOnce.", "dimensions": ["channel"],
        "aggregation_method": "percentile", "percentile": "0.95"
    });
    let replaced = defined(&put(&bundle, &acme.token, "visits", &with(sum("count"), &members)).await, 200);
    assert_eq!(replaced, with(expected, &members));
    let listed = ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(&acme.token)).await.ok();
    assert!(listed["metrics"].as_array().unwrap().contains(&replaced), "{listed}");

    for _ in 0..2 {
        assert_removed(&delete(&bundle, &acme.token, "visits").await);
        get(&bundle, &acme.token, "visits").await.problem(404, "unknown-definition");
    }
}

#[tokio::test]
async fn an_own_definition_stands_before_the_standard_one_until_it_goes() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let standard = get(&bundle, &acme.token, "orders").await.ok();
    assert_eq!((&standard["standard"], &standard["display_name"]), (&json!(true), &json!("Orders")));
    defined(&put(&bundle, &acme.token, "orders", &formula("sessions / 2")).await, 201);
    let own = get(&bundle, &acme.token, "orders").await.ok();
    assert_eq!((&own["standard"], &own["formula"]), (&json!(false), &json!("sessions / 2")));
    assert_eq!(get(&bundle, &bolt.token, "orders").await.ok(), standard);
    // It has no events, and a ratio of it has.
    let receipt = ask(post(&bundle, "/v1/events", &acme.token, &json!([event(&acme, "1", "orders", 1)]))).await.ok();
    assert_eq!(receipt["errors"][0]["code"], "derived_metric", "{receipt}");
    assert_removed(&delete(&bundle, &acme.token, "orders").await);
    assert_eq!(get(&bundle, &acme.token, "orders").await.ok(), standard);
    // The standard one stays, whoever asks.
    assert_removed(&delete(&bundle, &acme.token, "orders").await);
    assert_eq!(get(&bundle, &acme.token, "orders").await.ok(), standard);
}

#[tokio::test]
async fn a_dimension_that_is_named_later_does_not_speak_for_closed_months() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut database = bundle.database().await.unwrap();
    let own = |method: &str, dimensions: Value| {
        with(sum("count"), &json!({"aggregation_method": method, "dimensions": dimensions}))
    };
    defined(&put(&bundle, &acme.token, "visits", &own("sum", json!(["channel"]))).await, 201);
    defined(&put(&bundle, &acme.token, "beds", &own("last", json!(["channel"]))).await, 201);
    let events: Vec<Value> = ["2026-01-20", "2026-02-20"]
        .iter()
        .flat_map(|day| ["visits", "beds"].map(|metric| (day, metric)))
        .map(|(day, metric)| {
            let mut event = event(&acme, &format!("{metric}-{day}"), metric, 5);
            event["recorded_at"] = json!(format!("{day}T10:00:00Z"));
            event
        })
        .collect();
    count_in(&bundle, &acme, &events).await;
    let close = "select app.close_organization($1::uuid, '2026-02-01', true)";
    assert!(sqlx::query_scalar::<_, bool>(close).bind(&acme.org_id).fetch_one(&mut database).await.unwrap());

    let mut change = async |dimensions: Value| {
        for (metric, method) in [("visits", "sum"), ("beds", "last")] {
            defined(&put(&bundle, &acme.token, metric, &own(method, dimensions.clone())).await, 200);
        }
        // A closed month, and what is open.
        for _ in 0..2 {
            let rebuild = "select app.rebuild_rollups(1000, 1000000)::text";
            sqlx::query_scalar::<_, String>(rebuild).fetch_one(&mut database).await.unwrap();
        }
        let pending: i64 =
            sqlx::query_scalar("select count(*) from app.rollup_rebuilds").fetch_one(&mut database).await.unwrap();
        assert_eq!(pending, 0);
    };
    let in_germany = async |metric: &str, from: &str, dimension: &str| {
        let question = json!({"metrics": [metric], "from": from, "to": "2026-03-01", "granularity": "none",
                              "filter": {"dimension": dimension, "in": ["DE", "web"]}});
        ask(post(&bundle, "/v1/query", &acme.token, &question)).await
    };
    let value = |answer: Answer| answer.ok()["series"][0]["points"][0]["value"].clone();
    let (closed, open) = ("2026-01-01", "2026-02-01");
    in_germany("visits", closed, "country").await.problem(422, "invalid-query");

    change(json!(["channel", "country"])).await;
    let problem = in_germany("visits", closed, "country").await.problem(422, "invalid-query");
    assert!(problem["detail"].as_str().unwrap().contains("2026-02-01"), "{problem}");
    assert_eq!(value(in_germany("visits", closed, "channel").await), "10");
    assert_eq!(value(in_germany("visits", open, "country").await), "5");
    // A level is told apart by all dimensions: without one of them it would be there twice.
    in_germany("beds", closed, "channel").await.problem(422, "invalid-query");
    assert_eq!(value(in_germany("beds", open, "country").await), "5");

    // What closed months lost, they do not have again; what they kept, they have.
    change(json!(["country"])).await;
    in_germany("visits", closed, "channel").await.problem(422, "invalid-query");
    change(json!(["channel"])).await;
    in_germany("visits", closed, "channel").await.problem(422, "invalid-query");
    assert_eq!(value(in_germany("visits", open, "channel").await), "5");
    assert_eq!(value(in_germany("beds", open, "channel").await), "5");
}

#[tokio::test]
async fn only_who_manages_the_organization_writes_definitions() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let key = acme.api_key(&bundle, &["events:write", "metrics:read"], None).await.unwrap();
    assert_eq!(get(&bundle, &key, "orders").await.ok()["key"], "orders");
    put(&bundle, &key, "visits", &sum("count")).await.problem(403, "forbidden");
    delete(&bundle, &key, "visits").await.problem(403, "forbidden");
    for (role, may) in [("admin", true), ("member", false), ("viewer", false)] {
        sqlx::query("update org_members set role = $1::org_role")
            .bind(role)
            .execute(&mut owner(&bundle).await)
            .await
            .unwrap();
        get(&bundle, &acme.token, "orders").await.ok();
        let (made, removed) =
            (put(&bundle, &acme.token, "visits", &sum("count")).await, delete(&bundle, &acme.token, "visits").await);
        if may {
            defined(&made, 201);
            assert_removed(&removed);
        } else {
            made.problem(403, "forbidden");
            removed.problem(403, "forbidden");
        }
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = bundle.client.request(method, bundle.url("/v1/metrics/visits"));
        ask(request).await.problem(401, "missing-credential");
    }
}

/// A connection as the owner of the database, where no trigger asks whether there is an owner left.
async fn owner(bundle: &Bundle) -> PgConnection {
    let mut connection = bundle.database().await.unwrap();
    sqlx::query("set session_replication_role = replica").execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn what_makes_no_sense_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (body, detail) in [
        (formula("orders -"), "The formula is wrong at character 9: a value is needed at the end."),
        (formula("orders / visits"), "The formula m needs the metric visits, which does not exist."),
        (formula("m + 1"), "The formula m stands on itself."),
        (with(formula("orders"), &json!({"unit": "currency"})), "The formula m is no money, since it stands on none."),
        (
            with(sum("ratio"), &json!({"aggregation_method": "ratio", "numerator": "aov", "denominator": "sessions"})),
            "The ratio m of aov (currency) and sessions (count) has the unit currency.",
        ),
    ] {
        let problem = put(&bundle, &acme.token, "m", &body).await.problem(422, "invalid-definition");
        assert_eq!(problem["detail"], detail);
    }
    put(&bundle, &acme.token, "m", &with(sum("count"), &json!({"colour": "red"}))).await.problem(400, "malformed-body");
    put(&bundle, &acme.token, "m", &sum("ratio")).await.problem(422, "invalid-field");
    for key in ["M", "2m", "a-b", &"m".repeat(64)] {
        put(&bundle, &acme.token, key, &sum("count")).await.problem(404, "unknown-definition");
        get(&bundle, &acme.token, key).await.problem(404, "unknown-definition");
        delete(&bundle, &acme.token, key).await.problem(404, "unknown-definition");
    }
    let large = with(sum("count"), &json!({"description": "x".repeat(17_000)}));
    put(&bundle, &acme.token, "m", &large).await.problem(413, "body-too-large");
    assert_eq!(bundle.count("metric_definitions where org_id is not null").await, 0);
}

#[tokio::test]
async fn what_others_stand_on_stays_as_it_is() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    defined(&put(&bundle, &acme.token, "base", &sum("count")).await, 201);
    defined(&put(&bundle, &acme.token, "twice", &formula("base * 2")).await, 201);
    defined(&put(&bundle, &acme.token, "more", &formula("twice + orders")).await, 201);
    let problem = delete(&bundle, &acme.token, "base").await.problem(409, "definition-in-use");
    assert_eq!(problem["detail"], "The formula twice needs the metric base, which does not exist.");
    put(&bundle, &acme.token, "base", &formula("more")).await.problem(422, "invalid-definition");
    put(&bundle, &acme.token, "orders", &sum("currency")).await.problem(409, "definition-in-use");
    for key in ["more", "twice", "base"] {
        assert_removed(&delete(&bundle, &acme.token, key).await);
    }
}

#[tokio::test]
async fn what_events_need_stays_and_all_else_changes() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    defined(&put(&bundle, &acme.token, "visits", &sum("count")).await, 201);
    count_in(&bundle, &acme, &[event(&acme, "1", "visits", 2), event(&acme, "2", "visits", 5)]).await;
    for body in [sum("currency"), formula("orders * 2")] {
        let problem = put(&bundle, &acme.token, "visits", &body).await.problem(409, "definition-in-use");
        assert_eq!(
            problem["detail"],
            "There are events of visits, so it stays a metric with events that are no money."
        );
    }
    delete(&bundle, &acme.token, "visits").await.problem(409, "definition-in-use");
    for members in [
        json!({"aggregation_method": "max"}),
        json!({"aggregation_method": "last"}),
        json!({"aggregation_method": "distinct", "distinct_dimension": "country"}),
        json!({"aggregation_method": "percentile", "percentile": "0.5"}),
    ] {
        let defined = defined(&put(&bundle, &acme.token, "visits", &with(sum("count"), &members)).await, 200);
        assert_eq!(defined["rebuilding"], false, "{defined}");
    }
    // Where a standard one takes its place, it may go.
    defined(&put(&bundle, &acme.token, "sessions", &sum("count")).await, 201);
    count_in(&bundle, &acme, &[event(&acme, "3", "sessions", 1)]).await;
    assert_removed(&delete(&bundle, &acme.token, "sessions").await);
}

#[tokio::test]
async fn dimensions_change_and_the_rollups_follow() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    count_in(&bundle, &acme, &[event(&acme, "1", "orders", 2)]).await;
    let by = |dimensions: &[&str]| with(sum("count"), &json!({"dimensions": dimensions}));
    let own = defined(&put(&bundle, &acme.token, "orders", &by(&["country"])).await, 201);
    assert_eq!((&own["rebuilding"], &own["dimensions"]), (&json!(true), &json!(["country"])));
    count_in(&bundle, &acme, &[event(&acme, "2", "orders", 3)]).await;

    let maintain = "do $$ begin while (app.maintain() ->> 'again')::boolean loop commit; end loop; end $$";
    sqlx::raw_sql(maintain).execute(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(get(&bundle, &acme.token, "orders").await.ok()["rebuilding"], false);
    let org_id = acme.org_id.parse().unwrap();
    assert_eq!(rollup_difference(&bundle.database_url, org_id).await.unwrap(), Vec::<String>::new());
    let question = json!({"metrics": ["orders"], "from": "2026-10-05", "to": "2026-10-06"});
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &question)).await.ok();
    assert_eq!(answer["series"][0]["points"][0]["value"], "5", "{answer}");
    // Back to the standard one, by its channel.
    assert_removed(&delete(&bundle, &acme.token, "orders").await);
    assert_eq!(get(&bundle, &acme.token, "orders").await.ok()["rebuilding"], true);
}

#[tokio::test]
async fn of_two_at_once_the_second_sees_what_the_first_made() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let same =
        join_all((0..8).map(|_| async { put(&bundle, &acme.token, "visits", &sum("count")).await.status })).await;
    assert_eq!(same.iter().filter(|status| **status == 201).count(), 1, "{same:?}");
    assert_eq!(same.iter().filter(|status| **status == 200).count(), 7, "{same:?}");

    let variables = tally_host::roles::variables(&bundle.database_url, &run().await.unwrap().secrets).unwrap();
    let mut first = PgConnection::connect(&variables["query_database_url"]).await.unwrap();
    let mut transaction = first.begin().await.unwrap();
    let authority = json!({"sub": acme.user.id, "org_id": acme.org_id, "user_role": "owner"}).to_string();
    let definition = json!({
        "display_name": "n", "unit": "count", "aggregation_method": "formula", "category": "c", "description": "",
        "source": null, "metadata": {"formula": "visits * 2"}
    });
    let made = sqlx::query(PUT_METRIC.text()).bind(authority).bind("twice").bind(definition.to_string());
    made.execute(&mut *transaction).await.unwrap();
    let commit = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let (removed, ()) = tokio::join!(delete(&bundle, &acme.token, "visits"), commit);
    removed.problem(409, "definition-in-use");
}
