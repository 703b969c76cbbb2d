//! The binary mode of CloudEvents: the context in headers, the data in the body. It becomes what the event would be in the
//! structured mode, so that there is one way to read it, and one text to keep where it is rejected.

use crate::problem::{Kind, Problem};
use http::HeaderMap;
use percent_encoding::percent_decode;
use serde_json::value::RawValue;
use std::borrow::Cow;

const PREFIX: &str = "ce-";

/// The context of a CloudEvent, from its headers.
#[derive(Debug, PartialEq, Eq)]
pub struct Context {
    /// Each attribute as a member of a JSON object, `"name":"value",`.
    members: String,
    not_utf8: Option<String>,
}

impl Context {
    /// The attributes of a request in binary mode; none if it is not.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers.get("ce-specversion")?;
        let mut context = Self { members: String::new(), not_utf8: None };
        for (name, value) in headers {
            let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
            let decoded = decode(value.as_bytes());
            if std::str::from_utf8(&decoded).is_err() {
                context.not_utf8 = Some(attribute.to_owned());
            }
            context.push(attribute, &String::from_utf8_lossy(&decoded));
        }
        Some(context)
    }

    fn push(&mut self, attribute: &str, value: &str) {
        for (text, end) in [(attribute, ':'), (value, ',')] {
            self.members.push_str(&serde_json::Value::from(text).to_string());
            self.members.push(end);
        }
    }

    /// The first attribute that is no text.
    pub(super) fn not_utf8(&self) -> Option<&str> {
        self.not_utf8.as_deref()
    }

    /// The same event in structured mode.
    pub(super) fn with_data(&self, data: &[u8]) -> Result<String, Problem> {
        // Parsed by itself: what is no JSON could become some between what is put around it.
        let data: &RawValue = serde_json::from_slice(data)
            .map_err(|error| Problem::new(Kind::MalformedBody, format!("The body is not valid JSON: {error}.")))?;
        Ok(format!("{{{}\"datacontenttype\":\"application/json\",\"data\":{}}}", self.members, data.get()))
    }
}

/// The value of an attribute, as the HTTP protocol binding of CloudEvents (3.1.3.2) says: out of its quotes, if it has some,
/// and then percent-decoded once.
fn decode(value: &[u8]) -> Vec<u8> {
    let value = match value {
        [b'"', quoted @ .., b'"'] => Cow::Owned(unescape(quoted)),
        _ => Cow::Borrowed(value),
    };
    percent_decode(&value).collect()
}

fn unescape(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = quoted.iter().copied();
    let mut unescaped = Vec::with_capacity(quoted.len());
    while let Some(byte) = bytes.next() {
        unescaped.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_decoded_once() {
        for (header, value) in [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%e2%82%ac", "€"),
            ("%41", "A"),
            ("%2541", "%41"),
            ("100%", "100%"),
            ("\"Euro € \\\"x\\\\\"", "Euro € \"x\\"),
            ("\"%20\"", " "),
            ("\"", "\""),
            ("\"\"", ""),
            ("a\\b", "a\\b"),
        ] {
            assert_eq!(String::from_utf8(decode(header.as_bytes())).unwrap(), value, "{header}");
        }
        assert!(String::from_utf8(decode(b"%C0%A0")).is_err(), "an overlong encoding is none");
    }

    #[test]
    fn data_stays_within_its_place() {
        let context = Context { members: String::new(), not_utf8: None };
        assert_eq!(context.with_data(b" 1 ").unwrap(), r#"{"datacontenttype":"application/json","data":1}"#);
        for data in ["", "1,\"id\":2", "{}}", "1} {"] {
            assert_eq!(context.with_data(data.as_bytes()).unwrap_err().kind(), Kind::MalformedBody, "{data}");
        }
    }
}
