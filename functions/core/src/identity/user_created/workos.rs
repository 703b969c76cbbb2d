//! WorkOS: `{"event": "user.created", "data": {"object": "user", …}}`; note `event`, where others have `type`.

use super::{NewUser, USER_CREATED, full_name};
use crate::identity::person::Person;
use crate::identity::read_object;
use crate::object::Object;
use crate::problem::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Top {
    event: String,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    data: Object<User<'a>>,
}

#[derive(Deserialize)]
struct User<'a> {
    id: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

pub(super) fn read(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let what = "event of WorkOS";
    let top: Top = read_object(what, body)?;
    if top.event != USER_CREATED {
        return Ok(None);
    }
    let Event { data: Object(user) } = read_object(what, body)?;
    let name = full_name(user.first_name.as_deref(), user.last_name.as_deref());
    let person = Person::named(user.email.as_deref(), Some(&name), &[user.metadata]);
    Ok(Some(NewUser { id: user.id, person, blocks_sign_up: false }))
}
