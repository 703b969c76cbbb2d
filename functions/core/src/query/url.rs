//! A question in the parameters of a URL.

use super::invalid;
use crate::parameters::Parameters;
use crate::problem::{Kind, Problem};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The parameters, which are called as the fields of a question.
pub(super) const PARAMETERS: [&str; 19] = [
    "metrics",
    "stores",
    "workspace",
    "from",
    "to",
    "granularity",
    "week_start",
    "timezone",
    "currency",
    "group_by",
    "filter",
    "top",
    "order_by",
    "limit",
    "cursor",
    "fill",
    "cumulative",
    "totals",
    "compare",
];

/// The same question as a document, to be read like one.
pub(super) fn json(parameters: &Parameters) -> Result<Box<RawValue>, Problem> {
    let mut fields: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
    for name in PARAMETERS {
        if let Some(text) = parameters.get(name) {
            fields.insert(name, value(name, text, parameters)?);
        }
    }
    raw(&fields)
}

fn value(name: &str, text: &str, parameters: &Parameters) -> Result<Box<RawValue>, Problem> {
    match name {
        "metrics" | "stores" | "group_by" if text.starts_with('[') => document(name, text),
        "metrics" | "stores" | "group_by" => raw(&text.split(',').collect::<Vec<_>>()),
        "cumulative" | "totals" => raw(&parameters.flag(name)?),
        "limit" => raw(&number(name, text)?),
        "filter" | "top" | "order_by" | "compare" if text.starts_with('{') => document(name, text),
        "top" => raw(&json!({"n": number(name, text)?})),
        "order_by" => raw(&order_by(text, parameters)),
        _ => raw(&text),
    }
}

fn document(name: &str, text: &str) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text.to_owned()).map_err(|error| invalid(&format!("`{name}` is not valid JSON: {error}.")))
}

/// A metric or a dimension, with a minus for the greatest first.
fn order_by(text: &str, parameters: &Parameters) -> Value {
    let (direction, name) = text.strip_prefix('-').map_or(("asc", text), |name| ("desc", name));
    let metrics = parameters.get("metrics").unwrap_or_default();
    let kind = if metrics.split(',').any(|metric| metric == name) { "metric" } else { "dimension" };
    json!({kind: name, "direction": direction})
}

fn number(name: &str, text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| invalid(&format!("`{name}` is a number.")))
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    to_raw_value(value).map_err(|error| Problem::ours(Kind::Internal, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Value {
        let parameters = Parameters::read(query, &PARAMETERS).unwrap();
        serde_json::from_str(json(&parameters).unwrap().get()).unwrap()
    }

    #[test]
    fn parameters_are_the_fields_of_a_question() {
        assert_eq!(
            read("metrics=revenue,orders&from=2026-10-01&to=2026-11-01&totals=true&top=5&compare=previous_year"),
            json!({"metrics": ["revenue", "orders"], "from": "2026-10-01", "to": "2026-11-01", "totals": true,
                   "top": {"n": 5}, "compare": "previous_year"})
        );
        assert_eq!(
            read("metrics=orders&group_by=channel,store&order_by=-orders&limit=10"),
            json!({"metrics": ["orders"], "group_by": ["channel", "store"], "limit": 10,
                   "order_by": {"metric": "orders", "direction": "desc"}})
        );
        assert_eq!(
            read("metrics=orders&order_by=channel")["order_by"],
            json!({"dimension": "channel", "direction": "asc"})
        );
    }

    #[test]
    fn what_is_not_plain_is_json() {
        let filter = r#"filter={"dimension":"n","eq":0.10000000000000000001}"#;
        let parameters = Parameters::read(filter, &PARAMETERS).unwrap();
        assert!(json(&parameters).unwrap().get().contains("0.10000000000000000001"));
        assert_eq!(read(r#"metrics=orders&group_by=["a,b","c"]"#)["group_by"], json!(["a,b", "c"]));
        for query in ["filter={", "group_by=[a", "top=x", "limit=-1", "totals=yes"] {
            assert!(json(&Parameters::read(query, &PARAMETERS).unwrap()).is_err(), "{query}");
        }
    }
}
