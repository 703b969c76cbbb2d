//! What a company has, by the documents: its events, its rejected events, and the record of what was changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::company::{By, Kind, Persona, Shop};
use super::draft::{Good, Sent, Store};
use super::fields::Known;

/// What an event is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) store: Uuid,
    pub(super) source: String,
    pub(super) id: String,
    pub(super) at: String,
}

/// What it says besides.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) metric: String,
    pub(super) value: String,
    pub(super) currency: Option<String>,
    pub(super) dimensions: Value,
}

/// A rejected event that is kept.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Told by the receipt.
    pub(super) id: Option<Uuid>,
    /// The request that it came with last.
    pub(super) request: usize,
    pub(super) times: u64,
    pub(super) code: String,
    pub(super) known: Known,
    pub(super) body: String,
    /// What it says, where its form was good.
    pub(super) event: Option<Good>,
}

/// What was changed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) request: usize,
    pub(super) action: &'static str,
    pub(super) by: By,
    pub(super) event: Identity,
    pub(super) before: Content,
    pub(super) after: Option<Content>,
}

/// What becomes of events of good form.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) replaced: usize,
    /// Which events are rejected, and why.
    pub(super) rejected: Vec<(usize, &'static str)>,
}

/// What a batch should be answered.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) taken: Taken,
    /// Index, id and code, and where it is held.
    pub(super) errors: Vec<(usize, Option<String>, &'static str, Option<usize>)>,
    pub(super) quarantine_full: bool,
}

/// An entry of a deletion: a store, a source, an id, perhaps a time; or the id that can be read, and what is wrong with its form.
pub(super) type Entry = Result<(Store, String, String, Option<String>), (Option<&'static str>, &'static str)>;

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) shops: Vec<Shop>,
    pub(super) metrics: BTreeMap<String, Kind>,
    pub(super) open_from: String,
    /// How many rejected events are kept.
    pub(super) room: usize,
    /// How many requests there were.
    pub(super) request: usize,
    pub(super) events: BTreeMap<Identity, Content>,
    pub(super) held: Vec<Held>,
    pub(super) changes: Vec<Change>,
}

impl Identity {
    fn is_visible(&self, persona: &Persona) -> bool {
        persona.store.is_none_or(|store| store == self.store)
    }
}

impl Content {
    fn says_the_same(&self, other: &Self) -> bool {
        let number = |dimension: &Value| dimension.as_f64().map_or_else(|| dimension.clone(), |number| json!(number));
        let dimensions = |content: &Self| -> BTreeMap<String, Value> {
            let fields = content.dimensions.as_object().unwrap().iter();
            fields.map(|(name, value)| (name.clone(), number(value))).collect()
        };
        let value = |content: &Self| -> String {
            let (value, has_point) = (content.value.as_str(), content.value.contains('.'));
            if has_point { value.trim_end_matches('0').trim_end_matches('.').to_owned() } else { value.to_owned() }
        };
        self.metric == other.metric
            && value(self) == value(other)
            && self.currency == other.currency
            && dimensions(self) == dimensions(other)
    }

    /// As the record of changes tells it.
    pub(super) fn json(&self) -> Value {
        json!({"metric": self.metric, "value": self.value, "currency": self.currency, "dimensions": self.dimensions})
    }
}

impl Held {
    pub(super) fn is_visible(&self, persona: &Persona) -> bool {
        persona.store.is_none_or(|store| self.known.store == Some(store))
    }
}

impl Model {
    /// The store that is meant, as far as this one sees stores.
    fn shop(&self, persona: &Persona, store: &Store) -> Result<&Shop, &'static str> {
        let is_meant = |shop: &&Shop| match (store, persona.store) {
            (Store::Implied, key_store) => key_store == Some(shop.id),
            (Store::Id(id), _) => *id == shop.id,
            (Store::External(id), _) => *id == shop.external_id,
        };
        if *store == Store::Implied && persona.store.is_none() {
            return Err("store_required");
        }
        let is_visible = |shop: &&Shop| persona.store.is_none_or(|store| store == shop.id);
        self.shops.iter().filter(is_visible).find(is_meant).ok_or("unknown_store")
    }

    fn judge(&self, persona: &Persona, event: &Good) -> Result<(Identity, Content), &'static str> {
        let shop = self.shop(persona, &event.store)?;
        let currency = match self.metrics.get(&event.metric) {
            None => return Err("unknown_metric"),
            Some(Kind::Ratio) => return Err("derived_metric"),
            Some(Kind::Money) => Some(event.currency.clone().unwrap_or_else(|| shop.currency.to_owned())),
            Some(Kind::Plain) => None,
        };
        if event.at < self.open_from || event.at.as_str() > "2100" {
            return Err("out_of_range");
        }
        let Good { id, metric, source, value, at, dimensions, .. } = event.clone();
        Ok((Identity { store: shop.id, source, id, at }, Content { metric, value, currency, dimensions }))
    }

    /// Takes events of good form.
    fn take(&mut self, persona: &Persona, events: &[&Good], replace: bool) -> Taken {
        let mut taken = Taken::default();
        let mut counting: BTreeMap<Identity, Content> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            match self.judge(persona, event) {
                Err(code) => taken.rejected.push((index, code)),
                Ok((identity, content)) if replace => drop(counting.insert(identity, content)),
                Ok((identity, content)) => drop(counting.entry(identity).or_insert(content)),
            }
        }
        for (identity, content) in counting {
            match self.events.get(&identity) {
                None => taken.accepted += 1,
                Some(before) if replace && !before.says_the_same(&content) => {
                    taken.replaced += 1;
                    let (before, after) = (before.clone(), Some(content.clone()));
                    self.change("replaced", persona, identity.clone(), before, after);
                }
                Some(_) => continue,
            }
            self.events.insert(identity, content);
        }
        taken.duplicates = events.len() - taken.rejected.len() - taken.accepted - taken.replaced;
        taken
    }

    fn change(&mut self, action: &'static str, by: &Persona, event: Identity, before: Content, after: Option<Content>) {
        let by = by.by.clone();
        self.changes.push(Change { request: self.request, action, by, event, before, after });
    }

    /// A batch.
    pub(super) fn ingest(&mut self, persona: &Persona, sent: &[Sent], replace: bool, dry_run: bool) -> Receipt {
        let good: Vec<(usize, &Good)> =
            sent.iter().enumerate().filter_map(|(index, event)| Some((index, event.read.as_ref().ok()?))).collect();
        let events: Vec<&Good> = good.iter().map(|(_, event)| *event).collect();
        let taken = self.take(persona, &events, replace);
        // Those that the database rejects are the first to be kept.
        let mut rejected: Vec<(usize, &'static str)> =
            taken.rejected.iter().map(|(index, code)| (good[*index].0, *code)).collect();
        rejected
            .extend(sent.iter().enumerate().filter_map(|(index, event)| Some((index, *event.read.as_ref().err()?))));
        let mut errors = Vec::new();
        let mut quarantine_full = false;
        for (index, code) in rejected {
            let place = if dry_run { None } else { self.hold(persona, &sent[index], code) };
            quarantine_full |= !dry_run && place.is_none();
            errors.push((index, sent[index].known.id.clone(), code, place));
        }
        errors.sort_by_key(|(index, ..)| *index);
        Receipt { taken, errors, quarantine_full }
    }

    /// Keeps a rejected event, if there is room.
    fn hold(&mut self, persona: &Persona, sent: &Sent, code: &'static str) -> Option<usize> {
        // Whoever sees the store would count there what a key sent that does not.
        let is_anothers = persona.store.is_some() && code == "unknown_store";
        let event = sent.read.as_ref().ok().filter(|_| !is_anothers).cloned().map(|mut event| {
            if let (Store::Implied, Some(store)) = (&event.store, persona.store) {
                event.store = Store::Id(store);
            }
            event
        });
        let mut known = sent.known.clone();
        known.store = persona.store.or(match &event {
            Some(Good { store: Store::Id(store), .. }) => Some(*store),
            Some(_) => None,
            None => known.store,
        });
        if let Ok(event) = &sent.read {
            known.source = Some(event.source.clone());
        }
        let is_same = |held: &&mut Held| held.known.store == known.store && held.body == sent.body;
        if let Some(held) = self.held.iter_mut().find(is_same) {
            // The same twice in a request came once.
            if held.request != self.request {
                (held.request, held.times) = (self.request, held.times + 1);
            }
            (held.code, held.event) = (code.to_owned(), event);
        } else if self.held.len() < self.room {
            let (id, body, code) = (None, sent.body.clone(), code.to_owned());
            self.held.push(Held { id, request: self.request, times: 1, code, known, body, event });
            return Some(self.held.len() - 1);
        }
        self.held.iter().position(|held| held.known.store == known.store && held.body == sent.body)
    }

    /// A deletion: how many were deleted, how many entries named none, and which were rejected.
    pub(super) fn delete(&mut self, persona: &Persona, entries: &[Entry]) -> (usize, usize, Vec<(usize, Value, &str)>) {
        let (mut found, mut not_found, mut errors) = (Vec::new(), 0, Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            let (store, source, id, at) = match entry {
                Ok(entry) => entry,
                Err((id, code)) => {
                    errors.push((index, json!(id), *code));
                    continue;
                }
            };
            let shop = match self.shop(persona, store) {
                Ok(_) if at.as_ref().is_some_and(|at| *at < self.open_from) => Err("out_of_range"),
                shop => shop,
            };
            let shop = match shop {
                Ok(shop) => shop.id,
                Err(code) => {
                    errors.push((index, json!(id), code));
                    continue;
                }
            };
            let before = found.len();
            found.extend(
                self.events
                    .keys()
                    .filter(|event| {
                        (event.store, &event.source, &event.id) == (shop, source, id)
                            && event.at >= self.open_from
                            && at.as_ref().is_none_or(|at| *at == event.at)
                    })
                    .cloned(),
            );
            not_found += usize::from(found.len() == before);
        }
        found.sort();
        found.dedup();
        let deleted = found.len();
        for event in found {
            let before = self.events.remove(&event).unwrap();
            self.change("deleted", persona, event, before, None);
        }
        (deleted, not_found, errors)
    }

    /// A replay of what is held in these places, and what of it is rejected: id in the quarantine, id, code.
    pub(super) fn replay(&mut self, persona: &Persona, mut places: Vec<usize>, replace: bool) -> (Taken, Vec<Value>) {
        places.sort_by_key(|place| (self.held[*place].request, self.held[*place].id));
        let tried: Vec<usize> = places.iter().copied().filter(|place| self.held[*place].event.is_some()).collect();
        let events: Vec<Good> = tried.iter().filter_map(|place| self.held[*place].event.clone()).collect();
        let taken = self.take(persona, &events.iter().collect::<Vec<_>>(), replace);
        for (index, code) in &taken.rejected {
            self.held[tried[*index]].code = (*code).to_owned();
        }
        let settled: Vec<usize> = (0..tried.len())
            .filter(|index| taken.rejected.iter().all(|(rejected, _)| rejected != index))
            .map(|index| tried[index])
            .collect();
        let errors = places.iter().filter(|place| !settled.contains(place)).map(|place| {
            let Held { id, code, known, .. } = &self.held[*place];
            json!({"quarantine_id": id, "id": known.id, "code": code})
        });
        let errors = errors.collect();
        self.forget(&settled);
        (taken, errors)
    }

    /// Removes what is held in these places.
    pub(super) fn forget(&mut self, places: &[usize]) {
        let mut place = 0;
        self.held.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
    }

    /// The changes that somebody sees, newest first.
    pub(super) fn changes(&self, persona: &Persona) -> Vec<&Change> {
        self.changes.iter().rev().filter(|change| change.event.is_visible(persona)).collect()
    }
}
