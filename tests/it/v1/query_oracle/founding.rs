//! Brings a company into being: in the bundle, and for the oracle.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::company::{BASES, Company, Event, METRICS, Method, Scalar, Store, Unit};
use super::number::Decimal;
use super::rates;
use crate::answer::{ask, post};
use crate::harness::{Bundle, Random, Tenant};
use crate::v1::plans::put_on_plan;

pub(super) const CURRENCIES: [&str; 3] = ["USD", "EUR", "JPY"];
const STORES: usize = 6;
const EVENTS_A_FOCUS: usize = 200;
const BATCH: usize = 2_000;

/// How far from an instant events are, in microseconds.
const NEAR: [i64; 9] = [-900_000_000, -60_000_000, -1_000_000, -1, 0, 1, 59_000_000, 900_000_000, 3_599_999_999];
const VALUES: [&str; 14] = [
    "0",
    "1",
    "2",
    "3",
    "10",
    "-4",
    "0.00",
    "1.50",
    "2.5",
    "19.99",
    "-0.01",
    "100.125",
    "0.000000000000000001",
    "123456789012345678901234567890.5",
];

/// The values that there are of each dimension.
pub(super) fn scalars(dimension: &str) -> Vec<Scalar> {
    let text = |text: &str| Scalar::Text(text.to_owned());
    let number = |text: &str| Scalar::Number(Decimal::parse(text).unwrap());
    match dimension {
        "channel" => vec![text("web"), text("app"), text("Web"), text("5"), number("5"), Scalar::Boolean(true)],
        "region" => vec![text("Zürich"), text("zürich"), text("北京"), text("😀"), text("\u{ffee}"), text("")],
        "place" => vec![text("north"), text("south"), number("-1.5"), number("10")],
        "note" => vec![text("100%"), text("a_b"), text("a\\b"), text("\"q\""), Scalar::Boolean(false), number("0")],
        _ => vec![text("ann"), text("bob"), text("7"), number("7"), Scalar::Boolean(false), Scalar::Boolean(true)],
    }
}

pub(super) const DIMENSIONS: [&str; 5] = ["channel", "region", "place", "note", "user"];

/// A company with stores in these zones, and events around these instants.
pub(super) async fn found(
    bundle: &Bundle,
    zones: &[String],
    focuses: &[Timestamp],
    random: &mut Random,
) -> (Tenant, Company) {
    let tenant = bundle.tenant(&format!("oracle {:x}", random.number())).await.unwrap();
    put_on_plan(bundle, &tenant, "enterprise", "events_per_minute = null").await;
    let mut company = Company { workspaces: vec![tenant.workspace_id.clone()], ..Company::default() };
    open(bundle, &tenant, zones, &mut company, random).await;
    for metric in METRICS {
        define(bundle, &tenant, metric.key, metric.unit, metric.method, metric.dimensions).await;
    }
    company.events = focuses
        .iter()
        .flat_map(|focus| (0..EVENTS_A_FOCUS).map(|_| *focus))
        .map(|focus| event(focus, random))
        .collect();
    company.events.sort_by_key(|event| event.at);
    for batch in company.events.chunks(BATCH) {
        let events: Vec<Value> = batch.iter().map(|event| json_of(&company, event)).collect();
        let receipt = ask(post(bundle, "/v1/events", &tenant.token, &json!(events))).await.ok();
        assert_eq!(receipt["accepted"], batch.len(), "{receipt}");
    }
    rates::load(bundle, &tenant, &mut company, random).await;
    (tenant, company)
}

async fn open(bundle: &Bundle, tenant: &Tenant, zones: &[String], company: &mut Company, random: &mut Random) {
    let mut database = bundle.database().await.unwrap();
    let workspace = Uuid::from_u64_pair(random.number(), random.number());
    let statement = "insert into public.workspaces (org_id, id, name, slug) values ($1::uuid, $2, 'Other', 'other')";
    sqlx::query(statement).bind(&tenant.org_id).bind(workspace).execute(&mut database).await.unwrap();
    company.workspaces.push(workspace.to_string());
    for index in 0..STORES {
        let id = Uuid::from_u64_pair(random.number(), random.number());
        let zone_name = random.pick(zones).clone();
        let store =
            Store { id: id.to_string(), workspace: index % 2, zone: TimeZone::get(&zone_name).unwrap(), zone_name };
        let statement = "insert into public.stores (org_id, workspace_id, id, name, timezone, currency) \
                         values ($1::uuid, $2::uuid, $3, 'Store', $4, 'USD')";
        let query = sqlx::query(statement).bind(&tenant.org_id).bind(&company.workspaces[store.workspace]).bind(id);
        query.bind(&store.zone_name).execute(&mut database).await.unwrap();
        company.stores.push(store);
    }
}

async fn define(bundle: &Bundle, tenant: &Tenant, key: &str, unit: Unit, method: Method, dimensions: &[&str]) {
    let declared = json!({"rollup_dimensions": dimensions});
    let (name, metadata) = match method {
        Method::Sum => ("sum", declared),
        Method::Count => ("count", declared),
        Method::Avg => ("avg", declared),
        Method::Min => ("min", declared),
        Method::Max => ("max", declared),
        Method::Last => ("last", declared),
        Method::Distinct(of) => ("distinct", json!({"rollup_dimensions": dimensions, "distinct_dimension": of})),
        Method::Percentile(share) => ("percentile", json!({"rollup_dimensions": dimensions, "percentile": share})),
        Method::Ratio(numerator, denominator) => ("ratio", json!({"numerator": numerator, "denominator": denominator})),
        Method::Formula(text) => ("formula", json!({"formula": text})),
    };
    let statement = "insert into public.metric_definitions \
                       (org_id, key, display_name, unit, aggregation_method, category, metadata) \
                     values ($1::uuid, $2, $2, $3, $4, 'oracle', $5::jsonb)";
    let query = sqlx::query(statement).bind(&tenant.org_id).bind(key).bind(unit.name()).bind(name);
    query.bind(metadata.to_string()).execute(&mut bundle.database().await.unwrap()).await.unwrap();
}

fn event(focus: Timestamp, random: &mut Random) -> Event {
    let minutes = |random: &mut Random, most: usize| {
        i64::try_from(random.below(2 * most + 1)).unwrap() - i64::try_from(most).unwrap()
    };
    let at = match random.below(4) {
        0 => focus + random.pick(&NEAR).microseconds(),
        1 => focus + (15 * minutes(random, 200)).minutes() + random.pick(&NEAR).microseconds(),
        2 => focus + minutes(random, 3_000).minutes(),
        _ => focus + minutes(random, 20_000).minutes(),
    };
    let metric = random.below(BASES);
    let dimensions = DIMENSIONS.iter().filter_map(|dimension| {
        let values = scalars(dimension);
        (random.below(4) > 0).then(|| (*dimension, random.pick(&values).clone()))
    });
    let dimensions: BTreeMap<&'static str, Scalar> = dimensions.collect();
    let is_money = METRICS[metric].unit == Unit::Currency;
    // One value in a few is out of the ordinary; levels come at one instant.
    let value = if random.below(3) == 0 { random.pick(&VALUES).to_string() } else { random.below(1_000).to_string() };
    Event {
        store: random.below(STORES),
        metric,
        at,
        value: Decimal::parse(&value).unwrap(),
        currency: is_money.then(|| *random.pick(&CURRENCIES)),
        dimensions,
    }
}

fn json_of(company: &Company, event: &Event) -> Value {
    let dimensions: serde_json::Map<_, _> =
        event.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect();
    json!({"id": Uuid::new_v4(), "store_id": company.stores[event.store].id, "metric": METRICS[event.metric].key,
           "value": event.value.to_string(), "currency": event.currency, "recorded_at": event.at.to_string(),
           "dimensions": dimensions})
}
