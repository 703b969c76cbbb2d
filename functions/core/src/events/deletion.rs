//! `POST /v1/events/delete`: which events are to be deleted, entry by entry.

use super::event::{Event as _, OwnEvent};
use super::fault::{Fault, fault, unreadable};
use super::instant::instant;
use super::name::{MAX_ID_BYTES, MAX_SOURCE_BYTES, name};
use super::rejected::known;
use super::{DEFAULT_SOURCE, MAX_EVENT_BYTES};
use crate::object::Object;
use crate::problem::{Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// The largest body, bytes.
pub const MAX_DELETION_BYTES: usize = 1024 * 1024;
/// The most entries.
const MAX_ENTRIES: usize = 1_000;

/// What is to be deleted: entries of good form as the database takes them, and those that have none.
#[derive(Debug, Default)]
pub struct Deletion {
    /// Uuids; none where the API key implies the store.
    pub store_ids: Vec<Option<String>>,
    /// Names of senders.
    pub sources: Vec<Option<String>>,
    /// The senders' ids.
    pub ids: Vec<Option<String>>,
    /// RFC 3339, UTC; none for every time.
    pub recorded_at: Vec<Option<String>>,
    /// Where each row stood in the request, and its id.
    positions: Vec<(usize, String)>,
    rejected: Vec<Refusal>,
}

/// An entry that was not taken, and why.
#[derive(Debug, Serialize)]
pub struct Refusal {
    index: usize,
    id: Option<String>,
    code: String,
    detail: String,
}

/// What `api.delete_events` answers.
#[derive(Debug, Deserialize)]
pub struct Deleted {
    deleted: usize,
    not_found: usize,
    errors: Vec<DeletedError>,
}

#[derive(Debug, Deserialize)]
struct DeletedError {
    index: usize,
    code: String,
    detail: String,
}

/// What the client is answered, after the commit.
#[derive(Debug, Serialize)]
pub struct DeletionReceipt {
    deleted: usize,
    not_found: usize,
    rejected: usize,
    errors: Vec<Refusal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    store_id: Option<Uuid>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recorded_at: Option<Cow<'a, str>>,
}

impl Deletion {
    /// Reads `{"events": [{"id", "store_id", "source", "recorded_at"}]}`.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let Object(Body { events }) = serde_json::from_slice(body).map_err(|error| {
            Problem::new(Kind::MalformedBody, format!("The body is not {{\"events\": [{{\"id\": …}}]}}: {error}."))
        })?;
        if events.is_empty() || events.len() > MAX_ENTRIES {
            let detail = format!("There are {} entries; 1 to {MAX_ENTRIES} are taken at once.", events.len());
            return Err(Problem::new(Kind::InvalidField, detail));
        }
        let mut deletion = Self::default();
        for (index, raw) in events.into_iter().enumerate() {
            if let Err(Fault { code, detail }) = deletion.push(index, raw.get()) {
                let id = known(raw.get(), &OwnEvent::NAMING).event_id;
                deletion.rejected.push(Refusal { index, id, code: code.to_owned(), detail });
            }
        }
        Ok(deletion)
    }

    fn push(&mut self, index: usize, raw: &str) -> Result<(), Fault> {
        if raw.len() > MAX_EVENT_BYTES {
            return Err(fault("invalid_event", format!("The entry has more than {MAX_EVENT_BYTES} bytes.")));
        }
        let Object(Entry { id, store_id, source, recorded_at }) =
            serde_json::from_str(raw).map_err(|error| unreadable(&error))?;
        name("id", &id, MAX_ID_BYTES)?;
        let source = source.as_deref().unwrap_or(DEFAULT_SOURCE);
        name("source", source, MAX_SOURCE_BYTES)?;
        let recorded_at = recorded_at.as_deref().map(instant).transpose()?.map(|instant| instant.to_string());
        self.store_ids.push(store_id.map(|id| id.to_string()));
        self.sources.push(Some(source.to_owned()));
        self.ids.push(Some(id.as_ref().to_owned()));
        self.recorded_at.push(recorded_at);
        self.positions.push((index, id.into_owned()));
        Ok(())
    }

    /// How many entries have not the right form.
    pub fn rejected(&self) -> i64 {
        i64::try_from(self.rejected.len()).unwrap_or(i64::MAX)
    }

    /// The answer to the client, once the database has deleted what the good part names.
    pub fn receipt(self, deleted: Deleted) -> DeletionReceipt {
        let Self { positions, rejected: mut errors, .. } = self;
        let Deleted { deleted, not_found, errors: told } = deleted;
        errors.extend(told.into_iter().filter_map(|DeletedError { index, code, detail }| {
            let (index, id) = positions.get(index)?;
            Some(Refusal { index: *index, id: Some(id.clone()), code, detail })
        }));
        errors.sort_by_key(|error| error.index);
        DeletionReceipt { deleted, not_found, rejected: errors.len(), errors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const STORE: &str = "33333333-3333-4333-8333-333333333333";

    fn read(entries: &Value) -> Result<Deletion, Kind> {
        Deletion::read(json!({"events": entries}).to_string().as_bytes()).map_err(|problem| problem.kind())
    }

    #[test]
    fn an_entry_names_an_event_and_a_bad_one_spoils_no_other() {
        let deletion = read(&json!([
            {"id": "1", "store_id": STORE, "source": "shopify", "recorded_at": "2026-11-22T09:00:00+02:00"},
            {"id": ""}, {"id": "2"}, ["3"], {"id": "4", "time": "x"}, {"id": "5", "recorded_at": "today"},
        ]));
        let deletion = deletion.unwrap();
        assert_eq!(deletion.rejected(), 4);
        assert_eq!(deletion.ids, [Some("1".to_owned()), Some("2".to_owned())]);
        assert_eq!(deletion.store_ids, [Some(STORE.to_owned()), None]);
        assert_eq!(deletion.sources, [Some("shopify".to_owned()), Some("api".to_owned())]);
        assert_eq!(deletion.recorded_at, [Some("2026-11-22T07:00:00Z".to_owned()), None]);
        let told =
            json!({"deleted": 1, "not_found": 0, "errors": [{"index": 1, "code": "store_required", "detail": "x"}]});
        let receipt = serde_json::to_value(deletion.receipt(serde_json::from_value(told).unwrap())).unwrap();
        assert_eq!((&receipt["deleted"], &receipt["rejected"]), (&json!(1), &json!(5)));
        let errors: Vec<_> = receipt["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (e["index"].as_u64().unwrap(), e["id"].as_str(), e["code"].as_str().unwrap()))
            .collect();
        assert_eq!(
            errors,
            [
                (1, None, "invalid_event"),
                (2, Some("2"), "store_required"),
                (3, None, "invalid_event"),
                (4, Some("4"), "invalid_event"),
                (5, Some("5"), "invalid_time")
            ]
        );
    }

    #[test]
    fn what_is_no_deletion_is_refused_as_a_whole() {
        for (body, kind) in [
            ("", Kind::MalformedBody),
            ("[]", Kind::MalformedBody),
            (r#"{"events": {}}"#, Kind::MalformedBody),
            (r#"{"events": [], "all": true}"#, Kind::MalformedBody),
            (r#"{"events": []}"#, Kind::InvalidField),
        ] {
            assert_eq!(Deletion::read(body.as_bytes()).unwrap_err().kind(), kind, "{body}");
        }
        let many = vec![json!({"id": "1"}); MAX_ENTRIES + 1];
        assert_eq!(read(&json!(many)).unwrap_err(), Kind::InvalidField);
    }
}
