//! Access tokens signed with private keys, whose public keys the identity provider publishes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tally_host::identity::now;
use uuid::Uuid;

use crate::answer::{Answer as Reply, ask, post};
use crate::harness::{Answer, Bundle, KeyServer, SigningKey, Tenant};
use crate::host::until;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA];

/// The variables of a bundle that trusts these keys.
fn trusting(server: &KeyServer) -> impl FnOnce(&mut BTreeMap<String, String>) {
    let values = [("jwks_url", server.url()), ("jwks_origin", server.origin.clone())];
    move |variables| variables.extend(values.map(|(name, value)| (name.to_owned(), value)))
}

/// The same, and no secret.
fn trusting_only(server: &KeyServer) -> impl FnOnce(&mut BTreeMap<String, String>) {
    let change = trusting(server);
    move |variables| {
        change(variables);
        variables.remove("jwt_secret");
    }
}

async fn metrics(bundle: &Bundle, credential: &str) -> Reply {
    ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(credential)).await
}

async fn assert_taken(bundle: &Bundle, tenant: &Tenant, token: &str) {
    let event = json!({"id": Uuid::new_v4(), "metric": "orders", "store_id": tenant.store_id, "value": "1",
                       "recorded_at": "2026-10-05T10:00:00Z"});
    let question = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01"});
    assert_eq!(ask(post(bundle, "/v1/events", token, &event)).await.ok()["accepted"], 1);
    ask(post(bundle, "/v1/query", token, &question)).await.ok();
    metrics(bundle, token).await.ok();
}

async fn assert_refused(bundle: &Bundle, token: &str) {
    ask(post(bundle, "/v1/events", token, &json!([]))).await.problem(401, "invalid-token");
    ask(post(bundle, "/v1/query", token, &json!({}))).await.problem(401, "invalid-token");
    metrics(bundle, token).await.problem(401, "invalid-token");
}

/// The tenant's claims, but for one.
fn claims_with(tenant: &Tenant, name: &str, value: Value) -> Value {
    let mut claims = tenant.claims.clone();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn every_kind_of_key_is_taken_beside_the_secret() {
    let keys = ALGORITHMS.map(|algorithm| SigningKey::new(&format!("{algorithm:?}"), algorithm).unwrap());
    let server = KeyServer::start(Answer::keys(&keys.each_ref().map(|key| key.public().unwrap()))).await.unwrap();
    let bundle = Bundle::with(trusting(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    assert_taken(&bundle, &acme, &acme.token).await;
    assert!(server.asked().is_empty(), "no key was needed: {:?}", server.asked());

    for key in &keys {
        let good = key.mint(&acme.claims).unwrap();
        assert_taken(&bundle, &acme, &good).await;
        assert_taken(&bundle, &acme, &key.mint(&claims_with(&acme, "aud", json!(["authenticated"]))).unwrap()).await;
        // There is just one key of each algorithm, so that a token need not name it.
        let nameless = Header { kid: None, ..key.header() };
        assert_taken(&bundle, &acme, &key.mint_with(&nameless, &acme.claims).unwrap()).await;

        for (name, value) in [
            ("exp", json!(now() - 60)),
            ("nbf", json!(now() + 3_600)),
            ("iss", json!("https://evil.example")),
            ("aud", json!("anon")),
        ] {
            assert_refused(&bundle, &key.mint(&claims_with(&acme, name, value)).unwrap()).await;
        }
        let other = key.mint(&claims_with(&acme, "user_role", json!("admin"))).unwrap();
        let (head, signature) = (other.rsplit_once('.').unwrap().0, good.rsplit_once('.').unwrap().1);
        assert_refused(&bundle, &format!("{head}.{signature}")).await;
        let nobodys = key.mint(&claims_with(&acme, "org_id", Value::Null)).unwrap();
        metrics(&bundle, &nobodys).await.problem(403, "no-organization");
    }
    let path = server.url().replace(&server.origin, "");
    assert!(server.asked().iter().all(|line| *line == format!("GET {path} HTTP/1.1")), "{:?}", server.asked());
}

#[tokio::test]
async fn organization_and_role_stand_where_the_variables_say() {
    let (org_claim, role_claim) = ("https://tally.example/org_id", "https://tally.example/user_role");
    let bundle = Bundle::with(|variables| {
        variables.insert("jwt_org_claim".to_owned(), org_claim.to_owned());
        variables.insert("jwt_role_claim".to_owned(), role_claim.to_owned());
    })
    .await
    .unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let namespaced = acme
        .token_with(&bundle, |claims| {
            claims[org_claim] = json!(acme.org_id);
            claims[role_claim] = json!("owner");
            // As providers have it that call organizations of their own so.
            claims["org_id"] = json!("org_01HRDMC6CM357W30QMHMQ96Q0S");
            claims.as_object_mut().unwrap().remove("user_role");
        })
        .unwrap();
    assert_taken(&bundle, &acme, &namespaced).await;
    let problem = metrics(&bundle, &acme.token).await.problem(403, "no-organization");
    assert!(problem["detail"].as_str().unwrap().contains(org_claim), "{problem}");
    // Where nothing is set, only the usual names count.
    let usual = Bundle::start().await.unwrap();
    let bolt = usual.tenant("bolt").await.unwrap();
    let misplaced = bolt.token_with(&usual, |claims| claims[org_claim] = claims["org_id"].take()).unwrap();
    metrics(&usual, &misplaced).await.problem(403, "no-organization");
}

#[tokio::test]
async fn without_a_secret_only_published_keys_count() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
    let bundle = Bundle::with(trusting_only(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    assert_refused(&bundle, &acme.token).await;
    let api_key = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    metrics(&bundle, &api_key).await.ok();
    assert!(server.asked().is_empty(), "no key was needed: {:?}", server.asked());
    assert_taken(&bundle, &acme, &key.mint(&acme.claims).unwrap()).await;
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let keys = ALGORITHMS.map(|algorithm| SigningKey::new(&format!("{algorithm:?}"), algorithm).unwrap());
    let public = keys.each_ref().map(|key| key.public().unwrap());
    let server = KeyServer::start(Answer::keys(&public)).await.unwrap();
    let bundle = Bundle::lasting(trusting(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();

    for (key, public) in keys.iter().zip(&public) {
        // The public key, taken for the secret.
        let header = Header { kid: key.header().kid, ..Header::default() };
        for secret in [public.to_string(), public["x"].to_string(), public["n"].to_string()] {
            let secret = EncodingKey::from_secret(secret.as_bytes());
            assert_refused(&bundle, &jsonwebtoken::encode(&header, &acme.claims, &secret).unwrap()).await;
        }
        // Somebody else's key, under the id of ours, and brought along.
        let strange = SigningKey::new("x", key.header().alg).unwrap();
        if key.header().alg != Algorithm::RS256 {
            assert_refused(&bundle, &strange.mint_with(&key.header(), &acme.claims).unwrap()).await;
            let jwk = serde_json::from_value(strange.public().unwrap()).unwrap();
            let carrying = Header { jwk: Some(jwk), jku: Some(server.url()), ..key.header() };
            assert_refused(&bundle, &strange.mint_with(&carrying, &acme.claims).unwrap()).await;
        }
        let critical = Header { crit: Some(vec!["exp".to_owned()]), ..key.header() };
        assert_refused(&bundle, &key.mint_with(&critical, &acme.claims).unwrap()).await;
        // The id of another type's key.
        let misnamed = Header { kid: Some("a".to_owned()), ..key.header() };
        assert_refused(&bundle, &key.mint_with(&misnamed, &acme.claims).unwrap()).await;
        // {"alg":"none"}
        let claims = key.mint(&acme.claims).unwrap();
        assert_refused(&bundle, &format!("eyJhbGciOiJub25lIn0.{}.", claims.split('.').nth(1).unwrap())).await;
        assert_taken(&bundle, &acme, &claims).await;
    }
}

#[tokio::test]
async fn a_new_key_is_asked_for_at_once_and_made_up_ones_are_not() {
    let (old, new) =
        (SigningKey::new("old", Algorithm::ES256).unwrap(), SigningKey::new("new", Algorithm::EdDSA).unwrap());
    let unknown = SigningKey::new("made up", Algorithm::ES256).unwrap();
    let server = KeyServer::start(Answer::keys(&[old.public().unwrap()])).await.unwrap();
    let bundle = Bundle::lasting(trusting_only(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    metrics(&bundle, &old.mint(&acme.claims).unwrap()).await.ok();
    assert_eq!(server.asked().len(), 1);

    server.answer(Answer::keys(&[old.public().unwrap(), new.public().unwrap()]));
    metrics(&bundle, &new.mint(&acme.claims).unwrap()).await.ok();
    assert!(server.asked().len() > 1);

    let (before, tries) = (server.asked().len(), 60);
    for _ in 0..tries {
        metrics(&bundle, &unknown.mint(&acme.claims).unwrap()).await.problem(401, "invalid-token");
    }
    // A few, where the host takes several instances for it, each of which may ask.
    let asked = server.asked().len() - before;
    assert!(asked < tries / 2, "{asked} fetches for {tries} tokens");
}

#[tokio::test]
async fn requests_at_the_same_time_share_a_fetch() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let slowly = Answer::keys(&[key.public().unwrap()]).after(Duration::from_millis(500));
    let server = KeyServer::start(slowly).await.unwrap();
    let bundle = Bundle::lasting(trusting(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Found out only with the key at hand, and then the database is not asked.
    let expired = key.mint(&claims_with(&acme, "exp", json!(now() - 3_600))).unwrap();
    let count = 64;
    for answer in join_all((0..count).map(|_| metrics(&bundle, &expired))).await {
        let problem = answer.problem(401, "invalid-token");
        assert!(problem["detail"].as_str().unwrap().contains("expired"), "{problem}");
    }
    let asked = server.asked().len();
    assert!(asked < count / 2, "{asked} fetches for {count} requests");
}

#[tokio::test]
async fn a_provider_that_is_away_is_no_reason_to_refuse_a_token() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let server = KeyServer::start(Answer::HangUp).await.unwrap();
    let bundle = Bundle::lasting(trusting(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let token = key.mint(&acme.claims).unwrap();
    let answer = metrics(&bundle, &token).await;
    answer.problem(503, "keys-unavailable");
    ask(post(&bundle, "/v1/events", &token, &json!([]))).await.problem(503, "keys-unavailable");
    ask(post(&bundle, "/v1/query", &token, &json!({}))).await.problem(503, "keys-unavailable");
    let log = bundle.guest_log();
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(log.iter().any(|line| line.contains(request_id) && line.contains("the request failed")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains(&token)), "{log:#?}");
    // What needs no key is none the worse for it.
    metrics(&bundle, &acme.token).await.ok();
    metrics(&bundle, &acme.api_key(&bundle, &["metrics:read"], None).await.unwrap()).await.ok();

    // It is back, and soon asked again; then what is known serves on, and only an unknown key cannot be judged.
    server.answer(Answer::keys(&[key.public().unwrap()]));
    until("every instance to have the keys", async || {
        let mut statuses = Vec::new();
        for _ in 0..10 {
            statuses.push(metrics(&bundle, &token).await.status);
        }
        statuses.iter().all(|&status| status == 200)
    })
    .await;
    server.answer(Answer::HangUp);
    let unknown = SigningKey::new("b", Algorithm::ES256).unwrap().mint(&acme.claims).unwrap();
    until("an instance that has the keys", async || metrics(&bundle, &token).await.status == 200).await;
    metrics(&bundle, &unknown).await.problem(503, "keys-unavailable");
    until("an instance that has the keys", async || metrics(&bundle, &token).await.status == 200).await;
}

#[tokio::test]
async fn a_slow_provider_hangs_nobody() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let server = KeyServer::start(Answer::HangUp).await.unwrap();
    for begun in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"keys\":["] {
        server.answer(Answer::Stall(begun.to_owned()));
        let bundle = Bundle::with(trusting(&server)).await.unwrap();
        let acme = bundle.tenant("acme").await.unwrap();
        let token = key.mint(&acme.claims).unwrap();
        // The client's own patience ends after a minute.
        for answer in join_all((0..20).map(|_| metrics(&bundle, &token))).await {
            answer.problem(503, "keys-unavailable");
        }
        let log = bundle.guest_log().join("\n");
        assert!(log.contains("no answer within"), "{log}");
        metrics(&bundle, &acme.token).await.ok();
    }
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_is_told_in_the_log() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let public = key.public().unwrap();
    let server = KeyServer::start(Answer::HangUp).await.unwrap();
    let bundle = Bundle::lasting(trusting(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let token = key.mint(&acme.claims).unwrap();
    let good = json!({"keys": [public]}).to_string();
    let location = format!("location: {}/elsewhere\r\n", server.origin);
    for (answer, told) in [
        (Answer::response(302, &location, &good), "the answer is 302 Found"),
        (Answer::response(404, "", &good), "the answer is 404 Not Found"),
        (Answer::response(500, "", ""), "the answer is 500"),
        (Answer::response(200, "", "<html>"), "not of the form"),
        (Answer::response(200, "", "[]"), "not of the form"),
        (Answer::response(200, "", &format!("{good}{}", " ".repeat(64 * 1024))), "more than 65536 bytes"),
        (Answer::keys(&vec![public.clone(); 65]), "more than 64 keys"),
    ] {
        server.answer(answer);
        until(told, async || {
            metrics(&bundle, &token).await.problem(503, "keys-unavailable");
            bundle.guest_log().iter().any(|line| line.contains(told))
        })
        .await;
    }
    assert!(!server.asked().iter().any(|line| line.contains("elsewhere")), "{:?}", server.asked());
}

#[tokio::test]
async fn a_key_that_cannot_be_used_does_not_spoil_the_others() {
    let key = SigningKey::new("good", Algorithm::RS256).unwrap();
    let small = json!({"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB"});
    let secret =
        json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"});
    let server = KeyServer::start(Answer::keys(&[json!(null), small, secret, key.public().unwrap()])).await.unwrap();
    let bundle = Bundle::with(trusting_only(&server)).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    assert_taken(&bundle, &acme, &key.mint(&acme.claims).unwrap()).await;
    let header = Header { kid: Some("shared".to_owned()), ..Header::default() };
    let published = EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef");
    assert_refused(&bundle, &jsonwebtoken::encode(&header, &acme.claims, &published).unwrap()).await;

    let log = bundle.guest_log().join("\n");
    for told in ["2048", "malformed", "private"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert!(!log.contains("MDEyMzQ1"), "{log}");
}

#[tokio::test]
async fn a_host_that_was_not_allowed_is_not_asked() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
    for origin in ["", "http://127.0.0.1:1", "https://id.example"] {
        let bundle = Bundle::with(|variables| {
            trusting(&server)(variables);
            variables.insert("jwks_origin".to_owned(), origin.to_owned());
        })
        .await
        .unwrap();
        let acme = bundle.tenant("acme").await.unwrap();
        metrics(&bundle, &key.mint(&acme.claims).unwrap()).await.problem(503, "keys-unavailable");
        let log = bundle.guest_log().join("\n");
        assert!(log.contains("`jwks_origin`"), "{log}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}
