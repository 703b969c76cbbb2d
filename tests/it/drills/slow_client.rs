//! A client that begins a body and does not go on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::Bundle;

/// What the strictest provider of hooks gives them in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is answered to a request whose body begins and stays away, and after how long.
async fn begin(bundle: &Bundle, method: &str, path: &str, headers: &str) -> (String, Duration) {
    let address = bundle.base_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: 1000\r\n\r\n{{");
    let started = Instant::now();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Comes only when the function gives up; then the host hangs up, since the request has no end.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let headers = format!("authorization: Bearer {}\r\ncontent-type: application/json\r\n", acme.token);
    let (answer, _) = begin(&bundle, "PUT", "/v1/me/active-organization", &headers).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
}

#[tokio::test]
async fn a_hook_whose_body_does_not_come_is_answered_while_its_provider_waits() {
    let bundle = Bundle::start().await.unwrap();
    let (answer, taken) = begin(&bundle, "POST", "/hooks/access-token", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "the provider reads a message from no other status: {answer}");
    assert!(answer.contains(r#"{"error":{"http_code":503,"message":"The request was not read"#), "{answer}");
    assert!(taken < PATIENCE, "{taken:?}");

    let (answer, taken) = begin(&bundle, "POST", "/hooks/user-created", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("hook-too-slow"), "{answer}");
    assert!(answer.contains("retry-after: ") && taken < PATIENCE, "{taken:?} {answer}");

    let log = bundle.guest_log().join("\n");
    assert_eq!(log.matches("no answer within 4.5s").count(), 2, "{log}");
}

#[tokio::test]
async fn a_hook_that_is_refused_is_told_so_in_time_though_the_body_does_not_end() {
    let bundle = Bundle::start().await.unwrap();
    for (path, status) in [("/hooks/access-token", "HTTP/1.1 200 "), ("/hooks/user-created", "HTTP/1.1 405 ")] {
        let (answer, taken) = begin(&bundle, "PUT", path, "").await;
        assert!(answer.starts_with(status) && answer.contains("405"), "{answer}");
        assert!(taken < PATIENCE, "{taken:?}");
    }
}
