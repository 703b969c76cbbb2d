//! Charts from rollups against the same from events.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::Value;

use super::name;
use crate::queries::asker::{Way, ask_service};
use crate::queries::place::Place;
use crate::queries::question::{CHARTS, Chart, Request};
use crate::queries::race::{self, By, Contestant};
use crate::report::{self, Table, grouped};
use crate::rounds::{Pace, Series};
use crate::writer::connect;

/// Contestants of a chart.
const WAYS: usize = 4;

/// Measures each chart of each store with one client; answers a section.
pub(crate) async fn compare(places: &[Place<'_>], pace: Pace) -> Result<String> {
    let mut contestants = Vec::new();
    let mut charts = Vec::new();
    for place in places {
        for chart in CHARTS {
            let label = format!("{}, {}", chart.name(), name(place));
            charts.push((label.clone(), same_numbers(chart, place).await.with_context(|| label.clone())?));
            let request = Request::new(&chart.query(place)?)?;
            let ways = [
                ("events", Way::Events(chart.sql(place)?)),
                ("scan", Way::Scan(chart.sql(place)?)),
                ("statement", Way::Statement(vec![request.clone()])),
                ("HTTP", Way::Http(vec![request])),
            ];
            contestants.extend(ways.map(|(way, by)| Contestant {
                name: format!("{label}: {way}"),
                place,
                by: By::Us(by),
            }));
        }
    }
    Ok(section(&charts, &race::run(contestants, 1, pace).await?))
}

fn section(charts: &[(String, i64)], series: &Series) -> String {
    let head =
        ["HTTP, how many times faster than", "events in it", "events without the index", "events with the index"];
    let mut ratios = Table::new(&head);
    let mut bare = Table::new(&["statement, how many times faster than", head[1], head[2], head[3]]);
    let mut times = Table::new(&["milliseconds", head[2], head[3], "statement", "HTTP"]);
    for (index, (label, events)) in charts.iter().enumerate() {
        let first = WAYS * index;
        let events = grouped(*events as f64);
        let faster = |way: usize, other: usize| report::ratio(series.ratio(first + way, first + other));
        ratios.row(&[label, &events, &faster(3, 1), &faster(3, 0)]);
        bare.row(&[label, &events, &faster(2, 1), &faster(2, 0)]);
        let time = |way: usize| report::ratio(series.latency(first + way, 1));
        times.row(&[label, &time(1), &time(0), &time(2), &time(3)]);
    }
    format!(
        "### Charts against events in SQL\n\nThe aim: at least 100 times faster. With 1 client.\n\n{}\n{}\n{}",
        ratios.into_text(),
        bare.into_text(),
        times.into_text()
    )
}

/// Makes sure that both ways come to the same numbers; answers how many events are in them.
async fn same_numbers(chart: Chart, place: &Place<'_>) -> Result<i64> {
    let session = connect(&place.arena.database_url).await?;
    let sql = chart.sql(place)?;
    let rows = session.query(&sql, &[]).await?;
    let from_events: BTreeMap<String, i64> = rows
        .iter()
        .map(|row| Ok((row.get::<_, String>(0).replace(' ', "T"), cents(row.get(1))?)))
        .collect::<Result<_>>()?;
    let count =
        format!("select sum(count)::bigint from ({}) as t", sql.replace("sum(e.value)::text as revenue", "count(*)"));
    let count = session.query_one(&count, &[]).await?.get(0);

    let (url, body) = (format!("{}/v1/query", place.arena.base_url()), Request::new(&chart.query(place)?)?.body);
    let answer: Value = serde_json::from_slice(&ask_service(&Client::new(), &url, &place.api_key, body).await?)?;
    let answered = points(&answer)?;
    ensure!(
        from_events == answered,
        "events and rollups have {} and {} buckets with revenue, and differ",
        from_events.len(),
        answered.len()
    );
    Ok(count)
}

/// The points that are not empty, by local time: an hour that the clock has twice is one, as it is to `date_trunc`.
fn points(answer: &Value) -> Result<BTreeMap<String, i64>> {
    let mut points = BTreeMap::new();
    for point in answer["series"][0]["points"].as_array().context("no points")? {
        let start = point["start"].as_str().and_then(|start| start.get(..19)).context("no start")?;
        let value = cents(point["value"].as_str().context("no value")?)?;
        if value != 0 {
            *points.entry(start.to_owned()).or_default() += value;
        }
    }
    Ok(points)
}

fn cents(decimal: &str) -> Result<i64> {
    let (whole, places) = decimal.split_once('.').unwrap_or((decimal, "0"));
    ensure!(places.len() <= 2, "{decimal} is no money");
    Ok(whole.parse::<i64>()? * 100 + format!("{places:0<2}").parse::<i64>()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_is_read_exactly() {
        let read = ["0", "12.3", "12.30", "7.05"].map(|decimal| cents(decimal).unwrap());
        assert_eq!(read, [0, 1_230, 1_230, 705]);
        assert!(cents("1.005").is_err());
        assert!(cents("a").is_err());
    }

    #[test]
    fn an_hour_that_comes_twice_is_one() {
        let point = |start: &str, value: &str| json!({"start": start, "value": value});
        let answer = json!({"series": [{"points": [
            point("2026-11-01T00:00:00-04:00", "0"),
            point("2026-11-01T01:00:00-04:00", "1.50"),
            point("2026-11-01T01:00:00-05:00", "2"),
        ]}]});
        assert_eq!(points(&answer).unwrap(), BTreeMap::from([("2026-11-01T01:00:00".to_owned(), 350)]));
        assert!(points(&json!({})).is_err());
    }
}
