//! A host in a process of its own: a real Spin, or the local one.

use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tally_host::process::{Watched, WatchedCommand, find_on_path, log_tail};
use tally_host::spin::ReuseLimits;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::app::{Setting, on_spin};

const START_LIMIT: Duration = Duration::from_secs(120);
/// Built with the tests.
const SERVE: &str = env!("CARGO_BIN_EXE_serve");
/// What it says before its address.
const SERVING: &str = "tally: serving ";

/// A host that serves, and ends with this value.
pub(super) struct HostProcess {
    pub(super) address: SocketAddr,
    setting: Setting,
    process: Watched,
    folder: TempDir,
}

impl HostProcess {
    /// Serves with what `TALLY_HOST` says; only Spin knows other limits than its own.
    pub(super) async fn start(setting: Setting) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let manifest = std::path::absolute(&setting.manifest)?;
        // The local one takes a free port by itself, and says which.
        let known = on_spin().then(free_address).transpose()?;
        let (program, arguments) = match known {
            Some(address) => {
                let program = find_on_path("spin").context("TALLY_HOST=spin, and there is no spin on PATH")?;
                let mut arguments: Vec<OsString> = vec!["up".into(), "-f".into(), manifest.into()];
                arguments.extend(["--listen".into(), address.to_string().into()]);
                arguments.extend(["--state-dir".into(), folder.path().join("state").into()]);
                arguments.extend(["--log-dir".into(), folder.path().join("log").into()]);
                arguments.extend(reuse_arguments(&setting.reuse).into_iter().map(Into::into));
                (program, arguments)
            }
            None => (SERVE.into(), vec![manifest.into()]),
        };
        let environment = setting
            .variables
            .iter()
            .map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()).into(), value.into()))
            .collect();
        let log = log_file(&folder);
        let process = Watched::spawn(&WatchedCommand {
            program,
            arguments,
            environment,
            log: log.clone(),
            // The watcher, a shell, starts what it watches with SIGINT ignored. Spin handles it all the same.
            stop_signal: if known.is_some() { "INT" } else { "TERM" },
            remove: None,
            account: None,
        })?;
        let deadline = Instant::now() + START_LIMIT;
        let address = loop {
            match known.or_else(|| told(&read(&log))) {
                Some(address) if TcpStream::connect(address).await.is_ok() => break address,
                _ if process.has_ended() || Instant::now() >= deadline => {
                    bail!("the host did not start:\n{}", log_tail(&log))
                }
                _ => tokio::time::sleep(Duration::from_millis(30)).await,
            }
        };
        Ok(Self { address, setting, process, folder })
    }

    /// Kills it at once, as a crash would.
    pub(super) async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts the same anew, at another address.
    pub(super) async fn again(&self) -> Result<Self> {
        Self::start(self.setting.clone()).await
    }

    /// What it and the components have written so far, line by line.
    pub(super) fn log(&self) -> Vec<String> {
        read(&log_file(&self.folder)).lines().map(str::to_owned).collect()
    }
}

fn log_file(folder: &TempDir) -> PathBuf {
    folder.path().join("host.log")
}

fn read(log: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// The address in the line of the log that tells it.
fn told(log: &str) -> Option<SocketAddr> {
    log.split_inclusive('\n').find_map(|line| line.strip_prefix(SERVING)?.strip_suffix('\n')?.parse().ok())
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
