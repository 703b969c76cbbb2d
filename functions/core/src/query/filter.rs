//! Conditions on dimensions, and what they are to Postgres: a predicate of SQL/JSON path language.

use super::invalid;
use crate::object::Object;
use crate::problem::Problem;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

const MAX_CONDITIONS: usize = 50;
const MAX_DEPTH: usize = 8;
const MAX_VALUES: usize = 100;
/// What an event's dimension may be called, and hold, bytes.
const MAX_NAME_BYTES: usize = 63;
const MAX_VALUE_BYTES: usize = 255;
/// What the store is called among what is grouped by.
const STORE: &str = "store";
/// That of the largest double.
const MAX_EXPONENT: i32 = 308;

/// A tree of conditions as Postgres takes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// A predicate for the operator `@@` on an event's dimensions.
    pub path: String,
    /// The dimensions that it looks at.
    pub dimensions: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node<'a> {
    #[serde(borrow)]
    and: Option<Vec<Object<Node<'a>>>>,
    #[serde(borrow)]
    or: Option<Vec<Object<Node<'a>>>>,
    #[serde(borrow)]
    not: Option<Box<Object<Node<'a>>>>,
    dimension: Option<String>,
    /// Null is a value here, and not the same as nothing.
    #[serde(borrow, default, deserialize_with = "given")]
    eq: Option<&'a RawValue>,
    #[serde(borrow)]
    r#in: Option<Vec<&'a RawValue>>,
    contains: Option<String>,
    exists: Option<bool>,
}

fn given<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Filter {
    /// Reads a tree.
    pub(super) fn read(json: &RawValue) -> Result<Self, Problem> {
        let Object(node): Object<Node<'_>> =
            serde_json::from_str(json.get()).map_err(|error| invalid(&format!("`filter` cannot be read: {error}.")))?;
        let mut filter = Self::default();
        let mut conditions = 0;
        filter.path = filter.compile(&node, 1, &mut conditions)?;
        Ok(filter)
    }

    fn compile(&mut self, node: &Node<'_>, depth: usize, conditions: &mut usize) -> Result<String, Problem> {
        *conditions += 1;
        if *conditions > MAX_CONDITIONS || depth > MAX_DEPTH {
            return Err(invalid(&format!("`filter` has at most {MAX_CONDITIONS} conditions, {MAX_DEPTH} deep.")));
        }
        match node {
            Node { and: Some(nodes), or: None, not: None, .. } if node.is_bare() => {
                self.join(nodes, " && ", depth, conditions)
            }
            Node { or: Some(nodes), and: None, not: None, .. } if node.is_bare() => {
                self.join(nodes, " || ", depth, conditions)
            }
            Node { not: Some(node), and: None, or: None, .. } if node.0.is_complete() => {
                Ok(format!("!({})", self.compile(&node.0, depth + 1, conditions)?))
            }
            Node { and: None, or: None, not: None, dimension: Some(name), .. } => self.condition(name, node),
            _ => Err(unclear()),
        }
    }

    fn join(
        &mut self,
        nodes: &[Object<Node<'_>>],
        operator: &str,
        depth: usize,
        conditions: &mut usize,
    ) -> Result<String, Problem> {
        if nodes.is_empty() {
            return Err(invalid("`and` and `or` in `filter` have at least one condition."));
        }
        let parts: Result<Vec<String>, Problem> =
            nodes.iter().map(|Object(node)| Ok(format!("({})", self.compile(node, depth + 1, conditions)?))).collect();
        Ok(parts?.join(operator))
    }

    fn condition(&mut self, name: &str, node: &Node<'_>) -> Result<String, Problem> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
            return Err(invalid(&format!("A dimension in `filter` has a name of 1 to {MAX_NAME_BYTES} bytes.")));
        }
        if name == STORE {
            return Err(invalid("`store` is no dimension in `filter`: `stores` says which stores a query is about."));
        }
        self.dimensions.insert(name.to_owned());
        // Values of two kinds are neither equal nor not to the path language, but unknown, and so is `not` of that. What a filter of
        // a path does not know it leaves out, and then nothing is there: that is true or false.
        let member = format!("$.{}", literal(name));
        match (node.eq, &node.r#in, &node.contains, node.exists) {
            (Some(value), None, None, None) => Ok(format!("exists({member} ? (@ == {}))", scalar(value)?)),
            (None, Some(values), None, None) => {
                if values.is_empty() || values.len() > MAX_VALUES {
                    return Err(invalid(&format!("`in` has 1 to {MAX_VALUES} values.")));
                }
                let equals: Result<Vec<String>, Problem> =
                    values.iter().map(|value| Ok(format!("@ == {}", scalar(value)?))).collect();
                Ok(format!("exists({member} ? ({}))", equals?.join(" || ")))
            }
            (None, None, Some(part), None) => {
                if part.is_empty() || part.len() > MAX_VALUE_BYTES || part.contains('\0') {
                    return Err(invalid(&format!("`contains` has a text of 1 to {MAX_VALUE_BYTES} bytes.")));
                }
                Ok(format!(r#"exists({member} ? (@ like_regex {} flag "q"))"#, literal(part)))
            }
            (None, None, None, Some(true)) => Ok(format!("exists({member})")),
            (None, None, None, Some(false)) => Ok(format!("!(exists({member}))")),
            _ => Err(unclear()),
        }
    }
}

impl Node<'_> {
    /// Whether it has no condition of its own beside `and`, `or` or `not`.
    fn is_bare(&self) -> bool {
        self.dimension.is_none()
            && self.eq.is_none()
            && self.r#in.is_none()
            && self.contains.is_none()
            && self.exists.is_none()
    }

    /// Whether it is anything at all.
    fn is_complete(&self) -> bool {
        !self.is_bare() || self.and.is_some() || self.or.is_some() || self.not.is_some()
    }
}

fn unclear() -> Problem {
    invalid(
        "A condition in `filter` is one of `and`, `or` and `not`, or a `dimension` with one of `eq`, `in`, `contains` and `exists`.",
    )
}

/// A text as the path language writes it, which is how JSON does.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON scalar, which the path language writes the same way.
fn scalar(raw: &RawValue) -> Result<String, Problem> {
    let text = raw.get();
    if text.len() > 6 * MAX_VALUE_BYTES {
        return Err(invalid(&format!("Values in `filter` have at most {MAX_VALUE_BYTES} bytes.")));
    }
    match text.as_bytes().first() {
        Some(b'"') => {
            let value: String = serde_json::from_str(text).map_err(|error| invalid(&format!("`filter`: {error}.")))?;
            if value.contains('\0') {
                return Err(invalid("Values in `filter` have no NUL."));
            }
            Ok(literal(&value))
        }
        Some(b'{' | b'[') | None => Err(invalid("Values in `filter` are texts, numbers, booleans or null.")),
        // What Postgres could not read as a number.
        Some(b'-' | b'0'..=b'9') if !is_moderate(text) => Err(invalid("A number in `filter` is out of range.")),
        _ => Ok(text.to_owned()),
    }
}

/// Whether a JSON number has an exponent that a numeric of Postgres takes.
fn is_moderate(number: &str) -> bool {
    let exponent = number.split_once(['e', 'E']).map_or("0", |(_, exponent)| exponent);
    exponent.parse::<i32>().is_ok_and(|exponent| exponent.abs() <= MAX_EXPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;
    use serde_json::{Value, json};

    fn filter(json: &Value) -> Result<Filter, Problem> {
        Filter::read(&RawValue::from_string(json.to_string()).unwrap())
    }

    #[test]
    fn conditions_become_predicates() {
        for (json, path) in [
            (json!({"dimension": "channel", "eq": "web"}), r#"exists($."channel" ? (@ == "web"))"#),
            (json!({"dimension": "channel", "eq": null}), r#"exists($."channel" ? (@ == null))"#),
            (
                json!({"dimension": "n", "in": [1, -2.50, true]}),
                r#"exists($."n" ? (@ == 1 || @ == -2.5 || @ == true))"#,
            ),
            (json!({"dimension": "a\"b\\", "contains": "."}), r#"exists($."a\"b\\" ? (@ like_regex "." flag "q"))"#),
            (json!({"dimension": "a", "exists": false}), r#"!(exists($."a"))"#),
            (
                json!({"and": [{"dimension": "a", "eq": 1}, {"not": {"or": [{"dimension": "b", "exists": true}]}}]}),
                r#"(exists($."a" ? (@ == 1))) && (!((exists($."b"))))"#,
            ),
        ] {
            assert_eq!(filter(&json).unwrap().path, path, "{json}");
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let raw = RawValue::from_string(r#"{"dimension": "n", "eq": 0.10000000000000000001}"#.to_owned()).unwrap();
        assert_eq!(Filter::read(&raw).unwrap().path, r#"exists($."n" ? (@ == 0.10000000000000000001))"#);
    }

    #[test]
    fn numbers_that_postgres_cannot_read_are_refused() {
        for number in ["1e309", "1e-309", "1e99999999999"] {
            let raw = RawValue::from_string(format!(r#"{{"dimension": "n", "eq": {number}}}"#)).unwrap();
            assert!(Filter::read(&raw).is_err(), "{number}");
        }
    }

    #[test]
    fn the_dimensions_are_told() {
        let read = filter(&json!({"or": [{"dimension": "b", "eq": 1}, {"dimension": "a", "eq": 1}]})).unwrap();
        assert_eq!(read.dimensions, ["a".to_owned(), "b".to_owned()].into());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let deep = (0..MAX_DEPTH).fold(json!({"dimension": "a", "eq": 1}), |inner, _| json!({"not": inner}));
        let many = json!({"or": vec![json!({"dimension": "a", "eq": 1}); MAX_CONDITIONS]});
        for json in [
            json!({}),
            json!([]),
            json!("channel"),
            json!({"dimension": "a"}),
            json!({"dimension": "a", "eq": 1, "in": [1]}),
            json!({"dimension": "a", "eq": {"b": 1}}),
            json!({"dimension": "a", "in": []}),
            json!({"dimension": "a", "in": vec![1; MAX_VALUES + 1]}),
            json!({"dimension": "a", "contains": ""}),
            json!({"dimension": "", "eq": 1}),
            json!({"dimension": "a\u{0}", "eq": 1}),
            json!({"dimension": "a", "eq": "\u{0}"}),
            json!({"dimension": "a".repeat(MAX_NAME_BYTES + 1), "eq": 1}),
            json!({"eq": 1}),
            json!({"and": []}),
            json!({"and": [{"dimension": "a", "eq": 1}], "or": [{"dimension": "a", "eq": 1}]}),
            json!({"and": [{"dimension": "a", "eq": 1}], "dimension": "a"}),
            json!({"not": {}}),
            json!({"dimension": "a", "like": "b"}),
            json!({"dimension": "a", "eq": "b".repeat(6 * MAX_VALUE_BYTES)}),
            deep,
            many,
        ] {
            assert_eq!(filter(&json).unwrap_err().kind(), Kind::InvalidQuery, "{json}");
        }
    }
}
