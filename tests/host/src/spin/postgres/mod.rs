//! `spin:postgres`: connections from a pool per component and address, with Spin's limits, recycling, types and errors.

#![expect(clippy::result_large_err, reason = "the error is the one that the WIT describes")]

mod address;
mod errors;
mod host;
mod numbers;
mod parameters;
mod pool;
mod query;
mod read;
mod tls;

pub(super) use host::{HasPostgres, Postgres};
pub(super) use pool::Pools;

use super::bindings::spin::postgres::postgres as wit;
