//! The benchmarks of ingestion and of queries: the built bundle over HTTP against what Postgres itself can do with the same
//! rows, in one run on one machine. `docs/BENCHMARKS.md` says what is measured, and how.

pub mod cli;
mod command;
mod cpu;
mod data;
mod ground;
mod machine;
mod preload;
pub mod queries;
mod report;
mod rounds;
mod sections;
mod statistics;
mod turn;
mod writer;
