//! An application that serves: on the local host, or on a real Spin.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::Client;
use tally_host::process::{Watched, WatchedCommand, find_on_path, log_tail};
use tally_host::spin::{self, Capture, Environment, GuestOutput, HostOptions, ReuseLimits, RunningHost};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::repository;

const HTTP_LIMIT: Duration = Duration::from_secs(60);
const START_LIMIT: Duration = Duration::from_secs(120);

/// What is to be served, and how.
#[derive(Debug)]
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
    Spin { _spin: Watched, folder: TempDir },
}

/// Whether the tests run on a real Spin.
pub(crate) fn on_spin() -> bool {
    env::var("TALLY_HOST").is_ok_and(|host| host == "spin")
}

/// Serves as `TALLY_HOST` says.
pub(crate) async fn start(setting: Setting) -> Result<App> {
    if on_spin() { start_spin(&setting).await } else { start_local(setting).await }
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
            Server::Spin { folder, .. } => {
                let text = fs::read(spin_log(folder)).unwrap_or_default();
                String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
            }
        }
    }

    /// Shuts the local host down, for tests of how it does, and gives all that the components wrote.
    pub(crate) async fn shutdown(self) -> Result<Capture> {
        match self.server {
            Server::Local { host, output } => {
                host.shutdown().await;
                Ok(output)
            }
            Server::Spin { .. } => bail!("no test asks how a real Spin shuts down"),
        }
    }
}

fn client() -> Result<Client> {
    Ok(Client::builder().timeout(HTTP_LIMIT).connect_timeout(HTTP_LIMIT).build()?)
}

fn spin_log(folder: &TempDir) -> PathBuf {
    folder.path().join("spin.log")
}

async fn start_spin(setting: &Setting) -> Result<App> {
    let folder = tempfile::tempdir()?;
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let environment = setting
        .variables
        .iter()
        .map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()).into(), value.into()))
        .collect();
    let manifest = std::path::absolute(&setting.manifest)?;
    let mut arguments: Vec<OsString> = vec!["up".into(), "-f".into(), manifest.into()];
    arguments.extend(["--listen".into(), address.to_string().into()]);
    arguments.extend(["--state-dir".into(), folder.path().join("state").into()]);
    arguments.extend(["--log-dir".into(), folder.path().join("log").into()]);
    arguments.extend(reuse_arguments(&setting.reuse).into_iter().map(Into::into));
    let spin = Watched::spawn(&WatchedCommand {
        program: find_on_path("spin").context("TALLY_HOST=spin, and there is no spin on PATH")?,
        arguments,
        environment,
        log: spin_log(&folder),
        stop_signal: "INT",
        remove: None,
        account: None,
    })?;
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(address).await.is_err() {
        if spin.has_ended() || Instant::now() >= deadline {
            bail!("spin did not start:\n{}", log_tail(&spin_log(&folder)));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Ok(App { base_url: format!("http://{address}"), client: client()?, server: Server::Spin { _spin: spin, folder } })
}

/// The flags for the limits that are not Spin's own, which it keeps without being told.
fn reuse_arguments(reuse: &ReuseLimits) -> Vec<String> {
    let usual = ReuseLimits::default();
    let mut arguments = Vec::new();
    if reuse.requests != usual.requests {
        arguments.push(format!("--max-instance-reuse-count={}", reuse.requests));
    }
    if reuse.concurrent_requests != usual.concurrent_requests {
        arguments.push(format!("--max-instance-concurrent-reuse-count={}", reuse.concurrent_requests));
    }
    if reuse.idle_timeout != usual.idle_timeout {
        arguments.push(format!("--idle-instance-timeout={}ms", reuse.idle_timeout.as_millis()));
    }
    arguments
}
