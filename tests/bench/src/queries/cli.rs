//! The command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tally_host::progress::say;

use super::place::Place;
use super::sections::sizes::Comparison;
use super::sections::{charts, dashboard, service, sizes};
use crate::command::{self, Common, Verb};
use crate::ground::{Arena, Ground, STORES, Subject};
use crate::rounds::Pace;
use crate::{machine, preload, report};

/// Events of a store that is neither large nor small.
const TYPICAL: usize = 20_000;
/// How many organizations share the stores where their number is not what is measured, and what it is held against.
const ORGANIZATIONS: usize = 10;
const MANY_ORGANIZATIONS: usize = STORES as usize;

/// Measures queries, and writes what it found into docs/BENCHMARKS.md.
#[derive(Debug, Parser)]
#[command(name = "bench-queries", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Minutes instead of half an hour: fewer and shorter rounds, a tenth of the events; writes no document
    #[arg(long)]
    quick: bool,
    /// Measure only these; writes no document
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    only: Vec<Part>,
    /// How many events the largest database has, millions; `growth` holds it against a tenth, which `tenants` is measured on.
    /// Writes no document [default: 20, quick: 2]
    #[arg(long, value_name = "N")]
    events: Option<f64>,
    /// How many clients ask side by side in `http`
    #[arg(long, value_delimiter = ',', value_name = "N", default_values_t = [1, 4, 8])]
    clients: Vec<usize>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Charts against the same from events in SQL
    Charts,
    /// Through HTTP against the bare statement
    Http,
    /// A dashboard of twelve widgets against one
    Dashboard,
    /// In a database with ten times as many events
    Growth,
    /// In a database with a hundred times as many organizations
    Tenants,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let Cli { options, verb } = Cli::parse();
    command::run(verb, bench(options))
}

impl Options {
    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn pace(&self) -> Pace {
        self.common.pace(self.quick)
    }

    /// Events of the largest database.
    fn events(&self) -> usize {
        let millions = self.events.unwrap_or(if self.quick { 2.0 } else { 20.0 });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of events")]
        let events = (millions * 1e6) as usize;
        events
    }

    /// The databases that are needed.
    fn plan(&self) -> Vec<Plan> {
        let (large, small) = (self.events(), self.events() / 10);
        let is_large =
            [Part::Charts, Part::Http, Part::Dashboard, Part::Growth].into_iter().any(|part| self.measures(part));
        let is_small = [Part::Growth, Part::Tenants].into_iter().any(|part| self.measures(part));
        let plans = [
            (is_large, Plan { name: "large", events: large, organizations: ORGANIZATIONS }),
            (is_small, Plan { name: "small", events: small, organizations: ORGANIZATIONS }),
            (self.measures(Part::Tenants), Plan { name: "many", events: small, organizations: MANY_ORGANIZATIONS }),
        ];
        plans.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, plan)| plan).collect()
    }

    /// A part of it, or another's numbers, are no benchmark of this repository.
    fn is_whole(&self) -> bool {
        !self.quick && self.only.is_empty() && self.events.is_none() && self.common.checkout.is_none()
    }
}

/// A database to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    name: &'static str,
    events: usize,
    organizations: usize,
}

/// The stores that are asked about, of each database that there is: a typical one and the largest.
#[derive(Default)]
struct Places<'a> {
    large: Vec<Place<'a>>,
    small: Vec<Place<'a>>,
    many: Vec<Place<'a>>,
}

impl<'a> Places<'a> {
    async fn find(arenas: &'a [(Plan, Arena)]) -> Result<Self> {
        let mut places = Self::default();
        for (plan, arena) in arenas {
            let of = match plan.name {
                "large" => &mut places.large,
                "small" => &mut places.small,
                _ => &mut places.many,
            };
            for wanted in [TYPICAL, plan.events] {
                of.push(Place::find(arena, plan.events, wanted).await?);
            }
        }
        Ok(places)
    }
}

async fn bench(options: Options) -> Result<()> {
    let (checkout, on_spin) = (options.common.checkout()?, options.common.is_on_spin());
    let plans = options.plan();
    preload::check_room(&plans.iter().map(|plan| plan.events).collect::<Vec<_>>())?;
    let (settings, organizations) = (options.common.postgres.clone(), ORGANIZATIONS);
    let subject = Subject { checkout: checkout.clone(), on_spin, settings, organizations };
    say("building the components, starting the database");
    let ground = Ground::prepare(subject).await?;
    let machine = machine::describe(&ground, &ground.version().await?);
    let mut arenas = Vec::new();
    let outcome = async {
        for plan in plans {
            let arena = ground.arena_of(plan.name, plan.organizations).await?;
            let loaded = preload::load(&arena, plan.events).await;
            arenas.push((plan, arena));
            loaded?;
        }
        measure(&options, &ground, &Places::find(&arenas).await?).await
    }
    .await;
    for (_, arena) in arenas {
        arena.close().await?;
    }
    let text = [vec![machine], outcome?].concat().join("\n\n");
    command::print(&text);
    if options.is_whole() {
        let file = checkout.join("docs/BENCHMARKS.md");
        report::write(&file, "bench-queries", &text)?;
        say(format!("written to {}", file.display()));
    }
    Ok(())
}

async fn measure(options: &Options, ground: &Ground, places: &Places<'_>) -> Result<Vec<String>> {
    let pace = options.pace();
    let millions = |events: usize| format!("{} million", events as f64 / 1e6);
    let mut sections = Vec::new();
    if options.measures(Part::Charts) {
        sections.push(charts::compare(&places.large, pace).await?);
    }
    if options.measures(Part::Http) {
        let pgbench = ground.program("pgbench");
        for place in places.large.iter().take(1) {
            sections.push(service::compare(place, pgbench.as_deref(), &options.clients, pace).await?);
        }
    }
    if options.measures(Part::Dashboard) {
        for place in &places.large {
            place.stock().await?;
        }
        sections.push(dashboard::measure(&places.large, pace).await?);
    }
    if options.measures(Part::Growth) {
        let databases = vec![
            (millions(options.events() / 10), places.small.as_slice()),
            (millions(options.events()), places.large.as_slice()),
        ];
        let (title, aim) = ("As the table grows", "The aim: with ten times as many events the time stays within 20 %.");
        sections.push(sizes::compare(&Comparison { title, aim, databases }, pace).await?);
    }
    if options.measures(Part::Tenants) {
        let organizations = |number: usize| format!("{} organizations", report::grouped(number as f64));
        let databases = vec![
            (organizations(ORGANIZATIONS), places.small.as_slice()),
            (organizations(MANY_ORGANIZATIONS), places.many.as_slice()),
        ];
        let (title, aim) =
            ("As tenants come", "The aim: the time does not depend on how many other tenants there are.");
        sections.push(sizes::compare(&Comparison { title, aim, databases }, pace).await?);
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn options(arguments: &[&str]) -> Options {
        Cli::parse_from(["bench-queries"].iter().chain(arguments)).options
    }

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_what_is_measured_is_loaded() {
        let plan = |arguments: &[&str]| {
            options(arguments).plan().iter().map(|plan| (plan.name, plan.events)).collect::<Vec<_>>()
        };
        assert_eq!(plan(&[]), [("large", 20_000_000), ("small", 2_000_000), ("many", 2_000_000)]);
        assert_eq!(plan(&["--quick", "--only", "charts,http"]), [("large", 2_000_000)]);
        assert_eq!(plan(&["--only", "tenants", "--events", "1"]), [("small", 100_000), ("many", 100_000)]);
    }

    #[test]
    fn a_part_is_not_written_down() {
        assert!(options(&[]).is_whole());
        assert!(
            [&["--quick"][..], &["--only", "http"], &["--events", "20"]].iter().all(|some| !options(some).is_whole())
        );
    }
}
