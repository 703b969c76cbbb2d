//! A private Postgres: found or installed, started on a free loopback port, and gone when this process is.

mod binaries;
mod cluster;
mod place;
mod postmaster;

pub use binaries::{Binaries, SUPPORTED, find_or_install, install_pgtap};
pub use cluster::{Cluster, ClusterOptions};
pub use place::{make_data_dir, temporary_folder};
