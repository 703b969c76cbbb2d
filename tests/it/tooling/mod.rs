//! The project's own tools: the private database and its migrations.

mod cluster;
mod migrations;
mod supabase;
mod upgrades;
mod versions;
mod watcher;
