//! What the lists and the tables should hold, by the model.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use super::company::{By, Persona};
use super::history::History;
use super::model::{Change, Held, Model};
use crate::harness::rollup_difference;
use crate::v1::pages::{list, pages};

/// Everything that is kept of an event, but when it came.
const EVENTS: &str = r#"
    select jsonb_build_array(
      store_id, source, event_id, to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), metric_key,
      value::text, currency, dimensions
    )::text
    from public.metric_events where org_id = $1
    order by store_id, source collate "C", event_id collate "C", recorded_at"#;

/// What filters a list: parameters and their values.
pub(super) type Filter = Vec<(&'static str, String)>;

impl History<'_> {
    /// Compares everything that there is with the model.
    pub(super) async fn check(&mut self) {
        let org_id = Uuid::try_parse(&self.company.tenant.org_id).unwrap();
        assert_eq!(self.events(org_id).await, events(&self.model), "events");
        let difference = rollup_difference(&self.bundle.database_url, org_id).await.unwrap();
        assert_eq!(difference, Vec::<String>::new(), "rollups");
        for persona in self.company.personas.clone() {
            if persona.may_write {
                self.check_quarantine(&persona, &Filter::new(), 200).await;
                self.check_changes(&persona, &Filter::new(), 200).await;
                continue;
            }
            for path in ["/v1/events/quarantine", "/v1/events/changes"] {
                list(self.bundle, &persona.credential, path, &[]).await.problem(403, "forbidden");
            }
        }
    }

    async fn events(&self, org_id: Uuid) -> Vec<Value> {
        let mut connection = self.bundle.database().await.unwrap();
        let found: Vec<String> = sqlx::query_scalar(EVENTS).bind(org_id).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        found.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
    }

    pub(super) async fn check_quarantine(&mut self, persona: &Persona, filter: &Filter, limit: usize) {
        let parameters: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = "/v1/events/quarantine";
        let (mut told, page) = pages(self.bundle, &persona.credential, path, &parameters, limit).await;
        let mut last = String::from("9");
        for event in &mut told {
            let event = event.as_object_mut().unwrap();
            assert!(!event.remove("detail").unwrap().as_str().unwrap().is_empty());
            let received_at = event.remove("received_at").unwrap().as_str().unwrap().to_owned();
            assert!(received_at <= last, "{received_at} after {last}");
            last = received_at;
        }
        let mut visible: Vec<&Held> = self.model.held.iter().filter(|held| held.is_visible(persona)).collect();
        assert_eq!(
            (&page["held"], &page["limit"]),
            (&json!(visible.len()), &json!(self.model.room)),
            "{}",
            persona.name
        );
        visible.retain(|held| held.is_meant(filter));
        visible.sort_by_key(|held| (held.request, held.id));
        let expected: Vec<Value> = visible.iter().rev().map(|held| held.json()).collect();
        assert_eq!(told, expected, "the quarantine, as {} sees it, {filter:?}", persona.name);
        self.count("quarantine listed", told.len());
    }

    pub(super) async fn check_changes(&mut self, persona: &Persona, filter: &Filter, limit: usize) {
        let parameters: Vec<_> = filter.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (mut told, _) = pages(self.bundle, &persona.credential, "/v1/events/changes", &parameters, limit).await;
        let mut last = (String::from("9"), String::new());
        for change in &mut told {
            let change = change.as_object_mut().unwrap();
            let next = ["changed_at", "id"].map(|field| change.remove(field).unwrap().as_str().unwrap().to_owned());
            let next: (String, String) = next.into();
            assert!(next < last, "{next:?} after {last:?}");
            last = next;
        }
        let changes = self.model.changes(persona);
        let expected: Vec<&Change> = changes.into_iter().filter(|change| change.is_meant(filter)).collect();
        assert_eq!(told.len(), expected.len(), "changes, as {} sees them, {filter:?}", persona.name);
        // Those of one request are in no order.
        let mut told = told.into_iter();
        for of_one in expected.chunk_by(|one, other| one.request == other.request) {
            let sorted = |changes: Vec<Value>| changes.into_iter().map(|change| (change.to_string(), change)).collect();
            let expected: BTreeMap<String, Value> = sorted(of_one.iter().map(|change| change.json()).collect());
            let told: BTreeMap<String, Value> = sorted(told.by_ref().take(of_one.len()).collect());
            assert_eq!(told, expected, "changes, as {} sees them, {filter:?}", persona.name);
        }
        self.count("changes listed", self.model.changes(persona).len());
    }
}

/// The events as the table has them.
fn events(model: &Model) -> Vec<Value> {
    let events = model.events.iter().map(|(event, content)| {
        let at = if event.at.contains('.') { event.at.clone() } else { event.at.replace('Z', ".000000Z") };
        let (store, source, id) = (event.store, &event.source, &event.id);
        json!([store, source, id, at, content.metric, content.value, content.currency, content.dimensions])
    });
    events.collect()
}

impl Held {
    pub(super) fn is_meant(&self, filter: &Filter) -> bool {
        filter.iter().all(|(name, value)| {
            let told = match *name {
                "code" => Some(self.code.clone()),
                "store_id" => self.known.store.map(|store| store.to_string()),
                "source" => self.known.source.clone(),
                "metric" => self.known.metric.clone(),
                _ => self.known.id.clone(),
            };
            told.as_ref() == Some(value)
        })
    }

    fn json(&self) -> Value {
        let Self { id, times, code, known, body, event, .. } = self;
        json!({"id": id, "times": times, "code": code, "store_id": known.store, "source": known.source,
               "event_id": known.id, "metric": known.metric, "body": body, "replayable": event.is_some()})
    }
}

impl Change {
    fn is_meant(&self, filter: &Filter) -> bool {
        filter.iter().all(|(name, value)| match *name {
            "action" => self.action == value,
            "store_id" => self.event.store.to_string() == *value,
            "source" => self.event.source == *value,
            _ => self.event.id == *value,
        })
    }

    fn json(&self) -> Value {
        let Self { action, by, event, before, after, .. } = self;
        let by = match by {
            By::User(id) => json!({"user_id": id}),
            By::Key(id) => json!({"api_key_id": id}),
        };
        json!({"action": action, "changed_by": by, "store_id": event.store, "source": event.source,
               "event_id": event.id, "recorded_at": event.at, "before": before.json(),
               "after": after.as_ref().map(|after| after.json())})
    }
}
