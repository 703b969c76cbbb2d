//! The oracle itself, held against answers that were worked out by hand.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::calendar::{Compared, Edge, Granularity};
use super::check::difference;
use super::company::{Company, Event, METRICS, Metric, Scalar, Store, Unit};
use super::number::Decimal;
use super::oracle::{Refusal, answer};
use super::question::{Fill, Question, Scope, Top};

/// A store in New York and one in Kathmandu.
fn company(events: &[(&str, usize, &str, &str, &str)]) -> Company {
    let store = |id: &str, zone: &str| Store {
        id: id.to_owned(),
        workspace: 0,
        zone_name: zone.to_owned(),
        zone: TimeZone::get(zone).unwrap(),
    };
    let event = |(metric, store, at, value, channel): &(&str, usize, &str, &str, &str)| {
        let (value, currency) =
            value.split_once(' ').map_or((*value, None), |(value, currency)| (value, Some(currency)));
        let metric = Metric::find(metric).unwrap();
        let currency = ["USD", "EUR"].into_iter().find(|code| Some(*code) == currency);
        assert_eq!(METRICS[metric].unit == Unit::Currency, currency.is_some());
        let dimensions = (!channel.is_empty()).then(|| ("channel", Scalar::Text((*channel).to_owned())));
        Event {
            store: *store,
            metric,
            at: at.parse().unwrap(),
            value: Decimal::parse(value).unwrap(),
            currency,
            dimensions: dimensions.into_iter().collect(),
        }
    };
    Company {
        stores: vec![store("a", "America/New_York"), store("b", "Asia/Kathmandu")],
        events: events.iter().map(event).collect(),
        ..Company::default()
    }
}

fn question(metrics: &[&str], from: &str, to: &str) -> Question {
    Question {
        metrics: metrics.iter().map(|key| Metric::find(key).unwrap()).collect(),
        scope: Scope::All,
        from: Edge::Date(from.parse().unwrap()),
        to: Edge::Date(to.parse().unwrap()),
        granularity: Granularity::Day,
        week_start: None,
        zone: "America/New_York".to_owned(),
        currency: None,
        group_by: Vec::new(),
        filter: None,
        top: None,
        order: None,
        fill: Fill::Zero,
        cumulative: false,
        totals: true,
        compare: None,
    }
}

#[track_caller]
fn assert_answer(company: &Company, question: &Question, expected: &Value) {
    let found = answer(company, question).unwrap();
    assert_eq!(difference(question, &found, expected), None);
}

#[test]
fn currencies_are_kept_apart_where_that_is_possible() {
    let company = company(&[
        ("o_revenue", 0, "2026-10-05T10:00:00Z", "3.50 USD", ""),
        ("o_revenue", 0, "2026-10-05T10:00:00Z", "7 EUR", ""),
        ("o_cost", 0, "2026-10-05T11:00:00Z", "1.0 EUR", ""),
        ("o_orders", 0, "2026-10-05T12:00:00Z", "5", ""),
    ]);
    let question = question(&["o_revenue", "o_margin", "o_aov", "o_orders"], "2026-10-05", "2026-10-06");
    let series = |metric, currency: Option<&str>, value: Option<&str>| {
        let unit = if metric == "o_orders" { "count" } else { "currency" };
        json!({"metric": metric, "unit": unit, "currency": currency, "group": {}, "total": value,
               "points": [{"start": "2026-10-05T00:00:00-04:00", "value": value}]})
    };
    let (usd, eur) = (Some("USD"), Some("EUR"));
    let all = [
        series("o_revenue", eur, Some("7")),
        series("o_revenue", usd, Some("3.50")),
        series("o_margin", eur, Some("6.0")),
        series("o_margin", usd, Some("3.50")),
        series("o_aov", eur, None),
        series("o_aov", usd, None),
        series("o_orders", None, Some("1")),
    ];
    assert_answer(&company, &question, &json!({"series": all, "meta": {"source": "rollups"}}));
}

#[test]
fn money_is_converted_at_the_rate_of_its_day_in_the_store() {
    let mut company = company(&[
        ("o_revenue", 0, "2026-10-05T23:30:00Z", "10 EUR", ""),
        // The next day in Kathmandu.
        ("o_revenue", 1, "2026-10-05T23:30:00Z", "10 EUR", ""),
        ("o_orders", 0, "2026-10-05T23:30:00Z", "1", ""),
    ]);
    let rate = |currency, day: &str, rate| ((currency, day.parse().unwrap()), Decimal::parse(rate).unwrap());
    company.rates = BTreeMap::from([
        rate("EUR", "2026-10-05", "1"),
        rate("EUR", "2026-10-06", "3"),
        rate("USD", "2026-10-05", "1.10"),
        rate("USD", "2026-10-06", "4"),
    ]);
    let mut question = question(&["o_revenue", "o_aov"], "2026-10-05", "2026-10-06");
    question.currency = Some("USD");
    let series = |metric, value: &str| {
        json!({"metric": metric, "unit": "currency", "currency": "USD", "group": {}, "total": value,
               "points": [{"start": "2026-10-05T00:00:00-04:00", "value": value}]})
    };
    let all = [series("o_revenue", "24.33333333333333333"), series("o_aov", "24.333333333333")];
    assert_answer(&company, &question, &json!({"series": all, "meta": {"source": "rollups"}}));
}

#[test]
fn the_rest_of_the_groups_is_worked_out_anew() {
    let company = company(&[
        ("o_orders", 0, "2026-10-05T10:00:00Z", "1", "web"),
        ("o_orders", 0, "2026-10-05T10:00:00Z", "1", "web"),
        ("o_orders", 0, "2026-10-05T10:00:00Z", "1", "app"),
        ("o_orders", 0, "2026-10-05T10:00:00Z", "1", ""),
        ("o_units", 0, "2026-10-05T10:00:00Z", "7", "app"),
        ("o_units", 0, "2026-10-05T10:00:00Z", "2", ""),
    ]);
    let mut question = question(&["o_per_order", "o_orders"], "2026-10-05", "2026-10-06");
    question.group_by = vec!["channel"];
    let orders = Metric::find("o_orders");
    question.top = Some(Top { n: 1, by: orders, other: true });
    question.totals = false;
    let series = |metric: &str, other: bool, value: &str| {
        let (unit, group) = (
            if metric == "o_orders" { "count" } else { "ratio" },
            if other { json!({}) } else { json!({"channel": "web"}) },
        );
        json!({"metric": metric, "unit": unit, "currency": null, "group": group, "other": other,
               "points": [{"start": "2026-10-05T00:00:00-04:00", "value": value}]})
    };
    let all = [
        series("o_per_order", false, "0.000000000000"),
        series("o_per_order", true, "4.500000000000"),
        series("o_orders", false, "2"),
        series("o_orders", true, "2"),
    ];
    assert_answer(&company, &question, &json!({"series": all, "meta": {"source": "rollups"}}));
    // Equal ones come by their values.
    question.top = Some(Top { n: 2, by: orders, other: false });
    let found = answer(&company, &question).unwrap();
    assert_eq!(found.series[1].group, Some(vec![Scalar::Null]));
}

#[test]
fn the_second_hour_is_compared_with_a_second_hour() {
    let company = company(&[
        ("o_units", 0, "2026-10-31T05:30:00Z", "2", ""),
        ("o_units", 0, "2026-11-01T05:30:00Z", "3.5", ""),
        ("o_units", 0, "2026-11-01T06:30:00Z", "9", ""),
    ]);
    let mut question = question(&["o_units"], "2026-11-01", "2026-11-02");
    let local = |text: &str| Edge::Local(text.parse().unwrap());
    (question.from, question.to) = (local("2026-11-01T01:00"), local("2026-11-01T02:00"));
    question.granularity = Granularity::Hour;
    question.compare = Some(Compared::Given(local("2026-10-31T01:00"), local("2026-10-31T03:00")));
    let expected = json!({
        "series": [{
            "metric": "o_units", "unit": "count", "currency": null, "group": {}, "total": "12.5",
            "points": [{"start": "2026-11-01T01:00:00-04:00", "value": "3.5"}, {"start": "2026-11-01T01:00:00-05:00", "value": "9"}],
            "comparison": {
                "points": [
                    {"index": 0, "start": "2026-10-31T01:00:00-04:00", "value": "2", "difference": "1.5", "change": "0.75"},
                    {"index": null, "start": "2026-10-31T02:00:00-04:00", "value": "0", "difference": null, "change": null},
                ],
                "total": "2", "difference": "10.5", "change": "5.25",
            },
        }],
        "meta": {"source": "rollups", "compared": {"from": "2026-10-31T01:00:00-04:00", "to": "2026-10-31T03:00:00-04:00"}},
    });
    assert_answer(&company, &question, &expected);
}

#[test]
fn empty_buckets_are_filled_as_asked() {
    let company = company(&[
        ("o_score", 0, "2026-10-05T10:00:00Z", "1", ""),
        ("o_score", 0, "2026-10-05T10:00:00Z", "2", ""),
        ("o_units", 0, "2026-10-06T10:00:00Z", "4", ""),
    ]);
    let mut question = question(&["o_score", "o_units", "o_index"], "2026-10-05", "2026-10-08");
    for (fill, score, units) in [
        (Fill::Zero, [Some("1.500000000000"), None, None], [Some("0"), Some("4"), Some("0")]),
        (Fill::Null, [Some("1.500000000000"), None, None], [None, Some("4"), None]),
        (Fill::Previous, [Some("1.500000000000"); 3], [None, Some("4"), Some("4")]),
    ] {
        question.fill = fill;
        let found = answer(&company, &question).unwrap();
        let values = |series: usize| -> Vec<Option<String>> {
            let points = found.series[series].points.iter();
            points.map(|point| point.value.as_ref().map(|number| number.value.to_string())).collect()
        };
        assert_eq!(values(0), score.map(|value| value.map(str::to_owned)), "{fill:?}");
        assert_eq!(values(1), units.map(|value| value.map(str::to_owned)), "{fill:?}");
    }
    question.cumulative = true;
    question.metrics = vec![Metric::find("o_units").unwrap()];
    question.fill = Fill::Zero;
    let found = answer(&company, &question).unwrap();
    let sums: Vec<String> =
        found.series[0].points.iter().map(|point| point.value.as_ref().unwrap().value.to_string()).collect();
    assert_eq!(sums, ["0", "4", "4"]);
}

#[test]
fn money_of_several_currencies_ranks_nothing() {
    let company = company(&[
        ("o_revenue", 0, "2026-10-05T10:00:00Z", "1 USD", "web"),
        ("o_revenue", 0, "2026-10-05T10:00:00Z", "1 EUR", "app"),
    ]);
    let mut question = question(&["o_revenue"], "2026-10-05", "2026-10-06");
    question.group_by = vec!["channel"];
    question.top = Some(Top { n: 1, by: None, other: false });
    assert_eq!(answer(&company, &question).err(), Some(Refusal::SeveralCurrencies));
}
