//! `POST /hooks/user-created` from every provider: its envelope, its way to show who it is, and nobody else's.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tally_core::identity::user_id::user_id;
use tally_host::identity::now;

use super::fixtures::{fixture, owners, text};
use crate::answer::{Answer, ask};
use crate::harness::Bundle;
use crate::senders::{DATABASE_SECRET, WORKOS_SECRET, from_provider, post, signed, with_secrets, workos};

const PATH: &str = "/hooks/user-created";
async fn bundle() -> Bundle {
    Bundle::with(with_secrets).await.unwrap()
}

async fn send(bundle: &Bundle, provider: &str, body: &str) -> Answer {
    ask(from_provider(bundle, provider, body)).await
}

/// Provider, fixture, the id there, and what the organization is called.
const PROVIDERS: [(&str, &str, &str, &str); 6] = [
    ("supabase", "supabase_after_user_created", "ff7fc9ae-3b1b-4642-9241-64adb9848a03", "Acme Inc."),
    ("database", "supabase_database_webhook", "ff7fc9ae-3b1b-4642-9241-64adb9848a03", "Acme Inc."),
    ("clerk", "clerk_user_created", "user_29w83sxmDNGwOuEthce5gg56FcC", "Wile Coyote's organization"),
    ("workos", "workos_user_created", "user_01E4ZCR3C56J083X43JQXF3JK5", "Wile Coyote's organization"),
    ("auth0", "auth0_user_created", "auth0|507f1f77bcf86cd799439020", "Acme Inc."),
    ("generic", "generic_user_created", "customer-1001", "Acme Inc."),
];

#[tokio::test]
async fn each_provider_is_understood_and_answered() {
    for (provider, name, id, organization) in PROVIDERS {
        let bundle = bundle().await;
        assert_eq!(send(&bundle, provider, &text(name)).await.ok(), json!({}), "{provider}");
        let id = user_id(&bundle.identity.issuer, id).unwrap().to_string();
        assert_eq!(owners(&bundle).await, [(id, organization.to_owned())], "{provider}");
    }
}

#[tokio::test]
async fn a_webhook_signed_with_a_private_key_is_taken() {
    let key = SigningKey::from_bytes(&Sha256::digest("a private key").into());
    let public = BASE64_STANDARD.encode(key.verifying_key().as_bytes());
    let bundle = Bundle::with(|variables| {
        let shared = variables["webhook_secrets"].clone();
        variables.insert("webhook_secrets".to_owned(), format!("{shared}|v1a,whpk_{public}"));
    })
    .await
    .unwrap();
    let (time, body) = (now(), text("generic_user_created"));
    let signature = BASE64_STANDARD.encode(key.sign(format!("msg_1.{time}.{body}").as_bytes()).to_bytes());
    let request = |id: &'static str| {
        let signatures = format!("v1,{signature} v1a,{signature}");
        let request = post(&bundle, &body).header("webhook-id", id).header("webhook-timestamp", time.to_string());
        ask(request.header("webhook-signature", signatures))
    };
    request("msg_2").await.problem(401, "invalid-signature");
    assert_eq!(bundle.count("organizations").await, 0);
    request("msg_1").await.ok();
    send(&bundle, "generic", &body).await.ok();
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn told_again_and_by_others_there_is_one() {
    let bundle = bundle().await;
    for _ in 0..2 {
        for (provider, name, ..) in PROVIDERS {
            send(&bundle, provider, &text(name)).await.ok();
        }
    }
    // Supabase's two ways tell of one user.
    assert_eq!(bundle.count("organizations").await, 5);
    assert_eq!(bundle.count("workspaces").await, 5);
}

#[tokio::test]
async fn fifty_at_once_for_one_user_make_one() {
    let bundle = bundle().await;
    let bodies = ["supabase_after_user_created", "supabase_database_webhook"].map(text);
    let requests = (0..50).map(|turn| send(&bundle, ["supabase", "database"][turn % 2], &bodies[turn % 2]));
    for answer in futures::future::join_all(requests).await {
        answer.ok();
    }
    for table in ["organizations", "workspaces", "org_members"] {
        assert_eq!(bundle.count(table).await, 1, "{table}");
    }
}

#[tokio::test]
async fn the_users_token_names_the_same_user() {
    let bundle = bundle().await;
    send(&bundle, "clerk", &text("clerk_user_created")).await.ok();
    let org_id: String = sqlx::query_scalar("select id::text from organizations")
        .fetch_one(&mut bundle.database().await.unwrap())
        .await
        .unwrap();
    let claims = json!({"iss": bundle.identity.issuer, "aud": bundle.identity.audience, "exp": now() + 600,
                        "sub": "user_29w83sxmDNGwOuEthce5gg56FcC", "org_id": org_id, "user_role": "owner"});
    let ask_as = |sub: &str| {
        let mut claims = claims.clone();
        claims["sub"] = json!(sub);
        let token = bundle.identity.mint(&claims).unwrap();
        ask(bundle.client.get(bundle.url("/v1/metrics")).bearer_auth(token))
    };
    ask_as("user_29w83sxmDNGwOuEthce5gg56FcC").await.ok();
    ask_as("user_somebody_else").await.problem(403, "not-a-member");
}

#[tokio::test]
async fn other_events_and_users_who_are_nobody_make_nothing() {
    let bundle = bundle().await;
    for (provider, name, place, other) in [
        ("database", "supabase_database_webhook", "/type", json!("UPDATE")),
        ("database", "supabase_database_webhook", "/record/is_anonymous", json!(true)),
        ("clerk", "clerk_user_created", "/type", json!("user.updated")),
        ("workos", "workos_user_created", "/event", json!("organization.created")),
        ("auth0", "auth0_user_created", "/type", json!("user.deleted")),
        ("generic", "generic_user_created", "/type", json!("invoice.paid")),
    ] {
        let mut body = fixture(name);
        *body.pointer_mut(place).unwrap() = other;
        assert_eq!(send(&bundle, provider, &body.to_string()).await.ok(), json!({}), "{provider}");
    }
    assert_eq!(bundle.count("organizations").await, 0);
}

#[tokio::test]
async fn one_providers_secret_does_not_speak_for_another() {
    let bundle = bundle().await;
    for (its_own, name, ..) in PROVIDERS {
        for provider in ["database", "workos", "auth0", "generic"] {
            let is_signed = |provider| ["supabase", "clerk", "generic"].contains(&provider);
            // A row may come signed, too.
            if provider == its_own || is_signed(provider) && (is_signed(its_own) || its_own == "database") {
                continue;
            }
            let answer = send(&bundle, provider, &text(name)).await;
            assert!(matches!(answer.status, 200 | 400), "{its_own} by {provider}: {}", answer.text);
            assert_eq!(bundle.count("organizations").await, 0, "{its_own} by {provider}");
        }
    }
    send(&bundle, "auth0", &text("clerk_user_created")).await.problem(400, "malformed-body");
    send(&bundle, "database", &text("clerk_user_created")).await.problem(400, "malformed-body");
}

#[tokio::test]
async fn a_wrong_secret_or_signature_makes_nothing() {
    let bundle = bundle().await;
    let (row, event, user) =
        (text("supabase_database_webhook"), text("workos_user_created"), text("clerk_user_created"));
    let milliseconds = now() * 1_000;
    let (whole, half) = (workos(&bundle, WORKOS_SECRET, &event, milliseconds), &DATABASE_SECRET[1..]);
    for request in [
        post(&bundle, &row),
        post(&bundle, &row).bearer_auth("a secret of somebody else's"),
        post(&bundle, &row).bearer_auth(half),
        post(&bundle, &row).header("x-webhook-secret", ""),
        post(&bundle, &row).basic_auth("x", Some(DATABASE_SECRET)),
        // What must be signed is not taken for a secret, nor one signature for another's.
        signed(&bundle, "svix-", &user).body(user.replace("Wile", "Evil")).bearer_auth(DATABASE_SECRET),
        post(&bundle, &user).header("svix-signature", "v1,x").bearer_auth(DATABASE_SECRET),
        workos(&bundle, &bundle.identity.webhook_secret, &event, milliseconds),
        whole.body(event.replace("Wile", "Evil")),
        post(&bundle, &event).header("workos-signature", format!("t={milliseconds}, v1=")),
    ] {
        ask(request).await.problem(401, "invalid-signature");
    }
    for milliseconds in [milliseconds - 240_000, milliseconds + 240_000] {
        ask(workos(&bundle, WORKOS_SECRET, &event, milliseconds)).await.problem(401, "stale-timestamp");
    }
    assert_eq!(bundle.count("organizations").await, 0);
    ask(post(&bundle, &row).header("x-webhook-secret", DATABASE_SECRET)).await.ok();
    assert_eq!(bundle.count("organizations").await, 1);
}

#[tokio::test]
async fn what_is_not_set_is_not_taken() {
    let bundle = Bundle::start().await.unwrap();
    for (provider, name, variable) in [
        ("database", "supabase_database_webhook", "database_webhook_secrets"),
        ("auth0", "auth0_user_created", "auth0_webhook_secrets"),
        ("workos", "workos_user_created", "workos_webhook_secrets"),
    ] {
        let problem = send(&bundle, provider, &text(name)).await.problem(401, "invalid-signature");
        assert!(problem["detail"].as_str().unwrap().contains(variable), "{problem}");
    }
    assert_eq!(bundle.count("organizations").await, 0);
}

#[tokio::test]
async fn without_webhook_secrets_nothing_signed_is_taken_and_nothing_is_logged() {
    for none in ["", "|", "[]"] {
        let bundle = Bundle::with(|variables| {
            variables.insert("webhook_secrets".to_owned(), none.to_owned());
        })
        .await
        .unwrap();
        let body = text("supabase_after_user_created");
        for request in [post(&bundle, &body), signed(&bundle, "webhook-", &body), signed(&bundle, "svix-", &body)] {
            let problem = ask(request).await.problem(401, "invalid-signature");
            assert!(problem["detail"].as_str().unwrap().contains("`webhook_secrets`"), "{problem}");
        }
        let (url, event) = (bundle.url("/hooks/access-token"), text("supabase_access_token"));
        for request in [
            bundle.client.post(&url).body(event.clone()),
            bundle.identity.webhook_text(&bundle.client, url.clone(), event).unwrap(),
        ] {
            let message = ask(request).await.hook_error(401);
            assert!(message.contains("`webhook_secrets`"), "{message}");
        }
        assert_eq!(bundle.count("organizations").await, 0);
        assert_eq!(bundle.guest_log(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn webhook_secrets_may_be_a_json_array() {
    let old = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let bundle = Bundle::with(|variables| {
        let both = json!([old, variables["webhook_secrets"]]);
        variables.insert("webhook_secrets".to_owned(), both.to_string());
    })
    .await
    .unwrap();
    send(&bundle, "generic", &text("generic_user_created")).await.ok();
    let mut before = bundle.identity.clone();
    before.webhook_secret = old.to_owned();
    let told = before.webhook_text(&bundle.client, bundle.url(PATH), text("supabase_after_user_created")).unwrap();
    ask(told).await.ok();
    assert_eq!(bundle.count("organizations").await, 2);
}

#[tokio::test]
async fn a_secret_that_can_be_guessed_is_refused_and_not_logged() {
    for (provider, name, variable) in [
        ("database", "supabase_database_webhook", "database_webhook_secrets"),
        ("auth0", "auth0_user_created", "auth0_webhook_secrets"),
        ("workos", "workos_user_created", "workos_webhook_secrets"),
        ("supabase", "supabase_after_user_created", "webhook_secrets"),
    ] {
        let bundle = Bundle::with(|variables| {
            variables.insert(variable.to_owned(), "hunter2hunter".to_owned());
        })
        .await
        .unwrap();
        send(&bundle, provider, &text(name)).await.problem(500, "misconfigured");
        let log = bundle.guest_log().join("\n");
        assert!(log.contains(&format!("`{variable}`")) && !log.contains("hunter"), "{log}");
    }
}

#[tokio::test]
async fn nothing_of_a_row_is_logged_even_where_it_fails() {
    let bundle = bundle().await;
    bundle.refuse_organizations().await;
    send(&bundle, "database", &text("supabase_database_webhook")).await.problem(500, "internal");
    let log = bundle.guest_log().join("\n");
    assert!(log.contains("23514"), "{log}");
    for secret in ["notARealHash", "one-time-token", "wile@", DATABASE_SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
}
