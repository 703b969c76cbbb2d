//! NDJSON bodies: an event a line.

use super::event::{Event, OwnEvent};
use super::fault::{Fault, fault, unreadable};
use super::reading::Reading;
use crate::object::Object;
use crate::problem::Problem;
use memchr::memchr_iter;

/// Reads each line that is not blank. What cannot be read costs its own line only.
pub(super) fn lines(reading: &mut Reading, body: &[u8]) -> Result<(), Problem> {
    let mut start = 0;
    for end in memchr_iter(b'\n', body).chain([body.len()]) {
        let line = body.get(start..end).unwrap_or_default();
        let event = line.trim_ascii();
        if !event.is_empty() {
            let at = start + (line.len() - line.trim_ascii_start().len());
            reading.event(at..at + event.len(), read::<OwnEvent<'_>>(event))?;
        }
        start = end + 1;
    }
    Ok(())
}

fn read<'a, E: Event<'a>>(line: &'a [u8]) -> Result<E, Fault> {
    let text = std::str::from_utf8(line)
        .map_err(|error| fault("invalid_event", format!("The line is not UTF-8: {error}.")))?;
    serde_json::from_str(text).map(|Object(event)| event).map_err(|error| unreadable(&error))
}
