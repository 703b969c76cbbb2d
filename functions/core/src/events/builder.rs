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

/// Ends a part of a key, none of which has a control character.
const END_OF_PART: char = '\u{1f}';
/// Stands for a part that is not there, which is another one than an empty one.
const NO_PART: char = '\u{1e}';
/// The most dimensions that are remembered as they were written, so that those of many events are read once: more than
/// one would draw, and little memory.
const MAX_REMEMBERED: usize = 256;

/// Columns while they are filled.
#[derive(Default)]
pub(super) struct Builder {
    columns: Columns,
    /// Series by their parts.
    numbers: HashMap<String, i32>,
    /// The parts of the series that is looked for; kept for its memory.
    key: String,
    /// Dimensions, by how they were written.
    remembered: HashMap<String, String>,
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

        let (store_id, external_id) = match &event.store {
            Store::Implied => (None, None),
            Store::Id(id) => (Some(id.to_string()), None),
            Store::External(id) => (None, Some(id.as_ref())),
        };
        let series =
            [store_id.as_deref(), external_id, Some(source), Some(&event.metric), currency, Some(dimensions.as_str())];
        let number = self.number(series);
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

    fn dimensions(&mut self, raw: Option<&RawValue>) -> Result<String, Fault> {
        let raw = raw.map_or("{}", RawValue::get);
        if let Some(known) = self.remembered.get(raw) {
            return Ok(known.clone());
        }
        let read = dimensions(raw)?;
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert(raw.to_owned(), read.clone());
        }
        Ok(read)
    }

    /// The number of a series, which is added if it is new.
    fn number(&mut self, parts: [Option<&str>; 6]) -> i32 {
        self.key.clear();
        for part in parts {
            match part {
                Some(part) => self.key.push_str(part),
                None => self.key.push(NO_PART),
            }
            self.key.push(END_OF_PART);
        }
        if let Some(number) = self.numbers.get(&self.key) {
            return *number;
        }
        let SeriesColumns { store_ids, external_ids, sources, metrics, currencies, dimensions } =
            &mut self.columns.series;
        let columns = [store_ids, external_ids, sources, metrics, currencies, dimensions];
        for (column, part) in columns.into_iter().zip(parts) {
            column.push(part.map(str::to_owned));
        }
        // There are at most as many as events in a batch.
        let number = i32::try_from(self.numbers.len() + 1).unwrap_or(i32::MAX);
        self.numbers.insert(self.key.clone(), number);
        number
    }
}
