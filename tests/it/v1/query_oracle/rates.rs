//! Exchange rates: what a euro is worth on each day of a company's events, by its own rates or by those for all.

use std::collections::BTreeSet;

use jiff::civil::Date;
use sqlx::PgConnection;
use uuid::Uuid;

use super::company::Company;
use super::number::Decimal;
use crate::harness::{Bundle, Random, Tenant};

/// What has a rate; a euro is one euro.
const QUOTED: [&str; 2] = ["USD", "JPY"];

const LOAD: &str = "
    insert into public.exchange_rates (org_id, currency, day, rate)
    select $1, e.currency, e.day::date, e.rate::numeric
    from unnest($2::text[], $3::text[], $4::text[]) as e(currency, day, rate)
    on conflict (scope_id, currency, day) do nothing";

type Rate = (&'static str, Date, Decimal);

/// Loads the rates that a company can need.
pub(super) async fn load(bundle: &Bundle, tenant: &Tenant, company: &mut Company, random: &mut Random) {
    let local = |event: &super::company::Event| company.stores[event.store].zone.to_datetime(event.at).date();
    let days: BTreeSet<Date> = company.events.iter().map(local).collect();
    let rates = |random: &mut Random| -> Vec<Rate> {
        days.iter()
            .flat_map(|day| QUOTED.map(|currency| (currency, *day)))
            .map(|(currency, day)| (currency, day, rate(random)))
            .collect()
    };
    // Those for all come first in one company or another, and are the same in each.
    let for_all: Vec<Rate> =
        rates(random).into_iter().map(|(currency, day, _)| (currency, day, of_all(currency, day))).collect();
    let own: Vec<Rate> = rates(random).into_iter().filter(|_| random.below(3) == 0).collect();
    let mut database = bundle.database().await.unwrap();
    insert(&mut database, None, &for_all).await;
    insert(&mut database, Some(Uuid::try_parse(&tenant.org_id).unwrap()), &own).await;
    company.rates = days.iter().map(|day| (("EUR", *day), Decimal::of(1))).collect();
    company.rates.extend(for_all.into_iter().chain(own).map(|(currency, day, rate)| ((currency, day), rate)));
}

async fn insert(database: &mut PgConnection, org_id: Option<Uuid>, rates: &[Rate]) {
    let column = |text: fn(&Rate) -> String| rates.iter().map(text).collect::<Vec<String>>();
    let query = sqlx::query(LOAD).bind(org_id).bind(column(|rate| rate.0.to_owned()));
    let query = query.bind(column(|rate| rate.1.to_string())).bind(column(|rate| rate.2.to_string()));
    query.execute(database).await.unwrap();
}

/// A rate with up to 18 places.
fn rate(random: &mut Random) -> Decimal {
    let places = *random.pick(&[0, 2, 4, 4, 6, 18]);
    let fraction = format!("{:018}", random.below(1_000_000_000_000_000_000));
    let point = if places == 0 { "" } else { "." };
    Decimal::parse(&format!("{}{point}{}", 1 + random.below(200), &fraction[..places])).unwrap()
}

/// The one that counts for all.
fn of_all(currency: &str, day: Date) -> Decimal {
    let seed = format!("{currency}{day}").bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
    rate(&mut Random::new(seed))
}
