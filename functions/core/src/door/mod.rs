//! The one door to the platform: requests and responses, Postgres, the provider's keys, variables, the log.
//!
//! Nothing else in the workspace calls Spin for data; clippy's `disallowed-methods` says so for connections and for
//! requests to other hosts.

mod credentials;
pub mod http;
mod keys;
mod log;
pub mod postgres;
mod variables;

pub use credentials::{authority, member, user};
pub use variables::variable;

use futures::future::{Either, select};
use std::pin::pin;
use std::time::Duration;

/// What the work comes to, unless the deadline is first.
async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(spin_sdk::time::sleep(deadline))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
