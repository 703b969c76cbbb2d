//! Batches over HTTP against `COPY` and against single inserts of the same rows; and events sent again.

use anyhow::Result;

use crate::data::{Shape, Supply};
use crate::ground::Arena;
use crate::report::{self, Table};
use crate::rounds::{self, Group, Pace, Series};
use crate::writer::{Expected, Way};

const BATCH: usize = 1_000;
const SEED: u64 = 1;

/// Measures with each number of clients; answers a section.
pub(crate) async fn compare(arena: &Arena, clients: &[usize], pace: Pace) -> Result<String> {
    let mut all = Vec::new();
    for clients in clients {
        let series = rounds::run(groups(arena), *clients, pace).await?;
        series.tell(&report::clients(*clients));
        all.push((*clients, series));
    }
    Ok(section(&all))
}

fn groups(arena: &Arena) -> Vec<Group<'_>> {
    let http = Way::Http(Expected::New);
    let group = |shape: Shape, ways: &[(&str, Way)]| Group {
        arena,
        supply: Supply::new(&arena.organizations, SEED),
        shape,
        batch: BATCH,
        contestants: ways.iter().map(|(name, way)| (format!("{name}, {}", shape.name()), *way)).collect(),
    };
    vec![
        group(Shape::Live, &[("HTTP", http), ("COPY", Way::Copy), ("INSERT", Way::Insert)]),
        group(Shape::Mixed, &[("HTTP", http), ("COPY", Way::Copy)]),
    ]
}

fn section(all: &[(usize, Series)]) -> String {
    let mut ratios =
        Table::new(&["rows a second", "HTTP / COPY, one store", "HTTP / COPY, 50 stores", "HTTP / INSERT"]);
    let mut work =
        Table::new(&["processor time a row", "HTTP / COPY, one store", "HTTP / COPY, 50 stores", "INSERT / HTTP"]);
    for (clients, series) in all {
        let clients = report::clients(*clients);
        let ratio = |one, other| report::ratio(series.ratio(one, other));
        ratios.row(&[&clients, &ratio(0, 1), &ratio(3, 4), &ratio(0, 2)]);
        let ratio = |one, other| report::plain_ratio(series.work_ratio(one, other));
        work.row(&[&clients, &ratio(0, 1), &ratio(3, 4), &ratio(2, 0)]);
    }
    let mut head = vec!["rows a second".to_owned()];
    head.extend(all.iter().map(|(clients, _)| report::clients(*clients)));
    let mut rates = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    let names = all.first().map(|(_, series)| series.names.clone()).unwrap_or_default();
    for (index, name) in names.into_iter().enumerate() {
        let row = all.iter().map(|(_, series)| report::rate(series.rate(index)));
        rates.row(&[name].into_iter().chain(row).collect::<Vec<_>>());
    }
    let shares: Vec<String> = all
        .iter()
        .map(|(clients, series)| format!("With {}:\n\n{}", report::clients(*clients), report::shares(series)))
        .collect();
    format!(
        "### Batches of 1,000 events\n\nThe aims: at least half of `COPY`, at least five times single inserts.\n\n{}\n{}\n{}\n{}",
        ratios.into_text(),
        work.into_text(),
        rates.into_text(),
        shares.join("\n")
    )
}

/// Measures the same events new, again, and again with other values; answers a section.
pub(crate) async fn repeat(arena: &Arena, clients: usize, pace: Pace) -> Result<String> {
    let contestants = [("new", Expected::New), ("again", Expected::Duplicates), ("changed", Expected::Replaced)];
    let group = Group {
        arena,
        supply: Supply::new(&arena.organizations, SEED + 1),
        shape: Shape::Live,
        batch: BATCH,
        contestants: contestants.map(|(name, expected)| (name.to_owned(), Way::Http(expected))).into(),
    };
    let series = rounds::run(vec![group], clients, pace).await?;
    series.tell("the same events");
    let mut table = Table::new(&["the same 1,000 events", "against new ones", "rows a second"]);
    for (index, name) in series.names.iter().enumerate() {
        table.row(&[name, &report::ratio(series.ratio(index, 0)), &report::rate(series.rate(index))]);
    }
    Ok(format!(
        "### Sent again\n\nWith {clients} clients; `changed` are other values with `on_conflict=replace`.\n\n{}\n{}",
        table.into_text(),
        report::shares(&series)
    ))
}
