//! `POST /hooks/access-token`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::answer::{Answer, ask};
use crate::harness::Bundle;

const PATH: &str = "/hooks/access-token";

async fn send(bundle: &Bundle, body: &Value) -> Answer {
    ask(bundle.identity.webhook(&bundle.client, bundle.url(PATH), body).unwrap()).await
}

fn event(user_id: Uuid, claims: &Value) -> Value {
    json!({"metadata": {"name": "customize-access-token"}, "user_id": user_id, "claims": claims,
           "authentication_method": "password"})
}

/// The claims that Supabase Auth gives, in the order and the form it writes them, but for what stands in `more`.
fn claims_of_supabase(user_id: Uuid, more: &str) -> String {
    format!(
        r#"{{"iss":"https://x.supabase.co/auth/v1","sub":"{user_id}","aud":"authenticated","exp":1715690221,"iat":1715686621,"email":"","phone":"","app_metadata":{{}},"user_metadata":{{}},"role":"authenticated","aal":"aal1","amr":[{{"method":"password","timestamp":1715686621}}],"session_id":"8b34dcdd-9df1-4c10-850a-b3277c653040","is_anonymous":false{more}}}"#
    )
}

/// The texts of an object's fields, sorted by name.
fn fields(object: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(object).unwrap_or_else(|error| panic!("{error}: {object}"))
}

fn texts<'a>(fields: &'a BTreeMap<String, &'a RawValue>) -> BTreeMap<&'a str, &'a str> {
    fields.iter().map(|(name, value)| (name.as_str(), value.get())).collect()
}

async fn send_text(bundle: &Bundle, body: String) -> Answer {
    let request = bundle.client.post(bundle.url(PATH)).header("content-type", "application/json");
    let headers = bundle.identity.sign_webhook(&body).unwrap();
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    ask(request.body(body)).await
}

/// What the provider refuses an answer for lacking.
const REQUIRED: [&str; 10] =
    ["aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"];

#[tokio::test]
async fn the_organization_goes_in_and_every_other_claim_stays_as_it_was_written() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let (org_id, role) = (format!(r#""{}""#, acme.org_id), r#""owner""#);
    for (method, more) in [
        ("password", ""),
        ("token_refresh", r#","nbf":1715686621,"jti":"a","aud":["authenticated"]"#),
        (
            "mfa/phone",
            r#","aal":"aal2","amr":[{"method":"totp","timestamp":1},{"method":"sso/saml","timestamp":1,"provider":"x"}]"#,
        ),
        ("oauth_provider/authorization_code", r#","client_id":"c1","scope":"openid email""#),
        (
            "web3",
            r#","big":123456789012345678901234567890,"f":1.10,"e":1E+2,"x":{"b":1,"a":[null, "\u00e9"]},"é":"\/""#,
        ),
        ("passkey", r#","org_id":"22222222-2222-4222-8222-222222222222","user_role":"emperor""#),
    ] {
        let claims = claims_of_supabase(acme.user.id, more);
        let user_id = acme.user.id;
        let metadata = json!({"name": "customize-access-token", "uuid": Uuid::new_v4(), "ip_address": "1.2.3.4"});
        let answer = send_text(
            &bundle,
            format!(
                r#"{{"metadata":{metadata},"user_id":"{user_id}","claims":{claims},"authentication_method":"{method}"}}"#
            ),
        )
        .await;
        // The type exactly: with any other the provider drops the answer.
        assert_eq!((answer.status, &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
        let outer = fields(&answer.text);
        assert_eq!(outer.keys().collect::<Vec<_>>(), ["claims"], "{}", answer.text);
        let (given, got) = (fields(&claims), fields(outer["claims"].get()));
        let mut expected = texts(&given);
        expected.insert("org_id", &org_id);
        expected.insert("user_role", role);
        assert_eq!(texts(&got), expected);
        assert!(REQUIRED.iter().all(|name| got.contains_key(*name)), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_answer_too_large_for_the_provider_is_an_error_it_can_tell() {
    let bundle = Bundle::start().await.unwrap();
    let user_id = Uuid::new_v4();
    let of_size = |size: usize| event(user_id, &json!({"sub": user_id, "x": "x".repeat(size)}));
    let largest = 200 * 1024;
    let answer = send(&bundle, &of_size(largest - 1_000)).await;
    assert!(answer.ok()["claims"]["org_id"].is_string() && answer.text.len() <= largest);
    let message = send(&bundle, &of_size(largest)).await.hook_error(413);
    assert!(message.contains("metadata"), "{message}");
}

#[tokio::test]
async fn a_user_never_seen_is_provisioned_once() {
    let bundle = Bundle::start().await.unwrap();
    let user_id = Uuid::new_v4();
    let body = event(user_id, &json!({"sub": user_id, "email": "wile@acme.example", "user_metadata": {}}));
    let answers = futures::future::join_all((0..20).map(|_| send(&bundle, &body))).await;
    let organizations: Vec<Value> = answers.iter().map(|answer| answer.ok()["claims"]["org_id"].clone()).collect();
    assert!(organizations[0].is_string());
    assert!(organizations.iter().all(|organization| *organization == organizations[0]), "{organizations:?}");
}

#[tokio::test]
async fn an_anonymous_user_has_no_organization() {
    let bundle = Bundle::start().await.unwrap();
    let user_id = Uuid::new_v4();
    let claims = json!({"sub": user_id, "is_anonymous": true, "app_metadata": {}, "email": "", "amr": [{"method": "anonymous"}]});
    assert_eq!(send(&bundle, &event(user_id, &claims)).await.ok(), json!({"claims": claims}));
}

#[tokio::test]
async fn a_removed_membership_is_not_in_the_token() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut owner = bundle.database().await.unwrap();
    // An organization keeps an owner, so another one comes first.
    sqlx::query("insert into org_members (org_id, user_id, role) values ($1::uuid, $2, 'owner')")
        .bind(&acme.org_id)
        .bind(Uuid::new_v4())
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query("delete from org_members where user_id = $1").bind(acme.user.id).execute(&mut owner).await.unwrap();
    let claims = json!({"sub": acme.user.id, "org_id": acme.org_id, "user_role": "owner"});
    assert_eq!(
        send(&bundle, &event(acme.user.id, &claims)).await.ok(),
        json!({"claims": {"sub": acme.user.id}}),
        "and the old claims do not survive"
    );
}

#[tokio::test]
async fn the_earliest_membership_counts_until_another_is_chosen() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let mut owner = bundle.database().await.unwrap();
    sqlx::query("insert into org_members (org_id, user_id, role) values ($1::uuid, $2, 'viewer')")
        .bind(&bolt.org_id)
        .bind(acme.user.id)
        .execute(&mut owner)
        .await
        .unwrap();
    let ask_for_claims = async || send(&bundle, &event(acme.user.id, &json!({}))).await.ok()["claims"].clone();
    assert_eq!(ask_for_claims().await, json!({"org_id": acme.org_id, "user_role": "owner"}));

    sqlx::query("insert into active_organizations (org_id, user_id) values ($1::uuid, $2)")
        .bind(&bolt.org_id)
        .bind(acme.user.id)
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(ask_for_claims().await, json!({"org_id": bolt.org_id, "user_role": "viewer"}));
}

#[tokio::test]
async fn a_sign_up_that_waits_for_its_token_gets_one() {
    let bundle = Bundle::start().await.unwrap();
    let user_id = Uuid::new_v4();
    let body = event(user_id, &json!({"sub": user_id}));
    // The trigger has made the organization, in a transaction that ends only when the provider has its token.
    let mut provider = bundle.database().await.unwrap();
    let mut sign_up = provider.begin().await.unwrap();
    sqlx::query("insert into auth.users (id) values ($1)").bind(user_id).execute(&mut *sign_up).await.unwrap();
    assert_eq!(send(&bundle, &body).await.ok(), json!({"claims": {"sub": user_id}}));
    sign_up.commit().await.unwrap();

    assert_eq!(send(&bundle, &body).await.ok()["claims"]["user_role"], "owner");
    let failures: i64 = sqlx::query_scalar("select count(*) from app.provisioning_failures")
        .fetch_one(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
    assert_eq!(failures, 0);
}

#[tokio::test]
async fn a_sign_up_that_fails_to_provision_still_gets_a_token() {
    let bundle = Bundle::start().await.unwrap();
    let mut owner = bundle.database().await.unwrap();
    let forbid = "alter table organizations add constraint organizations_test_check check (false) not valid";
    sqlx::raw_sql(forbid).execute(&mut owner).await.unwrap();
    let user_id = Uuid::new_v4();
    let body = event(user_id, &json!({"sub": user_id}));
    assert_eq!(send(&bundle, &body).await.ok(), json!({"claims": {"sub": user_id}}));
    let failed: Uuid = sqlx::query_scalar("select user_id from app.provisioning_failures where sqlstate = '23514'")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(failed, user_id);

    let allow = "alter table organizations drop constraint organizations_test_check";
    sqlx::raw_sql(allow).execute(&mut owner).await.unwrap();
    assert_eq!(send(&bundle, &body).await.ok()["claims"]["user_role"], "owner");
}

#[tokio::test]
async fn errors_come_in_the_form_the_provider_reads() {
    let bundle = Bundle::start().await.unwrap();
    let unsigned = bundle.client.post(bundle.url(PATH)).json(&json!({}));
    ask(unsigned).await.hook_error(401);
    for body in [json!({}), json!([]), json!({"user_id": "7", "claims": {}}), json!({"user_id": Uuid::new_v4()})] {
        send(&bundle, &body).await.hook_error(400);
    }
    let large = event(Uuid::new_v4(), &json!({"x": "x".repeat(300 * 1024)}));
    send(&bundle, &large).await.hook_error(413);
}
