//! A batch as the database takes it.

use super::currency::currency;
use super::decimal::decimal;
use super::dimensions::dimensions;
use super::event::{Fields, Store};
use super::fault::{Fault, explain, fault};
use super::instant::instant;
use super::name::{MAX_EXTERNAL_ID_CHARS, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_SOURCE_BYTES, name};
use std::borrow::Cow;

/// Who sent it, when the event does not say.
const DEFAULT_SOURCE: &str = "api";

/// A batch as the database takes it: one array a field, all of one length, each value fit to be cast.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The sender's ids.
    pub ids: Vec<Option<String>>,
    /// Keys of metrics.
    pub metrics: Vec<Option<String>>,
    /// Uuids; none where the store is named otherwise, or implied by the API key.
    pub store_ids: Vec<Option<String>>,
    /// What the sender's system calls the store; none where `store_ids` has it, or the API key implies it.
    pub store_external_ids: Vec<Option<String>>,
    /// Decimals, as they were written.
    pub values: Vec<Option<String>>,
    /// ISO 4217 codes.
    pub currencies: Vec<Option<String>>,
    /// RFC 3339, UTC, microseconds at the most.
    pub recorded_at: Vec<Option<String>>,
    /// Names of senders.
    pub sources: Vec<Option<String>>,
    /// JSON objects of scalars.
    pub dimensions: Vec<Option<String>>,
}

impl Columns {
    /// Adds a row, if every field has the form it should have.
    pub(super) fn push(&mut self, event: Fields<'_>) -> Result<(), Fault> {
        name("id", &event.id, MAX_ID_BYTES)?;
        name("metric", &event.metric, MAX_NAME_BYTES)?;
        if let Some(source) = &event.source {
            name("source", source, MAX_SOURCE_BYTES)?;
        }
        let value = decimal(event.value.get())?;
        event.currency.as_deref().map(currency).transpose()?;
        let recorded_at = instant(&event.recorded_at)?;
        let dimensions = event.dimensions.map_or_else(|| Ok("{}".to_owned()), |raw| dimensions(raw.get()))?;
        let (store_id, external_id) = match event.store {
            Store::Implied => (None, None),
            Store::Id(id) => (Some(id.to_string()), None),
            Store::External(id) if id.chars().count() > MAX_EXTERNAL_ID_CHARS => return Err(unknown_store()),
            Store::External(id) => (None, Some(id.into_owned())),
        };
        // The statement does not take external ids yet: once it does, this goes, and they are only columns.
        if external_id.is_some() {
            return Err(unknown_store());
        }

        self.ids.push(Some(event.id.into_owned()));
        self.metrics.push(Some(event.metric.into_owned()));
        self.store_ids.push(store_id);
        self.store_external_ids.push(external_id);
        self.values.push(Some(value.to_owned()));
        self.currencies.push(event.currency.map(Cow::into_owned));
        self.recorded_at.push(Some(recorded_at));
        self.sources.push(Some(event.source.map_or_else(|| DEFAULT_SOURCE.to_owned(), Cow::into_owned)));
        self.dimensions.push(Some(dimensions));
        Ok(())
    }
}

fn unknown_store() -> Fault {
    fault("unknown_store", explain("unknown_store"))
}
