//! A company that is asked about: its metrics, its stores and what happened there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::number::Decimal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Currency,
    Count,
    Ratio,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Currency => "currency",
            Self::Count => "count",
            Self::Ratio => "ratio",
        }
    }
}

/// How a metric is made, of its events or of other metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Sum,
    Count,
    Avg,
    Min,
    Max,
    Last,
    Distinct(&'static str),
    Percentile(&'static str),
    Ratio(&'static str, &'static str),
    Formula(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    pub(super) key: &'static str,
    pub(super) unit: Unit,
    pub(super) method: Method,
    /// The declared ones.
    pub(super) dimensions: &'static [&'static str],
}

const fn metric(key: &'static str, unit: Unit, method: Method, dimensions: &'static [&'static str]) -> Metric {
    Metric { key, unit, method, dimensions }
}

/// The metrics of every company: first those that have events.
pub(super) const METRICS: [Metric; 32] = [
    metric("o_revenue", Unit::Currency, Method::Sum, &["channel", "region"]),
    metric("o_cost", Unit::Currency, Method::Sum, &["channel"]),
    metric("o_units", Unit::Count, Method::Sum, &["channel", "region"]),
    metric("o_orders", Unit::Count, Method::Count, &["channel"]),
    metric("o_score", Unit::Count, Method::Avg, &["channel", "region"]),
    metric("o_price", Unit::Currency, Method::Avg, &[]),
    metric("o_least", Unit::Count, Method::Min, &["channel"]),
    metric("o_most", Unit::Currency, Method::Max, &["region"]),
    metric("o_level", Unit::Count, Method::Last, &["channel", "place"]),
    metric("o_stock", Unit::Currency, Method::Last, &["place"]),
    metric("o_users", Unit::Count, Method::Distinct("user"), &["channel"]),
    metric("o_places", Unit::Count, Method::Distinct("place"), &[]),
    metric("o_p95", Unit::Count, Method::Percentile("0.95"), &["channel"]),
    metric("o_median", Unit::Currency, Method::Percentile("0.5"), &[]),
    metric("o_aov", Unit::Currency, Method::Ratio("o_revenue", "o_orders"), &[]),
    metric("o_cost_rate", Unit::Ratio, Method::Ratio("o_cost", "o_revenue"), &[]),
    metric("o_per_order", Unit::Ratio, Method::Ratio("o_units", "o_orders"), &[]),
    metric("o_per_money", Unit::Ratio, Method::Ratio("o_units", "o_cost"), &[]),
    metric("o_turnover", Unit::Ratio, Method::Ratio("o_units", "o_level"), &[]),
    metric("o_of_most", Unit::Ratio, Method::Ratio("o_price", "o_most"), &[]),
    metric("o_per_user", Unit::Ratio, Method::Ratio("o_orders", "o_users"), &[]),
    metric("o_spread", Unit::Ratio, Method::Ratio("o_p95", "o_score"), &[]),
    metric("o_margin", Unit::Currency, Method::Formula("o_revenue - o_cost"), &[]),
    metric("o_margin_rate", Unit::Ratio, Method::Formula("(o_revenue - o_cost) / o_revenue"), &[]),
    metric("o_index", Unit::Ratio, Method::Formula("100 * o_units / (o_orders + 0.5) - 1.25"), &[]),
    metric("o_mixed", Unit::Ratio, Method::Formula("o_revenue / o_units - o_cost / o_orders"), &[]),
    metric("o_product", Unit::Ratio, Method::Formula("o_units * o_score * (o_orders - o_users)"), &[]),
    metric("o_nested", Unit::Ratio, Method::Formula("o_least / (o_units / (o_orders / 3))"), &[]),
    metric("o_left", Unit::Ratio, Method::Formula("o_units - o_orders - 2 - (o_users - 1)"), &[]),
    metric("o_money", Unit::Currency, Method::Formula("o_most + 2 * o_stock / 4"), &[]),
    metric("o_of_ratios", Unit::Ratio, Method::Ratio("o_per_order", "o_margin_rate"), &[]),
    metric("o_upon", Unit::Ratio, Method::Formula("o_per_user * (o_per_order - 1) + o_units"), &[]),
];
/// How many of them have events.
pub(super) const BASES: usize = 14;

impl Metric {
    pub(super) fn find(key: &str) -> Option<usize> {
        METRICS.iter().position(|metric| metric.key == key)
    }

    /// The metrics with events that it is made of.
    pub(super) fn parts(&self) -> Vec<usize> {
        let sides: Vec<usize> = match self.method {
            Method::Ratio(numerator, denominator) => {
                [numerator, denominator].into_iter().filter_map(Self::find).collect()
            }
            Method::Formula(text) => {
                text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter_map(Self::find).collect()
            }
            _ => return Self::find(self.key).into_iter().collect(),
        };
        let mut parts: Vec<usize> = sides.iter().flat_map(|side| METRICS[*side].parts()).collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }
}

/// The value of a dimension, in the order of groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar {
    Null,
    Text(String),
    Number(Decimal),
    Boolean(bool),
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) store: usize,
    pub(super) metric: usize,
    pub(super) at: Timestamp,
    pub(super) value: Decimal,
    pub(super) currency: Option<&'static str>,
    pub(super) dimensions: BTreeMap<&'static str, Scalar>,
}

#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) id: String,
    pub(super) workspace: usize,
    pub(super) zone_name: String,
    pub(super) zone: TimeZone,
}

/// What the oracle knows of a company.
#[derive(Debug, Default)]
pub(super) struct Company {
    pub(super) workspaces: Vec<String>,
    pub(super) stores: Vec<Store>,
    /// In the order of their times.
    pub(super) events: Vec<Event>,
    /// What a unit of a currency is worth on a day.
    pub(super) rates: BTreeMap<(&'static str, Date), Decimal>,
}

impl Company {
    /// What an event has in a dimension; the store is one too.
    pub(super) fn value(&self, event: &Event, dimension: &str) -> Scalar {
        if dimension == "store" {
            return Scalar::Text(self.stores[event.store].id.clone());
        }
        event.dimensions.get(dimension).cloned().unwrap_or(Scalar::Null)
    }
}
