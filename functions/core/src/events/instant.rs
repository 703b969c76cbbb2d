//! Times: instants of RFC 3339.

use super::fault::{Fault, fault};
use jiff::Timestamp;

/// An instant in UTC, cut to the microseconds that Postgres keeps, so that an event sent twice is the same event.
pub(super) fn instant(text: &str) -> Result<Timestamp, Fault> {
    let invalid =
        || fault("invalid_time", "`recorded_at` is an RFC 3339 time with an offset, such as \"2026-11-22T07:00:00Z\".");
    if !has_the_form_of_rfc_3339(text) {
        return Err(invalid());
    }
    let instant: Timestamp = text.parse().map_err(|_| invalid())?;
    if instant < Timestamp::UNIX_EPOCH {
        return Err(fault("out_of_range", "`recorded_at` must be after 1970."));
    }
    Timestamp::from_microsecond(instant.as_microsecond()).map_err(|_| invalid())
}

/// `date-time` of RFC 3339, whose parser takes more: a zone in brackets, a blank for the T, no seconds.
fn has_the_form_of_rfc_3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.get(10).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T'))
        && bytes.get(16) == Some(&b':')
        && !text.ends_with(']')
}
