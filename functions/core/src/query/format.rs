//! The forms of an answer: JSON, or CSV (RFC 4180) with a row for each point.

use super::answer::{Answer, Answers};
use super::{Questions, invalid};
use crate::problem::{Kind, Problem};
use crate::reply::Reply;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use mime::Mime;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Where an answer in CSV says what the next page of groups is asked for with.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("next-cursor");

/// How the client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json`.
    Json,
    /// `text/csv`.
    Csv,
}

/// A series as `api.query_metrics` wrote it.
#[derive(Debug, Deserialize)]
struct Series {
    metric: String,
    unit: String,
    currency: Option<String>,
    /// Values as they were written: a number of any size.
    group: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    other: bool,
    points: Vec<Point>,
    comparison: Option<Comparison>,
}

#[derive(Debug, Deserialize)]
struct Comparison {
    points: Vec<ComparedPoint>,
}

#[derive(Debug, Deserialize)]
struct Point {
    start: String,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ComparedPoint {
    /// The number of the point that it is compared with.
    index: Option<usize>,
    start: String,
    value: Option<String>,
    difference: Option<String>,
    change: Option<String>,
}

impl Format {
    /// What the header `Accept` asks for (RFC 9110, 12.5.1); JSON where it says neither, or both alike.
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<Mime> =
            accepted.flat_map(|text| text.split(',')).filter_map(|text| text.trim().parse().ok()).collect();
        if quality(&ranges, &mime::TEXT_CSV) > quality(&ranges, &mime::APPLICATION_JSON) {
            Self::Csv
        } else {
            Self::Json
        }
    }

    /// Refuses what has no such form.
    pub fn check(self, questions: &Questions) -> Result<(), Problem> {
        if self == Self::Csv && questions.single().is_none() {
            return Err(invalid("As CSV one query is answered, not several."));
        }
        Ok(())
    }

    /// The reply with an answer in this form.
    pub fn reply(self, answers: &Answers) -> Result<Reply, Problem> {
        let answer = match (self, answers) {
            (Self::Csv, Answers::Single(answer)) => answer,
            _ => return Reply::json(answers),
        };
        let next = answer.next_cursor.as_deref().and_then(|cursor| HeaderValue::from_str(cursor).ok());
        let headers = next.map(|cursor| (NEXT_CURSOR, cursor)).into_iter().collect();
        Ok(Reply::csv(write(answer)?).with_headers(headers))
    }
}

/// How much a type is wanted, from 0 to 1; the range that fits it best decides.
fn quality(ranges: &[Mime], wanted: &Mime) -> f32 {
    let fit = |range: &Mime| match (range.type_(), range.subtype()) {
        (kind, subtype) if kind == wanted.type_() && subtype == wanted.subtype() => 3,
        (kind, mime::STAR) if kind == wanted.type_() => 2,
        (mime::STAR, mime::STAR) => 1,
        _ => 0,
    };
    let best = ranges.iter().filter(|range| fit(range) > 0).max_by_key(|range| fit(range));
    best.map_or(0.0, |range| range.get_param("q").map_or(1.0, |q| q.as_str().parse().unwrap_or(1.0)))
}

fn write(answer: &Answer) -> Result<Vec<u8>, Problem> {
    let series: Vec<Series> =
        serde_json::from_str(answer.series.get()).map_err(|error| Problem::ours(Kind::Internal, error))?;
    let names = &answer.query.group_by;
    let is_compared = answer.query.compare.is_some();
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());

    let before = ["metric", "unit", "currency"].into_iter().chain(names.iter().map(String::as_str));
    let compared = ["comparison_start", "comparison_value", "difference", "change"];
    let after = ["other", "start", "value"].into_iter().chain(compared.into_iter().filter(|_| is_compared));
    let mut written = csv.write_record(before.chain(after));
    for one in &series {
        let groups: Vec<String> =
            names.iter().map(|name| one.group.get(name).map_or_else(String::new, |value| cell(value))).collect();
        for row in rows(one, is_compared) {
            let head = [one.metric.as_str(), &one.unit, one.currency.as_deref().unwrap_or_default()];
            let other = if one.other { "true" } else { "false" };
            let fields = head.into_iter().chain(groups.iter().map(String::as_str)).chain([other]).chain(row);
            written = written.and_then(|()| csv.write_record(fields));
        }
    }
    written.map_err(|error| Problem::ours(Kind::Internal, error))?;
    csv.into_inner().map_err(|error| Problem::ours(Kind::Internal, error.to_string()))
}

/// The fields of each point, those of the one it is compared with beside it; then those that have no counterpart.
fn rows(series: &Series, is_compared: bool) -> Vec<Vec<&str>> {
    let compared = series.comparison.as_ref().map_or([].as_slice(), |comparison| &comparison.points);
    let counterparts: BTreeMap<usize, &ComparedPoint> =
        compared.iter().filter_map(|point| Some((point.index?, point))).collect();
    let alone = compared.iter().filter(|point| point.index.is_none()).map(|point| (None, Some(point)));
    let points = series.points.iter().enumerate();
    let pairs = points.map(|(index, point)| (Some(point), counterparts.get(&index).copied())).chain(alone);
    pairs
        .map(|(point, counterpart)| {
            let mut row = vec![
                point.map(|point| point.start.as_str()).unwrap_or_default(),
                point.and_then(|point| point.value.as_deref()).unwrap_or_default(),
            ];
            if is_compared {
                row.push(counterpart.map(|point| point.start.as_str()).unwrap_or_default());
                let field = |read: fn(&ComparedPoint) -> Option<&str>| counterpart.and_then(read).unwrap_or_default();
                row.push(field(|point| point.value.as_deref()));
                row.push(field(|point| point.difference.as_deref()));
                row.push(field(|point| point.change.as_deref()));
            }
            row
        })
        .collect()
}

/// A value of a dimension, a text without its quotes; nothing where there is none.
fn cell(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        json => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(accept: &[&str]) -> Format {
        let headers = accept.iter().map(|value| (header::ACCEPT, value.parse().unwrap())).collect();
        Format::of(&headers)
    }

    #[test]
    fn accept_decides() {
        for accept in
            [&["text/csv"][..], &["text/csv, application/json;q=0.5"], &["text/*, */*;q=0.1"], &["TEXT/CSV;q=0.2"]]
        {
            assert_eq!(format(accept), Format::Csv, "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &["application/json"],
            &["text/csv, application/json"],
            &["text/csv;q=0.5", "*/*"],
            &["text/html"],
            &["text/csv;q=0"],
            &["nonsense"],
        ] {
            assert_eq!(format(accept), Format::Json, "{accept:?}");
        }
    }
}
