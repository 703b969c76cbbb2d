//! `POST /hooks/access-token`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tally_host::identity::now;
use uuid::Uuid;

use super::fixtures::text;
use crate::answer::{Answer, ask};
use crate::harness::{Bundle, until_waiting};

const PATH: &str = "/hooks/access-token";

async fn send(bundle: &Bundle, body: &Value) -> Answer {
    ask(bundle.identity.webhook(&bundle.client, bundle.url(PATH), body).unwrap()).await
}

fn event(user_id: Uuid, claims: &Value) -> Value {
    json!({"metadata": {"name": "customize-access-token"}, "user_id": user_id, "claims": claims,
           "authentication_method": "password"})
}

/// The texts of an object's fields, sorted by name.
fn fields(object: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(object).unwrap_or_else(|error| panic!("{error}: {object}"))
}

fn texts<'a>(fields: &'a BTreeMap<String, &'a RawValue>) -> BTreeMap<&'a str, &'a str> {
    fields.iter().map(|(name, value)| (name.as_str(), value.get())).collect()
}

/// An object with these fields, as they are written.
fn object(fields: &BTreeMap<&str, &str>) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// What the provider refuses an answer for lacking.
const REQUIRED: [&str; 10] =
    ["aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"];

/// The ways to sign in, which claims they leave out, and which they have otherwise.
type Variant = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);
const OPTIONAL: &[&str] = &["nbf", "jti", "client_id", "scope"];
const VARIANTS: [Variant; 7] = [
    ("password", OPTIONAL, &[]),
    ("oauth_provider/authorization_code", &[], &[]),
    ("token_refresh", OPTIONAL, &[("aud", r#"["authenticated"]"#), ("email", r#""""#)]),
    (
        "mfa/phone",
        OPTIONAL,
        &[
            ("aal", r#""aal2""#),
            ("amr", r#"[{"method":"totp","timestamp":1},{"method":"sso/saml","timestamp":1,"provider":"x"}]"#),
        ],
    ),
    ("passkey", &["iss"], &[("org_id", r#""22222222-2222-4222-8222-222222222222""#), ("user_role", r#""emperor""#)]),
    (
        "web3",
        OPTIONAL,
        &[
            ("big", "123456789012345678901234567890"),
            ("e", "1E+2"),
            ("f", "1.10"),
            ("x", r#"{"b":1,"a":[null, "\u00e9"]}"#),
            ("é", r#""\/""#),
        ],
    ),
    ("recovery", OPTIONAL, &[("user_metadata", r#"{"company":"Acme","n":1.0}"#)]),
];

#[tokio::test]
async fn the_organization_goes_in_and_every_other_claim_stays_as_it_was_written() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let event = text("supabase_access_token");
    let (event, claims) = (fields(&event), fields(fields(&event)["claims"].get()));
    let (user_id, org_id) = (json!(acme.user.id).to_string(), json!(acme.org_id).to_string());
    for (method, left_out, replaced) in VARIANTS {
        let mut given = texts(&claims);
        given.insert("sub", &user_id);
        given.retain(|name, _| !left_out.contains(name));
        given.extend(replaced.iter().copied());
        let (method, given_text) = (json!(method).to_string(), object(&given));
        let mut asked = texts(&event);
        asked.extend([("user_id", &*user_id), ("claims", &given_text), ("authentication_method", &method)]);

        let answer = ask(bundle.identity.webhook_text(&bundle.client, bundle.url(PATH), object(&asked)).unwrap()).await;
        // The type exactly: with any other the provider drops the answer.
        assert_eq!((answer.status, &answer.headers["content-type"]), (200, &"application/json".parse().unwrap()));
        let outer = fields(&answer.text);
        assert_eq!(outer.keys().collect::<Vec<_>>(), ["claims"], "{}", answer.text);
        let got = fields(outer["claims"].get());
        let mut expected = given.clone();
        expected.extend([("org_id", &*org_id), ("user_role", r#""owner""#)]);
        assert_eq!(texts(&got), expected);
        assert!(REQUIRED.iter().all(|name| got.contains_key(*name)), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_provider_whose_ids_are_no_uuids_is_answered_of_the_same_user() {
    let bundle = Bundle::start().await.unwrap();
    let (clerk, told) = ("user_29w83sxmDNGwOuEthce5gg56FcC", text("clerk_user_created"));
    let user_created = bundle.url("/hooks/user-created");
    ask(bundle.identity.webhook_text(&bundle.client, user_created, told).unwrap()).await.ok();
    let asked = |user_id: &str| json!({"user_id": user_id, "claims": {"email": "wile@acme.example"}});
    let claims = send(&bundle, &asked(clerk)).await.ok()["claims"].clone();
    assert_eq!(bundle.count("organizations").await, 1, "the webhook's organization is the token's");
    let token = |sub: &str, claims: &Value| {
        let identity = &bundle.identity;
        let token = json!({"iss": identity.issuer, "aud": identity.audience, "exp": now() + 60, "sub": sub,
                           "org_id": claims["org_id"], "user_role": claims["user_role"]});
        bundle.identity.mint(&token).unwrap()
    };
    ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(token(clerk, &claims))).await.ok();

    // Of whom no webhook ever told.
    let missed = "user_of_whom_nobody_told";
    for _ in 0..2 {
        let claims = send(&bundle, &asked(missed)).await.ok()["claims"].clone();
        assert_eq!(claims["user_role"], "owner");
        ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(token(missed, &claims))).await.ok();
    }
    assert_eq!(bundle.count("organizations").await, 2);
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
async fn tokens_of_one_user_wait_for_each_other() {
    let bundle = Bundle::start().await.unwrap();
    let patient = "do $$ begin
        execute format('alter role tally_token_hook in database %I set lock_timeout = 0', current_database());
      end $$";
    bundle.execute(patient).await;
    let user_id = Uuid::new_v4();
    // Another token of the user is on its way, and takes longer than a sign-up that waits for its token would be waited for.
    let mut other = bundle.database().await.unwrap();
    let mut unfinished = other.begin().await.unwrap();
    sqlx::query("select api.access_token_claims($1, null, null, true)")
        .bind(user_id)
        .execute(&mut *unfinished)
        .await
        .unwrap();
    let finishing = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        unfinished.commit().await.unwrap();
    };
    let body = event(user_id, &json!({}));
    let (answer, ()) = tokio::join!(send(&bundle, &body), finishing);
    assert_eq!(answer.ok()["claims"]["user_role"], "owner");
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn a_sign_up_that_fails_to_provision_still_gets_a_token() {
    let bundle = Bundle::start().await.unwrap();
    let mut owner = bundle.database().await.unwrap();
    bundle.refuse_organizations().await;
    let user_id = Uuid::new_v4();
    let body = event(user_id, &json!({"sub": user_id}));
    assert_eq!(send(&bundle, &body).await.ok(), json!({"claims": {"sub": user_id}}));
    let failed: Uuid = sqlx::query_scalar("select user_id from app.provisioning_failures where sqlstate = '23514'")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(failed, user_id);

    bundle.take_organizations().await;
    assert_eq!(send(&bundle, &body).await.ok()["claims"]["user_role"], "owner");
}

#[tokio::test]
async fn errors_come_in_the_form_the_provider_reads() {
    let bundle = Bundle::start().await.unwrap();
    let unsigned = bundle.client.post(bundle.url(PATH)).json(&json!({}));
    ask(unsigned).await.hook_error(401);
    for body in [
        json!({}),
        json!([]),
        json!({"user_id": 7, "claims": {}}),
        json!({"user_id": "", "claims": {}}),
        json!({"user_id": "x".repeat(256), "claims": {}}),
        json!({"user_id": Uuid::new_v4()}),
    ] {
        send(&bundle, &body).await.hook_error(400);
    }
    let large = event(Uuid::new_v4(), &json!({"x": "x".repeat(300 * 1024)}));
    send(&bundle, &large).await.hook_error(413);
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_address_changes_nothing() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let address = || bundle.url("/hooks/access-token/");
    let body = event(acme.user.id, &json!({}));
    let answer = ask(bundle.identity.webhook(&bundle.client, address(), &body).unwrap()).await.ok();
    assert_eq!(answer["claims"]["org_id"], acme.org_id);
    ask(bundle.client.post(address()).json(&json!({}))).await.hook_error(401);
    ask(bundle.client.get(address())).await.hook_error(405);
}
