//! A race: contestants take turns, round by round, as those of ingestion do. A row of its series is a request.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use tally_host::progress::say;

use super::asker::{Asker, Way};
use super::pgbench::Pgbench;
use super::place::Place;
use super::question::Request;
use crate::cpu::{Processes, Usage};
use crate::rounds::{Pace, Series};
use crate::turn::Outcome;

/// The least requests of a client in a turn.
const LEAST: usize = 3;

/// One who takes part.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    pub(crate) place: &'a Place<'a>,
    pub(crate) by: By,
}

/// Who asks.
pub(crate) enum By {
    /// Clients of ours.
    Us(Way),
    /// pgbench, by the statement that the service sends.
    Pgbench(PathBuf, Request),
}

/// One that is ready to start.
struct Ready<'a> {
    contestant: Contestant<'a>,
    clients: Clients,
    /// Requests a turn.
    requests: usize,
}

enum Clients {
    Ours(Vec<Asker>),
    Pgbench(Pgbench),
}

/// Runs the race, each contestant with so many clients.
pub(crate) async fn run(contestants: Vec<Contestant<'_>>, clients: usize, pace: Pace) -> Result<Series> {
    let mut ready = Vec::new();
    for contestant in contestants {
        ready.push(Ready::new(contestant, clients, pace.seconds).await?);
    }
    let names: Vec<String> = ready.iter().map(|ready| ready.contestant.name.clone()).collect();
    let mut rounds = Vec::new();
    for _ in 0..pace.rounds {
        let mut round = Vec::new();
        for ready in &ready {
            round.push(ready.turn(clients).await?);
        }
        rounds.push(round);
    }
    let series = Series::new(names, rounds);
    for (index, name) in series.names.iter().enumerate() {
        if let Some(latency) = series.latency(index, clients) {
            say(format!("{name}: {:.2} ms", latency.median));
        }
    }
    Ok(series)
}

impl<'a> Ready<'a> {
    /// Connects the clients, and finds out in turns that do not count how many requests fill the time: the first one warms up.
    async fn new(contestant: Contestant<'a>, clients: usize, seconds: f64) -> Result<Self> {
        let place = contestant.place;
        let connected = match &contestant.by {
            By::Us(way) => Clients::Ours(try_join_all((0..clients).map(|_| Asker::new(way, place))).await?),
            By::Pgbench(program, request) => Clients::Pgbench(Pgbench::new(program, place, request)),
        };
        let mut ready = Self { contestant, clients: connected, requests: 2 * LEAST * clients };
        ready.turn(clients).await?;
        let outcome = ready.turn(clients).await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
        let requests = (outcome.rate() * seconds) as usize;
        ready.requests = requests.div_ceil(clients).max(LEAST) * clients;
        Ok(ready)
    }

    async fn turn(&self, clients: usize) -> Result<Outcome> {
        let outcome = match &self.clients {
            Clients::Ours(askers) => take(askers, self.requests, self.contestant.place.arena.processes).await,
            Clients::Pgbench(pgbench) => {
                let (pgbench, requests) = (pgbench.clone(), self.requests);
                tokio::task::spawn_blocking(move || pgbench.take(clients, requests)).await?
            }
        };
        let log = || format!("{}; the host wrote: {}", self.contestant.name, self.contestant.place.arena.log_tail());
        outcome.with_context(log)
    }
}

/// Takes a turn: whoever is free asks next.
async fn take(askers: &[Asker], requests: usize, processes: Processes) -> Result<Outcome> {
    let next = AtomicUsize::new(0);
    let before = Usage::now(processes);
    let start = Instant::now();
    try_join_all(askers.iter().map(|asker| async {
        while next.fetch_add(1, Ordering::Relaxed) < requests {
            asker.ask().await?;
        }
        anyhow::Ok(())
    }))
    .await?;
    let seconds = start.elapsed().as_secs_f64();
    let usage = before.zip(Usage::now(processes)).map(|(before, after)| after - before);
    Ok(Outcome { rows: requests, seconds, usage })
}
