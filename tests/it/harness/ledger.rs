//! What was sent and acknowledged, kept outside the system, and so what must be there whatever the system went through.
//!
//! An event has one content, or two: that of a plain batch, and another one of the one batch that restates it. Several
//! batches may send the same. So it is decidable what is there after which batches, in whatever order they came.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::{Bundle, Tenant, rollup_difference};

const STORED: &str = r#"
    select
      store_id::text, source, event_id, to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
      metric_key, value::text, currency, dimensions::text
    from public.metric_events"#;

/// An event, as it is sent and as it must stand there.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) store_id: String,
    pub(crate) id: String,
    pub(crate) recorded_at: String,
    pub(crate) metric: String,
    pub(crate) value: String,
    pub(crate) currency: Option<String>,
    pub(crate) dimensions: Value,
}

impl Event {
    fn json(&self) -> Value {
        json!({"store_id": self.store_id, "id": self.id, "recorded_at": self.recorded_at, "metric": self.metric,
               "value": self.value, "currency": self.currency, "dimensions": self.dimensions})
    }

    /// What it is known by; the source is the usual one.
    fn key(&self) -> String {
        format!("{} api {} {}", self.store_id, self.id, self.recorded_at)
    }

    fn content(&self) -> String {
        let currency = self.currency.as_deref().unwrap_or("-");
        format!("{} {} {currency} {}", self.metric, self.value, self.dimensions)
    }
}

/// Events that are sent together.
#[derive(Debug)]
pub(crate) struct Batch {
    org_id: Uuid,
    token: String,
    events: Vec<Event>,
    replaces: bool,
    is_acknowledged: bool,
}

impl Batch {
    /// A batch of this tenant's; one that `replaces` restates what is there.
    pub(crate) fn new(tenant: &Tenant, replaces: bool, events: Vec<Event>) -> Result<Self> {
        let org_id = tenant.org_id.parse()?;
        Ok(Self { org_id, token: tenant.token.clone(), events, replaces, is_acknowledged: false })
    }

    /// The request that sends it to this host.
    pub(crate) fn request(&self, bundle: &Bundle, base_url: &str) -> RequestBuilder {
        let query = if self.replaces { "?on_conflict=replace" } else { "" };
        let events: Value = self.events.iter().map(Event::json).collect();
        bundle.client.post(format!("{base_url}/v1/events{query}")).bearer_auth(&self.token).json(&events)
    }

    /// How many events it has.
    pub(crate) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// Whether it was ever acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }
}

/// What a receipt says of the events, whatever else it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) replaced: u64,
    pub(crate) rejected: u64,
}

impl Receipt {
    /// Reads the body of a 200.
    pub(crate) fn of(answer: &Value) -> Self {
        let count = |field: &str| answer[field].as_u64().unwrap();
        Self {
            accepted: count("accepted"),
            duplicates: count("duplicates"),
            replaced: count("replaced"),
            rejected: count("rejected"),
        }
    }

    /// That of a batch whose events were all there.
    pub(crate) fn duplicates(count: u64) -> Self {
        Self { duplicates: count, ..Self::default() }
    }
}

/// What was sent, and what of it was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    batches: Vec<Batch>,
}

/// The events that are there: each one's key and content.
type Stored = Vec<(String, String)>;

/// What the database holds, compared with the ledger.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// How many events are there.
    pub(crate) events: usize,
    /// Which batches have taken effect: those acknowledged, and those that left what only they send.
    pub(crate) committed: Vec<bool>,
    /// What speaks against the database, a line each: what was acknowledged and is not there, what is there in part, twice
    /// or for no reason, rollups that are not those of the events.
    pub(crate) faults: Vec<String>,
}

impl Ledger {
    /// Enters a batch, before it is sent; answers its number.
    pub(crate) fn enter(&mut self, batch: Batch) -> usize {
        self.batches.push(batch);
        self.batches.len() - 1
    }

    /// The batches, by number.
    pub(crate) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Enters that a batch was acknowledged.
    pub(crate) fn acknowledge(&mut self, batch: usize) {
        self.batches[batch].is_acknowledged = true;
    }

    /// How many different events the batches have.
    pub(crate) fn events(&self) -> usize {
        self.batches.iter().flat_map(|batch| &batch.events).map(Event::key).collect::<BTreeSet<_>>().len()
    }

    /// Compares the database with the ledger. When all batches are acknowledged, no fault means that each event is there
    /// once, with its content, and in the rollups.
    pub(crate) async fn audit(&self, bundle: &Bundle) -> Result<Audit> {
        let mut audit = self.compare(&stored(bundle).await?);
        for org_id in self.batches.iter().map(|batch| batch.org_id).collect::<BTreeSet<_>>() {
            audit.faults.extend(rollup_difference(&bundle.database_url, org_id).await?);
        }
        Ok(audit)
    }

    /// How many batches send an event with a content.
    fn senders(&self) -> HashMap<(String, String), usize> {
        let mut senders = HashMap::new();
        for event in self.batches.iter().flat_map(|batch| &batch.events) {
            *senders.entry((event.key(), event.content())).or_default() += 1;
        }
        senders
    }

    fn compare(&self, stored: &Stored) -> Audit {
        let mut faults = Vec::new();
        let mut contents: HashMap<&str, &str> = HashMap::new();
        let senders = self.senders();
        for event in stored {
            if contents.insert(&event.0, &event.1).is_some() {
                faults.push(format!("there twice: {event:?}"));
            }
            if !senders.contains_key(event) {
                faults.push(format!("nobody sent it: {event:?}"));
            }
        }
        let mut committed = Vec::new();
        for (number, batch) in self.batches.iter().enumerate() {
            let sent: Vec<_> = batch.events.iter().map(|event| (event.key(), event.content())).collect();
            let content_of = |key: &String| contents.get(key.as_str()).copied();
            let left_a_trace =
                || sent.iter().any(|event| senders[event] == 1 && content_of(&event.0) == Some(&event.1));
            committed.push(batch.is_acknowledged || left_a_trace());
            // All of it, since it was one statement.
            for event in sent.iter().filter(|_| committed[number]) {
                match content_of(&event.0) {
                    None => faults.push(format!("lost, of batch {number}: {event:?}")),
                    Some(content) if batch.replaces && content != event.1 => {
                        faults.push(format!("not restated by batch {number}: {event:?}"));
                    }
                    Some(_) => {}
                }
            }
        }
        Audit { events: stored.len(), committed, faults }
    }
}

async fn stored(bundle: &Bundle) -> Result<Stored> {
    type Row = (String, String, String, String, String, String, Option<String>, String);
    let mut database = bundle.database().await?;
    let rows: Vec<Row> = sqlx::query_as(STORED).fetch_all(&mut database).await?;
    database.close().await?;
    rows.into_iter()
        .map(|(store_id, source, id, recorded_at, metric, value, currency, dimensions)| {
            let dimensions = serde_json::from_str(&dimensions)?;
            let event = Event { store_id, id, recorded_at, metric, value, currency, dimensions };
            Ok((event.key().replacen(" api ", &format!(" {source} "), 1), event.content()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, value: &str) -> Event {
        Event {
            store_id: "store".to_owned(),
            id: id.to_owned(),
            recorded_at: "2026-03-08T07:00:00Z".to_owned(),
            metric: "orders".to_owned(),
            value: value.to_owned(),
            currency: None,
            dimensions: json!({}),
        }
    }

    fn batch(replaces: bool, is_acknowledged: bool, events: &[(&str, &str)]) -> Batch {
        let events = events.iter().map(|(id, value)| event(id, value)).collect();
        Batch { org_id: Uuid::nil(), token: String::new(), events, replaces, is_acknowledged }
    }

    fn stored(events: &[(&str, &str)]) -> Stored {
        events.iter().map(|(id, value)| event(id, value)).map(|event| (event.key(), event.content())).collect()
    }

    /// One batch acknowledged, one that shares an event with it, and one that restates its other event.
    fn ledger(is_restated: bool) -> Ledger {
        let first = batch(false, true, &[("a", "1"), ("b", "1")]);
        let second = batch(false, false, &[("b", "1"), ("c", "1"), ("d", "1")]);
        Ledger { batches: vec![first, second, batch(true, is_restated, &[("a", "2"), ("e", "1")])] }
    }

    #[test]
    fn what_may_be_there_is_no_fault() {
        for (is_restated, events) in [
            (false, &[("a", "1"), ("b", "1")][..]),
            (false, &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]),
            (false, &[("a", "2"), ("b", "1"), ("e", "1")]),
            (true, &[("a", "2"), ("b", "1"), ("e", "1")]),
            (true, &[("a", "2"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]),
        ] {
            assert_eq!(ledger(is_restated).compare(&stored(events)).faults, Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_lost_halved_doubled_invented_or_not_restated_is_a_fault() {
        for (is_restated, events, fault) in [
            (false, &[("a", "1")][..], "lost"),
            (false, &[("a", "1"), ("b", "1"), ("c", "1")], "lost"),
            (false, &[("a", "1"), ("b", "1"), ("b", "1")], "twice"),
            (false, &[("a", "1"), ("b", "1"), ("f", "1")], "nobody"),
            (false, &[("a", "1"), ("b", "2")], "nobody"),
            (false, &[("a", "1"), ("b", "1"), ("e", "1")], "not restated"),
            (false, &[("a", "2"), ("b", "1")], "lost"),
            (true, &[("a", "1"), ("b", "1"), ("e", "1")], "not restated"),
        ] {
            let faults = ledger(is_restated).compare(&stored(events)).faults;
            assert!(matches!(&faults[..], [found] if found.contains(fault)), "{fault} in {events:?}: {faults:?}");
        }
    }
}
