//! What one instance of a component holds on the host, and the linker that offers it.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use wasmtime::Engine;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::p3::{self, WasiHttpCtxView, WasiHttpView};

use super::allowed_hosts::{AllowedHostTemplates, AllowedHosts};
use super::bindings::spin::{postgres::postgres, variables::variables};
use super::memory::MemoryMeter;
use super::outbound_http::OutboundHttp;
use super::postgres::{HasPostgres, Postgres};
use super::variables::{ComponentVariables, HasVariables, Variables};

/// The host's side of one instance.
pub(super) struct Instance {
    pub(super) wasi: WasiCtx,
    pub(super) http: WasiHttpCtx,
    pub(super) outbound_http: OutboundHttp,
    pub(super) resources: ResourceTable,
    pub(super) variables: ComponentVariables,
    pub(super) postgres: Postgres,
    pub(super) memory: MemoryMeter,
    /// Tells a host that is shutting down when the last instance has ended.
    pub(super) _alive: mpsc::Sender<()>,
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

impl WasiHttpView for Instance {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.resources, hooks: &mut self.outbound_http }
    }
}

/// Everything a component may import.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Instance>> {
    let mut linker: Linker<Instance> = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    variables::add_to_linker::<_, HasVariables>(&mut linker, |instance| &mut instance.variables)?;
    postgres::add_to_linker::<_, HasPostgres>(&mut linker, |instance| &mut instance.postgres)?;
    Ok(linker)
}

/// Where one instance may connect to. As in Spin, the variables in the entries are read once an instance, when first asked.
#[derive(Clone)]
pub(super) struct InstanceHosts {
    templates: Arc<AllowedHostTemplates>,
    variables: Arc<Variables>,
    resolved: Arc<OnceLock<Result<AllowedHosts, String>>>,
}

impl InstanceHosts {
    /// The entries of a new instance.
    pub(super) fn new(templates: Arc<AllowedHostTemplates>, variables: Arc<Variables>) -> Self {
        Self { templates, variables, resolved: Arc::default() }
    }

    /// The entries with their variables filled in.
    pub(super) fn resolve(&self) -> Result<AllowedHosts, String> {
        let resolve = || self.templates.resolve(&self.variables).map_err(|error| error.to_string());
        self.resolved.get_or_init(resolve).clone()
    }
}
