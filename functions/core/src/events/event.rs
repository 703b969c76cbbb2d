//! An event, in our own words or as a CloudEvent, before its fields are checked.

use super::fault::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// An event as it is written: each way of writing has one.
pub(super) trait Event<'a>: Deserialize<'a> {
    /// What it calls its fields.
    const NAMING: Naming;

    /// What it says, whatever its fields are called.
    fn fields(self) -> Result<Fields<'a>, Fault>;
}

/// What a way of writing calls the fields that not all call the same.
#[derive(Debug)]
pub(super) struct Naming {
    pub(super) metric: &'static str,
    pub(super) store: &'static str,
    /// The store that a text names.
    pub(super) store_of: fn(Cow<'_, str>) -> Result<Store<'_>, Fault>,
}

/// What an event says.
pub(super) struct Fields<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) metric: Cow<'a, str>,
    pub(super) store: Store<'a>,
    pub(super) value: &'a RawValue,
    pub(super) currency: Option<Cow<'a, str>>,
    pub(super) recorded_at: Cow<'a, str>,
    pub(super) source: Option<Cow<'a, str>>,
    pub(super) dimensions: Option<&'a RawValue>,
}

/// Which store an event names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Store<'a> {
    /// That of the API key.
    Implied,
    Id(Uuid),
    /// What the sender's system calls it.
    External(Cow<'a, str>),
}

/// An event in our own words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnEvent<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    metric: Cow<'a, str>,
    store_id: Option<Uuid>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recorded_at: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dimensions: Option<&'a RawValue>,
}

impl<'a> Event<'a> for OwnEvent<'a> {
    const NAMING: Naming = Naming { metric: "metric", store: "store_id", store_of };

    fn fields(self) -> Result<Fields<'a>, Fault> {
        let Self { id, metric, store_id, value, currency, recorded_at, source, dimensions } = self;
        let store = store_id.map_or(Store::Implied, Store::Id);
        Ok(Fields { id, metric, store, value, currency, recorded_at, source, dimensions })
    }
}

fn store_of(text: Cow<'_, str>) -> Result<Store<'_>, Fault> {
    Ok(Uuid::try_parse(&text).map_or(Store::Implied, Store::Id))
}
