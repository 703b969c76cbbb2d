//! The same charts in databases with other numbers of events and of tenants, taking turns.

use anyhow::Result;

use crate::queries::asker::Way;
use crate::queries::place::Place;
use crate::queries::question::{CHARTS, Request};
use crate::queries::race::{self, By, Contestant};
use crate::report::{self, Table, grouped};
use crate::rounds::{Pace, Series};

/// Databases that are held against the first of them.
pub(crate) struct Comparison<'a> {
    pub(crate) title: &'static str,
    pub(crate) aim: &'static str,
    /// What each database is called, and the stores of it that are asked about; as many in each.
    pub(crate) databases: Vec<(String, &'a [Place<'a>])>,
}

/// Measures with one client; answers a section.
pub(crate) async fn compare(comparison: &Comparison<'_>, pace: Pace) -> Result<String> {
    let mut contestants = Vec::new();
    let kinds = comparison.databases.first().map_or(0, |(_, places)| places.len());
    for kind in 0..kinds {
        for chart in CHARTS {
            for (database, places) in &comparison.databases {
                let place = &places[kind];
                let way = Way::Http(vec![Request::new(&chart.query(place)?)?]);
                let events = grouped(place.events as f64);
                let name = format!("{}, a store of {events} of {database}", chart.name());
                contestants.push(Contestant { name, place, by: By::Us(way) });
            }
        }
    }
    let series = race::run(contestants, 1, pace).await?;
    Ok(section(comparison, &series))
}

fn section(comparison: &Comparison<'_>, series: &Series) -> String {
    let databases = comparison.databases.len();
    let against = comparison.databases.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    let head = format!("time against {against}");
    let mut table = Table::new(&["chart", &head, "of it, processor time", "milliseconds"]);
    for (index, name) in series.names.iter().enumerate() {
        let first = index - index % databases;
        table.row(&[
            name.as_str(),
            // Times, so the other way round than rates.
            &report::ratio(series.ratio(first, index)),
            &report::plain_ratio(series.work_ratio(index, first)),
            &report::ratio(series.latency(index, 1)),
        ]);
    }
    format!("### {}\n\n{} Over HTTP with 1 client.\n\n{}", comparison.title, comparison.aim, table.into_text())
}
