//! The fields of an event while it is written, so that something can be wrong with them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::flaws::Edit;

/// What an event says of itself, as far as it can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) id: Option<String>,
    pub(super) metric: Option<String>,
    pub(super) source: Option<String>,
    pub(super) store: Option<Uuid>,
}

/// The fields of an event, called as in one of our own; those of the data of a `CloudEvent` apart.
pub(super) struct Fields {
    pub(super) is_cloud: bool,
    pub(super) context: Vec<(&'static str, String)>,
    pub(super) data: Vec<(&'static str, String)>,
    /// What stands in place of all of it.
    pub(super) whole: Option<&'static str>,
}

impl Fields {
    fn part(&mut self, field: &str) -> &mut Vec<(&'static str, String)> {
        if ["value", "currency", "dimensions", "colour"].contains(&field) { &mut self.data } else { &mut self.context }
    }

    fn set(&mut self, field: &'static str, value: String) {
        let part = self.part(field);
        match part.iter_mut().find(|(name, _)| *name == field) {
            Some((_, there)) => *there = value,
            None => part.push((field, value)),
        }
    }

    /// Makes a flaw.
    pub(super) fn edit(&mut self, edit: &Edit) {
        match *edit {
            Edit::Set(field, value) => self.set(field, value.to_owned()),
            Edit::Long("dimensions", bytes) => self.set("dimensions", json!({"note": "x".repeat(bytes)}).to_string()),
            Edit::Long(field, bytes) => self.set(field, json!("x".repeat(bytes)).to_string()),
            Edit::Remove("data") => self.data.clear(),
            Edit::Remove(field) => self.part(field).retain(|(name, _)| *name != field),
            Edit::Twice(field, value) => self.part(field).push((field, value.to_owned())),
            Edit::Dimensions(count) => {
                let dimensions: serde_json::Map<_, _> =
                    (0..count).map(|index| (index.to_string(), json!(index))).collect();
                self.set("dimensions", Value::Object(dimensions).to_string());
            }
            Edit::Whole(text) => self.whole = Some(text),
            Edit::Cut | Edit::Bytes(_) => {}
        }
    }

    /// The event as it is written.
    pub(super) fn text(&self) -> String {
        if let Some(text) = self.whole {
            return text.to_owned();
        }
        if !self.is_cloud {
            return object(self.context.iter().chain(&self.data).map(|(name, value)| (*name, value.as_str())));
        }
        let in_a_cloud_event = |name| match name {
            "metric" => "type",
            "store_id" => "subject",
            "recorded_at" => "time",
            name => name,
        };
        let data = object(self.data.iter().map(|(name, value)| (*name, value.as_str())));
        // An edit may have given it other data.
        let has_data = !self.data.is_empty() && self.context.iter().all(|(name, _)| *name != "data");
        let context = self.context.iter().map(|(name, value)| (in_a_cloud_event(*name), value.as_str()));
        object(context.chain(has_data.then_some(("data", data.as_str()))))
    }

    /// What it says of itself: what comes last of what comes twice.
    pub(super) fn known(&self) -> Known {
        let text = |field: &str| -> Option<String> {
            let (_, value) = self.context.iter().rev().find(|(name, _)| *name == field)?;
            let text: String = serde_json::from_str(value).ok()?;
            (!text.is_empty() && text.len() <= 255 && !text.contains(char::is_control)).then_some(text)
        };
        if self.whole.is_some() {
            return Known::default();
        }
        let store = text("store_id").filter(|text| !self.is_cloud || text.len() == 36);
        let store = store.and_then(|text| Uuid::try_parse(&text).ok());
        Known { id: text("id"), metric: text("metric"), source: text("source"), store }
    }
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields: Vec<String> = fields.map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", fields.join(","))
}
