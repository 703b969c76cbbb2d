//! Nothing that is secret or personal reaches a log line, whatever is sent and whatever breaks.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tally_host::identity::{User, metadata};
use uuid::Uuid;

use crate::answer::ask;
use crate::harness::{Bundle, Tenant};

const PASSWORD_HASH: &str = "$2a$10$hashmarkhashmarkhashmarkhashmark";
const ONE_TIME_TOKEN: &str = "onetimemarkonetimemarkonetimemark";
const BEARER: &str = "bearermarkbearermarkbearermark";
const PHONE: &str = "+15550100199";
const COMPANY: &str = "Companymark";

fn wile() -> User {
    User { id: Uuid::new_v4(), email: "emailmark@acme.example".to_owned(), company: COMPANY.to_owned() }
}

/// What must not be in a log. A secret is looked for without its prefix, a token part by part.
fn marks(bundle: &Bundle, acme: &Tenant, api_key: &str) -> Vec<String> {
    let identity = &bundle.identity;
    let mut marks: Vec<String> =
        [PASSWORD_HASH, ONE_TIME_TOKEN, BEARER, PHONE, COMPANY, "emailmark", &acme.user.email, &identity.jwt_secret]
            .map(str::to_owned)
            .into();
    marks.push(identity.webhook_secret.trim_start_matches("v1,whsec_").to_owned());
    marks.push(api_key.trim_start_matches("tally_").to_owned());
    marks.extend(acme.token.split('.').skip(1).map(str::to_owned));
    marks
}

/// The lines that hold a mark.
fn leaks<'a>(log: &'a [String], marks: &[String]) -> Vec<&'a String> {
    log.iter().filter(|line| marks.iter().any(|mark| line.contains(mark.as_str()))).collect()
}

/// The record that a database webhook sends: all of it.
fn record(user: &User) -> Value {
    json!({"id": user.id, "email": user.email, "encrypted_password": PASSWORD_HASH, "confirmation_token": ONE_TIME_TOKEN,
           "recovery_token": ONE_TIME_TOKEN, "phone": PHONE, "raw_user_meta_data": {"company": user.company},
           "raw_app_meta_data": {"provider": "email"}, "role": "", "is_anonymous": false})
}

/// Bodies for the hooks: good ones, and ones with something wrong next to what is secret.
fn bodies(bundle: &Bundle) -> Vec<(&'static str, Value)> {
    let wile = wile();
    let insertion =
        json!({"type": "INSERT", "table": "users", "schema": "auth", "old_record": null, "record": record(&wile)});
    let mut wrong_id = wile.record();
    wrong_id["id"] = json!(PASSWORD_HASH);
    let claims = bundle.identity.claims(&wile);
    vec![
        ("/hooks/user-created", json!({"metadata": metadata("after-user-created"), "user": wile.record()})),
        ("/hooks/user-created", json!({"metadata": metadata("before-user-created"), "user": wrong_id})),
        ("/hooks/user-created", insertion),
        ("/hooks/user-created", json!({"type": "user.created", "data": record(&wile)})),
        ("/hooks/user-created", json!([record(&wile)])),
        ("/hooks/access-token", json!({"user_id": wile.id, "claims": claims, "authentication_method": "password"})),
        ("/hooks/access-token", json!({"user_id": PASSWORD_HASH, "claims": claims})),
        ("/hooks/access-token", json!({"user_id": wile.id, "claims": ONE_TIME_TOKEN})),
    ]
}

fn requests(bundle: &Bundle, acme: &Tenant, api_key: &str) -> Vec<RequestBuilder> {
    let client = &bundle.client;
    let mut requests = Vec::new();
    for (path, body) in bodies(bundle) {
        let url = || bundle.url(path);
        requests.push(bundle.identity.webhook(client, url(), &body).unwrap());
        requests.push(bundle.identity.webhook(client, url(), &body).unwrap().header("authorization", BEARER));
        requests.push(client.post(url()).bearer_auth(BEARER).json(&body));
        requests.push(client.post(url()).header("webhook-signature", format!("v1,{BEARER}")).json(&body));
    }
    for credential in [&acme.token, api_key, BEARER, &format!("{}x", acme.token), &format!("tally_{BEARER}")] {
        requests.push(client.get(bundle.url("/v1/me")).bearer_auth(credential));
        for key in
            [json!({"name": COMPANY, "scopes": ["events:write"]}), json!({"name": ONE_TIME_TOKEN, "scopes": BEARER})]
        {
            requests.push(client.post(bundle.url("/v1/api-keys")).bearer_auth(credential).json(&key));
        }
        for body in [json!({"org_id": acme.org_id}), json!({"org_id": null}), json!({"org_id": PASSWORD_HASH})] {
            requests.push(client.put(bundle.url("/v1/me/active-organization")).bearer_auth(credential).json(&body));
        }
    }
    requests
}

/// Sends everything; answers the statuses, errors in the provider's form as what they say.
async fn send_all(bundle: &Bundle, acme: &Tenant, api_key: &str) -> Vec<u64> {
    let mut statuses = Vec::new();
    for request in requests(bundle, acme, api_key) {
        let answer = ask(request).await;
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let status = body["error"]["http_code"].as_u64().unwrap_or(answer.status.into());
        if status >= 500 {
            let id = answer.headers["x-request-id"].to_str().unwrap();
            assert!(bundle.guest_log().iter().any(|line| line.contains(id)), "{status} {}: not logged", answer.text);
        }
        statuses.push(status);
    }
    statuses
}

#[tokio::test]
async fn no_secret_and_nothing_personal_is_logged() {
    let mut bundle = Bundle::isolated().await.unwrap();
    let mut cluster = bundle.take_cluster().unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let api_key = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    let marks = marks(&bundle, &acme, &api_key);

    let fine = send_all(&bundle, &acme, &api_key).await;
    assert!(fine.contains(&200) && fine.contains(&400) && fine.contains(&401) && fine.contains(&403), "{fine:?}");

    // Errors of the server, whose details quote the row.
    let broken = "alter table organizations add constraint organizations_test_check check (false) not valid;
                  alter table api_keys add constraint api_keys_test_check check (false) not valid;
                  alter table active_organizations add constraint active_organizations_test_check check (false) not valid";
    sqlx::raw_sql(broken).execute(&mut bundle.database().await.unwrap()).await.unwrap();
    let failing = send_all(&bundle, &acme, &api_key).await;
    assert!(failing.contains(&500), "{failing:?}");

    cluster.kill_hard().await.unwrap();
    let away = send_all(&bundle, &acme, &api_key).await;
    assert!(away.contains(&503), "{away:?}");

    let log = bundle.guest_log();
    assert!(log.iter().any(|line| line.contains("active_organizations_test_check")), "{log:#?}");
    let leaks = leaks(&log, &marks);
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[tokio::test]
async fn nor_is_what_senders_send_that_show_a_secret() {
    let bundle = Bundle::with(|variables| {
        variables.insert("database_webhook_secrets".to_owned(), BEARER.to_owned());
    })
    .await
    .unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let api_key = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    let rows = async || {
        let insertion = json!({"type": "INSERT", "table": "users", "schema": "auth", "old_record": null, "record": record(&wile())});
        let mut broken = insertion.clone();
        broken["record"]["id"] = json!({"x": PASSWORD_HASH});
        let url = bundle.url("/hooks/user-created");
        let mut statuses = Vec::new();
        for body in [insertion, broken] {
            let answer = ask(bundle.client.post(&url).bearer_auth(BEARER).json(&body)).await;
            assert!(!answer.text.contains(PASSWORD_HASH), "{}", answer.text);
            statuses.push(answer.status);
        }
        statuses
    };
    assert_eq!(rows().await, [200, 400]);
    let forbid = "alter table organizations add constraint organizations_test_check check (false) not valid";
    sqlx::raw_sql(forbid).execute(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(rows().await, [500, 400]);
    let log = bundle.guest_log();
    assert!(log.iter().any(|line| line.contains("organizations_test_check")), "{log:#?}");
    let leaks = leaks(&log, &marks(&bundle, &acme, &api_key));
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[tokio::test]
async fn a_leak_is_noticed() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let api_key = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    let identity = &bundle.identity;
    let marks = marks(&bundle, &acme, &api_key);
    for told in [&wile().email, &acme.token, &api_key, &identity.webhook_secret, &identity.jwt_secret, PASSWORD_HASH] {
        let log = [format!("{{\"causes\":[\"it said {told}\"]}}"), "{}".to_owned()];
        assert_eq!(leaks(&log, &marks), [&log[0]], "{told}");
    }
}
