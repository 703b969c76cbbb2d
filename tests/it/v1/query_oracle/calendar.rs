//! Buckets by the clock of a zone, and the ranges that are compared with.
//!
//! Buckets stand on one rule: what begins at a local time begins at the first instant at which the clock shows that time or
//! a later one. So a midnight that comes twice is the first, one that is skipped is the change of the clock, and a day that
//! is left out begins when the next one does: it has no bucket. Ranges follow it too, but for a time that is left out, which
//! is as much later as the clock is put forward.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granularity {
    None,
    Quarters,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Granularity {
    pub(super) const ALL: [Self; 8] =
        [Self::None, Self::Quarters, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarters => "15m",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// Where a range begins or ends, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Edge {
    Date(Date),
    Local(DateTime),
    Instant(Timestamp),
}

impl Edge {
    pub(super) fn instant(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Date(date) => meant(zone, date.to_datetime(Time::midnight())),
            Self::Local(local) => meant(zone, local),
            Self::Instant(instant) => instant,
        }
    }

    /// What the clock shows there, or was asked to.
    fn local(self, zone: &TimeZone) -> DateTime {
        match self {
            Self::Date(date) => date.to_datetime(Time::midnight()),
            Self::Local(local) => local,
            Self::Instant(instant) => zone.to_datetime(instant),
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Local(local) => local.to_string(),
            Self::Instant(instant) => instant.to_string(),
        }
    }
}

/// Instants from the first, without the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// Which range an answer is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Compared {
    PreviousPeriod,
    PreviousYear,
    PreviousYearByWeekday,
    Given(Edge, Edge),
}

impl Compared {
    pub(super) fn range(self, from: Edge, to: Edge, zone: &TimeZone) -> Range {
        let (start, end) = (from.local(zone), to.local(zone));
        let at = |local: DateTime| meant(zone, local);
        match self {
            Self::PreviousPeriod => {
                let range = Range { from: from.instant(zone), to: to.instant(zone) };
                Range { from: previous_period(start, end, range, zone), to: range.from }
            }
            Self::PreviousYear => {
                // All of 28 February is in it, of which other years have no more.
                let is_cut = end.month() == 2 && end.day() == 29 && start.date() < end.date();
                let to = if is_cut {
                    Date::new(end.year() - 1, 3, 1).unwrap().to_datetime(Time::midnight())
                } else {
                    end - 1.year()
                };
                Range { from: at(start - 1.year()), to: at(to) }
            }
            Self::PreviousYearByWeekday => Range { from: at(start - 364.days()), to: at(end - 364.days()) },
            Self::Given(from, to) => Range { from: from.instant(zone), to: to.instant(zone) },
        }
    }
}

fn previous_period(start: DateTime, end: DateTime, range: Range, zone: &TimeZone) -> Timestamp {
    let are = |is: fn(DateTime) -> bool| is(start) && is(end);
    if are(|local| local.time() == Time::midnight() && local.day() == 1) {
        let months = |local: DateTime| i32::from(local.year()) * 12 + i32::from(local.month());
        return meant(zone, start - (months(end) - months(start)).months());
    }
    if are(|local| local.time() == Time::midnight()) {
        return meant(zone, start - (end.date() - start.date()).get_days().days());
    }
    range.from - range.from.duration_until(range.to)
}

/// The instant that is meant by a local time.
fn meant(zone: &TimeZone, local: DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Gap { before, .. } => before.to_timestamp(local).unwrap(),
        _ => first_instant(zone, local),
    }
}

/// The first instant at which the clock shows this or a later time.
fn first_instant(zone: &TimeZone, local: DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).unwrap(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).unwrap(),
        AmbiguousOffset::Gap { before, .. } => {
            let beyond = before.to_timestamp(local).unwrap() + 1.second();
            zone.preceding(beyond).next().unwrap().timestamp()
        }
    }
}

/// When the clock was changed in a range: neither at its start nor only in name.
pub(super) fn changes(zone: &TimeZone, range: Range) -> Vec<Timestamp> {
    let within = zone.following(range.from).map(|change| change.timestamp()).take_while(|change| *change < range.to);
    within.filter(|change| zone.to_offset(*change) != zone.to_offset(*change - 1.second())).collect()
}

/// Where the buckets of a range begin.
pub(super) fn buckets(zone: &TimeZone, range: Range, granularity: Granularity, week_start: Weekday) -> Vec<Timestamp> {
    let step = match granularity {
        Granularity::None => return vec![range.from],
        Granularity::Quarters => Some(15 * 60),
        Granularity::Hour => Some(60 * 60),
        _ => None,
    };
    let mut starts = vec![range.from];
    match step {
        Some(step) => by_the_clock(zone, range, step, &mut starts),
        None => by_the_calendar(zone, range, granularity, week_start, &mut starts),
    }
    starts
}

fn by_the_clock(zone: &TimeZone, range: Range, step: i64, starts: &mut Vec<Timestamp>) {
    let changes = changes(zone, range);
    for (index, start) in [range.from].iter().chain(&changes).enumerate() {
        let end = *changes.get(index).unwrap_or(&range.to);
        let offset = i64::from(zone.to_offset(*start).seconds());
        if index > 0 {
            starts.push(*start);
        }
        let mut next = (start.as_second() + offset).div_euclid(step) * step - offset;
        while next < end.as_second() {
            if next > start.as_second() {
                starts.push(Timestamp::from_second(next).unwrap());
            }
            next += step;
        }
    }
}

fn by_the_calendar(
    zone: &TimeZone,
    range: Range,
    granularity: Granularity,
    week_start: Weekday,
    starts: &mut Vec<Timestamp>,
) {
    // Two days early, since a clock that is put back shows a date again.
    let date = zone.to_datetime(range.from).date() - 2.days();
    let mut date = match granularity {
        Granularity::Week => date - i32::from(date.weekday().since(week_start)).days(),
        Granularity::Month => date.first_of_month(),
        Granularity::Quarter => date.with().month((date.month() - 1) / 3 * 3 + 1).day(1).build().unwrap(),
        Granularity::Year => date.first_of_year(),
        _ => date,
    };
    let step = match granularity {
        Granularity::Week => 1.week(),
        Granularity::Month => 1.month(),
        Granularity::Quarter => 3.months(),
        Granularity::Year => 1.year(),
        _ => 1.day(),
    };
    loop {
        let start = first_instant(zone, date.to_datetime(Time::midnight()));
        if start >= range.to {
            return;
        }
        if start > *starts.last().unwrap() {
            starts.push(start);
        }
        date += step;
    }
}

/// By what a bucket finds its counterpart in the range compared with: its number, or, where a clock may leave some out, how
/// far it is from where it was at the start, and the how manieth time that it shows this.
pub(super) fn places(zone: &TimeZone, starts: &[Timestamp], granularity: Granularity) -> Vec<(i64, usize)> {
    // What a change or the range cut off of an hour is still this hour.
    let shown = |instant: Timestamp, seconds: i64| {
        let local = zone.to_datetime(instant);
        let second = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60;
        local.date().duration_since(Date::ZERO).as_secs() + second / seconds * seconds
    };
    let mut places: Vec<(i64, usize)> = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let far = |seconds: i64| shown(*start, seconds) - shown(starts[0], seconds);
        let far = match granularity {
            Granularity::Quarters => far(15 * 60),
            Granularity::Hour => far(60 * 60),
            Granularity::Day => far(24 * 60 * 60),
            _ => i64::try_from(index).unwrap(),
        };
        // A clock is put back by less than two days.
        let before = &places[index.saturating_sub(200)..];
        places.push((far, before.iter().filter(|place| place.0 == far).count()));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(zone: &str, from: &str, to: &str, granularity: Granularity) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let edge = |text: &str| Edge::Local(text.parse().unwrap()).instant(&zone);
        let starts = buckets(&zone, Range { from: edge(from), to: edge(to) }, granularity, Weekday::Monday);
        starts.iter().map(|start| start.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M%:z").to_string()).collect()
    }

    #[test]
    fn days_begin_when_the_clock_first_shows_them() {
        for (zone, from, to, starts) in [
            (
                "Asia/Beirut",
                "2026-03-28T00:00",
                "2026-03-30T00:00",
                ["2026-03-28T00:00+02:00", "2026-03-29T01:00+03:00"],
            ),
            (
                "Pacific/Apia",
                "2011-12-29T00:00",
                "2012-01-01T00:00",
                ["2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00"],
            ),
            (
                "Pacific/Kwajalein",
                "1993-08-20T00:00",
                "1993-08-23T00:00",
                ["1993-08-20T00:00-12:00", "1993-08-22T00:00+12:00"],
            ),
            (
                "America/Havana",
                "2026-11-01T00:00",
                "2026-11-03T00:00",
                ["2026-11-01T00:00-04:00", "2026-11-02T00:00-05:00"],
            ),
            // The clock goes from 00:01 back to 23:01.
            (
                "America/St_Johns",
                "2010-11-06T00:00",
                "2010-11-08T00:00",
                ["2010-11-06T00:00-02:30", "2010-11-07T00:00-02:30"],
            ),
        ] {
            assert_eq!(shown(zone, from, to, Granularity::Day), starts, "{zone}");
        }
    }

    #[test]
    fn hours_begin_whenever_the_clock_shows_a_full_one_or_is_changed() {
        for (zone, from, to, starts) in [
            (
                "America/New_York",
                "2026-11-01T00:30",
                "2026-11-01T03:00",
                &[
                    "2026-11-01T00:30-04:00",
                    "2026-11-01T01:00-04:00",
                    "2026-11-01T01:00-05:00",
                    "2026-11-01T02:00-05:00",
                ][..],
            ),
            (
                "America/New_York",
                "2026-03-08T01:00",
                "2026-03-08T04:00",
                &["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00"],
            ),
            (
                "Australia/Lord_Howe",
                "2026-04-05T01:00",
                "2026-04-05T03:00",
                &["2026-04-05T01:00+11:00", "2026-04-05T01:30+10:30", "2026-04-05T02:00+10:30"],
            ),
            (
                "Australia/Lord_Howe",
                "2026-10-04T01:00",
                "2026-10-04T04:00",
                &["2026-10-04T01:00+10:30", "2026-10-04T02:30+11:00", "2026-10-04T03:00+11:00"],
            ),
            ("Asia/Kathmandu", "2026-10-04T01:00", "2026-10-04T02:00", &["2026-10-04T01:00+05:45"]),
        ] {
            assert_eq!(shown(zone, from, to, Granularity::Hour), starts, "{zone}");
        }
    }

    #[test]
    fn weeks_quarters_and_years_are_cut_by_the_range() {
        let zone = TimeZone::UTC;
        let range =
            Range { from: "2026-09-30T00:00:00Z".parse().unwrap(), to: "2027-02-01T00:00:00Z".parse().unwrap() };
        for (granularity, starts) in [
            (Granularity::Quarter, &["2026-09-30", "2026-10-01", "2027-01-01"][..]),
            (Granularity::Year, &["2026-09-30", "2027-01-01"]),
            (Granularity::None, &["2026-09-30"]),
        ] {
            let found = buckets(&zone, range, granularity, Weekday::Monday);
            let found: Vec<String> = found.iter().map(|start| start.to_string()[..10].to_owned()).collect();
            assert_eq!(found, starts);
        }
        let sundays = buckets(&zone, range, Granularity::Week, Weekday::Sunday);
        assert_eq!(sundays[1].to_string(), "2026-10-04T00:00:00Z");
    }

    #[test]
    fn ranges_begin_with_the_first_of_two_times_and_after_one_that_is_left_out() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (local, instant) in [
            ("2026-11-01T01:30", "2026-11-01T05:30:00Z"),
            ("2026-03-08T02:30", "2026-03-08T07:30:00Z"),
            ("2026-03-08T03:00", "2026-03-08T07:00:00Z"),
        ] {
            assert_eq!(Edge::Local(local.parse().unwrap()).instant(&zone).to_string(), instant);
        }
    }

    #[test]
    fn previous_periods_are_months_days_or_time() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let edge = |text: &str| Edge::Local(text.parse().unwrap());
        for (compared, from, to, before) in [
            (Compared::PreviousPeriod, "2026-03-01T00:00", "2026-05-01T00:00", "2026-01-01T05:00:00Z"),
            (Compared::PreviousPeriod, "2026-03-09T00:00", "2026-03-10T00:00", "2026-03-08T05:00:00Z"),
            (Compared::PreviousPeriod, "2026-03-08T12:00", "2026-03-09T12:00", "2026-03-07T16:00:00Z"),
            (Compared::PreviousYear, "2028-02-29T00:00", "2028-03-01T00:00", "2027-02-28T05:00:00Z"),
            (Compared::PreviousYearByWeekday, "2026-10-05T00:00", "2026-10-06T00:00", "2025-10-06T04:00:00Z"),
        ] {
            assert_eq!(compared.range(edge(from), edge(to), &zone).from.to_string(), before, "{from}");
        }
        for (from, to, before) in [
            ("2028-02-01T00:00", "2028-02-29T00:00", "2027-03-01T05:00:00Z"),
            ("2028-02-28T13:00", "2028-02-29T12:00", "2027-03-01T05:00:00Z"),
            ("2028-02-29T06:00", "2028-02-29T12:00", "2027-02-28T17:00:00Z"),
            ("2028-02-01T00:00", "2028-03-01T00:00", "2027-03-01T05:00:00Z"),
        ] {
            let range = Compared::PreviousYear.range(edge(from), edge(to), &zone);
            assert_eq!(range.to.to_string(), before, "{from}");
        }
    }

    #[test]
    fn the_second_hour_has_its_own_place() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let range = Range {
            from: Edge::Local("2026-11-01T00:00".parse().unwrap()).instant(&zone),
            to: Edge::Local("2026-11-01T03:00".parse().unwrap()).instant(&zone),
        };
        let starts = buckets(&zone, range, Granularity::Hour, Weekday::Monday);
        assert_eq!(places(&zone, &starts, Granularity::Hour), [(0, 0), (3600, 0), (3600, 1), (7200, 0)]);
    }

    #[test]
    fn hours_that_are_cut_and_days_that_are_left_out_keep_the_places() {
        let zone = TimeZone::get("Asia/Kathmandu").unwrap();
        let edge = |text: &str| Edge::Local(text.parse().unwrap()).instant(&zone);
        // From 00:00 on to 00:15.
        let range = Range { from: edge("1985-12-31T22:45"), to: edge("1986-01-01T02:00") };
        let starts = buckets(&zone, range, Granularity::Hour, Weekday::Monday);
        assert_eq!(starts[2].to_zoned(zone.clone()).time().to_string(), "00:15:00");
        assert_eq!(places(&zone, &starts, Granularity::Hour), [(0, 0), (3600, 0), (7200, 0), (10800, 0)]);

        let zone = TimeZone::get("Pacific/Apia").unwrap();
        let edge = |text: &str| Edge::Date(text.parse().unwrap()).instant(&zone);
        let range = Range { from: edge("2011-12-29"), to: edge("2012-01-01") };
        let starts = buckets(&zone, range, Granularity::Day, Weekday::Monday);
        assert_eq!(places(&zone, &starts, Granularity::Day), [(0, 0), (2 * 86400, 0)]);
    }
}
