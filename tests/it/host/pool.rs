//! Connections are pooled, and what one request leaves on a session the next may find.

use serde_json::{Value, json};
use tally_host::spin::ReuseLimits;

use super::gate::Gate;
use super::{
    Probe, database, never_idle, one_component, server_of, start_local, start_manifest, start_probe, start_probe_with,
    until, with,
};
use crate::answer::ask;

const PID: &str = "select pg_backend_pid()";

/// A connection string that no other test uses, and so a pool of its own.
fn own_address(app: &Probe, name: &str) -> String {
    with(&app.database, &[("application_name", name)])
}

async fn steps_on(app: &Probe, address: &str, steps: Value) -> Vec<Value> {
    let answer = app.script_on(address, json!({"steps": steps})).await;
    answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

fn only(result: &Value) -> Value {
    result["rows"][0][0].clone()
}

async fn pid(app: &Probe, address: &str) -> Value {
    only(&steps_on(app, address, json!([{"query": [PID, []]}])).await[0])
}

/// How many rows a table holds in the eyes of another session.
async fn rows(app: &Probe, table: &str) -> Value {
    app.value(&format!("select count(*) from {table}")).await
}

async fn new_table(app: &Probe, table: &str) {
    app.steps(json!([
        {"execute": [format!("drop table if exists {table}"), []]},
        {"execute": [format!("create table {table} (id int)"), []]},
    ]))
    .await;
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let app = start_probe().await;
    let address = own_address(&app, "used_again");
    assert_eq!(pid(&app, &address).await, pid(&app, &address).await);
}

#[tokio::test]
async fn another_spelling_of_the_address_is_another_pool() {
    let app = start_probe().await;
    let first = pid(&app, &own_address(&app, "spelling")).await;
    assert_ne!(first, pid(&app, &format!("{}&keepalives=1", own_address(&app, "spelling"))).await);
}

#[tokio::test]
async fn each_component_has_pools_of_its_own() {
    let (host, port) = server_of(&database().await);
    let allowed = format!("allowed_outbound_hosts = [\"postgres://{host}:{port}\"]");
    let manifest = format!(
        "[[trigger.http]]\nroute = \"/other/...\"\ncomponent = \"second\"\n[component.second]\nsource = SOURCE\n{allowed}\n{}",
        one_component(&allowed)
    );
    let app = start_manifest(&manifest, &[]).await.unwrap();
    let address = own_address(&app, "own_pools");
    let script = json!({"address": address, "steps": [{"query": [PID, []]}]}).to_string();
    let other = app.post("/other/postgres", script).await.ok();
    assert_ne!(only(&other["results"][0]), pid(&app, &address).await);
}

#[tokio::test]
async fn a_session_is_cleaned_when_it_is_taken_again() {
    let app = start_probe().await;
    let address = own_address(&app, "cleaned");
    let first = steps_on(
        &app,
        &address,
        json!([
            {"query": [PID, []]},
            {"execute": ["set work_mem = '7MB'", []]},
            {"execute": ["set role pg_monitor", []]},
            {"execute": ["select set_config('app.user_id', 'someone', false)", []]},
            {"execute": ["reset role", []]},
            {"execute": ["create temp table leftover (id int)", []]},
            {"execute": ["select pg_advisory_lock(4711)", []]},
            {"execute": ["listen leftover", []]},
            {"execute": ["prepare leftover as select 1", []]},
        ]),
    )
    .await;
    let second = steps_on(
        &app,
        &address,
        json!([
            {"query": [PID, []]},
            {"query": ["select current_setting('work_mem')", []]},
            {"query": ["select current_setting('app.user_id', true)", []]},
            {"query": ["select to_regclass('pg_temp.leftover')::text", []]},
            {"query": ["select count(*) from pg_locks where locktype = 'advisory' and objid = 4711", []]},
            {"query": ["select count(*) from pg_listening_channels()", []]},
            {"query": ["select count(*) from pg_prepared_statements where name = 'leftover'", []]},
        ]),
    )
    .await;
    let values: Vec<_> = second.iter().map(only).collect();
    assert_eq!(values[0], only(&first[0]));
    assert_ne!(values[1], json!({"str": "7MB"}));
    assert!(values[2] == json!("db-null") || values[2] == json!({"str": ""}), "{}", values[2]);
    assert_eq!(values[3], json!("db-null"));
    assert_eq!(values[4], json!({"int64": 0}));
    assert_eq!(values[5], json!({"int64": 0}));
    // The one thing that stays.
    assert_eq!(values[6], json!({"int64": 1}));
}

#[tokio::test]
async fn options_of_the_address_survive_cleaning() {
    let app = start_probe().await;
    let address = format!("{}&options=-c%20statement_timeout%3D4321", own_address(&app, "options"));
    for _ in 0..2 {
        let steps = json!([
            {"query": ["select current_setting('statement_timeout')", []]},
            {"execute": ["set statement_timeout = 1000000", []]},
        ]);
        assert_eq!(only(&steps_on(&app, &address, steps).await[0]), json!({"str": "4321ms"}));
    }
}

#[tokio::test]
async fn an_open_transaction_is_the_next_requests() {
    let app = start_probe().await;
    let address = own_address(&app, "leak");
    new_table(&app, "leak").await;
    let leave_open =
        json!([{"query": [PID, []]}, {"execute": ["begin", []]}, {"execute": ["insert into leak values (1)", []]}]);
    let first = steps_on(&app, &address, leave_open).await;
    let insert = json!([
        {"query": [PID, []]},
        {"query": ["select count(*) from leak", []]},
        {"execute": ["insert into leak values (2)", []]},
    ]);
    let second = steps_on(&app, &address, insert).await;
    assert_eq!(only(&first[0]), only(&second[0]));
    // It sees the stranger's row, is told that its own was inserted, and nobody else sees either.
    assert_eq!(only(&second[1]), json!({"int64": 1}));
    assert_eq!(second[2], json!({"affected": 1}));
    assert_eq!(rows(&app, "leak").await, json!({"int64": 0}));
    // Whoever commits next commits them all.
    steps_on(&app, &address, json!([{"execute": ["commit", []]}])).await;
    assert_eq!(rows(&app, "leak").await, json!({"int64": 2}));
}

#[tokio::test]
async fn a_trap_in_a_transaction_leaves_it_open_for_another_request() {
    let app = start_probe().await;
    let address = own_address(&app, "trap_leak");
    new_table(&app, "trap_leak").await;
    let script = json!({"address": address, "steps": [
        {"execute": ["begin", []]}, {"execute": ["insert into trap_leak values (1)", []]}, "trap",
    ]});
    assert_eq!(app.post("/probe/postgres", script.to_string()).await.status, 500);
    // The client may have its answer before the pool has the connection.
    until("the connection to return", async || {
        let found = steps_on(&app, &address, json!([{"query": ["select count(*) from trap_leak", []]}])).await;
        only(&found[0]) == json!({"int64": 1})
    })
    .await;
    assert_eq!(rows(&app, "trap_leak").await, json!({"int64": 0}));
}

#[tokio::test]
async fn a_failed_transaction_ends_its_connection() {
    let app = start_probe().await;
    let address = own_address(&app, "failed");
    let first = steps_on(
        &app,
        &address,
        json!([{"query": [PID, []]}, {"execute": ["begin", []]}, {"execute": ["select 1 / 0", []]}]),
    )
    .await;
    assert_ne!(only(&first[0]), pid(&app, &address).await);
}

#[tokio::test]
async fn the_sixty_fifth_connection_waits() {
    let app = start_probe().await;
    let address = own_address(&app, "full");
    let mut gate = Gate::shut(&app.database).await;
    let holding = json!({"steps": [{"query": [PID, []]}, gate.step()]});
    let holding = tokio::spawn(ask(app.script_request(&address, holding)));
    gate.waiting(1).await;
    // It gets the other 63, and wants one more.
    let waiting = json!({"times": 64, "steps": [{"query": [PID, []]}]});
    let waiting = tokio::spawn(ask(app.script_request(&address, waiting)));
    until("64 connections", async || app.sessions("full").await == 64).await;
    assert!(!waiting.is_finished());
    gate.open().await;
    let (held, got) = (holding.await.unwrap().ok(), waiting.await.unwrap().ok());
    assert_eq!(got["opened"], 64);
    // The one that it waited for, and not another.
    assert_eq!(only(&held["results"][0]), only(&got["results"][0]));
    assert_eq!(app.sessions("full").await, 64);
}

#[tokio::test]
async fn a_connection_kept_by_an_instance_returns_when_the_instance_ends() {
    // The instance lives for the request that keeps the connection and one more.
    let app = start_probe_with(ReuseLimits { requests: 2, ..never_idle() }).await;
    let address = own_address(&app, "kept");
    let kept = only(&steps_on(&app, &address, json!([{"query": [PID, []]}, "keep"])).await[0]);
    assert_ne!(kept, pid(&app, &address).await);
    until("the kept connection", async || pid(&app, &address).await == kept).await;
}

#[tokio::test]
async fn rows_left_unread_do_not_hold_the_connection_up() {
    let app = start_probe().await;
    let address = own_address(&app, "unread");
    let results = steps_on(
        &app,
        &address,
        json!([{"first": ["select generate_series(1, 100000)", 2]}, {"query": ["select 1", []]}]),
    )
    .await;
    assert_eq!(results[0]["rows"], json!([[{"int32": 1}], [{"int32": 2}]]));
    assert_eq!(only(&results[1]), json!({"int32": 1}));
}

#[tokio::test]
async fn an_instance_holds_at_most_1024_of_a_kind() {
    let app = start_probe().await;
    let results = app.steps(json!([{"builders": 1024}])).await;
    assert_eq!(results[0], json!({"builders": 1024}));
    let script = json!({"address": app.database.as_str(), "steps": [{"builders": 1025}]});
    assert_eq!(app.post("/probe/postgres", script.to_string()).await.status, 500);
}

#[tokio::test]
async fn shutting_down_closes_the_pooled_connections() {
    let watcher = start_probe().await;
    let app = start_local(ReuseLimits::default()).await;
    pid(&app, &own_address(&app, "closed")).await;
    assert_eq!(watcher.sessions("closed").await, 1);
    app.shutdown().await;
    until("the connections to be closed", async || watcher.sessions("closed").await == 0).await;
}
