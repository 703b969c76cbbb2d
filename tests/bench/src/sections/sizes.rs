//! Batches of every size over HTTP.

use anyhow::Result;

use crate::data::{Shape, Supply};
use crate::ground::Arena;
use crate::report::{self, Table, grouped};
use crate::rounds::{self, Group, Pace};
use crate::writer::{Expected, Way};

const SIZES: [usize; 5] = [1, 10, 100, 1_000, 5_000];
/// What the others are held against.
const USUAL: usize = 3;
const SEED: u64 = 3;

/// Measures each size; answers a section.
pub(crate) async fn measure(arena: &Arena, clients: usize, pace: Pace) -> Result<String> {
    let groups = SIZES.map(|batch| Group {
        arena,
        supply: Supply::new(&arena.organizations, SEED),
        shape: Shape::Live,
        batch,
        contestants: vec![(grouped(batch as f64), Way::Http(Expected::New))],
    });
    let series = rounds::run(groups.into(), clients, pace).await?;
    series.tell("batches of");
    let mut table = Table::new(&["events a batch", "against 1,000", "rows a second", "requests a second"]);
    for (index, name) in series.names.iter().enumerate() {
        let requests = series.rate(index).map(|rate| rate.median / SIZES[index] as f64);
        table.row(&[
            name,
            &report::ratio(series.ratio(index, USUAL)),
            &report::rate(series.rate(index)),
            &requests.map_or_else(String::new, |requests| format!("{requests:.1}")),
        ]);
    }
    Ok(format!(
        "### Batches of other sizes\n\nWith {clients} clients, events of one store a batch.\n\n{}\n{}",
        table.into_text(),
        report::shares(&series)
    ))
}
