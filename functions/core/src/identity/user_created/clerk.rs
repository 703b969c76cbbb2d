//! Clerk, through Svix: `{"object": "event", "type": "user.created", "data": {"object": "user", …}}`.

use super::{NewUser, full_name};
use crate::identity::person::Person;
use crate::identity::read_object;
use crate::object::Object;
use crate::problem::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    data: Object<User<'a>>,
}

#[derive(Deserialize)]
struct User<'a> {
    id: String,
    email_addresses: Option<Vec<Object<Address>>>,
    primary_email_address_id: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// What the application's front end may write, at sign-up say.
    #[serde(borrow)]
    unsafe_metadata: Option<&'a RawValue>,
    /// What only the application's back end writes, which therefore counts more.
    #[serde(borrow)]
    public_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Address {
    id: Option<String>,
    email_address: String,
}

pub(super) fn read(body: &[u8]) -> Result<Option<NewUser>, Problem> {
    let Event { data: Object(user) } = read_object("user.created of Clerk", body)?;
    let addresses = user.email_addresses.unwrap_or_default();
    let is_primary = |address: &Address| address.id.is_some() && address.id == user.primary_email_address_id;
    let primary = addresses.iter().find(|Object(address)| is_primary(address));
    let email = primary.or(addresses.first()).map(|Object(address)| address.email_address.as_str());
    let name = full_name(user.first_name.as_deref(), user.last_name.as_deref());
    let person = Person::named(email, Some(&name), &[user.unsafe_metadata, user.public_metadata]);
    Ok(Some(NewUser { id: user.id, person, blocks_sign_up: false }))
}
