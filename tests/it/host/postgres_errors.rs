//! What a component is told when a statement or a connection fails.

use serde_json::{Value, json};

use super::{Probe, start_probe, with};
use crate::harness::on_spin;

async fn one(app: &Probe, step: Value) -> Value {
    app.steps(json!([step])).await.remove(0)
}

#[tokio::test]
async fn the_servers_error_comes_in_fields() {
    let app = start_probe().await;
    let statement = "create temp table t (id int constraint id_is_positive check (id > 0))";
    let results = app
        .steps(json!([{"execute": [statement, []]}, {"execute": ["insert into t values ($1)", [{"int32": -1}]]}]))
        .await;
    let error = &results[1]["error"]["db-error"];
    assert_eq!(error["code"], "23514");
    assert_eq!(error["severity"], "ERROR");
    assert_eq!(error["extras"]["constraint"], "id_is_positive");
    assert_eq!(error["extras"]["table"], "t");
    assert!(error["extras"]["schema"].is_string());
    assert!(error["extras"]["routine"].is_string());
    assert!(error["message"].as_str().unwrap().contains("violates check constraint"));
    assert!(error["detail"].as_str().unwrap().contains("Failing row contains"));
    assert!(error["as_text"].as_str().unwrap().contains("23514"));
}

#[tokio::test]
async fn a_raised_error_carries_its_hint_and_context() {
    let app = start_probe().await;
    let statement =
        "do $$ begin raise exception 'no' using errcode = 'TH001', hint = 'try', column = 'c', datatype = 'd'; end $$";
    let result = one(&app, json!({"execute": [statement, []]})).await;
    let error = &result["error"]["db-error"];
    assert_eq!(error["code"], "TH001");
    assert_eq!(error["message"], "no");
    assert_eq!(error["detail"], Value::Null);
    assert_eq!(error["extras"]["hint"], "try");
    assert_eq!(error["extras"]["column"], "c");
    assert_eq!(error["extras"]["datatype"], "d");
    assert!(error["extras"]["where_"].as_str().unwrap().contains("PL/pgSQL"));
}

#[tokio::test]
async fn an_error_before_the_first_row_is_the_calls_or_the_outcomes() {
    let app = start_probe().await;
    // Of the statement itself: the call fails.
    let result = one(&app, json!({"query": ["select nothing from nowhere", []]})).await;
    assert_eq!(result["error"]["db-error"]["code"], "42P01");
    // Of its execution: the call succeeds, without columns, and the outcome fails.
    let result = one(&app, json!({"query": ["select 1 / (n - 1) as x from generate_series(1, 1) as n", []]})).await;
    assert_eq!(result["late_error"]["db-error"]["code"], "22012", "{result}");
    assert_eq!(result["columns"], json!([]));
}

#[tokio::test]
async fn an_error_after_rows_is_the_outcomes() {
    let app = start_probe().await;
    let statement = "select 1 / (3 - n) as x from generate_series(1, 5) as n";
    let result = one(&app, json!({"query": [statement, []]})).await;
    assert_eq!(result["columns"], json!([["x", "int32"]]));
    assert_eq!(result["rows"].as_array().unwrap().len(), 2);
    assert_eq!(result["late_error"]["db-error"]["code"], "22012");
}

#[tokio::test]
async fn no_rows_means_no_columns() {
    let app = start_probe().await;
    let result = one(&app, json!({"query": ["select 1 as x where false", []]})).await;
    assert_eq!(result["rows"], json!([]));
    // Later versions of Spin do tell the columns; nobody may rely on either.
    if !on_spin() {
        assert_eq!(result["columns"], json!([]));
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_differs_between_query_and_execute() {
    let app = start_probe().await;
    for (cast, parameter) in [
        ("uuid", json!({"uuid": "no"})),
        ("jsonb", json!({"jsonb": "{"})),
        ("numeric", json!({"decimal": "1e400"})),
        ("date", json!({"date": [2026, 2, 30]})),
        ("time", json!({"time": [25, 0, 0, 0]})),
    ] {
        let statement = format!("select $1::{cast}");
        let result = one(&app, json!({"query": [statement, [parameter]]})).await;
        assert!(result["error"]["bad-parameter"].is_string(), "{cast}: {result}");
        let result = one(&app, json!({"execute": [statement, [parameter]]})).await;
        assert!(result["error"]["value-conversion-failed"].is_string(), "{cast}: {result}");
    }
}

#[tokio::test]
async fn the_number_of_parameters_must_be_right() {
    let app = start_probe().await;
    let result = one(&app, json!({"query": ["select $1::int4", []]})).await;
    let error = result["error"]["query-failed"].as_str().unwrap();
    assert!(error.contains("Parameters(0, 1)"), "{error}");
}

#[tokio::test]
async fn one_call_is_one_statement() {
    let app = start_probe().await;
    let result = one(&app, json!({"execute": ["select 1; select 2", []]})).await;
    assert_eq!(result["error"]["db-error"]["code"], "42601");
}

#[tokio::test]
async fn execute_tells_how_many_rows_were_affected() {
    let app = start_probe().await;
    let result = one(&app, json!({"execute": ["select generate_series(1, 3)", []]})).await;
    assert_eq!(result, json!({"affected": 3}));
    let result = one(&app, json!({"execute-sync": ["create temp table t (id int)", []]})).await;
    assert_eq!(result, json!({"affected": 0}));
}

#[tokio::test]
async fn the_synchronous_query_answers_alike() {
    let app = start_probe().await;
    let result = one(&app, json!({"query-sync": ["select $1::int4 as x", [{"int32": 1}]]})).await;
    assert_eq!(result, json!({"columns": [["x", "int32"]], "rows": [[{"int32": 1}]]}));
    let result = one(&app, json!({"query-sync": ["select now()", []]})).await;
    assert!(result["error"]["query-failed"].is_string(), "{result}");
}

#[tokio::test]
async fn a_connection_that_fails_is_told_in_one_text() {
    let app = start_probe().await;
    let mut address = app.database.clone();
    address.set_path("no_such_database");
    let answer = app.script_on(address.as_str(), json!({})).await;
    let error = answer["open_error"]["connection-failed"].as_str().unwrap();
    assert!(error.contains("3D000") || error.contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_server_that_goes_away_fails_the_statement() {
    let app = start_probe().await;
    let results = app
        .steps(json!([
            {"query": ["select pg_terminate_backend(pg_backend_pid())", []]},
            {"query": ["select 1", []]},
        ]))
        .await;
    let first = results[0].to_string();
    assert!(first.contains("57P01"), "{first}");
    assert!(results[1]["error"]["query-failed"].is_string(), "{}", results[1]);
}

#[tokio::test]
async fn a_root_certificate_must_be_one() {
    let app = start_probe().await;
    let script = json!({"open": "build-async", "root_certificate": "not a certificate"});
    let answer = app.script_on(app.database.as_str(), script).await;
    let error = answer["open_error"]["other"].as_str().unwrap();
    assert!(error.contains("invalid root certificate"), "{error}");
}

#[tokio::test]
async fn tls_that_the_server_lacks_is_an_error_only_if_required() {
    let app = start_probe().await;
    for (mode, opens) in [("disable", true), ("prefer", true), ("require", false)] {
        let address = with(&app.database, &[("sslmode", mode)]);
        let answer = app.script_on(&address, json!({})).await;
        assert_eq!(answer.get("open_error").is_none(), opens, "{mode}: {answer}");
    }
}
