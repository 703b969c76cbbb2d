//! The integration tests: the built components over real HTTP and a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answer;
mod drills;
mod harness;
mod hooks;
mod host;
mod journey;
mod languages;
mod repository;
mod senders;
mod sql;
mod tooling;
mod v1;
