//! What a company does in the course of a history, each time with a receipt that the model knew.

use std::collections::BTreeMap;

use reqwest::RequestBuilder;
use reqwest::Url;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Totals;
use super::company::{Company, FIRST_STORES, Kind, LATE_METRICS, Persona, STORES, kind};
use super::draft::{Draft, Sent, Space, Store, store};
use super::format::Format;
use super::lists::Filter;
use super::model::{Entry, Model, Receipt, Taken};
use crate::answer::{Answer, ask};
use crate::harness::{Bundle, Random};
use crate::sql::rollups::METRICS;
use crate::v1::event_formats::gzip;

/// Entries of a deletion that have not the right form.
const FLAWED_ENTRIES: [(&str, Option<&str>, &str); 9] = [
    ("7", None, "invalid_event"),
    ("{}", None, "invalid_event"),
    (r#"{"id": ""}"#, None, "invalid_event"),
    (r#"{"id": "1", "colour": "red"}"#, Some("1"), "invalid_event"),
    (r#"{"id": "1", "source": ""}"#, Some("1"), "invalid_event"),
    (r#"{"id": "1", "store_id": "shop-0"}"#, Some("1"), "invalid_event"),
    (r#"{"id": "1", "recorded_at": "yesterday"}"#, Some("1"), "invalid_time"),
    (r#"{"id": "1", "recorded_at": "2026-05-05"}"#, Some("1"), "invalid_time"),
    (r#"{"id": "1", "recorded_at": "1969-12-31T23:59:59Z"}"#, Some("1"), "out_of_range"),
];
/// The month that may be closed in a history.
const CLOSED_BEFORE: &str = "2026-02-01T00:00:00Z";
const ALWAYS: &str = "1970-01-01T00:00:00Z";

pub(super) struct History<'b> {
    pub(super) bundle: &'b Bundle,
    pub(super) company: Company,
    pub(super) model: Model,
    /// The names of a store of another company.
    foreign: (Uuid, String),
    pub(super) random: Random,
    space: Space,
    batches: Vec<Vec<Draft>>,
    totals: Totals,
}

impl<'b> History<'b> {
    pub(super) fn new(bundle: &'b Bundle, company: Company, foreign: (Uuid, String), mut random: Random) -> Self {
        let mut metrics: BTreeMap<_, _> =
            METRICS.iter().map(|(key, unit, ..)| ((*key).to_owned(), kind(unit))).collect();
        metrics.insert("aov".to_owned(), Kind::Ratio);
        let model = Model {
            shops: company.shops[..FIRST_STORES].to_vec(),
            metrics,
            open_from: ALWAYS.to_owned(),
            room: company.room,
            request: 0,
            events: BTreeMap::new(),
            held: Vec::new(),
            changes: Vec::new(),
        };
        let space = Space::new(&mut random);
        Self { bundle, company, model, foreign, random, space, batches: Vec::new(), totals: Totals::new() }
    }

    pub(super) async fn run(mut self) -> Totals {
        for _ in 0..10 + self.random.below(40) {
            match self.random.below(100) {
                0..50 => self.ingest().await,
                50..62 => self.delete().await,
                62..76 => self.replay().await,
                76..79 => self.discard().await,
                79..85 => self.list_quarantine().await,
                85..90 => self.list_changes().await,
                90..93 => self.be_refused().await,
                _ => {
                    self.grow().await;
                    self.replay().await;
                }
            }
        }
        self.check().await;
        self.totals
    }

    pub(super) fn count(&mut self, name: &'static str, times: usize) {
        if times > 0 {
            *self.totals.entry(name).or_default() += times;
        }
    }

    pub(super) fn chance(&mut self, in_100: usize) -> bool {
        self.random.below(100) < in_100
    }

    pub(super) fn writer(&mut self) -> Persona {
        let writers: Vec<&Persona> = self.company.personas.iter().filter(|persona| persona.may_write).collect();
        (*self.random.pick(&writers)).clone()
    }

    pub(super) fn post(&self, persona: &Persona, path: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
        let url = Url::parse_with_params(&self.bundle.url(path), parameters).unwrap();
        self.bundle.client.post(url).bearer_auth(&persona.credential)
    }

    /// Parameters of the URL, left out now and then where they say what is meant anyway.
    pub(super) fn parameters(&mut self, replace: Option<bool>, dry_run: bool) -> Vec<(&'static str, &'static str)> {
        let mut parameters = Vec::new();
        match replace {
            Some(true) => parameters.push(("on_conflict", "replace")),
            Some(false) if self.chance(20) => parameters.push(("on_conflict", "ignore")),
            _ => {}
        }
        if dry_run || self.chance(10) {
            parameters.push(("dry_run", if dry_run { "true" } else { "false" }));
        }
        parameters
    }

    /// The model after the next request, which becomes the model unless it was only tried.
    pub(super) fn next(&self) -> Model {
        let mut next = self.model.clone();
        next.request += 1;
        next
    }

    pub(super) fn settle(&mut self, next: Model, dry_run: bool) {
        if dry_run {
            self.count("dry runs", 1);
        } else {
            self.model = next;
        }
    }

    /// Events, new or like some that were sent before.
    fn drafts(&mut self) -> Vec<Draft> {
        if self.chance(6) {
            return vec![self.space.draft(&mut self.random).too_large(); 1 + self.random.below(2)];
        }
        if self.batches.is_empty() || self.chance(60) {
            let count = if self.chance(40) { self.random.below(2) } else { self.random.below(16) };
            return (0..count).map(|_| self.space.draft(&mut self.random)).collect();
        }
        let mut again = self.random.pick(&self.batches).clone();
        if self.chance(50) {
            for draft in &mut again {
                if self.random.below(3) == 0 {
                    *draft = draft.restated(&mut self.random);
                }
            }
        }
        again
    }

    async fn ingest(&mut self) {
        let (persona, drafts) = (self.writer(), self.drafts());
        let format = Format::any(drafts.len(), &mut self.random);
        let sent: Vec<Sent> =
            drafts.iter().map(|draft| draft.write(format, &self.company.shops, &self.foreign)).collect();
        let (replace, dry_run) = (self.chance(50), self.chance(15));
        let parameters = self.parameters(Some(replace), dry_run);
        let request = self.post(&persona, "/v1/events", &parameters).header("content-type", format.content_type());
        let body = format.body(&sent, &mut self.random);
        let request = if self.chance(50) {
            request.header("content-encoding", "gzip").body(gzip(&body))
        } else {
            request.body(body.clone())
        };
        let answer = ask(request).await;
        if !sent.is_empty() && sent.iter().all(|event| event.read.as_ref().err() == Some(&"event_too_large")) {
            answer.problem(413, "event-too-large");
            return self.count("all too large", 1);
        }
        let mut next = self.next();
        let receipt = next.ingest(&persona, &sent, replace, dry_run);
        let body = String::from_utf8_lossy(&body);
        let context =
            format!("{} {format:?} {parameters:?} {}", persona.name, &body[..body.floor_char_boundary(9_000)]);
        receipt.compare(&answer, &mut next, &context);
        self.tally(&receipt);
        self.settle(next, dry_run);
        self.batches.push(drafts);
    }

    fn tally(&mut self, receipt: &Receipt) {
        let Receipt { taken: Taken { accepted, duplicates, replaced, .. }, errors, quarantine_full } = receipt;
        for (name, times) in [("accepted", accepted), ("duplicates", duplicates), ("replaced", replaced)] {
            self.count(name, *times);
        }
        for (_, _, code, held) in errors {
            self.count(code, 1);
            self.count("quarantined", usize::from(held.is_some()));
        }
        self.count("not kept", usize::from(*quarantine_full));
    }

    async fn delete(&mut self) {
        let persona = self.writer();
        let (mut texts, mut entries) = (Vec::new(), Vec::new());
        for _ in 0..1 + self.random.below(6) {
            let (text, entry) = self.entry(&persona);
            texts.push(text);
            entries.push(entry);
        }
        let dry_run = self.chance(15);
        let parameters = self.parameters(None, dry_run);
        let body = format!("{{\"events\": [{}]}}", texts.join(", "));
        let request = self.post(&persona, "/v1/events/delete", &parameters).header("content-type", "application/json");
        let answer = ask(request.body(body.clone())).await;
        let mut next = self.next();
        let (deleted, not_found, errors) = next.delete(&persona, &entries);
        let errors: Vec<Value> =
            errors.iter().map(|(index, id, code)| json!({"index": index, "id": id, "code": code})).collect();
        let expected = json!({"deleted": deleted, "not_found": not_found, "rejected": errors.len(), "errors": errors});
        assert_eq!(without_details(&answer), expected, "{} {parameters:?} {body}", persona.name);
        self.count("deleted", deleted);
        self.count("not found", not_found);
        self.settle(next, dry_run);
    }

    /// An entry of a deletion, mostly one that names an event that is there.
    fn entry(&mut self, persona: &Persona) -> (String, Entry) {
        if self.chance(10) {
            let (text, id, code) = *self.random.pick(&FLAWED_ENTRIES);
            return (text.to_owned(), Err((id, code)));
        }
        let named = self.space.store(&mut self.random);
        let named = store(named, false, &self.company.shops, &self.foreign);
        let (written, told) = self.space.time(&mut self.random);
        let source = self.space.source(&mut self.random).unwrap_or("api").to_owned();
        let mut entry = (named, source, self.space.id(&mut self.random).to_owned(), told.to_owned());
        let mut written = written.to_owned();
        if !self.model.events.is_empty() && self.chance(70) {
            let number = self.random.below(self.model.events.len());
            let event = self.model.events.keys().nth(number).unwrap();
            entry = (Store::Id(event.store), event.source.clone(), event.id.clone(), event.at.clone());
            written.clone_from(&event.at);
        }
        let (mut store, source, id, told) = entry;
        if persona.store.is_some_and(|key_store| store == Store::Id(key_store)) && self.chance(50) {
            store = Store::Implied;
        }
        let mut text = json!({"id": id});
        if let Store::Id(id) = &store {
            text["store_id"] = json!(id);
        }
        if source != "api" || self.chance(50) {
            text["source"] = json!(source);
        }
        let told = self.chance(60).then_some(told);
        if told.is_some() {
            text["recorded_at"] = json!(written);
        }
        (text.to_string(), Ok((store, source, id, told)))
    }

    async fn list_quarantine(&mut self) {
        let persona = self.writer();
        let filter = if self.chance(50) { self.filter() } else { Filter::new() };
        let limit = 1 + self.random.below(30);
        self.check_quarantine(&persona, &filter, limit).await;
    }

    async fn list_changes(&mut self) {
        let persona = self.writer();
        let mut filter = Filter::new();
        if !self.model.changes.is_empty() && self.chance(60) {
            let change = &self.model.changes[self.random.below(self.model.changes.len())];
            filter = vec![
                ("action", change.action.to_owned()),
                ("store_id", change.event.store.to_string()),
                ("source", change.event.source.clone()),
                ("id", change.event.id.clone()),
            ];
            filter.retain(|_| self.random.below(2) == 0);
        }
        let limit = 1 + self.random.below(30);
        self.check_changes(&persona, &filter, limit).await;
    }

    /// Somebody asks who may not.
    async fn be_refused(&mut self) {
        let refused: Vec<&Persona> = self.company.personas.iter().filter(|persona| !persona.may_write).collect();
        let persona = (*self.random.pick(&refused)).clone();
        let drafts = [self.space.draft(&mut self.random).sound()];
        let sent = drafts.map(|draft| draft.write(Format::One, &self.company.shops, &self.foreign));
        let body = Format::One.body(&sent, &mut self.random);
        let event = self.post(&persona, "/v1/events", &[]).header("content-type", "application/json").body(body);
        let deletion = self.entry(&persona).0;
        let deletion = self.post(&persona, "/v1/events/delete", &[]).body(format!("{{\"events\": [{deletion}]}}"));
        let replay = self.post(&persona, "/v1/events/quarantine/replay", &[]).json(&json!({"all": true}));
        let discard = self.post(&persona, "/v1/events/quarantine/discard", &[]).json(&json!({"all": true}));
        for request in [event, deletion.header("content-type", "application/json"), replay, discard] {
            ask(request).await.problem(403, "forbidden");
            self.count("forbidden", 1);
        }
    }

    /// A store is opened, a metric is defined, months are closed.
    async fn grow(&mut self) {
        match self.random.below(7) {
            0..3 if self.model.shops.len() < STORES => {
                let index = self.model.shops.len();
                self.company.open(self.bundle, index).await;
                self.model.shops.push(self.company.shops[index].clone());
            }
            3..6 => {
                let late = LATE_METRICS.iter().find(|(key, ..)| !self.model.metrics.contains_key(*key));
                if let Some(metric) = late {
                    self.company.define(self.bundle, *metric).await;
                    self.model.metrics.insert(metric.0.to_owned(), kind(metric.1));
                }
            }
            6 if self.model.open_from == ALWAYS => {
                self.company.close_months(self.bundle, CLOSED_BEFORE).await;
                self.model.open_from = CLOSED_BEFORE.to_owned();
            }
            _ => {}
        }
    }
}

impl Receipt {
    /// Compares the receipt, and takes from it where the rejected events are held.
    fn compare(&self, answer: &Answer, next: &mut Model, context: &str) {
        let Self { taken: Taken { accepted, duplicates, replaced, .. }, errors, quarantine_full } = self;
        let told = answer.ok();
        let plain: Vec<Value> =
            errors.iter().map(|(index, id, code, _)| json!({"index": index, "id": id, "code": code})).collect();
        let quarantined = errors.iter().filter(|(.., held)| held.is_some()).count();
        let expected = json!({"accepted": accepted, "duplicates": duplicates, "replaced": replaced,
                              "rejected": errors.len(), "quarantined": quarantined,
                              "quarantine_full": quarantine_full, "errors": plain});
        let mut plainly_told = without_details(answer);
        for error in plainly_told["errors"].as_array_mut().unwrap() {
            error.as_object_mut().unwrap().remove("quarantine_id").unwrap();
        }
        assert_eq!(plainly_told, expected, "{context}");
        for ((index, _, _, held), error) in errors.iter().zip(told["errors"].as_array().unwrap()) {
            let id = error["quarantine_id"].as_str().map(|id| Uuid::try_parse(id).unwrap());
            match held.map(|place| &mut next.held[place].id) {
                None => assert_eq!(id, None, "event {index}: {context}"),
                Some(known @ None) => *known = Some(id.unwrap_or_else(|| panic!("event {index}: {context}"))),
                Some(known) => assert_eq!(*known, id, "event {index}: {context}"),
            }
        }
    }
}

/// The answer without what is said to people only, which has to be there.
pub(super) fn without_details(answer: &Answer) -> Value {
    let mut told = answer.ok();
    for error in told["errors"].as_array_mut().unwrap() {
        let detail = error.as_object_mut().unwrap().remove("detail").unwrap();
        assert!(detail.as_str().is_some_and(|detail| !detail.is_empty()), "{told}");
    }
    told
}
