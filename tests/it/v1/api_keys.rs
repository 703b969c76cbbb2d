//! `POST`, `GET /v1/api-keys` and `DELETE /v1/api-keys/{id}`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Write as _, stderr};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tally_core::statements::CREATE_API_KEY;
use tally_host::identity::now;
use tally_host::process::find_on_path;
use tokio::process::Command;
use uuid::Uuid;

use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant, repository, run, until_waiting};

const KEYS: &str = "/v1/api-keys";
/// The most keys that are not revoked.
const MAX_KEYS: i64 = 1_000;

fn wanted() -> Value {
    json!({"name": "Shopify sync", "scopes": ["events:write"]})
}

fn wanted_with(field: &str, value: Value) -> Value {
    let mut body = wanted();
    body[field] = value;
    body
}

async fn create(bundle: &Bundle, credential: &str, body: &Value) -> Answer {
    ask(post(bundle, KEYS, credential, body)).await
}

/// A key that was made: the answer.
async fn made(bundle: &Bundle, credential: &str, body: &Value) -> Value {
    let answer = create(bundle, credential, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    serde_json::from_str(&answer.text).unwrap()
}

async fn list(bundle: &Bundle, credential: &str, query: &str) -> Answer {
    ask(bundle.client.get(bundle.url(&format!("{KEYS}{query}"))).bearer_auth(credential)).await
}

async fn revoke(bundle: &Bundle, credential: &str, id: &Value) -> Answer {
    let url = bundle.url(&format!("{KEYS}/{}", id.as_str().unwrap()));
    ask(bundle.client.delete(url).bearer_auth(credential)).await
}

#[track_caller]
fn assert_revoked(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert!(!answer.headers.contains_key("content-type"), "{:?}", answer.headers);
}

/// Fills an organization with keys; `n` counts them from 0.
async fn fill(bundle: &Bundle, tenant: &Tenant, count: i64, created_at: &str, revoked_at: &str) {
    let statement = format!(
        "insert into api_keys (org_id, name, key_hash, prefix, scopes, expires_at, created_at, revoked_at)
         select $1::uuid, n::text, encode(sha256(n::text::bytea), 'hex'), 'tally_', '{{metrics:read}}', now(),
           {created_at}, {revoked_at}
         from generate_series(0, $2 - 1) as n"
    );
    let statement = sqlx::query(AssertSqlSafe(statement)).bind(&tenant.org_id).bind(count);
    statement.execute(&mut bundle.database().await.unwrap()).await.unwrap();
}

/// How many keys there are that are not revoked.
async fn alive(bundle: &Bundle, tenant: &Tenant) -> i64 {
    let count = "select count(*) from api_keys where org_id = $1::uuid and revoked_at is null";
    let count = sqlx::query_scalar(count).bind(&tenant.org_id);
    count.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap()
}

/// A token of a new member of the organization.
async fn member(bundle: &Bundle, tenant: &Tenant, role: &str) -> String {
    let user_id = Uuid::new_v4();
    sqlx::query("insert into org_members (org_id, user_id, role) values ($1::uuid, $2, $3::org_role)")
        .bind(&tenant.org_id)
        .bind(user_id)
        .bind(role)
        .execute(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
    let change = |claims: &mut Value| {
        claims["sub"] = json!(user_id);
        claims["user_role"] = json!(role);
    };
    tenant.token_with(bundle, change).unwrap()
}

/// Sends one event and asks one question with a credential; answers both.
async fn used(bundle: &Bundle, credential: &str) -> [Answer; 2] {
    let event = json!({"id": "1", "metric": "orders", "value": "1", "recorded_at": "2026-10-05T10:00:00Z"});
    let question = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01", "totals": true});
    [
        ask(post(bundle, "/v1/events", credential, &event)).await,
        ask(post(bundle, "/v1/query", credential, &question)).await,
    ]
}

fn hash(key: &Value) -> String {
    Sha256::digest(key.as_str().unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_life_of_a_key() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let body = json!({"name": "Shop ✓", "scopes": ["metrics:read", "events:write"], "store_id": acme.store_id,
                      "expires_at": "2031-01-31T02:00:00.75+02:00"});
    let mut answer = made(&bundle, &acme.token, &body).await;
    let [id, key, created_at] = ["id", "key", "created_at"].map(|field| answer[field].take());
    let text = key.as_str().unwrap();
    let expected = json!({"id": null, "key": null, "created_at": null, "name": "Shop ✓", "prefix": text[..12],
        "scopes": ["metrics:read", "events:write"], "store_id": acme.store_id,
        "expires_at": "2031-01-31T00:00:00+00:00"});
    assert_eq!(answer, expected);

    // It implies its store, and reads what is of it.
    let [events, query] = used(&bundle, text).await;
    assert_eq!(events.ok()["accepted"], 1);
    assert_eq!(query.ok()["series"][0]["total"], "1");

    let listed = list(&bundle, &acme.token, "").await.ok();
    let mut entry = listed["api_keys"][0].clone();
    let last_used_at = entry["last_used_at"].take();
    assert!(last_used_at.as_str().unwrap() >= created_at.as_str().unwrap(), "{listed}");
    let expected = json!({"id": id, "name": "Shop ✓", "prefix": text[..12], "scopes": ["metrics:read", "events:write"],
        "store_id": acme.store_id, "created_by": acme.user.id, "created_at": created_at,
        "expires_at": "2031-01-31T00:00:00+00:00", "revoked_at": null, "last_used_at": null});
    assert_eq!((entry, &listed["next_cursor"]), (expected, &Value::Null));

    // At once, for the functions that used it a moment ago; and twice is once.
    assert_revoked(&revoke(&bundle, &acme.token, &id).await);
    for answer in used(&bundle, text).await {
        answer.problem(401, "invalid-api-key");
    }
    let revoked_at = list(&bundle, &acme.token, "").await.ok()["api_keys"][0]["revoked_at"].clone();
    assert!(revoked_at.is_string());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_revoked(&revoke(&bundle, &acme.token, &id).await);
    assert_eq!(list(&bundle, &acme.token, "").await.ok()["api_keys"][0]["revoked_at"], revoked_at);
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let writer = made(&bundle, &acme.token, &wanted_with("store_id", json!(acme.store_id))).await;
    let [events, query] = used(&bundle, writer["key"].as_str().unwrap()).await;
    assert_eq!(events.ok()["accepted"], 1);
    query.problem(403, "forbidden");
    let reader = made(&bundle, &acme.token, &wanted_with("scopes", json!(["metrics:read"]))).await;
    let [events, query] = used(&bundle, reader["key"].as_str().unwrap()).await;
    events.problem(403, "forbidden");
    assert_eq!(query.ok()["series"][0]["total"], "1");
    let anywhere = made(&bundle, &acme.token, &wanted()).await;
    assert_eq!((&anywhere["store_id"], &anywhere["expires_at"]), (&Value::Null, &Value::Null));
    let [events, _] = used(&bundle, anywhere["key"].as_str().unwrap()).await;
    assert_eq!(events.ok()["errors"][0]["code"], "store_required");

    // The authority of a key names it, and ends with it.
    let id = writer["id"].as_str().unwrap();
    let claims = "select app.api_key_claims(key_hash) ->> 'api_key_id' from api_keys where id = $1::uuid";
    let mut owner = bundle.database().await.unwrap();
    let named: String = sqlx::query_scalar(claims).bind(id).fetch_one(&mut owner).await.unwrap();
    assert_eq!(named, id);
    let expire = "update api_keys set expires_at = now() where id = $1::uuid";
    sqlx::query(expire).bind(id).execute(&mut owner).await.unwrap();
    for answer in used(&bundle, writer["key"].as_str().unwrap()).await {
        answer.problem(401, "invalid-api-key");
    }
}

#[tokio::test]
async fn owners_and_admins_alone_manage_keys() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let id = made(&bundle, &acme.token, &wanted()).await["id"].clone();
    let all = async |credential: &str| {
        [
            create(&bundle, credential, &wanted()).await,
            list(&bundle, credential, "").await,
            revoke(&bundle, credential, &id).await,
        ]
    };
    let scopes = &["events:write", "metrics:read"];
    let api_key = acme.api_key(&bundle, scopes, None).await.unwrap();
    let claim = |name: &str, value: Value| acme.token_with(&bundle, |claims| claims[name] = value).unwrap();
    for (credential, status, code) in [
        (member(&bundle, &acme, "member").await, 403, "forbidden"),
        (member(&bundle, &acme, "viewer").await, 403, "forbidden"),
        // A token that says less than the membership counts for what it says.
        (claim("user_role", json!("viewer")), 403, "forbidden"),
        (api_key, 403, "forbidden"),
        (claim("org_id", Value::Null), 403, "no-organization"),
        (claim("org_id", json!(bolt.org_id)), 403, "not-a-member"),
        (claim("exp", json!(now() - 60)), 401, "invalid-token"),
        (format!("tally_{}", "0".repeat(38)), 401, "invalid-api-key"),
    ] {
        for answer in all(&credential).await {
            answer.problem(status, code);
        }
    }
    ask(bundle.client.get(bundle.url(KEYS))).await.problem(401, "missing-credential");
    ask(bundle.client.post(bundle.url(KEYS)).json(&wanted())).await.problem(401, "missing-credential");

    assert_eq!(alive(&bundle, &acme).await, 2, "nothing was made or revoked by them");
    let admin = member(&bundle, &acme, "admin").await;
    let [created, listed, revoked] = all(&admin).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(listed.ok()["api_keys"].as_array().unwrap().len(), 3);
    assert_revoked(&revoked);
}

#[tokio::test]
async fn what_is_no_key_is_told() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    for (field, value, status, code) in [
        ("name", json!(""), 422, "invalid-field"),
        ("name", json!("x".repeat(201)), 422, "invalid-field"),
        ("name", json!("a\u{0}b"), 422, "invalid-field"),
        ("scopes", json!([]), 422, "invalid-field"),
        ("scopes", json!(["events:write", "events:write"]), 422, "invalid-field"),
        ("scopes", json!(["keys:write"]), 422, "invalid-field"),
        ("expires_at", json!("2020-01-01T00:00:00Z"), 422, "invalid-field"),
        ("expires_at", json!("2099-01-01T00:00:00Z"), 422, "invalid-field"),
        ("expires_at", json!("tomorrow"), 422, "invalid-field"),
        ("store_id", json!("shop"), 400, "malformed-body"),
        ("name", Value::Null, 400, "malformed-body"),
        ("id", json!(Uuid::new_v4()), 400, "malformed-body"),
        ("name", json!("x".repeat(17_000)), 413, "body-too-large"),
    ] {
        create(&bundle, &acme.token, &wanted_with(field, value)).await.problem(status, code);
    }
    let bare = bundle.client.post(bundle.url(KEYS)).bearer_auth(&acme.token).body(wanted().to_string());
    ask(bare).await.problem(415, "unsupported-media-type");

    let request = |method: reqwest::Method, path: &str| {
        ask(bundle.client.request(method, bundle.url(&format!("{KEYS}{path}"))).bearer_auth(&acme.token))
    };
    let answer = request(reqwest::Method::PUT, "").await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "GET, POST");
    let id = format!("/{}", Uuid::new_v4());
    let answer = request(reqwest::Method::GET, &id).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "DELETE");
    request(reqwest::Method::DELETE, &id).await.problem(404, "unknown-api-key");
    request(reqwest::Method::DELETE, "/x").await.problem(404, "unknown-api-key");
    request(reqwest::Method::DELETE, &format!("{id}/x")).await.problem(404, "not-found");
    for query in ["?limit=0", "?limit=201", "?cursor=x", "?limit=1&limit=2"] {
        list(&bundle, &acme.token, query).await.problem(400, "invalid-parameter");
    }
    assert_eq!(list(&bundle, &acme.token, "").await.ok(), json!({"api_keys": [], "next_cursor": null}));
}

#[tokio::test]
async fn a_slash_at_the_end_of_an_address_changes_nothing_and_a_letter_does() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let request = |method: &str, path: &str| {
        let method = method.parse().unwrap();
        ask(bundle.client.request(method, bundle.url(path)).bearer_auth(&acme.token).json(&wanted()))
    };
    let made = request("POST", "/v1/api-keys/").await;
    assert_eq!(made.status, 201, "{}", made.text);
    let listed = request("GET", "/v1/api-keys/").await.ok();
    let id = listed["api_keys"][0]["id"].as_str().unwrap();
    assert_revoked(&request("DELETE", &format!("/v1/api-keys/{id}/")).await);
    let document = request("GET", "/v1/api-keys/x/y").await.problem(404, "not-found");
    assert!(document["detail"].as_str().unwrap().contains("/v1/api-keys/{id}"), "{document}");
    // Nobody's addresses: the platform answers, without a word of either route.
    for path in ["/v1/api-keysX", "/v1/api-keysX/", "/v1/api-keys-x/y", "/v1/meX"] {
        let answer = request("GET", path).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{path}");
    }
}

#[tokio::test]
async fn another_tenants_keys_and_stores_are_not_there() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let foreign = made(&bundle, &bolt.token, &wanted_with("store_id", json!(bolt.store_id))).await;
    let nobodys = json!(Uuid::new_v4());

    let details = join_all([&foreign["id"], &nobodys].map(|id| async {
        let detail = revoke(&bundle, &acme.token, id).await.problem(404, "unknown-api-key")["detail"].clone();
        detail.as_str().unwrap().replace(id.as_str().unwrap(), "")
    }));
    assert_eq!(details.await.into_iter().collect::<BTreeSet<_>>().len(), 1, "one is told from the other");
    let store_ids = [json!(bolt.store_id), nobodys];
    let details = join_all(store_ids.iter().map(|id| async {
        let body = wanted_with("store_id", id.clone());
        let detail = create(&bundle, &acme.token, &body).await.problem(404, "unknown-store")["detail"].clone();
        detail.as_str().unwrap().replace(id.as_str().unwrap(), "")
    }));
    assert_eq!(details.await.into_iter().collect::<BTreeSet<_>>().len(), 1, "one is told from the other");

    assert_eq!(list(&bundle, &acme.token, "").await.ok()["api_keys"], json!([]));
    // A cursor is a place in time, and no key to what is there.
    let everything = list(&bundle, &acme.token, &format!("?cursor=9999999999999999.{}", Uuid::max())).await.ok();
    assert_eq!(everything["api_keys"], json!([]));
    let [events, _] = used(&bundle, foreign["key"].as_str().unwrap()).await;
    assert_eq!(events.ok()["accepted"], 1, "it is as good as before");
}

#[tokio::test]
async fn a_list_is_turned_page_by_page() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Of one instant each three, as one transaction makes them.
    let created_at = "timestamptz '2026-01-01Z' + n / 3 * interval '1 microsecond'";
    fill(&bundle, &acme, 250, created_at, "null").await;

    let mut seen = Vec::new();
    let mut query = "?limit=7".to_owned();
    loop {
        let page = list(&bundle, &acme.token, &query).await.ok();
        let keys = page["api_keys"].as_array().unwrap();
        seen.extend(keys.iter().map(|key| key["name"].as_str().unwrap().parse::<usize>().unwrap()));
        match page["next_cursor"].as_str() {
            Some(cursor) => {
                assert_eq!(keys.len(), 7);
                query = format!("?limit=7&cursor={cursor}");
            }
            None => break,
        }
    }
    assert!(seen.iter().rev().map(|name| name / 3).is_sorted(), "newest first: {seen:?}");
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (250, 250), "each once");
    for (query, length, has_next) in [("", 50, true), ("?limit=200", 200, true)] {
        let page = list(&bundle, &acme.token, query).await.ok();
        assert_eq!((page["api_keys"].as_array().unwrap().len(), page["next_cursor"].is_string()), (length, has_next));
    }
}

#[tokio::test]
async fn the_bound_is_exact_also_for_those_who_race() {
    let bundle = Bundle::start().await.unwrap();
    let (acme, bolt) = (bundle.tenant("acme").await.unwrap(), bundle.tenant("bolt").await.unwrap());
    let old = made(&bundle, &acme.token, &wanted()).await;
    // Expired ones count, revoked ones do not.
    let revoked_at = format!("case when n >= {} - 6 then now() end", MAX_KEYS);
    fill(&bundle, &acme, MAX_KEYS + 50, "now()", &revoked_at).await;
    assert_eq!(alive(&bundle, &acme).await, MAX_KEYS - 5);

    let body = wanted();
    let answers = join_all((0..20).map(|_| create(&bundle, &acme.token, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "too-many-api-keys");
    }
    assert_eq!(alive(&bundle, &acme).await, MAX_KEYS);
    assert!(acme.api_key(&bundle, &["metrics:read"], None).await.is_err(), "the other way is no way around");
    made(&bundle, &bolt.token, &wanted()).await;

    // Of two who want the last one, the second waits for what becomes of the first.
    assert_revoked(&revoke(&bundle, &acme.token, &old["id"]).await);
    let [mut first, mut second] = two_connections(&bundle).await;
    let mut transaction = first.begin().await.unwrap();
    send_creation(&mut transaction, &acme, Uuid::new_v4()).await.unwrap();
    let waiting = send_creation(&mut second, &acme, Uuid::new_v4());
    let committing = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let (refused, ()) = tokio::join!(waiting, committing);
    assert_eq!(refused.unwrap_err().as_database_error().unwrap().code().unwrap(), "TH021");
    assert_eq!(alive(&bundle, &acme).await, MAX_KEYS);
}

/// Sends the statement that makes a key, as the function does.
async fn send_creation(connection: &mut PgConnection, tenant: &Tenant, id: Uuid) -> Result<Value, sqlx::Error> {
    let authority = json!({"sub": tenant.user.id, "org_id": tenant.org_id, "user_role": "owner"}).to_string();
    let statement = sqlx::query_scalar::<_, String>(CREATE_API_KEY.text()).bind(authority).bind(id.to_string());
    let statement = statement.bind(hash(&json!(id))).bind("tally_000000").bind("Key").bind(vec!["metrics:read"]);
    let stored = statement.bind(None::<String>).bind(None::<String>).fetch_one(connection).await?;
    Ok(serde_json::from_str(&stored).unwrap())
}

/// Two connections as the function's role.
async fn two_connections(bundle: &Bundle) -> [PgConnection; 2] {
    let variables = tally_host::roles::variables(&bundle.database_url, &run().await.unwrap().secrets).unwrap();
    let connect = async || PgConnection::connect(&variables["token_hook_database_url"]).await.unwrap();
    [connect().await, connect().await]
}

#[tokio::test]
async fn a_statement_that_is_sent_twice_makes_one_key() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let [mut first, mut second] = two_connections(&bundle).await;

    // The answer was lost, or has not come yet: the second waits for the first, and is the same.
    let id = Uuid::new_v4();
    let mut transaction = first.begin().await.unwrap();
    let made = send_creation(&mut transaction, &acme, id).await.unwrap();
    let repeating = send_creation(&mut second, &acme, id);
    let committing = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let (repeated, ()) = tokio::join!(repeating, committing);
    assert_eq!((&repeated.unwrap(), &made["id"]), (&made, &json!(id)));
    assert_eq!(send_creation(&mut second, &acme, id).await.unwrap(), made);
    assert_eq!(list(&bundle, &acme.token, "").await.ok()["api_keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_connection_that_dies_under_the_statement_costs_nothing() {
    let bundle = Bundle::lasting(|_| {}).await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    list(&bundle, &acme.token, "").await.ok();
    let mut owner = bundle.database().await.unwrap();
    let mut lock = owner.begin().await.unwrap();
    let held = "select pg_advisory_xact_lock(hashtextextended('api_keys ' || $1, 0))";
    sqlx::query(held).bind(&acme.org_id).execute(&mut *lock).await.unwrap();

    let killing = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and wait_event = 'advisory'";
        let killed: i64 = sqlx::query_scalar(kill).fetch_one(&mut *lock).await.unwrap();
        until_waiting(&bundle.database_url, 1).await.unwrap();
        lock.rollback().await.unwrap();
        killed
    };
    let body = wanted();
    let (key, killed) = tokio::join!(made(&bundle, &acme.token, &body), killing);
    assert_eq!(killed, 1);
    let listed = list(&bundle, &acme.token, "").await.ok();
    assert_eq!((listed["api_keys"].as_array().unwrap().len(), &listed["api_keys"][0]["id"]), (1, &key["id"]));
    let [events, _] = used(&bundle, key["key"].as_str().unwrap()).await;
    events.ok();
}

#[tokio::test]
async fn who_waits_for_a_key_holds_up_no_tokens() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let key = made(&bundle, &acme.token, &wanted_with("store_id", json!(acme.store_id))).await;
    // A request of the key is under way, and has noted that it is used.
    let mut owner = bundle.database().await.unwrap();
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("select app.api_key_claims(key_hash) from api_keys").execute(&mut *lock).await.unwrap();

    let body = json!({"user_id": acme.user.id, "claims": {}});
    let hook = || bundle.identity.webhook(&bundle.client, bundle.url("/hooks/access-token"), &body).unwrap();
    ask(hook()).await.ok();
    let revoking = revoke(&bundle, &acme.token, &key["id"]);
    let others = async {
        until_waiting(&bundle.database_url, 1).await.unwrap();
        let answers = join_all((0..6).map(|_| ask(hook()))).await;
        lock.commit().await.unwrap();
        answers
    };
    let (revoked, answers) = tokio::join!(revoking, others);
    for answer in answers {
        assert_eq!(answer.ok()["claims"]["org_id"], acme.org_id);
    }
    // On a slow machine its own patience may have ended before.
    if revoked.status != 204 {
        revoked.problem(503, "database-slow");
    }
    assert_revoked(&revoke(&bundle, &acme.token, &key["id"]).await);
}

#[tokio::test]
async fn neither_a_key_nor_its_hash_is_told_again() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let key = made(&bundle, &acme.token, &wanted()).await["key"].clone();
    let secrets = [key.as_str().unwrap()["tally_".len() + 6..].to_owned(), hash(&key)];
    let mut owner = bundle.database().await.unwrap();
    let rows: Vec<String> =
        sqlx::query_scalar("select to_jsonb(k)::text from api_keys k").fetch_all(&mut owner).await.unwrap();
    assert!(rows[0].contains(&secrets[1]) && !rows[0].contains(&secrets[0]), "the hash alone is kept: {rows:?}");

    let mut told = vec![list(&bundle, &acme.token, "").await.text];
    // Errors of the server, whose details quote the row.
    let broken = "alter table api_keys add constraint api_keys_test_check check (false) not valid";
    sqlx::raw_sql(broken).execute(&mut owner).await.unwrap();
    told.push(create(&bundle, &acme.token, &wanted()).await.text);
    let answer = revoke(&bundle, &acme.token, &list(&bundle, &acme.token, "").await.ok()["api_keys"][0]["id"]).await;
    answer.problem(500, "internal");
    told.push(answer.text);
    for answer in used(&bundle, key.as_str().unwrap()).await {
        told.push(answer.text);
    }
    let log = bundle.guest_log();
    assert!(log.iter().any(|line| line.contains("api_keys_test_check")), "{log:#?}");
    // Nor one that was never stored.
    let hex = |text: &str| text.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() == 64);
    for text in told.iter().chain(&log) {
        assert!(!secrets.iter().any(|secret| text.contains(secret)) && !hex(text), "{text}");
    }
}

/// What the documentation tells operators of scanners, run as it stands there.
#[tokio::test]
async fn the_documented_scanner_knows_a_key() {
    if find_on_path("python3").is_none() {
        // Past the test harness, which shows nothing of tests that pass.
        writeln!(stderr(), "passed over: this machine has no python3").unwrap();
        return;
    }
    let page = fs::read_to_string(repository().join("docs/OPERATIONS.md")).unwrap();
    let (_, rest) = page.split_once("```python\n").unwrap();
    let (scanner, _) = rest.split_once("```").unwrap();

    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let over_http = made(&bundle, &acme.token, &wanted()).await["key"].as_str().unwrap().to_owned();
    let in_sql = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    let mistyped = format!("{}{}", &over_http[..43], if over_http.ends_with('0') { '1' } else { '0' });
    let text = format!("key={over_http}\n{in_sql} {mistyped} tally_{} tally_hook", "0".repeat(38));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leaked.txt");
    fs::write(&file, text).unwrap();
    let output = Command::new("python3").args(["-c", scanner]).arg(&file).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(found.lines().collect::<Vec<_>>(), [over_http, in_sql]);
}
