//! A batch, read event by event.

use super::columns::Columns;
use super::currency::currency;
use super::decimal::decimal;
use super::dimensions::dimensions;
use super::fault::{Fault, explain, fault};
use super::instant::instant;
use super::json::split;
use super::name::{MAX_ID_BYTES, MAX_NAME_BYTES, name};
use super::receipt::{Receipt, Rejection, Stored, StoredError};
use super::{MAX_EVENT_BYTES, MAX_EVENTS};
use crate::problem::{Kind, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Who sent it, when the event does not say.
const DEFAULT_SOURCE: &str = "api";

/// A batch that was read: what may go to the database, and what may not.
#[derive(Debug)]
pub struct Batch {
    columns: Columns,
    /// Where each event of good form stood in the request, and its id.
    positions: Vec<(usize, String)>,
    rejected: Vec<Rejection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    metric: Cow<'a, str>,
    store_id: Option<uuid::Uuid>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    currency: Option<Cow<'a, str>>,
    #[serde(borrow)]
    recorded_at: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dimensions: Option<&'a RawValue>,
}

impl Batch {
    /// Reads one event, an array of events, or `{"events": [...]}`.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let events = split(body)?;
        if events.len() > MAX_EVENTS {
            let detail = format!("The batch has {} events, {MAX_EVENTS} are taken at once.", events.len());
            return Err(Problem::new(Kind::TooManyEvents, detail));
        }
        let mut batch = Self { columns: Columns::default(), positions: Vec::new(), rejected: Vec::new() };
        for (index, raw) in events.into_iter().enumerate() {
            if let Err(Fault { code, detail }) = batch.push(index, raw.get()) {
                batch.rejected.push(Rejection { index, id: id_of(raw.get()), code: code.into(), detail });
            }
        }
        Ok(batch)
    }

    /// The events of good form, for the database.
    pub fn take_columns(&mut self) -> Columns {
        std::mem::take(&mut self.columns)
    }

    /// The answer to the client, once the database has taken the good part.
    pub fn receipt(self, stored: Stored) -> Receipt {
        let Self { positions, rejected: mut errors, .. } = self;
        errors.extend(stored.errors.into_iter().filter_map(|StoredError { index, code }| {
            let (index, id) = positions.get(index)?;
            let detail = explain(&code).to_owned();
            Some(Rejection { index: *index, id: Some(id.clone()), code: code.into(), detail })
        }));
        errors.sort_by_key(|error| error.index);
        let Stored { accepted, duplicates, replaced, .. } = stored;
        Receipt { accepted, duplicates, replaced, rejected: errors.len(), errors }
    }

    fn push(&mut self, index: usize, raw: &str) -> Result<(), Fault> {
        if raw.len() > MAX_EVENT_BYTES {
            let detail = format!("The event has {} bytes, {MAX_EVENT_BYTES} are taken.", raw.len());
            return Err(fault("event_too_large", detail));
        }
        // Without this an array of the values, in the order of the fields, would pass too.
        if !raw.starts_with('{') {
            return Err(fault("invalid_event", "An event is an object."));
        }
        let event: RawEvent<'_> = serde_json::from_str(raw)
            .map_err(|error| fault("invalid_event", format!("The event cannot be read: {error}.")))?;
        let id = name("id", &event.id, MAX_ID_BYTES)?;
        let metric = name("metric", &event.metric, MAX_NAME_BYTES)?;
        let source = name("source", event.source.as_deref().unwrap_or(DEFAULT_SOURCE), MAX_NAME_BYTES)?;
        let value = decimal(event.value.get())?;
        let currency = event.currency.as_deref().map(currency).transpose()?;
        let recorded_at = instant(&event.recorded_at)?;
        let dimensions = event.dimensions.map_or_else(|| Ok("{}".to_owned()), |raw| dimensions(raw.get()))?;

        let columns = &mut self.columns;
        columns.ids.push(Some(id.to_owned()));
        columns.metrics.push(Some(metric.to_owned()));
        columns.store_ids.push(event.store_id.map(|id| id.to_string()));
        columns.values.push(Some(value.to_owned()));
        columns.currencies.push(currency.map(str::to_owned));
        columns.recorded_at.push(Some(recorded_at));
        columns.sources.push(Some(source.to_owned()));
        columns.dimensions.push(Some(dimensions));
        self.positions.push((index, id.to_owned()));
        Ok(())
    }
}

/// The id of an event that cannot be read otherwise, so that the sender can find it.
fn id_of(raw: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: String,
    }
    let OnlyId { id } = serde_json::from_str(raw).ok()?;
    (id.len() <= MAX_ID_BYTES).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::super::on_conflict::OnConflict;
    use super::*;
    use serde_json::{Value, json};

    const STORE: &str = "33333333-3333-4333-8333-333333333333";

    fn event() -> Value {
        json!({"id": "order-1001", "metric": "revenue", "store_id": STORE, "value": "129.90", "currency": "USD",
               "recorded_at": "2026-11-22T07:00:00Z", "source": "shopify", "dimensions": {"channel": "web"}})
    }

    fn read(body: &Value) -> Batch {
        Batch::read(body.to_string().as_bytes()).unwrap()
    }

    fn verdict(field: &str, value: Value) -> Option<String> {
        let mut event = event();
        event[field] = value;
        read(&event).rejected.pop().map(|rejection| rejection.code.into_owned())
    }

    #[test]
    fn one_an_array_and_an_envelope_are_the_same() {
        for body in [event(), json!([event()]), json!({"events": [event()]})] {
            let columns = read(&body).columns;
            assert_eq!(columns.ids, [Some("order-1001".to_owned())]);
            assert_eq!(columns.values, [Some("129.90".to_owned())]);
            assert_eq!(columns.recorded_at, [Some("2026-11-22T07:00:00Z".to_owned())]);
            assert_eq!(columns.dimensions, [Some(r#"{"channel":"web"}"#.to_owned())]);
        }
    }

    #[test]
    fn a_number_stays_as_it_was_written() {
        let raw = event().to_string().replace(r#""129.90""#, "1234567890123456789012.10");
        assert_eq!(Batch::read(raw.as_bytes()).unwrap().columns.values, [Some("1234567890123456789012.10".to_owned())]);
    }

    #[test]
    fn values_that_are_no_decimals_are_rejected() {
        for bad in ["", "-", ".5", "5.", "1e3", "NaN", "Infinity", "1,5", " 1", "0x1", "١"] {
            assert_eq!(verdict("value", json!(bad)).as_deref(), Some("invalid_value"), "{bad}");
        }
        assert_eq!(verdict("value", json!("1".repeat(31))).as_deref(), Some("invalid_value"));
        assert_eq!(verdict("value", json!(format!("0.{}", "1".repeat(19)))).as_deref(), Some("invalid_value"));
        assert_eq!(verdict("value", json!(true)).as_deref(), Some("invalid_value"));
        assert_eq!(verdict("value", json!("-0.5")), None);
        for (number, verdict) in
            [("1e-05", true), ("1.5E3", true), ("1e30", false), ("1e-19", false), ("1e99999", false), ("-2e0", true)]
        {
            let raw = event().to_string().replace(r#""129.90""#, number);
            assert_eq!(Batch::read(raw.as_bytes()).unwrap().rejected.is_empty(), verdict, "{number}");
        }
    }

    #[test]
    fn times_need_an_offset_and_are_cut_to_microseconds() {
        for bad in [
            "2026-11-22",
            "2026-11-22T07:00:00",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-11-22 07:00:00Z",
            "2026-11-22T07:00Z",
            "2026-11-22T07:00:00-05[America/New_York]",
        ] {
            assert_eq!(verdict("recorded_at", json!(bad)).as_deref(), Some("invalid_time"), "{bad}");
        }
        assert_eq!(verdict("recorded_at", json!("1969-12-31T23:59:59Z")).as_deref(), Some("out_of_range"));
        let mut event = event();
        event["recorded_at"] = json!("2026-11-22T09:00:00.123456789+02:00");
        assert_eq!(read(&event).columns.recorded_at, [Some("2026-11-22T07:00:00.123456Z".to_owned())]);
    }

    #[test]
    fn each_field_has_a_bound() {
        for (field, value, code) in [
            ("id", json!(""), "invalid_event"),
            ("id", json!("x".repeat(256)), "invalid_event"),
            ("id", json!("a\u{0}b"), "invalid_event"),
            ("metric", json!("m".repeat(64)), "invalid_event"),
            ("source", json!(""), "invalid_event"),
            ("store_id", json!("shop"), "invalid_event"),
            ("currency", json!("usd"), "invalid_currency"),
            ("currency", json!("DOLLAR"), "invalid_currency"),
            ("dimensions", json!([]), "invalid_dimensions"),
            ("dimensions", json!({"a": null}), "invalid_dimensions"),
            ("dimensions", json!({"a": {"b": 1}}), "invalid_dimensions"),
            ("dimensions", json!({"": "x"}), "invalid_dimensions"),
            ("dimensions", json!({"a": "\u{0}"}), "invalid_dimensions"),
            ("dimensions", json!({"a": "x".repeat(256)}), "invalid_dimensions"),
            ("dimensions", json!({"a": 1e200}), "invalid_dimensions"),
            ("colour", json!("red"), "invalid_event"),
            ("source", json!("x".repeat(MAX_EVENT_BYTES)), "event_too_large"),
        ] {
            assert_eq!(verdict(field, value.clone()).as_deref(), Some(code), "{field} {value}");
        }
    }

    #[test]
    fn nothing_reaches_the_database_unseen() {
        let with = |dimensions: &str| event().to_string().replace(r#"{"channel":"web"}"#, dimensions);
        let batch = Batch::read(with(r#"{"channel":"\u0000","channel":"web","n":1.50}"#).as_bytes()).unwrap();
        assert_eq!(batch.columns.dimensions, [Some(r#"{"channel":"web","n":1.50}"#.to_owned())]);
        let twice = with(r#"{}"#).replacen('{', r#"{"id":"\u0000","#, 1);
        assert!(Batch::read(twice.as_bytes()).unwrap().columns.ids.is_empty(), "a field that comes twice is refused");
    }

    #[test]
    fn one_bad_event_does_not_spoil_the_others() {
        let mut bad = event();
        bad["value"] = json!("lots");
        let mut unknown = event();
        unknown["metric"] = json!("nope");
        let batch = read(&json!([bad, event(), 7, unknown]));
        let stored =
            json!({"accepted": 1, "duplicates": 0, "replaced": 0, "errors": [{"index": 1, "code": "unknown_metric"}]});
        let receipt = serde_json::to_value(batch.receipt(serde_json::from_value(stored).unwrap())).unwrap();
        assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&json!(1), &json!(3)));
        let codes: Vec<_> =
            receipt["errors"].as_array().unwrap().iter().map(|e| (&e["index"], &e["code"], &e["id"])).collect();
        assert_eq!(
            codes,
            [
                (&json!(0), &json!("invalid_value"), &json!("order-1001")),
                (&json!(2), &json!("invalid_event"), &Value::Null),
                (&json!(3), &json!("unknown_metric"), &json!("order-1001")),
            ]
        );
    }

    #[test]
    fn a_conflict_is_ignored_unless_the_url_says_otherwise() {
        for query in ["", "on_conflict=ignore", "pretty", "a=on_conflict=replace&&on_conflict_=replace"] {
            assert_eq!(OnConflict::from_query(query).unwrap(), OnConflict::Ignore, "{query}");
        }
        for query in ["on_conflict=replace", "pretty=1&on_conflict=replace"] {
            assert_eq!(OnConflict::from_query(query).unwrap(), OnConflict::Replace, "{query}");
        }
        for query in ["on_conflict", "on_conflict=", "on_conflict=Replace", "on_conflict=replace&on_conflict=ignore"] {
            assert_eq!(OnConflict::from_query(query).unwrap_err().kind(), Kind::InvalidParameter, "{query}");
        }
    }

    #[test]
    fn what_is_no_batch_is_refused_as_a_whole() {
        let positional = r#"[["1", "revenue", null, "1", null, "2026-01-01T00:00:00Z", null, null]]"#;
        assert_eq!(Batch::read(positional.as_bytes()).unwrap().rejected[0].code, "invalid_event");
        for body in ["", "[", "7", "\"x\"", "null", r#"{"events": 7}"#, r#"{"events": [], "more": 1}"#, "[1] 2"] {
            assert_eq!(Batch::read(body.as_bytes()).unwrap_err().kind(), Kind::MalformedBody, "{body}");
        }
        let many = format!("[{}]", vec!["1"; MAX_EVENTS + 1].join(","));
        assert_eq!(Batch::read(many.as_bytes()).unwrap_err().kind(), Kind::TooManyEvents);
    }
}
