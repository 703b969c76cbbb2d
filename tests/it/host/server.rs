//! The HTTP server itself: protocols, bodies, output and the end.

use std::time::Instant;

use reqwest::Client;
use serde_json::json;
use tally_host::spin::ReuseLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::gate::Gate;
use super::{never_idle, skipped_on_spin, start_local, start_probe, until, with};
use crate::answer::ask;

/// How many requests are measured of each kind.
const SAMPLES: usize = 41;

#[tokio::test]
async fn http2_is_spoken_without_tls() {
    let app = start_probe().await;
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // An empty SETTINGS frame.
    request.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // HEADERS of stream 1, the last of it: GET, http, /, and the authority "a".
    request.extend([0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, b'a']);
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(&request).await.unwrap();
    // The indexed header `:status 200`, first in the frame that answers.
    let status = read_frames_until_headers(&mut stream).await[0];
    assert_eq!(status, 0x88);
    drop(stream);
}

async fn read_frames_until_headers(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == 1 {
            return payload;
        }
    }
}

#[tokio::test]
async fn a_body_streams_through() {
    let app = start_probe().await;
    let body = "0123456789abcdef".repeat(300_000);
    let response = app.post("/probe/echo", body.clone()).await;
    assert_eq!(response.status, 200);
    assert!(response.text == body);
}

#[tokio::test]
async fn a_response_comes_in_pieces() {
    let app = start_probe().await;
    let response = app.get("/probe/stream?1000").await;
    assert!(response.headers.get("content-length").is_none());
    let lines = response.text;
    assert_eq!(lines.lines().count(), 1000);
    assert_eq!(lines.lines().last(), Some("999"));
}

#[tokio::test]
async fn a_kept_alive_connection_does_not_wait_for_acknowledgements() {
    if skipped_on_spin("it leaves Nagle's algorithm on, which costs 40 ms a request") {
        return;
    }
    let app = start_probe().await;
    let fresh = Client::builder().pool_max_idle_per_host(0).build().unwrap();
    // Many small writes. On a connection's first answer Linux acknowledges at once, so that one is not counted.
    let url = format!("{}/probe/stream?50", app.base_url);
    ask(app.client.get(&url)).await;
    let (mut kept_times, mut fresh_times) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        for (client, times) in [(&app.client, &mut kept_times), (&fresh, &mut fresh_times)] {
            let start = Instant::now();
            assert_eq!(ask(client.get(&url)).await.status, 200);
            times.push(start.elapsed());
        }
    }
    kept_times.sort_unstable();
    fresh_times.sort_unstable();
    // With Nagle's algorithm every later answer waits. Compared by rank, and in turns: however busy the machine, the
    // quickest answer of them all on a kept connection is no slower than most on fresh ones.
    assert!(kept_times[0] < fresh_times[SAMPLES / 2], "kept: {kept_times:?}, fresh: {fresh_times:?}");
}

#[tokio::test]
async fn output_goes_line_by_line_to_the_sink() {
    let app = start_local(ReuseLimits::default()).await;
    app.get("/probe/log").await;
    let output = app.shutdown().await;
    assert_eq!(output.lines_of("probe"), ["a line to stdout", "a line to stderr"]);
    assert!(output.lines_of("other").is_empty());
}

#[tokio::test]
async fn the_environment_is_the_manifests_alone() {
    let app = start_probe().await;
    assert_eq!(app.json("/probe/environment").await, json!({"COMPONENT": "probe", "COLOUR": "blue"}));
    assert_eq!(app.json("/other/environment").await, json!({"COMPONENT": "other"}));
}

#[tokio::test]
async fn shutting_down_lets_requests_finish() {
    let app = start_local(ReuseLimits::default()).await;
    let address = app.address();
    let mut gate = Gate::shut(&app.database).await;
    let request = tokio::spawn(ask(app.script_request(app.database.as_str(), json!({"steps": [gate.step()]}))));
    gate.waiting(1).await;
    let shutdown = tokio::spawn(app.shutdown());
    // Begun by now: the gate's own round trip to the database gives it a turn.
    gate.waiting(1).await;
    assert!(!shutdown.is_finished());
    gate.open().await;
    assert_eq!(request.await.unwrap().ok()["opened"], 1);
    shutdown.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutting_down_ends_idle_instances() {
    let watcher = start_probe().await;
    let app = start_local(never_idle()).await;
    let address = with(&app.database, &[("application_name", "idle_at_shutdown")]);
    // The instance keeps the connection as long as it lives, and of itself it would live for ever.
    app.script_on(&address, json!({"steps": ["keep"]})).await;
    assert_eq!(watcher.sessions("idle_at_shutdown").await, 1);
    app.shutdown().await;
    until("the instance to end", async || watcher.sessions("idle_at_shutdown").await == 0).await;
}
