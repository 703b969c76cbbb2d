//! What is asked: charts, and the widgets of a dashboard.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tally_core::query::Questions;

use super::place::Place;

const CHART_FROM_EVENTS: &str = include_str!("../sql/chart_from_events.sql");

/// A chart of revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chart {
    /// Thirty days by the hour.
    Hourly,
    /// Thirteen months by the day.
    Daily,
}

pub(crate) const CHARTS: [Chart; 2] = [Chart::Hourly, Chart::Daily];

impl Chart {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hourly => "30 days by the hour",
            Self::Daily => "13 months by the day",
        }
    }

    fn granularity(self) -> &'static str {
        match self {
            Self::Hourly => "hour",
            Self::Daily => "day",
        }
    }

    fn range(self) -> Result<[String; 2]> {
        match self {
            Self::Hourly => range(30.days()),
            Self::Daily => range(13.months()),
        }
    }

    /// As it is asked of the service.
    pub(crate) fn query(self, place: &Place<'_>) -> Result<Value> {
        let [from, to] = self.range()?;
        Ok(json!({
            "metrics": ["revenue"], "stores": [place.store.id], "from": from, "to": to,
            "granularity": self.granularity(), "timezone": place.timezone,
        }))
    }

    /// The same from the events.
    pub(crate) fn sql(self, place: &Place<'_>) -> Result<String> {
        let [from, to] = self.range()?;
        Ok(CHART_FROM_EVENTS
            .replace("{granularity}", self.granularity())
            .replace("{timezone}", &place.timezone)
            .replace("{org_id}", &place.store.org_id.to_string())
            .replace("{store_id}", &place.store.id.to_string())
            .replace("{from}", &from)
            .replace("{to}", &to))
    }
}

/// Whole days, up to this one.
fn range(length: Span) -> Result<[String; 2]> {
    ending(Timestamp::now().to_zoned(TimeZone::UTC).date(), length)
}

fn ending(to: Date, length: Span) -> Result<[String; 2]> {
    Ok([to.checked_sub(length)?.to_string(), to.to_string()])
}

/// The widget that a dashboard is held against.
pub(crate) fn widget(place: &Place<'_>) -> Result<Value> {
    let [from, to] = range(30.days())?;
    Ok(json!({
        "metrics": ["revenue"], "stores": [place.store.id], "from": from, "to": to, "granularity": "day",
        "timezone": place.timezone,
    }))
}

/// Twelve widgets about the same store and the same thirty days.
pub(crate) fn dashboard(place: &Place<'_>) -> Result<Vec<Value>> {
    let daily = widget(place)?;
    let with = |fields: Value| {
        let mut query = daily.clone();
        for (name, value) in fields.as_object().into_iter().flatten() {
            query[name] = value.clone();
        }
        query
    };
    const METRICS: [&str; 4] = ["revenue", "orders", "units_sold", "discounts"];
    let tiles =
        METRICS.map(|metric| with(json!({"metrics": [metric], "granularity": "none", "compare": "previous_period"})));
    let charts = METRICS.map(|metric| with(json!({"metrics": [metric]})));
    let others = [
        with(json!({"group_by": ["channel"]})),
        with(json!({"granularity": "week"})),
        with(json!({"metrics": ["aov"]})),
        with(json!({"metrics": ["inventory_level"]})),
    ];
    Ok(tiles.into_iter().chain(charts).chain(others).collect())
}

/// A request: what goes over HTTP, and what the function `query` makes of it for the database.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) body: Bytes,
    pub(crate) asked: String,
}

impl Request {
    pub(crate) fn new(query: &Value) -> Result<Self> {
        let body = Bytes::from(query.to_string());
        let refused = |problem| anyhow::anyhow!("{problem:?}");
        let asked = Questions::read(&body).and_then(|questions| questions.asked()).map_err(refused);
        Ok(Self { asked: asked.with_context(|| format!("the query {query}"))?, body })
    }

    pub(crate) fn of_several(queries: &[Value]) -> Result<Self> {
        Self::new(&json!({"queries": queries}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_with_a_whole_day() {
        let to = jiff::civil::date(2026, 3, 31);
        assert_eq!(ending(to, 30.days()).unwrap(), ["2026-03-01", "2026-03-31"]);
        assert_eq!(ending(to, 13.months()).unwrap(), ["2025-02-28", "2026-03-31"]);
    }

    #[test]
    fn the_database_is_asked_what_the_function_asks() {
        let query = json!({"metrics": ["revenue"], "from": "2026-10-01", "to": "2026-11-01"});
        let one: Value = serde_json::from_str(&Request::new(&query).unwrap().asked).unwrap();
        assert_eq!((&one[0]["metrics"], &one[0]["timezone"]), (&json!(["revenue"]), &json!("UTC")));
        let two: Value = serde_json::from_str(&Request::of_several(&[query.clone(), query]).unwrap().asked).unwrap();
        assert_eq!(two.as_array().unwrap().len(), 2);
        assert!(Request::new(&json!({})).is_err());
    }
}
