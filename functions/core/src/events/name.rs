//! Names: of events, metrics, sources, dimensions.

use super::fault::{Fault, fault};

/// The longest id, bytes: it is part of an index key, which Postgres bounds.
pub(super) const MAX_ID_BYTES: usize = 255;
/// The longest source or metric, bytes.
pub(super) const MAX_NAME_BYTES: usize = 63;

pub(super) fn name<'a>(field: &str, text: &'a str, max_bytes: usize) -> Result<&'a str, Fault> {
    if text.is_empty() || text.len() > max_bytes || text.chars().any(char::is_control) {
        let detail = format!("`{field}` needs 1 to {max_bytes} bytes without control characters.");
        return Err(fault("invalid_event", detail));
    }
    Ok(text)
}
