//! Rejected events are selected, to be replayed or discarded.

use serde_json::{Value, json};
use uuid::Uuid;

use super::CODES;
use super::company::Persona;
use super::history::{History, without_details};
use super::lists::Filter;
use super::model::Taken;
use crate::answer::ask;

/// Which rejected events are meant: the body that says it, and their places.
struct Selection {
    body: Value,
    places: Vec<usize>,
    by_ids: bool,
}

impl History<'_> {
    /// A selection, and what it means to this one.
    fn select(&mut self, persona: &Persona) -> Selection {
        let held = &self.model.held;
        let visible = || (0..held.len()).filter(|place| held[*place].is_visible(persona));
        match self.random.below(3) {
            0 => Selection { body: json!({"all": true}), places: visible().collect(), by_ids: false },
            1 => {
                let filter = self.filter();
                let held = &self.model.held;
                let visible = (0..held.len()).filter(|place| held[*place].is_visible(persona));
                let places = visible.filter(|place| held[*place].is_meant(&filter)).collect();
                let fields: serde_json::Map<_, _> =
                    filter.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
                Selection { body: json!({"filter": fields}), places, by_ids: false }
            }
            _ => {
                let in_100 = self.random.below(101);
                let picked: Vec<usize> = (0..held.len()).filter(|_| self.random.below(100) < in_100).collect();
                let nobody = Uuid::from_u64_pair(self.random.number(), self.random.number());
                let ids: Vec<Uuid> = picked.iter().filter_map(|place| held[*place].id).chain([nobody]).collect();
                let places = picked.into_iter().filter(|place| held[*place].is_visible(persona)).collect();
                Selection { body: json!({"ids": ids}), places, by_ids: true }
            }
        }
    }

    /// A filter that means some rejected event, or none.
    pub(super) fn filter(&mut self) -> Filter {
        let mut filter = vec![("code", (*self.random.pick(&CODES)).to_owned())];
        if !self.model.held.is_empty() && self.chance(90) {
            let known = &self.model.held[self.random.below(self.model.held.len())].known;
            let fields = [
                ("store_id", known.store.map(|store| store.to_string())),
                ("source", known.source.clone()),
                ("metric", known.metric.clone()),
                ("id", known.id.clone()),
            ];
            let mut chosen: Filter = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            chosen.retain(|_| self.random.below(2) == 0);
            if self.random.below(3) == 0 {
                chosen.append(&mut filter);
            }
            if !chosen.is_empty() {
                return chosen;
            }
        }
        filter
    }

    pub(super) async fn replay(&mut self) {
        let persona = self.writer();
        let Selection { body, mut places, by_ids } = self.select(&persona);
        // Those of bad form are tried where they are named only.
        places.retain(|place| by_ids || self.model.held[*place].event.is_some());
        let (replace, dry_run) = (self.chance(70), self.chance(15));
        let parameters = self.parameters(Some(replace), dry_run);
        let answer = ask(self.post(&persona, "/v1/events/quarantine/replay", &parameters).json(&body)).await;
        let mut next = self.next();
        let (taken, errors) = next.replay(&persona, places, replace);
        let Taken { accepted, duplicates, replaced, .. } = taken;
        let expected = json!({"accepted": accepted, "duplicates": duplicates, "replaced": replaced,
                              "rejected": errors.len(), "remaining": 0, "errors": errors});
        assert_eq!(without_details(&answer), expected, "{} {parameters:?} {body}", persona.name);
        for (name, times) in [
            ("replayed: accepted", accepted),
            ("replayed: duplicates", duplicates),
            ("replayed: replaced", replaced),
            ("replayed: rejected", errors.len()),
        ] {
            self.count(name, times);
        }
        self.settle(next, dry_run);
    }

    pub(super) async fn discard(&mut self) {
        let persona = self.writer();
        let Selection { body, places, .. } = self.select(&persona);
        let answer = ask(self.post(&persona, "/v1/events/quarantine/discard", &[]).json(&body)).await;
        assert_eq!(answer.ok(), json!({"discarded": places.len(), "remaining": 0}), "{} {body}", persona.name);
        self.count("discarded", places.len());
        self.model.forget(&places);
    }
}
