//! What every integration test stands on. One process is one test run: the components are built once, one throw-away
//! Postgres is started, and each [`Bundle`] is a host and a database of its own.
//!
//! `TALLY_HOST=spin` serves the same tests with the `spin` found on PATH.

mod app;
mod bundle;
mod key_server;
mod ledger;
mod persona;
mod proxy;
mod rollups;
mod signing_key;
mod test_run;
mod waiting;

pub(crate) use app::{App, Setting, on_spin, start, start_local};
pub(crate) use bundle::Bundle;
pub(crate) use key_server::{Answer, KeyServer};
pub(crate) use ledger::{Audit, Batch, Event, Ledger, Receipt};
pub(crate) use persona::Tenant;
pub(crate) use proxy::{Fault, Proxy};
pub(crate) use rollups::rollup_difference;
pub(crate) use signing_key::SigningKey;
pub(crate) use tally_host::random::Random;
pub(crate) use test_run::{Database, TestRun, repository, run};
pub(crate) use waiting::{until_count, until_stored, until_unused, until_waiting};
