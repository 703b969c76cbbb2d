//! The database is away, comes back, restarts in mid-flight, or is slow.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::Connection as _;
use tally_host::identity::{User, metadata};
use uuid::Uuid;

use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

fn events(tenant: &Tenant, turn: usize) -> Value {
    let event = |index: usize| {
        json!({"id": format!("{turn}-{index}"), "metric": "orders", "store_id": tenant.store_id, "value": "1",
               "recorded_at": "2026-10-05T10:00:00Z"})
    };
    (0..50).map(event).collect()
}

async fn total(bundle: &Bundle, tenant: &Tenant) -> Value {
    let question =
        json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01", "granularity": "none", "totals": true});
    ask(post(bundle, "/v1/query", &tenant.token, &question)).await.ok()["series"][0]["total"].clone()
}

#[tokio::test]
async fn while_the_database_is_away_every_route_says_so() {
    let mut bundle = Bundle::isolated().await.unwrap();
    let mut cluster = bundle.take_cluster().unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    cluster.kill_hard().await.unwrap();

    let question = json!({"metrics": ["orders"], "from": "2026-10-01", "to": "2026-11-01"});
    let answer = ask(post(&bundle, "/v1/events", &acme.token, &events(&acme, 0))).await;
    answer.problem(503, "database-unavailable");
    ask(post(&bundle, "/v1/query", &acme.token, &question)).await.problem(503, "database-unavailable");
    let key = json!({"name": "key", "scopes": ["events:write"]});
    ask(post(&bundle, "/v1/api-keys", &acme.token, &key)).await.problem(503, "database-unavailable");
    let wile = User { id: Uuid::new_v4(), email: "w@acme.example".to_owned(), company: "Acme".to_owned() };
    let body = json!({"metadata": metadata("after-user-created"), "user": wile.record()});
    let hook = bundle.identity.webhook(&bundle.client, bundle.url("/hooks/user-created"), &body).unwrap();
    assert_eq!(ask(hook).await.ok(), json!({}), "a sign-up goes on");
    let body = json!({"type": "user.created", "data": {"id": wile.id, "email": wile.email}});
    let hook = bundle.identity.webhook(&bundle.client, bundle.url("/hooks/user-created"), &body).unwrap();
    ask(hook).await.problem(503, "database-unavailable");
    let body = json!({"user_id": wile.id, "claims": {}});
    let hook = bundle.identity.webhook(&bundle.client, bundle.url("/hooks/access-token"), &body).unwrap();
    ask(hook).await.hook_error(503);

    // The client learns no more than that; the log knows the cause, and no secret.
    let log = bundle.guest_log().join("\n");
    let request_id = answer.headers["x-request-id"].to_str().unwrap();
    assert!(log.lines().any(|line| line.contains(request_id) && line.contains("causes")), "{log}");
    for secret in [&acme.token, &bundle.identity.jwt_secret, &bundle.identity.webhook_secret, &wile.email] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }

    cluster.restart().await.unwrap();
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &events(&acme, 0))).await.ok()["accepted"], 50);
    assert_eq!(total(&bundle, &acme).await, "50");
}

#[tokio::test]
async fn a_restart_in_mid_flight_loses_and_doubles_nothing() {
    let mut bundle = Bundle::isolated().await.unwrap();
    let mut cluster = bundle.take_cluster().unwrap();
    let acme = bundle.tenant("acme").await.unwrap();

    let sending = futures::future::join_all((0..40).map(|turn| {
        let (bundle, acme) = (&bundle, &acme);
        async move {
            tokio::time::sleep(Duration::from_millis(25 * turn as u64)).await;
            // As a client does that wants to be sure: until it is acknowledged.
            for _ in 0..100 {
                let answer = ask(post(bundle, "/v1/events", &acme.token, &events(acme, turn))).await;
                if answer.status == 200 {
                    let receipt = answer.ok();
                    assert_eq!(receipt["rejected"], 0, "{receipt}");
                    return;
                }
                answer.problem(503, "database-unavailable");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("batch {turn} was never acknowledged");
        }
    }));
    let restarting = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        cluster.kill_hard().await.unwrap();
        cluster.restart().await.unwrap();
    };
    tokio::join!(sending, restarting);
    assert_eq!(total(&bundle, &acme).await, "2000");
}

#[tokio::test]
async fn a_slow_database_is_given_up_within_the_hooks_five_seconds() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Whoever wants to read the members waits for this.
    let mut owner = bundle.database().await.unwrap();
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("lock table org_members in access exclusive mode").execute(&mut *lock).await.unwrap();

    let body = json!({"user_id": acme.user.id, "claims": {}});
    let hook = bundle.identity.webhook(&bundle.client, bundle.url("/hooks/access-token"), &body).unwrap();
    let started = Instant::now();
    ask(hook).await.hook_error(503);
    assert!(started.elapsed() < Duration::from_secs(5), "the provider would have hung up: {:?}", started.elapsed());
    lock.rollback().await.unwrap();

    let hook = bundle.identity.webhook(&bundle.client, bundle.url("/hooks/access-token"), &body).unwrap();
    assert_eq!(ask(hook).await.ok()["claims"]["org_id"], acme.org_id);
}

#[tokio::test]
async fn a_sign_up_that_waits_holds_up_no_tokens() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    // Somebody else's sign-up of the same name is under way, and does not end.
    let mut other = bundle.database().await.unwrap();
    let mut unfinished = other.begin().await.unwrap();
    sqlx::query("insert into organizations (name, slug) values ('Bolt', 'bolt')")
        .execute(&mut *unfinished)
        .await
        .unwrap();

    let hook = |path: &str, body: &Value| bundle.identity.webhook(&bundle.client, bundle.url(path), body).unwrap();
    let claims = |company: &str| json!({"user_metadata": {"company": company}});
    let waiting = futures::future::join_all(
        (0..3).map(|_| ask(hook("/hooks/access-token", &json!({"user_id": Uuid::new_v4(), "claims": claims("Bolt")})))),
    );
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let body = json!({"user_id": acme.user.id, "claims": {}});
        futures::future::join_all((0..6).map(|_| ask(hook("/hooks/access-token", &body)))).await
    };
    let (waited, answered) = tokio::join!(waiting, others);
    for answer in waited {
        assert_eq!(answer.ok()["claims"], claims("Bolt"), "a token without an organization, which the next one has");
    }
    for answer in answered {
        assert_eq!(answer.ok()["claims"]["org_id"], acme.org_id);
    }
}
