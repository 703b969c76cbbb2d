//! The events: what shops send, made from random numbers.
//!
//! An order is four events, which share its time, channel and country: what it cost, that it was, how many pieces, and
//! what was taken off.

use std::fmt::Write as _;

use anyhow::Result;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tally_host::random::Random;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

const SOURCE: &str = "shopify";
const CURRENCY: &str = "USD";
const CHANNELS: [&str; 6] = ["web", "web", "web", "retail", "marketplace", "social"];
const COUNTRIES: [&str; 8] = ["US", "US", "US", "GB", "DE", "FR", "JP", "BR"];
/// How far back what is sent now was recorded, microseconds.
const LAST_HOUR: usize = 3_600_000_000;
/// Numbers of orders that no preloaded order has.
const FIRST_ORDER: u64 = 1_000_000_000_000;

/// How the events of a batch belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Of one store, with ids that count upwards: a shop that sends what happens.
    Live,
    /// Of fifty stores, with random ids: a job that collects from many.
    Mixed,
}

impl Shape {
    /// How many stores a batch has events of.
    fn stores(self) -> usize {
        match self {
            Self::Live => 1,
            Self::Mixed => 50,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Live => "one store",
            Self::Mixed => "50 stores",
        }
    }
}

/// A store, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) org_id: Uuid,
    pub(crate) id: Uuid,
}

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) store: Store,
    pub(crate) id: String,
    pub(crate) metric: &'static str,
    pub(crate) value: String,
    pub(crate) currency: Option<&'static str>,
    pub(crate) recorded_at: Timestamp,
    channel: &'static str,
    country: &'static str,
}

/// Events that are sent together.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    /// The API key of whose they are.
    pub(crate) api_key: String,
}

/// A tenant.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) stores: Vec<Store>,
    pub(crate) api_key: String,
}

/// Makes batches, of each of the organizations in turn.
#[derive(Debug)]
pub(crate) struct Supply {
    sources: Vec<(Source, String)>,
    next: usize,
}

impl Supply {
    /// Of these organizations; `seed` decides everything but the time.
    pub(crate) fn new(organizations: &[Organization], seed: u64) -> Self {
        let source = |organization: &Organization| {
            (Source::new(organization.stores.clone(), seed), organization.api_key.clone())
        };
        Self { sources: organizations.iter().map(source).collect(), next: 0 }
    }

    /// A batch of so many events.
    pub(crate) fn batch(&mut self, shape: Shape, events: usize) -> Batch {
        let index = self.next % self.sources.len();
        self.next += 1;
        let (source, api_key) = &mut self.sources[index];
        Batch { events: source.batch(shape, events), api_key: api_key.clone() }
    }

    /// The same events with other values.
    pub(crate) fn changed(&mut self, batch: &Batch) -> Batch {
        Batch { events: self.sources[0].0.changed(&batch.events), api_key: batch.api_key.clone() }
    }
}

/// Makes events of the stores of one organization.
#[derive(Debug)]
struct Source {
    stores: Vec<Store>,
    random: Random,
    next_order: u64,
}

impl Source {
    fn new(stores: Vec<Store>, seed: u64) -> Self {
        Self { stores, random: Random::new(seed), next_order: FIRST_ORDER }
    }

    fn batch(&mut self, shape: Shape, events: usize) -> Vec<Event> {
        let first = self.random.below(self.stores.len());
        let count = shape.stores().min(self.stores.len());
        let mut batch = Vec::with_capacity(events + 4);
        let mut ages: Vec<usize> = (0..events.div_ceil(4)).map(|_| self.random.below(LAST_HOUR)).collect();
        ages.sort_unstable_by(|one, other| other.cmp(one));
        for (index, age) in ages.into_iter().enumerate() {
            let store = self.stores[(first + index % count) % self.stores.len()].clone();
            self.order(shape, &store, age, &mut batch);
        }
        batch.truncate(events);
        batch
    }

    fn order(&mut self, shape: Shape, store: &Store, age: usize, batch: &mut Vec<Event>) {
        let recorded_at = Timestamp::now().as_microsecond() - i64::try_from(age).unwrap_or_default();
        let recorded_at = Timestamp::from_microsecond(recorded_at).unwrap_or_default();
        let order = match shape {
            Shape::Live => self.next_order.to_string(),
            Shape::Mixed => {
                let (high, low) = (self.random.number(), self.random.number());
                uuid::Builder::from_random_bytes(Uuid::from_u64_pair(high, low).into_bytes()).into_uuid().to_string()
            }
        };
        self.next_order += 1;
        let (channel, country) = (*self.random.pick(&CHANNELS), *self.random.pick(&COUNTRIES));
        for metric in ["revenue", "orders", "units_sold", "discounts"] {
            batch.push(Event {
                store: store.clone(),
                id: format!("{order}-{metric}"),
                metric,
                value: self.value(metric),
                currency: matches!(metric, "revenue" | "discounts").then_some(CURRENCY),
                recorded_at,
                channel,
                country,
            });
        }
    }

    /// A value of a metric: cents for money.
    fn value(&mut self, metric: &str) -> String {
        let cents = |cents: usize| format!("{}.{:02}", cents / 100, cents % 100);
        match metric {
            "revenue" => cents(500 + self.random.below(29_500)),
            "discounts" => cents(self.random.below(2_000)),
            "units_sold" => (1 + self.random.below(5)).to_string(),
            _ => "1".to_owned(),
        }
    }

    /// The same events with other values.
    fn changed(&mut self, events: &[Event]) -> Vec<Event> {
        let change = |event: &Event| {
            let mut value = self.value(event.metric);
            while value == event.value {
                // An order that is not one after all.
                value = if event.metric == "orders" { "0".to_owned() } else { self.value(event.metric) };
            }
            Event { value, ..event.clone() }
        };
        events.iter().map(change).collect()
    }
}

impl Event {
    fn dimensions(&self) -> Value {
        json!({"channel": self.channel, "country": self.country})
    }

    /// As the API takes it.
    fn to_json(&self) -> Value {
        let mut event = json!({
            "id": self.id,
            "metric": self.metric,
            "store_id": self.store.id,
            "value": self.value,
            "recorded_at": self.recorded_at.to_string(),
            "source": SOURCE,
            "dimensions": self.dimensions(),
        });
        if let Some(currency) = self.currency {
            event["currency"] = currency.into();
        }
        event
    }
}

/// The body of a request.
pub(crate) fn json_body(events: &[Event]) -> Bytes {
    Value::Array(events.iter().map(Event::to_json).collect()).to_string().into()
}

/// The largest body that a request may have with so many events: dimensions that nobody asks for fill it up to `bytes`.
pub(crate) fn full_body(events: &[Event], bytes: usize) -> Result<Bytes> {
    let empty: usize = json_body(events).len();
    let room = bytes.saturating_sub(empty) / events.len().max(1);
    // Each costs its name, quotes, colon and comma besides the value.
    const COST: usize = r#""note_00":"","#.len();
    const MOST: usize = 255;
    let mut bodies = Vec::with_capacity(events.len());
    for event in events {
        let mut json = event.to_json();
        let mut rest = room;
        for index in 0.. {
            let length = rest.saturating_sub(COST).min(MOST);
            if length == 0 {
                break;
            }
            json["dimensions"][format!("note_{index:02}")] = "x".repeat(length).into();
            rest -= length + COST;
        }
        bodies.push(json);
    }
    let body = Value::Array(bodies).to_string();
    anyhow::ensure!(body.len() <= bytes, "the body has {} bytes, more than {bytes}", body.len());
    Ok(body.into())
}

/// The columns that `COPY` and `INSERT` give; the rest has a default.
pub(crate) const COLUMNS: &str =
    "org_id, store_id, source, event_id, recorded_at, metric_key, value, currency, dimensions";

/// The same rows in the text form of `COPY`. Nothing in them needs an escape.
pub(crate) fn copy_text(events: &[Event]) -> Bytes {
    let mut text = String::new();
    for event in events {
        let Event { store, id, metric, value, recorded_at, .. } = event;
        let (currency, dimensions) = (event.currency.unwrap_or(r"\N"), event.dimensions());
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}\t{}\t{SOURCE}\t{id}\t{recorded_at}\t{metric}\t{value}\t{currency}\t{dimensions}",
            store.org_id, store.id
        );
    }
    text.into()
}

/// The same row as parameters of a prepared `INSERT`.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    org_id: Uuid,
    store_id: Uuid,
    source: &'static str,
    event_id: String,
    recorded_at: std::time::SystemTime,
    metric_key: &'static str,
    /// Cast by the server, as text is what the driver has for numbers of any length.
    value: String,
    currency: Option<&'static str>,
    dimensions: Value,
}

impl Row {
    /// In the order of [`COLUMNS`].
    pub(crate) fn parameters(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.org_id,
            &self.store_id,
            &self.source,
            &self.event_id,
            &self.recorded_at,
            &self.metric_key,
            &self.value,
            &self.currency,
            &self.dimensions,
        ]
    }
}

impl From<&Event> for Row {
    fn from(event: &Event) -> Self {
        Self {
            org_id: event.store.org_id,
            store_id: event.store.id,
            source: SOURCE,
            event_id: event.id.clone(),
            recorded_at: event.recorded_at.into(),
            metric_key: event.metric,
            value: event.value.clone(),
            currency: event.currency,
            dimensions: event.dimensions(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn supply(stores: u128) -> Supply {
        let store = |id| Store { org_id: Uuid::from_u128(1), id: Uuid::from_u128(id) };
        let stores = (100..100 + stores).map(store).collect();
        Supply::new(&[Organization { stores, api_key: "key".to_owned() }], 7)
    }

    fn count<T: Ord>(batch: &Batch, of: impl Fn(&Event) -> T) -> usize {
        batch.events.iter().map(of).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn batches_have_the_shape_that_was_asked_for() {
        let mut supply = supply(1_000);
        let live = supply.batch(Shape::Live, 1_000);
        let mixed = supply.batch(Shape::Mixed, 1_000);
        assert_eq!((live.events.len(), mixed.events.len()), (1_000, 1_000));
        assert_eq!((count(&live, |event| event.store.id), count(&mixed, |event| event.store.id)), (1, 50));
        for batch in [&live, &mixed] {
            assert_eq!(count(batch, |event| event.id.clone()), 1_000);
            assert_eq!(count(batch, |event| event.metric), 4);
            assert!(batch.events.is_sorted_by_key(|event| event.recorded_at));
            let first = Timestamp::now().as_microsecond() - batch.events[0].recorded_at.as_microsecond();
            assert!((0..=3_700_000_000).contains(&first), "{first}");
        }
        assert!(supply.batch(Shape::Live, 1_000).events[0].id > live.events[999].id);
        assert_eq!(supply.batch(Shape::Live, 1).events.len(), 1);
    }

    #[test]
    fn a_seed_says_all_but_the_time() {
        let values = |batch: Batch| batch.events.into_iter().map(|event| event.value).collect::<Vec<_>>();
        assert_eq!(values(supply(3).batch(Shape::Mixed, 100)), values(supply(3).batch(Shape::Mixed, 100)));
    }

    #[test]
    fn every_contestant_is_given_the_same_rows() {
        let batch = supply(60).batch(Shape::Mixed, 200);
        let body: Vec<Value> = serde_json::from_slice(&json_body(&batch.events)).unwrap();
        let text = String::from_utf8(copy_text(&batch.events).to_vec()).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!((body.len(), lines.len()), (200, 200));
        for ((json, line), event) in body.iter().zip(&lines).zip(&batch.events) {
            let Row { store_id, event_id, value, currency, dimensions, .. } = Row::from(event);
            assert_eq!(line.len(), COLUMNS.split(", ").count());
            assert_eq!((line[1], line[3]), (store_id.to_string().as_str(), event_id.as_str()));
            assert_eq!((&json["store_id"], &json["id"]), (&json!(store_id), &json!(event_id)));
            assert_eq!(
                (line[4], line[5], line[6]),
                (json["recorded_at"].as_str().unwrap(), event.metric, value.as_str())
            );
            assert_eq!((&json["metric"], &json["value"]), (&json!(event.metric), &json!(value)));
            assert_eq!((line[7], json["currency"].as_str()), (currency.unwrap_or(r"\N"), currency));
            assert_eq!((line[8], &json["dimensions"]), (dimensions.to_string().as_str(), &dimensions));
        }
    }

    #[test]
    fn a_full_body_is_just_under_its_limit() {
        let batch = supply(60).batch(Shape::Mixed, 500);
        for bytes in [200_000, 1_048_576] {
            let body = full_body(&batch.events, bytes).unwrap();
            assert!((bytes - bytes / 50..=bytes).contains(&body.len()), "{} of {bytes}", body.len());
            let events: Vec<Value> = serde_json::from_slice(&body).unwrap();
            assert_eq!(events.len(), 500);
            assert_eq!(events[0]["dimensions"]["channel"], batch.events[0].channel);
        }
        assert!(full_body(&batch.events, 1_000).is_err());
    }

    #[test]
    fn what_is_changed_keeps_its_id_and_has_another_value() {
        let mut supply = supply(60);
        let batch = supply.batch(Shape::Live, 400);
        let changed = supply.changed(&batch);
        for (before, after) in batch.events.iter().zip(&changed.events) {
            assert_eq!((&before.id, before.recorded_at), (&after.id, after.recorded_at));
            assert_ne!(before.value, after.value);
        }
    }
}
