//! An application that serves: on the local host, or on a real Spin.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::Client;
use tally_host::server_process::{self, ServerOptions, ServerProcess};
use tally_host::spin::{self, Capture, Environment, GuestOutput, HostOptions, ReuseLimits, RunningHost};

use super::repository;

const HTTP_LIMIT: Duration = Duration::from_secs(60);
/// Built with the tests.
const SERVE: &str = env!("CARGO_BIN_EXE_serve");

/// What is to be served, and how.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The `spin.toml`.
    pub(crate) manifest: PathBuf,
    /// Values of application variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// How long instances live.
    pub(crate) reuse: ReuseLimits,
    /// Where the local host looks for further values; a real Spin is not told.
    pub(crate) environment: Environment,
}

impl Setting {
    /// A manifest with these variables, and nothing else out of the ordinary.
    pub(crate) fn new(manifest: PathBuf, variables: BTreeMap<String, String>) -> Self {
        Self { manifest, variables, reuse: ReuseLimits::default(), environment: Environment::default() }
    }
}

/// An application that serves until it is dropped.
pub(crate) struct App {
    /// The start of every URL, without a trailing slash.
    pub(crate) base_url: String,
    /// A client whose every call ends in time.
    pub(crate) client: Client,
    server: Server,
}

enum Server {
    Local { host: RunningHost, output: Capture },
    Apart(Box<ServerProcess>, ServerOptions),
}

/// Whether the tests run on a real Spin.
pub(crate) fn on_spin() -> bool {
    env::var("TALLY_HOST").is_ok_and(|host| host == "spin")
}

/// Serves as `TALLY_HOST` says.
pub(crate) async fn start(setting: Setting) -> Result<App> {
    if on_spin() { start_apart(setting).await } else { start_local(setting).await }
}

/// Serves in a process of its own, which can be killed.
pub(crate) async fn start_apart(setting: Setting) -> Result<App> {
    let server =
        if on_spin() { server_process::Server::Spin } else { server_process::Server::Local(SERVE.into(), Vec::new()) };
    let Setting { manifest, variables, reuse, .. } = setting;
    let options = ServerOptions { server, manifest, variables, reuse };
    let process = ServerProcess::start(&options).await?;
    Ok(App { base_url: process.base_url(), client: client()?, server: Server::Apart(Box::new(process), options) })
}

/// Serves on the local host, whatever `TALLY_HOST` says.
pub(crate) async fn start_local(setting: Setting) -> Result<App> {
    let output = Capture::default();
    let host = spin::start(HostOptions {
        manifest: setting.manifest,
        listen: ([127, 0, 0, 1], 0).into(),
        variables: setting.variables,
        environment: setting.environment,
        cache_dir: repository().join("target/wasmtime-cache"),
        guest_output: GuestOutput::Capture(output.clone()),
        reuse: setting.reuse,
    })
    .await?;
    Ok(App { base_url: host.base_url(), client: client()?, server: Server::Local { host, output } })
}

impl App {
    /// What the components have written so far, line by line.
    pub(crate) fn guest_log(&self) -> Vec<String> {
        match &self.server {
            Server::Local { output, .. } => output.lines(),
            Server::Apart(process, _) => process.log().lines().map(str::to_owned).collect(),
        }
    }

    /// Shuts the local host down, for tests of how it does, and gives all that the components wrote.
    pub(crate) async fn shutdown(self) -> Result<Capture> {
        match self.server {
            Server::Local { host, output } => {
                host.shutdown().await;
                Ok(output)
            }
            Server::Apart(..) => bail!("no test asks how a real Spin shuts down"),
        }
    }

    /// Kills the process that serves at once, as a crash would; [`App::restart`] brings it back.
    pub(crate) async fn kill(&self) -> Result<()> {
        match &self.server {
            Server::Apart(process, _) => process.kill().await,
            Server::Local { .. } => bail!("it serves in this process"),
        }
    }

    /// Serves anew what was killed, at another address.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        let options = match &self.server {
            Server::Apart(_, options) => options.clone(),
            Server::Local { .. } => bail!("it serves in this process"),
        };
        let process = ServerProcess::start(&options).await?;
        self.base_url = process.base_url();
        self.server = Server::Apart(Box::new(process), options);
        Ok(())
    }
}

fn client() -> Result<Client> {
    Ok(Client::builder().timeout(HTTP_LIMIT).connect_timeout(HTTP_LIMIT).build()?)
}
