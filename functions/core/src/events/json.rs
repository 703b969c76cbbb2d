//! `application/json`: one event, an array of events, or `{"events": [...]}`.

use crate::problem::{Kind, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The events of a body, each as it was written.
pub(super) fn split(body: &[u8]) -> Result<Vec<&RawValue>, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Envelope<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }

    let malformed =
        |error: serde_json::Error| Problem::new(Kind::MalformedBody, format!("The body is not valid JSON: {error}."));
    let whole: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
    match whole.get().as_bytes().first() {
        Some(b'[') => serde_json::from_str(whole.get()).map_err(malformed),
        Some(b'{') => {
            let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(whole.get()).map_err(malformed)?;
            if fields.contains_key("events") {
                let envelope: Envelope<'_> = serde_json::from_str(whole.get()).map_err(|error| {
                    Problem::new(Kind::MalformedBody, format!("The body is not {{\"events\": [...]}}: {error}."))
                })?;
                Ok(envelope.events)
            } else {
                Ok(vec![whole])
            }
        }
        _ => Err(Problem::new(Kind::MalformedBody, "Send an event, an array of events, or {\"events\": [...]}.")),
    }
}
