//! Fills a database with the past: straight into events and rollups, with the owner's rights.

use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use tally_host::process::capture;
use tally_host::progress::say;

use crate::data::Store;
use crate::ground::Arena;
use crate::writer::connect;

const EVENTS: &str = include_str!("sql/preload_events.sql");
const ROLLUPS: &str = include_str!("sql/preload_rollups.sql");
const PLAIN_TABLES: &str = include_str!("sql/plain_tables.sql");
const EVENTS_PER_ORDER: usize = 4;
/// What an event takes at the most, with its index entries and its part of the rollups.
const BYTES_PER_EVENT: u64 = 950;
/// What the server's log takes, and what is left to others.
const BYTES_OF_LOG: u64 = 5 << 30;
/// Sessions that load side by side.
const LOADERS: usize = 2;
const MONTHS: &str = "select app.ensure_partition((date_trunc('month', now() at time zone 'UTC') - n * interval '1 month')::date) \
                      from generate_series(0, 14) as n";
/// Both grains of the rollups hold all that the events hold.
const UNEQUAL: &str = "select count(*) from (select count(*) as count, sum(value) as sum from public.metric_events) as e, \
     (select grain, sum(count) as count, sum(sum) as sum from public.metric_rollups group by grain) as r \
     where (e.count, e.sum) is distinct from (r.count, r.sum)";

/// Fails unless the disk has room for so many events more, in as many databases as there are numbers.
pub(crate) fn check_room(events: &[usize]) -> Result<()> {
    let needed = events.iter().sum::<usize>() as u64 * BYTES_PER_EVENT + BYTES_OF_LOG;
    let folder = std::env::temp_dir();
    let answer = capture(Command::new("df").arg("-Pk").arg(&folder))?;
    let free = available(&answer).with_context(|| format!("df answered {answer:?}"))?;
    const GIB: u64 = 1 << 30;
    ensure!(
        free >= needed,
        "this takes up to {} GiB in {}, which has {} GiB: ask for fewer events, or set TMPDIR",
        needed.div_ceil(GIB),
        folder.display(),
        free / GIB
    );
    Ok(())
}

/// The bytes that are free, as `df -Pk` tells of one folder.
fn available(answer: &str) -> Option<u64> {
    let kilobytes: u64 = answer.lines().nth(1)?.split_ascii_whitespace().nth(3)?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Loads about so many events, spread over the stores as sales are: the second has half of what the first has, the third a
/// third.
pub(crate) async fn load(arena: &Arena, events: usize) -> Result<()> {
    let start = Instant::now();
    let session = connect(&arena.database_url).await?;
    session.batch_execute(MONTHS).await?;
    let stores: Vec<&Store> = arena.organizations.iter().flat_map(|organization| &organization.stores).collect();
    let mut work: Vec<(&Store, i32, i64)> = Vec::new();
    let mut number = 0;
    for (store, orders) in stores.into_iter().zip(shares(events / EVENTS_PER_ORDER)) {
        work.push((store, orders, number));
        number += i64::from(orders);
    }
    // By store, so that each page of an index is filled once.
    work.sort_by_key(|(store, ..)| (std::cmp::Reverse(store.org_id), std::cmp::Reverse(store.id)));
    let work = Mutex::new(work);
    try_join_all((0..LOADERS).map(|_| load_some(&arena.database_url, &work))).await?;
    let unequal: i64 = session.query_one(UNEQUAL, &[]).await?.get(0);
    ensure!(unequal == 0, "the rollups that were loaded are not those of the events");
    // What autovacuum does in time.
    session.batch_execute("vacuum (analyze)").await?;
    session.batch_execute("checkpoint").await?;
    let size: String =
        session.query_one("select pg_size_pretty(pg_database_size(current_database()))", &[]).await?.get(0);
    say(format!("loaded {events} events in {:.0} s; the database has {size}", start.elapsed().as_secs_f64()));
    Ok(())
}

async fn load_some(database_url: &str, work: &Mutex<Vec<(&Store, i32, i64)>>) -> Result<()> {
    let session = connect(database_url).await?;
    let (events, rollups) = (session.prepare(EVENTS).await?, session.prepare(ROLLUPS).await?);
    let next = || work.lock().ok().and_then(|mut work| work.pop());
    while let Some((store, orders, first)) = next() {
        session.execute(&events, &[&store.org_id, &store.id, &orders, &first]).await.context("the events")?;
        session.execute(&rollups, &[&store.org_id, &store.id]).await.context("the rollups")?;
    }
    Ok(())
}

/// The store that has the nearest to so many events, by its place among all, when `events` are loaded.
pub(crate) fn place_of(events: usize, wanted: usize) -> usize {
    let distance = |orders: i32| (i64::from(orders) * EVENTS_PER_ORDER as i64).abs_diff(wanted as i64);
    let nearest = shares(events / EVENTS_PER_ORDER).enumerate().min_by_key(|(_, orders)| distance(*orders));
    nearest.map_or(0, |(place, _)| place)
}

/// Orders of each store, by the law of Zipf.
fn shares(orders: usize) -> impl Iterator<Item = i32> {
    const STORES: u32 = 1_000;
    let weight = |rank: u32| 1.0 / f64::from(rank);
    let all: f64 = (1..=STORES).map(weight).sum();
    #[expect(clippy::cast_possible_truncation, reason = "a share of a number that is far below")]
    let share = move |rank| (orders as f64 * weight(rank) / all).round().max(1.0) as i32;
    (1..=STORES).map(share)
}

/// Makes the tables without rollups, with the rows that the events have now.
pub(crate) async fn make_plain_tables(arena: &Arena) -> Result<()> {
    let session = connect(&arena.database_url).await?;
    session.batch_execute(PLAIN_TABLES).await?;
    session.batch_execute("vacuum (analyze)").await?;
    Ok(session.batch_execute("checkpoint").await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_on_the_disk_is_read() {
        let answer = "Filesystem 1024-blocks     Used Available Capacity Mounted on\n/dev/vda 263174212 71000000 24000000 76% /\n";
        assert_eq!(available(answer), Some(24_000_000 * 1024));
        assert_eq!(available("df: no such folder"), None);
        check_room(&[1]).unwrap_or_else(|error| assert!(error.to_string().contains("GiB"), "{error}"));
    }

    #[test]
    fn shares_add_up_to_about_all() {
        let shares: Vec<i32> = shares(5_000_000).collect();
        let sum: i32 = shares.iter().sum();
        assert!((4_990_000..5_010_000).contains(&sum), "{sum}");
        assert_eq!(shares.len(), 1_000);
        assert_eq!(shares[0] / shares[9], 10);
    }

    #[test]
    fn a_store_of_some_size_is_found() {
        let events = |total: usize, place| shares(total / 4).nth(place).unwrap() * 4;
        for total in [2_000_000, 20_000_000] {
            assert!((19_000..21_000).contains(&events(total, place_of(total, 20_000))), "{total}");
            assert_eq!(place_of(total, total), 0);
        }
    }
}
