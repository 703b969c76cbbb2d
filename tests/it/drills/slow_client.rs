//! A client that begins a body and does not go on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::Bundle;

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let bundle = Bundle::start().await.unwrap();
    let address = bundle.base_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST /hooks/user-created HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\n\r\n{{");
    stream.write_all(head.as_bytes()).await.unwrap();
    // Comes only when the function gives up; then the host hangs up, since the request has no end.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
}
