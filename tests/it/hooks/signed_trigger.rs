//! The trigger that docs/IDENTITY.md shows, which tells of a user in a row that is signed in SQL.

use std::fs;

use serde_json::json;
use sqlx::AssertSqlSafe;
use tally_host::identity::with_headers;

use super::fixtures::owners;
use crate::answer::ask;
use crate::harness::{Bundle, repository};

/// What Supabase has of `pg_net` and of Vault, as far as the trigger knows it; what is sent is kept.
const EXTENSIONS: &str = "
    create schema net;
    create table net.sent (url text, body bytea, headers jsonb);
    create function net.http_post(
      url text, body jsonb default '{}', params jsonb default '{}',
      headers jsonb default '{\"Content-Type\": \"application/json\"}', timeout_milliseconds integer default 5000
    ) returns bigint language sql
    as $$ insert into net.sent values (url, convert_to(body::text, 'UTF8'), headers) returning 1::bigint $$;
    create schema vault;
    create table vault.decrypted_secrets (name text, decrypted_secret text);";

fn trigger() -> String {
    let page = fs::read_to_string(repository().join("docs/IDENTITY.md")).unwrap();
    let mut blocks = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.find(|block| block.contains("create function public.tell_tallyhouse")).unwrap()
}

#[tokio::test]
async fn what_it_sends_is_taken_and_holds_no_more_than_is_needed() {
    let (supabase, bundle) = (Bundle::start().await.unwrap(), Bundle::start().await.unwrap());
    let secret = bundle.identity.webhook_secret.strip_prefix("v1,").unwrap();
    supabase.execute(EXTENSIONS).await;
    let in_vault = format!("insert into vault.decrypted_secrets values ('tally_webhook_secret', '{secret}')");
    supabase.execute(AssertSqlSafe(in_vault)).await;
    supabase.execute(AssertSqlSafe(trigger())).await;
    let user = "ff7fc9ae-3b1b-4642-9241-64adb9848a03";
    let sign_up = format!(
        "insert into auth.users (id, email, raw_user_meta_data)
         values ('{user}', 'wile@acme.example', '{{\"company\": \"Acmé \\\"Inc.\\\"\"}}')"
    );
    supabase.execute(AssertSqlSafe(sign_up)).await;

    let (url, body, headers): (String, Vec<u8>, String) =
        sqlx::query_as("select url, body, headers::text from net.sent")
            .fetch_one(&mut supabase.database().await.unwrap())
            .await
            .unwrap();
    assert_eq!(url, "https://tally.example/hooks/user-created");
    let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let record = json!({"id": user, "email": "wile@acme.example", "is_anonymous": false,
                        "raw_user_meta_data": {"company": "Acmé \"Inc.\""}});
    assert_eq!(sent, json!({"type": "INSERT", "schema": "auth", "table": "users", "record": record}));

    let headers: std::collections::BTreeMap<String, String> = serde_json::from_str(&headers).unwrap();
    let send = |body: Vec<u8>| {
        ask(with_headers(bundle.client.post(bundle.url("/hooks/user-created")), headers.clone()).body(body))
    };
    let tampered = String::from_utf8(body.clone()).unwrap().replace("wile@", "evil@").into_bytes();
    send(tampered).await.problem(401, "invalid-signature");
    assert_eq!(send(body).await.ok(), json!({}));
    assert_eq!(owners(&bundle).await, [(user.to_owned(), "Acmé \"Inc.\"".to_owned())]);
}

#[tokio::test]
async fn a_sign_up_does_not_fail_where_it_cannot_tell() {
    let supabase = Bundle::start().await.unwrap();
    // Neither pg_net nor a secret.
    supabase.execute(AssertSqlSafe(trigger())).await;
    supabase.execute("insert into auth.users (email) values ('wile@acme.example')").await;
    let users: i64 = sqlx::query_scalar("select count(*) from auth.users")
        .fetch_one(&mut supabase.database().await.unwrap())
        .await
        .unwrap();
    assert_eq!(users, 1);
}
