//! `PUT /v1/me/active-organization`: what a user chooses.

use crate::object::Object;
use crate::problem::{Kind, Problem};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// The largest body, bytes: it holds an id.
pub const MAX_BODY_BYTES: usize = 4 * 1024;

/// The organization to work in, or none to go back to the one joined first.
#[derive(Debug, Deserialize)]
pub struct Choice {
    /// The organization.
    #[serde(deserialize_with = "id_or_null")]
    pub org_id: Option<Uuid>,
}

/// With a function of its own a field that is left out is an error, and not null.
fn id_or_null<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Uuid>, D::Error> {
    Option::deserialize(value)
}

impl Choice {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let Object(choice) = serde_json::from_slice(body).map_err(|error| {
            let detail = format!("Send {{\"org_id\": \"…\"}}, or null to choose none: {error}.");
            Problem::new(Kind::MalformedBody, detail)
        })?;
        Ok(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "22222222-2222-4222-8222-222222222222";

    #[test]
    fn an_id_chooses_and_null_takes_back() {
        let body = format!(r#"{{"org_id": "{ORG}"}}"#);
        assert_eq!(Choice::read(body.as_bytes()).unwrap().org_id.unwrap().to_string(), ORG);
        assert_eq!(Choice::read(br#"{"org_id": null}"#).unwrap().org_id, None);
    }

    #[test]
    fn nothing_is_taken_back_by_mistake() {
        let positional = format!(r#"["{ORG}"]"#);
        for body in [
            "",
            "null",
            "{}",
            "[]",
            "[null]",
            &positional,
            r#"{"orgid": null}"#,
            r#"{"org_id": ""}"#,
            r#"{"org_id": 7}"#,
            r#"{"org_id": "acme"}"#,
        ] {
            assert_eq!(Choice::read(body.as_bytes()).unwrap_err().kind(), Kind::MalformedBody, "{body}");
        }
    }
}
