//! Holds an answer against what it should be.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::company::METRICS;
use super::number::Decimal;
use super::oracle::{Cell, Counterpart, Expected, Series};
use super::question::Question;

/// What is different, if anything is.
pub(super) fn difference(question: &Question, expected: &Expected, answer: &Value) -> Option<String> {
    let zone = TimeZone::get(&question.zone).unwrap();
    let check = Check { question, zone };
    check.answer(expected, answer).err()
}

struct Check<'a> {
    question: &'a Question,
    zone: TimeZone,
}

type Outcome = Result<(), String>;

fn same(what: &str, expected: &Value, found: &Value) -> Outcome {
    if expected == found { Ok(()) } else { Err(format!("{what}: expected {expected}, found {found}")) }
}

impl Check<'_> {
    fn answer(&self, expected: &Expected, answer: &Value) -> Outcome {
        let found = answer["series"].as_array().ok_or("no series")?;
        let named: Vec<Value> = expected.series.iter().map(|series| self.name(series)).collect();
        let names: Vec<Value> = found.iter().map(name_of).collect();
        same("series", &json!(named), &json!(names))?;
        for ((series, name), found) in expected.series.iter().zip(named).zip(found) {
            self.series(series, found).map_err(|difference| format!("{name} {difference}"))?;
        }
        if let Some(source) = expected.source {
            same("source", &json!(source), &answer["meta"]["source"])?;
        }
        if let Some(range) = expected.compared {
            let compared = &answer["meta"]["compared"];
            self.start("compared from", range.from, &compared["from"])?;
            self.start("compared to", range.to, &compared["to"])?;
        }
        Ok(())
    }

    fn name(&self, series: &Series) -> Value {
        let metric = &METRICS[series.metric];
        let names = self.question.group_by.iter();
        let values = series.group.iter().flatten();
        let group: serde_json::Map<_, _> =
            names.zip(values).map(|(name, value)| ((*name).to_owned(), value.json())).collect();
        json!([metric.key, metric.unit.name(), series.currency, group, series.group.is_none()])
    }

    fn series(&self, expected: &Series, found: &Value) -> Outcome {
        let points = found["points"].as_array().ok_or("no points")?;
        same("points", &json!(expected.points.len()), &json!(points.len()))?;
        for (point, found) in expected.points.iter().zip(points) {
            self.start("start", point.start, &found["start"])?;
            cell(&format!("at {}", found["start"]), &point.value, &found["value"])?;
        }
        if self.question.totals || expected.comparison.is_some() {
            cell("total", &expected.total, &found["total"])?;
        } else {
            same("total", &Value::Null, &found["total"])?;
        }
        let Some(comparison) = &expected.comparison else {
            return same("comparison", &Value::Null, &found["comparison"]);
        };
        let compared = found["comparison"]["points"].as_array().ok_or("no points to compare with")?;
        same("points compared with", &json!(comparison.points.len()), &json!(compared.len()))?;
        for (expected, found) in comparison.points.iter().zip(compared) {
            let what = format!("compared with {}", found["start"]);
            self.start(&what, expected.start, &found["start"])?;
            same(&format!("{what}, index"), &json!(expected.index), &found["index"])?;
            counterpart(&what, expected, &found["value"], found)?;
        }
        counterpart("total compared", &comparison.total, &found["comparison"]["total"], &found["comparison"])
    }

    /// A start, written with the zone's offset there, of which RFC 3339 has no seconds.
    fn start(&self, what: &str, instant: Timestamp, found: &Value) -> Outcome {
        let offset = self.zone.to_offset(instant);
        let (sign, seconds) = (if offset.is_negative() { '-' } else { '+' }, offset.seconds().abs());
        let local = self.zone.to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S");
        let written = format!("{local}{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        same(what, &json!(written), found)
    }
}

fn counterpart(what: &str, expected: &Counterpart, value: &Value, found: &Value) -> Outcome {
    cell(what, &expected.value, value)?;
    cell(&format!("{what}, difference"), &expected.difference, &found["difference"])?;
    cell(&format!("{what}, change"), &expected.change, &found["change"])
}

/// An answer in which equal numbers are written the same.
pub(super) fn trimmed(answer: &Value) -> Value {
    match answer {
        Value::Array(values) => values.iter().map(trimmed).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), trimmed(value))).collect(),
        Value::String(text) => {
            json!(Decimal::parse(text).map_or_else(|| text.clone(), |number| number.trimmed().to_string()))
        }
        value => value.clone(),
    }
}

fn name_of(series: &Value) -> Value {
    let is_other = series["other"].as_bool().unwrap_or(false);
    json!([series["metric"], series["unit"], series["currency"], series["group"], is_other])
}

fn cell(what: &str, expected: &Cell, found: &Value) -> Outcome {
    let is_same = match (expected, found.as_str()) {
        (None, None) => found.is_null(),
        (Some(number), Some(text)) if number.is_literal => number.value.to_string() == text,
        (Some(number), Some(text)) => Decimal::parse(text) == Some(number.value.clone()),
        _ => false,
    };
    let expected = expected.as_ref().map(|number| number.value.to_string());
    if is_same { Ok(()) } else { Err(format!("{what}: expected {}, found {found}", json!(expected))) }
}
