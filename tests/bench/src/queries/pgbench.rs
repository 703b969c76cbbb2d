//! pgbench as a contestant: sessions of its own in each turn, of which the first statements do not count.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tally_host::process::run_bounded;

use super::place::Place;
use super::question::Request;
use crate::turn::Outcome;

const SCRIPT: &str = "select api.query_metrics(:authority, :asked);\n";
/// Statements of a session that fill its caches, which those of the service's pool have filled.
const FIRST: usize = 5;
const LIMIT: Duration = Duration::from_secs(120);

/// Where pgbench is, and whom it asks what.
#[derive(Debug, Clone)]
pub(crate) struct Pgbench {
    program: PathBuf,
    database_url: String,
    authority: String,
    asked: String,
}

impl Pgbench {
    pub(crate) fn new(program: &Path, place: &Place<'_>, request: &Request) -> Self {
        Self {
            program: program.to_owned(),
            database_url: place.arena.query_url.clone(),
            authority: place.authority.clone(),
            asked: request.asked.clone(),
        }
    }

    /// Takes a turn of about so many statements; the thread waits.
    pub(crate) fn take(&self, clients: usize, requests: usize) -> Result<Outcome> {
        let folder = tempfile::tempdir()?;
        let script = folder.path().join("script.sql");
        fs::write(&script, SCRIPT)?;
        let each = requests.div_ceil(clients) + FIRST;
        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--log"]);
        command.arg(format!("--log-prefix={}", folder.path().join("log").display()));
        command.arg(format!("--file={}", script.display()));
        command.arg(format!("--client={clients}")).arg(format!("--transactions={each}"));
        command.arg(format!("--define=authority={}", self.authority)).arg(format!("--define=asked={}", self.asked));
        let finished = run_bounded(command.arg(&self.database_url), LIMIT)?;
        ensure!(finished.success(), "pgbench failed: {}", finished.output.trim());
        let mut log = String::new();
        for entry in fs::read_dir(folder.path())? {
            let file = entry?.path();
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
                log.push_str(&fs::read_to_string(file)?);
            }
        }
        outcome(&log, clients).with_context(|| format!("pgbench logged {log:?}"))
    }
}

/// What the log tells, a line a statement: `client number microseconds …`.
fn outcome(log: &str, clients: usize) -> Option<Outcome> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut rows, mut micros) = (0, 0.0);
    for line in log.lines() {
        let mut fields = line.split(' ');
        let (client, latency) = (fields.next()?, fields.nth(1)?);
        let latency: f64 = latency.parse().ok()?;
        let number = seen.entry(client).or_default();
        *number += 1;
        if *number > FIRST {
            rows += 1;
            micros += latency;
        }
    }
    // Clients wait for nothing else, so this is the time that all of them together took.
    (rows > 0).then(|| Outcome { rows, seconds: micros / 1e6 / clients as f64, usage: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_client_do_not_count() {
        let mut log = String::new();
        for number in 1..=FIRST + 10 {
            for client in 0..2 {
                let micros = if number <= FIRST { 90_000 } else { 4_000 };
                log.push_str(&format!("{client} {number} {micros} 0 1790000000 1\n"));
            }
        }
        let outcome = outcome(&log, 2).unwrap();
        assert_eq!(outcome.rows, 20);
        assert!((outcome.seconds - 0.04).abs() < 1e-9, "{outcome:?}");
    }

    #[test]
    fn a_log_without_statements_is_no_turn() {
        assert!(outcome("", 1).is_none());
        assert!(outcome("0 1", 1).is_none());
        assert!(outcome("0 1 failed 0 1 1", 1).is_none());
    }
}
