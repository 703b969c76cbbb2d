//! `tally db`: the database alone, for a real Spin. And the database part of `up`.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context as _, Result};

use super::place::Place;
use super::stop::Stop;
use super::{DbArgs, print, report_migration};
use crate::database::{Cluster, ClusterOptions, make_data_dir};
use crate::dev::{self, Dev};
use crate::migrate::migrate;
use crate::progress::say;
use crate::roles::{LOCAL_AUDIENCE, LOCAL_ISSUER, check, set_role_passwords, variables};
use crate::secrets::{self, Secrets};

const DATABASE: &str = "tally";

/// A migrated database with passwords for the functions.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) url: String,
    pub(super) secrets: Secrets,
}

impl Database {
    /// Starts the private cluster, into `cluster` so that the caller can stop it whatever happens here, or takes the
    /// database that the arguments name; then migrates it.
    pub(super) async fn start(place: &Place, args: &DbArgs, cluster: &mut Option<Cluster>) -> Result<Self> {
        if args.fresh {
            remove_all(place)?;
        }
        make_data_dir(place.data_dir())?;
        let secrets = Secrets::of(place.data_dir())?;
        check(&secrets).with_context(|| place.data_dir().join(secrets::FILE).display().to_string())?;
        let url = match &args.database_url {
            Some(url) => url.clone(),
            None => start_cluster(place, cluster).await?,
        };
        report_migration(&migrate(&url).await?);
        set_role_passwords(&url, &secrets).await?;
        Ok(Self { url, secrets })
    }

    /// What `dev.json` holds, as far as the database decides it.
    pub(super) fn dev(&self, base_url: String) -> Dev {
        Dev {
            base_url,
            database_url: self.url.clone(),
            webhook_secret: self.secrets.webhook_secret.clone(),
            jwt_secret: self.secrets.jwt_secret.clone(),
            jwt_issuer: LOCAL_ISSUER.to_owned(),
            jwt_audience: LOCAL_AUDIENCE.to_owned(),
            tenant: None,
        }
    }
}

/// Runs until asked to stop.
pub(super) async fn run(place: &Place, args: &DbArgs) -> Result<()> {
    let mut stop = Stop::listen()?;
    let mut cluster = None;
    let outcome = tokio::select! {
        outcome = prepare(place, args, &mut cluster) => outcome.map(|()| true),
        () = stop.wait() => Ok(false),
    };
    let outcome = match outcome {
        Ok(true) => keep_running(&mut cluster, &mut stop).await,
        outcome => outcome.map(drop),
    };
    if let Some(mut cluster) = cluster {
        say("stopping");
        cluster.stop().await?;
    }
    outcome
}

/// Until asked to stop; a private server that ends meanwhile is started again, on the same port.
pub(super) async fn keep_running(cluster: &mut Option<Cluster>, stop: &mut Stop) -> Result<()> {
    loop {
        let ended = async {
            match &cluster {
                Some(cluster) => cluster.wait_ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.wait() => return Ok(()),
            () = ended => say("database: the server ended; starting it again"),
        }
        if let Some(cluster) = cluster {
            cluster.restart().await.context("the database ended")?;
        }
    }
}

async fn prepare(place: &Place, args: &DbArgs, cluster: &mut Option<Cluster>) -> Result<()> {
    let database = Database::start(place, args, cluster).await?;
    let mut dev = database.dev("http://127.0.0.1:3000".to_owned());
    dev.tenant = Dev::read(place.data_dir()).and_then(|known| known.tenant);
    dev.write(place.data_dir())?;
    for (name, value) in variables(&database.url, &database.secrets)? {
        print(&export(&name, &value));
    }
    let command = place.command();
    say(format!(
        "with these variables `spin up` serves the bundle; then `{command} demo` loads the demo tenant. Ctrl-C ends"
    ));
    Ok(())
}

async fn start_cluster(place: &Place, cluster: &mut Option<Cluster>) -> Result<String> {
    let started = Cluster::start(ClusterOptions::Kept(place.data_dir().to_owned())).await.context("the database")?;
    let (binaries, port) = (started.binaries(), started.port());
    say(format!("database: Postgres {} on 127.0.0.1:{port}", binaries.major));
    if started.is_shared() {
        say("database: it belongs to another tally, and ends with that one");
    }
    let started = cluster.insert(started);
    if !started.has_database(DATABASE).await? {
        started.create_database(DATABASE).await?;
    }
    Ok(started.database_url(DATABASE))
}

/// Removes what these commands made, and nothing else: the data directory may be anybody's.
fn remove_all(place: &Place) -> Result<()> {
    Cluster::remove(place.data_dir())?;
    for file in [dev::FILE, secrets::FILE] {
        match fs::remove_file(place.data_dir().join(file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn export(name: &str, value: &str) -> String {
    format!("export SPIN_VARIABLE_{}='{}'", name.to_ascii_uppercase(), value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_survive_the_shell() {
        assert_eq!(export("jwt_secret", "it's"), r"export SPIN_VARIABLE_JWT_SECRET='it'\''s'");
    }
}
