//! Dimensions: what tells events of a metric apart.

use super::decimal::decimal;
use super::fault::{Fault, fault};
use super::name::{MAX_NAME_BYTES, name};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The most dimensions of an event.
const MAX_DIMENSIONS: usize = 32;
/// The longest value of a dimension, bytes: it can become part of an index key too.
const MAX_DIMENSION_BYTES: usize = 255;

/// Names and values, in the order of their first appearance; of a name that comes twice the last counts. Beyond one too many
/// they are passed over.
struct Dimensions<'a>(Vec<(Name<'a>, &'a RawValue)>);

#[derive(serde::Deserialize, serde::Serialize, PartialEq)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object of scalars, its numbers as they were written. Written anew from what was read, so that nothing reaches the
/// database unseen.
pub(super) fn dimensions(raw: &str) -> Result<String, Fault> {
    let invalid = |detail: &str| fault("invalid_dimensions", detail);
    let fields: Dimensions<'_> = serde_json::from_str(raw).map_err(|_| invalid("`dimensions` is an object."))?;
    if fields.0.len() > MAX_DIMENSIONS {
        return Err(invalid(&format!("An event has at most {MAX_DIMENSIONS} dimensions.")));
    }
    for (Name(key), value) in &fields.0 {
        name("dimensions", key, MAX_NAME_BYTES).map_err(|_| {
            invalid(&format!("The name of a dimension needs 1 to {MAX_NAME_BYTES} bytes without control characters."))
        })?;
        if !is_scalar(value.get()) {
            return Err(invalid(&format!(
                "Dimension `{key}` is a decimal, a boolean, or a text of at most {MAX_DIMENSION_BYTES} bytes, none of them zero."
            )));
        }
    }
    serde_json::to_string(&fields).map_err(|_| invalid("`dimensions` cannot be read."))
}

impl<'de> Deserialize<'de> for Dimensions<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Dimensions<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
                let mut read: Vec<(Name<'de>, &'de RawValue)> = Vec::new();
                while let Some((name, value)) = fields.next_entry()? {
                    if let Some((_, last)) = read.iter_mut().find(|(known, _)| *known == name) {
                        *last = value;
                    } else if read.len() <= MAX_DIMENSIONS {
                        read.push((name, value));
                    }
                }
                Ok(Dimensions(read))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl Serialize for Dimensions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn is_scalar(raw: &str) -> bool {
    match raw.as_bytes().first() {
        // Without an escape the text is what stands there.
        Some(b'"') if raw.len() <= MAX_DIMENSION_BYTES + 2 && !raw.contains('\\') => true,
        Some(b'"') => serde_json::from_str::<Cow<'_, str>>(raw)
            .is_ok_and(|text| text.len() <= MAX_DIMENSION_BYTES && !text.contains('\0')),
        Some(b't' | b'f') => true,
        Some(b'-' | b'0'..=b'9') => decimal(raw).is_ok(),
        _ => false,
    }
}
