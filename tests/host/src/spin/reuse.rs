//! Instances and the requests they take: up to 16 at once and 128 in all each, then a second of idleness.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::Shared;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use wasmtime::component::{GuestTaskId, ResourceTable};
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::handler::{
    self, HandlerState, Proxy, ShouldAccept, ViewFn, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::WasiHttpView as _;

use super::allowed_hosts::AllowedHostTemplates;
use super::engine::Compiled;
use super::guest_output::{GuestStream, Sink};
use super::instance::{Instance, InstanceHosts};
use super::manifest::Component;
use super::memory::{MemoryMeter, Peak};
use super::outbound_http::OutboundHttp;
use super::postgres::{Pools, Postgres};
use super::variables::{ComponentVariables, Variables};

/// How long instances live.
#[derive(Debug, Clone, Copy)]
pub struct ReuseLimits {
    /// Requests an instance takes in all.
    pub requests: usize,
    /// Requests an instance takes at once.
    pub concurrent_requests: usize,
    /// How long an instance waits for its next request.
    pub idle_timeout: Duration,
}

impl Default for ReuseLimits {
    /// What Spin does when not told otherwise.
    fn default() -> Self {
        Self { requests: 128, concurrent_requests: 16, idle_timeout: Duration::from_secs(1) }
    }
}

/// Resolves when something is to end, or when whoever could have said so is gone.
pub(super) type Stop = Shared<oneshot::Receiver<()>>;

/// A switch, and what it ends.
pub(super) fn stop() -> (oneshot::Sender<()>, Stop) {
    let (sender, receiver) = oneshot::channel();
    (sender, receiver.shared())
}

/// What all components of a host share.
#[derive(Clone)]
pub(super) struct Shares {
    pub(super) variables: Arc<Variables>,
    pub(super) sink: Sink,
    pub(super) reuse: ReuseLimits,
    pub(super) own_address: SocketAddr,
    pub(super) stop: Stop,
    pub(super) alive: mpsc::Sender<()>,
}

/// Makes instances of one component.
pub(super) struct Instances {
    id: Arc<str>,
    compiled: Compiled,
    environment: Vec<(String, String)>,
    hosts: Arc<AllowedHostTemplates>,
    pools: Arc<Pools>,
    peak_memory: Peak,
    shares: Shares,
}

impl Instances {
    /// Instances of `component`, which is compiled already.
    pub(super) fn new(component: &Component, compiled: Compiled, hosts: AllowedHostTemplates, shares: Shares) -> Self {
        Self {
            id: component.id.as_str().into(),
            compiled,
            environment: component.environment.clone().into_iter().collect(),
            hosts: Arc::new(hosts),
            pools: Arc::default(),
            peak_memory: Peak::default(),
            shares,
        }
    }

    /// The pools that the instances take their connections from.
    pub(super) fn pools(&self) -> &Arc<Pools> {
        &self.pools
    }

    /// The most memory that one of the instances has had.
    pub(super) fn peak_memory(&self) -> &Peak {
        &self.peak_memory
    }

    fn new_instance(&self) -> Instance {
        let hosts = InstanceHosts::new(Arc::clone(&self.hosts), Arc::clone(&self.shares.variables));
        let wasi = WasiCtx::builder()
            .envs(&self.environment)
            .stdout(GuestStream::new(&self.shares.sink, &self.id))
            .stderr(GuestStream::new(&self.shares.sink, &self.id))
            .build();
        Instance {
            wasi,
            http: WasiHttpCtx::new(),
            resources: ResourceTable::new(),
            variables: ComponentVariables {
                component: Arc::clone(&self.id),
                variables: Arc::clone(&self.shares.variables),
            },
            postgres: Postgres::new(Arc::clone(&self.pools), hosts.clone()),
            memory: MemoryMeter::new(self.peak_memory.clone()),
            outbound_http: OutboundHttp { hosts, own_address: self.shares.own_address },
            _alive: self.shares.alive.clone(),
        }
    }
}

impl HandlerState for Instances {
    type StoreData = Instance;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<handler::Instance<Instance, Expiration, Worker>> {
        let mut store = Store::new(self.compiled.engine(), self.new_instance());
        store.limiter(|instance| &mut instance.memory);
        let service = self.compiled.instantiate_async(&mut store).await?;
        Ok(handler::Instance {
            store,
            proxy: Proxy::P3(service),
            view: ViewFn::P3(Instance::http),
            expiration: Expiration {
                idle_timeout: self.shares.reuse.idle_timeout,
                sleep: Box::pin(tokio::time::sleep(self.shares.reuse.idle_timeout)),
                stop: self.shares.stop.clone(),
            },
            state: Worker { id: Arc::clone(&self.id), sink: self.shares.sink.clone(), limits: self.shares.reuse },
        })
    }
}

/// Decides which requests an instance takes.
pub(super) struct Worker {
    id: Arc<str>,
    sink: Sink,
    limits: ReuseLimits,
}

impl WorkerState for Worker {
    type StoreData = Instance;
    type RequestId = ();

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        if total_count >= self.limits.requests {
            ShouldAccept::Never
        } else if concurrent_count >= self.limits.concurrent_requests {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Instance>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        // No request has a time limit.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Instance>, result: Result<(), wasmtime::Error>) {
        drop(store);
        if let Err(error) = result {
            self.sink.note(&self.id, &format!("worker failed: {error:?}"));
        }
    }
}

/// Ends instances that have been idle, and all of them when the host shuts down.
pub(super) struct Expiration {
    idle_timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    stop: Stop,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, start: StdInstant) -> Poll<()> {
        if self.stop.poll_unpin(context).is_ready() {
            return Poll::Ready(());
        }
        match status {
            WorkerStatus::Requests | WorkerStatus::PostReturn => Poll::Pending,
            WorkerStatus::Idle => {
                let Some(deadline) = start.checked_add(self.idle_timeout).map(Instant::from_std) else {
                    return Poll::Pending;
                };
                if deadline != self.sleep.deadline() {
                    self.sleep.as_mut().reset(deadline);
                }
                self.sleep.poll_unpin(context)
            }
        }
    }
}
