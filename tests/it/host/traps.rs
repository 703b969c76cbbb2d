//! What a client sees when a component fails.

use std::time::Duration;

use futures::future::join;

use tally_host::spin::ReuseLimits;

use super::{start_local, start_probe};

#[tokio::test]
async fn a_trap_is_a_500_without_a_body() {
    let app = start_probe().await;
    let response = app.get("/probe/trap").await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-length"], "0");
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_trap_is_told_where_the_components_output_goes() {
    let (app, host, output) = start_local(ReuseLimits::default()).await;
    app.get("/probe/trap").await;
    host.shutdown().await;
    let lines = output.lines_of("probe");
    assert!(lines.iter().any(|line| line.contains("the probe was asked to trap")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("worker failed")), "{lines:?}");
}

#[tokio::test]
async fn a_trap_takes_the_instances_other_requests_with_it() {
    let app = start_probe().await;
    let slow = app.get("/probe/count?3000");
    let trap = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.get("/probe/trap?200").await
    };
    let (slow, trap) = join(slow, trap).await;
    assert_eq!(trap.status(), 500);
    assert_eq!(slow.status(), 500);
    assert_eq!(slow.text().await.unwrap(), "");
}

#[tokio::test]
async fn the_next_request_gets_a_new_instance() {
    let app = start_probe().await;
    let before = app.json("/probe/count").await;
    app.get("/probe/trap").await;
    let after = app.json("/probe/count").await;
    assert_ne!(before["instance"], after["instance"]);
    assert_eq!(after["requests"], 1);
}

#[tokio::test]
async fn an_error_code_is_a_500_without_a_body() {
    let app = start_probe().await;
    let before = app.json("/probe/count").await;
    let response = app.get("/probe/error").await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.text().await.unwrap(), "");
    // It is no trap: the instance lives on.
    assert_eq!(before["instance"], app.json("/probe/count").await["instance"]);
}

#[tokio::test]
async fn a_trap_after_the_head_looks_like_the_end_of_the_body() {
    let app = start_probe().await;
    let response = app.get("/probe/stream-trap").await;
    assert_eq!(response.status(), 200);
    // The client cannot tell: a function that streams must say its length, or mark its end.
    assert_eq!(response.text().await.unwrap(), "0\n");
}
