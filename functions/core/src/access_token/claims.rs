//! The claims of an access token, and under which names it has those of an organization.

use crate::problem::{Kind, Problem};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// How the access-token hook calls them.
const USUAL: [&str; 2] = ["org_id", "user_role"];

/// What tokens call organization and role: some providers keep the usual names to themselves, or take namespaced ones only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    pub(super) organization: String,
    pub(super) role: String,
}

/// Names under which no two claims could be found.
#[derive(Debug, thiserror::Error)]
pub enum ClaimNamesError {
    /// There is no such claim.
    #[error("the name of a claim is empty")]
    Empty,
    /// One claim cannot be both.
    #[error("organization and role are the same claim")]
    Same,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let [organization, role] = USUAL.map(str::to_owned);
        Self { organization, role }
    }
}

impl ClaimNames {
    /// These names, taken as they are: neither dots nor slashes in them mean anything.
    pub fn new(organization: &str, role: &str) -> Result<Self, ClaimNamesError> {
        if organization.is_empty() || role.is_empty() {
            return Err(ClaimNamesError::Empty);
        }
        if organization == role {
            return Err(ClaimNamesError::Same);
        }
        Ok(Self { organization: organization.to_owned(), role: role.to_owned() })
    }
}

/// The claims, each there once (RFC 7519, 4), unread until they are asked for.
pub(super) struct Claims(BTreeMap<String, Box<RawValue>>);

impl Claims {
    /// A claim that may be missing, or null; what it is must be right all the same.
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|_| Problem::new(Kind::InvalidToken, super::UNREADABLE))
    }

    /// A claim that applications may have for something of their own: what is no text says nothing to us.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).ok().flatten()
    }

    /// Whether a claim says anything but no: what it says in another way than it should counts as a yes.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get::<bool>(name).map_or(true, Option::unwrap_or_default)
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        let mut claims = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if claims.insert(name, value).is_some() {
                return Err(A::Error::custom("a claim stands there twice"));
            }
        }
        Ok(Claims(claims))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_have_two_names() {
        assert_eq!(ClaimNames::new("org_id", "user_role").unwrap(), ClaimNames::default());
        assert!(matches!(ClaimNames::new("", "user_role"), Err(ClaimNamesError::Empty)));
        assert!(matches!(ClaimNames::new("org_id", ""), Err(ClaimNamesError::Empty)));
        assert!(matches!(ClaimNames::new("x", "x"), Err(ClaimNamesError::Same)));
    }

    #[test]
    fn a_claim_is_there_once_and_of_its_type() {
        let claims = |text: &str| serde_json::from_str::<Claims>(text);
        let read = claims(r#"{"a": "x", "b": null, "c": 7, "d": [1e999]}"#).unwrap();
        assert_eq!(read.get::<String>("a").unwrap().as_deref(), Some("x"));
        assert_eq!(read.get::<String>("b").unwrap(), None);
        assert_eq!(read.get::<String>("e").unwrap(), None);
        assert_eq!(read.get::<String>("c").unwrap_err().kind(), Kind::InvalidToken);
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(|name| read.text(name)),
            [Some("x".to_owned()), None, None, None, None]
        );
        for text in [r#"{"a": 1, "a": 1}"#, r#"{"a": 1, "\u0061": 2}"#, "[]", "null"] {
            assert!(claims(text).is_err(), "{text}");
        }
    }
    #[test]
    fn a_claim_that_does_not_plainly_say_no_is_set() {
        let is_set = |value: &str| serde_json::from_str::<Claims>(&format!(r#"{{"a": {value}}}"#)).unwrap().is_set("a");
        assert!(!is_set("false") && !is_set("null") && !serde_json::from_str::<Claims>("{}").unwrap().is_set("a"));
        for value in ["true", r#""true""#, r#""false""#, "0", "1", "[]", "{}"] {
            assert!(is_set(value), "{value}");
        }
    }
}
