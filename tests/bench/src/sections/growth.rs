//! What a row costs in tables of different sizes: one database each, taking turns.

use anyhow::Result;

use crate::data::{Shape, Supply};
use crate::ground::{Arena, Ground};
use crate::preload;
use crate::report::{self, Table};
use crate::rounds::{self, Group, Pace, Series};
use crate::writer::{Expected, Way};

const BATCH: usize = 1_000;
const SEED: u64 = 5;
const SHAPES: [Shape; 2] = [Shape::Live, Shape::Mixed];

/// Loads a database of each size (millions of events) and measures them; answers a section.
pub(crate) async fn measure(ground: &Ground, millions: &[f64], clients: usize, pace: Pace) -> Result<String> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of rows")]
    let rows: Vec<usize> = millions.iter().map(|size| (size * 1e6) as usize).collect();
    preload::check_room(&rows)?;
    let mut arenas = Vec::new();
    let outcome = async {
        for (size, rows) in millions.iter().zip(&rows) {
            let arena = ground.arena(&format!("rows_{size}m")).await?;
            let loaded = preload::load(&arena, *rows).await;
            arenas.push(arena);
            loaded?;
        }
        race(&arenas, millions, clients, pace).await
    }
    .await;
    for arena in arenas {
        arena.close().await?;
    }
    for size in millions {
        ground.drop_database(&format!("rows_{size}m")).await?;
    }
    Ok(section(&outcome?, millions, clients))
}

async fn race(arenas: &[Arena], millions: &[f64], clients: usize, pace: Pace) -> Result<Series> {
    let groups = SHAPES.iter().flat_map(|shape| arenas.iter().zip(millions).map(|(arena, size)| (*shape, arena, size)));
    let groups = groups.map(|(shape, arena, size)| Group {
        arena,
        supply: Supply::new(&arena.organizations, SEED),
        shape,
        batch: BATCH,
        contestants: vec![(format!("{size} million, {}", shape.name()), Way::Http(Expected::New))],
    });
    let series = rounds::run(groups.collect(), clients, pace).await?;
    series.tell("in a table of");
    Ok(series)
}

fn section(series: &Series, millions: &[f64], clients: usize) -> String {
    let smallest = millions.first().copied().unwrap_or_default();
    let against = format!("cost of a row against {smallest} million");
    let mut table = Table::new(&["events in the table", &against, "of it, processor time", "rows a second"]);
    for (index, name) in series.names.iter().enumerate() {
        let first = index - index % millions.len();
        table.row(&[
            name.as_str(),
            // The cost is the time, so the other way round than the rates.
            &report::ratio(series.ratio(first, index)),
            &report::plain_ratio(series.work_ratio(index, first)),
            &report::rate(series.rate(index)),
        ]);
    }
    format!(
        "### As the table grows\n\nThe aim: from 1 to 20 million events the cost of a row stays within 20 %. With {clients} \
         clients, batches of 1,000.\n\n{}\n{}",
        table.into_text(),
        report::shares(series)
    )
}
