//! The one door to the platform: requests and responses, Postgres, variables, the log.
//!
//! Nothing else in the workspace calls Spin for data; clippy's `disallowed-methods` says so for connections.

pub mod http;
mod log;
pub mod postgres;
mod variables;

pub use variables::{token_verifier, variable};
