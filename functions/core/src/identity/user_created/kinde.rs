//! Kinde: `{"type": "user.created", "event_id": "event_…", "data": {"user": {"id": "kp_…", …}}}`, the claims of a JWT.

use super::{NewUser, USER_CREATED, full_name};
use crate::identity::person::Person;
use crate::identity::read_object;
use crate::object::Object;
use crate::problem::Problem;
use serde::Deserialize;

#[derive(Deserialize)]
struct Top {
    #[serde(rename = "event_id")]
    _event_id: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Event {
    data: Object<Data>,
}

#[derive(Deserialize)]
struct Data {
    user: Object<User>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

pub(super) fn read(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let what = "webhook of Kinde";
    let top: Top = read_object(what, body)?;
    if top.r#type != USER_CREATED {
        return Ok(None);
    }
    let Event { data: Object(Data { user: Object(user) }) } = read_object(what, body)?;
    let name = full_name(user.first_name.as_deref(), user.last_name.as_deref());
    let person = Person::named(user.email.as_deref(), Some(&name), &[]);
    Ok(Some(NewUser { id: user.id, person, blocks_sign_up: false }))
}
