//! Variables that are missing or cannot be used.

use crate::answer::{ask, post};
use crate::harness::Bundle;
use serde_json::json;

#[tokio::test]
async fn without_a_required_variable_the_bundle_does_not_start() {
    for name in ["database_host", "ingest_database_url", "webhook_secrets", "jwt_issuer"] {
        let error = Bundle::with(|variables| {
            variables.remove(name);
        })
        .await
        .err()
        .unwrap_or_else(|| panic!("it started without {name}"));
        assert!(format!("{error:#}").contains(name), "{error:#}");
    }
}

#[tokio::test]
async fn a_secret_that_anybody_could_guess_is_refused_and_not_logged() {
    let bundle = Bundle::with(|variables| {
        variables.insert("webhook_secrets".to_owned(), "v1,whsec_c2hvcnQ=".to_owned());
        variables.insert("jwt_secret".to_owned(), "hunter2".to_owned());
    })
    .await
    .unwrap();
    let answer = ask(bundle.client.post(bundle.url("/hooks/user-created")).json(&json!({}))).await;
    answer.problem(500, "misconfigured");
    ask(bundle.client.post(bundle.url("/hooks/access-token")).json(&json!({}))).await.hook_error(500);
    ask(post(&bundle, "/v1/events", "x", &json!([]))).await.problem(500, "misconfigured");

    let log = bundle.guest_log().join("\n");
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    let line = log.lines().find(|line| line.contains(request_id)).unwrap_or_else(|| panic!("not logged: {log}"));
    assert!(line.contains("`webhook_secrets`") && line.contains("5 bytes"), "{line}");
    assert!(log.contains("`jwt_secret`") && log.contains("7 bytes"), "{log}");
    assert!(!log.contains("c2hvcnQ") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn some_key_for_access_tokens_must_be_set() {
    for (secret, url, told) in [
        ("", "", &["`jwt_secret`", "`jwks_url`"][..]),
        ("", "http://id.example/keys", &["`jwks_url`", "https://"]),
        ("", "id.example/keys", &["`jwks_url`", "not a URL"]),
        ("hunter2", "https://id.example/keys", &["`jwt_secret`", "7 bytes"]),
    ] {
        let bundle = Bundle::with(|variables| {
            variables.insert("jwt_secret".to_owned(), secret.to_owned());
            variables.insert("jwks_url".to_owned(), url.to_owned());
        })
        .await
        .unwrap();
        ask(post(&bundle, "/v1/events", "x", &json!([]))).await.problem(500, "misconfigured");
        ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth("x")).await.problem(500, "misconfigured");
        let log = bundle.guest_log().join("\n");
        assert!(told.iter().all(|told| log.contains(told)), "{told:?}: {log}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[tokio::test]
async fn organization_and_role_must_be_two_claims() {
    for (organization, role, told) in
        [("", "user_role", "empty"), ("org_id", "", "empty"), ("x", "x", "the same claim")]
    {
        let bundle = Bundle::with(|variables| {
            variables.insert("jwt_org_claim".to_owned(), organization.to_owned());
            variables.insert("jwt_role_claim".to_owned(), role.to_owned());
        })
        .await
        .unwrap();
        ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth("x")).await.problem(500, "misconfigured");
        let log = bundle.guest_log().join("\n");
        assert!(log.contains("`jwt_org_claim` or `jwt_role_claim`") && log.contains(told), "{log}");
    }
}
