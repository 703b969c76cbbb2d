//! After any history of requests the receipts, the database and every list are what a model in plain Rust says.
//!
//! Random histories: companies send, restate, delete, replay and discard at the same time, each by its own people and
//! keys, in random formats. The model knows what the documents promise and nothing of the SQL. A history that fails is
//! named by its seed; `TALLY_SEED` tries that one first. Only the ids that the database gives to rejected events differ
//! then, by which those of one request are replayed.

mod company;
mod draft;
mod fields;
mod flaws;
mod format;
mod history;
mod lists;
mod model;
mod selection;

use std::collections::BTreeMap;
use std::env;
use std::io::{Write as _, stderr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use futures::future::join_all;
use uuid::Uuid;

use self::company::Company;
use self::history::History;
use crate::harness::{Bundle, Random};

/// How long histories are tried, and how many at least and at most; longer where something has not happened yet.
const TIME: Duration = Duration::from_secs(30);
const HISTORIES: RangeInclusive<usize> = 10..=200;
const COMPANIES: usize = 3;

/// Every reason there is to reject an event.
const CODES: [&str; 11] = [
    "derived_metric",
    "event_too_large",
    "invalid_currency",
    "invalid_dimensions",
    "invalid_event",
    "invalid_time",
    "invalid_value",
    "out_of_range",
    "store_required",
    "unknown_metric",
    "unknown_store",
];
/// Everything else that is counted.
const OUTCOMES: [&str; 17] = [
    "accepted",
    "all too large",
    "changes listed",
    "deleted",
    "discarded",
    "dry runs",
    "duplicates",
    "forbidden",
    "not found",
    "not kept",
    "quarantine listed",
    "quarantined",
    "replaced",
    "replayed: accepted",
    "replayed: duplicates",
    "replayed: rejected",
    "replayed: replaced",
];

/// How often what happened.
pub(super) type Totals = BTreeMap<&'static str, usize>;

/// Names the history that failed.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stdout, reason = "the output of a test that fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("TALLY_SEED={}", self.0);
        }
    }
}

#[tokio::test]
async fn requests_do_what_the_model_says_after_any_history() {
    let bundle = Bundle::start().await.unwrap();
    let end = Instant::now() + TIME;
    let mut random = Random::new(Uuid::new_v4().as_u64_pair().0);
    let mut seed = env::var("TALLY_SEED").ok().map_or_else(|| random.number(), |text| text.parse().unwrap());
    let (mut histories, mut totals) = (0, Totals::new());
    while histories < *HISTORIES.start()
        || histories < *HISTORIES.end() && (Instant::now() < end || !missing(&totals).is_empty())
    {
        for (name, times) in history(&bundle, seed).await {
            *totals.entry(name).or_default() += times;
        }
        histories += 1;
        seed = random.number();
    }
    // Past the capture of output: whoever runs the tests should see how much was tried.
    writeln!(stderr(), "ingestion: {histories} histories of {COMPANIES} companies, {totals:?}").unwrap();
    assert_eq!(missing(&totals), Vec::<&str>::new(), "never happened");
}

/// What has not happened yet.
fn missing(totals: &Totals) -> Vec<&'static str> {
    CODES.into_iter().chain(OUTCOMES).filter(|name| !totals.contains_key(name)).collect()
}

/// Companies do what they do, all at once.
async fn history(bundle: &Bundle, seed: u64) -> Totals {
    let _seed = Seed(seed);
    let mut random = Random::new(seed);
    let mut companies = Vec::new();
    for number in 0..COMPANIES {
        companies.push(Company::found(bundle, number, &mut random).await);
    }
    let names: Vec<_> = companies.iter().map(Company::store_names).collect();
    let histories = companies.into_iter().enumerate().map(|(number, company)| {
        let foreign = names[(number + 1) % COMPANIES].clone();
        History::new(bundle, company, foreign, Random::new(random.number())).run()
    });
    let mut totals = Totals::new();
    for of_one in join_all(histories).await {
        for (name, times) in of_one {
            *totals.entry(name).or_default() += times;
        }
    }
    totals
}
