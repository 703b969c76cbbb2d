//! Events into columns: each field is checked, and what is known already becomes a number.

use super::DEFAULT_SOURCE;
use super::columns::{Columns, SeriesColumns};
use super::currency::currency;
use super::decimal::decimal;
use super::dimensions::dimensions;
use super::event::{Fields, Store};
use super::fault::Fault;
use super::instant::instant;
use super::name::{MAX_ID_BYTES, MAX_NAME_BYTES, MAX_SOURCE_BYTES, name};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::rc::Rc;

/// Ends a part of a key, none of which has a control character.
const END_OF_PART: u8 = 0x1f;
/// Stands for a part that is not there, which is another one than an empty one; and before a uuid, which no text is.
const NO_PART: u8 = 0x1e;
/// The most dimensions that are remembered as they were written, so that those of many events are read once: more than
/// one would draw, and little memory.
const MAX_REMEMBERED: usize = 256;

/// Columns while they are filled.
#[derive(Default)]
pub(super) struct Builder {
    columns: Columns,
    /// Series by their parts.
    numbers: HashMap<Vec<u8>, i32>,
    /// The parts of the series that is looked for; kept for its memory.
    key: Vec<u8>,
    /// Dimensions, by how they were written.
    remembered: HashMap<String, Rc<str>>,
}

/// What an event has in common with others.
struct Series<'a> {
    store: &'a Store<'a>,
    source: &'a str,
    metric: &'a str,
    currency: Option<&'a str>,
    dimensions: &'a str,
}

impl Builder {
    /// Adds an event, if every field has the form it should have.
    pub(super) fn push(&mut self, event: Fields<'_>) -> Result<(), Fault> {
        name("id", &event.id, MAX_ID_BYTES)?;
        name("metric", &event.metric, MAX_NAME_BYTES)?;
        let source = event.source.as_deref().unwrap_or(DEFAULT_SOURCE);
        name("source", source, MAX_SOURCE_BYTES)?;
        let value = decimal(event.value.get())?;
        let currency = event.currency.as_deref().map(currency).transpose()?;
        let recorded_at = instant(&event.recorded_at)?;
        let dimensions = self.dimensions(event.dimensions)?;

        let (store, metric, dimensions) = (&event.store, event.metric.as_ref(), dimensions.as_ref());
        let number = self.number(&Series { store, source, metric, currency, dimensions });
        self.columns.numbers.push(Some(number));
        self.columns.ids.push(&event.id);
        self.columns.values.push(value);
        self.columns.recorded_at.push(Some(recorded_at.as_microsecond()));
        Ok(())
    }

    /// What was added.
    pub(super) fn into_columns(self) -> Columns {
        self.columns
    }

    fn dimensions(&mut self, raw: Option<&RawValue>) -> Result<Rc<str>, Fault> {
        let raw = raw.map_or("{}", RawValue::get);
        if let Some(known) = self.remembered.get(raw) {
            return Ok(known.clone());
        }
        let read = Rc::from(dimensions(raw)?);
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert(raw.to_owned(), Rc::clone(&read));
        }
        Ok(read)
    }

    /// The number of a series, which is added if it is new.
    fn number(&mut self, series: &Series<'_>) -> i32 {
        series.write_key(&mut self.key);
        if let Some(number) = self.numbers.get(&self.key) {
            return *number;
        }
        series.add_to(&mut self.columns.series);
        // There are at most as many as events in a batch.
        let number = i32::try_from(self.numbers.len() + 1).unwrap_or(i32::MAX);
        self.numbers.insert(self.key.clone(), number);
        number
    }
}

impl Series<'_> {
    /// Its parts in one: made and hashed for every event, so a uuid is its bytes.
    fn write_key(&self, key: &mut Vec<u8>) {
        key.clear();
        match self.store {
            Store::Implied => (),
            Store::Id(id) => {
                key.push(NO_PART);
                key.extend_from_slice(id.as_bytes());
            }
            Store::External(id) => key.extend_from_slice(id.as_bytes()),
        }
        for part in [Some(self.source), Some(self.metric), self.currency, Some(self.dimensions)] {
            key.push(END_OF_PART);
            match part {
                Some(part) => key.extend_from_slice(part.as_bytes()),
                None => key.push(NO_PART),
            }
        }
    }

    fn add_to(&self, columns: &mut SeriesColumns) {
        let (store_id, external_id) = match self.store {
            Store::Implied => (None, None),
            Store::Id(id) => (Some(id.to_string()), None),
            Store::External(id) => (None, Some(id.as_ref().to_owned())),
        };
        columns.store_ids.push(store_id);
        columns.external_ids.push(external_id);
        columns.sources.push(Some(self.source.to_owned()));
        columns.metrics.push(Some(self.metric.to_owned()));
        columns.currencies.push(self.currency.map(str::to_owned));
        columns.dimensions.push(Some(self.dimensions.to_owned()));
    }
}
