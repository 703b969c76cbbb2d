//! The zones that the database knows, and when their clocks are changed.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use sqlx::PgConnection;

use super::calendar::{Range, changes};

/// From when to when zones are tried.
const FIRST: &str = "1970-01-01T00:00:00Z";
const LAST: &str = "2037-01-01T00:00:00Z";

/// As a setting of the session, a name is a zone's; `at time zone` takes CET, EET, MET and WET for offsets that never change.
const OFFSETS: &str = "
    select array_agg(extract(timezone from to_timestamp(e.second))::bigint order by e.place)
    from unnest($1::bigint[]) with ordinality as e(second, place)";

#[derive(Debug, Default)]
pub(super) struct Zones {
    /// When the clock of each is changed.
    pub(super) changes: BTreeMap<String, Vec<Timestamp>>,
    /// Those that this process does not know, or of which it knows something else than the database.
    pub(super) left_out: Vec<String>,
}

impl Zones {
    /// All zones of the database.
    pub(super) async fn of(database: &mut PgConnection) -> Self {
        let names: Vec<String> = sqlx::query_scalar("select name from app.time_zones order by name collate \"C\"")
            .fetch_all(&mut *database)
            .await
            .unwrap();
        let mut zones = Self::default();
        for name in names {
            let changes = match TimeZone::get(&name) {
                Ok(zone) => agreed_changes(database, &name, &zone).await,
                Err(_) => None,
            };
            match changes {
                Some(changes) => drop(zones.changes.insert(name, changes)),
                None => zones.left_out.push(name),
            }
        }
        zones
    }
}

/// The changes of a zone, if the database sees them at the same instants, and no others.
async fn agreed_changes(database: &mut PgConnection, name: &str, zone: &TimeZone) -> Option<Vec<Timestamp>> {
    let range = Range { from: FIRST.parse().unwrap(), to: LAST.parse().unwrap() };
    let changes = changes(zone, range);
    let around = changes.iter().flat_map(|change| [*change - 1.second(), *change]);
    let weeks = (0..).map(|week| range.from + (week * 7 * 24).hours()).take_while(|instant| *instant < range.to);
    let instants: Vec<Timestamp> = around.chain(weeks).collect();
    let seconds: Vec<i64> = instants.iter().map(|instant| instant.as_second()).collect();
    let set = "select set_config('TimeZone', $1, false)";
    sqlx::query(set).bind(name).execute(&mut *database).await.unwrap();
    let offsets: Vec<i64> = sqlx::query_scalar(OFFSETS).bind(&seconds).fetch_one(&mut *database).await.unwrap();
    let agrees = |(instant, offset): (&Timestamp, &i64)| i64::from(zone.to_offset(*instant).seconds()) == *offset;
    instants.iter().zip(&offsets).all(agrees).then_some(changes)
}
