//! What the commands have in common: how they begin and end, and options of all of them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use tally_host::progress::say;
use tally_host::server_process::serve;

use crate::ground::own_checkout;
use crate::rounds::Pace;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serves a bundle until interrupted, as the process that is measured
    #[command(hide = true)]
    Serve { manifest: PathBuf },
}

/// Options of each command.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// Measure another working copy: its components and its schema; writes no document
    #[arg(long, value_name = "DIR")]
    pub(crate) checkout: Option<PathBuf>,
    /// Serve with the spin on PATH rather than the local host
    #[arg(long)]
    spin: bool,
    /// How many rounds each comparison has [default: 9, quick: 5]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// About how long a turn takes [default: 1, quick: 0.4]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// A further setting of the database server, such as fsync=off
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) postgres: Vec<String>,
}

impl Common {
    /// The working copy that is measured.
    pub(crate) fn checkout(&self) -> Result<PathBuf> {
        self.checkout.clone().unwrap_or_else(own_checkout).canonicalize().context("the checkout")
    }

    pub(crate) fn is_on_spin(&self) -> bool {
        self.spin || std::env::var("TALLY_HOST").is_ok_and(|host| host == "spin")
    }

    pub(crate) fn pace(&self, is_quick: bool) -> Pace {
        let (rounds, seconds) = if is_quick { (5, 0.4) } else { (9, 1.0) };
        Pace { rounds: self.rounds.unwrap_or(rounds), seconds: self.seconds.unwrap_or(seconds) }
    }
}

/// Serves if that is what the process is for, or else measures.
pub(crate) fn run(verb: Option<Verb>, bench: impl Future<Output = Result<()>>) -> ExitCode {
    let outcome = tokio::runtime::Runtime::new().context("cannot start").and_then(|runtime| {
        runtime.block_on(async {
            match verb {
                Some(Verb::Serve { manifest }) => serve(manifest).await,
                None => bench.await,
            }
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints what was measured.
#[expect(clippy::print_stdout, reason = "the command's result")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}
