//! The command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tally_host::progress::say;

use crate::command::{self, Common, Verb};
use crate::ground::{Arena, Ground, Subject};
use crate::rounds::Pace;
use crate::sections::{growth, memory, sizes, throughput};
use crate::{machine, preload, report};

/// How many clients send side by side where their number is not what is measured.
const CLIENTS: usize = 4;

/// Measures ingestion, and writes what it found into docs/BENCHMARKS.md.
#[derive(Debug, Parser)]
#[command(name = "bench-ingest", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Two minutes instead of many: fewer and shorter rounds, without `growth`; writes no document
    #[arg(long)]
    quick: bool,
    /// Measure only these; writes no document
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// How many clients send side by side in `compare`
    #[arg(long, value_delimiter = ',', value_name = "N", default_values_t = [1, 4, 8])]
    clients: Vec<usize>,
    /// The sizes of the tables in `growth`, millions of events
    #[arg(long, value_delimiter = ',', value_name = "N", default_values_t = [1.0, 20.0])]
    rows: Vec<f64>,
    /// How many organizations share the stores
    #[arg(long, value_name = "N", default_value_t = 1)]
    organizations: usize,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Batches of 1,000 against COPY and single inserts
    Compare,
    /// The same events again
    Repeat,
    /// Batches of other sizes
    Sizes,
    /// The linear memory of an instance
    Memory,
    /// The cost of a row in tables of different sizes
    Growth,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let Cli { options, verb } = Cli::parse();
    command::run(verb, bench(options))
}

impl Options {
    fn measures(&self, part: Part) -> bool {
        if self.only.is_empty() { !(self.quick && part == Part::Growth) } else { self.only.contains(&part) }
    }

    fn pace(&self) -> Pace {
        self.common.pace(self.quick)
    }

    /// Rows that are there before the first comparison.
    fn preloaded(&self) -> usize {
        if self.quick { 100_000 } else { 1_000_000 }
    }

    /// A part of it, or another's numbers, are no benchmark of this repository.
    fn is_whole(&self) -> bool {
        !self.quick && self.only.is_empty() && self.common.checkout.is_none()
    }
}

async fn bench(options: Options) -> Result<()> {
    let (checkout, on_spin) = (options.common.checkout()?, options.common.is_on_spin());
    let subject = Subject {
        checkout: checkout.clone(),
        on_spin,
        settings: options.common.postgres.clone(),
        organizations: options.organizations,
    };
    say("building the components, starting the database");
    let ground = Ground::prepare(subject).await?;
    let mut sections = vec![machine::describe(&ground, &ground.version().await?)];
    on_one_table(&options, &ground, &mut sections).await?;
    if options.measures(Part::Memory) {
        sections.push(if on_spin {
            "### Memory\n\nNot measured: Spin does not tell what an instance has.".to_owned()
        } else {
            memory::measure(&ground).await?
        });
    }
    if options.measures(Part::Growth) {
        sections.push(growth::measure(&ground, &options.rows, CLIENTS, options.pace()).await?);
    }
    let text = sections.join("\n\n");
    command::print(&text);
    if options.is_whole() {
        let file = checkout.join("docs/BENCHMARKS.md");
        report::write(&file, "bench-ingest", &text)?;
        say(format!("written to {}", file.display()));
    }
    Ok(())
}

/// The parts that are measured on one table of middling size.
async fn on_one_table(options: &Options, ground: &Ground, sections: &mut Vec<String>) -> Result<()> {
    if ![Part::Compare, Part::Repeat, Part::Sizes].into_iter().any(|part| options.measures(part)) {
        return Ok(());
    }
    let arena = ground.arena("bench").await?;
    let outcome = async {
        preload::load(&arena, options.preloaded()).await?;
        preload::make_plain_tables(&arena).await?;
        measure_on(&arena, options, sections).await
    }
    .await;
    arena.close().await?;
    ground.drop_database("bench").await?;
    outcome
}

async fn measure_on(arena: &Arena, options: &Options, sections: &mut Vec<String>) -> Result<()> {
    let pace = options.pace();
    if options.measures(Part::Compare) {
        sections.push(throughput::compare(arena, &options.clients, pace).await?);
    }
    if options.measures(Part::Sizes) {
        sections.push(sizes::measure(arena, CLIENTS, pace).await?);
    }
    if options.measures(Part::Repeat) {
        sections.push(throughput::repeat(arena, CLIENTS, pace).await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
