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
use serde::de::IgnoredAny;
use serde_json::Deserializer;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// RFC 8259, section 2.
const WHITESPACE: [char; 4] = [' ', '\t', '\r', '\n'];
const NO_ENVELOPE: &str = "The body is not {\"events\": [...]}.";

/// Reads one event of our own, an array of them, or `{"events": [...]}`.
pub(super) fn one_or_more(reading: &mut Reading, body: &[u8]) -> Result<(), Problem> {
    let text = Cursor::over(body)?;
    match text.peek() {
        Some(b'[') => array::<OwnEvent<'_>>(reading, text),
        Some(b'{') => {
            // The usual envelope, which need not be parsed to find its events.
            let mut ahead = text.clone();
            if ahead.take("{") && ahead.take("\"events\"") && ahead.take(":") && ahead.peek() == Some(b'[') {
                let whole = elements::<OwnEvent<'_>>(reading, &mut ahead) && ahead.take("}") && ahead.is_at_end();
                return whole.then_some(()).ok_or_else(|| text.problem(NO_ENVELOPE));
            }
            single_or_envelope(reading, text)
        }
        _ => Err(text.problem("Send an event, an array of events, or {\"events\": [...]}.")),
    }
}

/// Reads an object that is an event, unless it has `events`, perhaps written in another way than usual.
fn single_or_envelope(reading: &mut Reading, text: Cursor<'_>) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Envelope<'a> {
        #[serde(borrow)]
        events: &'a RawValue,
    }

    if serde_json::from_str::<Object<OwnEvent<'_>>>(text.rest()).is_ok() || !names_events(text.whole)? {
        return single::<OwnEvent<'_>>(reading, text);
    }
    let Object(Envelope { events }) = serde_json::from_str(text.whole).map_err(|error| {
        Problem::new(Kind::MalformedBody, format!("The body is not {{\"events\": [...]}}: {error}."))
    })?;
    let at = events.get().as_ptr().addr() - text.whole.as_ptr().addr();
    let whole = elements::<OwnEvent<'_>>(reading, &mut Cursor { whole: text.whole, at });
    whole.then_some(()).ok_or_else(|| text.problem(NO_ENVELOPE))
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
            reading.event::<E>(range, Err(unreadable(&error)));
        }
    }
    Ok(())
}

fn array<'a, E: Event<'a>>(reading: &mut Reading, mut text: Cursor<'a>) -> Result<(), Problem> {
    let whole = elements::<E>(reading, &mut text) && text.is_at_end();
    whole.then_some(()).ok_or_else(|| text.problem("The body is not an array of events."))
}

/// Reads the events of an array; whether it is one to its end.
fn elements<'a, E: Event<'a>>(reading: &mut Reading, text: &mut Cursor<'a>) -> bool {
    if !text.take("[") {
        return false;
    }
    if text.take("]") {
        return true;
    }
    loop {
        if !element::<E>(reading, text) {
            return false;
        }
        if text.take("]") {
            return true;
        }
        if !text.take(",") {
            return false;
        }
    }
}

/// Reads one event of an array; whether it is JSON.
fn element<'a, E: Event<'a>>(reading: &mut Reading, text: &mut Cursor<'a>) -> bool {
    text.skip_whitespace();
    let (rest, start) = (text.rest(), text.at);
    let mut events = Deserializer::from_str(rest).into_iter::<Object<E>>();
    let event = match events.next() {
        Some(Ok(Object(event))) => {
            text.at += events.byte_offset();
            Ok(event)
        }
        Some(Err(error)) => {
            let mut values = Deserializer::from_str(rest).into_iter::<IgnoredAny>();
            if !matches!(values.next(), Some(Ok(_))) {
                return false;
            }
            text.at += values.byte_offset();
            Err(unreadable(&error))
        }
        None => return false,
    };
    reading.event(start..text.at, event);
    true
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

    fn is_at_end(&self) -> bool {
        self.at == self.whole.len()
    }

    /// What is wrong with the whole: its JSON, or else what the caller says.
    fn problem(&self, otherwise: &str) -> Problem {
        match serde_json::from_str::<IgnoredAny>(self.whole) {
            Err(error) => malformed(error),
            Ok(_) => Problem::new(Kind::MalformedBody, otherwise),
        }
    }
}
