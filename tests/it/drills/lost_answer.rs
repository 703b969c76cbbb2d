//! The connection ends after the commit and before the answer, or amid what is sent. Whoever sends it again is told of
//! duplicates, or of what is new then, and each event counts once. What would not be the same the second time, the function does not
//! send again: it says that it does not know.

use futures::future::join;
use serde_json::{Value, json};

use crate::answer::{Answer, ask, post};
use crate::harness::{Batch, Bundle, Event, Fault, Ledger, Proxy, Receipt, Tenant, run, until_count, until_stored};

const EVENTS: usize = 20;
const THERE_BEFORE: usize = 5;

/// A bundle whose way to the database can fail. Its instances last, and so do their connections.
async fn far_from_the_database() -> (Proxy, Bundle) {
    let port = run().await.unwrap().cluster.port();
    let proxy = Proxy::before(([127, 0, 0, 1], port).into()).await.unwrap();
    let (direct, detour) = (format!(":{port}/"), format!(":{}/", proxy.address.port()));
    let bundle = Bundle::lasting(|variables| {
        for (_, url) in variables.iter_mut().filter(|(name, _)| name.ends_with("_database_url")) {
            *url = url.replace(&direct, &detour);
        }
        variables.insert("database_port".to_owned(), proxy.address.port().to_string());
    });
    let bundle = bundle.await.unwrap();
    (proxy, bundle)
}

/// A bundle, and a way to it that can fail.
async fn far_from_the_client() -> (Proxy, Bundle, String) {
    let bundle = Bundle::start().await.unwrap();
    let proxy = Proxy::before(bundle.base_url.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap();
    let base_url = format!("http://{}", proxy.address);
    (proxy, bundle, base_url)
}

fn batch(tenant: &Tenant, replaces: bool, events: usize, value: &str) -> Batch {
    let event = |index| Event {
        store_id: tenant.store_id.clone(),
        id: format!("event-{index}-"),
        recorded_at: "2026-10-05T10:00:00Z".to_owned(),
        metric: "revenue".to_owned(),
        value: value.to_owned(),
        currency: Some("USD".to_owned()),
        dimensions: json!({"channel": "web"}),
    };
    Batch::new(tenant, replaces, (0..events).map(event).collect()).unwrap()
}

/// Within the batch, but for its first events and its last.
fn mark() -> String {
    format!("event-{}-", EVENTS / 2)
}

/// A tenant with a few events, and the batch that is to be sent: all of its events, restated or not.
async fn prepare(bundle: &Bundle, replaces: bool) -> (Ledger, usize) {
    let acme = bundle.tenant("acme").await.unwrap();
    let mut ledger = Ledger::default();
    let before = ledger.enter(batch(&acme, false, THERE_BEFORE, "1.00"));
    assert_eq!(send(bundle, &bundle.base_url, &mut ledger, before).await.accepted, THERE_BEFORE as u64);
    let value = if replaces { "2.00" } else { "1.00" };
    let number = ledger.enter(batch(&acme, replaces, EVENTS, value));
    (ledger, number)
}

/// Sends a batch, which is acknowledged.
async fn send(bundle: &Bundle, base_url: &str, ledger: &mut Ledger, number: usize) -> Receipt {
    let receipt = Receipt::of(&ask(ledger.batches()[number].request(bundle, base_url)).await.ok());
    ledger.acknowledge(number);
    receipt
}

/// Cuts the connection when everything is committed.
async fn cut_after_the_commit(proxy: &Proxy, bundle: &Bundle) {
    until_stored(&bundle.database_url, EVENTS).await.unwrap();
    proxy.cut();
}

/// Sends a batch whose answer from the database is lost; the function itself sends it again.
async fn lose_the_answer_of_the_database(proxy: &Proxy, bundle: &Bundle, ledger: &mut Ledger, number: usize) {
    proxy.arm(Fault::KeepAnswer(mark()));
    let sending = send(bundle, &bundle.base_url, ledger, number);
    let (receipt, ()) = join(sending, cut_after_the_commit(proxy, bundle)).await;
    assert!(proxy.has_failed());
    assert_eq!(receipt, Receipt::duplicates(EVENTS as u64), "the function itself sent it again");
}

/// The receipt of what is sent for the first time, or for the first time as far as the database knows.
fn new(replaces: bool) -> Receipt {
    let (there, new) = (THERE_BEFORE as u64, (EVENTS - THERE_BEFORE) as u64);
    let receipt = Receipt { accepted: new, ..Receipt::default() };
    if replaces { Receipt { replaced: there, ..receipt } } else { Receipt { duplicates: there, ..receipt } }
}

async fn hold_to_the_ledger(bundle: &Bundle, ledger: &Ledger) {
    let audit = ledger.audit(bundle).await.unwrap();
    assert_eq!((audit.events, audit.faults), (ledger.events(), Vec::new()));
}

#[tokio::test]
async fn an_answer_of_the_database_that_is_lost_on_a_kept_connection_is_asked_for_again() {
    for replaces in [false, true] {
        let (proxy, bundle) = far_from_the_database().await;
        let (mut ledger, number) = prepare(&bundle, replaces).await;
        lose_the_answer_of_the_database(&proxy, &bundle, &mut ledger, number).await;
        hold_to_the_ledger(&bundle, &ledger).await;
    }
}

#[tokio::test]
async fn an_answer_of_the_database_that_is_lost_on_a_new_connection_is_asked_for_again_too() {
    let (proxy, bundle) = far_from_the_database().await;
    let acme = bundle.tenant("acme").await.unwrap();
    let mut ledger = Ledger::default();
    let number = ledger.enter(batch(&acme, false, EVENTS, "1.00"));
    lose_the_answer_of_the_database(&proxy, &bundle, &mut ledger, number).await;
    hold_to_the_ledger(&bundle, &ledger).await;
    // And a client that never got that answer either.
    let receipt = send(&bundle, &bundle.base_url, &mut ledger, number).await;
    assert_eq!(receipt, Receipt::duplicates(EVENTS as u64));
    hold_to_the_ledger(&bundle, &ledger).await;
}

#[tokio::test]
async fn a_receipt_that_is_lost_on_the_way_to_the_client_comes_again() {
    for replaces in [false, true] {
        let (proxy, bundle, far) = far_from_the_client().await;
        let (mut ledger, number) = prepare(&bundle, replaces).await;
        proxy.arm(Fault::KeepAnswer(mark()));
        let sending = ledger.batches()[number].request(&bundle, &far).send();
        let (outcome, ()) = join(sending, cut_after_the_commit(&proxy, &bundle)).await;
        assert!(proxy.has_failed() && outcome.is_err(), "{outcome:?}");
        let receipt = send(&bundle, &far, &mut ledger, number).await;
        assert_eq!(receipt, Receipt::duplicates(EVENTS as u64));
        hold_to_the_ledger(&bundle, &ledger).await;
    }
}

#[tokio::test]
async fn a_statement_that_is_cut_in_half_has_not_been_sent() {
    for replaces in [false, true] {
        let (proxy, bundle) = far_from_the_database().await;
        let (mut ledger, number) = prepare(&bundle, replaces).await;
        proxy.arm(Fault::CutBefore(mark()));
        let receipt = send(&bundle, &bundle.base_url, &mut ledger, number).await;
        assert!(proxy.has_failed());
        assert_eq!(receipt, new(replaces), "the function itself sent it again");
        hold_to_the_ledger(&bundle, &ledger).await;
    }
}

#[tokio::test]
async fn a_request_that_is_cut_in_half_stores_nothing() {
    for replaces in [false, true] {
        let (proxy, bundle, far) = far_from_the_client().await;
        let (mut ledger, number) = prepare(&bundle, replaces).await;
        proxy.arm(Fault::CutBefore(mark()));
        let outcome = ledger.batches()[number].request(&bundle, &far).send().await;
        assert!(proxy.has_failed() && outcome.is_err(), "{outcome:?}");
        assert_eq!(send(&bundle, &far, &mut ledger, number).await, new(replaces));
        hold_to_the_ledger(&bundle, &ledger).await;
    }
}

/// A metric that is not there until somebody defines it, so that events of it are rejected.
const LATER: &str = "visits_of_later";
const REPLAY: &str = "/v1/events/quarantine/replay";
const DISCARD: &str = "/v1/events/quarantine/discard";

/// Events with these ids, all at one time.
fn events(tenant: &Tenant, metric: &str) -> Value {
    let event = |number: usize| {
        json!({"id": format!("event-{number}-"), "metric": metric, "store_id": tenant.store_id, "value": "1",
               "recorded_at": "2026-10-05T10:00:00Z"})
    };
    (0..EVENTS).map(event).collect()
}

fn deletion(tenant: &Tenant) -> Value {
    let entry = |number: usize| json!({"id": format!("event-{number}-"), "store_id": tenant.store_id});
    json!({"events": (0..EVENTS).map(entry).collect::<Vec<_>>()})
}

/// Sends what leaves the table with so many rows, and loses the answer when it has.
async fn lose_the_answer(
    proxy: &Proxy,
    bundle: &Bundle,
    request: reqwest::RequestBuilder,
    (table, rows): (&str, i64),
) -> Answer {
    let cut = async {
        until_count(&bundle.database_url, table, rows).await.unwrap();
        proxy.cut();
    };
    let (answer, ()) = join(ask(request), cut).await;
    assert!(proxy.has_failed());
    answer
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_not_sent_again() {
    let (proxy, bundle) = far_from_the_database().await;
    let acme = bundle.tenant("acme").await.unwrap();
    let delete = || post(&bundle, "/v1/events/delete", &acme.token, &deletion(&acme));
    let stored = ask(post(&bundle, "/v1/events", &acme.token, &events(&acme, "orders"))).await.ok();
    assert_eq!(stored["accepted"], EVENTS);

    // It did not get there, which the function cannot know.
    proxy.arm(Fault::CutBefore(mark()));
    ask(delete()).await.problem(503, "database-unavailable");
    assert_eq!((proxy.has_failed(), bundle.count("metric_events").await), (true, EVENTS as i64));

    proxy.arm(Fault::KeepAnswer(mark()));
    let answer = lose_the_answer(&proxy, &bundle, delete(), ("metric_events", 0)).await;
    answer.problem(503, "database-unavailable");
    let again = ask(delete()).await.ok();
    assert_eq!(again, json!({"deleted": 0, "not_found": EVENTS, "rejected": 0, "errors": []}));
    assert_eq!(bundle.count("event_changes").await, EVENTS as i64);
}

#[tokio::test]
async fn a_replay_and_a_discarding_whose_answer_is_lost_are_not_sent_again() {
    let (proxy, bundle) = far_from_the_database().await;
    let acme = bundle.tenant("acme").await.unwrap();
    let selection = json!({"filter": {"metric": LATER}});
    let defined = format!(
        "insert into public.metric_definitions (org_id, key, display_name, unit, aggregation_method, category)
         values ('{}', '{LATER}', 'Visits', 'count', 'sum', 'test')",
        acme.org_id
    );
    let nothing = json!({"accepted": 0, "duplicates": 0, "replaced": 0, "rejected": 0, "remaining": 0, "errors": []});
    for (path, counted, again) in [(DISCARD, 0, json!({"discarded": 0, "remaining": 0})), (REPLAY, EVENTS, nothing)] {
        let kept = ask(post(&bundle, "/v1/events", &acme.token, &events(&acme, LATER))).await.ok();
        assert_eq!(kept["quarantined"], EVENTS);
        if path == REPLAY {
            bundle.execute(sqlx::AssertSqlSafe(defined.clone())).await;
        }
        proxy.arm(Fault::KeepAnswer(LATER.to_owned()));
        let request = post(&bundle, path, &acme.token, &selection);
        let answer = lose_the_answer(&proxy, &bundle, request, ("quarantined_events", 0)).await;
        answer.problem(503, "database-unavailable");
        assert_eq!(bundle.count("metric_events").await, counted as i64, "{path}");
        assert_eq!(ask(post(&bundle, path, &acme.token, &selection)).await.ok(), again);
    }
}

#[tokio::test]
async fn a_key_whose_answer_is_lost_is_made_once_and_told() {
    let (proxy, bundle) = far_from_the_database().await;
    let acme = bundle.tenant("acme").await.unwrap();
    let wanted = json!({"name": "Lost and found", "scopes": ["events:write"]});
    proxy.arm(Fault::KeepAnswer("Lost and found".to_owned()));
    let request = post(&bundle, "/v1/api-keys", &acme.token, &wanted);
    let answer = lose_the_answer(&proxy, &bundle, request, ("api_keys", 1)).await;
    assert_eq!((answer.status, bundle.count("api_keys").await), (201, 1));
    let made: Value = serde_json::from_str(&answer.text).unwrap();
    let key = made["key"].as_str().unwrap();
    assert_eq!(ask(post(&bundle, "/v1/events", key, &events(&acme, "orders"))).await.ok()["accepted"], EVENTS);
}
