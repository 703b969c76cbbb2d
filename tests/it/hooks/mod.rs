//! The identity provider's hooks.

mod access_token;
mod fixtures;
mod providers;
mod user_created;
