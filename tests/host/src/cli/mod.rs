//! The command line: what each verb does stands in its own module.

mod db;
mod demo;
mod place;
mod stop;
mod up;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::builder;
use crate::dev::Dev;
use crate::migrate::migrate;
use crate::progress::say;
use crate::spin::manifest::Manifest;
use place::Place;

/// Runs Tallyhouse on this machine.
#[derive(Debug, Parser)]
#[command(name = "tally", version)]
struct Cli {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
struct PlaceArgs {
    /// The bundle's spin.toml [default: the nearest one, upward from here]
    #[arg(long, short = 'f', global = true, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where the database, secrets and dev.json are kept [default: .tally beside the manifest]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Builds and serves everything: components, a private Postgres, a demo tenant with data
    Up(UpArgs),
    /// Starts and migrates the private Postgres alone, and prints the variables that `spin up` needs
    Db(DbArgs),
    /// Loads the demo tenant through a server that runs, and completes dev.json
    Demo {
        /// Where the functions answer
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
        base_url: String,
    },
    /// Brings a database to the schema of this version
    Migrate {
        /// The database, as a role that may create roles and schemas
        #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
    },
    /// Builds the components
    Build,
    /// Lints the components, and the tests' own, on their target
    Clippy,
    /// Prints one value of dev.json
    Dev {
        /// Such as `access_token`, `api_key` or `base_url`
        key: String,
    },
}

#[derive(Debug, Args)]
struct UpArgs {
    /// Where to serve
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000", value_parser = parse_address)]
    listen: SocketAddr,
    #[command(flatten)]
    database: DbArgs,
}

#[derive(Debug, Args)]
struct DbArgs {
    /// Begin with an empty database and new secrets
    #[arg(long, conflicts_with = "database_url")]
    fresh: bool,
    /// Use this database rather than a private one; gives the functions' roles passwords of its own
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

fn parse_address(text: &str) -> Result<SocketAddr> {
    let addresses = text.to_socket_addrs().context("not an address such as 127.0.0.1:3000")?;
    addresses.into_iter().next().context("no such address")
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(cli));
    // A step that cannot be interrupted, such as installing packages, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let place = Place::find(cli.place)?;
    match cli.verb {
        Verb::Up(args) => up::run(&place, &args).await,
        Verb::Db(args) => db::run(&place, &args).await,
        Verb::Demo { base_url } => demo::run(&place, base_url).await,
        Verb::Migrate { database_url } => {
            report_migration(&migrate(&database_url).await?);
            Ok(())
        }
        Verb::Build => builder::build(&[&Manifest::load(place.manifest()?)?]).await,
        Verb::Clippy => clippy(&place).await,
        Verb::Dev { key } => {
            let dev = Dev::read(place.data_dir())
                .with_context(|| format!("there is no dev.json in {}: `up` writes it", place.data_dir().display()))?;
            print(&dev.value(&key)?);
            Ok(())
        }
    }
}

async fn clippy(place: &Place) -> Result<()> {
    let manifest = place.manifest()?;
    let mut manifests = vec![Manifest::load(manifest)?];
    let probe = manifest.with_file_name("tests/host/probe/spin.toml");
    if probe.is_file() {
        manifests.push(Manifest::load(&probe)?);
    }
    builder::clippy(&manifests.iter().collect::<Vec<_>>()).await
}

fn report_migration(report: &crate::migrate::Report) {
    match report.applied.as_slice() {
        [] => say(format!("migrate: up to date ({} migrations, {} functions)", report.migrations, report.functions)),
        applied => say(format!("migrate: applied {}, and {} functions", applied.join(", "), report.functions)),
    }
}

/// Prints a line for other programs to read.
#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn addresses_may_be_names() {
        assert_eq!(parse_address("127.0.0.1:3000").unwrap(), ([127, 0, 0, 1], 3000).into());
        assert_eq!(parse_address("localhost:0").unwrap().port(), 0);
        assert!(parse_address("3000").is_err());
    }

    #[test]
    fn a_fresh_database_is_a_private_one() {
        let arguments = ["tally", "up", "--fresh", "--database-url", "postgres://x/y"];
        assert!(Cli::try_parse_from(arguments).is_err());
    }
}
