//! What was asked for how often, and near which changes of clocks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::calendar::{Compared, Range};
use super::company::{METRICS, Method};
use super::question::{Fill, Order, Question, Scope};

/// Everything that can be asked for, and where answers come from.
const ALL: [&str; 55] = [
    "as csv",
    "by url",
    "of events",
    "15m",
    "all stores",
    "avg",
    "back",
    "north",
    "south",
    "both",
    "compare given",
    "compare previous_period",
    "compare previous_year",
    "compare weekday",
    "count",
    "cumulative",
    "currency",
    "day",
    "distinct",
    "events",
    "fill null",
    "fill previous",
    "fill zero",
    "filter",
    "formula",
    "forward",
    "group by 1",
    "group by 2",
    "group by 3",
    "group by nothing",
    "group by store",
    "hour",
    "in one request",
    "last",
    "max",
    "min",
    "month",
    "none",
    "order by dimension",
    "order by metric",
    "other",
    "pages",
    "percentile",
    "quarter",
    "ratio",
    "refused",
    "rollups",
    "several metrics",
    "some stores",
    "sum",
    "top",
    "total",
    "week",
    "workspace",
    "year",
];

#[derive(Debug, Default)]
pub(super) struct Features {
    times: BTreeMap<&'static str, usize>,
    /// The zones asked in, and which changes of their clocks were in the range.
    zones: BTreeSet<String>,
    changes: BTreeSet<(String, Timestamp)>,
    /// By how many minutes clocks were changed.
    minutes: BTreeMap<i32, usize>,
}

impl Features {
    pub(super) fn count(&mut self, name: &'static str) {
        *self.times.entry(name).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (name, times) in other.times {
            *self.times.entry(name).or_default() += times;
        }
        for (minutes, times) in other.minutes {
            *self.minutes.entry(minutes).or_default() += times;
        }
        self.zones.extend(other.zones);
        self.changes.extend(other.changes);
    }

    /// What was never asked for.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        ALL.into_iter().filter(|name| !self.times.contains_key(name)).collect()
    }

    /// Notes what a question asks for; `changes` are those of its zone.
    pub(super) fn note(&mut self, question: &Question, changes: &[Timestamp]) {
        self.count(question.granularity.name());
        for metric in &question.metrics {
            self.count(match METRICS[*metric].method {
                Method::Sum => "sum",
                Method::Count => "count",
                Method::Avg => "avg",
                Method::Min => "min",
                Method::Max => "max",
                Method::Last => "last",
                Method::Distinct(_) => "distinct",
                Method::Percentile(_) => "percentile",
                Method::Ratio(..) => "ratio",
                Method::Formula(_) => "formula",
            });
        }
        self.count(match question.scope {
            Scope::All => "all stores",
            Scope::Workspace(_) => "workspace",
            Scope::Stores(_) => "some stores",
        });
        self.count(["group by nothing", "group by 1", "group by 2", "group by 3"][question.group_by.len()]);
        self.count(match question.fill {
            Fill::Zero => "fill zero",
            Fill::Null => "fill null",
            Fill::Previous => "fill previous",
        });
        self.note_options(question);
        self.note_changes(question, changes);
    }

    fn note_options(&mut self, question: &Question) {
        let top = question.top.as_ref();
        for (name, is_asked) in [
            ("several metrics", question.metrics.len() > 1),
            ("group by store", question.group_by.contains(&"store")),
            ("currency", question.currency.is_some()),
            ("filter", question.filter.is_some()),
            ("top", top.is_some()),
            ("other", top.is_some_and(|top| top.other)),
            ("order by metric", matches!(question.order, Some(Order::Metric(..)))),
            ("order by dimension", matches!(question.order, Some(Order::Dimension(..)))),
            ("cumulative", question.cumulative),
            ("total", question.totals),
        ] {
            if is_asked {
                self.count(name);
            }
        }
        if let Some(compare) = question.compare {
            self.count(match compare {
                Compared::PreviousPeriod => "compare previous_period",
                Compared::PreviousYear => "compare previous_year",
                Compared::PreviousYearByWeekday => "compare weekday",
                Compared::Given(..) => "compare given",
            });
        }
    }

    fn note_changes(&mut self, question: &Question, changes: &[Timestamp]) {
        let zone = TimeZone::get(&question.zone).unwrap();
        let range = Range { from: question.from.instant(&zone), to: question.to.instant(&zone) };
        self.zones.insert(question.zone.clone());
        for change in changes.iter().filter(|change| range.from < **change && **change < range.to) {
            let seconds = zone.to_offset(*change).seconds() - zone.to_offset(*change - 1.second()).seconds();
            self.count(if seconds > 0 { "forward" } else { "back" });
            // Where the clock is put forward in spring.
            let is_early = zone.to_datetime(*change).month() < 7;
            self.count(if (seconds > 0) == is_early { "north" } else { "south" });
            *self.minutes.entry(seconds / 60).or_default() += 1;
            self.changes.insert((question.zone.clone(), *change));
        }
    }
}

impl fmt::Display for Features {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (zones, changes) = (self.zones.len(), self.changes.len());
        write!(formatter, "{zones} zones asked in, {changes} changes of their clocks in the ranges, by minutes ")?;
        write!(formatter, "{:?}; {:?}", self.minutes, self.times)
    }
}
