//! `POST /hooks/user-created`: what a provider says of a new user, and what is to be done about it.
//!
//! Each provider has an envelope of its own. Which are read depends on how the sender was authenticated, so that the secret
//! of one provider does not speak for another.

mod auth0;
mod clerk;
mod generic;
mod kinde;
mod supabase;
#[cfg(test)]
mod tests;
mod workos;

use super::person::Person;
use super::sender::Sender;
use super::{read_object, told_user_id};
use crate::problem::{Kind, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

pub use supabase::begins_as_hook;

/// The one event that makes something here; of all others there is nothing to do.
const USER_CREATED: &str = "user.created";

/// What to do about a new user.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make the organization.
    Provision {
        /// The user.
        user_id: Uuid,
        /// Who it is, which names the organization.
        person: Person,
        /// Whether a sign-up stands still until it is answered, and fails with it.
        blocks_sign_up: bool,
    },
    /// Nothing to make: another event, an anonymous user, or one who is not there yet.
    Nothing,
}

/// A user as one of the envelopes has it.
struct NewUser {
    /// What the provider calls the user.
    id: String,
    person: Person,
    blocks_sign_up: bool,
}

/// What the envelopes of Standard Webhooks have at their top, to tell them apart.
#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    r#type: Option<String>,
    object: Option<String>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
}

/// Reads a payload whose sender was authenticated. `issuer` is the `iss` of the access tokens that the user will have.
pub fn decide(sender: Sender, issuer: &str, body: &[u8]) -> Result<Decision, Problem> {
    let new_user = match sender {
        Sender::StandardWebhooks => signed(body)?,
        Sender::WorkOs => workos::read(body)?,
        Sender::SupabaseDatabase => supabase::read_row(body)?,
        Sender::Auth0 => auth0::read(body)?,
        Sender::Kinde => kinde::read(body)?,
    };
    let Some(NewUser { id, person, blocks_sign_up }) = new_user else { return Ok(Decision::Nothing) };
    Ok(Decision::Provision { user_id: told_user_id(issuer, &id)?, person, blocks_sign_up })
}

fn signed(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let what = "user-created payload";
    let top: Top<'_> = read_object(what, body)?;
    match (top.user, top.r#type) {
        (Some(_), None) => supabase::read_hook(body),
        // A trigger may sign its rows in SQL, which is better than to send a secret along.
        (None, Some(kind)) if kind == "INSERT" && top.record.is_some() => supabase::read_row(body),
        (None, Some(kind)) if kind != USER_CREATED => Ok(None),
        (None, Some(_)) if top.object.as_deref() == Some("event") => clerk::read(body),
        (None, Some(_)) => generic::read(body),
        _ => {
            let detail =
                format!("The body is not a {what}: it needs either `user` and `metadata`, or `type` and `data`.");
            Err(Problem::new(Kind::MalformedBody, detail))
        }
    }
}

/// First and last name, as far as they are there.
fn full_name(first: Option<&str>, last: Option<&str>) -> String {
    [first, last].map(Option::unwrap_or_default).join(" ").trim().to_owned()
}
