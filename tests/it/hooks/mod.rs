//! The identity provider's hooks.

mod access_token;
pub(crate) mod fixtures;
mod kinde;
mod official_libraries;
mod providers;
mod signed_trigger;
mod user_created;
