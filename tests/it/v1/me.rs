//! `GET /v1/me` and `PUT /v1/me/active-organization`.

use serde_json::{Value, json};
use tally_host::identity::{User, now};
use uuid::Uuid;

use crate::answer::{Answer as Reply, ask, post};
use crate::harness::{Answer, Bundle, KeyServer, SigningKey, Tenant};

const ME: &str = "/v1/me";
const ACTIVE: &str = "/v1/me/active-organization";
/// What `api.get_me` lists at most.
const LISTED: usize = 1_000;

async fn me(bundle: &Bundle, token: &str) -> Reply {
    ask(bundle.client.get(bundle.url(ME)).bearer_auth(token)).await
}

async fn choose(bundle: &Bundle, token: &str, org_id: &Value) -> Reply {
    ask(bundle.client.put(bundle.url(ACTIVE)).bearer_auth(token).json(&json!({"org_id": org_id}))).await
}

/// Accepts an invitation of another organization.
async fn join(bundle: &Bundle, user: &User, tenant: &Tenant, role: &str) {
    sqlx::query("insert into org_members (org_id, user_id, role) values ($1::uuid, $2, $3::org_role)")
        .bind(&tenant.org_id)
        .bind(user.id)
        .bind(role)
        .execute(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
}

/// What the user's next token says of organizations.
async fn next_token(bundle: &Bundle, user: &User) -> (Value, Value) {
    let mut claims = bundle.identity.sign_in(&bundle.client, &bundle.base_url, user).await.unwrap();
    let mut claim = |name: &str| claims.remove(name).unwrap_or_default();
    (claim("org_id"), claim("user_role"))
}

/// A token without an organization, as the provider makes it where no hook is set up.
fn plain_token(bundle: &Bundle, user_id: Uuid, is_anonymous: bool) -> String {
    let identity = &bundle.identity;
    let claims = json!({"iss": identity.issuer, "aud": identity.audience, "exp": now() + 60, "sub": user_id,
                        "is_anonymous": is_anonymous});
    identity.mint(&claims).unwrap()
}

#[tokio::test]
async fn it_says_where_the_user_belongs() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("Acme Inc.").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    join(&bundle, &acme.user, &bolt, "viewer").await;

    let mut answer = me(&bundle, &acme.token).await.ok();
    let times: Vec<String> = answer["memberships"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .map(|membership| membership.as_object_mut().unwrap().remove("joined_at").unwrap().to_string())
        .collect();
    assert!(times.iter().all(|time| time.ends_with("+00:00\"")) && times.is_sorted(), "{times:?}");
    let memberships = json!([
        {"org_id": acme.org_id, "name": "Acme Inc.", "slug": "acme-inc", "role": "owner"},
        {"org_id": bolt.org_id, "name": "bolt", "slug": "bolt", "role": "viewer"},
    ]);
    let expected = json!({"user_id": acme.user.id, "active_organization": acme.org_id, "role": "owner", "chosen": false,
                          "membership_count": 2, "memberships": memberships});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn the_next_token_carries_the_choice() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    join(&bundle, &acme.user, &bolt, "viewer").await;
    let chosen = json!({"user_id": acme.user.id, "active_organization": bolt.org_id, "role": "viewer", "chosen": true});
    // The same again is the same.
    for _ in 0..2 {
        assert_eq!(choose(&bundle, &acme.token, &json!(bolt.org_id.to_uppercase())).await.ok(), chosen);
    }
    assert_eq!(next_token(&bundle, &acme.user).await, (json!(bolt.org_id), json!("viewer")));
    let answer = me(&bundle, &acme.token).await.ok();
    assert_eq!((&answer["active_organization"], &answer["chosen"]), (&json!(bolt.org_id), &json!(true)));

    let back = json!({"user_id": acme.user.id, "active_organization": acme.org_id, "role": "owner", "chosen": false});
    assert_eq!(choose(&bundle, &acme.token, &Value::Null).await.ok(), back);
    assert_eq!(next_token(&bundle, &acme.user).await, (json!(acme.org_id), json!("owner")));
    assert_eq!(next_token(&bundle, &bolt.user).await.0, bolt.org_id, "nobody else's choice");
}

#[tokio::test]
async fn an_invitation_accepted_elsewhere_switches_nothing() {
    let bundle = Bundle::start().await.unwrap();
    let [acme, bolt, coil] = ["acme", "bolt", "coil"].map(|name| bundle.tenant(name));
    let (acme, bolt, coil) = (acme.await.unwrap(), bolt.await.unwrap(), coil.await.unwrap());
    join(&bundle, &acme.user, &bolt, "admin").await;
    assert_eq!(next_token(&bundle, &acme.user).await.0, acme.org_id);
    choose(&bundle, &acme.token, &json!(bolt.org_id)).await.ok();
    join(&bundle, &acme.user, &coil, "admin").await;
    assert_eq!(next_token(&bundle, &acme.user).await.0, bolt.org_id);
}

#[tokio::test]
async fn a_choice_goes_with_the_membership() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    join(&bundle, &acme.user, &bolt, "member").await;
    choose(&bundle, &acme.token, &json!(bolt.org_id)).await.ok();
    let removal = "delete from org_members where org_id = $1::uuid and user_id = $2";
    let mut owner = bundle.database().await.unwrap();
    sqlx::query(removal).bind(&bolt.org_id).bind(acme.user.id).execute(&mut owner).await.unwrap();
    assert_eq!(next_token(&bundle, &acme.user).await.0, acme.org_id);
    assert_eq!(me(&bundle, &acme.token).await.ok()["chosen"], false);
    // One who comes back has not chosen anew.
    join(&bundle, &acme.user, &bolt, "member").await;
    assert_eq!(next_token(&bundle, &acme.user).await.0, acme.org_id);
}

#[tokio::test]
async fn a_foreign_organization_looks_like_none() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let foreign = choose(&bundle, &acme.token, &json!(bolt.org_id)).await.problem(404, "unknown-organization");
    let none = choose(&bundle, &acme.token, &json!(Uuid::new_v4())).await.problem(404, "unknown-organization");
    assert_eq!(foreign["detail"], none["detail"]);
    assert_eq!(next_token(&bundle, &acme.user).await.0, acme.org_id);
    let answer = me(&bundle, &acme.token).await;
    assert!(!answer.text.contains(&bolt.org_id), "{}", answer.text);
}

#[tokio::test]
async fn a_token_without_an_organization_is_enough_here_and_nowhere_else() {
    let bundle = Bundle::start().await.unwrap();
    for is_anonymous in [false, true] {
        let user_id = Uuid::new_v4();
        let token = plain_token(&bundle, user_id, is_anonymous);
        let expected = json!({"user_id": user_id, "active_organization": null, "role": null, "chosen": false,
                              "membership_count": 0, "memberships": []});
        assert_eq!(me(&bundle, &token).await.ok(), expected);
        choose(&bundle, &token, &json!(Uuid::new_v4())).await.problem(404, "unknown-organization");
        assert_eq!(choose(&bundle, &token, &Value::Null).await.ok()["active_organization"], Value::Null);
        for answer in [
            ask(post(&bundle, "/v1/events", &token, &json!([]))).await,
            ask(post(&bundle, "/v1/query", &token, &json!({}))).await,
            ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(&token)).await,
        ] {
            answer.problem(403, "no-organization");
        }
    }
    // Nor does it matter which organization a token names: it is the user who asks.
    let acme = bundle.tenant("acme").await.unwrap();
    let other = acme.token_with(&bundle, |claims| claims["org_id"] = json!(Uuid::new_v4())).unwrap();
    assert_eq!(me(&bundle, &other).await.ok()["active_organization"], acme.org_id);
}

#[tokio::test]
async fn only_the_users_own_token_is_taken() {
    let key = SigningKey::new("a", jsonwebtoken::Algorithm::ES256).unwrap();
    let server = KeyServer::start(Answer::keys(&[key.public().unwrap()])).await.unwrap();
    let bundle = Bundle::with(|variables| {
        variables.insert("jwks_url".to_owned(), server.url());
        variables.insert("jwks_origin".to_owned(), server.origin.clone());
    })
    .await
    .unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let published = key.mint(&acme.claims).unwrap();
    assert_eq!(me(&bundle, &published).await.ok()["user_id"], json!(acme.user.id));

    let api_key = acme.api_key(&bundle, &["metrics:read", "events:write"], None).await.unwrap();
    let expired = acme.token_with(&bundle, |claims| claims["exp"] = json!(now() - 60)).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", acme.token.split('.').nth(1).unwrap());
    let strange = SigningKey::new("a", jsonwebtoken::Algorithm::ES256).unwrap().mint(&acme.claims).unwrap();
    for (credential, status, code) in [
        (&api_key, 403, "forbidden"),
        (&expired, 401, "invalid-token"),
        (&unsigned, 401, "invalid-token"),
        (&strange, 401, "invalid-token"),
    ] {
        me(&bundle, credential).await.problem(status, code);
        choose(&bundle, credential, &json!(acme.org_id)).await.problem(status, code);
    }
    ask(bundle.client.get(bundle.url(ME))).await.problem(401, "missing-credential");
    ask(bundle.client.put(bundle.url(ACTIVE)).json(&json!({"org_id": null}))).await.problem(401, "missing-credential");
}

#[tokio::test]
async fn what_is_no_choice_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let put = || bundle.client.put(bundle.url(ACTIVE)).bearer_auth(&acme.token);
    for body in [json!({}), json!({"org_id": "acme"}), json!([]), json!([null]), json!({"organization": acme.org_id})] {
        ask(put().json(&body)).await.problem(400, "malformed-body");
    }
    ask(put().body("{}")).await.problem(415, "unsupported-media-type");
    ask(put().json(&json!({"org_id": "x".repeat(5_000)}))).await.problem(413, "body-too-large");
    ask(bundle.client.post(bundle.url(ME)).bearer_auth(&acme.token)).await.problem(405, "method-not-allowed");
    let deletion = ask(bundle.client.delete(bundle.url(ACTIVE)).bearer_auth(&acme.token)).await;
    deletion.problem(405, "method-not-allowed");
    assert_eq!(deletion.headers["allow"], "PUT");
    let elsewhere = bundle.client.get(bundle.url("/v1/me/organizations")).bearer_auth(&acme.token);
    ask(elsewhere).await.problem(404, "not-found");
}

#[tokio::test]
async fn many_organizations_make_a_long_list_and_no_longer_token() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let length = async || {
        let claims = bundle.identity.sign_in(&bundle.client, &bundle.base_url, &acme.user).await.unwrap();
        bundle.identity.mint(&Value::Object(claims)).unwrap().len()
    };
    let before = length().await;
    let join = "with made as (
          insert into organizations (name, slug) select 'Company ' || n, 'company-' || n from generate_series($1::int, $2::int) n
          returning id
        ) insert into org_members (org_id, user_id, role) select id, $3, 'viewer' from made";
    let mut owner = bundle.database().await.unwrap();
    for (first, last) in [(2, 500), (501, 1_100)] {
        sqlx::query(join).bind(first).bind(last).bind(acme.user.id).execute(&mut owner).await.unwrap();
        let last = usize::try_from(last).unwrap();
        let answer = me(&bundle, &acme.token).await.ok();
        assert_eq!(answer["membership_count"], last);
        assert_eq!(answer["memberships"].as_array().unwrap().len(), last.min(LISTED));
        assert_eq!(answer["memberships"][0]["org_id"], acme.org_id);
        assert_eq!(length().await, before, "the token of a user in {last} organizations");
    }
    assert!(before < 2_048, "{before} bytes");
}
