//! The wasmtime engine, shared by all hosts of a process, and the components compiled for it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::OnceCell;
use tokio::task;
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use super::instance::{Instance, linker};

const MEGABYTE: usize = 1 << 20;
const GIGABYTE: usize = 1 << 30;
/// How many instances may live at once, over all components.
const INSTANCES: u32 = 1000;
const HANDLER: &str = "wasi:http/handler@0.3";

/// An engine with its compiled components.
pub(super) struct Engine {
    engine: wasmtime::Engine,
    linker: Linker<Instance>,
    compiled: Mutex<HashMap<Source, Arc<OnceCell<Compiled>>>>,
}

/// A component ready to be instantiated.
pub(super) type Compiled = ServicePre<Instance>;

/// What makes a file the same file.
#[derive(PartialEq, Eq, Hash)]
struct Source {
    path: PathBuf,
    modified: SystemTime,
    length: u64,
}

impl Engine {
    /// The engine whose compiled code is kept in `cache`, made on first use.
    pub(super) fn shared(cache: &Path) -> Result<Arc<Self>> {
        static ENGINES: LazyLock<Mutex<HashMap<PathBuf, Arc<Engine>>>> = LazyLock::new(Mutex::default);
        let cache = std::path::absolute(cache)?;
        let mut engines = ENGINES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&cache) {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(Self::new(&cache)?);
        engines.insert(cache, Arc::clone(&engine));
        Ok(engine)
    }

    fn new(cache: &Path) -> Result<Self> {
        let mut cache_config = CacheConfig::new();
        cache_config.with_directory(cache);
        let mut config = Config::new();
        config.wasm_component_model(true);
        config.wasm_component_model_async(true);
        config.cache(Some(Cache::new(cache_config)?));
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling()));
        let engine = match wasmtime::Engine::new(&config) {
            Ok(engine) => engine,
            // Where address space is limited the pool cannot be reserved.
            Err(_) => wasmtime::Engine::new(config.allocation_strategy(InstanceAllocationStrategy::OnDemand))?,
        };
        Ok(Self { linker: linker(&engine)?, engine, compiled: Mutex::default() })
    }

    /// Compiles and links the component in `path`, once a process for each state of the file.
    pub(super) async fn load(self: &Arc<Self>, path: &Path) -> Result<Compiled> {
        let metadata = fs::metadata(path)
            .with_context(|| format!("cannot read the component {}: has it been built?", path.display()))?;
        let source = Source { path: path.to_owned(), modified: metadata.modified()?, length: metadata.len() };
        let cell = {
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(compiled.entry(source).or_default())
        };
        let compile = async {
            let engine = Arc::clone(self);
            let path = path.to_owned();
            task::spawn_blocking(move || engine.compile(&path)).await?
        };
        cell.get_or_try_init(|| compile).await.cloned()
    }

    fn compile(&self, path: &Path) -> Result<Compiled> {
        let name = || format!("the component {}", path.display());
        let component = Component::from_file(&self.engine, path).map_err(anyhow::Error::from).with_context(name)?;
        let exports_handler =
            component.component_type().exports(&self.engine).any(|(export, _)| export.starts_with(HANDLER));
        ensure!(exports_handler, "{} does not export {HANDLER}, the one handler that is served", name());
        self.linker
            .instantiate_pre(&component)
            .and_then(ServicePre::new)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("{} wants what this host does not offer", name()))
    }
}

/// The limits of Spin.
fn pooling() -> PoolingAllocationConfig {
    let mut pooling = PoolingAllocationConfig::default();
    pooling
        .total_component_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(2 * INSTANCES)
        .total_stacks(INSTANCES)
        .total_core_instances(4 * INSTANCES)
        .table_elements(100_000)
        .max_component_instance_size(10 * MEGABYTE)
        .max_core_instance_size(10 * MEGABYTE)
        .max_core_instances_per_component(200)
        .max_tables_per_component(64)
        .max_memories_per_component(32)
        .max_tables_per_module(2)
        .max_memories_per_module(2)
        .max_memory_size(4 * GIGABYTE);
    pooling
}
