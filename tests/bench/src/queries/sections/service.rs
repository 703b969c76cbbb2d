//! Charts through HTTP and wasm against the bare statement, with several clients.

use std::path::Path;

use anyhow::Result;

use super::name;
use crate::queries::asker::Way;
use crate::queries::place::Place;
use crate::queries::question::{CHARTS, Request};
use crate::queries::race::{self, By, Contestant};
use crate::report::{self, Table};
use crate::rounds::{Pace, Series};

/// Contestants of a chart: HTTP, our own loop and, where it is installed, pgbench.
const HTTP: usize = 0;
const LOOP: usize = 1;
const PGBENCH: usize = 2;

/// Measures with each number of clients; answers a section.
pub(crate) async fn compare(
    place: &Place<'_>,
    pgbench: Option<&Path>,
    clients: &[usize],
    pace: Pace,
) -> Result<String> {
    let mut all = Vec::new();
    for clients in clients {
        let series = race::run(contestants(place, pgbench)?, *clients, pace).await?;
        all.push((*clients, series));
    }
    Ok(section(place, pgbench.is_some(), &all))
}

fn contestants<'a>(place: &'a Place<'a>, pgbench: Option<&Path>) -> Result<Vec<Contestant<'a>>> {
    let mut contestants = Vec::new();
    for chart in CHARTS {
        let request = Request::new(&chart.query(place)?)?;
        let mut ways = vec![
            ("HTTP", By::Us(Way::Http(vec![request.clone()]))),
            ("statement", By::Us(Way::Statement(vec![request.clone()]))),
        ];
        ways.extend(pgbench.map(|program| ("pgbench", By::Pgbench(program.to_owned(), request))));
        let contestant = |(way, by)| Contestant { name: format!("{}: {way}", chart.name()), place, by };
        contestants.extend(ways.into_iter().map(contestant));
    }
    Ok(contestants)
}

fn section(place: &Place<'_>, has_pgbench: bool, all: &[(usize, Series)]) -> String {
    let (bare, ways) = if has_pgbench { (PGBENCH, PGBENCH + 1) } else { (LOOP, LOOP + 1) };
    let charts = CHARTS.map(|chart| chart.name());
    let mut ratios = Table::new(&["time of HTTP / statement", charts[0], charts[1]]);
    let mut work = Table::new(&["processor time of HTTP / statement", charts[0], charts[1]]);
    for (clients, series) in all {
        let clients = report::clients(*clients);
        let time = |chart: usize| report::ratio(series.ratio(ways * chart + bare, ways * chart + HTTP));
        ratios.row(&[&clients, &time(0), &time(1)]);
        let work_ratio =
            |chart: usize| report::plain_ratio(series.work_ratio(ways * chart + HTTP, ways * chart + LOOP));
        work.row(&[&clients, &work_ratio(0), &work_ratio(1)]);
    }
    let mut head = vec!["milliseconds".to_owned()];
    head.extend(all.iter().map(|(clients, _)| report::clients(*clients)));
    let mut times = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    let names = all.first().map(|(_, series)| series.names.clone()).unwrap_or_default();
    for (index, name) in names.into_iter().enumerate() {
        let row = all.iter().map(|(clients, series)| report::ratio(series.latency(index, *clients)));
        times.row(&[name].into_iter().chain(row).collect::<Vec<_>>());
    }
    let shares: Vec<String> = all
        .iter()
        .map(|(clients, series)| format!("With {}:\n\n{}", report::clients(*clients), shares(series)))
        .collect();
    let from = if has_pgbench { "pgbench" } else { "a loop of our own, as there is no pgbench here" };
    format!(
        "### Through HTTP and WebAssembly\n\nThe aim: at most twice the time of the bare statement at the same concurrency. Of {}; \
         the statement by {from}.\n\n{}\n{}\n{}\n{}",
        name(place),
        ratios.into_text(),
        work.into_text(),
        times.into_text(),
        shares.join("\n")
    )
}

/// Where the processor time of a request went; pgbench's sessions are new each turn, so theirs is not told.
fn shares(series: &Series) -> String {
    let mut table = Table::new(&["ms of processor time a request", "Postgres", "host", "generator", "processors busy"]);
    for (index, name) in series.names.iter().enumerate() {
        if let Some(share) = series.share(index) {
            let part = |micros: f64| format!("{:.2}", micros / 1e3);
            let row = share.row;
            let busy = format!("{:.2}", share.busy);
            table.row(&[name, &part(row.postgres), &part(row.host), &part(row.generator), &busy]);
        }
    }
    table.into_text()
}
