//! The identity provider's hooks.

mod access_token;
mod user_created;
