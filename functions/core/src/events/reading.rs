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
    count: usize,
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
    /// Takes the next event. Beyond the most that are taken they are only counted.
    pub(super) fn event<'a, E: Event<'a>>(&mut self, bytes: Range<usize>, event: Result<E, Fault>) {
        let size = bytes.len();
        let place = Place { index: self.count, bytes };
        self.count += 1;
        if self.count > MAX_EVENTS {
            return;
        }
        if size > MAX_EVENT_BYTES {
            self.too_large += 1;
            self.largest = self.largest.max(size);
            let detail = format!("The event has {size} bytes, {MAX_EVENT_BYTES} are taken.");
            return self.rejected.push((place, fault("event_too_large", detail)));
        }
        match event.and_then(E::fields).and_then(|fields| self.builder.push(fields)) {
            Ok(()) => self.rows.push(place),
            Err(fault) => self.rejected.push((place, fault)),
        }
    }

    /// Refuses a batch that is too large as a whole.
    pub(super) fn within_limits(self) -> Result<Self, Problem> {
        if self.count > MAX_EVENTS {
            let detail = format!("The batch has {} events, {MAX_EVENTS} are taken at once.", self.count);
            return Err(Problem::new(Kind::TooManyEvents, detail));
        }
        if self.count > 0 && self.too_large == self.count {
            let detail = format!(
                "Each of the {} events has more than {MAX_EVENT_BYTES} bytes, the most that are taken of one; the largest \
                 has {}.",
                self.count, self.largest
            );
            return Err(Problem::new(Kind::EventTooLarge, detail));
        }
        Ok(self)
    }
}
