//! The identity provider's hooks while the database is slow, silent, away or restarted. The provider gives a hook five
//! seconds in all, and drops what comes later, its reason included.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tally_host::identity::{User, metadata};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::answer::{Answer, ask};
use crate::harness::Bundle;

const SIGN_UP: &str = "/hooks/user-created";
const TOKEN: &str = "/hooks/access-token";
const PATIENCE: Duration = Duration::from_secs(5);

fn user(company: &str) -> User {
    User { id: Uuid::new_v4(), email: format!("founder@{company}.example"), company: company.to_owned() }
}

/// As Supabase Auth tells of a sign-up: it fails with the hook, though the user is stored.
fn signed_up(user: &User) -> Value {
    json!({"metadata": metadata("after-user-created"), "user": user.record()})
}

/// As a provider tells of it that tries again until it is heard.
fn told(user: &User) -> Value {
    json!({"type": "user.created", "data": {"id": user.id, "email": user.email, "company": user.company}})
}

async fn hook(bundle: &Bundle, path: &str, body: &Value) -> Answer {
    ask(bundle.identity.webhook(&bundle.client, bundle.url(path), body).unwrap()).await
}

/// The answer to a hook, which the provider must still be there for.
async fn in_time(bundle: &Bundle, path: &str, body: &Value) -> Answer {
    let started = Instant::now();
    let answer = hook(bundle, path, body).await;
    let taken = started.elapsed();
    assert!(taken < PATIENCE, "the provider would have hung up before {taken:?}: {}", answer.text);
    answer
}

/// Has both hooks' functions sleep for six seconds; `limit` is the roles' `statement_timeout` in this database.
fn slow(limit: &str) -> String {
    let sleeping = |name: &str, arguments: &str| {
        format!(
            "create or replace function api.{name}({arguments}) returns text
               language plpgsql volatile security definer set search_path = ''
             as $$ begin perform pg_catalog.pg_sleep(6); return null; end $$;"
        )
    };
    let limits = ["tally_token_hook", "tally_provision"].map(|role| {
        format!(
            "do $$ begin
               execute format('alter role {role} in database %I set statement_timeout = {limit}', current_database());
             end $$;"
        )
    });
    [
        sleeping("access_token_claims", "p_user_id uuid, p_email text, p_profile text, p_provision boolean"),
        sleeping("provision_user", "p_user_id uuid, p_email text, p_profile text"),
        limits.concat(),
    ]
    .concat()
}

#[tokio::test]
async fn a_database_that_takes_six_seconds_is_given_up_in_time() {
    // Ended by the server; and by the function's own deadline, where the server is not heard of.
    for limit in ["''2500ms''", "0"] {
        let bundle = Bundle::start().await.unwrap();
        // Not through the first connections, which have the limits they began with.
        sqlx::raw_sql(sqlx::AssertSqlSafe(slow(limit))).execute(&mut bundle.database().await.unwrap()).await.unwrap();
        let wile = user("acme");
        let claims = json!({"user_id": wile.id, "claims": {"sub": wile.id}});
        let message = in_time(&bundle, TOKEN, &claims).await.hook_error(503);
        assert!(message.contains("too long"), "{message}");
        in_time(&bundle, SIGN_UP, &told(&wile)).await.problem(503, "database-slow");
        assert_eq!(in_time(&bundle, SIGN_UP, &signed_up(&wile)).await.ok(), json!({}));
    }
}

#[tokio::test]
async fn a_database_that_says_nothing_is_given_up_in_time() {
    // Takes connections and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    let bundle = Bundle::with(|variables| {
        variables.insert("database_host".to_owned(), address.ip().to_string());
        variables.insert("database_port".to_owned(), address.port().to_string());
        for (name, role) in [("token_hook", "tally_token_hook"), ("provision", "tally_provision")] {
            let url = format!("postgres://{role}:x@{address}/silent?sslmode=disable");
            variables.insert(format!("{name}_database_url"), url);
        }
    })
    .await
    .unwrap();
    let wile = user("acme");
    in_time(&bundle, TOKEN, &json!({"user_id": wile.id, "claims": {}})).await.hook_error(503);
    in_time(&bundle, SIGN_UP, &told(&wile)).await.problem(503, "database-unavailable");
    assert_eq!(in_time(&bundle, SIGN_UP, &signed_up(&wile)).await.ok(), json!({}));
    let log = bundle.guest_log().join("\n");
    assert!(log.contains("no connection within"), "{log}");
}

#[tokio::test]
async fn a_sign_up_that_is_told_again_after_a_restart_makes_one_organization() {
    let mut bundle = Bundle::isolated().await.unwrap();
    let mut cluster = bundle.take_cluster().unwrap();
    // Both functions have a connection, which dies with the server.
    let acme = bundle.tenant("acme").await.unwrap();
    let users = ["bolt", "coil", "dyne"].map(user);
    let [before, during, blocked] = &users;
    let bodies = [told(before), told(during), signed_up(blocked)];
    hook(&bundle, SIGN_UP, &bodies[0]).await.ok();

    cluster.kill_hard().await.unwrap();
    in_time(&bundle, SIGN_UP, &bodies[1]).await.problem(503, "database-unavailable");
    assert_eq!(in_time(&bundle, SIGN_UP, &bodies[2]).await.ok(), json!({}), "no reason to fail the sign-up");
    in_time(&bundle, TOKEN, &json!({"user_id": during.id, "claims": {}})).await.hook_error(503);
    cluster.restart().await.unwrap();

    // Told again, also what was heard; and the one that is not told again gets a token.
    for _ in 0..2 {
        for body in &bodies[..2] {
            hook(&bundle, SIGN_UP, body).await.ok();
        }
        for user in &users {
            let body = json!({"user_id": user.id, "claims": bundle.identity.claims(user)});
            assert_eq!(hook(&bundle, TOKEN, &body).await.ok()["claims"]["user_role"], "owner");
        }
    }
    for table in ["organizations", "workspaces", "org_members"] {
        assert_eq!(bundle.count(table).await, 4, "{table}: one each, with that of {}", acme.user.company);
    }
}
