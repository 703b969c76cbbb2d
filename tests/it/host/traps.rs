//! What a client sees when a component fails.

use serde_json::json;
use tally_host::spin::ReuseLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::Gate;
use super::{TRIES, never_idle, start_local, start_probe, start_probe_with};
use crate::answer::ask;

#[tokio::test]
async fn a_trap_is_a_500_without_a_body() {
    let app = start_probe().await;
    let response = app.get("/probe/trap").await;
    assert_eq!(response.status, 500);
    assert_eq!(response.headers["content-length"], "0");
    assert_eq!(response.text, "");
}

#[tokio::test]
async fn a_trap_is_told_where_the_components_output_goes() {
    let app = start_local(ReuseLimits::default()).await;
    app.get("/probe/trap").await;
    let lines = app.shutdown().await.lines_of("probe");
    assert!(lines.iter().any(|line| line.contains("the probe was asked to trap")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("worker failed")), "{lines:?}");
}

#[tokio::test]
async fn a_trap_takes_the_instances_other_requests_with_it() {
    let app = start_probe_with(never_idle()).await;
    let mut gate = Gate::shut(&app.database).await;
    let other = tokio::spawn(ask(app.script_request(app.database.as_str(), json!({"steps": [gate.step()]}))));
    gate.waiting(1).await;
    // Until one has met the instance that waits at the gate.
    for _ in 0..TRIES {
        assert_eq!(app.get("/probe/trap").await.status, 500);
        if other.is_finished() {
            break;
        }
    }
    gate.open().await;
    let other = other.await.unwrap();
    assert_eq!((other.status, other.text.as_str()), (500, ""));
}

#[tokio::test]
async fn a_request_after_a_trap_gets_a_new_instance() {
    let app = start_probe_with(never_idle()).await;
    let before = app.json("/probe/count").await;
    // Until one has met the instance that answered.
    for _ in 0..TRIES {
        app.get("/probe/trap").await;
        let after = app.json("/probe/count").await;
        if after["instance"] != before["instance"] {
            assert_eq!(after["requests"], 1);
            return;
        }
    }
    panic!("the instance outlives traps");
}

#[tokio::test]
async fn an_error_code_is_a_500_without_a_body() {
    let app = start_probe_with(never_idle()).await;
    let before = app.json("/probe/count").await;
    let response = app.get("/probe/error").await;
    assert_eq!((response.status, response.text.as_str()), (500, ""));
    // It is no trap: the instance lives on.
    assert!(app.is_answered_by(&before["instance"]).await);
}

#[tokio::test]
async fn a_trap_after_the_head_looks_like_the_end_of_the_body() {
    let app = start_probe().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = "POST /probe/stream-trap HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nContent-Length: 1\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The first chunk: two bytes.
    while !answer.ends_with(b"\r\n\r\n2\r\n0\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    // It traps when the request has ended.
    stream.write_all(b"x").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    // The client cannot tell: a function that streams must say its length, or mark its end.
    assert_eq!(rest, "0\r\n\r\n");
}
