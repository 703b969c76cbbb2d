//! The routes of stores and dashboards.

mod api_keys;
mod corrections;
mod credentials;
mod definitions;
mod event_formats;
mod events;
mod exchange_rates;
mod golden;
mod ingestion_model;
mod limits;
mod me;
mod metrics;
mod pages;
mod plans;
mod quarantine;
mod query;
mod query_errors;
mod query_forms;
mod query_groups;
mod query_oracle;
mod tokens;
