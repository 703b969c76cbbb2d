//! Instances take many requests, one after the other and at once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tally_host::spin::ReuseLimits;

use super::{App, start_local, start_probe};

/// Requests begun a moment apart, each of which takes a while: they are all under way at once.
async fn at_once(app: &App, count: u32) -> Vec<Value> {
    join_all((0..count).map(|number| async move {
        tokio::time::sleep(Duration::from_millis(20) * number).await;
        app.json("/probe/count?1500").await
    }))
    .await
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
    let app = start_probe().await;
    let mut answers = Vec::new();
    for _ in 0..129 {
        answers.push(app.json("/probe/count").await);
    }
    let first = &answers[0]["instance"];
    for (number, answer) in answers[..128].iter().enumerate() {
        assert_eq!(&answer["instance"], first);
        assert_eq!(answer["requests"], number + 1);
    }
    assert_ne!(&answers[128]["instance"], first);
    assert_eq!(answers[128]["requests"], 1);
}

#[tokio::test]
async fn an_instance_takes_sixteen_requests_at_once() {
    let app = start_probe().await;
    let answers = at_once(&app, 40).await;
    let shares = instances(&answers);
    assert!(shares.len() >= 3, "{shares:?}");
    assert!(shares.values().all(|share| *share <= 16), "{shares:?}");
    // How full an instance gets depends on how busy the machine is.
    let most = answers.iter().filter_map(|answer| answer["active"].as_u64()).max();
    assert!((2..=16).contains(&most.unwrap()), "{most:?}");
}

#[tokio::test]
async fn the_limits_can_be_lowered_to_find_state() {
    let (app, host, _) = start_local(ReuseLimits { requests: 1, ..ReuseLimits::default() }).await;
    let mut seen = HashSet::new();
    for _ in 0..5 {
        assert!(seen.insert(app.json("/probe/count").await["instance"].to_string()));
    }
    host.shutdown().await;
    let (app, host, _) = start_local(ReuseLimits { concurrent_requests: 2, ..ReuseLimits::default() }).await;
    assert!(instances(&at_once(&app, 5).await).into_values().all(|share| share <= 2));
    host.shutdown().await;
}

#[tokio::test]
async fn an_idle_instance_ends_after_a_second() {
    let app = start_probe().await;
    let first = app.json("/probe/count").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let second = app.json("/probe/count").await;
    assert_eq!(first["instance"], second["instance"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_ne!(first["instance"], app.json("/probe/count").await["instance"]);
}
