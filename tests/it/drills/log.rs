//! Nothing that is secret or personal reaches a log line, whatever is sent and whatever breaks.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tally_host::identity::{User, metadata};
use uuid::Uuid;

use crate::answer::ask;
use crate::harness::{Bundle, Tenant, run};
use crate::hooks::fixtures::fixture;
use crate::senders::{
    AUTH0_SECRET, DATABASE_SECRET, Kinde, WORKOS_SECRET, from_provider, post, post_jwt, with_secrets, workos,
};

const PASSWORD_HASH: &str = "$2a$10$hashmarkhashmarkhashmarkhashmark";
const ONE_TIME_TOKEN: &str = "onetimemarkonetimemarkonetimemark";
const BEARER: &str = "bearermarkbearermarkbearermark";
const PHONE: &str = "+15550100199";
const COMPANY: &str = "Companymark";

fn wile() -> User {
    User { id: Uuid::new_v4(), email: "emailmark@acme.example".to_owned(), company: COMPANY.to_owned() }
}

/// What must not be in a log. A secret is looked for without its prefix, a token part by part.
async fn marks(bundle: &Bundle, acme: &Tenant, api_key: &str, jwts: &[String]) -> Vec<String> {
    let identity = &bundle.identity;
    let mut marks: Vec<String> = [
        PASSWORD_HASH,
        ONE_TIME_TOKEN,
        BEARER,
        PHONE,
        COMPANY,
        "emailmark",
        DATABASE_SECRET,
        WORKOS_SECRET,
        AUTH0_SECRET,
        &acme.user.email,
        &identity.jwt_secret,
    ]
    .map(str::to_owned)
    .into();
    marks.push(identity.webhook_secret.trim_start_matches("v1,whsec_").to_owned());
    marks.push(api_key.trim_start_matches("tally_").to_owned());
    marks.extend(jwts.iter().chain([&acme.token]).flat_map(|jwt| jwt.split('.').skip(1)).map(str::to_owned));
    marks.extend(run().await.unwrap().secrets.role_passwords.values().cloned());
    marks
}

/// The lines that hold a mark.
fn leaks<'a>(log: &'a [String], marks: &[String]) -> Vec<&'a String> {
    log.iter().filter(|line| marks.iter().any(|mark| line.contains(mark.as_str()))).collect()
}

/// What each provider sends of a user, good and with something wrong next to what is secret: its name and the body.
fn provider_bodies() -> Vec<(&'static str, Value)> {
    let mut bodies = Vec::new();
    for (provider, name, user_at, id, email) in [
        ("clerk", "clerk_user_created", "/data", "id", "/data/email_addresses/1/email_address"),
        ("workos", "workos_user_created", "/data", "id", "/data/email"),
        ("auth0", "auth0_user_created", "/data/object", "user_id", "/data/object/email"),
        ("kinde", "kinde_user_created", "/data/user", "id", "/data/user/email"),
    ] {
        let mut body = fixture(name);
        *body.pointer_mut(email).unwrap() = json!(wile().email);
        let user = body.pointer_mut(user_at).unwrap();
        user[id] = json!(Uuid::new_v4());
        for (name, mark) in
            [("first_name", COMPANY), ("given_name", COMPANY), ("phone", PHONE), ("token", ONE_TIME_TOKEN)]
        {
            user[name] = json!(mark);
        }
        let mut broken = body.clone();
        broken.pointer_mut(user_at).unwrap()[id] = json!({"x": PASSWORD_HASH});
        bodies.extend([(provider, body), (provider, broken)]);
    }
    let row =
        json!({"type": "INSERT", "table": "users", "schema": "auth", "old_record": null, "record": record(&wile())});
    let mut broken = row.clone();
    broken["record"]["id"] = json!({"x": PASSWORD_HASH});
    bodies.extend([("database", row), ("database", broken)]);
    bodies
}

/// Kinde's webhooks, and one that it did not sign.
fn jwts(kinde: &Kinde, stranger: &Kinde) -> Vec<String> {
    let bodies = provider_bodies().into_iter().filter(|(provider, _)| *provider == "kinde");
    bodies.flat_map(|(_, body)| [kinde.sign(&body), stranger.sign(&body)]).collect()
}

/// Every sender's webhooks, with its own secret and with others.
fn sender_requests(bundle: &Bundle, jwts: &[String]) -> Vec<RequestBuilder> {
    let mut requests: Vec<RequestBuilder> = jwts.iter().map(|jwt| post_jwt(bundle, jwt.clone())).collect();
    for (provider, body) in provider_bodies() {
        let body = body.to_string();
        requests.push(post(bundle, &body).header("x-webhook-secret", BEARER));
        requests.push(workos(bundle, BEARER, &body, 1_700_000_000_000));
        requests.push(post(bundle, &body).header("workos-signature", format!("t=1, v1={BEARER}")));
        requests.push(post_jwt(bundle, body.clone()));
        if provider != "kinde" {
            requests.push(from_provider(bundle, provider, &body));
            // One's message with another's secret.
            requests.push(from_provider(bundle, if provider == "auth0" { "database" } else { "auth0" }, &body));
        }
    }
    requests
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
        ("/hooks/access-token", json!({"user_id": {"x": PASSWORD_HASH}, "claims": claims})),
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
async fn send_all(bundle: &Bundle, acme: &Tenant, api_key: &str, jwts: &[String]) -> Vec<u64> {
    let mut statuses = Vec::new();
    for request in requests(bundle, acme, api_key).into_iter().chain(sender_requests(bundle, jwts)) {
        let answer = ask(request).await;
        assert!(!answer.text.contains(PASSWORD_HASH), "{}", answer.text);
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
    let (kinde, stranger) = (Kinde::start().await, Kinde::start().await);
    let mut bundle = Bundle::isolated_with(|variables| {
        with_secrets(variables);
        kinde.trusted(variables);
    })
    .await
    .unwrap();
    let mut cluster = bundle.take_cluster().unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let api_key = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    // Other users each time, since one who is known already needs nothing that could fail.
    let [first, second, third] = [(); 3].map(|()| jwts(&kinde, &stranger));
    let marks = marks(&bundle, &acme, &api_key, &[first.as_slice(), &second, &third].concat()).await;

    let before = bundle.count("organizations").await;
    let fine = send_all(&bundle, &acme, &api_key, &first).await;
    assert!(fine.contains(&200) && fine.contains(&400) && fine.contains(&401) && fine.contains(&403), "{fine:?}");
    // One user of Supabase Auth, and one of each of the five that have a way of their own.
    assert_eq!(bundle.count("organizations").await - before, 6, "each sender was heard");

    // Errors of the server, whose details quote the row.
    bundle.refuse_organizations().await;
    let broken =
        "alter table active_organizations add constraint active_organizations_test_check check (false) not valid";
    bundle.execute(broken).await;
    bundle.execute("alter table api_keys add constraint api_keys_test_check check (false) not valid").await;
    let failing = send_all(&bundle, &acme, &api_key, &second).await;
    assert!(failing.contains(&500), "{failing:?}");
    let server_log = cluster.server_log().unwrap();

    cluster.kill_hard().await.unwrap();
    let away = send_all(&bundle, &acme, &api_key, &third).await;
    assert!(away.contains(&503), "{away:?}");

    let log = bundle.guest_log();
    for told in ["(organizations_test_check)", "(active_organizations_test_check)"] {
        assert!(log.iter().any(|line| line.contains(told)), "{told}: {log:#?}");
    }
    let leaking = leaks(&log, &marks);
    assert!(leaking.is_empty(), "{leaking:#?}");

    // The database server's own log: of a row that is refused it tells the name of the organization, and no more.
    let log: Vec<String> = server_log.lines().map(str::to_owned).collect();
    assert!(log.iter().any(|line| line.contains("active_organizations_test_check")), "{log:#?}");
    let marks: Vec<String> = marks.into_iter().filter(|mark| mark != COMPANY).collect();
    let leaking = leaks(&log, &marks);
    assert!(leaking.is_empty(), "{leaking:#?}");
}

#[tokio::test]
async fn a_leak_is_noticed() {
    let kinde = Kinde::start().await;
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let api_key = acme.api_key(&bundle, &["metrics:read"], None).await.unwrap();
    let identity = &bundle.identity;
    let jwts = jwts(&kinde, &kinde);
    let marks = marks(&bundle, &acme, &api_key, &jwts).await;
    let password = &run().await.unwrap().secrets.role_passwords["tally_provision"];
    for told in [
        &wile().email,
        &acme.token,
        &api_key,
        &jwts[0],
        &identity.webhook_secret,
        &identity.jwt_secret,
        PASSWORD_HASH,
        DATABASE_SECRET,
        WORKOS_SECRET,
        AUTH0_SECRET,
        password,
    ] {
        let log = [format!("{{\"causes\":[\"it said {told}\"]}}"), "{}".to_owned()];
        assert_eq!(leaks(&log, &marks), [&log[0]], "{told}");
    }
}
