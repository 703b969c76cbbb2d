//! Names: of events, metrics, sources, stores.

use super::fault::{Fault, fault};

/// The longest id, bytes: it is part of an index key, which Postgres bounds.
pub(super) const MAX_ID_BYTES: usize = 255;
/// The longest source, bytes, which is a URI in CloudEvents. It is part of the same index key.
pub(super) const MAX_SOURCE_BYTES: usize = 255;
/// The longest metric, or name of a dimension, bytes.
pub(super) const MAX_NAME_BYTES: usize = 63;

pub(super) fn name<'a>(field: &str, text: &'a str, max_bytes: usize) -> Result<&'a str, Fault> {
    if text.is_empty() || text.len() > max_bytes || has_control_characters(text) {
        let detail = format!("`{field}` needs 1 to {max_bytes} bytes without control characters.");
        return Err(fault("invalid_event", detail));
    }
    Ok(text)
}

pub(super) fn has_control_characters(text: &str) -> bool {
    // Nearly all names are ASCII.
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_control()) } else { text.chars().any(char::is_control) }
}
