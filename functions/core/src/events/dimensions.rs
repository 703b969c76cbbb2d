//! Dimensions: what tells events of a metric apart.

use super::decimal::decimal;
use super::fault::{Fault, fault};
use super::name::{MAX_NAME_BYTES, name};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most dimensions of an event.
const MAX_DIMENSIONS: usize = 32;
/// The longest value of a dimension, bytes: it can become part of an index key too.
const MAX_DIMENSION_BYTES: usize = 255;

/// An object of scalars, its numbers as they were written. Written anew from what was read, so that nothing reaches the
/// database unseen: of a name that comes twice the last counts.
pub(super) fn dimensions(raw: &str) -> Result<String, Fault> {
    let invalid = |detail: &str| fault("invalid_dimensions", detail);
    let fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(raw).map_err(|_| invalid("`dimensions` is an object."))?;
    if fields.len() > MAX_DIMENSIONS {
        return Err(invalid(&format!("An event has at most {MAX_DIMENSIONS} dimensions.")));
    }
    for (key, value) in &fields {
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

fn is_scalar(raw: &str) -> bool {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Cow<'_, str>>(raw)
            .is_ok_and(|text| text.len() <= MAX_DIMENSION_BYTES && !text.contains('\0')),
        Some(b't' | b'f') => true,
        Some(b'-' | b'0'..=b'9') => decimal(raw).is_ok(),
        _ => false,
    }
}
