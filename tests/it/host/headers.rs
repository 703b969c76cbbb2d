//! What a component sees of a request besides its body.

use reqwest::header::HeaderValue;
use serde_json::Value;

use super::{Probe, skipped_on_spin, start_probe};
use crate::answer::ask;

/// All values of a header, as the component at `path` sees them.
async fn values(app: &Probe, path: &str, sent: &[(&str, &str)], name: &str) -> Vec<String> {
    let mut request = app.client.get(format!("{}{path}", app.base_url));
    for (name, value) in sent {
        request = request.header(*name, *value);
    }
    of(&ask(request).await.ok(), name)
}

fn of(seen: &Value, name: &str) -> Vec<String> {
    let headers = seen["headers"].as_array().unwrap();
    let values = headers.iter().filter(|header| header[0] == name);
    values.map(|header| header[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_host_says_which_route_was_taken() {
    let app = start_probe().await;
    let seen = app.json("/deep/er/x/y?q=1").await;
    assert_eq!(of(&seen, "spin-path-info"), ["/x/y"]);
    assert_eq!(of(&seen, "spin-matched-route"), ["/deep/er/..."]);
    assert_eq!(of(&seen, "spin-raw-component-route"), ["/deep/er/..."]);
    assert_eq!(of(&seen, "spin-component-route"), ["/deep/er"]);
    assert_eq!(of(&seen, "spin-base-path"), ["/"]);
    assert_eq!(of(&seen, "spin-full-url"), [format!("{}/deep/er/x/y?q=1", app.base_url)]);
}

#[tokio::test]
async fn the_root_route_is_matched_as_an_empty_one() {
    let app = start_probe().await;
    let seen = app.json("/").await;
    assert_eq!(of(&seen, "spin-matched-route"), [""]);
    assert_eq!(of(&seen, "spin-raw-component-route"), ["/"]);
    assert_eq!(of(&seen, "spin-component-route"), ["/"]);
    assert_eq!(of(&seen, "spin-path-info"), [""]);
}

#[tokio::test]
async fn the_path_info_keeps_slashes() {
    let app = start_probe().await;
    for (path, path_info) in [("/deep", ""), ("/deep/", "/"), ("/deep/a", "/a"), ("/deep/a/", "/a/"), ("/exact", "")] {
        assert_eq!(values(&app, path, &[], "spin-path-info").await, [path_info], "{path}");
    }
}

#[tokio::test]
async fn named_segments_come_as_headers() {
    let app = start_probe().await;
    let seen = app.json("/users/7/items/8%209").await;
    assert_eq!(of(&seen, "spin-path-match-user-id"), ["7"]);
    assert_eq!(of(&seen, "spin-path-match-item"), ["8%209"]);
    let seen = app.json("/files/a/b/c").await;
    assert_eq!(of(&seen, "spin-path-match-folder"), ["a"]);
    assert_eq!(of(&seen, "spin-path-info"), ["/b/c"]);
}

#[tokio::test]
async fn the_clients_address_comes_with_its_port() {
    let app = start_probe().await;
    let address = values(&app, "/exact", &[], "spin-client-addr").await.pop().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}

#[tokio::test]
async fn the_clients_headers_come_as_sent() {
    let app = start_probe().await;
    let sent = [("x-one", "1"), ("x-many", "a"), ("x-many", "b"), ("authorization", "Bearer t")];
    assert_eq!(values(&app, "/exact", &sent, "x-one").await, ["1"]);
    assert_eq!(values(&app, "/exact", &sent, "x-many").await, ["a", "b"]);
    assert_eq!(values(&app, "/exact", &sent, "authorization").await, ["Bearer t"]);
}

#[tokio::test]
async fn the_last_value_of_a_spin_header_is_the_hosts() {
    let app = start_probe().await;
    let sent = [("spin-client-addr", "9.9.9.9:9")];
    let address = values(&app, "/exact", &sent, "spin-client-addr").await.pop().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}

#[tokio::test]
async fn spin_headers_of_the_client_are_dropped() {
    if skipped_on_spin("it leaves the client's spin- headers before its own") {
        return;
    }
    let app = start_probe().await;
    let sent = [("spin-client-addr", "9.9.9.9:9"), ("spin-invented", "x")];
    assert_eq!(values(&app, "/exact", &sent, "spin-client-addr").await.len(), 1);
    assert!(values(&app, "/exact", &sent, "spin-invented").await.is_empty());
}

#[tokio::test]
async fn the_connection_header_is_removed() {
    let app = start_probe().await;
    assert!(values(&app, "/exact", &[("connection", "keep-alive")], "connection").await.is_empty());
}

#[tokio::test]
async fn a_header_that_is_not_utf8_is_a_500() {
    let app = start_probe().await;
    let value = HeaderValue::from_bytes(b"\xff").unwrap();
    let response = ask(app.client.get(format!("{}/exact", app.base_url)).header("x-bytes", value)).await;
    assert_eq!(response.status, 500);
    assert_eq!(response.text, "");
}

#[tokio::test]
async fn a_request_without_a_host_is_dropped() {
    let app = start_probe().await;
    assert_eq!(app.raw("GET /exact HTTP/1.1\r\n\r\n").await, "");
}

#[tokio::test]
async fn a_request_with_two_different_hosts_is_dropped() {
    let app = start_probe().await;
    assert_eq!(app.raw("GET http://a.example/exact HTTP/1.1\r\nHost: b.example\r\n\r\n").await, "");
    let answer = app.raw("GET http://a.example/exact HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn no_host_is_needed_where_nothing_is_routed() {
    let app = start_probe().await;
    let answer = app.raw("GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}
