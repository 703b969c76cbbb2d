//! Instances take many requests, one after the other and at once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tally_host::spin::ReuseLimits;

use super::gate::Gate;
use super::{Probe, TRIES, never_idle, start_local, start_probe, start_probe_with};
use crate::answer::ask;

/// Requests begun one after the other and held until the last of them is under way.
async fn at_once(app: &Probe, count: i64) -> Vec<Value> {
    let mut gate = Gate::shut(&app.database).await;
    let mut requests = Vec::new();
    for number in 1..=count {
        let script = json!({"steps": [gate.step()]});
        requests.push(tokio::spawn(ask(app.script_request(app.database.as_str(), script))));
        gate.waiting(number).await;
    }
    gate.open().await;
    join_all(requests).await.into_iter().map(|answer| answer.unwrap().ok()).collect()
}

fn instances(answers: &[Value]) -> BTreeMap<String, usize> {
    let mut instances = BTreeMap::new();
    for answer in answers {
        *instances.entry(answer["instance"].to_string()).or_default() += 1;
    }
    instances
}

#[test]
fn the_limits_are_spins() {
    let limits = ReuseLimits::default();
    assert_eq!((limits.requests, limits.concurrent_requests), (128, 16));
    assert_eq!(limits.idle_timeout, Duration::from_secs(1));
}

#[tokio::test]
async fn an_instance_takes_128_requests() {
    let app = start_probe_with(never_idle()).await;
    let mut last = Value::Null;
    // A host that has not yet seen an answer out may take another instance for the next request.
    for _ in 0..128 * TRIES {
        last = app.json("/probe/count").await;
        if last["requests"] == 128 {
            break;
        }
    }
    assert_eq!(last["requests"], 128);
    for _ in 0..TRIES {
        assert_ne!(app.json("/probe/count").await["instance"], last["instance"]);
    }
}

#[tokio::test]
async fn an_instance_takes_sixteen_requests_at_once() {
    let app = start_probe_with(never_idle()).await;
    let answers = at_once(&app, 40).await;
    assert_eq!(instances(&answers).into_values().max(), Some(16));
    assert_eq!(answers.iter().filter_map(|answer| answer["active"].as_u64()).max(), Some(16));
}

#[tokio::test]
async fn the_limits_can_be_lowered_to_find_state() {
    let app = start_local(ReuseLimits { requests: 1, ..never_idle() }).await;
    let mut seen = HashSet::new();
    for _ in 0..5 {
        assert!(seen.insert(app.json("/probe/count").await["instance"].to_string()));
    }
    let app = start_local(ReuseLimits { concurrent_requests: 2, ..never_idle() }).await;
    assert_eq!(instances(&at_once(&app, 5).await).into_values().max(), Some(2));
}

#[tokio::test]
async fn an_idle_instance_ends_in_time() {
    let app = start_probe().await;
    let first = app.json("/probe/count").await;
    // A request keeps the instance for another while, so each try leaves it alone for longer.
    for seconds in [2, 4, 8, 16, 32, 64] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if app.json("/probe/count").await["instance"] != first["instance"] {
            return;
        }
    }
    panic!("the instance lives on");
}

#[tokio::test]
async fn an_instance_lives_on_for_as_long_as_it_may_be_idle() {
    let app = start_probe_with(never_idle()).await;
    let first = app.json("/probe/count").await;
    // Longer than an instance is kept by default.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(app.is_answered_by(&first["instance"]).await);
}
