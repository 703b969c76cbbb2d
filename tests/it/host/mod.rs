//! The rules of Spin that the functions rely on, asked of a probe component. They hold on the local host and on Spin alike,
//! but for the few where the local host is stricter on purpose: those are asked of it alone.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]
#![expect(clippy::print_stdout, reason = "a test says why it is skipped")]

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
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use tally_host::spin::{self, Capture, Environment, GuestOutput, HostOptions, ReuseLimits, RunningHost};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{self, on_spin, repository, run, start_app};

const PROBE_MANIFEST: &str = "tests/host/probe/spin.toml";
const PROBE_WASM: &str = "target/wasm32-wasip2/release/tally_probe.wasm";

/// An application that serves until it is dropped, and the database server of the run.
struct App {
    base_url: String,
    client: Client,
    database: Url,
    _served: Option<harness::App>,
}

/// Says why a test is not run on Spin.
fn skipped_on_spin(reason: &str) -> bool {
    if on_spin() {
        println!("skipped on Spin: {reason}");
    }
    on_spin()
}

/// Starts the application of `manifest` on whichever host the tests run.
async fn start(manifest: &Path, variables: BTreeMap<String, String>) -> Result<App> {
    let database = database().await;
    let app = start_app(manifest, &variables).await?;
    Ok(App { base_url: app.base_url.clone(), client: app.client.clone(), database, _served: Some(app) })
}

/// Starts the probe as its own manifest describes it.
async fn start_probe() -> App {
    start(&repository().join(PROBE_MANIFEST), probe_variables().await).await.unwrap()
}

/// Starts the probe on the local host, whichever the tests run on, with its lifetime in hand.
async fn start_local(reuse: ReuseLimits) -> (App, RunningHost, Capture) {
    let output = Capture::default();
    let host = spin::start(HostOptions {
        manifest: repository().join(PROBE_MANIFEST),
        listen: ([127, 0, 0, 1], 0).into(),
        variables: probe_variables().await,
        environment: Environment::default(),
        cache_dir: repository().join("target/wasmtime-cache"),
        guest_output: GuestOutput::Capture(output.clone()),
        reuse,
    })
    .await
    .unwrap();
    let client = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let app = App { base_url: host.base_url(), client, database: database().await, _served: None };
    (app, host, output)
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
async fn start_manifest(rest: &str, variables: &[(&str, &str)]) -> Result<App> {
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

impl App {
    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base_url)).send().await.unwrap()
    }

    /// A GET whose answer is JSON.
    async fn json(&self, path: &str) -> Value {
        read_json(self.get(path).await).await
    }

    async fn post(&self, path: &str, body: String) -> Response {
        self.client.post(format!("{}{path}", self.base_url)).body(body).send().await.unwrap()
    }

    /// The host and port of the database server.
    fn database_server(&self) -> (String, u16) {
        server_of(&self.database)
    }

    /// Runs a script of the probe on a connection to `address`.
    async fn script_on(&self, address: &str, mut script: Value) -> Value {
        script["address"] = address.into();
        read_json(self.post("/probe/postgres", script.to_string()).await).await
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

    /// Sends bytes as they are and reads until the host closes the connection.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset counts as closed.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Where it listens.
    fn address(&self) -> SocketAddr {
        self.base_url.strip_prefix("http://").unwrap().parse().unwrap()
    }
}

async fn read_json(response: Response) -> Value {
    let status = response.status();
    let body = response.text().await.unwrap();
    serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status}: {body:?} is not JSON"))
}
