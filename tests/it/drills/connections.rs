//! How many connections the hooks open, and what becomes of those who wait for one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use reqwest::Url;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tally_host::identity::now;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::answer::{Answer, ask};
use crate::harness::{Bundle, run};

const TOKEN: &str = "/hooks/access-token";
/// As many as one instance has at once, and some to spare.
const OF_AN_INSTANCE: usize = 12;
/// Longer than a server that has much to do takes to begin a session, and less than a hook waits for it.
const A_WHILE: Duration = Duration::from_millis(1_200);

/// A way to the database with a gate, and who came to it.
struct Way {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    gate: watch::Sender<bool>,
}

impl Way {
    /// A way whose gate is shut. The first `refused` who come are turned away when it opens.
    async fn shut(refused: usize) -> Self {
        let server: Url = run().await.unwrap().cluster.database_url("postgres").parse().unwrap();
        let server = (server.host_str().unwrap().to_owned(), server.port().unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, opened) = watch::channel(false);
        let came = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let is_refused = counter.fetch_add(1, Ordering::SeqCst) < refused;
                let (server, mut opened) = (server.clone(), opened.clone());
                tokio::spawn(async move {
                    // Ends with the test, if not before.
                    let is_open = opened.wait_for(|is_open| *is_open).await.is_ok();
                    if is_open && !is_refused {
                        let mut server = TcpStream::connect(server).await.unwrap();
                        // However it ends, it is over.
                        let _ended = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { address, came, gate }
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    /// The bundle whose token hook has this way to the database and no other, with an instance that has not needed it yet.
    async fn bundle(&self) -> Bundle {
        let bundle = Bundle::lasting(|variables| {
            variables.insert("database_host".to_owned(), self.address.ip().to_string());
            variables.insert("database_port".to_owned(), self.address.port().to_string());
            let mut url: Url = variables["token_hook_database_url"].parse().unwrap();
            url.set_ip_host(self.address.ip()).unwrap();
            url.set_port(Some(self.address.port())).unwrap();
            variables.insert("token_hook_database_url".to_owned(), url.into());
        })
        .await
        .unwrap();
        ask(bundle.client.post(bundle.url(TOKEN)).json(&json!({}))).await.hook_error(401);
        bundle
    }
}

fn hook(bundle: &Bundle, user_id: Uuid) -> JoinHandle<Answer> {
    let body = json!({"user_id": user_id, "claims": {}});
    tokio::spawn(ask(bundle.identity.webhook(&bundle.client, bundle.url(TOKEN), &body).unwrap()))
}

/// Hooks of these users, sent to an instance that has no connection yet, while none can be had.
async fn hooks_before_the_gate(bundle: &Bundle, way: &Way, users: &[Uuid]) -> Vec<JoinHandle<Answer>> {
    let mut hooks = Vec::new();
    for user_id in users {
        hooks.push(hook(bundle, *user_id));
        // One by one, since the host starts another instance for what comes while one is busy.
        sleep(Duration::from_millis(25)).await;
    }
    while way.came() == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    hooks
}

async fn all(hooks: Vec<JoinHandle<Answer>>) -> Vec<Value> {
    join_all(hooks).await.into_iter().map(|answer| answer.unwrap().ok()).collect()
}

#[tokio::test]
async fn the_requests_of_an_instance_share_the_connection_that_one_of_them_opens() {
    let way = Way::shut(0).await;
    let bundle = way.bundle().await;
    let user_id = Uuid::new_v4();
    let mut requests = hooks_before_the_gate(&bundle, &way, &[user_id; OF_AN_INSTANCE - 4]).await;
    // Whoever has a token may ask this as often as they like.
    let identity = &bundle.identity;
    let claims = json!({"iss": identity.issuer, "aud": identity.audience, "exp": now() + 60, "sub": user_id});
    let token = identity.mint(&claims).unwrap();
    let me = || tokio::spawn(ask(bundle.client.get(bundle.url("/v1/me")).bearer_auth(&token)));
    requests.extend((0..4).map(|_| me()));
    sleep(A_WHILE).await;
    // One, if no other instance was started after all.
    assert!(way.came() <= OF_AN_INSTANCE / 2, "{OF_AN_INSTANCE} requests opened {} connections", way.came());
    way.gate.send(true).unwrap();
    let answers = all(requests).await;
    let (tokens, me) = answers.split_at(OF_AN_INSTANCE - 4);
    assert!(tokens[0]["claims"]["org_id"].is_string(), "{}", tokens[0]);
    assert!(tokens.iter().all(|answer| *answer == tokens[0]), "{tokens:?}");
    assert!(me.iter().all(|answer| answer["user_id"] == json!(user_id)), "{me:?}");
}

#[tokio::test]
async fn who_opens_in_vain_is_told_so_and_the_next_one_tries() {
    let way = Way::shut(1).await;
    let bundle = way.bundle().await;
    let hooks = hooks_before_the_gate(&bundle, &way, &[Uuid::new_v4(); OF_AN_INSTANCE]).await;
    way.gate.send(true).unwrap();
    let (failed, answered): (Vec<Value>, Vec<Value>) =
        all(hooks).await.into_iter().partition(|answer| answer["error"].is_object());
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["error"]["http_code"], 503);
    assert!(answered.iter().all(|answer| answer["claims"]["user_role"] == "owner"), "{answered:?}");
}

#[tokio::test]
async fn sign_ups_that_wait_for_their_own_tokens_hold_up_nobody_elses() {
    let way = Way::shut(0).await;
    let bundle = way.bundle().await;
    let users: Vec<Uuid> = (0..OF_AN_INSTANCE).map(|_| Uuid::new_v4()).collect();
    let (signing_up, known) = users.split_at(OF_AN_INSTANCE - 3);
    let sign_up = "insert into auth.users (id) select * from unnest($1::uuid[])";
    let mut provider = bundle.database().await.unwrap();
    sqlx::query(sign_up).bind(known).execute(&mut provider).await.unwrap();
    // The trigger has made their organizations, in transactions that end only when the provider has its tokens.
    let mut unfinished = provider.begin().await.unwrap();
    sqlx::query(sign_up).bind(signing_up).execute(&mut *unfinished).await.unwrap();

    // All on one connection, where those of the known users come last.
    let hooks = hooks_before_the_gate(&bundle, &way, &users).await;
    way.gate.send(true).unwrap();
    let answers = all(hooks).await;
    let (waited, answered) = answers.split_at(signing_up.len());
    assert!(waited.iter().all(|answer| *answer == json!({"claims": {}})), "the next token names one: {waited:?}");
    assert!(answered.iter().all(|answer| answer["claims"]["user_role"] == "owner"), "{answered:?}");
    unfinished.rollback().await.unwrap();
}
