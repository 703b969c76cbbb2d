//! The local host: stands in for Spin where Spin is not installed, and drives the bundle in development and tests.

pub mod account;
pub mod builder;
pub mod cdnow;
pub mod cli;
pub mod database;
pub mod demo;
pub mod dev;
pub mod identity;
pub mod migrate;
pub mod packages;
pub mod process;
pub mod progress;
pub mod random;
pub mod roles;
pub mod secrets;
pub mod server_process;
pub mod spin;
pub mod toolchain;
