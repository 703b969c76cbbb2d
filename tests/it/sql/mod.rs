//! The database asked in its own language, and judged by others.

mod credentials;
mod isolation;
mod judges;
mod last_owner;
mod matrix;
mod partitions;
pub(crate) mod pgtap;
mod plans;
mod rebuilds;
pub(crate) mod rollups;
mod signup_races;
mod sync_jobs;
