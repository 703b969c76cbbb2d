//! What the answer to a question should be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::aggregate::{PLACES, Taken, value};
use super::calendar::{Range, buckets, changes, places};
use super::company::{Company, Event, METRICS, Method, Metric, Scalar, Unit};
use super::number::Decimal;
use super::question::{Fill, Order, Question, Top};

/// A value: how much, and whether it is written with just these places.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) value: Decimal,
    pub(super) is_literal: bool,
}

pub(super) type Cell = Option<Number>;

#[derive(Debug)]
pub(super) struct Point {
    pub(super) start: Timestamp,
    pub(super) value: Cell,
}

/// What is compared with, and how the one that has this place among the points, or the total, is different.
#[derive(Debug)]
pub(super) struct Counterpart {
    pub(super) index: Option<usize>,
    pub(super) start: Timestamp,
    pub(super) value: Cell,
    pub(super) difference: Cell,
    pub(super) change: Cell,
}

#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) points: Vec<Counterpart>,
    pub(super) total: Counterpart,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) metric: usize,
    pub(super) currency: Option<&'static str>,
    /// None is the rest.
    pub(super) group: Option<Vec<Scalar>>,
    pub(super) points: Vec<Point>,
    pub(super) total: Cell,
    pub(super) comparison: Option<Comparison>,
}

#[derive(Debug)]
pub(super) struct Expected {
    pub(super) series: Vec<Series>,
    /// Not said of uneven buckets.
    pub(super) source: Option<&'static str>,
    pub(super) compared: Option<Range>,
}

impl Expected {
    /// How many points there are, those compared with included.
    pub(super) fn points(&self) -> usize {
        self.series
            .iter()
            .map(|series| series.points.len() + series.comparison.as_ref().map_or(0, |before| before.points.len()))
            .sum()
    }
}

/// What the documents do not answer, or not with numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The groups cannot be ranked.
    SeveralCurrencies,
    /// More points than an answer holds.
    TooManyPoints,
}

const MOST_BUCKETS: usize = 11_000;
/// Over all series of a request.
pub(super) const MOST_POINTS: usize = 50_000;

/// A range with its buckets, and the events of it.
struct Span<'a> {
    starts: Vec<Timestamp>,
    places: Vec<(i64, usize)>,
    taken: Vec<Taken<'a>>,
}

struct Oracle<'a> {
    company: &'a Company,
    question: &'a Question,
    span: Span<'a>,
    before: Option<Span<'a>>,
}

/// Some groups, as one.
type Group = Option<Vec<Scalar>>;
/// Groups in their order, each with those that it stands for.
type Groups = Vec<(Group, Vec<Vec<Scalar>>)>;

pub(super) fn answer(company: &Company, question: &Question) -> Result<Expected, Refusal> {
    let zone = TimeZone::get(&question.zone).unwrap();
    let range = Range { from: question.from.instant(&zone), to: question.to.instant(&zone) };
    let compared = question.compare.map(|compared| compared.range(question.from, question.to, &zone));
    let span = |range| span(company, question, &zone, range);
    let oracle = Oracle { company, question, span: span(range), before: compared.map(span) };
    let series = oracle.series()?;
    let points: usize = series.iter().map(|series| series.points.len()).sum();
    let buckets = oracle.span.starts.len();
    let with_compared = points / buckets * (buckets + oracle.before.as_ref().map_or(0, |before| before.starts.len()));
    if buckets > MOST_BUCKETS || with_compared > MOST_POINTS {
        return Err(Refusal::TooManyPoints);
    }
    let ranges: Vec<Range> = [range].into_iter().chain(compared).collect();
    Ok(Expected { series, source: source(company, question, &ranges), compared })
}

/// How many buckets a question has, those compared with included.
pub(super) fn size(question: &Question) -> usize {
    let zone = TimeZone::get(&question.zone).unwrap();
    let range = Range { from: question.from.instant(&zone), to: question.to.instant(&zone) };
    let compared = question.compare.map(|compared| compared.range(question.from, question.to, &zone));
    let week_start = question.week_start.unwrap_or(Weekday::Monday);
    let size = |range| buckets(&zone, range, question.granularity, week_start).len();
    size(range) + compared.map_or(0, size)
}

/// Whether the rollups have all that a question needs of a metric with events.
pub(super) fn is_rolled_up(question: &Question, part: usize) -> bool {
    let metric = &METRICS[part];
    !matches!(metric.method, Method::Distinct(_) | Method::Percentile(_))
        && question.dimensions().iter().all(|dimension| metric.dimensions.contains(dimension))
}

/// Whether a bucket of a question begins, or its range ends, at an instant that is no quarter hour.
pub(super) fn is_uneven(question: &Question) -> bool {
    let zone = TimeZone::get(&question.zone).unwrap();
    let range = Range { from: question.from.instant(&zone), to: question.to.instant(&zone) };
    let compared = question.compare.map(|compared| compared.range(question.from, question.to, &zone));
    let week_start = question.week_start.unwrap_or(Weekday::Monday);
    let is_odd = |instant: &Timestamp| instant.as_second() % (15 * 60) != 0;
    [Some(range), compared]
        .into_iter()
        .flatten()
        .any(|range| is_odd(&range.to) || buckets(&zone, range, question.granularity, week_start).iter().any(is_odd))
}

/// Where the numbers come from; not said of uneven buckets, which the days of stores in the same zone may have.
fn source(company: &Company, question: &Question, ranges: &[Range]) -> Option<&'static str> {
    let parts = question.parts();
    let is_torn = question.currency.is_some()
        && question
            .stores(company)
            .iter()
            .any(|store| ranges.iter().any(|range| is_torn(&company.stores[*store].zone, *range)));
    let from_rollups =
        |part: &usize| is_rolled_up(question, *part) && !(is_torn && METRICS[*part].unit == Unit::Currency);
    match parts.iter().filter(|part| from_rollups(part)).count() {
        0 => Some("events"),
        _ if is_uneven(question) => None,
        rolled_up if rolled_up == parts.len() => Some("rollups"),
        _ => Some("both"),
    }
}

/// Whether a day of a zone ends within a quarter hour of UTC, in a range.
fn is_torn(zone: &TimeZone, range: Range) -> bool {
    let is_odd = |instant: Timestamp| zone.to_offset(instant).seconds() % (15 * 60) != 0;
    is_odd(range.from)
        || changes(zone, range).into_iter().any(|change| is_odd(change) || change.as_second() % (15 * 60) != 0)
}

fn span<'a>(company: &'a Company, question: &Question, zone: &TimeZone, range: Range) -> Span<'a> {
    let (parts, stores) = (question.parts(), question.stores(company));
    let first = company.events.partition_point(|event| event.at < range.from);
    let end = company.events.partition_point(|event| event.at < range.to);
    let events = company.events[first..end.max(first)].iter();
    let asked = events.filter(|event| parts.contains(&event.metric) && stores.contains(&event.store));
    let filtered = asked.filter(|event| question.filter.as_ref().is_none_or(|filter| filter.is_true(company, event)));
    let group = |event: &Event| question.group_by.iter().map(|dimension| company.value(event, dimension)).collect();
    let taken = filtered.map(|event| match (question.currency, event.currency) {
        (Some(target), Some(currency)) if target != currency => {
            let value = event.value.times(&factor(company, event.store, event.at, currency, target)).trimmed();
            Taken { group: group(event), event, value, currency: Some(target) }
        }
        _ => Taken { group: group(event), event, value: event.value.clone(), currency: event.currency },
    });
    let week_start = question.week_start.unwrap_or(Weekday::Monday);
    let starts = buckets(zone, range, question.granularity, week_start);
    Span { places: places(zone, &starts, question.granularity), starts, taken: taken.collect() }
}

/// What to multiply with, on the day that it is at the store.
fn factor(company: &Company, store: usize, at: Timestamp, currency: &'static str, target: &'static str) -> Decimal {
    let day = company.stores[store].zone.to_datetime(at).date();
    company.rates[&(target, day)].over(&company.rates[&(currency, day)], 18).unwrap()
}

impl<'a> Oracle<'a> {
    fn spans(&self) -> impl Iterator<Item = &Span<'a>> {
        [&self.span].into_iter().chain(&self.before)
    }

    fn series(&self) -> Result<Vec<Series>, Refusal> {
        let mut series = Vec::new();
        let listed = self.groups()?;
        for metric in &self.question.metrics {
            for (group, members) in &listed {
                self.of_group(*metric, group, &members.iter().collect(), &mut series);
            }
        }
        Ok(series)
    }

    /// The groups of the answer in their order, each with those that it is made of.
    fn groups(&self) -> Result<Groups, Refusal> {
        let events = self.spans().flat_map(|span| &span.taken);
        let mut all: BTreeSet<Vec<Scalar>> = events.map(|taken| taken.group.clone()).collect();
        if self.question.group_by.is_empty() {
            all.insert(Vec::new());
        }
        let mut groups: Vec<Vec<Scalar>> = all.into_iter().collect();
        let by_order = match self.question.order {
            Some(Order::Metric(metric, descends)) => Some(self.ranked(&groups, metric, descends)?),
            Some(Order::Dimension(dimension, descends)) => Some(self.arranged(&groups, dimension, descends)),
            None => None,
        };
        let mut rest = None;
        if let Some(Top { n, by, other }) = self.question.top {
            groups = self.ranked(&groups, by.unwrap_or(self.question.metrics[0]), true)?;
            rest = Some(groups.split_off(n.min(groups.len()))).filter(|rest| other && !rest.is_empty());
        }
        if let Some(order) = by_order {
            groups = order.into_iter().filter(|group| groups.contains(group)).collect();
        }
        let mut listed: Vec<_> = groups.into_iter().map(|group| (Some(group.clone()), vec![group])).collect();
        listed.extend(rest.map(|rest| (None, rest)));
        Ok(listed)
    }

    /// Groups, which come by their values, in the order of one of them.
    fn arranged(&self, groups: &[Vec<Scalar>], dimension: &str, descends: bool) -> Vec<Vec<Scalar>> {
        let mut groups = groups.to_vec();
        let place = self.question.group_by.iter().position(|name| *name == dimension).unwrap();
        if descends {
            groups.sort_by_key(|group| Reverse(group[place].clone()));
        } else {
            groups.sort_by_key(|group| group[place].clone());
        }
        groups
    }

    /// Groups, which come by their values, in the order of a metric's total.
    fn ranked(&self, groups: &[Vec<Scalar>], metric: usize, descends: bool) -> Result<Vec<Vec<Scalar>>, Refusal> {
        let all: BTreeSet<&Vec<Scalar>> = groups.iter().collect();
        if currencies(self.events(&self.span, metric, &all, None)).len() > 1 {
            return Err(Refusal::SeveralCurrencies);
        }
        let mut totals: BTreeMap<Vec<Scalar>, Option<Decimal>> = BTreeMap::new();
        for group in groups.iter() {
            let events = self.events(&self.span, metric, &BTreeSet::from([group]), None);
            totals.insert(group.clone(), value(self.company, metric, &events));
        }
        let mut groups = groups.to_vec();
        groups.sort_by(|one, other| match (&totals[one], &totals[other]) {
            (Some(one), Some(other)) if descends => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        });
        Ok(groups)
    }

    /// The events that a metric is made of, in some groups and perhaps in one currency.
    fn events<'b>(
        &self,
        span: &'b Span<'a>,
        metric: usize,
        groups: &BTreeSet<&Vec<Scalar>>,
        currency: Option<&str>,
    ) -> Vec<&'b Taken<'a>> {
        let parts = METRICS[metric].parts();
        let of_metric = span.taken.iter().filter(|taken| parts.contains(&taken.event.metric));
        let of_currency = of_metric.filter(|taken| currency.is_none() || taken.currency == currency);
        of_currency.filter(|taken| groups.contains(&taken.group)).collect()
    }

    /// The series of a metric in a group: one, or one for each currency.
    fn of_group(&self, metric: usize, group: &Group, members: &BTreeSet<&Vec<Scalar>>, series: &mut Vec<Series>) {
        let has = |is_money: bool| {
            METRICS[metric].parts().iter().any(|part| (METRICS[*part].unit == Unit::Currency) == is_money)
        };
        let currencies = currencies(self.spans().flat_map(|span| self.events(span, metric, members, None)));
        let is_of_one = currencies.len() < 2;
        let mut names: Vec<Option<&'static str>> = currencies.into_iter().map(Some).collect();
        if names.is_empty() {
            names.push(self.question.currency.filter(|_| has(true)));
        }
        for currency in names {
            let only = currency.filter(|_| !has(false));
            let is_known = !has(false) || is_of_one;
            series.push(self.one(metric, group.clone(), currency, |span| {
                is_known.then(|| self.events(span, metric, members, only))
            }));
        }
    }

    fn one<'b>(
        &'b self,
        metric: usize,
        group: Group,
        currency: Option<&'static str>,
        events: impl Fn(&'b Span<'a>) -> Option<Vec<&'b Taken<'a>>>,
    ) -> Series {
        let points = |span: &'b Span<'a>| match events(span) {
            Some(events) => self.points(metric, span, &events),
            None => vec![None; span.starts.len()],
        };
        let total = |span: &'b Span<'a>| {
            events(span).and_then(|events| self.number(metric, value(self.company, metric, &events)))
        };
        let values = points(&self.span);
        let comparison = self.before.as_ref().map(|before| {
            let others = points(before);
            let here: BTreeMap<_, _> =
                self.span.places.iter().enumerate().map(|(index, place)| (place, index)).collect();
            let counterparts = before.places.iter().zip(others).zip(&before.starts).map(|((place, other), start)| {
                let index = here.get(place).copied();
                let value = index.and_then(|index| values[index].as_ref());
                counterpart(index, *start, value, other)
            });
            let points = counterparts.collect();
            Comparison { points, total: counterpart(None, before.starts[0], total(&self.span).as_ref(), total(before)) }
        });
        let starts = self.span.starts.iter();
        let points = starts.zip(values).map(|(start, value)| Point { start: *start, value }).collect();
        Series { metric, currency, group, points, total: total(&self.span), comparison }
    }

    /// The values in the buckets of a span.
    fn points(&self, metric: usize, span: &Span<'_>, events: &[&Taken<'_>]) -> Vec<Cell> {
        let mut values: Vec<Cell> = Vec::new();
        let of_nothing = self.number(metric, value(self.company, metric, &[]));
        let mut first = 0;
        for index in 0..span.starts.len() {
            let end = match span.starts.get(index + 1) {
                Some(next) => events.partition_point(|taken| taken.event.at < *next),
                None => events.len(),
            };
            let within = if self.question.cumulative { &events[..end] } else { &events[first..end] };
            values.push(match self.question.fill {
                // Each is a sum up to here, whatever happened last.
                _ if self.question.cumulative => self.number(metric, value(self.company, metric, within)),
                Fill::Null if first == end => None,
                Fill::Previous if first == end => values.last().cloned().flatten(),
                _ if within.is_empty() => of_nothing.clone(),
                _ => self.number(metric, value(self.company, metric, within)),
            });
            first = end;
        }
        values
    }

    /// A value, as it is written.
    fn number(&self, metric: usize, value: Option<Decimal>) -> Cell {
        let Metric { method, .. } = METRICS[metric];
        let is_money = METRICS[metric].parts().iter().any(|part| METRICS[*part].unit == Unit::Currency);
        let value = value?;
        if self.question.currency.is_some() && is_money {
            return Some(Number { value: value.trimmed(), is_literal: false });
        }
        let is_literal =
            matches!(method, Method::Sum | Method::Count | Method::Distinct(_) | Method::Avg | Method::Ratio(..));
        Some(Number { value, is_literal })
    }
}

fn currencies<'a, 'b: 'a>(events: impl IntoIterator<Item = &'a Taken<'b>>) -> BTreeSet<&'static str> {
    events.into_iter().filter_map(|taken| taken.currency).collect()
}

fn counterpart(index: Option<usize>, start: Timestamp, value: Option<&Number>, other: Cell) -> Counterpart {
    let plain = |value: Decimal| Number { value, is_literal: false };
    let both = value.zip(other.as_ref());
    let difference = both.map(|(value, other)| value.value.minus(&other.value));
    let size = both.map(|(_, other)| other.value.size());
    let change = difference.as_ref().zip(size).and_then(|(difference, size)| difference.over(&size, PLACES));
    let change = change.map(|change| Number { value: change.trimmed(), is_literal: true });
    Counterpart { index, start, value: other, difference: difference.map(plain), change }
}
