//! The pools of one component: one per connection string, 64 connections each, cleaned at checkout and never rolled back.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use super::tls;

const POOL_SIZE: usize = 64;
const POOLS_KEPT: usize = 16;

/// A connection that a component has open. It returns to its pool, as it is, with the last clone.
pub(super) type Connection = Arc<Object>;

/// The pools of one component.
#[derive(Default)]
pub(crate) struct Pools {
    /// The most recently used last.
    pools: Mutex<Vec<(Key, Pool)>>,
}

/// What makes two connections the same: the text of the connection string and of the root certificate.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) address: String,
    pub(super) root_certificate: Option<String>,
}

impl Pools {
    /// Checks a connection out, waiting for ever if all are taken.
    pub(super) async fn get(&self, key: Key) -> Result<Connection> {
        let pool = self.pool(key).context("establishing PostgreSQL connection pool")?;
        Ok(Arc::new(pool.get().await?))
    }

    /// Ends all connections that no component holds.
    pub(crate) fn close(&self) {
        for (_, pool) in self.pools.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            pool.close();
        }
    }

    fn pool(&self, key: Key) -> Result<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match pools.iter().position(|(other, _)| *other == key) {
            Some(index) => pools.remove(index),
            None => {
                let pool = create(&key)?;
                (key, pool)
            }
        };
        let pool = entry.1.clone();
        pools.push(entry);
        if pools.len() > POOLS_KEPT {
            pools.remove(0);
        }
        Ok(pool)
    }
}

fn create(key: &Key) -> Result<Pool> {
    let config: Config = key.address.parse().context("parsing Postgres connection string")?;
    let manager_config = ManagerConfig {
        // Spin's choice. It has no ROLLBACK: a transaction left open is the next user's.
        recycling_method: RecyclingMethod::Clean,
    };
    let manager = if config.get_ssl_mode() == SslMode::Disable {
        Manager::from_config(config, NoTls, manager_config)
    } else {
        let tls = tls::connector(key.root_certificate.as_deref())?;
        Manager::from_config(config, tls, manager_config)
    };
    Pool::builder(manager).max_size(POOL_SIZE).build().context("building Postgres connection pool")
}
