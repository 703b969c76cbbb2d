//! The database or the host crashes under a thousand batches. Whatever was acknowledged is there when it is back, and
//! after everything was sent again, acknowledged or not, each event counts once.
//!
//! What is shown of durability: an acknowledged event has left the memory of every process, since SIGKILL leaves
//! nothing of that. What is not: that it has reached the disk, since the kernel keeps what a process has written when
//! the process ends; for the loss of a machine there is only Postgres's word, and the settings that bind it to it, which
//! are checked here.

use std::io::{Write as _, stderr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::{join, join_all};
use sqlx::{Connection as _, PgConnection};
use tally_host::roles::variables;
use tokio::sync::Notify;

use super::workload::{self, BATCHES};
use crate::answer::Answer;
use crate::harness::{Audit, Bundle, Ledger, Receipt, run, until_unused};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 2;
/// How many batches are acknowledged in a round before the crash.
const BEFORE_THE_CRASH: usize = 250;
/// How often a batch is sent that gets no connection to the database, on a machine that has much to do.
const PATIENCE: usize = 20;

/// What became of a batch that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Acknowledged(Receipt),
    /// The host said that it cannot reach its database.
    Failed,
    /// No answer came.
    Unknown,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_database_loses_and_doubles_nothing() {
    let mut bundle = Bundle::durable().await.unwrap();
    let mut cluster = bundle.take_cluster().unwrap();
    hold_to_durable_settings(&bundle).await;
    let mut ledger = Ledger::default();
    let batches = workload::enter(&bundle, &mut ledger).await;
    let mut audit = Audit::default();
    for round in 0..ROUNDS {
        let order = order(&batches, round);
        let outcomes = send_until(&bundle, &ledger, &order, async { cluster.crash().await.unwrap() }).await;
        assert!(outcomes.iter().all(|(_, outcome)| *outcome != Outcome::Unknown), "the host answers whatever happens");
        enter(&mut ledger, &outcomes);
        cluster.restart().await.unwrap();
        audit = hold_to_the_ledger(&bundle, &ledger).await;
        hold_to_the_moment("database", round, &outcomes, &audit);
    }
    send_all_again(&bundle, &mut ledger, &audit).await;
}

/// The database goes on here, so that its settings do not matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_host_loses_and_doubles_nothing() {
    let mut bundle = Bundle::apart().await.unwrap();
    let mut ledger = Ledger::default();
    let batches = workload::enter(&bundle, &mut ledger).await;
    let mut audit = Audit::default();
    for round in 0..ROUNDS {
        let order = order(&batches, round);
        let outcomes = send_until(&bundle, &ledger, &order, async { bundle.kill().await.unwrap() }).await;
        enter(&mut ledger, &outcomes);
        // What the host has sent goes on without it.
        until_unused(&bundle.database_url).await.unwrap();
        bundle.restart().await.unwrap();
        audit = hold_to_the_ledger(&bundle, &ledger).await;
        hold_to_the_moment("host", round, &outcomes, &audit);
    }
    send_all_again(&bundle, &mut ledger, &audit).await;
}

/// As the function's role sees them: a role or a database may have settings of its own.
async fn hold_to_durable_settings(bundle: &Bundle) {
    let variables = variables(&bundle.database_url, &run().await.unwrap().secrets).unwrap();
    let mut connection = PgConnection::connect(&variables["ingest_database_url"]).await.unwrap();
    let query = "select name || '=' || setting from pg_settings
        where name in ('fsync', 'full_page_writes', 'synchronous_commit') order by name";
    let settings: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap();
    assert_eq!(settings, ["fsync=on", "full_page_writes=on", "synchronous_commit=on"]);
    connection.close().await.unwrap();
}

/// Each round begins elsewhere, with batches that were sent before.
fn order(batches: &[usize], round: usize) -> Vec<usize> {
    let mut order = batches.to_vec();
    order.rotate_left(round * BEFORE_THE_CRASH / 2);
    order
}

/// Sends the batches in this order, each once, over several connections until `crash`, which is begun at a number of
/// acknowledgements. At that moment every connection has a batch under way, and stops with the first that fails.
async fn send_until(
    bundle: &Bundle,
    ledger: &Ledger,
    order: &[usize],
    crash: impl Future<Output = ()>,
) -> Vec<(usize, Outcome)> {
    let (next, acknowledged) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (enough, is_crashing) = (Notify::new(), AtomicBool::new(false));
    let connections = join_all((0..CONNECTIONS).map(|_| async {
        let mut outcomes = Vec::new();
        while let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = deliver(bundle, ledger, *number, &is_crashing).await;
            outcomes.push((*number, outcome));
            if !matches!(outcome, Outcome::Acknowledged(_)) {
                assert!(is_crashing.load(Ordering::Relaxed), "batch {number} before the crash: {outcome:?}");
                break;
            }
            if acknowledged.fetch_add(1, Ordering::Relaxed) + 1 == BEFORE_THE_CRASH {
                enough.notify_one();
            }
        }
        outcomes
    }));
    let crash = async {
        enough.notified().await;
        is_crashing.store(true, Ordering::Relaxed);
        crash.await;
    };
    join(connections, crash).await.0.concat()
}

/// Sends a batch, again if the database cannot be reached though nothing has crashed: then it has not been sent there.
async fn deliver(bundle: &Bundle, ledger: &Ledger, number: usize, is_crashing: &AtomicBool) -> Outcome {
    for _ in 0..PATIENCE {
        match send(bundle, ledger, number).await {
            Outcome::Failed if !is_crashing.load(Ordering::Relaxed) => {
                tell(&format!("batch {number}: no connection {:?}", bundle.guest_log().last()))
            }
            outcome => return outcome,
        }
    }
    panic!("batch {number} gets no connection");
}

/// Sends a batch once, and holds a receipt against the ledger.
async fn send(bundle: &Bundle, ledger: &Ledger, number: usize) -> Outcome {
    let batch = &ledger.batches()[number];
    let Ok(response) = batch.request(bundle, &bundle.base_url).send().await else {
        return Outcome::Unknown;
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let Ok(text) = response.text().await else {
        return Outcome::Unknown;
    };
    let answer = Answer { status, headers, text };
    if answer.status == 503 {
        answer.problem(503, "database-unavailable");
        return Outcome::Failed;
    }
    let receipt = Receipt::of(&answer.ok());
    hold_to_the_receipt(ledger, number, receipt, batch.is_acknowledged());
    Outcome::Acknowledged(receipt)
}

fn hold_to_the_receipt(ledger: &Ledger, number: usize, receipt: Receipt, was_there: bool) {
    let length = ledger.batches()[number].len();
    assert_eq!(receipt.accepted + receipt.duplicates + receipt.replaced, length, "batch {number}: {receipt:?}");
    assert_eq!(receipt.rejected, 0, "batch {number}: {receipt:?}");
    if was_there {
        assert_eq!(receipt, Receipt::duplicates(length), "batch {number} was there");
    }
}

fn enter(ledger: &mut Ledger, outcomes: &[(usize, Outcome)]) {
    for (number, _) in outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Acknowledged(_))) {
        ledger.acknowledge(*number);
    }
}

/// Nothing that is acknowledged is missing, nothing is there in part, and the rollups are those of the events.
async fn hold_to_the_ledger(bundle: &Bundle, ledger: &Ledger) -> Audit {
    let audit = ledger.audit(bundle).await.unwrap();
    let faults = &audit.faults;
    assert!(faults.is_empty(), "{} faults, such as {:#?}", faults.len(), &faults[..faults.len().min(20)]);
    audit
}

/// Everything once more, acknowledged or not, as a client does that wants to be sure.
async fn send_all_again(bundle: &Bundle, ledger: &mut Ledger, before: &Audit) {
    let (next, never) = (AtomicUsize::new(0), AtomicBool::new(false));
    let sent = &*ledger;
    let accepted = join_all((0..CONNECTIONS).map(|_| async {
        let mut accepted = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= sent.batches().len() {
                return accepted;
            }
            let Outcome::Acknowledged(receipt) = deliver(bundle, sent, number, &never).await else {
                panic!("no answer to batch {number}, and nothing crashes");
            };
            hold_to_the_receipt(sent, number, receipt, before.committed[number]);
            accepted += receipt.accepted;
        }
    }));
    let accepted: u64 = accepted.await.into_iter().sum();
    assert_eq!(before.events as u64 + accepted, ledger.events() as u64, "what was not there was accepted, once");
    for number in 0..ledger.batches().len() {
        ledger.acknowledge(number);
    }
    assert_eq!(hold_to_the_ledger(bundle, ledger).await.events, ledger.events());
}

/// Tells what the crash hit, and holds that it hit something.
fn hold_to_the_moment(what: &str, round: usize, outcomes: &[(usize, Outcome)], audit: &Audit) {
    let of = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| wanted(outcome)).count();
    let acknowledged = of(|outcome| matches!(outcome, Outcome::Acknowledged(_)));
    let (failed, unknown) = (of(|outcome| *outcome == Outcome::Failed), of(|outcome| *outcome == Outcome::Unknown));
    let is_there = |number: &usize| audit.committed[*number];
    let there = outcomes.iter().filter(|(number, _)| is_there(number)).count() - acknowledged;
    tell(&format!(
        "crash of the {what}, round {}: {acknowledged} batches acknowledged, {failed} failed, {unknown} unknown, \
         of which {there} are there all the same; {} not sent",
        round + 1,
        BATCHES - outcomes.len()
    ));
    assert!(acknowledged >= BEFORE_THE_CRASH && failed + unknown > 0, "the crash missed the moment: {outcomes:?}");
}

/// Past the capture of output: whoever runs the tests should see it.
fn tell(line: &str) {
    stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
