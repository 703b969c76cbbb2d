//! What is kept of an event that was not taken.

use super::event::{Naming, Store};
use super::name::{MAX_ID_BYTES, has_control_characters};
use serde::Serialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// The most that is kept of its text, bytes.
const MAX_RAW_BYTES: usize = 65_536;

/// An event of bad form, as `api.ingest_events` takes it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rejection<'a> {
    /// Its number within the request, from 0.
    #[serde(skip)]
    pub index: usize,
    /// What is wrong with it.
    pub code: &'a str,
    /// The same for a person.
    pub detail: &'a str,
    /// What it says of itself.
    #[serde(flatten)]
    pub known: Known,
    /// The event as it was sent, cut if it is large, and no NUL in it: a text that Postgres takes.
    #[serde(skip)]
    pub body: Cow<'a, str>,
}

/// What could be read of an event, as far as it is fit to be kept.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its metric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Its store's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<Uuid>,
}

/// The bytes of an event as a text that Postgres takes.
pub(super) fn raw(bytes: &[u8]) -> Cow<'_, str> {
    // A few bytes more, so that a character across the cut is cut off, and not taken for a broken one.
    match String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_RAW_BYTES + 4)]) {
        Cow::Borrowed(text) if !text.contains('\0') => Cow::Borrowed(&text[..text.floor_char_boundary(MAX_RAW_BYTES)]),
        text => Cow::Owned(without_nul(&text)),
    }
}

/// A run of what is no text is one U+FFFD, which has three bytes: so a body of nothing else does not grow.
fn without_nul(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0' | '\u{fffd}' if kept.ends_with('\u{fffd}') => {}
            '\0' => kept.push('\u{fffd}'),
            _ => kept.push(character),
        }
    }
    kept.truncate(kept.floor_char_boundary(MAX_RAW_BYTES));
    kept
}

/// Reads what can be read of an event, up to where it cannot be read any more.
pub(super) fn known(raw: &str, naming: &Naming) -> Known {
    let mut reader = Reader { naming, known: Known::default() };
    // What was read before an error counts.
    let _ended = serde_json::Deserializer::from_str(raw).deserialize_map(&mut reader);
    reader.known
}

struct Reader<'n> {
    naming: &'n Naming,
    known: Known,
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            let value: &RawValue = fields.next_value()?;
            let text = serde_json::from_str::<Cow<'_, str>>(value.get()).unwrap_or_default();
            if !text.is_empty() && text.len() <= MAX_ID_BYTES && !has_control_characters(&text) {
                self.take(&name, text);
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    fn take(&mut self, name: &str, text: Cow<'_, str>) {
        let Self { naming, known } = self;
        if name == naming.store {
            if let Ok(Store::Id(id)) = (naming.store_of)(text) {
                known.store_id = Some(id);
            }
        } else if name == naming.metric {
            known.metric = Some(text.into_owned());
        } else if name == "id" {
            known.event_id = Some(text.into_owned());
        } else if name == "source" {
            known.source = Some(text.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cloud_event::CloudEvent;
    use super::super::event::{Event, OwnEvent};
    use super::*;

    const STORE: &str = "33333333-3333-4333-8333-333333333333";

    #[test]
    fn a_text_is_kept_as_it_was_sent_but_for_what_is_no_text() {
        assert!(matches!(raw(b"{\"a\":\"\xc3\xa9\"}"), Cow::Borrowed("{\"a\":\"é\"}")));
        assert_eq!(raw(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(raw(&b"x".repeat(MAX_RAW_BYTES)).len(), MAX_RAW_BYTES);
        assert_eq!(raw(&b"x".repeat(MAX_RAW_BYTES + 1)).len(), MAX_RAW_BYTES);
        // A character across the cut goes as a whole, wherever in it the cut is.
        for before in 1..=4 {
            let text = format!("{}😀{}", "x".repeat(MAX_RAW_BYTES - before), "y".repeat(9));
            let kept = raw(text.as_bytes());
            assert!(
                text.starts_with(&*kept)
                    && kept.len() == if before == 4 { MAX_RAW_BYTES } else { MAX_RAW_BYTES - before }
            );
        }
        assert_eq!(raw(b"\0\0\xff\0{\0\xfe\"\0"), "\u{fffd}{\u{fffd}\"\u{fffd}");
        // What stands for a NUL is longer than it.
        let grown = raw(&b"\0x".repeat(MAX_RAW_BYTES / 2)).len();
        assert!((MAX_RAW_BYTES - 2..=MAX_RAW_BYTES).contains(&grown), "{grown}");
    }

    #[test]
    fn what_can_be_read_of_an_event_is_known() {
        let full = format!(r#"{{"id":"1","metric":"revenue","store_id":"{STORE}","source":"a\u0062","value":}}"#);
        let read = known(&full, &OwnEvent::NAMING);
        assert_eq!((read.event_id.as_deref(), read.source.as_deref()), (Some("1"), Some("ab")));
        assert_eq!((read.metric.as_deref(), read.store_id), (Some("revenue"), Uuid::try_parse(STORE).ok()));

        let cloud = r#"{"id":"1","type":"revenue","subject":"acme.example","metric":"x","store_id":"y"}"#;
        let read = known(cloud, &CloudEvent::NAMING);
        assert_eq!(read.metric.as_deref(), Some("revenue"));
        assert_eq!(read.store_id, None);
    }

    #[test]
    fn what_is_not_fit_to_be_kept_is_not_known() {
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(256));
        for raw in [
            "",
            "7",
            "[]",
            "[\"id\"]",
            "{}",
            "{\"id\"",
            "{\"id\":1}",
            r#"{"id":"\u0000"}"#,
            r#"{"id":"\ud800"}"#,
            &long,
        ] {
            assert_eq!(known(raw, &OwnEvent::NAMING), Known::default(), "{raw}");
        }
        assert_eq!(known(r#"{"store_id":"acme"}"#, &OwnEvent::NAMING), Known::default());
    }
}
