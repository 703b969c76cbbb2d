//! The HTTP server itself: protocols, bodies, output and the end.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use tally_host::spin::ReuseLimits;

use super::{skipped_on_spin, start_local, start_probe};

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
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap() == body);
}

#[tokio::test]
async fn a_response_comes_in_pieces() {
    let app = start_probe().await;
    let response = app.get("/probe/stream?1000").await;
    assert!(response.headers().get("content-length").is_none());
    let lines = response.text().await.unwrap();
    assert_eq!(lines.lines().count(), 1000);
    assert_eq!(lines.lines().last(), Some("999"));
}

#[tokio::test]
async fn a_kept_alive_connection_does_not_wait_for_acknowledgements() {
    if skipped_on_spin("it leaves Nagle's algorithm on, which costs 40 ms a request") {
        return;
    }
    let app = start_probe().await;
    let mut times = Vec::new();
    for _ in 0..21 {
        let start = Instant::now();
        app.steps(json!([{"query": ["select 1", []]}])).await;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    assert!(times[10] < Duration::from_millis(30), "{times:?}");
}

#[tokio::test]
async fn output_goes_line_by_line_to_the_sink() {
    let (app, host, output) = start_local(ReuseLimits::default()).await;
    app.get("/probe/log").await;
    host.shutdown().await;
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
    let (app, host, _) = start_local(ReuseLimits::default()).await;
    let address = app.address();
    let request = tokio::spawn(app.client.get(format!("{}/probe/count?1000", app.base_url)).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    host.shutdown().await;
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutting_down_takes_no_longer_than_it_must() {
    let (app, host, _) = start_local(ReuseLimits::default()).await;
    app.get("/probe/count").await;
    let start = Instant::now();
    host.shutdown().await;
    // An idle instance would have lived on for a second.
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}
