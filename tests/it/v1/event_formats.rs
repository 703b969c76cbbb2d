//! `POST /v1/events`, in each format and encoding there is.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tally_host::cdnow;
use tally_host::demo::events_of;

use crate::answer::{Answer, ask, post};
use crate::harness::{Bundle, Tenant};

const PURCHASES: &str = include_str!("../../data/cdnow_sample.txt");
const BATCH: usize = 1_000;
const LIMIT: usize = 10 * 1024 * 1024;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CLOUD_EVENT: &str = "application/cloudevents+json";
const CLOUD_EVENT_BATCH: &str = "application/cloudevents-batch+json";

fn event(tenant: &Tenant, id: &str) -> Value {
    json!({"id": id, "metric": "revenue", "store_id": tenant.store_id, "value": "129.90", "currency": "USD",
           "recorded_at": "2026-10-05T10:00:00Z", "source": "shopify", "dimensions": {"channel": "web"}})
}

/// An event as a CloudEvent.
fn cloud_event(event: &Value) -> Value {
    let mut data = json!({"value": event["value"], "dimensions": event["dimensions"]});
    if let Some(currency) = event.get("currency") {
        data["currency"] = currency.clone();
    }
    json!({"specversion": "1.0", "id": event["id"], "type": event["metric"], "source": event["source"],
           "subject": event["store_id"], "time": event["recorded_at"], "datacontenttype": "application/json",
           "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "data": data})
}

fn lines(events: &[Value]) -> Vec<u8> {
    events.iter().map(|event| format!("{event}\n")).collect::<String>().into_bytes()
}

fn cloud_events(events: &[Value]) -> Vec<u8> {
    Value::Array(events.iter().map(cloud_event).collect()).to_string().into_bytes()
}

pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).unwrap()
}

async fn send(bundle: &Bundle, token: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let request = bundle.client.post(bundle.url("/v1/events")).bearer_auth(token).body(body.into());
    ask(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// A CloudEvent in binary mode: its attributes in headers.
async fn send_binary(bundle: &Bundle, token: &str, cloud_event: &Value, body: &str) -> Answer {
    let attributes = cloud_event.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("data"));
    let headers: Vec<_> = attributes.map(|(name, value)| (format!("ce-{name}"), value.as_str().unwrap())).collect();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), *value)).chain([("content-type", JSON)]);
    send(bundle, token, &headers.collect::<Vec<_>>(), body).await
}

/// Another store of the tenant, alike.
async fn another_store(bundle: &Bundle, tenant: &Tenant) -> String {
    let statement = "insert into public.stores (org_id, workspace_id, name, timezone, currency) \
                     values ($1::uuid, $2::uuid, 'another', 'America/New_York', 'USD') returning id::text";
    let query = sqlx::query_scalar(statement).bind(&tenant.org_id).bind(&tenant.workspace_id);
    query.fetch_one(&mut bundle.database().await.unwrap()).await.unwrap()
}

/// The rollups of a store, all but which store it is.
async fn rollups(bundle: &Bundle, store_id: &str) -> Vec<String> {
    let query = "select (to_jsonb(r) - 'store_id')::text from metric_rollups r where store_id = $1::uuid order by 1";
    sqlx::query_scalar(query).bind(store_id).fetch_all(&mut bundle.database().await.unwrap()).await.unwrap()
}

fn purchases(store_id: &str, count: usize) -> Vec<Value> {
    cdnow::parse(PURCHASES).unwrap().iter().take(count).flat_map(|purchase| events_of(purchase, store_id)).collect()
}

#[tokio::test]
async fn real_purchases_come_to_the_same_in_every_format() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let plain = purchases(&acme.store_id, usize::MAX);
    for batch in plain.chunks(BATCH) {
        assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &json!(batch))).await.ok()["accepted"], batch.len());
    }
    let expected = rollups(&bundle, &acme.store_id).await;
    assert!(expected.len() > 1_000, "{} rollups", expected.len());

    type Write = fn(&[Value]) -> Vec<u8>;
    let ways: [(&str, Write, &str); 5] = [
        (JSON, |events| json!({"events": events}).to_string().into_bytes(), "gzip"),
        (NDJSON, lines, "identity"),
        (NDJSON, lines, "zstd"),
        (CLOUD_EVENT_BATCH, cloud_events, "identity"),
        (CLOUD_EVENT_BATCH, cloud_events, "gzip"),
    ];
    for (content_type, write, encoding) in ways {
        let store_id = another_store(&bundle, &acme).await;
        for batch in purchases(&store_id, usize::MAX).chunks(BATCH) {
            let body = match encoding {
                "gzip" => gzip(&write(batch)),
                "zstd" => zstd(&write(batch)),
                _ => write(batch),
            };
            let headers = [("content-type", content_type), ("content-encoding", encoding)];
            let receipt = send(&bundle, &acme.token, &headers, body).await.ok();
            assert_eq!(receipt["accepted"], batch.len(), "{content_type} {encoding}: {receipt}");
        }
        assert_eq!(rollups(&bundle, &store_id).await, expected, "{content_type}");
    }
}

#[tokio::test]
async fn purchases_sent_one_by_one_come_to_the_same_too() {
    const COUNT: usize = 100;
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let batch = json!(purchases(&acme.store_id, COUNT));
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &batch)).await.ok()["accepted"], 2 * COUNT);
    let expected = rollups(&bundle, &acme.store_id).await;

    let [plain, structured, binary] =
        [another_store(&bundle, &acme).await, another_store(&bundle, &acme).await, another_store(&bundle, &acme).await];
    for event in purchases(&plain, COUNT) {
        assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &event)).await.ok()["accepted"], 1);
    }
    for event in purchases(&structured, COUNT) {
        let body = cloud_event(&event).to_string();
        let answer = send(&bundle, &acme.token, &[("content-type", CLOUD_EVENT)], body).await;
        assert_eq!(answer.ok()["accepted"], 1, "{answer:?}");
    }
    for event in purchases(&binary, COUNT) {
        let event = cloud_event(&event);
        let answer = send_binary(&bundle, &acme.token, &event, &event["data"].to_string()).await;
        assert_eq!(answer.ok()["accepted"], 1, "{answer:?}");
    }
    for store_id in [plain, structured, binary] {
        assert_eq!(rollups(&bundle, &store_id).await, expected);
    }
}

#[tokio::test]
async fn the_same_event_in_any_format_is_a_duplicate() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let key = acme.api_key(&bundle, &["events:write"], Some(&acme.store_id)).await.unwrap();
    let one = event(&acme, "1");
    let cloud = cloud_event(&one);
    let mut without_subject = cloud.clone();
    without_subject.as_object_mut().unwrap().remove("subject");
    assert_eq!(ask(post(&bundle, "/v1/events", &acme.token, &one)).await.ok()["accepted"], 1);
    for (content_type, body) in [
        ("application/json; charset=UTF-8", json!({"events": [one]}).to_string()),
        ("application/x-ndjson; charset=utf-8", format!("\r\n{one}\r\n\n")),
        ("application/ndjson", one.to_string()),
        ("application/jsonl", format!("{one}\n")),
        (CLOUD_EVENT, cloud.to_string()),
        (CLOUD_EVENT, without_subject.to_string()),
        (CLOUD_EVENT_BATCH, json!([cloud]).to_string()),
    ] {
        for (encoding, body) in [
            ("identity", body.clone().into_bytes()),
            ("gzip", gzip(body.as_bytes())),
            ("x-gzip", gzip(body.as_bytes())),
            ("zstd", zstd(body.as_bytes())),
            ("zstd", [zstd(&body.as_bytes()[..9]), zstd(&body.as_bytes()[9..])].concat()),
        ] {
            let headers = [("content-type", content_type), ("content-encoding", encoding)];
            let receipt = send(&bundle, &key, &headers, body).await.ok();
            assert_eq!(
                (&receipt["duplicates"], &receipt["rejected"]),
                (&json!(1), &json!(0)),
                "{content_type} {receipt}"
            );
        }
    }
    let receipt = send_binary(&bundle, &key, &without_subject, &cloud["data"].to_string()).await.ok();
    assert_eq!(receipt["duplicates"], 1, "{receipt}");
}

#[tokio::test]
async fn a_header_of_a_cloud_event_is_percent_decoded() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let mut cloud = cloud_event(&event(&acme, "1"));
    cloud["source"] = json!("/Euro%20%E2%82%AC%20%F0%9F%98%80");
    let data = cloud["data"].to_string();
    assert_eq!(send_binary(&bundle, &acme.token, &cloud, &data).await.ok()["accepted"], 1);
    let query = "select source from metric_events";
    let source: String = sqlx::query_scalar(query).fetch_one(&mut bundle.database().await.unwrap()).await.unwrap();
    assert_eq!(source, "/Euro € 😀");

    cloud["source"] = json!("%C0%A0");
    let receipt = send_binary(&bundle, &acme.token, &cloud, &data).await.ok();
    assert_eq!((&receipt["errors"][0]["code"], &receipt["errors"][0]["id"]), (&json!("invalid_event"), &json!("1")));
    send_binary(&bundle, &acme.token, &cloud, "1,\"id\":\"2\"").await.problem(400, "malformed-body");
}

#[tokio::test]
async fn a_line_or_a_cloud_event_that_cannot_be_read_costs_itself_only() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let codes = |receipt: &Value| -> Vec<(u64, Value, String)> {
        let errors = receipt["errors"].as_array().unwrap();
        let code = |error: &Value| error["code"].as_str().unwrap().to_owned();
        errors.iter().map(|error| (error["index"].as_u64().unwrap(), error["id"].clone(), code(error))).collect()
    };
    let mut large = event(&acme, "large");
    large["source"] = json!("x".repeat(33_000));
    let cut = event(&acme, "cut").to_string();
    let body = [
        event(&acme, "1").to_string().as_bytes(),
        b"\n\n{\"id\": \"broken\", \n\xff\n",
        &cut.as_bytes()[..cut.len() - 1],
        format!("\n{large}\n{}\n", event(&acme, "2")).as_bytes(),
    ]
    .concat();
    let receipt = send(&bundle, &acme.token, &[("content-type", NDJSON)], body).await.ok();
    assert_eq!(receipt["accepted"], 2);
    let invalid = |index: u64, id: Value| (index, id, "invalid_event".to_owned());
    let too_large = (4, json!("large"), "event_too_large".to_owned());
    assert_eq!(
        codes(&receipt),
        [invalid(1, json!("broken")), invalid(2, Value::Null), invalid(3, json!("cut")), too_large]
    );

    let cloud = |id: &str, field: &str, value: Value| {
        let mut cloud = cloud_event(&event(&acme, id));
        cloud[field] = value;
        cloud
    };
    let batch = json!([
        cloud("version", "specversion", json!("0.3")),
        cloud("time", "time", Value::Null),
        cloud("xml", "datacontenttype", json!("application/xml")),
        cloud("base64", "data_base64", json!("e30=")),
        cloud("more", "data", json!({"value": "1", "colour": "red"})),
        cloud("array", "data", json!(["1"])),
        cloud("none", "data", Value::Null),
        cloud("store", "subject", json!("acme.myshopify.com")),
        cloud("no store", "subject", Value::Null),
        cloud("good", "dataschema", json!("https://example.com/schema")),
    ]);
    let receipt = send(&bundle, &acme.token, &[("content-type", CLOUD_EVENT_BATCH)], batch.to_string()).await.ok();
    assert_eq!(receipt["accepted"], 1, "{receipt}");
    let invalid = ["version", "time", "xml", "base64", "more", "array", "none"];
    let mut expected: Vec<_> =
        (0..).zip(invalid).map(|(index, id)| (index, json!(id), "invalid_event".into())).collect();
    expected.push((7, json!("store"), "unknown_store".into()));
    expected.push((8, json!("no store"), "store_required".into()));
    assert_eq!(codes(&receipt), expected);
}

#[tokio::test]
async fn other_content_types_and_encodings_are_refused() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let body = json!([event(&acme, "1")]).to_string();
    for content_type in ["text/csv", "application/json; charset=iso-8859-1", "application/cloudevents+avro"] {
        let answer = send(&bundle, &acme.token, &[("content-type", content_type)], body.clone()).await;
        answer.problem(415, "unsupported-media-type");
        assert!(!answer.headers.contains_key("accept-encoding"));
    }
    send(&bundle, &acme.token, &[], body.clone()).await.problem(415, "unsupported-media-type");
    for encoding in ["br", "deflate", "gzip, gzip", "identity, zstd"] {
        let headers = [("content-type", JSON), ("content-encoding", encoding)];
        let answer = send(&bundle, &acme.token, &headers, body.clone()).await;
        answer.problem(415, "unsupported-media-type");
        assert_eq!(answer.headers["accept-encoding"], "gzip, zstd");
    }
    for (content_type, body) in [
        (CLOUD_EVENT, "[]"),
        (CLOUD_EVENT, "{"),
        (CLOUD_EVENT_BATCH, "{}"),
        (CLOUD_EVENT_BATCH, "[{}"),
        (CLOUD_EVENT_BATCH, "[] x"),
    ] {
        send(&bundle, &acme.token, &[("content-type", content_type)], body).await.problem(400, "malformed-body");
    }
    let (gzipped, zstded) = (gzip(body.as_bytes()), zstd(body.as_bytes()));
    for (encoding, body) in [
        ("gzip", body.clone().into_bytes()),
        ("gzip", zstded.clone()),
        ("zstd", gzipped.clone()),
        ("gzip", gzipped[..gzipped.len() - 1].to_vec()),
        ("zstd", zstded[..zstded.len() - 1].to_vec()),
        ("gzip", [&gzipped[..], b"x"].concat()),
        ("zstd", [&zstded[..], b"x"].concat()),
        ("gzip", Vec::new()),
    ] {
        let headers = [("content-type", JSON), ("content-encoding", encoding)];
        send(&bundle, &acme.token, &headers, body).await.problem(400, "malformed-body");
    }
}

#[tokio::test]
async fn each_limit_says_which_it_is() {
    let bundle = Bundle::start().await.unwrap();
    let acme = bundle.tenant("acme").await.unwrap();
    let refused = async |headers: &[(&str, &str)], body: Vec<u8>, code: &str, said: &[&str]| {
        let problem = send(&bundle, &acme.token, headers, body).await.problem(413, code);
        let detail = problem["detail"].as_str().unwrap();
        assert!(said.iter().all(|text| detail.contains(text)), "{detail} {said:?}");
    };
    let limit = LIMIT.to_string();
    let too_long = vec![b' '; LIMIT + 1];
    let json = ("content-type", JSON);
    refused(&[json], too_long.clone(), "body-too-large", &[&limit, &too_long.len().to_string(), "sent"]).await;
    for (encoding, bomb) in [("gzip", gzip(&too_long)), ("zstd", zstd(&too_long))] {
        let headers = [json, ("content-encoding", encoding)];
        assert!(bomb.len() < 20_000);
        refused(&headers, bomb.clone(), "body-too-large", &[&limit, &bomb.len().to_string(), "decompressed"]).await;
        refused(&headers, vec![0; LIMIT + 1], "body-too-large", &[&limit, "sent"]).await;
    }
    let many = "1\n".repeat(5_001).into_bytes();
    refused(&[("content-type", NDJSON)], many, "too-many-events", &["5000"]).await;
    let mut large = event(&acme, "1");
    large["source"] = json!("x".repeat(32 * 1024));
    let size = large.to_string().len().to_string();
    refused(&[json], json!([large, large]).to_string().into_bytes(), "event-too-large", &["32768", &size]).await;
    let cloud = cloud_event(&event(&acme, "1"));
    let data = json!({"value": "1", "dimensions": {"channel": "x".repeat(32 * 1024)}}).to_string();
    send_binary(&bundle, &acme.token, &cloud, &data).await.problem(413, "event-too-large");
    // What is within them is taken: the body to its last byte, and the longest source.
    let mut longest = event(&acme, "1");
    longest["source"] = json!("x".repeat(255));
    let mut full = longest.to_string().into_bytes();
    full.resize(LIMIT, b' ');
    let headers = [json, ("content-encoding", "gzip")];
    assert_eq!(send(&bundle, &acme.token, &headers, gzip(&full)).await.ok()["accepted"], 1);
    assert_eq!(send(&bundle, &acme.token, &[json], full).await.ok()["duplicates"], 1);
}
