//! The rules of Spin that the functions rely on, asked of a probe component. They hold on the local host and on Spin alike,
//! but for the few where the local host is stricter on purpose: those are asked of it alone.

#![expect(clippy::print_stdout, reason = "a test says why it is skipped")]

mod gate;
mod headers;
mod manifest;
mod outbound_hosts;
mod pool;
mod postgres_errors;
mod postgres_types;
mod reuse;
mod routing;
mod server;
mod tls;
mod traps;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};
use tally_host::spin::{Capture, ReuseLimits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::answer::{Answer, ask};
use crate::harness::{self, App, Setting, on_spin, repository, run};

const PROBE_MANIFEST: &str = "tests/host/probe/spin.toml";
const PROBE_WASM: &str = "target/wasm32-wasip2/release/tally_probe.wasm";

/// Longer than any instance is kept idle.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long to wait for what comes of itself. However slow the machine, this long means that it does not come.
const WAIT_LIMIT: Duration = Duration::from_secs(300);
const WAIT_PAUSE: Duration = Duration::from_millis(20);
/// How often to ask before giving up on an answer that one of the next requests must get.
const TRIES: usize = 100;

/// An application that serves the probe until it is dropped, and the database server of the run. Derefs to its [`App`].
struct Probe {
    app: App,
    database: Url,
}

impl Deref for Probe {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

/// Says why a test is not run on Spin.
fn skipped_on_spin(reason: &str) -> bool {
    if on_spin() {
        println!("skipped on Spin: {reason}");
    }
    on_spin()
}

/// Comes back when `holds` does.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < WAIT_LIMIT, "waited in vain for {what}");
        tokio::time::sleep(WAIT_PAUSE).await;
    }
}

/// Starts the application of `manifest` on whichever host the tests run.
async fn start(manifest: &Path, variables: BTreeMap<String, String>) -> Result<Probe> {
    let database = database().await;
    Ok(Probe { app: harness::start(Setting::new(manifest.to_owned(), variables)).await?, database })
}

/// The probe as its own manifest describes it.
async fn probe_setting(reuse: ReuseLimits) -> Setting {
    Setting { reuse, ..Setting::new(repository().join(PROBE_MANIFEST), probe_variables().await) }
}

/// Starts the probe.
async fn start_probe() -> Probe {
    start_probe_with(ReuseLimits::default()).await
}

/// Starts the probe with the lifetime of its instances in hand.
async fn start_probe_with(reuse: ReuseLimits) -> Probe {
    let app = harness::start(probe_setting(reuse).await).await.unwrap();
    Probe { app, database: database().await }
}

/// Starts the probe on the local host, whichever the tests run on.
async fn start_local(reuse: ReuseLimits) -> Probe {
    let app = harness::start_local(probe_setting(reuse).await).await.unwrap();
    Probe { app, database: database().await }
}

/// Limits under which no instance ends for being idle, however slow the requests come.
fn never_idle() -> ReuseLimits {
    ReuseLimits { idle_timeout: FOR_EVER, ..ReuseLimits::default() }
}

/// The database of the run that everybody may use, as the owner.
async fn database() -> Url {
    run().await.unwrap().cluster.database_url("postgres").parse().unwrap()
}

/// A connection string with further parameters.
fn with(database: &Url, parameters: &[(&str, &str)]) -> String {
    let mut address = database.clone();
    address.query_pairs_mut().extend_pairs(parameters);
    address.into()
}

/// The host and port of a database's URL, as `allowed_outbound_hosts` has them.
fn server_of(database: &Url) -> (String, u16) {
    (database.host_str().unwrap().to_owned(), database.port().unwrap())
}

async fn probe_variables() -> BTreeMap<String, String> {
    let (host, port) = server_of(&database().await);
    [("database_host".to_owned(), host), ("database_port".to_owned(), port.to_string())].into()
}

/// Starts the probe with a manifest of its own: `rest` is what follows `[application]`, with `SOURCE` for the wasm file.
async fn start_manifest(rest: &str, variables: &[(&str, &str)]) -> Result<Probe> {
    // The run builds the probe.
    run().await?;
    let folder = tempfile::tempdir()?;
    let manifest = write_manifest(folder.path(), rest)?;
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    start(&manifest, variables).await
}

fn write_manifest(folder: &Path, rest: &str) -> Result<PathBuf> {
    let rest = rest.replace("SOURCE", &format!("\"{}\"", repository().join(PROBE_WASM).display()));
    let manifest = folder.join("spin.toml");
    std::fs::write(&manifest, format!("spin_manifest_version = 2\n[application]\nname = \"test\"\n{rest}"))
        .context("cannot write a manifest")?;
    Ok(manifest)
}

/// What went wrong, in one line, when a start was meant to fail.
async fn start_error(rest: &str) -> String {
    match start_manifest(rest, &[]).await {
        Ok(_) => panic!("the host started with\n{rest}"),
        Err(error) => format!("{error:#}"),
    }
}

/// A trigger for everything and a component with these further lines.
fn one_component(lines: &str) -> String {
    format!("[[trigger.http]]\nroute = \"/...\"\ncomponent = \"probe\"\n[component.probe]\nsource = SOURCE\n{lines}\n")
}

impl Probe {
    async fn get(&self, path: &str) -> Answer {
        ask(self.client.get(format!("{}{path}", self.base_url))).await
    }

    /// A GET whose answer is JSON.
    async fn json(&self, path: &str) -> Value {
        self.get(path).await.ok()
    }

    async fn post(&self, path: &str, body: String) -> Answer {
        ask(self.client.post(format!("{}{path}", self.base_url)).body(body)).await
    }

    /// The host and port of the database server.
    fn database_server(&self) -> (String, u16) {
        server_of(&self.database)
    }

    /// The request that runs a script of the probe on a connection to `address`.
    fn script_request(&self, address: &str, mut script: Value) -> RequestBuilder {
        script["address"] = address.into();
        self.client.post(format!("{}/probe/postgres", self.base_url)).body(script.to_string())
    }

    /// Runs a script of the probe on a connection to `address`.
    async fn script_on(&self, address: &str, script: Value) -> Value {
        ask(self.script_request(address, script)).await.ok()
    }

    /// Runs steps on a connection to the tests' database: the result of each.
    async fn steps(&self, steps: Value) -> Vec<Value> {
        let answer = self.script_on(self.database.as_str(), json!({"steps": steps})).await;
        answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// The one value of a query.
    async fn value(&self, statement: &str) -> Value {
        let results = self.steps(json!([{"query": [statement, []]}])).await;
        results[0]["rows"][0][0].clone()
    }

    /// How many sessions of this name the database server has.
    async fn sessions(&self, application_name: &str) -> i64 {
        let count = format!("select count(*) from pg_stat_activity where application_name = '{application_name}'");
        self.value(&count).await["int64"].as_i64().unwrap()
    }

    /// Sends bytes as they are and reads until the host closes the connection.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset counts as closed.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Whether one of the next requests is answered by this instance: if it lives, it takes its turn.
    async fn is_answered_by(&self, instance: &Value) -> bool {
        for _ in 0..TRIES {
            if self.json("/probe/count").await["instance"] == *instance {
                return true;
            }
        }
        false
    }

    /// Where it listens.
    fn address(&self) -> SocketAddr {
        self.base_url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Shuts the local host down: what the components wrote.
    async fn shutdown(self) -> Capture {
        self.app.shutdown().await.unwrap()
    }
}
