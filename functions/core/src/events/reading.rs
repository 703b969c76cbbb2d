//! A batch while it is read: each event is checked and put into the columns, or set aside with its fault.

use super::builder::Builder;
use super::event::Event;
use super::fault::{Fault, fault};
use super::{MAX_EVENT_BYTES, MAX_EVENTS};
use crate::problem::{Kind, Problem};
use std::ops::Range;

/// What was read so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) builder: Builder,
    /// Where each row of the columns stands.
    pub(super) rows: Vec<Place>,
    pub(super) rejected: Vec<(Place, Fault)>,
    too_large: usize,
    largest: usize,
}

/// Where an event stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its number within the request, from 0.
    pub(super) index: usize,
    /// Its bytes within the body.
    pub(super) bytes: Range<usize>,
}

impl Reading {
    /// Takes the next event, unless it is one too many: that ends the reading, so that a body full of events costs no more
    /// than those that are taken.
    pub(super) fn event<'a, E: Event<'a>>(
        &mut self,
        bytes: Range<usize>,
        event: Result<E, Fault>,
    ) -> Result<(), Problem> {
        let size = bytes.len();
        let place = Place { index: self.count(), bytes };
        if place.index == MAX_EVENTS {
            let detail = format!("The batch has more than {MAX_EVENTS} events, the most that are taken at once.");
            return Err(Problem::new(Kind::TooManyEvents, detail));
        }
        if size > MAX_EVENT_BYTES {
            self.too_large += 1;
            self.largest = self.largest.max(size);
            let detail = format!("The event has {size} bytes, {MAX_EVENT_BYTES} are taken.");
            self.rejected.push((place, fault("event_too_large", detail)));
            return Ok(());
        }
        match event.and_then(E::fields).and_then(|fields| self.builder.push(fields)) {
            Ok(()) => self.rows.push(place),
            Err(fault) => self.rejected.push((place, fault)),
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.rows.len() + self.rejected.len()
    }

    /// Refuses a batch of nothing but events that are too large.
    pub(super) fn within_limits(self) -> Result<Self, Problem> {
        let count = self.count();
        if count > 0 && self.too_large == count {
            let detail = format!(
                "Each of the {count} events has more than {MAX_EVENT_BYTES} bytes, the most that are taken of one; the \
                 largest has {}.",
                self.largest
            );
            return Err(Problem::new(Kind::EventTooLarge, detail));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::OwnEvent;
    use super::super::{Batch, Format};
    use super::*;

    /// How a list begins, and what is between two of its events.
    const LISTS: [(Format, &str, &str); 5] = [
        (Format::Json, "[", ","),
        (Format::Json, r#"{"events":["#, ","),
        (Format::Json, r#" { "\u0065vents" : [ "#, " , "),
        (Format::CloudEventBatch, "[", ","),
        (Format::Ndjson, "", "\n"),
    ];

    #[test]
    fn nothing_behind_the_first_event_that_is_too_many_is_read() {
        for (format, begin, between) in LISTS {
            let events = |count| vec!["{}"; count].join(between);
            for rest in ["", "]", "]}", "\n]} x", ",", ",x", "\u{0}", "\n{\"id\":"] {
                let body = format!("{begin}{}{rest}", events(MAX_EVENTS + 1));
                assert_eq!(Batch::read(&format, body).unwrap_err().kind(), Kind::TooManyEvents, "{begin} {rest}");
            }
        }
    }

    #[test]
    fn what_comes_before_the_first_event_that_is_too_many_is_told_first() {
        for (format, begin, between) in LISTS.into_iter().filter(|(format, ..)| *format != Format::Ndjson) {
            let list = vec!["{}"; MAX_EVENTS].join(between);
            for (place, malformed) in [(0, "x"), (list.len(), "x"), (list.len(), between)] {
                let (before, after) = list.split_at(place);
                let body = format!("{begin}{before}{malformed}{after}{between}{list}");
                assert_eq!(Batch::read(&format, body).unwrap_err().kind(), Kind::MalformedBody, "{begin} {malformed}");
            }
        }
    }

    #[test]
    fn a_reader_is_told_where_to_end() {
        let mut reading = Reading::default();
        let mut take = || reading.event::<OwnEvent<'_>>(0..1, Err(fault("invalid_event", "")));
        assert!((0..MAX_EVENTS).all(|_| take().is_ok()));
        assert_eq!(take().unwrap_err().kind(), Kind::TooManyEvents);
    }
}
