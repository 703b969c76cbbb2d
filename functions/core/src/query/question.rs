//! A question: what is asked for, and how it is understood.

use super::compare::Compare;
use super::filter::Filter;
use super::time::time;
use super::{cursor, invalid};
use crate::events::CURRENCIES;
use crate::object::Object;
use crate::problem::{Kind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use uuid::Uuid;

const MAX_METRICS: usize = 20;
const MAX_STORES: usize = 1_000;
const MAX_NAME_BYTES: usize = 63;
const MAX_GROUPED: usize = 3;
const MAX_TOP: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

/// A question, and how it was understood: the answer repeats it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Keys of metrics, in the order of the answer.
    pub(super) metrics: Vec<String>,
    /// Stores of the organization; all that the caller may see when left out.
    pub(super) stores: Option<Vec<Uuid>>,
    /// A workspace, for all of its stores.
    pub(super) workspace: Option<Uuid>,
    /// Where it begins: a date or a local time in the zone, or an instant.
    pub(super) from: String,
    /// Where it ends; what happens then is not in it.
    pub(super) to: String,
    /// How long a bucket is.
    #[serde(default)]
    pub(super) granularity: Granularity,
    /// The day that weeks begin with.
    pub(super) week_start: Option<Weekday>,
    /// An IANA name.
    #[serde(default = "utc")]
    pub(super) timezone: String,
    /// The currency that money is converted into.
    pub(super) currency: Option<String>,
    /// Dimensions, or `store`.
    #[serde(default)]
    pub(super) group_by: Vec<String>,
    /// A condition on dimensions.
    pub(super) filter: Option<Box<RawValue>>,
    /// The greatest groups alone.
    pub(super) top: Option<Object<Top>>,
    /// The order of groups.
    pub(super) order_by: Option<Object<OrderBy>>,
    /// The most groups of a page.
    pub(super) limit: Option<u32>,
    /// Where the page before this one ended.
    pub(super) cursor: Option<String>,
    /// What empty buckets hold.
    #[serde(default)]
    pub(super) fill: Fill,
    /// Whether each point is the sum up to its end.
    #[serde(default)]
    pub(super) cumulative: bool,
    /// Whether each series has its total too.
    #[serde(default)]
    pub(super) totals: bool,
    /// What it is compared with.
    pub(super) compare: Option<Compare>,
}

/// Lengths of buckets, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Granularity {
    /// One bucket over all.
    None,
    /// A quarter of an hour.
    #[serde(rename = "15m")]
    QuarterHour,
    /// From one full hour to the next, or to where the clock is changed.
    Hour,
    /// 23, 24 or 25 hours.
    #[default]
    Day,
    /// From Monday, if nothing else is asked for.
    Week,
    /// From the first.
    Month,
    /// From January, April, July and October.
    Quarter,
    /// From January.
    Year,
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weekday {
    /// As in ISO 8601.
    #[default]
    Monday,
    /// The day after.
    Tuesday,
    /// The day after.
    Wednesday,
    /// The day after.
    Thursday,
    /// The day after.
    Friday,
    /// The day after.
    Saturday,
    /// As in North America.
    Sunday,
}

/// What a bucket without events holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fill {
    /// Zero for sums, counts and different values; null for averages, extremes, levels and quotients, of which there are none.
    #[default]
    Zero,
    /// Null.
    Null,
    /// What the bucket before it holds.
    Previous,
}

/// The greatest groups.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Top {
    /// How many.
    pub n: u32,
    /// The metric whose total decides; the first one when left out.
    pub by: Option<String>,
    /// Whether all others come as one more.
    #[serde(default)]
    pub other: bool,
}

/// The order of groups, by a metric or a dimension.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderBy {
    /// The metric whose total decides.
    pub metric: Option<String>,
    /// The dimension whose value decides.
    pub dimension: Option<String>,
    /// Which way; the greatest first where it is a metric, and the least where it is a dimension.
    pub direction: Option<Direction>,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    /// The least first.
    Asc,
    /// The greatest first.
    Desc,
}

/// A question as `api.query_metrics` takes it.
#[derive(Debug, Serialize)]
pub(super) struct Asked<'a> {
    metrics: &'a [String],
    stores: &'a Option<Vec<Uuid>>,
    workspace: Option<Uuid>,
    from: &'a str,
    to: &'a str,
    granularity: Granularity,
    week_start: u8,
    timezone: &'a str,
    currency: Option<&'a str>,
    group_by: &'a [String],
    filter: Option<String>,
    filter_dimensions: BTreeSet<String>,
    fill: Fill,
    cumulative: bool,
    totals: bool,
    compare: Option<&'a Compare>,
    top: Option<&'a Top>,
    order_by: Option<&'a OrderBy>,
    limit: Option<u32>,
    after: Option<Box<RawValue>>,
}

impl Asked<'_> {
    fn hash(&self) -> Result<String, Problem> {
        let json = serde_json::to_string(self).map_err(|error| Problem::ours(Kind::Internal, error))?;
        Ok(cursor::hash(&json))
    }
}

impl Query {
    /// Reads a question.
    pub(super) fn read(json: &RawValue) -> Result<Self, Problem> {
        let Object(mut query): Object<Self> = serde_json::from_str(json.get())
            .map_err(|error| invalid(&format!("The query cannot be read: {error}.")))?;
        query.check()?;
        Ok(query)
    }

    /// The question as the database takes it.
    pub(super) fn asked(&self) -> Result<Asked<'_>, Problem> {
        let first = self.first_page()?;
        let hash = first.hash()?;
        let read = |cursor| cursor::read(cursor, &hash, self.group_by.len());
        let after = self.cursor.as_deref().map(read).transpose()?;
        Ok(Asked { limit: self.limit, after, ..first })
    }

    /// What a cursor of this question carries: pages are of one question, however long each is.
    pub(super) fn hash(&self) -> Result<String, Problem> {
        self.first_page()?.hash()
    }

    /// The question without how long a page is, and which one.
    fn first_page(&self) -> Result<Asked<'_>, Problem> {
        let Filter { path, dimensions } = self.filter.as_deref().map(Filter::read).transpose()?.unwrap_or_default();
        Ok(Asked {
            metrics: &self.metrics,
            stores: &self.stores,
            workspace: self.workspace,
            from: &self.from,
            to: &self.to,
            granularity: self.granularity,
            week_start: self.week_start.unwrap_or_default() as u8,
            timezone: &self.timezone,
            currency: self.currency.as_deref(),
            group_by: &self.group_by,
            filter: self.filter.is_some().then_some(path),
            filter_dimensions: dimensions,
            fill: self.fill,
            cumulative: self.cumulative,
            totals: self.totals,
            compare: self.compare.as_ref(),
            top: self.top.as_ref().map(|Object(top)| top),
            order_by: self.order_by.as_ref().map(|Object(order_by)| order_by),
            limit: None,
            after: None,
        })
    }

    fn check(&mut self) -> Result<(), Problem> {
        bounded("metrics", self.metrics.len(), 1, MAX_METRICS)?;
        distinct("metrics", &self.metrics)?;
        if let Some(stores) = &self.stores {
            bounded("stores", stores.len(), 1, MAX_STORES)?;
            if self.workspace.is_some() {
                return Err(invalid("A query has `stores` or a `workspace`, not both."));
            }
        }
        for name in self.metrics.iter().chain(&self.group_by).chain([&self.timezone]) {
            if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains('\0') {
                let detail = format!("Names of metrics, dimensions and time zones have 1 to {MAX_NAME_BYTES} bytes.");
                return Err(invalid(&detail));
            }
        }
        if self.currency.as_deref().is_some_and(|code| CURRENCIES.binary_search(&code).is_err()) {
            return Err(invalid("`currency` is a current code of ISO 4217, such as \"USD\"."));
        }
        if self.week_start.is_some() && self.granularity != Granularity::Week {
            return Err(invalid("`week_start` goes with the granularity `week`."));
        }
        if self.granularity == Granularity::Week {
            self.week_start.get_or_insert_default();
        }
        self.from = time("from", &self.from)?;
        self.to = time("to", &self.to)?;
        self.compare.as_mut().map(Compare::check).transpose()?;
        self.check_groups()
    }

    fn check_groups(&mut self) -> Result<(), Problem> {
        bounded("group_by", self.group_by.len(), 0, MAX_GROUPED)?;
        distinct("group_by", &self.group_by)?;
        let is_of_groups =
            self.top.is_some() || self.order_by.is_some() || self.limit.is_some() || self.cursor.is_some();
        if self.group_by.is_empty() && is_of_groups {
            return Err(invalid("`top`, `order_by`, `limit` and `cursor` go with `group_by`."));
        }
        if self.top.is_some() && (self.limit.is_some() || self.cursor.is_some()) {
            return Err(invalid("`limit` and `cursor` do not go with `top`."));
        }
        if self.limit.is_none() && self.cursor.is_some() {
            return Err(invalid("`cursor` goes with `limit`."));
        }
        if self.limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
            return Err(invalid(&format!("`limit` is a number from 1 to {MAX_LIMIT}.")));
        }
        if let Some(Object(top)) = &mut self.top {
            let by = top.by.get_or_insert_with(|| self.metrics.first().cloned().unwrap_or_default());
            if !(1..=MAX_TOP).contains(&top.n) || !self.metrics.contains(by) {
                let detail = format!("`top` has an `n` from 1 to {MAX_TOP}, and a `by` that is one of the `metrics`.");
                return Err(invalid(&detail));
            }
        }
        if let Some(Object(order_by)) = &mut self.order_by {
            let default = match (&order_by.metric, &order_by.dimension) {
                (Some(metric), None) if self.metrics.contains(metric) => Direction::Desc,
                (None, Some(dimension)) if self.group_by.contains(dimension) => Direction::Asc,
                _ => return Err(invalid("`order_by` has a `metric` of `metrics`, or a `dimension` of `group_by`.")),
            };
            order_by.direction.get_or_insert(default);
        }
        Ok(())
    }
}

fn bounded(field: &str, length: usize, min: usize, max: usize) -> Result<(), Problem> {
    if (min..=max).contains(&length) {
        return Ok(());
    }
    Err(invalid(&format!("`{field}` has {length} entries, it takes {min} to {max}.")))
}

fn distinct(field: &str, names: &[String]) -> Result<(), Problem> {
    if names.iter().collect::<BTreeSet<_>>().len() == names.len() {
        return Ok(());
    }
    Err(invalid(&format!("`{field}` names something twice.")))
}

fn utc() -> String {
    "UTC".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;
    use serde_json::{Value, json};

    fn query() -> Value {
        json!({"metrics": ["revenue", "orders"], "from": "2026-10-01", "to": "2026-11-01"})
    }

    fn read(query: &Value) -> Result<Query, Problem> {
        Query::read(&RawValue::from_string(query.to_string()).unwrap())
    }

    fn with(fields: &Value) -> Result<Query, Problem> {
        let mut query = query();
        query.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read(&query)
    }

    #[test]
    fn what_is_left_out_is_understood() {
        let understood = serde_json::to_value(read(&query()).unwrap()).unwrap();
        let expected = json!({
            "metrics": ["revenue", "orders"], "stores": null, "workspace": null, "from": "2026-10-01T00:00:00",
            "to": "2026-11-01T00:00:00", "granularity": "day", "week_start": null, "timezone": "UTC", "currency": null,
            "group_by": [], "filter": null, "top": null, "order_by": null, "limit": null, "cursor": null, "fill": "zero",
            "cumulative": false, "totals": false, "compare": null
        });
        assert_eq!(understood, expected);
    }

    #[test]
    fn words_are_understood_as_what_they_stand_for() {
        let query = with(&json!({
            "granularity": "week", "group_by": ["channel"], "top": {"n": 3}, "order_by": {"dimension": "channel"},
            "compare": "previous_year"
        }));
        let understood = serde_json::to_value(query.unwrap()).unwrap();
        assert_eq!(understood["week_start"], "monday");
        assert_eq!(understood["top"], json!({"n": 3, "by": "revenue", "other": false}));
        assert_eq!(understood["order_by"], json!({"metric": null, "dimension": "channel", "direction": "asc"}));
        assert_eq!(understood["compare"], json!({"period": "previous_year", "align": "date"}));
    }

    #[test]
    fn times_are_local_or_instants() {
        assert_eq!(with(&json!({"from": "2026-10-01T08:15:00"})).unwrap().from, "2026-10-01T08:15:00");
        assert_eq!(with(&json!({"from": "2026-10-01T08:15:00-04:00"})).unwrap().from, "2026-10-01T12:15:00Z");
        assert_eq!(with(&json!({"from": "2026-10-01T00:00:00Z"})).unwrap().from, "2026-10-01T00:00:00Z");
    }

    #[test]
    fn a_cursor_is_of_one_question() {
        let pages = |limit: u32| with(&json!({"group_by": ["channel"], "limit": limit})).unwrap();
        let cursor =
            cursor::write(&pages(2).hash().unwrap(), &RawValue::from_string(r#"[null,["web"]]"#.to_owned()).unwrap());
        let next = |fields: Value| {
            let mut fields = fields;
            fields["cursor"] = json!(cursor);
            with(&fields).unwrap().asked().map(|asked| asked.after.unwrap().get().to_owned())
        };
        // Pages may grow from one to the next.
        assert_eq!(next(json!({"group_by": ["channel"], "limit": 5})).unwrap(), r#"[null,["web"]]"#);
        assert!(next(json!({"group_by": ["country"], "limit": 2})).is_err());
        assert!(next(json!({"group_by": ["channel"], "limit": 2, "fill": "null"})).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for fields in [
            json!({"from": "October"}),
            json!({"from": "2026-10-01T00:07:00"}),
            json!({"from": "2026-10-01T00:00:00[America/New_York]"}),
            json!({"to": "0001-01-01"}),
            json!({"to": "2026-02-30"}),
            json!({"metrics": []}),
            json!({"metrics": vec!["m"; 21]}),
            json!({"metrics": ["m", "m"]}),
            json!({"metrics": ["m".repeat(64)]}),
            json!({"metrics": [""]}),
            json!({"metrics": "revenue"}),
            json!({"stores": []}),
            json!({"stores": ["shop"]}),
            json!({"stores": [Uuid::nil()], "workspace": Uuid::nil()}),
            json!({"workspace": "main"}),
            json!({"granularity": "fortnight"}),
            json!({"granularity": null}),
            json!({"week_start": "sunday"}),
            json!({"week_start": "someday", "granularity": "week"}),
            json!({"fill": "guess"}),
            json!({"timezone": 7}),
            json!({"currency": "usd"}),
            json!({"group_by": ["a", "b", "c", "d"]}),
            json!({"group_by": ["a", "a"]}),
            json!({"group_by": [""]}),
            json!({"group_by": "a"}),
            json!({"top": {"n": 5}}),
            json!({"top": {"n": 0}, "group_by": ["a"]}),
            json!({"top": {"n": 101}, "group_by": ["a"]}),
            json!({"top": {"n": 5, "by": "aov"}, "group_by": ["a"]}),
            json!({"top": [5], "group_by": ["a"]}),
            json!({"top": {"n": 5}, "limit": 5, "group_by": ["a"]}),
            json!({"limit": 5}),
            json!({"limit": 0, "group_by": ["a"]}),
            json!({"limit": 1001, "group_by": ["a"]}),
            json!({"cursor": "x", "group_by": ["a"]}),
            json!({"order_by": {"dimension": "a"}}),
            json!({"order_by": {"dimension": "b"}, "group_by": ["a"]}),
            json!({"order_by": {"metric": "aov"}, "group_by": ["a"]}),
            json!({"order_by": {"metric": "orders", "dimension": "a"}, "group_by": ["a"]}),
            json!({"order_by": {}, "group_by": ["a"]}),
            json!({"compare": "last_week"}),
            json!({"compare": {"from": "2026-09-01", "to": "2026-08-01"}}),
            json!({"cumulative": "yes"}),
            json!({"colour": "red"}),
        ] {
            assert_eq!(with(&fields).unwrap_err().kind(), Kind::InvalidQuery, "{fields}");
        }
        let positional = json!([["revenue"], null, "2026-10-01", "2026-11-01"]);
        assert_eq!(read(&positional).unwrap_err().kind(), Kind::InvalidQuery);
        // Read as late as the database is asked.
        for fields in [json!({"filter": {}}), json!({"cursor": "x", "limit": 1, "group_by": ["a"]})] {
            assert_eq!(with(&fields).unwrap().asked().unwrap_err().kind(), Kind::InvalidQuery, "{fields}");
        }
    }
}
