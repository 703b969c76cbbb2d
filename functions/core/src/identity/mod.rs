//! What the identity provider tells and asks: signed webhooks, new users, access tokens.

pub mod access_token_hook;
pub mod person;
pub mod sender;
pub mod text_secret;
pub mod user_created;
pub mod user_id;
pub mod webhook;
pub mod workos;

/// The largest webhook, bytes: providers keep theirs far below.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
