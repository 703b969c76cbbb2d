//! `/v1/events/quarantine`: which rejected events are meant, by the URL or by a body.

use crate::object::Object;
use crate::page::Page;
use crate::parameters::{AN_INSTANT, Parameters, instant};
use crate::problem::{Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The largest body, bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// The most ids of a selection.
const MAX_IDS: usize = 5_000;
/// The longest text of a filter, bytes.
const MAX_TEXT_BYTES: usize = 255;

/// What rejected events have in common, as `app.is_selected` takes it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed_before: Option<String>,
}

/// The events that are to be replayed or discarded, as `app.selected_events` takes them.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Object<Filter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
}

/// What `api.replay_quarantine` answers.
#[derive(Debug, Deserialize)]
pub struct Replayed {
    accepted: usize,
    duplicates: usize,
    replaced: usize,
    remaining: usize,
    errors: Vec<Box<RawValue>>,
}

/// What the client is answered, after the commit.
#[derive(Debug, Serialize)]
pub struct ReplayReceipt {
    accepted: usize,
    duplicates: usize,
    replaced: usize,
    rejected: usize,
    remaining: usize,
    errors: Vec<Box<RawValue>>,
}

impl Filter {
    /// The parameters of a URL that say it, and which page is asked for.
    pub const PARAMETERS: [&str; 10] = [
        "code",
        "store_id",
        "source",
        "metric",
        "id",
        "from",
        "to",
        "replayed_before",
        Page::PARAMETERS[0],
        Page::PARAMETERS[1],
    ];

    /// Reads the parameters of a URL.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let text = |name| parameters.get(name).map(str::to_owned);
        let time = |name| Ok::<_, Problem>(parameters.instant(name)?.map(|instant| instant.to_string()));
        Ok(Self {
            code: text("code"),
            store_id: parameters.uuid("store_id")?,
            source: text("source"),
            metric: text("metric"),
            id: text("id"),
            from: time("from")?,
            to: time("to")?,
            replayed_before: time("replayed_before")?,
        })
    }

    /// As JSON, for the database.
    pub fn into_json(self) -> Result<String, Problem> {
        serde_json::to_string(&self).map_err(|error| Problem::ours(Kind::Internal, error))
    }

    /// Checks what came in a body and not in a URL.
    fn check(&mut self) -> Result<(), Problem> {
        for (name, text) in [("code", &self.code), ("source", &self.source), ("metric", &self.metric), ("id", &self.id)]
        {
            if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control)) {
                let detail = format!("`{name}` has at most {MAX_TEXT_BYTES} bytes and no control characters.");
                return Err(Problem::new(Kind::InvalidField, detail));
            }
        }
        for (name, text) in
            [("from", &mut self.from), ("to", &mut self.to), ("replayed_before", &mut self.replayed_before)]
        {
            let Some(given) = text else { continue };
            let read =
                instant(given).ok_or_else(|| Problem::new(Kind::InvalidField, format!("`{name}` {AN_INSTANT}")))?;
            *given = read.to_string();
        }
        Ok(())
    }
}

impl Selection {
    /// Reads `{"ids": […]}`, `{"filter": {…}}` or `{"all": true}`.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let wanted = "Send {\"ids\": […]}, {\"filter\": {…}} or {\"all\": true}";
        let Object(mut selection): Object<Self> = serde_json::from_slice(body)
            .map_err(|error| Problem::new(Kind::MalformedBody, format!("{wanted}: {error}.")))?;
        let invalid = |detail: String| Problem::new(Kind::InvalidField, detail);
        match (&selection.ids, &mut selection.filter, selection.all) {
            (Some(ids), None, None) if ids.is_empty() || ids.len() > MAX_IDS => {
                Err(invalid(format!("`ids` has 1 to {MAX_IDS} ids.")))
            }
            (None, Some(Object(filter)), None) if *filter == Filter::default() => {
                Err(invalid("`filter` has at least one field; everything is meant by {\"all\": true}.".to_owned()))
            }
            (None, Some(Object(filter)), None) => filter.check(),
            (Some(_), None, None) | (None, None, Some(true)) => Ok(()),
            _ => Err(invalid(format!("{wanted}, and only one of them."))),
        }?;
        Ok(selection)
    }

    /// As JSON, for the database.
    pub fn into_json(self) -> Result<String, Problem> {
        serde_json::to_string(&self).map_err(|error| Problem::ours(Kind::Internal, error))
    }
}

impl From<Replayed> for ReplayReceipt {
    fn from(replayed: Replayed) -> Self {
        let Replayed { accepted, duplicates, replaced, remaining, errors } = replayed;
        Self { accepted, duplicates, replaced, rejected: errors.len(), remaining, errors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ID: &str = "22222222-2222-4222-8222-222222222222";

    fn read(body: &Value) -> Result<Value, Kind> {
        let selection = Selection::read(body.to_string().as_bytes()).map_err(|problem| problem.kind())?;
        Ok(serde_json::from_str(&selection.into_json().unwrap()).unwrap())
    }

    #[test]
    fn a_selection_names_events_one_way() {
        for body in
            [json!({"ids": [ID]}), json!({"all": true}), json!({"filter": {"code": "unknown_metric", "store_id": ID}})]
        {
            assert_eq!(read(&body), Ok(body));
        }
        for name in ["from", "to", "replayed_before"] {
            let filter = json!({"filter": {name: "2026-11-22T09:00:00+02:00"}});
            assert_eq!(read(&filter), Ok(json!({"filter": {name: "2026-11-22T07:00:00Z"}})));
        }
        for body in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "ids": [ID]}),
            json!({"ids": []}),
            json!({"ids": vec![ID; MAX_IDS + 1]}),
            json!({"filter": {}}),
            json!({"filter": {"from": "today"}}),
            json!({"filter": {"replayed_before": "now"}}),
            json!({"filter": {"id": "a\u{0}b"}}),
            json!({"filter": {"source": "x".repeat(256)}}),
        ] {
            assert_eq!(read(&body), Err(Kind::InvalidField), "{body}");
        }
        for body in [
            json!([ID]),
            json!({"ids": ["shop"]}),
            json!({"filter": {"colour": "red"}}),
            json!({"filter": ["unknown_metric", null, null, null, null, null, null, null]}),
            json!("all"),
            json!(null),
        ] {
            assert_eq!(read(&body), Err(Kind::MalformedBody), "{body}");
        }
    }

    #[test]
    fn a_url_filters_the_same() {
        let parameters = Parameters::read(
            &format!(
                "code=invalid_value&store_id={ID}&source=a%20b&from=2026-11-22T09:00:00%2B02:00&replayed_before=2026-11-22T07:00:00Z&limit=3"
            ),
            &Filter::PARAMETERS,
        );
        let filter = Filter::of(&parameters.unwrap()).unwrap().into_json().unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&filter).unwrap(),
            json!({"code": "invalid_value", "store_id": ID, "source": "a b", "from": "2026-11-22T07:00:00Z",
                   "replayed_before": "2026-11-22T07:00:00Z"})
        );
    }
}
