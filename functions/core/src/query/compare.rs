//! What a range is compared with.

use super::invalid;
use super::time::time;
use crate::object::Object;
use crate::problem::Problem;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Another range; as a word it is the period alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Compare {
    /// One that follows from the range.
    Period {
        /// Which.
        period: Period,
        /// How days find each other.
        align: Align,
    },
    /// One of its own.
    Range {
        /// Where it begins, a local time or an instant.
        from: String,
        /// Where it ends; what happens then is not in it.
        to: String,
    },
}

/// Ranges that follow from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Period {
    /// As long, and right before it.
    PreviousPeriod,
    /// A year before it.
    PreviousYear,
}

/// How days of two years find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Align {
    /// By their dates.
    #[default]
    Date,
    /// By their days of the week: 364 days before.
    Weekday,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    period: Option<Period>,
    align: Option<Align>,
    from: Option<String>,
    to: Option<String>,
}

impl<'de> Deserialize<'de> for Compare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let written = match serde_json::from_str::<Period>(raw.get()) {
            Ok(period) => Written { period: Some(period), align: None, from: None, to: None },
            Err(_) => serde_json::from_str::<Object<Written>>(raw.get()).map_err(serde::de::Error::custom)?.0,
        };
        match written {
            Written { period: Some(period), align, from: None, to: None } => {
                let align = align.unwrap_or_default();
                if align == Align::Weekday && period == Period::PreviousPeriod {
                    return Err(serde::de::Error::custom("`align` is for `previous_year`"));
                }
                Ok(Self::Period { period, align })
            }
            Written { period: None, align: None, from: Some(from), to: Some(to) } => Ok(Self::Range { from, to }),
            _ => Err(serde::de::Error::custom(
                "`compare` is `previous_period`, `previous_year`, one of them as `period` with `align`, or `from` and `to`",
            )),
        }
    }
}

impl Compare {
    /// Brings its times into the form the database takes.
    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if let Self::Range { from, to } = self {
            *from = time("compare.from", from)?;
            *to = time("compare.to", to)?;
            if from.ends_with('Z') == to.ends_with('Z') && from >= to {
                return Err(invalid("`compare.from` must be before `compare.to`."));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn each_form_is_read() {
        for (written, understood) in [
            (json!("previous_period"), json!({"period": "previous_period", "align": "date"})),
            (json!("previous_year"), json!({"period": "previous_year", "align": "date"})),
            (
                json!({"period": "previous_year", "align": "weekday"}),
                json!({"period": "previous_year", "align": "weekday"}),
            ),
            (json!({"from": "2025-10-01", "to": "2025-11-01"}), json!({"from": "2025-10-01", "to": "2025-11-01"})),
        ] {
            let compare: Compare = serde_json::from_value(written).unwrap();
            assert_eq!(serde_json::to_value(&compare).unwrap(), understood);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for written in [
            json!("last_week"),
            json!({}),
            json!([]),
            json!({"from": "2025-10-01"}),
            json!({"period": "previous_year", "from": "2025-10-01", "to": "2025-11-01"}),
            json!({"period": "previous_period", "align": "weekday"}),
            json!({"align": "weekday"}),
            Value::Null,
        ] {
            assert!(serde_json::from_value::<Compare>(written.clone()).is_err(), "{written}");
        }
        let mut backwards = Compare::Range { from: "2025-11-01".into(), to: "2025-10-01".into() };
        assert!(backwards.check().is_err());
    }
}
