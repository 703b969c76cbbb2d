//! The whole journey on real input: a sign-up, a token, the 6,919 purchases of the CDNOW sample, and sums equal to the cent.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tally_host::cdnow;
use tally_host::demo::events_of;

use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant};

const PURCHASES: &str = include_str!("../data/cdnow_sample.txt");
const BATCH: usize = 1_000;

#[tokio::test]
async fn real_purchases_are_counted_to_the_cent() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let purchases = cdnow::parse(PURCHASES).unwrap();
    assert_eq!(purchases.len(), 6_919);
    let events: Vec<Value> = purchases.iter().flat_map(|purchase| events_of(purchase, &acme.store_id)).collect();

    for batch in events.chunks(BATCH) {
        let receipt = ask(post(&bundle, "/v1/events", &acme.token, &json!(batch))).await.ok();
        assert_eq!(
            receipt,
            json!({"accepted": batch.len(), "duplicates": 0, "replaced": 0, "rejected": 0, "quarantined": 0,
                   "quarantine_full": false, "errors": []})
        );
    }
    assert_equal_to_the_file(&bundle, &acme).await;

    // The same batches again change nothing, cut otherwise and in another order too.
    for batch in events.chunks(BATCH).rev().chain(events.chunks(777)) {
        let receipt = ask(post(&bundle, "/v1/events", &acme.token, &json!({"events": batch}))).await.ok();
        assert_eq!(
            receipt,
            json!({"accepted": 0, "duplicates": batch.len(), "replaced": 0, "rejected": 0, "quarantined": 0,
                   "quarantine_full": false, "errors": []})
        );
    }
    assert_equal_to_the_file(&bundle, &acme).await;

    // A second organization sees none of it.
    let bolt = bundle.tenant("bolt").await.unwrap();
    let question = json!({"metrics": ["revenue", "orders"], "from": "1997-01-01", "to": "1998-07-01",
                          "granularity": "none", "totals": true});
    for series in ask(post(&bundle, "/v1/query", &bolt.token, &question)).await.ok()["series"].as_array().unwrap() {
        assert_eq!(series["total"], "0", "{series}");
    }
    let mut foreign = question.clone();
    foreign["stores"] = json!([acme.store_id]);
    ask(post(&bundle, "/v1/query", &bolt.token, &foreign)).await.problem(404, "unknown-store");
}

/// Asks by month and by day, in the store's own zone and in another, and holds every point against the file.
async fn assert_equal_to_the_file(bundle: &Bundle, acme: &Tenant) {
    for (granularity, length) in [("month", "1997-01".len()), ("day", "1997-01-01".len())] {
        let expected = Sums::of_the_file(length);
        // The events are recorded at noon UTC, which is the same day in both zones.
        for zone in ["America/New_York", "Europe/Berlin"] {
            let question = json!({"metrics": ["revenue", "orders"], "stores": [acme.store_id], "from": "1997-01-01",
                                  "to": "1998-07-01", "granularity": granularity, "timezone": zone, "totals": true});
            let answer = ask(post(bundle, "/v1/query", &acme.token, &question)).await.ok();
            let [revenue, orders] = answer["series"].as_array().unwrap().as_slice() else {
                panic!("not two series: {answer}");
            };
            assert_eq!(points(revenue, length), expected.revenue, "{granularity} in {zone}");
            assert_eq!(points(orders, length), expected.orders, "{granularity} in {zone}");
            assert_eq!(cents(revenue["total"].as_str().unwrap()), expected.revenue.values().sum::<u64>());
            assert_eq!(orders["total"], "6919");
        }
    }
}

/// What is not zero, by the local date.
fn points(series: &Value, length: usize) -> BTreeMap<String, u64> {
    let is_money = series["unit"] == "currency";
    let value = |text: &str| if is_money { cents(text) } else { text.parse().unwrap() };
    series["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| (point["start"].as_str().unwrap()[..length].to_owned(), value(point["value"].as_str().unwrap())))
        .filter(|(_, value)| *value != 0)
        .collect()
}

struct Sums {
    revenue: BTreeMap<String, u64>,
    orders: BTreeMap<String, u64>,
}

impl Sums {
    /// Read here once more from the text, by column, so that the parser the events came through is not its own judge.
    fn of_the_file(length: usize) -> Self {
        let mut sums = Self { revenue: BTreeMap::new(), orders: BTreeMap::new() };
        for line in PURCHASES.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let date = format!("{}-{}-{}", &fields[2][..4], &fields[2][4..6], &fields[2][6..]);
            // A record that cost nothing is an order, and no revenue.
            if cents(fields[4]) > 0 {
                *sums.revenue.entry(date[..length].to_owned()).or_default() += cents(fields[4]);
            }
            *sums.orders.entry(date[..length].to_owned()).or_default() += 1;
        }
        sums
    }
}

fn cents(money: &str) -> u64 {
    match money.split_once('.') {
        Some((whole, cents)) => {
            assert_eq!(cents.len(), 2, "{money}");
            whole.parse::<u64>().unwrap() * 100 + cents.parse::<u64>().unwrap()
        }
        None => money.parse::<u64>().unwrap() * 100,
    }
}
