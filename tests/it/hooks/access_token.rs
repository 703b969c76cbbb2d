//! `POST /hooks/access-token`.

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

#[tokio::test]
async fn the_organization_goes_in_and_every_other_claim_stays() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let claims = json!({"iss": "https://id/auth/v1", "sub": acme.user.id, "aud": ["authenticated"], "exp": 1_715_690_221,
                        "amr": [{"method": "password", "timestamp": 1_715_686_621}], "is_anonymous": false,
                        "app_metadata": {"provider": "email"}, "plan": {"nested": [1.5, null, "é"]}});
    let mut expected = claims.clone();
    expected["org_id"] = json!(acme.org_id);
    expected["user_role"] = json!("owner");
    assert_eq!(send(&bundle, &event(acme.user.id, &claims)).await.ok(), json!({"claims": expected}));
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
    let claims = json!({"sub": user_id, "is_anonymous": true});
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
