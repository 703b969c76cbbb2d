//! Supabase: the hooks of Auth, `{"metadata": {"name"}, "user": {…}}`, and Database Webhooks, which send whole rows of
//! `auth.users`, `{"type": "INSERT", "table": "users", "schema": "auth", "record": {…}}`.

use super::NewUser;
use crate::identity::person::Person;
use crate::identity::read_object;
use crate::object::Object;
use crate::problem::{Kind, Problem};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

const BEFORE: &str = "before-user-created";
const AFTER: &str = "after-user-created";
const HOOKS: [&str; 2] = [BEFORE, AFTER];

#[derive(Deserialize)]
struct Hook<'a> {
    metadata: Option<Object<Metadata>>,
    #[serde(borrow)]
    user: Object<User<'a>>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct User<'a> {
    id: Uuid,
    email: Option<String>,
    is_anonymous: Option<bool>,
    #[serde(borrow)]
    user_metadata: Option<&'a RawValue>,
}

/// Whether a body of which no more is there than this is a hook's that a sign-up waits for. Such a one says so at its top,
/// before anything of the user's; that it is genuine, nobody knows.
pub fn begins_as_hook(beginning: &[u8]) -> bool {
    HOOKS.iter().any(|name| memmem::find(beginning, format!("\"{name}\"").as_bytes()).is_some())
}

/// A hook of Auth.
pub(super) fn read_hook(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let Hook { metadata, user: Object(user) } = read_object("user-created hook", body)?;
    match metadata.map(|Object(metadata)| metadata.name).unwrap_or_default().as_str() {
        // The sign-up may still fail, and with most providers the user gets another id (supabase/supabase#41309): what
        // would be made now might be nobody's. `after-user-created` and the user's first token come with the final id.
        BEFORE => return Ok(None),
        AFTER | "" => {}
        _ => {
            let detail = "This is another hook's address: set it for before-user-created or after-user-created alone.";
            return Err(Problem::new(Kind::MalformedBody, detail));
        }
    }
    if user.is_anonymous.unwrap_or_default() {
        return Ok(None);
    }
    let person = Person::new(user.email.as_deref(), user.user_metadata);
    Ok(Some(NewUser { id: user.id.to_string(), person, blocks_sign_up: true }))
}

#[derive(Deserialize)]
struct Change {
    r#type: String,
    schema: String,
    table: String,
}

#[derive(Deserialize)]
struct Inserted<'a> {
    #[serde(borrow)]
    record: Object<Row<'a>>,
}

/// What is needed of a row. Password hash and one-time tokens are there too, and are not even read.
#[derive(Deserialize)]
struct Row<'a> {
    id: Uuid,
    email: Option<String>,
    is_anonymous: Option<bool>,
    #[serde(borrow)]
    raw_user_meta_data: Option<&'a RawValue>,
}

/// A Database Webhook.
pub(super) fn read_row(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let what = "Database Webhook of auth.users";
    let change: Change = read_object(what, body)?;
    if (change.schema.as_str(), change.table.as_str()) != ("auth", "users") {
        let detail = "The Database Webhook is of another table: set it for auth.users.";
        return Err(Problem::new(Kind::MalformedBody, detail));
    }
    if change.r#type != "INSERT" {
        return Ok(None);
    }
    let Inserted { record: Object(record) } = read_object(what, body)?;
    if record.is_anonymous.unwrap_or_default() {
        return Ok(None);
    }
    let person = Person::new(record.email.as_deref(), record.raw_user_meta_data);
    Ok(Some(NewUser { id: record.id.to_string(), person, blocks_sign_up: false }))
}
