//! Any sender of Standard Webhooks: `{"type": "user.created", "data": {"id", "email", "name", "company", …}}`.

use super::NewUser;
use crate::identity::person::Person;
use crate::identity::read_object;
use crate::problem::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct User {
    id: String,
    email: Option<String>,
    is_anonymous: Option<bool>,
}

pub(super) fn read(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let what = "user.created event";
    let Event { data } = read_object(what, body)?;
    let user: User = read_object(what, data.get().as_bytes())?;
    if user.is_anonymous.unwrap_or_default() {
        return Ok(None);
    }
    let person = Person::new(user.email.as_deref(), Some(data));
    Ok(Some(NewUser { id: user.id, person, blocks_sign_up: false }))
}
