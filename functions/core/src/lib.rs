//! What the four functions of Tallyhouse share.
//!
//! Decisions are plain functions over plain data: signatures, tokens, events, queries, problems. They know nothing of
//! Spin and are tested natively. [`door`] is the one way to the platform: HTTP, Postgres, variables, the clock, the log.

pub mod access_token;
pub mod api_key;
pub mod api_keys;
pub mod authority;
pub mod door;
pub mod events;
pub mod identity;
pub mod me;
pub mod page;
pub mod problem;
pub mod query;
pub mod reply;
pub mod sqlstate;
pub mod statements;
