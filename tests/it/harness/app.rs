//! An application that serves: on the local host, or on a real Spin.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
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

/// An application that serves until it is dropped.
pub(crate) struct App {
    /// The start of every URL, without a trailing slash.
    pub(crate) base_url: String,
    /// A client whose every call ends in time.
    pub(crate) client: Client,
    server: Server,
}

enum Server {
    Local { _host: RunningHost, output: Capture },
    Spin { _spin: Watched, folder: TempDir },
}

/// Whether the tests run on a real Spin.
pub(crate) fn on_spin() -> bool {
    env::var("TALLY_HOST").is_ok_and(|host| host == "spin")
}

/// Serves a manifest with these variables, as `TALLY_HOST` says.
pub(crate) async fn start_app(manifest: &Path, variables: &BTreeMap<String, String>) -> Result<App> {
    let client = Client::builder().timeout(HTTP_LIMIT).connect_timeout(HTTP_LIMIT).build()?;
    if on_spin() {
        return start_spin(manifest, variables, client).await;
    }
    let output = Capture::default();
    let host = spin::start(HostOptions {
        manifest: manifest.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        variables: variables.clone(),
        environment: Environment::default(),
        cache_dir: repository().join("target/wasmtime-cache"),
        guest_output: GuestOutput::Capture(output.clone()),
        reuse: ReuseLimits::default(),
    })
    .await?;
    Ok(App { base_url: host.base_url(), client, server: Server::Local { _host: host, output } })
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
}

fn spin_log(folder: &TempDir) -> PathBuf {
    folder.path().join("spin.log")
}

async fn start_spin(manifest: &Path, variables: &BTreeMap<String, String>, client: Client) -> Result<App> {
    let folder = tempfile::tempdir()?;
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let environment = variables
        .iter()
        .map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()).into(), value.into()))
        .collect();
    let mut arguments: Vec<std::ffi::OsString> = vec!["up".into(), "-f".into(), std::path::absolute(manifest)?.into()];
    arguments.extend(["--listen".into(), address.to_string().into()]);
    arguments.extend(["--state-dir".into(), folder.path().join("state").into()]);
    arguments.extend(["--log-dir".into(), folder.path().join("log").into()]);
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
    Ok(App { base_url: format!("http://{address}"), client, server: Server::Spin { _spin: spin, folder } })
}
