//! What the identity provider tells and asks: signed webhooks, new users, access tokens.

pub mod access_token_hook;
pub mod person;
pub mod sender;
pub mod text_secret;
pub mod user_created;
pub mod user_id;
pub mod webhook;
pub mod workos;

use crate::object::Object;
use crate::problem::{Kind, Problem};
use serde::Deserialize;
use uuid::Uuid;

/// The largest question for the claims of a token, bytes: more than the provider takes as an answer, which has them all.
pub const MAX_TOKEN_HOOK_BYTES: usize = 256 * 1024;
/// The largest news of a user, bytes. Profiles hold whatever applications put there, a picture perhaps, and Supabase tells
/// them twice.
pub const MAX_USER_CREATED_BYTES: usize = 2 * 1024 * 1024;

/// Reads what a sender says, which is an object.
fn read_object<'a, T: Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map(|Object(value)| value).map_err(|error| unreadable(what, &error))
}

/// Tells what is missing or where it is odd; not what stands there, which may be anything, a password's hash too.
fn unreadable(what: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let reason = if text.starts_with("missing field") {
        text
    } else {
        format!("it is not of the form expected, at line {} column {}", error.line(), error.column())
    };
    Problem::new(Kind::MalformedBody, format!("The body is no {what}: {reason}."))
}

/// The id of the user whom a message calls `subject`.
fn told_user_id(issuer: &str, subject: &str) -> Result<Uuid, Problem> {
    user_id::user_id(issuer, subject)
        .ok_or_else(|| Problem::new(Kind::MalformedBody, "The user's id is empty or longer than 255 bytes."))
}
