//! Which zones are asked about which instants, so that every zone is asked, near a change of its clock if it has any.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::zones::Zones;
use crate::harness::Random;

/// Changes out of the ordinary, by the day before or after.
const ODD: [(&str, &str); 16] = [
    ("Australia/Lord_Howe", "2026-04-04"), // half an hour
    ("Australia/Lord_Howe", "2025-10-04"),
    ("America/Havana", "2025-11-02"), // at midnight
    ("Asia/Beirut", "2026-03-29"),
    ("America/Asuncion", "2023-10-01"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/St_Johns", "2010-11-07"), // at 00:01
    ("America/St_Johns", "2011-03-13"),
    ("Pacific/Apia", "2011-12-30"), // a day left out
    ("Pacific/Kwajalein", "1993-08-21"),
    ("Antarctica/Casey", "2010-03-05"), // hours, across midnight
    ("Antarctica/Casey", "2018-03-11"),
    ("Africa/Monrovia", "1972-01-07"), // odd seconds
    ("Pacific/Chatham", "2026-04-05"), // three quarters
    ("Asia/Kathmandu", "1986-01-01"),
    ("Australia/Eucla", "2009-03-29"),
];
/// How many months a company has events in.
const MONTHS: usize = 5;
/// How many of its changes a zone is asked about at least, as far as it has so many.
const CHANGES: usize = 2;

/// What one company is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) focuses: Vec<Timestamp>,
    pub(super) asked: Vec<(String, Timestamp)>,
}

/// The plans of as many companies as it takes.
pub(super) fn plans(zones: &Zones, random: &mut Random) -> Vec<Plan> {
    let mut asked = odd(zones);
    let mut months: BTreeSet<Date> = asked.iter().map(|(_, instant)| month(*instant)).collect();
    for (name, changes) in &zones.changes {
        for _ in 0..CHANGES {
            let known: Vec<&Timestamp> = changes.iter().filter(|change| months.contains(&month(**change))).collect();
            let change = if known.len() < CHANGES && !changes.is_empty() {
                random.pick(changes)
            } else {
                match known[..] {
                    [] => continue,
                    _ => *random.pick(&known),
                }
            };
            months.insert(month(*change));
            asked.push((name.clone(), *change));
        }
    }
    let all: Vec<Date> = months.into_iter().collect();
    for (name, _) in zones.changes.iter().filter(|(_, changes)| changes.is_empty()) {
        let middle = random.pick(&all).to_zoned(TimeZone::UTC).unwrap().timestamp() + (14 * 24).hours();
        asked.push((name.clone(), middle));
    }
    by_company(all, asked, random)
}

fn by_company(mut months: Vec<Date>, asked: Vec<(String, Timestamp)>, random: &mut Random) -> Vec<Plan> {
    let mut company_of = BTreeMap::new();
    let companies = months.len().div_ceil(MONTHS);
    for number in 0.. {
        if months.is_empty() {
            break;
        }
        company_of.insert(months.swap_remove(random.below(months.len())), number % companies);
    }
    let mut plans = vec![Plan::default(); companies];
    for (name, instant) in asked {
        let plan = &mut plans[company_of[&month(instant)]];
        if plan.focuses.iter().all(|focus| focus.duration_until(instant).abs().as_hours() > 36) {
            plan.focuses.push(instant);
        }
        plan.asked.push((name, instant));
    }
    plans
}

fn month(instant: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(instant).date().first_of_month()
}

fn odd(zones: &Zones) -> Vec<(String, Timestamp)> {
    let mut asked = Vec::new();
    for (name, day) in ODD {
        let day = day.parse::<Date>().unwrap().to_zoned(TimeZone::UTC).unwrap().timestamp();
        let near = |change: &&Timestamp| change.duration_until(day).abs().as_hours() <= 48;
        let change = zones.changes.get(name).and_then(|changes| changes.iter().find(near));
        asked.extend(change.map(|change| (name.to_owned(), *change)));
    }
    asked
}
