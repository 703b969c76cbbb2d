//! The benchmark of queries: charts and a dashboard over HTTP, against events in SQL, against the bare statement, and against
//! themselves in databases of other sizes.

mod asker;
mod cli;
mod pgbench;
mod place;
mod question;
mod race;
mod sections;

pub use cli::main;
