//! What the identity provider tells and asks: signed webhooks, new users, access tokens.

pub mod access_token_hook;
pub mod person;
pub mod user_created;
pub mod webhook;

/// The largest webhook, bytes: providers keep theirs far below.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
