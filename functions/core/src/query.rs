//! `POST /v1/query`: reads a question and brings its times into the form the database takes.

use crate::object::Object;
use crate::problem::{Kind, Problem};
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The largest question, bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_METRICS: usize = 20;
const MAX_STORES: usize = 1_000;
const MAX_NAME_BYTES: usize = 63;

/// A question, and how it was understood: the answer repeats it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Keys of metrics, in the order of the answer.
    pub metrics: Vec<String>,
    /// Stores of the organization; all that the caller may see when left out.
    pub stores: Option<Vec<Uuid>>,
    /// Where it begins: a date or a local time in the zone, or an instant.
    pub from: String,
    /// Where it ends; what happens then is not in it.
    pub to: String,
    /// How long a bucket is.
    #[serde(default)]
    pub granularity: Granularity,
    /// An IANA name.
    #[serde(default = "utc")]
    pub timezone: String,
    /// What empty buckets hold.
    #[serde(default)]
    pub fill: Fill,
    /// Whether each series has its total too.
    #[serde(default)]
    pub totals: bool,
}

/// Lengths of buckets, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// One bucket over all.
    None,
    /// 23, 24 or 25 hours.
    #[default]
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From January, April, July and October.
    Quarter,
    /// From January.
    Year,
}

/// What a bucket without events holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// Zero for sums and counts; null for averages, extremes, levels and quotients, of which there are none.
    #[default]
    Zero,
}

/// What `api.query_metrics` answers.
#[derive(Debug, Deserialize)]
pub struct Found {
    series: Box<RawValue>,
}

/// What the client is answered.
#[derive(Debug, Serialize)]
pub struct Answer {
    query: Query,
    series: Box<RawValue>,
}

impl Query {
    /// Reads a question.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let json: &RawValue = serde_json::from_slice(body)
            .map_err(|error| Problem::new(Kind::MalformedBody, format!("The body is not valid JSON: {error}.")))?;
        let Object(mut query): Object<Self> = serde_json::from_str(json.get())
            .map_err(|error| invalid(&format!("The query cannot be read: {error}.")))?;
        bounded("metrics", query.metrics.len(), 1, MAX_METRICS)?;
        if let Some(stores) = &query.stores {
            bounded("stores", stores.len(), 1, MAX_STORES)?;
        }
        for name in query.metrics.iter().chain([&query.timezone]) {
            if name.len() > MAX_NAME_BYTES || name.contains('\0') {
                return Err(invalid("Names of metrics and time zones have at most 63 bytes."));
            }
        }
        query.from = time("from", &query.from)?;
        query.to = time("to", &query.to)?;
        Ok(query)
    }

    /// The keys, as the database takes them.
    pub fn metric_keys(&self) -> Vec<Option<String>> {
        self.metrics.iter().cloned().map(Some).collect()
    }

    /// The stores, as the database takes them.
    pub fn store_ids(&self) -> Option<Vec<Option<String>>> {
        self.stores.as_ref().map(|stores| stores.iter().map(|id| Some(id.to_string())).collect())
    }

    /// The answer to the client.
    pub fn answer(self, found: Found) -> Answer {
        Answer { query: self, series: found.series }
    }
}

impl Granularity {
    /// The name it has in the contract and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// A date or a local time as `2026-10-01T00:00:00`, an instant as `2026-10-01T04:00:00Z`: the forms that
/// `app.local_instant` tells apart.
fn time(field: &str, text: &str) -> Result<String, Problem> {
    // The parser takes a zone in brackets and forgets it.
    let text = if text.ends_with(']') { "" } else { text };
    let (civil, written) = if let Ok(instant) = text.parse::<Timestamp>() {
        (instant.to_zoned(TimeZone::UTC).datetime(), format!("{instant}"))
    } else if let Ok(local) = text.parse::<DateTime>() {
        (local, local.strftime("%Y-%m-%dT%H:%M:%S").to_string())
    } else {
        let detail = format!(
            "`{field}` is a date (2026-10-01), a local time (2026-10-01T08:00:00) or an instant (2026-10-01T08:00:00Z)."
        );
        return Err(invalid(&detail));
    };
    if civil.minute() % 15 != 0 || civil.second() != 0 || civil.subsec_nanosecond() != 0 {
        return Err(invalid(&format!("`{field}` must lie on a quarter hour.")));
    }
    if !(1970..=9998).contains(&civil.year()) {
        return Err(invalid(&format!("`{field}` must lie between 1970 and 9998.")));
    }
    Ok(written)
}

fn bounded(field: &str, length: usize, min: usize, max: usize) -> Result<(), Problem> {
    if (min..=max).contains(&length) {
        return Ok(());
    }
    Err(invalid(&format!("`{field}` has {length} entries, it takes {min} to {max}.")))
}

fn invalid(detail: &str) -> Problem {
    Problem::new(Kind::InvalidQuery, detail)
}

fn utc() -> String {
    "UTC".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn query() -> Value {
        json!({"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01"})
    }

    fn with(field: &str, value: Value) -> Result<Query, Problem> {
        let mut query = query();
        query[field] = value;
        Query::read(query.to_string().as_bytes())
    }

    #[test]
    fn what_is_left_out_is_understood() {
        let understood = serde_json::to_value(Query::read(query().to_string().as_bytes()).unwrap()).unwrap();
        let expected = json!({
            "metrics": ["revenue"], "stores": null, "from": "2026-10-01T00:00:00", "to": "2026-11-01T00:00:00",
            "granularity": "day", "timezone": "UTC", "fill": "zero", "totals": false
        });
        assert_eq!(understood, expected);
    }

    #[test]
    fn times_are_local_or_instants() {
        assert_eq!(with("from", json!("2026-10-01T08:15:00")).unwrap().from, "2026-10-01T08:15:00");
        assert_eq!(with("from", json!("2026-10-01T08:15:00-04:00")).unwrap().from, "2026-10-01T12:15:00Z");
        assert_eq!(with("from", json!("2026-10-01T00:00:00Z")).unwrap().from, "2026-10-01T00:00:00Z");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (field, value) in [
            ("from", json!("October")),
            ("from", json!("2026-10-01T00:07:00")),
            ("from", json!("2026-10-01T00:00:00[America/New_York]")),
            ("to", json!("0001-01-01")),
            ("to", json!("2026-02-30")),
            ("metrics", json!([])),
            ("metrics", json!(vec!["m"; 21])),
            ("metrics", json!(["m".repeat(64)])),
            ("metrics", json!("revenue")),
            ("stores", json!([])),
            ("stores", json!(["shop"])),
            ("granularity", json!("fortnight")),
            ("granularity", Value::Null),
            ("fill", json!("guess")),
            ("timezone", json!(7)),
            ("colour", json!("red")),
        ] {
            assert_eq!(with(field, value.clone()).unwrap_err().kind(), Kind::InvalidQuery, "{field} {value}");
        }
        assert_eq!(Query::read(b"{").unwrap_err().kind(), Kind::MalformedBody);
        assert_eq!(Query::read(b"{}").unwrap_err().kind(), Kind::InvalidQuery);
        let positional = br#"[["revenue"], null, "2026-10-01", "2026-11-01"]"#;
        assert_eq!(Query::read(positional).unwrap_err().kind(), Kind::InvalidQuery);
    }
}
