//! `serve MANIFEST`: the local host as a process of its own, for tests that kill it.

use std::env;

use anyhow::{Context as _, Result};
use tally_host::server_process::serve;

#[tokio::main]
async fn main() -> Result<()> {
    serve(env::args_os().nth(1).context("which manifest?")?.into()).await
}
