//! Stands in for Spin: reads `spin.toml` and serves its components, as strictly as Spin does.
//!
//! What it takes from Spin is what a component can notice: routes and headers, variables, allowed hosts, connection pools
//! with their recycling, types and errors of Postgres, reuse of instances, and traps. Where Spin is laxer than its own
//! rules (headers of the client that look like the host's, connection strings with `hostaddr`, addresses given to the
//! synchronous connection builder) this host holds to the rule.

mod allowed_hosts;
mod bindings;
mod engine;
mod guest_output;
mod headers;
mod instance;
pub mod manifest;
mod memory;
mod outbound_http;
mod postgres;
mod reuse;
mod routes;
mod server;
mod template;
mod variables;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::channel::oneshot;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wasmtime_wasi_http::handler::ProxyHandler;

use allowed_hosts::AllowedHostTemplates;
use engine::Engine;
use guest_output::Sink;
pub use guest_output::{Capture, GuestOutput};
use manifest::Manifest;
use memory::Peak;
use postgres::Pools;
pub use reuse::ReuseLimits;
use reuse::{Instances, Shares};
use server::Server;
pub use variables::Environment;
use variables::{Providers, Variables};

/// How long instances may take to end when the host shuts down.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What to serve, and how.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// The `spin.toml`.
    pub manifest: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Values of application variables, as with `--variable`.
    pub variables: BTreeMap<String, String>,
    /// Where further values are looked for.
    pub environment: Environment,
    /// Where compiled components are kept between starts.
    pub cache_dir: PathBuf,
    /// Where components' output goes.
    pub guest_output: GuestOutput,
    /// How long instances live.
    pub reuse: ReuseLimits,
}

/// A host that serves. Dropping it ends it at once; [`RunningHost::shutdown`] lets requests finish.
pub struct RunningHost {
    address: SocketAddr,
    server: JoinHandle<()>,
    stop_accepting: oneshot::Sender<()>,
    stop_instances: oneshot::Sender<()>,
    alive: mpsc::Receiver<()>,
    pools: Vec<Arc<Pools>>,
    peak_memory: HashMap<String, Peak>,
}

/// What serves one component.
struct Loaded {
    handler: ProxyHandler<Instances>,
    pools: Arc<Pools>,
    peak_memory: Peak,
}

/// Starts to serve. Whatever keeps the manifest from being served in full is an error here.
pub async fn start(options: HostOptions) -> Result<RunningHost> {
    let manifest = Manifest::load(&options.manifest)?;
    let providers =
        Providers { given: options.variables, environment: options.environment, environment_file: OnceLock::new() };
    let variables = Arc::new(Variables::new(&manifest, providers)?);
    let sink = Sink::open(&options.guest_output)?;
    let engine = Engine::shared(&options.cache_dir)?;
    let listener =
        TcpListener::bind(options.listen).await.with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;

    let (stop_accepting, accepting) = reuse::stop();
    let (stop_instances, instances) = reuse::stop();
    let (alive_sender, alive) = mpsc::channel(1);
    let shares = Shares {
        variables,
        sink: sink.clone(),
        reuse: options.reuse,
        own_address: address,
        stop: instances,
        alive: alive_sender,
    };
    let loaded = load_components(&manifest, &engine, &shares).await?;
    drop(shares);
    let pools = loaded.values().map(|component| Arc::clone(&component.pools)).collect();
    let peak_memory = loaded.iter().map(|(id, component)| (id.clone(), component.peak_memory.clone())).collect();
    let handlers = loaded.into_iter().map(|(id, component)| (id, component.handler)).collect();
    let server = Arc::new(Server::new(&manifest, handlers, sink)?);
    Ok(RunningHost {
        address,
        server: tokio::spawn(server.serve(listener, accepting)),
        stop_accepting,
        stop_instances,
        alive,
        pools,
        peak_memory,
    })
}

async fn load_components(
    manifest: &Manifest,
    engine: &Arc<Engine>,
    shares: &Shares,
) -> Result<HashMap<String, Loaded>> {
    let mut loaded = HashMap::new();
    for component in manifest.components() {
        let hosts = AllowedHostTemplates::new(component, manifest, &shares.variables)?;
        let compiled = engine.load(&component.source).await.with_context(|| format!("component.{}", component.id))?;
        let instances = Instances::new(component, compiled, hosts, shares.clone());
        let (pools, peak_memory) = (Arc::clone(instances.pools()), instances.peak_memory().clone());
        loaded.insert(component.id.clone(), Loaded { handler: ProxyHandler::new(instances), pools, peak_memory });
    }
    Ok(loaded)
}

impl RunningHost {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The start of every URL it serves, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The most linear memory that any one instance of a component has had so far, bytes.
    pub fn peak_memory(&self, component: &str) -> Option<usize> {
        self.peak_memory.get(component).map(Peak::bytes)
    }

    /// Takes no further request, lets those under way finish, then ends the instances and closes their connections.
    pub async fn shutdown(mut self) {
        // Each of these may have ended by itself.
        let _ = self.stop_accepting.send(());
        let _ = self.server.await;
        let _ = self.stop_instances.send(());
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.alive.recv()).await;
        for pools in &self.pools {
            pools.close();
        }
    }
}
