//! Auth0's event streams: CloudEvents, `{"specversion": "1.0", "type": "user.created", "data": {"object": {…}}}`.

use super::{NewUser, USER_CREATED, full_name};
use crate::identity::person::Person;
use crate::identity::read_object;
use crate::object::Object;
use crate::problem::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Top {
    #[serde(rename = "specversion")]
    _specversion: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    data: Object<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Object<User<'a>>,
}

#[derive(Deserialize)]
struct User<'a> {
    user_id: String,
    email: Option<String>,
    name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    #[serde(borrow)]
    user_metadata: Option<&'a RawValue>,
}

pub(super) fn read(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let what = "CloudEvent of Auth0";
    let top: Top = read_object(what, body)?;
    if top.r#type != USER_CREATED {
        return Ok(None);
    }
    let Event { data: Object(Data { object: Object(user) }) } = read_object(what, body)?;
    let mut name = full_name(user.given_name.as_deref(), user.family_name.as_deref());
    if name.is_empty() {
        // Who signs up with an address and gives no name is called by the address.
        name = user.name.filter(|name| user.email.as_ref() != Some(name)).unwrap_or_default();
    }
    let person = Person::named(user.email.as_deref(), Some(&name), &[user.user_metadata]);
    Ok(Some(NewUser { id: user.user_id, person, blocks_sign_up: false }))
}
