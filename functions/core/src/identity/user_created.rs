//! `POST /hooks/user-created`: what a provider says of a new user, and what is to be done about it.
//!
//! The payload is Supabase Auth's `before-user-created` and `after-user-created` hook: `{"metadata": {"name"}, "user": {…}}`.

use super::person::Person;
use crate::problem::{Kind, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// What to do about a new user.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make the organization.
    Provision {
        /// The user.
        user_id: Uuid,
        /// Who it is, which names the organization.
        person: Person,
    },
    /// Nothing to make now: an anonymous user, or an id that may not last.
    Nothing,
}

#[derive(Deserialize)]
struct Payload<'a> {
    metadata: Option<Metadata>,
    #[serde(borrow)]
    user: User<'a>,
}

#[derive(Default, Deserialize)]
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
    app_metadata: Option<AppMetadata>,
}

#[derive(Deserialize)]
struct AppMetadata {
    provider: Option<String>,
}

/// Reads a payload whose signature was verified.
pub fn decide(body: &[u8]) -> Result<Decision, Problem> {
    let Payload { metadata, user } = serde_json::from_slice(body).map_err(|error| {
        Problem::new(Kind::MalformedBody, format!("The body is not a user-created payload: {error}."))
    })?;
    let provider = user.app_metadata.and_then(|metadata| metadata.provider);
    let hook = metadata.unwrap_or_default().name;
    // Before the user is stored its id is final for e-mail and phone; other providers' users get another one later
    // (supabase/supabase#41309), and would leave an organization that nobody owns.
    let id_may_change = hook == "before-user-created" && !matches!(provider.as_deref(), None | Some("email" | "phone"));
    if user.is_anonymous.unwrap_or_default() || id_may_change {
        return Ok(Decision::Nothing);
    }
    Ok(Decision::Provision { user_id: user.id, person: Person::new(user.email.as_deref(), user.user_metadata) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const USER: &str = "ff7fc9ae-3b1b-4642-9241-64adb9848a03";

    fn payload(hook: &str, provider: &str) -> Value {
        json!({
            "metadata": {"uuid": "8b34dcdd-9df1-4c10-850a-b3277c653040", "name": hook, "ip_address": "127.0.0.1"},
            "user": {
                "id": USER, "aud": "authenticated", "role": "", "email": "w@acme.example", "phone": "",
                "app_metadata": {"provider": provider, "providers": [provider]}, "user_metadata": {},
                "identities": [], "created_at": "0001-01-01T00:00:00Z", "is_anonymous": false
            }
        })
    }

    fn decision(payload: &Value) -> Decision {
        decide(payload.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_new_user_gets_an_organization() {
        let person = Person { email: Some("w@acme.example".into()), profile: "{}".into() };
        let expected = Decision::Provision { user_id: USER.parse().unwrap(), person };
        assert_eq!(decision(&payload("after-user-created", "google")), expected);
        assert_eq!(decision(&payload("before-user-created", "email")), expected);
    }

    #[test]
    fn an_id_that_may_change_is_not_used() {
        assert_eq!(decision(&payload("before-user-created", "google")), Decision::Nothing);
    }

    #[test]
    fn an_anonymous_user_gets_none() {
        let mut payload = payload("after-user-created", "email");
        payload["user"]["is_anonymous"] = json!(true);
        assert_eq!(decision(&payload), Decision::Nothing);
    }

    #[test]
    fn null_metadata_is_no_metadata() {
        let mut payload = payload("after-user-created", "email");
        payload["user"]["user_metadata"] = Value::Null;
        payload["user"]["app_metadata"] = Value::Null;
        payload["user"]["is_anonymous"] = Value::Null;
        payload["metadata"] = Value::Null;
        assert!(matches!(decision(&payload), Decision::Provision { .. }));
    }

    #[test]
    fn a_profile_too_deep_to_read_is_none() {
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let body = payload("after-user-created", "email")
            .to_string()
            .replace(r#""user_metadata":{}"#, &format!(r#""user_metadata":{deep}"#));
        assert!(body.contains("[[["));
        assert!(matches!(decide(body.as_bytes()).unwrap(), Decision::Provision { .. }));
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        for body in ["", "{", "[]", "{}", r#"[{}, {}]"#, r#"{"user": {"id": "1"}}"#, r#"{"user": null}"#] {
            assert_eq!(decide(body.as_bytes()).unwrap_err().kind(), Kind::MalformedBody, "{body}");
        }
    }
}
