//! What the four functions of Tallyhouse share.
//!
//! Decisions are plain functions over plain data: signatures, tokens, events, queries, problems. They know nothing of
//! Spin and are tested natively. [`door`] is the one way to the platform: HTTP, Postgres, variables, the clock, the log.

pub mod access_token;
pub mod api_key;
pub mod api_keys;
pub mod authority;
pub mod changes;
pub mod definitions;
pub mod door;
pub mod events;
pub mod exchange_rates;
pub mod identity;
pub mod me;
mod object;
pub mod page;
pub mod parameters;
pub mod problem;
pub mod quarantine;
pub mod query;
pub mod rate_limits;
pub mod reply;
pub mod settings;
pub mod sqlstate;
pub mod statements;
