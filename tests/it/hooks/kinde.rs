//! `POST /hooks/user-created` from Kinde, whose webhooks are a JWT, signed with the keys that sign access tokens too.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tally_core::identity::user_id::user_id;
use tally_host::identity::{now, with_headers};

use super::fixtures::{fixture, owners};
use crate::answer::{Answer as Reply, ask};
use crate::harness::{Answer, Bundle, KeyServer, SigningKey};
use crate::host::until;
use crate::senders::post_jwt;

const PATH: &str = "/hooks/user-created";
const USER: &str = "kp_3a7c1f0e5d2b4c6f8a9b0c1d2e3f4a5b";

/// A bundle that takes Kinde's webhooks, and Kinde's access tokens.
async fn bundle(server: &KeyServer) -> Bundle {
    Bundle::lasting(|variables| {
        for name in ["kinde_jwks", "jwks"] {
            variables.insert(format!("{name}_url"), server.url());
            variables.insert(format!("{name}_origin"), server.origin.clone());
        }
    })
    .await
    .unwrap()
}

async fn send(bundle: &Bundle, jwt: impl Into<String>) -> Reply {
    ask(post_jwt(bundle, jwt.into())).await
}

fn event_with(name: &str, value: Value) -> Value {
    let mut event = fixture("kinde_user_created");
    event[name] = value;
    event
}

/// The claims of an access token.
fn token_claims(bundle: &Bundle) -> Value {
    json!({"iss": bundle.identity.issuer, "aud": [bundle.identity.audience], "azp": "client", "scp": ["openid"],
           "iat": now(), "exp": now() + 600, "jti": "1", "sub": USER})
}

#[tokio::test]
async fn a_webhook_by_any_published_key_makes_one_organization() {
    let keys = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
        .map(|algorithm| SigningKey::new(&format!("{algorithm:?}"), algorithm).unwrap());
    let server = KeyServer::start(Answer::keys(&keys.each_ref().map(|key| key.public().unwrap()))).await.unwrap();
    let bundle = bundle(&server).await;
    // However long ago it was: it is sent again for days, and makes nothing twice.
    let old = event_with("event_timestamp", json!("2024-01-01T00:00:00.000+11:00"));
    for event in [fixture("kinde_user_created"), old] {
        for key in &keys {
            assert_eq!(send(&bundle, key.mint(&event).unwrap()).await.ok(), json!({}));
        }
    }
    let id = user_id(&bundle.identity.issuer, USER).unwrap().to_string();
    assert_eq!(owners(&bundle).await, [(id.clone(), "Wile Coyote's organization".to_owned())]);
    assert_eq!(server.asked().len(), 1, "{:?}", server.asked());

    // The user's token, by the same keys, is the same user's.
    let token = keys[0].mint(&token_claims(&bundle)).unwrap();
    let me = ask(bundle.client.get(bundle.url("/v1/me")).bearer_auth(token)).await.ok();
    assert_eq!((&me["user_id"], &me["membership_count"]), (&json!(id), &json!(1)));
}

#[tokio::test]
async fn other_events_make_nothing() {
    let key = SigningKey::new("a", Algorithm::RS256).unwrap();
    let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
    let bundle = bundle(&server).await;
    for event in ["user.updated", "user.deleted", "organization.created"] {
        assert_eq!(send(&bundle, key.mint(&event_with("type", json!(event))).unwrap()).await.ok(), json!({}));
    }
    for (name, value) in [("type", Value::Null), ("event_id", Value::Null), ("data", json!({"user": {}}))] {
        let answer = send(&bundle, key.mint(&event_with(name, value)).unwrap()).await;
        answer.problem(400, "malformed-body");
    }
    assert_eq!(bundle.count("organizations").await, 0);
}

#[tokio::test]
async fn an_access_token_is_no_webhook_and_a_webhook_no_access_token() {
    let key = SigningKey::new("a", Algorithm::RS256).unwrap();
    let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
    let bundle = bundle(&server).await;
    let token = token_claims(&bundle);
    send(&bundle, key.mint(&token).unwrap()).await.problem(401, "invalid-signature");
    // Nor one with claims that look like an event, which whoever may add claims could give it.
    let mut both = fixture("kinde_user_created");
    both.as_object_mut().unwrap().extend(token.as_object().unwrap().clone());
    send(&bundle, key.mint(&both).unwrap()).await.problem(401, "invalid-signature");
    let event = fixture("kinde_user_created");
    let typed = Header { typ: Some("at+jwt".to_owned()), ..key.header() };
    send(&bundle, key.mint_with(&typed, &event).unwrap()).await.problem(401, "invalid-signature");
    assert_eq!(bundle.count("organizations").await, 0);

    let webhook = key.mint(&event).unwrap();
    ask(bundle.client.get(bundle.url("/v1/me")).bearer_auth(&webhook)).await.problem(401, "invalid-token");
    send(&bundle, webhook).await.ok();
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn forged_webhooks_make_nothing() {
    let key = SigningKey::new("a", Algorithm::ES256).unwrap();
    let public = key.public().unwrap();
    let server = KeyServer::start(Answer::keys(std::slice::from_ref(&public))).await.unwrap();
    let bundle = bundle(&server).await;
    let event = fixture("kinde_user_created");
    let good = key.mint(&event).unwrap();

    let strange = SigningKey::new("a", Algorithm::ES256).unwrap();
    let jwk = serde_json::from_value(strange.public().unwrap()).unwrap();
    let carrying = Header { jwk: Some(jwk), ..strange.header() };
    let confused = Header { kid: Some("a".to_owned()), ..Header::default() };
    let shared =
        |text: &str| jsonwebtoken::encode(&confused, &event, &EncodingKey::from_secret(text.as_bytes())).unwrap();
    let other = key.mint(&event_with("event_id", json!("event_2"))).unwrap();
    let (other, _) = other.rsplit_once('.').unwrap();
    let (head, signature) = good.rsplit_once('.').unwrap();
    for forged in [
        strange.mint(&event).unwrap(),
        strange.mint_with(&carrying, &event).unwrap(),
        SigningKey::new("b", Algorithm::ES256).unwrap().mint(&event).unwrap(),
        SigningKey::new("a", Algorithm::EdDSA).unwrap().mint(&event).unwrap(),
        shared(&public.to_string()),
        shared(&bundle.identity.jwt_secret),
        format!("{other}.{signature}"),
        format!("{head}."),
        format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap()),
        key.mint(&event_with("exp", json!(now() - 60))).unwrap(),
        event.to_string(),
        String::new(),
    ] {
        send(&bundle, forged).await.problem(401, "invalid-signature");
    }
    send(&bundle, "x".repeat(16 * 1024 + 1)).await.problem(413, "body-too-large");
    // What another sender is authenticated by does not vouch for a JWT, nor the type of a body for JSON.
    let signed = bundle.identity.sign_webhook(&event.to_string()).unwrap();
    for kind in ["application/jwt", "application/json"] {
        let request = bundle.client.post(bundle.url(PATH)).header("content-type", kind);
        let request = with_headers(request, signed.clone());
        let body = if kind == "application/jwt" { event.to_string() } else { good.clone() };
        ask(request.body(body)).await.problem(401, "invalid-signature");
    }
    assert_eq!(bundle.count("organizations").await, 0);
    send(&bundle, good).await.ok();
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn while_the_keys_cannot_be_had_the_sender_tries_again() {
    let key = SigningKey::new("a", Algorithm::RS256).unwrap();
    let server = KeyServer::start(Answer::HangUp).await.unwrap();
    let bundle = bundle(&server).await;
    let webhook = key.mint(&fixture("kinde_user_created")).unwrap();
    // With its Retry-After.
    send(&bundle, webhook.clone()).await.problem(503, "keys-unavailable");
    assert_eq!(bundle.count("organizations").await, 0);
    server.answer(Answer::keys(&[key.public().unwrap()]));
    until("the webhook is taken", async || send(&bundle, webhook.clone()).await.status == 200).await;
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn only_the_named_host_over_tls_is_asked_and_only_where_one_is_named() {
    let key = SigningKey::new("a", Algorithm::RS256).unwrap();
    let webhook = key.mint(&fixture("kinde_user_created")).unwrap();
    let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
    let with = async |url: &str| {
        let change = |variables: &mut BTreeMap<String, String>| {
            // The keys of access tokens are no keys of webhooks.
            variables.insert("jwks_url".to_owned(), server.url());
            variables.insert("jwks_origin".to_owned(), server.origin.clone());
            variables.insert("kinde_jwks_url".to_owned(), url.to_owned());
        };
        Bundle::with(change).await.unwrap()
    };
    let bundle = with("").await;
    let problem = send(&bundle, webhook.clone()).await.problem(401, "invalid-signature");
    assert!(problem["detail"].as_str().unwrap().contains("`kinde_jwks_url`"), "{problem}");
    let bundle = with("http://acme.example/.well-known/jwks").await;
    send(&bundle, webhook.clone()).await.problem(500, "misconfigured");
    let log = bundle.guest_log().join("\n");
    assert!(log.contains("`kinde_jwks_url`") && log.contains("https://"), "{log}");
    // Its origin is not set: the functions may not ask there.
    let bundle = with(&server.url()).await;
    send(&bundle, webhook).await.problem(503, "keys-unavailable");
    let log = bundle.guest_log().join("\n");
    assert!(log.contains("`kinde_jwks_origin`"), "{log}");
    assert_eq!(server.asked(), Vec::<String>::new());
}
