//! The routes of stores and dashboards.

mod api_keys;
mod credentials;
mod event_formats;
mod events;
mod me;
mod metrics;
mod query;
mod tokens;
