//! `/v1/api-keys`: what a key shall be, and what is answered when it is made.

use crate::api_key::NewApiKey;
use crate::object::Object;
use crate::problem::{Kind, Problem};
use crate::statements::read_answer;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The largest body, bytes: it holds a name and some ids.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// The longest name, characters.
const MAX_NAME_LENGTH: usize = 200;
/// The longest life.
const MAX_YEARS: i64 = 10;
/// All that a key can be allowed.
const SCOPES: [&str; 2] = ["events:write", "metrics:read"];

/// A key as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The one store it is for; every store of the organization when left out.
    pub store_id: Option<Uuid>,
    /// When it ends, RFC 3339 in UTC, to the second; never when left out.
    pub expires_at: Option<String>,
}

/// The answer that holds the key itself, the only one ever.
#[derive(Serialize)]
pub struct Made<'a> {
    key: &'a str,
    #[serde(flatten)]
    stored: Map<String, Value>,
}

impl Wanted {
    /// Reads a body. Whether there is such a store, the database knows.
    pub fn read(body: &[u8], now: Timestamp) -> Result<Self, Problem> {
        let Object(mut wanted): Object<Self> = serde_json::from_slice(body).map_err(malformed)?;
        check_name(&wanted.name)?;
        check_scopes(&wanted.scopes)?;
        wanted.expires_at = wanted.expires_at.map(|text| expiry(&text, now)).transpose()?;
        Ok(wanted)
    }
}

impl<'a> Made<'a> {
    /// The answer to a new key, of what the database says of it.
    pub fn new(key: &'a NewApiKey, stored: &str) -> Result<Self, Problem> {
        Ok(Self { key: key.text(), stored: read_answer(stored)? })
    }
}

/// The id at the end of the path. What is no id is that of no key.
pub fn id(text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::new(Kind::UnknownApiKey, "There is no such API key: its id is a UUID."))
}

fn check_name(name: &str) -> Result<(), Problem> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > MAX_NAME_LENGTH {
        return Err(invalid(format!(
            "`name` has 1 to {MAX_NAME_LENGTH} characters, not {length} and not only spaces."
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid("`name` has no control characters.".to_owned()));
    }
    Ok(())
}

fn check_scopes(scopes: &[String]) -> Result<(), Problem> {
    let is_new = |(index, scope): (usize, &String)| !scopes[..index].contains(scope);
    let are_known = scopes.iter().all(|scope| SCOPES.contains(&scope.as_str()));
    if scopes.is_empty() || !are_known || !scopes.iter().enumerate().all(is_new) {
        return Err(invalid(format!("`scopes` has one or more of `{}`, each once.", SCOPES.join("`, `"))));
    }
    Ok(())
}

/// An instant that is still to come, to the second: what is left of the last one is not given.
fn expiry(text: &str, now: Timestamp) -> Result<String, Problem> {
    let too_late = now.to_zoned(TimeZone::UTC).checked_add(MAX_YEARS.years()).map(|time| time.timestamp());
    // The parser takes a zone in brackets and forgets it.
    let time = if text.ends_with(']') { None } else { text.parse::<Timestamp>().ok() };
    let (Some(time), Ok(too_late)) = (time, too_late) else {
        return Err(invalid("`expires_at` is a time with an offset, as 2027-01-31T00:00:00Z (RFC 3339).".to_owned()));
    };
    let rounding = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor);
    let whole = time.round(rounding).map_err(|error| Problem::ours(Kind::Internal, error))?;
    if whole <= now || time > too_late {
        return Err(invalid(format!("`expires_at` is in the future, and at most {MAX_YEARS} years ahead.")));
    }
    Ok(whole.to_string())
}

fn malformed(error: serde_json::Error) -> Problem {
    Problem::new(Kind::MalformedBody, format!("Send {{\"name\": \"…\", \"scopes\": [\"…\"]}}: {error}."))
}

fn invalid(detail: String) -> Problem {
    Problem::new(Kind::InvalidField, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: &str = "2026-11-25T10:00:00.5Z";

    fn read(body: &Value) -> Result<Wanted, Problem> {
        Wanted::read(body.to_string().as_bytes(), NOW.parse().unwrap())
    }

    fn with(field: &str, value: Value) -> Result<Wanted, Problem> {
        let mut body = json!({"name": "Shopify sync", "scopes": ["events:write"]});
        body[field] = value;
        read(&body)
    }

    #[track_caller]
    fn assert_refused(wanted: Result<Wanted, Problem>, kind: Kind) {
        assert_eq!(wanted.unwrap_err().kind(), kind);
    }

    #[test]
    fn what_is_left_out_is_every_store_for_ever() {
        let wanted = read(&json!({"name": "n", "scopes": ["metrics:read", "events:write"]})).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.store_id, wanted.expires_at), ("n", None, None));
        assert_eq!(wanted.scopes, ["metrics:read", "events:write"]);
        let wanted = with("store_id", Value::Null).unwrap();
        assert_eq!(wanted.store_id, None);
    }

    #[test]
    fn names_are_counted_in_characters() {
        for name in ["é".repeat(200), "x".to_owned(), " 🗝 ".to_owned()] {
            assert_eq!(with("name", json!(name)).unwrap().name, name);
        }
        for name in [
            "é".repeat(201),
            String::new(),
            "  ".to_owned(),
            "a\nb".to_owned(),
            "a\u{0}".to_owned(),
            "\u{7f}x".to_owned(),
            "\u{85}x".to_owned(),
        ] {
            assert_refused(with("name", json!(name)), Kind::InvalidField);
        }
    }

    #[test]
    fn scopes_are_a_set_of_known_ones() {
        for scopes in [
            json!([]),
            json!(["events:write", "events:write"]),
            json!(["*"]),
            json!(["events:write", "admin"]),
            json!(["Events:Write"]),
        ] {
            assert_refused(with("scopes", scopes), Kind::InvalidField);
        }
    }

    #[test]
    fn a_key_ends_in_the_future_and_not_too_far_in_it() {
        for (written, understood) in [
            ("2026-11-25T10:00:01Z", "2026-11-25T10:00:01Z"),
            ("2027-01-31T00:00:00.999+02:00", "2027-01-30T22:00:00Z"),
            ("2036-11-25T10:00:00Z", "2036-11-25T10:00:00Z"),
        ] {
            assert_eq!(with("expires_at", json!(written)).unwrap().expires_at.unwrap(), understood);
        }
        for wrong in [
            "2026-11-25T10:00:00.9Z",
            "2026-11-25T10:00:00Z",
            "2020-01-01T00:00:00Z",
            "2036-11-25T10:00:01Z",
            "9999-12-31T23:59:59Z",
            "-009998-01-01T00:00:00Z",
            "2027-01-31",
            "2027-01-31T00:00:00",
            "tomorrow",
            "",
            "2027-01-31T00:00:00+02:00[Europe/Athens]",
        ] {
            assert_refused(with("expires_at", json!(wrong)), Kind::InvalidField);
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        for body in [
            json!({}),
            json!(["n", ["events:write"], null, null]),
            json!({"name": "n"}),
            json!("n"),
            json!({"scopes": ["events:write"]}),
        ] {
            assert_refused(read(&body), Kind::MalformedBody);
        }
        for (field, value) in [
            ("name", json!(7)),
            ("name", Value::Null),
            ("scopes", json!("events:write")),
            ("store_id", json!("s")),
            ("expires_at", json!(1_900_000_000)),
            ("key", json!("tally_x")),
            ("stores", json!([])),
        ] {
            assert_refused(with(field, value), Kind::MalformedBody);
        }
        assert_refused(Wanted::read(b"{", NOW.parse().unwrap()), Kind::MalformedBody);
    }

    #[test]
    fn the_key_stands_in_its_answer_once() {
        let key = NewApiKey::generate().unwrap();
        let made = Made::new(&key, r#"{"id": "1", "expires_at": null}"#).unwrap();
        let answer = serde_json::to_value(&made).unwrap();
        assert_eq!(answer, json!({"id": "1", "expires_at": null, "key": key.text()}));
    }

    #[test]
    fn what_is_no_id_is_no_key() {
        assert!(id("22222222-2222-4222-8222-222222222222").is_ok());
        assert_eq!(id("x").unwrap_err().kind(), Kind::UnknownApiKey);
    }
}
