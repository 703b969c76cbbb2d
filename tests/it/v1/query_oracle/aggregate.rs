//! One value of many events, by the method of their metric.

use std::collections::{BTreeMap, BTreeSet};

use super::company::{Company, Event, METRICS, Method, Metric, Scalar};
use super::formula;
use super::number::Decimal;

/// Places of averages and quotients.
pub(super) const PLACES: u32 = 12;

/// An event as a query takes it: in which currency, and how much.
#[derive(Clone, Debug)]
pub(super) struct Taken<'a> {
    pub(super) event: &'a Event,
    pub(super) value: Decimal,
    pub(super) currency: Option<&'static str>,
    /// What it has in the dimensions that the query groups by.
    pub(super) group: Vec<Scalar>,
}

/// The value of a metric; `events` are those of everything that it is made of.
pub(super) fn value(company: &Company, metric: usize, events: &[&Taken<'_>]) -> Option<Decimal> {
    let part = |key: &str| {
        let part = Metric::find(key).unwrap();
        if matches!(METRICS[part].method, Method::Ratio(..) | Method::Formula(_)) {
            return value(company, part, events);
        }
        let of_part: Vec<&Taken<'_>> = events.iter().copied().filter(|taken| taken.event.metric == part).collect();
        aggregated(company, part, &of_part)
    };
    match METRICS[metric].method {
        Method::Ratio(numerator, denominator) => part(numerator)?.over(&part(denominator)?, PLACES),
        Method::Formula(text) => formula::evaluate(text, &part),
        _ => part(METRICS[metric].key),
    }
}

fn aggregated(company: &Company, metric: usize, events: &[&Taken<'_>]) -> Option<Decimal> {
    let values = || events.iter().map(|taken| &taken.value);
    let sum = || values().fold(Decimal::ZERO, |sum, value| sum.plus(value));
    match METRICS[metric].method {
        Method::Sum => Some(sum()),
        Method::Count => Some(Decimal::of(events.len())),
        Method::Avg => sum().over(&Decimal::of(events.len()), PLACES),
        Method::Min => values().min().cloned(),
        Method::Max => values().max().cloned(),
        Method::Last => last(company, METRICS[metric].dimensions, events),
        Method::Distinct(dimension) => {
            let found = events.iter().map(|taken| company.value(taken.event, dimension));
            Some(Decimal::of(found.filter(|value| *value != Scalar::Null).collect::<BTreeSet<_>>().len()))
        }
        Method::Percentile(share) => percentile(share, values().collect()),
        Method::Ratio(..) | Method::Formula(_) => unreachable!("it has no events"),
    }
}

/// The last value of each store and place, added up.
fn last(company: &Company, dimensions: &[&str], events: &[&Taken<'_>]) -> Option<Decimal> {
    let mut places: BTreeMap<(usize, Vec<Scalar>), &Taken<'_>> = BTreeMap::new();
    for taken in events {
        let place = dimensions.iter().map(|dimension| company.value(taken.event, dimension)).collect();
        let last = places.entry((taken.event.store, place)).or_insert(taken);
        if (taken.event.at, &taken.value) > (last.event.at, &last.value) {
            *last = taken;
        }
    }
    places.into_values().map(|taken| taken.value.clone()).reduce(|sum, value| sum.plus(&value))
}

/// The least value that at least this share of them does not exceed.
fn percentile(share: &str, mut values: Vec<&Decimal>) -> Option<Decimal> {
    values.sort();
    let share = Decimal::parse(share).unwrap().times(&Decimal::of(values.len()));
    let enough = |rank: &usize| Decimal::of(*rank) >= share;
    (1..=values.len()).find(enough).map(|rank| values[rank - 1].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_is_there() {
        let values: Vec<Decimal> = (1..=10).map(Decimal::of).collect();
        for (share, count, value) in
            [("0.5", 10, 5), ("0.5", 9, 5), ("0.95", 10, 10), ("0.9", 10, 9), ("0.01", 10, 1), ("1", 3, 3)]
        {
            let found = percentile(share, values[..count].iter().rev().collect());
            assert_eq!(found, Some(Decimal::of(value)), "{share} of {count}");
        }
        assert_eq!(percentile("0.5", Vec::new()), None);
    }

    fn event(metric: &str, store: usize, at: i64, value: &str, dimensions: &[(&'static str, &str)]) -> Event {
        let text = |text: &&str| Scalar::Text((**text).to_owned());
        Event {
            store,
            metric: METRICS.iter().position(|known| known.key == metric).unwrap(),
            at: jiff::Timestamp::from_second(at).unwrap(),
            value: Decimal::parse(value).unwrap(),
            currency: None,
            dimensions: dimensions.iter().map(|(name, value)| (*name, text(value))).collect(),
        }
    }

    fn of(metric: &str, events: &[Event]) -> Option<String> {
        let taken: Vec<Taken<'_>> = events
            .iter()
            .map(|event| Taken { event, value: event.value.clone(), currency: None, group: Vec::new() })
            .collect();
        let metric = METRICS.iter().position(|known| known.key == metric).unwrap();
        value(&Company::default(), metric, &taken.iter().collect::<Vec<_>>()).map(|value| value.to_string())
    }

    #[test]
    fn levels_are_added_over_stores_and_places() {
        let events = [
            event("o_level", 0, 10, "5", &[("place", "north")]),
            event("o_level", 0, 20, "7", &[("place", "north"), ("note", "x")]),
            event("o_level", 0, 20, "6", &[("place", "north")]),
            event("o_level", 0, 15, "100", &[("place", "south")]),
            event("o_level", 1, 1, "1000", &[("place", "north")]),
        ];
        assert_eq!(of("o_level", &events).as_deref(), Some("1107"));
        assert_eq!(of("o_level", &[]), None);
    }

    #[test]
    fn what_is_made_of_others_divides_what_they_come_to() {
        let events = [
            event("o_units", 0, 1, "3", &[]),
            event("o_units", 0, 2, "4.0", &[]),
            event("o_orders", 0, 1, "1", &[]),
            event("o_orders", 0, 2, "1", &[]),
            event("o_orders", 0, 3, "9", &[("user", "ann")]),
            event("o_users", 0, 3, "9", &[("user", "ann")]),
            event("o_users", 0, 3, "9", &[]),
        ];
        assert_eq!(of("o_per_order", &events).as_deref(), Some("2.333333333333"));
        assert_eq!(of("o_index", &events).as_deref(), Some("198.750000000000"));
        assert_eq!(of("o_users", &events).as_deref(), Some("1"));
        assert_eq!(of("o_per_order", &events[..2]), None);
        assert_eq!(of("o_per_order", &events[2..]).as_deref(), Some("0.000000000000"));
        assert_eq!(of("o_score", &[]), None);
    }
}
