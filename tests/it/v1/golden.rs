//! The golden answers about the CDNOW purchases, to the cent: `tests/data/golden`.

use std::fs;

use serde_json::{Value, json};
use tally_host::cdnow::{self, Purchase};

use super::query::define;
use crate::answer::{ask, post};
use crate::harness::{Bundle, Tenant, repository};

const PURCHASES: &str = include_str!("../../data/cdnow_sample.txt");
const BATCH: usize = 5_000;

#[tokio::test]
async fn real_purchases_are_answered_as_worked_out_by_hand() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    define_metrics(&bundle, &acme).await;
    let events: Vec<Value> =
        cdnow::parse(PURCHASES).unwrap().iter().flat_map(|purchase| events_of(purchase, &acme.store_id)).collect();
    for batch in events.chunks(BATCH) {
        let receipt = ask(post(&bundle, "/v1/events", &acme.token, &json!(batch))).await.ok();
        assert_eq!(receipt["accepted"], batch.len(), "{receipt}");
    }
    let (names, golden): (Vec<String>, Vec<Value>) = golden().into_iter().unzip();
    let questions: Vec<&Value> = golden.iter().map(|golden| &golden["question"]).collect();
    let answer = ask(post(&bundle, "/v1/query", &acme.token, &json!({"queries": questions}))).await.ok();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), golden.len());
    for ((name, golden), result) in names.iter().zip(&golden).zip(results) {
        let (expected, found) = (golden["series"].as_array().unwrap(), result["series"].as_array().unwrap());
        assert_eq!(found.len(), expected.len(), "{name}");
        for (expected, found) in expected.iter().zip(found) {
            assert_eq!(found, expected, "{name}");
        }
    }
}

/// The files, by name: each a question, and the series of its answer.
fn golden() -> Vec<(String, Value)> {
    let mut files: Vec<_> = fs::read_dir(repository().join("tests/data/golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |path: &std::path::PathBuf| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files.iter().map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(path))).collect()
}

async fn define_metrics(bundle: &Bundle, acme: &Tenant) {
    for (key, unit, method, metadata) in [
        ("customers", "count", "distinct", json!({"distinct_dimension": "customer"})),
        ("median_order", "currency", "percentile", json!({"percentile": "0.5"})),
        ("order_p95", "currency", "percentile", json!({"percentile": "0.95"})),
        ("per_customer", "currency", "ratio", json!({"numerator": "revenue", "denominator": "customers"})),
    ] {
        define(bundle, &acme.org_id, key, unit, method, &metadata).await;
    }
}

/// A purchase is an event of each metric, at noon in UTC, which is the same day in New York.
fn events_of(purchase: &Purchase, store_id: &str) -> Vec<Value> {
    let Purchase { line, customer, date, quantity, value } = purchase;
    let disks = quantity.to_string();
    [
        ("revenue", value),
        ("orders", &"1".to_owned()),
        ("units_sold", &disks),
        ("customers", &"1".to_owned()),
        ("median_order", value),
        ("order_p95", value),
    ]
    .into_iter()
    .map(|(metric, value)| {
        json!({"id": format!("{line}-{metric}"), "metric": metric, "store_id": store_id, "value": value,
               "recorded_at": format!("{date}T12:00:00Z"), "dimensions": {"customer": customer, "disks": quantity}})
    })
    .collect()
}
