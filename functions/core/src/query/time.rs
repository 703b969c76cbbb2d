//! Times of a query: local in its zone, or instants.

use super::invalid;
use crate::problem::Problem;
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};

/// A date or a local time as `2026-10-01T00:00:00`, an instant as `2026-10-01T04:00:00Z`: the forms that
/// `app.local_instant` tells apart.
pub(super) fn time(field: &str, text: &str) -> Result<String, Problem> {
    // The parser takes a zone in brackets and forgets it.
    let text = if text.ends_with(']') { "" } else { text };
    let (civil, written) = if let Ok(instant) = text.parse::<Timestamp>() {
        (instant.to_zoned(TimeZone::UTC).datetime(), format!("{instant}"))
    } else if let Ok(local) = text.parse::<DateTime>() {
        (local, local.strftime("%Y-%m-%dT%H:%M:%S").to_string())
    } else {
        let detail = format!(
            "`{field}` is a date (2026-10-01), a local time (2026-10-01T08:00:00) or an instant (2026-10-01T08:00:00Z)."
        );
        return Err(invalid(&detail));
    };
    if civil.minute() % 15 != 0 || civil.second() != 0 || civil.subsec_nanosecond() != 0 {
        return Err(invalid(&format!("`{field}` must lie on a quarter hour.")));
    }
    if !(1970..=9998).contains(&civil.year()) {
        return Err(invalid(&format!("`{field}` must lie between 1970 and 9998.")));
    }
    Ok(written)
}
