//! JSON bodies: one event, an array of events, or `{"events": [...]}`.
//!
//! An array is gone through by hand, so that each event is parsed once, as what it should be. Only one that is not, is gone
//! over again to find its end.

use super::event::{Event, OwnEvent};
use super::fault::unreadable;
use super::reading::Reading;
use crate::object::Object;
use crate::problem::{Kind, Problem};
use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::Deserializer;
use std::collections::BTreeMap;

/// RFC 8259, section 2.
const WHITESPACE: [char; 4] = [' ', '\t', '\r', '\n'];
const NO_ARRAY: &str = "The body is not an array of events.";
const NO_ENVELOPE: &str = "The body is not {\"events\": [...]}.";

/// Reads one event of our own, an array of them, or `{"events": [...]}`.
pub(super) fn one_or_more(reading: &mut Reading, body: &[u8]) -> Result<(), Problem> {
    let text = Cursor::over(body)?;
    match text.peek() {
        Some(b'[') => array::<OwnEvent<'_>>(reading, text),
        Some(b'{') => {
            let mut ahead = text.clone();
            if ahead.take("{") && matches!(ahead.value(), Ok(Name::Events)) && ahead.take(":") {
                return envelope(reading, ahead);
            }
            single_of_our_own(reading, text)
        }
        _ => Err(text.problem("Send an event, an array of events, or {\"events\": [...]}.")),
    }
}

/// Reads the rest of an envelope, behind `{"events":`.
fn envelope(reading: &mut Reading, mut text: Cursor<'_>) -> Result<(), Problem> {
    elements::<OwnEvent<'_>>(reading, &mut text, NO_ENVELOPE)?;
    text.require("}", NO_ENVELOPE)?;
    text.require_end(NO_ENVELOPE)
}

/// Reads one event. With `events` among its fields it was to be an envelope, which has no other ones.
fn single_of_our_own(reading: &mut Reading, text: Cursor<'_>) -> Result<(), Problem> {
    if serde_json::from_str::<Object<OwnEvent<'_>>>(text.rest()).is_err() && names_events(text.whole)? {
        return Err(text.problem(NO_ENVELOPE));
    }
    single::<OwnEvent<'_>>(reading, text)
}

fn names_events(object: &str) -> Result<bool, Problem> {
    let names: BTreeMap<Name, IgnoredAny> = serde_json::from_str(object).map_err(malformed)?;
    Ok(names.contains_key(&Name::Events))
}

/// The name of a field. The others are one, so that an object of very many takes no memory.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    Events,
    #[serde(other)]
    Other,
}

fn malformed(error: serde_json::Error) -> Problem {
    Problem::new(Kind::MalformedBody, format!("The body is not valid JSON: {error}."))
}

/// Reads one event.
pub(super) fn one<'a, E: Event<'a>>(reading: &mut Reading, body: &'a [u8]) -> Result<(), Problem> {
    let text = Cursor::over(body)?;
    match text.peek() {
        Some(b'{') => single::<E>(reading, text),
        _ => Err(text.problem("Send one event, which is an object.")),
    }
}

/// Reads an array of events.
pub(super) fn many<'a, E: Event<'a>>(reading: &mut Reading, body: &'a [u8]) -> Result<(), Problem> {
    let text = Cursor::over(body)?;
    match text.peek() {
        Some(b'[') => array::<E>(reading, text),
        _ => Err(text.problem("Send an array of events.")),
    }
}

fn single<'a, E: Event<'a>>(reading: &mut Reading, text: Cursor<'a>) -> Result<(), Problem> {
    let event = text.rest().trim_end_matches(WHITESPACE);
    let range = text.at..text.at + event.len();
    match serde_json::from_str(event) {
        Ok(Object(event)) => reading.event(range, Ok::<E, _>(event)),
        Err(error) => {
            serde_json::from_str::<IgnoredAny>(text.whole).map_err(malformed)?;
            reading.event::<E>(range, Err(unreadable(&error)))
        }
    }
}

fn array<'a, E: Event<'a>>(reading: &mut Reading, mut text: Cursor<'a>) -> Result<(), Problem> {
    elements::<E>(reading, &mut text, NO_ARRAY)?;
    text.require_end(NO_ARRAY)
}

/// Reads the events of an array. What is no array is `otherwise`.
fn elements<'a, E: Event<'a>>(reading: &mut Reading, text: &mut Cursor<'a>, otherwise: &str) -> Result<(), Problem> {
    text.require("[", otherwise)?;
    if text.take("]") {
        return Ok(());
    }
    loop {
        element::<E>(reading, text, otherwise)?;
        if text.take("]") {
            return Ok(());
        }
        text.require(",", otherwise)?;
    }
}

fn element<'a, E: Event<'a>>(reading: &mut Reading, text: &mut Cursor<'a>, otherwise: &str) -> Result<(), Problem> {
    text.skip_whitespace();
    let start = text.at;
    let event = match text.value() {
        Ok(Object(event)) => Ok(event),
        Err(error) => {
            text.value::<IgnoredAny>().map_err(|_| text.problem(otherwise))?;
            Err(unreadable(&error))
        }
    };
    reading.event::<E>(start..text.at, event)
}

/// A place in a body.
#[derive(Clone)]
struct Cursor<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first byte that means something.
    fn over(body: &'a [u8]) -> Result<Self, Problem> {
        let whole = std::str::from_utf8(body)
            .map_err(|error| Problem::new(Kind::MalformedBody, format!("The body is not UTF-8: {error}.")))?;
        let mut text = Self { whole, at: 0 };
        text.skip_whitespace();
        Ok(text)
    }

    fn rest(&self) -> &'a str {
        self.whole.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.whole.as_bytes().get(self.at).copied()
    }

    fn skip_whitespace(&mut self) {
        self.at = self.whole.len() - self.rest().trim_start_matches(WHITESPACE).len();
    }

    /// Goes on behind `token` and the whitespace after it, if it is there.
    fn take(&mut self, token: &str) -> bool {
        self.skip_whitespace();
        let is_there = self.rest().starts_with(token);
        if is_there {
            self.at += token.len();
            self.skip_whitespace();
        }
        is_there
    }

    /// The same where `token` has to be.
    fn require(&mut self, token: &str, otherwise: &str) -> Result<(), Problem> {
        if self.take(token) { Ok(()) } else { Err(self.problem(otherwise)) }
    }

    fn require_end(&self, otherwise: &str) -> Result<(), Problem> {
        if self.at == self.whole.len() { Ok(()) } else { Err(self.problem(otherwise)) }
    }

    /// Goes on behind a value, if one is there that is of this form.
    fn value<T: Deserialize<'a>>(&mut self) -> serde_json::Result<T> {
        let mut values = Deserializer::from_str(self.rest()).into_iter();
        let value = values.next().unwrap_or_else(|| Err(serde_json::Error::custom("there is nothing")))?;
        self.at += values.byte_offset();
        Ok(value)
    }

    /// What is wrong with the whole: its JSON, or else what the caller says.
    fn problem(&self, otherwise: &str) -> Problem {
        match serde_json::from_str::<IgnoredAny>(self.whole) {
            Err(error) => malformed(error),
            Ok(_) => Problem::new(Kind::MalformedBody, otherwise),
        }
    }
}
