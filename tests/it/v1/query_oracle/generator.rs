//! Random questions about a company, near an instant at which something is special in a zone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::calendar::{Compared, Edge, Granularity};
use super::company::{BASES, METRICS, Method};
use super::condition::Condition;
use super::founding::{CURRENCIES, DIMENSIONS, scalars};
use super::oracle::{is_rolled_up, is_uneven, size};
use super::question::{Fill, Order, Question, Scope, Top};
use crate::harness::Random;

const WEEKDAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];
/// Parts of texts, some of which mean something to other ways to look for them.
const PARTS: [&str; 10] = ["e", "W", "%", "_", "\\", "5", "\"", "ü", "京", "r"];
/// How many buckets a question has at most, and how many of them with groups.
const MOST_BUCKETS: usize = 1_500;
const MOST_WITH_GROUPS: usize = 150;
/// How many days of events are looked through at most.
const MOST_DAYS: i64 = 400;
/// In no zone a day has ended within a quarter hour since, of which events have to tell the rate that money is converted at.
const SINCE: &str = "2012-01-01T00:00:00Z";
/// Nobody asks for what is later, in which no event can be.
const LAST: &str = "2030-01-01T00:00:00Z";

/// A question that has an answer, as far as its form goes.
pub(super) fn question(random: &mut Random, zone: &str, focus: Timestamp, stores: usize) -> Question {
    loop {
        let question = draft(random, zone, focus, stores);
        if is_asked(&question) {
            return question;
        }
    }
}

fn is_asked(question: &Question) -> bool {
    let zone = TimeZone::get(&question.zone).unwrap();
    let (from, to) = (question.from.instant(&zone), question.to.instant(&zone));
    if from >= to || to > LAST.parse().unwrap() || from < Timestamp::UNIX_EPOCH {
        return false;
    }
    if let Some(compared) = question.compare {
        let range = compared.range(question.from, question.to, &zone);
        if range.from >= range.to || range.from < Timestamp::UNIX_EPOCH {
            return false;
        }
    }
    let has_whole_quarter_hours =
        question.currency.is_none() || question.compare.is_none() && from >= SINCE.parse().unwrap();
    let is_of_rollups = has_whole_quarter_hours
        && !is_uneven(question)
        && question.parts().iter().all(|part| is_rolled_up(question, *part));
    let most = if question.group_by.is_empty() { MOST_BUCKETS } else { MOST_WITH_GROUPS };
    let most = if question.cumulative { most / 10 } else { most };
    size(question) <= most && (is_of_rollups || fits_events(question))
}

/// Whether a question could be answered from events.
pub(super) fn fits_events(question: &Question) -> bool {
    let zone = TimeZone::get(&question.zone).unwrap();
    let (from, to) = (question.from.instant(&zone), question.to.instant(&zone));
    let compared = question.compare.map(|compared| compared.range(question.from, question.to, &zone));
    let first = compared.map_or(from, |range| from.min(range.from));
    first.duration_until(compared.map_or(to, |range| to.max(range.to))).as_hours() <= MOST_DAYS * 24
}

fn draft(random: &mut Random, zone: &str, focus: Timestamp, stores: usize) -> Question {
    let granularity = *random.pick(&Granularity::ALL);
    let times = |random: &mut Random| range(random, zone, focus, granularity);
    let (from, to) = times(random);
    let compare = match random.below(10) {
        0 => Some(Compared::PreviousPeriod),
        1 => Some(Compared::PreviousYear),
        2 => Some(Compared::PreviousYearByWeekday),
        3 => Some(times(random)).map(|(from, to)| Compared::Given(from, to)),
        _ => None,
    };
    let cumulative = random.below(8) == 0;
    let metrics = metrics(random, cumulative);
    let group_by = group_by(random);
    let top = (!group_by.is_empty() && random.below(4) == 0).then(|| Top {
        n: 1 + random.below(4),
        by: (random.below(2) == 0).then(|| *random.pick(&metrics)),
        other: random.below(2) == 0,
    });
    let order = match random.below(4) {
        0 if !group_by.is_empty() => Some(Order::Metric(*random.pick(&metrics), random.below(2) == 0)),
        1 if !group_by.is_empty() => {
            Some(Order::Dimension(group_by[random.below(group_by.len())], random.below(2) == 0))
        }
        _ => None,
    };
    Question {
        scope: match random.below(5) {
            0 | 1 => Scope::All,
            2 => Scope::Workspace(random.below(2)),
            _ => Scope::Stores(subset(random, stores)),
        },
        metrics,
        from,
        to,
        granularity,
        week_start: (granularity == Granularity::Week && random.below(2) == 0).then(|| *random.pick(&WEEKDAYS)),
        zone: zone.to_owned(),
        currency: (random.below(4) == 0).then(|| *random.pick(&CURRENCIES)),
        group_by,
        filter: (random.below(3) == 0).then(|| condition(random, 3)),
        top,
        order,
        fill: *random.pick(&[Fill::Zero, Fill::Zero, Fill::Null, Fill::Previous]),
        cumulative,
        totals: random.below(2) == 0,
        compare,
    }
}

fn subset(random: &mut Random, of: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..of).filter(|_| random.below(2) == 0).collect();
    if all.is_empty() {
        all.push(random.below(of));
    }
    all
}

fn metrics(random: &mut Random, are_added_over_time: bool) -> Vec<usize> {
    let fits = |metric: &usize| !are_added_over_time || matches!(METRICS[*metric].method, Method::Sum | Method::Count);
    let bound = if random.below(2) == 0 { BASES } else { METRICS.len() };
    let mut all: Vec<usize> = (0..bound).filter(fits).collect();
    let mut some = Vec::new();
    for _ in 0..=random.below(4) {
        if !all.is_empty() {
            some.push(all.swap_remove(random.below(all.len())));
        }
    }
    some
}

fn group_by(random: &mut Random) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = DIMENSIONS.into_iter().chain(["store"]).collect();
    // Mostly by what is declared of many.
    let count = *random.pick(&[0, 0, 0, 1, 1, 1, 2, 3]);
    if count == 1 && random.below(2) == 0 {
        return vec!["channel"];
    }
    (0..count).map(|_| all.swap_remove(random.below(all.len()))).collect()
}

fn condition(random: &mut Random, depth: usize) -> Condition {
    let dimension = *random.pick(&["channel", "channel", "region", "place", "note", "user", "never"]);
    let values = scalars(dimension);
    match random.below(if depth == 0 { 4 } else { 7 }) {
        0 => Condition::Eq(dimension, random.pick(&values).clone()),
        1 => Condition::In(dimension, (0..=random.below(4)).map(|_| random.pick(&values).clone()).collect()),
        2 => Condition::Contains(dimension, PARTS[random.below(PARTS.len())]),
        3 => Condition::Exists(dimension, random.below(2) == 0),
        4 => Condition::And((0..=random.below(3)).map(|_| condition(random, depth - 1)).collect()),
        5 => Condition::Or((0..=random.below(3)).map(|_| condition(random, depth - 1)).collect()),
        _ => Condition::Not(Box::new(condition(random, depth - 1))),
    }
}

/// A range that begins before an instant and ends after it, mostly.
fn range(random: &mut Random, zone: &str, focus: Timestamp, granularity: Granularity) -> (Edge, Edge) {
    let zone = TimeZone::get(zone).unwrap();
    let most_days = match granularity {
        Granularity::Quarters => 4,
        Granularity::Hour => 8,
        Granularity::Day => 50,
        Granularity::Week => 200,
        Granularity::None | Granularity::Month => 1_200,
        Granularity::Quarter => 2_500,
        Granularity::Year => 12_000,
    };
    let most_days = if random.below(3) == 0 { most_days } else { 1 + most_days / 10 };
    let mut hours = || i64::try_from(random.below(24 * most_days)).unwrap();
    let (first, last) = (focus - hours().hours(), focus + (hours() / 2 + 1).hours());
    (edge(random, &zone, first), edge(random, &zone, last))
}

/// A date, a local time or an instant near this one, on a quarter hour.
fn edge(random: &mut Random, zone: &TimeZone, instant: Timestamp) -> Edge {
    let quarter = Timestamp::from_second(instant.as_second().div_euclid(900) * 900).unwrap();
    let local = zone.to_datetime(quarter);
    match random.below(10) {
        0..5 => Edge::Date(local.date()),
        5 => Edge::Date(local.date().first_of_month()),
        6..8 => {
            let minute = local.minute() / 15 * 15;
            Edge::Local(local.with().minute(minute).second(0).subsec_nanosecond(0).build().unwrap())
        }
        _ => Edge::Instant(quarter),
    }
}
