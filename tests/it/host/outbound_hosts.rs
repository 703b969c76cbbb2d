//! Where a component may connect to: the literal host, nothing that merely means the same.

use serde_json::json;

use super::{
    Probe, database, one_component, server_of, skipped_on_spin, start_error, start_manifest, start_probe, with,
};

/// What an attempt to open `address` says, or "" if it succeeds.
async fn open(app: &Probe, address: &str) -> String {
    open_by(app, address, "open-async").await
}

async fn open_by(app: &Probe, address: &str, how: &str) -> String {
    let answer = app.script_on(address, json!({"open": how})).await;
    answer["open_error"]["connection-failed"].as_str().unwrap_or_default().to_owned()
}

/// Starts a component with these entries.
async fn with_entries(entries: &str) -> Probe {
    let (host, port) = server_of(&database().await);
    let variables =
        "[variables]\nhost = { required = true }\nport = { required = true }\nnothing = { default = \"\" }\n";
    let manifest = format!("{variables}{}", one_component(&format!("allowed_outbound_hosts = {entries}")));
    start_manifest(&manifest, &[("host", &host), ("port", &port.to_string())]).await.unwrap()
}

#[tokio::test]
async fn an_allowed_address_opens_by_every_function() {
    let app = start_probe().await;
    for how in ["open", "open-async", "build", "build-async"] {
        assert_eq!(open_by(&app, app.database.as_str(), how).await, "", "{how}");
    }
}

#[tokio::test]
async fn another_spelling_of_the_host_is_another_host() {
    let app = start_probe().await;
    let (_, port) = app.database_server();
    let error = open(&app, &format!("postgres://postgres@localhost:{port}/postgres")).await;
    assert_eq!(error, format!("address postgres://localhost:{port} is not permitted"));
}

#[tokio::test]
async fn another_port_is_denied_and_a_missing_one_is_5432() {
    let app = start_probe().await;
    let error = open(&app, "postgres://postgres@127.0.0.1:1/postgres").await;
    assert_eq!(error, "address postgres://127.0.0.1:1 is not permitted");
    let error = open(&app, "postgres://postgres@127.0.0.1/postgres").await;
    assert_eq!(error, "address postgres://127.0.0.1:5432 is not permitted");
    let error = open(&app, "host=127.0.0.1 user=postgres").await;
    assert_eq!(error, "address postgres://127.0.0.1 is not permitted");
}

#[tokio::test]
async fn every_host_of_an_address_must_be_allowed() {
    let app = start_probe().await;
    let (host, port) = app.database_server();
    let error = open(&app, &format!("host={host},elsewhere port={port},5432 user=postgres")).await;
    assert_eq!(error, "address postgres://elsewhere:5432 is not permitted");
    // One port is every host's.
    let error = open(&app, &format!("host={host},elsewhere port={port} user=postgres")).await;
    assert_eq!(error, format!("address postgres://elsewhere:{port} is not permitted"));
}

#[tokio::test]
async fn a_component_without_entries_reaches_nothing() {
    let app = start_manifest(&one_component(""), &[]).await.unwrap();
    let error = open(&app, app.database.as_str()).await;
    assert!(error.ends_with("is not permitted"), "{error}");
}

#[tokio::test]
async fn unix_sockets_are_refused() {
    let app = start_probe().await;
    let error = open(&app, "host=/tmp user=postgres").await;
    assert_eq!(error, "Unix sockets are not supported on WebAssembly");
}

#[tokio::test]
async fn an_address_that_cannot_be_read_says_so() {
    let app = start_probe().await;
    assert!(!open(&app, "postgres://host:port").await.is_empty());
    assert!(!open(&app, "host=127.0.0.1 sslmode=verify-full").await.is_empty());
}

#[tokio::test]
async fn entries_may_have_wildcards_networks_and_ranges() {
    let (_, port) = server_of(&database().await);
    let next = port + 1;
    for (entries, allowed) in [
        ("[\"postgres://127.0.0.1:{{ port }}\"]".to_owned(), true),
        ("[\"postgres://{{ host }}:{{ port }}\"]".to_owned(), true),
        ("[\"*://*:*\"]".to_owned(), true),
        ("[\"*://127.0.0.1:*\"]".to_owned(), true),
        ("[\"postgres://127.0.0.0/8:*\"]".to_owned(), true),
        (format!("[\"postgres://127.0.0.1:1..{next}\"]"), true),
        // The end of a range is not in it.
        (format!("[\"postgres://127.0.0.1:1..{port}\"]"), false),
        ("[\"postgres://10.0.0.0/8:*\"]".to_owned(), false),
        ("[\"mysql://127.0.0.1:*\"]".to_owned(), false),
        ("[\"postgres://*.example.com:*\"]".to_owned(), false),
        ("[\"postgres://self:*\"]".to_owned(), false),
        // An entry whose variables leave nothing is left out.
        ("[\"{{ nothing }}\"]".to_owned(), false),
    ] {
        let app = with_entries(&entries).await;
        let error = open(&app, app.database.as_str()).await;
        assert_eq!(error.is_empty(), allowed, "{entries}: {error}");
    }
}

#[tokio::test]
async fn a_subdomain_wildcard_does_not_stand_for_the_domain_itself() {
    let app = with_entries("[\"postgres://*.example.invalid\"]").await;
    let denied = "address postgres://example.invalid:5432 is not permitted";
    assert_eq!(open(&app, "postgres://u@example.invalid/d").await, denied);
    // Allowed, and then not found.
    let error = open(&app, "postgres://u@a.b.example.invalid/d?connect_timeout=2").await;
    assert!(!error.ends_with("is not permitted"), "{error}");
}

#[tokio::test]
async fn entries_that_cannot_be_are_a_start_up_error() {
    for entry in [
        "localhost:5432",
        "*",
        "",
        "postgres://",
        "postgres://a/path",
        "postgres://u@h:1",
        "postgres://a:b",
        "nothing-known://host",
        "postgres://a.*.b",
        "insecure:allow-all",
    ] {
        let error = start_error(&one_component(&format!("allowed_outbound_hosts = [\"{entry}\"]"))).await;
        assert!(error.contains("allowed_outbound_hosts"), "{entry}: {error}");
    }
}

#[tokio::test]
async fn an_entry_with_an_unknown_variable_is_a_start_up_error() {
    if skipped_on_spin("it starts, and then denies everything") {
        return;
    }
    let error = start_error(&one_component("allowed_outbound_hosts = [\"{{ unknown }}\"]")).await;
    assert!(error.contains("unknown variable \"unknown\""), "{error}");
}

#[tokio::test]
async fn hostaddr_is_checked_too() {
    if skipped_on_spin("it does not check hostaddr") {
        return;
    }
    let app = start_probe().await;
    let (host, port) = app.database_server();
    let error = open(&app, &format!("host={host} hostaddr=127.0.0.2 port={port} user=postgres")).await;
    assert_eq!(error, format!("address postgres://127.0.0.2:{port} is not permitted"));
    let error = open(&app, &format!("hostaddr=127.0.0.2 port={port} user=postgres")).await;
    assert_eq!(error, format!("address postgres://127.0.0.2:{port} is not permitted"));
    // The allowed address, once more in another place.
    assert_eq!(open(&app, &with(&app.database, &[("hostaddr", &host)])).await, "");
}

#[tokio::test]
async fn the_synchronous_builder_is_checked_too() {
    for how in ["open", "open-async", "build", "build-async"] {
        if how == "build" && skipped_on_spin("the synchronous builder does not check the address") {
            continue;
        }
        let app = start_probe().await;
        let error = open_by(&app, "postgres://u@localhost:1/d", how).await;
        assert_eq!(error, "address postgres://localhost:1 is not permitted", "{how}");
    }
}

#[tokio::test]
async fn http_requests_are_held_against_the_entries_too() {
    let app = start_probe().await;
    let denied = app.post("/probe/fetch", format!("{}/static", app.base_url)).await.ok();
    assert!(denied["error"].as_str().unwrap().contains("HttpRequestDenied"), "{denied}");
}

#[tokio::test]
async fn a_component_may_ask_its_own_application_if_self_is_allowed() {
    let app = start_probe().await;
    let answer = app.post("/probe/fetch", "http://self.alt/static".to_owned()).await.ok();
    assert_eq!(answer, json!({"status": 203, "body": "fixed"}));
    let denied = app.post("/other/fetch", "http://self.alt/static".to_owned()).await.ok();
    assert!(denied["error"].as_str().unwrap().contains("HttpRequestDenied"), "{denied}");
}

#[tokio::test]
async fn an_allowed_http_request_goes_out() {
    let target = start_probe().await;
    let manifest = one_component("allowed_outbound_hosts = [\"http://127.0.0.1:*\"]");
    let app = start_manifest(&manifest, &[]).await.unwrap();
    let answer = app.post("/probe/fetch", format!("{}/static", target.base_url)).await.ok();
    assert_eq!(answer, json!({"status": 203, "body": "fixed"}));
}
