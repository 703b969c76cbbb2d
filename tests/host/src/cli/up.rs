//! `tally up`: everything, with one command.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

use super::db::{Database, keep_running};
use super::place::Place;
use super::stop::Stop;
use super::{DbArgs, UpArgs, demo};
use crate::builder;
use crate::database::Cluster;
use crate::dev::Dev;
use crate::progress::say;
use crate::roles::variables;
use crate::spin::manifest::Manifest;
use crate::spin::{self, Environment, GuestOutput, HostOptions, ReuseLimits, RunningHost};

/// What was started, to be stopped in turn.
#[derive(Default)]
struct Running {
    cluster: Option<Cluster>,
    host: Option<RunningHost>,
}

/// Runs until asked to stop.
pub(super) async fn run(place: &Place, args: &UpArgs) -> Result<()> {
    let mut stop = Stop::listen()?;
    let mut running = Running::default();
    let outcome = tokio::select! {
        outcome = running.start(place, args) => outcome.map(|()| true),
        () = stop.wait() => Ok(false),
    };
    let outcome = match outcome {
        Ok(true) => keep_running(&mut running.cluster, &mut stop).await,
        outcome => outcome.map(drop),
    };
    running.stop().await?;
    outcome
}

impl Running {
    async fn start(&mut self, place: &Place, args: &UpArgs) -> Result<()> {
        check_free(args.listen)?;
        let manifest = place.manifest()?;
        builder::build(&[&Manifest::load(manifest)?]).await?;
        let database = self.start_database(place, &args.database).await?;
        let host = spin::start(HostOptions {
            manifest: manifest.to_owned(),
            listen: args.listen,
            variables: variables(&database.url, &database.secrets)?,
            environment: Environment::default(),
            cache_dir: place.target_dir()?.join("wasmtime-cache"),
            guest_output: GuestOutput::Inherit,
            reuse: ReuseLimits::default(),
        })
        .await?;
        let mut dev = database.dev(format!("http://{}", reachable(host.address())));
        self.host = Some(host);
        dev.tenant = Dev::read(place.data_dir()).and_then(|known| known.tenant);
        dev.write(place.data_dir())?;
        demo::load(place, &mut dev).await?;
        say_what_next(place, &dev);
        Ok(())
    }

    async fn start_database(&mut self, place: &Place, args: &DbArgs) -> Result<Database> {
        say("database: starting");
        Database::start(place, args, &mut self.cluster).await
    }

    /// The host first: requests under way still need the database.
    async fn stop(self) -> Result<()> {
        if self.host.is_some() || self.cluster.is_some() {
            say("stopping");
        }
        if let Some(host) = self.host {
            host.shutdown().await;
        }
        match self.cluster {
            Some(mut cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}

/// Looks before the long steps whether the address can be had.
fn check_free(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address);
    listener.map(drop).with_context(|| format!("cannot serve on {address}; choose another with --listen"))
}

/// Where a client on this machine reaches what listens there.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
}

fn say_what_next(place: &Place, dev: &Dev) {
    let (url, command) = (&dev.base_url, place.command());
    let dev_json = place.data_dir().join(crate::dev::FILE);
    say(format!("serving {url}; Ctrl-C stops everything. Try in another terminal:

  # what can be measured
  curl -s {url}/v1/metrics -H \"authorization: Bearer $({command} dev access_token)\"

  # what the demo shop earned by month, in its own time zone
  curl -s {url}/v1/query -H \"authorization: Bearer $({command} dev access_token)\" -H 'content-type: application/json' \\
    -d '{{\"metrics\": [\"revenue\", \"orders\"], \"from\": \"1997-01-01\", \"to\": \"1998-07-01\", \"granularity\": \"month\"}}'

  # send an event, with the shop's API key
  curl -s {url}/v1/events -H \"authorization: Bearer $({command} dev api_key)\" -H 'content-type: application/json' \\
    -d '{{\"id\": \"order-1\", \"metric\": \"revenue\", \"value\": \"129.90\", \"currency\": \"USD\", \"recorded_at\": \"{}\", \"source\": \"curl\"}}'

  # look into the database
  psql \"$({command} dev database_url)\"

All keys and secrets of this bundle: {}
", jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"), dev_json.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_before_the_long_steps() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let error = format!("{:#}", check_free(address).unwrap_err());
        assert!(error.contains("--listen"), "{error}");
    }

    #[test]
    fn what_listens_everywhere_is_reached_here() {
        assert_eq!(reachable(([0, 0, 0, 0], 3000).into()), ([127, 0, 0, 1], 3000).into());
        assert_eq!(reachable(([10, 0, 0, 1], 3000).into()), ([10, 0, 0, 1], 3000).into());
    }
}
