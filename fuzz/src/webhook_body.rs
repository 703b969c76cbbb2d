//! The body of a webhook whose signature fits: it still says whatever a person entered at sign-up.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tally_core::identity::access_token_hook::{Event, OrganizationClaims};
use tally_core::identity::person::Person;
use tally_core::identity::sender::Sender;
use tally_core::identity::user_created::{self, Decision};

const ISSUER: &str = "https://id.example/auth/v1";

type Claims = BTreeMap<String, Box<RawValue>>;

/// Every claim goes out as it was written, no claim of an organization but ours does, and what is told of a person is what
/// Postgres takes.
pub fn webhook_body(data: &[u8]) {
    for sender in [Sender::StandardWebhooks, Sender::WorkOs, Sender::SupabaseDatabase, Sender::Auth0, Sender::Kinde] {
        let told = || user_created::decide(sender, ISSUER, data).ok();
        let Some(Decision::Provision { person, .. }) = told() else { continue };
        assert_storable(&person);
        assert_eq!(told(), told(), "one sign-up told twice is two");
    }
    let Ok(event) = Event::read(data) else { return };
    assert_storable(&event.person());
    let mut expected = claims_of(data);
    expected.retain(|name, _| name != "org_id" && name != "user_role");
    let Ok(answer) = event.answer(&nowhere()) else { panic!("the claims cannot be answered") };
    let Ok(answer) = serde_json::to_vec(&answer) else { panic!("the answer cannot be written") };
    assert_eq!(written(&claims_of(&answer)), written(&expected));
}

fn nowhere() -> OrganizationClaims {
    match serde_json::from_str("{}") {
        Ok(claims) => claims,
        Err(error) => panic!("no organization: {error}"),
    }
}

/// The claims of a body or an answer, read apart from core. Where nobody looks there may be what is no text.
fn claims_of(document: &[u8]) -> Claims {
    let document = String::from_utf8_lossy(document);
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(&document).unwrap_or_default();
    fields.get("claims").and_then(|claims| serde_json::from_str(claims.get()).ok()).unwrap_or_default()
}

fn written(claims: &Claims) -> BTreeMap<&str, &str> {
    claims.iter().map(|(name, value)| (name.as_str(), value.get())).collect()
}

fn assert_storable(person: &Person) {
    let profile: Map<String, Value> = serde_json::from_str(&person.profile).unwrap_or_default();
    assert_eq!(serde_json::to_string(&profile).ok().as_ref(), Some(&person.profile), "no plain object");
    let texts = profile.iter().flat_map(|(key, value)| [Some(key.as_str()), value.as_str()]);
    for text in texts.chain([Some(person.email.as_deref().unwrap_or_default())]) {
        assert!(text.is_some_and(|text| !text.contains(char::is_control)), "{person:?}");
    }
}
