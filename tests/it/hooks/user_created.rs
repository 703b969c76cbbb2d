//! `POST /hooks/user-created`: Supabase Auth's hooks, and what holds for every sender.

use serde_json::{Value, json};
use tally_host::identity::{User, metadata, now, with_headers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::fixtures::{fixture, owners};
use crate::answer::{Answer, ask};
use crate::harness::Bundle;

const PATH: &str = "/hooks/user-created";
/// The most that is taken, bytes.
const LARGEST: usize = 2 * 1024 * 1024;

fn payload(user: &User) -> Value {
    json!({"metadata": metadata("after-user-created"), "user": user.record()})
}

fn user(company: &str) -> User {
    User { id: Uuid::new_v4(), email: format!("{company}@example.org"), company: company.to_owned() }
}

async fn send(bundle: &Bundle, body: &Value) -> Answer {
    ask(bundle.identity.webhook(&bundle.client, bundle.url(PATH), body).unwrap()).await
}

#[tokio::test]
async fn a_sign_up_makes_organization_workspace_and_owner() {
    let bundle = Bundle::start().await.unwrap();
    let wile = user("Acme Inc.");
    assert_eq!(send(&bundle, &payload(&wile)).await.ok(), json!({}));

    let made: (String, String, String, String) = sqlx::query_as(
        "select o.name, o.slug, w.name, m.role::text
         from organizations o join workspaces w on w.org_id = o.id join org_members m on m.org_id = o.id
         where m.user_id = $1",
    )
    .bind(wile.id)
    .fetch_one(&mut bundle.database().await.unwrap())
    .await
    .unwrap();
    assert_eq!(made, ("Acme Inc.".into(), "acme-inc".into(), "Default".into(), "owner".into()));
}

#[tokio::test]
async fn a_name_that_postgres_would_refuse_is_cleaned() {
    let bundle = Bundle::start().await.unwrap();
    let wile = user("Acme");
    let mut body = payload(&wile);
    body["user"]["email"] = json!("w\u{0}@acme.example");
    body["user"]["user_metadata"] = json!({"company": " A\u{0}c\u{1}me ", "\u{0}": 7, "tags": ["\u{0}"]});
    send(&bundle, &body).await.ok();
    let name: String = sqlx::query_scalar("select name from organizations where signup_user_id = $1")
        .bind(wile.id)
        .fetch_one(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
    assert_eq!(name, "Acme");
}

#[tokio::test]
async fn however_often_and_at_once_it_is_told_there_is_one() {
    let bundle = Bundle::start().await.unwrap();
    let wile = user("Acme");
    let body = payload(&wile);
    let answers = futures::future::join_all((0..50).map(|_| send(&bundle, &body))).await;
    for answer in answers {
        answer.ok();
    }
    assert_eq!(bundle.count("organizations").await, 1);
    assert_eq!(bundle.count("workspaces").await, 1);
    assert_eq!(bundle.count("org_members").await, 1);
}

#[tokio::test]
async fn sign_ups_of_one_name_at_once_get_slugs_of_their_own() {
    let bundle = Bundle::start().await.unwrap();
    let bodies: Vec<Value> = (0..20).map(|_| payload(&user("Acme"))).collect();
    for answer in futures::future::join_all(bodies.iter().map(|body| send(&bundle, body))).await {
        answer.ok();
    }
    assert_eq!(bundle.count("organizations").await, 20);
}

#[tokio::test]
async fn a_wrong_or_missing_signature_makes_nothing() {
    let bundle = Bundle::start().await.unwrap();
    let body = payload(&user("Acme")).to_string();

    let unsigned = bundle.client.post(bundle.url(PATH)).header("content-type", "application/json").body(body.clone());
    ask(unsigned).await.problem(401, "invalid-signature");

    let mut stranger = bundle.identity.clone();
    stranger.webhook_secret = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
    let forged = stranger.webhook(&bundle.client, bundle.url(PATH), &payload(&user("Acme"))).unwrap();
    ask(forged).await.problem(401, "invalid-signature");

    let signature = bundle.identity.sign_webhook(&body).unwrap();
    let tampered = with_headers(bundle.client.post(bundle.url(PATH)), signature);
    ask(tampered.body(body.replace("Acme", "Evil"))).await.problem(401, "invalid-signature");

    assert_eq!(bundle.count("organizations").await, 0);
}

#[tokio::test]
async fn a_stale_or_future_timestamp_makes_nothing() {
    let bundle = Bundle::start().await.unwrap();
    let body = payload(&user("Acme")).to_string();
    for time in [now() - 301, now() + 360] {
        let headers = bundle.identity.sign_webhook_at(&body, "msg_1", time).unwrap();
        let request = with_headers(bundle.client.post(bundle.url(PATH)), headers);
        ask(request.body(body.clone())).await.problem(401, "stale-timestamp");
    }
    assert_eq!(bundle.count("organizations").await, 0);
}

#[tokio::test]
async fn bad_bodies_and_methods_are_told() {
    let bundle = Bundle::start().await.unwrap();
    for body in [json!({}), json!([]), json!({"user": {"id": "7"}}), json!("x")] {
        send(&bundle, &body).await.problem(400, "malformed-body");
    }
    let large = json!({"user": {"id": Uuid::new_v4(), "email": "x".repeat(LARGEST)}});
    send(&bundle, &large).await.problem(413, "body-too-large");
    ask(bundle.client.get(bundle.url(PATH))).await.problem(405, "method-not-allowed");
    assert_eq!(bundle.count("organizations").await, 0);
}

#[tokio::test]
async fn a_rotation_takes_both_secrets() {
    let old = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let bundle = Bundle::with(|variables| {
        let new = variables["webhook_secrets"].clone();
        variables.insert("webhook_secrets".to_owned(), format!("{old}|{new}"));
    })
    .await
    .unwrap();
    send(&bundle, &payload(&user("Acme"))).await.ok();
    let mut before = bundle.identity.clone();
    before.webhook_secret = old.to_owned();
    ask(before.webhook(&bundle.client, bundle.url(PATH), &payload(&user("Bolt"))).unwrap()).await.ok();
    assert_eq!(bundle.count("organizations").await, 2);
}

#[tokio::test]
async fn what_is_not_stored_yet_makes_nothing_and_does_not_stop_the_sign_up() {
    let bundle = Bundle::start().await.unwrap();
    let mut before = fixture("supabase_before_user_created");
    assert_eq!(send(&bundle, &before).await.ok(), json!({}));
    before["user"]["app_metadata"] = json!({"provider": "google", "providers": ["google"]});
    assert_eq!(send(&bundle, &before).await.ok(), json!({}));
    assert_eq!(bundle.count("organizations").await, 0);

    let mut after = fixture("supabase_after_user_created");
    after["user"]["id"] = json!(Uuid::new_v4());
    assert_eq!(send(&bundle, &after).await.ok(), json!({}));
    assert_eq!(send(&bundle, &before).await.ok(), json!({}));
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn a_failure_of_ours_does_not_stop_a_sign_up_and_the_first_token_makes_it_good() {
    let bundle = Bundle::start().await.unwrap();
    bundle.refuse_organizations().await;
    let wile = user("Acme");
    let answer = send(&bundle, &payload(&wile)).await;
    assert_eq!(answer.ok(), json!({}));
    let log = bundle.guest_log().join("\n");
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(log.lines().any(|line| line.contains(request_id) && line.contains("\"error\"")), "{log}");
    assert!(!log.contains(&wile.email), "{log}");

    // Who sends again later is asked to.
    let mut told = fixture("generic_user_created");
    told["data"]["id"] = json!(wile.id);
    send(&bundle, &told).await.problem(500, "internal");

    bundle.take_organizations().await;
    let claims = bundle.identity.sign_in(&bundle.client, &bundle.base_url, &wile).await.unwrap();
    assert_eq!(claims["user_role"], "owner");
}

/// A sign-up of somebody with a picture of so many bytes in their profile, which Supabase tells twice.
fn with_picture(user: &User, bytes: usize) -> Value {
    let mut body = payload(user);
    let profile =
        json!({"company": user.company, "avatar_url": format!("data:image/png;base64,{}", "A".repeat(bytes))});
    body["user"]["identities"] = json!([{"provider": "email", "identity_data": &profile}]);
    body["user"]["user_metadata"] = profile;
    body
}

/// The same without a word beforehand of how much comes.
async fn send_in_chunks(bundle: &Bundle, body: &str) -> String {
    let address = bundle.base_url.strip_prefix("http://").unwrap();
    let signature = bundle.identity.sign_webhook(body).unwrap().map(|(name, value)| format!("{name}: {value}\r\n"));
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n{}\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        signature.concat(),
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_picture_in_the_profile_is_no_reason_to_refuse_a_user() {
    let bundle = Bundle::start().await.unwrap();
    let wile = user("Acme");
    let body = with_picture(&wile, LARGEST / 2 - 2048);
    assert!((LARGEST - 4096..=LARGEST).contains(&body.to_string().len()), "{}", body.to_string().len());
    assert_eq!(send(&bundle, &body).await.ok(), json!({}));
    assert_eq!(owners(&bundle).await, [(wile.id.to_string(), "Acme".to_owned())]);
}

#[tokio::test]
async fn a_sign_up_that_is_too_large_goes_on_and_the_first_token_makes_it_good() {
    let bundle = Bundle::start().await.unwrap();
    let wile = user("Acme");
    let mut body = with_picture(&wile, LARGEST);
    let answer = send(&bundle, &body).await;
    assert_eq!(answer.ok(), json!({}));
    let (log, request_id) = (bundle.guest_log(), answer.headers["x-request-id"].to_str().unwrap());
    let lines: Vec<&String> = log.iter().filter(|line| line.contains(request_id)).collect();
    assert!(lines.len() == 1 && lines[0].contains("body-too-large"), "{lines:?}");
    let answer = send_in_chunks(&bundle, &body.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("{}"), "{answer}");
    body["metadata"]["name"] = json!("before-user-created");
    assert_eq!(send(&bundle, &body).await.ok(), json!({}));
    // Another hook, whose address this is not; and a sender who waits for no answer.
    body["metadata"]["name"] = json!("send-email");
    send(&bundle, &body).await.problem(413, "body-too-large");
    let told = json!({"type": "user.created", "data": {"id": wile.id, "name": "x".repeat(LARGEST)}});
    send(&bundle, &told).await.problem(413, "body-too-large");
    assert_eq!(bundle.count("organizations").await, 0);

    let claims = bundle.identity.sign_in(&bundle.client, &bundle.base_url, &wile).await.unwrap();
    assert_eq!(claims["user_role"], "owner");
}

#[tokio::test]
async fn another_hook_of_supabase_is_told_that_it_is_wrong_here() {
    let bundle = Bundle::start().await.unwrap();
    let mut body = fixture("supabase_after_user_created");
    body["metadata"]["name"] = json!("send-email");
    send(&bundle, &body).await.problem(400, "malformed-body");
    assert_eq!(bundle.count("organizations").await, 0);
}
