//! What is measured, a module each.

pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod sizes;
pub(crate) mod throughput;
