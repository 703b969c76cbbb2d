//! `serve MANIFEST`: the local host as a process of its own, for tests that kill it. The bundle's variables are in the
//! environment, named as Spin takes them.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tally_host::progress::say;
use tally_host::spin::{self, Environment, GuestOutput, HostOptions, ReuseLimits};

#[tokio::main]
async fn main() -> Result<()> {
    let manifest = PathBuf::from(env::args_os().nth(1).context("which manifest?")?);
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
