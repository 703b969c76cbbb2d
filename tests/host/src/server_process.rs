//! A host in a process of its own: a real Spin, or the local one. And what such a process of the local one does.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process::{Watched, WatchedCommand, find_on_path, log_tail};
use crate::progress::say;
use crate::spin::{self, Environment, GuestOutput, HostOptions, ReuseLimits};

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// What the local one says before its address.
const SERVING: &str = "tally: serving ";

/// Who is to serve.
#[derive(Debug, Clone)]
pub enum Server {
    /// The `spin` found on PATH.
    Spin,
    /// A program that calls [`serve`] when it is given these arguments and then the manifest. It knows no other limits of
    /// instances than the usual ones.
    Local(PathBuf, Vec<OsString>),
}

/// What is to be served, and how.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Who is to serve.
    pub server: Server,
    /// The `spin.toml`.
    pub manifest: PathBuf,
    /// Values of application variables.
    pub variables: BTreeMap<String, String>,
    /// How long instances live.
    pub reuse: ReuseLimits,
}

/// A host that serves, and ends with this value.
#[derive(Debug)]
pub struct ServerProcess {
    address: SocketAddr,
    process: Watched,
    folder: TempDir,
}

impl ServerProcess {
    /// Starts one; it answers by then.
    pub async fn start(options: &ServerOptions) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let manifest = std::path::absolute(&options.manifest)?;
        // The local one takes a free port by itself, and says which.
        let mut known = None;
        let (program, arguments) = match &options.server {
            Server::Spin => {
                let program = find_on_path("spin").context("there is no spin on PATH")?;
                let mut arguments: Vec<OsString> = vec!["up".into(), "-f".into(), manifest.into()];
                arguments.extend(["--listen".into(), known.insert(free_address()?).to_string().into()]);
                arguments.extend(["--state-dir".into(), folder.path().join("state").into()]);
                arguments.extend(["--log-dir".into(), folder.path().join("log").into()]);
                arguments.extend(reuse_arguments(&options.reuse).into_iter().map(Into::into));
                (program, arguments)
            }
            Server::Local(program, arguments) => {
                (program.clone(), arguments.iter().cloned().chain([manifest.into()]).collect())
            }
        };
        let variable = |(name, value): (&String, &String)| {
            (format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()).into(), value.into())
        };
        let process = Watched::spawn(&WatchedCommand {
            program,
            arguments,
            environment: options.variables.iter().map(variable).collect(),
            log: log_file(&folder),
            // The watcher, a shell, starts what it watches with SIGINT ignored. Spin handles it all the same.
            stop_signal: if known.is_some() { "INT" } else { "TERM" },
            remove: None,
            account: None,
        })?;
        let address = wait_ready(&process, known, &log_file(&folder)).await?;
        Ok(Self { address, process, folder })
    }

    /// The start of every URL it serves, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A process of which it is a descendant.
    pub fn ancestor_id(&self) -> Option<u32> {
        self.process.watcher_id()
    }

    /// What it and the components have written so far.
    pub fn log(&self) -> String {
        read(&log_file(&self.folder))
    }

    /// Kills it at once, as a crash would.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill().await
    }

    /// Stops it, and waits until it is gone.
    pub async fn stop(self) -> Result<()> {
        self.process.stop(STOP_LIMIT).await
    }
}

/// Serves a manifest with the local host until it is killed. The bundle's variables are in the environment, named as Spin
/// takes them.
pub async fn serve(manifest: PathBuf) -> Result<()> {
    let host = spin::start(HostOptions {
        cache_dir: manifest.parent().unwrap_or(Path::new(".")).join("target/wasmtime-cache"),
        manifest,
        listen: ([127, 0, 0, 1], 0).into(),
        variables: BTreeMap::new(),
        environment: Environment { variables: env::vars().collect(), file: None },
        guest_output: GuestOutput::Inherit,
        reuse: ReuseLimits::default(),
    })
    .await?;
    // Read by who started it.
    say(format!("serving {}", host.address()));
    std::future::pending().await
}

async fn wait_ready(process: &Watched, known: Option<SocketAddr>, log: &Path) -> Result<SocketAddr> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match known.or_else(|| told(&read(log))) {
            Some(address) if TcpStream::connect(address).await.is_ok() => return Ok(address),
            _ if process.has_ended() || Instant::now() >= deadline => {
                bail!("the host did not start:\n{}", log_tail(log))
            }
            _ => tokio::time::sleep(Duration::from_millis(30)).await,
        }
    }
}

fn log_file(folder: &TempDir) -> PathBuf {
    folder.path().join("host.log")
}

fn read(log: &Path) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_once_its_line_is_whole() {
        assert_eq!(told("x\ntally: serving 127.0.0.1:80"), None);
        assert_eq!(told("x\ntally: serving 127.0.0.1:80\ny\n"), Some(([127, 0, 0, 1], 80).into()));
    }

    #[test]
    fn spin_is_told_only_of_limits_that_are_not_its_own() {
        assert!(reuse_arguments(&ReuseLimits::default()).is_empty());
        let reuse = ReuseLimits { requests: 1, idle_timeout: Duration::from_secs(2), ..ReuseLimits::default() };
        assert_eq!(reuse_arguments(&reuse), ["--max-instance-reuse-count=1", "--idle-instance-timeout=2000ms"]);
    }
}
