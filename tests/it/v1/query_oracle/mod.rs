//! What `POST /v1/query` answers is what an oracle in plain Rust works out of the raw events.
//!
//! The oracle knows the documents and nothing of the SQL: its own decimals, its own calendar by the system's zones. Random
//! companies have stores and events where clocks are changed; random questions are asked about them in every zone. A run
//! that fails is named by its seed; `TALLY_SEED` repeats it.

mod aggregate;
mod calendar;
mod check;
mod company;
mod condition;
mod examples;
mod features;
mod forms;
mod formula;
mod founding;
mod generator;
mod interview;
mod number;
mod oracle;
mod plan;
mod question;
mod rates;
mod zones;

use std::env;
use std::io::{Write as _, stderr};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use uuid::Uuid;

use self::features::Features;
use self::interview::interview;
use self::plan::plans;
use self::zones::Zones;
use crate::harness::{Bundle, Random};

/// How many companies are asked at the same time.
const AT_ONCE: usize = 3;
/// How much of what is wrong is shown.
const SHOWN: usize = 5;

/// What became of the questions about a company, or about all.
#[derive(Debug, Default)]
struct Outcome {
    questions: usize,
    features: Features,
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_what_the_oracle_works_out_of_the_events() {
    let bundle = Arc::new(Bundle::start().await.unwrap());
    let zones = Arc::new(Zones::of(&mut bundle.database().await.unwrap()).await);
    let seed = env::var("TALLY_SEED").map_or_else(|_| Uuid::new_v4().as_u64_pair().0, |text| text.parse().unwrap());
    let mut random = Random::new(seed);
    let plans = plans(&zones, &mut random);
    let companies = plans.len();
    let runs = plans.into_iter().map(|plan| {
        let (bundle, zones, random) = (Arc::clone(&bundle), Arc::clone(&zones), Random::new(random.number()));
        tokio::spawn(async move { interview(&bundle, &zones, plan, random).await })
    });
    let mut all = Outcome::default();
    // Made one after the other, as the stream asks for them.
    let mut running = stream::iter(runs).buffered(AT_ONCE);
    while let Some(outcome) = running.next().await {
        let outcome = outcome.unwrap();
        all.questions += outcome.questions;
        all.features.add(outcome.features);
        all.wrong.extend(outcome.wrong);
    }
    // Past the capture of output: whoever runs the tests should see how much was tried.
    let (questions, known, left_out) = (all.questions, zones.changes.len(), &zones.left_out);
    writeln!(
        stderr(),
        "queries: {questions} about {companies} companies in {known} zones, left out since the database has other changes \
         of the clock: {left_out:?}; {}",
        all.features
    )
    .unwrap();
    assert!(
        all.wrong.is_empty(),
        "TALLY_SEED={seed}: {} answers are wrong\n{}",
        all.wrong.len(),
        all.wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n\n")
    );
    assert_eq!(all.features.missing(), Vec::<&str>::new(), "TALLY_SEED={seed}: never asked");
}
