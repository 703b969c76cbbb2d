//! Access tokens and API keys, on every route that takes them.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tally_host::identity::now;
use uuid::Uuid;

use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

fn requests(bundle: &Bundle, credential: &str) -> Vec<RequestBuilder> {
    let question = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01"});
    vec![
        post(bundle, "/v1/events", credential, &json!([])),
        post(bundle, "/v1/query", credential, &question),
        bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(credential),
        bundle.client.get(bundle.url("/v1/exchange-rates")).bearer_auth(credential),
    ]
}

async fn assert_refused(bundle: &Bundle, credential: &str, status: u16, code: &str) {
    for request in requests(bundle, credential) {
        ask(request).await.problem(status, code);
    }
}

/// A token like the tenant's own, but for one claim.
fn token_with(bundle: &Bundle, tenant: &Tenant, name: &str, value: Value) -> String {
    tenant.token_with(bundle, |claims| claims[name] = value).unwrap()
}

#[tokio::test]
async fn without_a_credential_there_is_nothing() {
    let bundle = Bundle::start().await.unwrap();
    for path in ["/v1/events", "/v1/query"] {
        let answer = ask(bundle.client.post(bundle.url(path)).json(&json!({}))).await;
        answer.problem(401, "missing-credential");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    ask(bundle.client.get(bundle.url("/v1/metrics"))).await.problem(401, "missing-credential");
}

#[tokio::test]
async fn expired_foreign_and_tampered_tokens_are_refused() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let good = token_with(&bundle, &acme, "x", json!(1));
    for request in requests(&bundle, &good) {
        ask(request).await.ok();
    }

    for (name, value) in [
        ("exp", json!(now() - 60)),
        ("nbf", json!(now() + 3_600)),
        ("iss", json!("https://evil.example")),
        ("aud", json!("anon")),
        ("sub", json!("")),
    ] {
        assert_refused(&bundle, &token_with(&bundle, &acme, name, value), 401, "invalid-token").await;
    }
    // Not every provider's ids are UUIDs: this is a user, and a member of nothing.
    assert_refused(&bundle, &token_with(&bundle, &acme, "sub", json!("somebody")), 403, "not-a-member").await;
    let mut stranger = bundle.identity.clone();
    stranger.jwt_secret = "0".repeat(64);
    assert_refused(&bundle, &stranger.mint(&bundle.identity.claims(&acme.user)).unwrap(), 401, "invalid-token").await;

    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let other = token_with(&bundle, &acme, "org_id", json!(Uuid::new_v4()));
    let other_claims = other.split('.').nth(1).unwrap();
    assert_refused(&bundle, &format!("{header}.{other_claims}.{signature}"), 401, "invalid-token").await;
    // {"alg":"none"}
    assert_refused(&bundle, &format!("eyJhbGciOiJub25lIn0.{other_claims}."), 401, "invalid-token").await;
    assert_refused(&bundle, "x", 401, "invalid-token").await;
}

#[tokio::test]
async fn a_token_without_an_organization_is_told_so() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    assert_refused(&bundle, &token_with(&bundle, &acme, "org_id", Value::Null), 403, "no-organization").await;
}

#[tokio::test]
async fn claims_of_another_type_are_none_and_the_user_still_is_one() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (name, value) in [
        ("user_role", json!(["admin"])),
        ("org_id", json!(7)),
        ("org_id", json!({"id": acme.org_id})),
        ("is_anonymous", json!("false")),
    ] {
        let token = token_with(&bundle, &acme, name, value);
        assert_refused(&bundle, &token, 403, "no-organization").await;
        let me = ask(bundle.client.get(bundle.url("/v1/me")).bearer_auth(&token)).await.ok();
        assert_eq!(me["user_id"], json!(acme.user.id), "{name}");
    }
}

#[tokio::test]
async fn an_anonymous_user_has_no_organization_whatever_the_token_names() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let anonymous = token_with(&bundle, &acme, "is_anonymous", json!(true));
    for request in requests(&bundle, &anonymous) {
        let problem = ask(request).await.problem(403, "no-organization");
        assert!(problem["detail"].as_str().unwrap().contains("anonymous"), "{problem}");
    }
}

#[tokio::test]
async fn a_membership_is_read_anew() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    // The signature is the provider's, and still the user is no member there.
    assert_refused(&bundle, &token_with(&bundle, &acme, "org_id", json!(bolt.org_id)), 403, "not-a-member").await;

    second_owner(&bundle, &acme).await;
    sqlx::query("delete from org_members where user_id = $1")
        .bind(acme.user.id)
        .execute(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
    assert_refused(&bundle, &acme.token, 403, "not-a-member").await;
}

#[tokio::test]
async fn viewers_read_and_do_not_write() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    second_owner(&bundle, &acme).await;
    for (granted, held) in [("viewer", "owner"), ("owner", "viewer")] {
        sqlx::query("update org_members set role = $1::org_role where user_id = $2")
            .bind(held)
            .bind(acme.user.id)
            .execute(&mut bundle.database().await.unwrap())
            .await
            .unwrap();
        let token = token_with(&bundle, &acme, "user_role", json!(granted));
        let mut requests = requests(&bundle, &token).into_iter();
        ask(requests.next().unwrap()).await.problem(403, "forbidden");
        for reading in requests {
            ask(reading).await.ok();
        }
    }
}

#[tokio::test]
async fn an_api_key_has_its_scopes_and_its_store() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let writer = acme.api_key(&bundle, &["events:write"], Some(&acme.store_id)).await.unwrap();
    let reader = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();

    // The key implies the store.
    let event = json!({"id": "1", "metric": "orders", "value": "1", "recorded_at": "2026-10-05T10:00:00Z"});
    assert_eq!(ask(post(&bundle, "/v1/events", &writer, &event)).await.ok()["accepted"], 1);
    let mut elsewhere = event.clone();
    elsewhere["store_id"] = json!(second_store(&bundle, &acme).await);
    assert_eq!(ask(post(&bundle, "/v1/events", &writer, &elsewhere)).await.ok()["errors"][0]["code"], "unknown_store");
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &event)).await.ok()["errors"][0]["code"], "store_required");

    let question = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01", "totals": true});
    ask(post(&bundle, "/v1/query", &writer, &question)).await.problem(403, "forbidden");
    assert_eq!(ask(post(&bundle, "/v1/query", &reader, &question)).await.ok()["series"][0]["total"], "1");
    ask(post(&bundle, "/v1/events", &reader, &event)).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_that_is_mistyped_unknown_revoked_or_expired_is_refused() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let key = acme.api_key(&bundle, &["events:write", "metrics:read"], None).await.unwrap();
    for request in requests(&bundle, &key) {
        ask(request).await.ok();
    }
    assert_refused(&bundle, &key[..key.len() - 1], 401, "invalid-api-key").await;
    // The right form, by the generator itself, and never stored.
    let query = "select 'tally_' || s || app.base62(app.crc32(s), 6) from app.random_base62(32) as s";
    let unknown: String = sqlx::query_scalar(query).fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_refused(&bundle, &unknown, 401, "invalid-api-key").await;

    for end in ["revoked_at = now(), expires_at = null", "revoked_at = null, expires_at = now()"] {
        let update = sqlx::AssertSqlSafe(format!("update api_keys set {end}"));
        sqlx::query(update).execute(&mut bundle.database().await.unwrap()).await.unwrap();
        assert_refused(&bundle, &key, 401, "invalid-api-key").await;
    }
}

/// Another owner, since an organization keeps one.
async fn second_owner(bundle: &Bundle, tenant: &Tenant) {
    sqlx::query("insert into org_members (org_id, user_id, role) values ($1::uuid, gen_random_uuid(), 'owner')")
        .bind(&tenant.org_id)
        .execute(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
}

async fn second_store(bundle: &Bundle, tenant: &Tenant) -> String {
    sqlx::query_scalar(
        "insert into stores (org_id, workspace_id, name) values ($1::uuid, $2::uuid, 'Other') returning id::text",
    )
    .bind(&tenant.org_id)
    .bind(&tenant.workspace_id)
    .fetch_one(&mut bundle.database().await.unwrap())
    .await
    .unwrap()
}
