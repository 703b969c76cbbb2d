//! Conditions on the dimensions of an event: true or false, never anything else.

use serde_json::{Value, json};

use super::company::{Company, Event, Scalar};

#[derive(Clone, Debug)]
pub(super) enum Condition {
    Eq(&'static str, Scalar),
    In(&'static str, Vec<Scalar>),
    Contains(&'static str, &'static str),
    Exists(&'static str, bool),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
}

impl Condition {
    pub(super) fn is_true(&self, company: &Company, event: &Event) -> bool {
        let of = |dimension: &str| company.value(event, dimension);
        let equals = |dimension: &str, value: &Scalar| of(dimension) == *value && *value != Scalar::Null;
        match self {
            Self::Eq(dimension, value) => equals(dimension, value),
            Self::In(dimension, values) => values.iter().any(|value| equals(dimension, value)),
            Self::Contains(dimension, part) => matches!(of(dimension), Scalar::Text(text) if text.contains(part)),
            Self::Exists(dimension, exists) => (of(dimension) != Scalar::Null) == *exists,
            Self::And(all) => all.iter().all(|condition| condition.is_true(company, event)),
            Self::Or(any) => any.iter().any(|condition| condition.is_true(company, event)),
            Self::Not(condition) => !condition.is_true(company, event),
        }
    }

    /// The dimensions that it asks for.
    pub(super) fn dimensions(&self) -> Vec<&'static str> {
        match self {
            Self::Eq(dimension, _)
            | Self::In(dimension, _)
            | Self::Contains(dimension, _)
            | Self::Exists(dimension, _) => {
                vec![dimension]
            }
            Self::And(conditions) | Self::Or(conditions) => conditions.iter().flat_map(Self::dimensions).collect(),
            Self::Not(condition) => condition.dimensions(),
        }
    }

    pub(super) fn json(&self) -> Value {
        match self {
            Self::Eq(dimension, value) => json!({"dimension": dimension, "eq": value.json()}),
            Self::In(dimension, values) => {
                json!({"dimension": dimension, "in": values.iter().map(Scalar::json).collect::<Vec<_>>()})
            }
            Self::Contains(dimension, part) => json!({"dimension": dimension, "contains": part}),
            Self::Exists(dimension, exists) => json!({"dimension": dimension, "exists": exists}),
            Self::And(all) => json!({"and": all.iter().map(Self::json).collect::<Vec<_>>()}),
            Self::Or(any) => json!({"or": any.iter().map(Self::json).collect::<Vec<_>>()}),
            Self::Not(condition) => json!({"not": condition.json()}),
        }
    }
}

impl Scalar {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => json!(text),
            Self::Number(number) => serde_json::from_str(&number.to_string()).unwrap(),
            Self::Boolean(boolean) => json!(boolean),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::number::Decimal;
    use super::*;

    #[test]
    fn what_an_event_does_not_have_equals_nothing() {
        let dimensions =
            BTreeMap::from([("kind", Scalar::Text("5".to_owned())), ("size", Scalar::Number(Decimal::of(5)))]);
        let event = Event {
            store: 0,
            metric: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            value: Decimal::ZERO,
            currency: None,
            dimensions,
        };
        let text = || Scalar::Text("5".to_owned());
        let not = |condition| Condition::Not(Box::new(condition));
        for (condition, is_true) in [
            (Condition::Eq("kind", text()), true),
            (Condition::Eq("size", text()), false),
            (Condition::In("size", vec![text(), Scalar::Number(Decimal::of(5))]), true),
            (Condition::Contains("kind", "5"), true),
            (Condition::Contains("size", "5"), false),
            (Condition::Eq("none", text()), false),
            (not(Condition::Eq("none", text())), true),
            (not(Condition::Exists("none", true)), true),
            (Condition::Exists("none", false), true),
            (Condition::And(vec![Condition::Exists("kind", true), Condition::Exists("none", true)]), false),
            (Condition::Or(vec![Condition::Exists("kind", true), Condition::Exists("none", true)]), true),
        ] {
            assert_eq!(condition.is_true(&Company::default(), &event), is_true, "{condition:?}");
        }
    }
}
