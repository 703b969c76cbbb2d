//! A batch, read event by event.

use super::binary::Context;
use super::cloud_event::{self, CloudEvent};
use super::columns::Columns;
use super::event::{Event, Naming, OwnEvent};
use super::fault::{Fault, fault};
use super::format::Format;
use super::reading::{Place, Reading};
use super::receipt::{Receipt, ReceiptError, Stored, StoredError};
use super::rejected::{Known, Rejection, known, raw};
use super::texts::Texts;
use super::{json, ndjson, order};
use crate::problem::{Kind, Problem};
use bytes::Bytes;
use serde::Serializer as _;
use std::borrow::Cow;

/// A batch that was read: what may go to the database, and what may not.
#[derive(Debug)]
pub struct Batch {
    /// What the events are slices of.
    body: Bytes,
    naming: Naming,
    columns: Columns,
    rows: Vec<Place>,
    rejected: Vec<(Place, Fault)>,
}

impl Batch {
    /// Reads the events of a body. An event that is not as it should be is set aside; a problem is one of the whole. The first
    /// one met ends the reading, be it no JSON or one event too many, whatever comes behind it; but a JSON body that is not UTF-8
    /// to its end is not begun.
    pub fn read(format: &Format, body: impl Into<Bytes>) -> Result<Self, Problem> {
        let body = body.into();
        match format {
            Format::Json => Self::read_by(OwnEvent::NAMING, body, json::one_or_more),
            Format::Ndjson => Self::read_by(OwnEvent::NAMING, body, ndjson::lines),
            Format::CloudEvent => Self::read_by(CloudEvent::NAMING, body, cloud_event::one),
            Format::CloudEventBatch => Self::read_by(CloudEvent::NAMING, body, cloud_event::many),
            Format::BinaryCloudEvent(context) => Self::read_binary(context, &body),
        }
    }

    fn read_by(
        naming: Naming,
        body: Bytes,
        read: impl FnOnce(&mut Reading, &[u8]) -> Result<(), Problem>,
    ) -> Result<Self, Problem> {
        let mut reading = Reading::default();
        read(&mut reading, &body)?;
        let Reading { builder, rows, rejected, .. } = reading.within_limits()?;
        let (columns, rows) = order::by_id(builder.into_columns(), rows);
        Ok(Self { body, naming, columns, rows, rejected })
    }

    fn read_binary(context: &Context, data: &[u8]) -> Result<Self, Problem> {
        let body = Bytes::from(context.with_data(data)?);
        Self::read_by(CloudEvent::NAMING, body, |reading, body| match context.not_utf8() {
            None => cloud_event::one(reading, body),
            Some(attribute) => {
                let fault = fault("invalid_event", format!("The header of `{attribute}` is not UTF-8."));
                reading.event::<CloudEvent<'_>>(0..body.len(), Err(fault))
            }
        })
    }

    /// The events of good form, for the database.
    pub fn take_columns(&mut self) -> Columns {
        std::mem::take(&mut self.columns)
    }

    /// What the database keeps of an event that is rejected: the texts of those of good form, and of the others.
    pub fn texts(&self) -> Texts {
        let rows = self.rows.iter().map(|place| Cow::Borrowed(self.bytes(place)));
        let rejected = self.rejected.iter().map(|(place, _)| match raw(self.bytes(place)) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        });
        Texts::of(rows.chain(rejected))
    }

    /// What is kept of the events that have not the right form.
    pub fn rejections(&self) -> impl Iterator<Item = Rejection<'_>> {
        self.rejected.iter().map(|(place, Fault { code, detail })| {
            let body = raw(self.bytes(place));
            Rejection { index: place.index, code, detail, known: known(&body, &self.naming), body }
        })
    }

    /// The same as JSON, for the database, but for the texts.
    pub fn rejected(&self) -> Result<String, Problem> {
        let mut json = Vec::new();
        // One by one, since each may have a copy of its text.
        serde_json::Serializer::new(&mut json)
            .collect_seq(self.rejections())
            .map_err(|error| Problem::ours(Kind::Internal, error))?;
        String::from_utf8(json).map_err(|error| Problem::ours(Kind::Internal, error))
    }

    /// The answer to the client, once the database has taken the good part.
    pub fn receipt(&self, stored: Stored) -> Receipt {
        let Stored { accepted, duplicates, replaced, errors, mut rejected_ids, quarantined, quarantine_full } = stored;
        rejected_ids.resize(self.rejected.len(), None);
        let formal = self.rejected.iter().zip(rejected_ids).map(|((place, Fault { code, detail }), quarantine_id)| {
            self.error(place, (*code).to_owned(), detail.clone(), quarantine_id)
        });
        let told = errors.into_iter().filter_map(|StoredError { index, code, detail, quarantine_id }| {
            self.rows.get(index).map(|place| self.error(place, code, detail, quarantine_id))
        });
        let mut errors: Vec<_> = formal.chain(told).collect();
        errors.sort_by_key(|error| error.index);
        Receipt { accepted, duplicates, replaced, rejected: errors.len(), quarantined, quarantine_full, errors }
    }

    fn error(&self, place: &Place, code: String, detail: String, quarantine_id: Option<String>) -> ReceiptError {
        let Known { event_id: id, .. } = known(&raw(self.bytes(place)), &self.naming);
        ReceiptError { index: place.index, id, code, detail, quarantine_id }
    }

    fn bytes(&self, place: &Place) -> &[u8] {
        self.body.get(place.bytes.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_EVENT_BYTES, MAX_EVENTS};
    use super::*;
    use crate::problem::Kind;
    use serde_json::{Value, json};

    const STORE: &str = "33333333-3333-4333-8333-333333333333";

    fn event() -> Value {
        json!({"id": "order-1001", "metric": "revenue", "store_id": STORE, "value": "129.90", "currency": "USD",
               "recorded_at": "2026-11-22T07:00:00Z", "source": "shopify", "dimensions": {"channel": "web"}})
    }

    fn read(body: &Value) -> Batch {
        Batch::read(&Format::Json, body.to_string()).unwrap()
    }

    fn verdict(field: &str, value: Value) -> Option<String> {
        let mut event = event();
        event[field] = value;
        read(&event).rejected.pop().map(|(_, fault)| fault.code.to_owned())
    }

    #[test]
    fn one_an_array_and_an_envelope_are_the_same() {
        for body in [event(), json!([event()]), json!({"events": [event()]})] {
            let columns = read(&body).columns;
            let row = columns.row(0).unwrap();
            assert_eq!((row.id, row.value), (Some("order-1001"), Some("129.90")));
            assert_eq!(row.recorded_at, Some(1_795_330_800_000_000));
            assert_eq!(columns.row(0).unwrap().dimensions, Some(r#"{"channel":"web"}"#));
        }
    }

    #[test]
    fn only_whitespace_of_json_may_surround_an_event() {
        let cloud_event = json!({"specversion": "1.0", "id": "1", "type": "revenue", "source": "/shop", "subject": STORE,
                                 "time": "2026-11-22T07:00:00Z", "data": {"value": 1}});
        for (format, event) in [(Format::Json, event()), (Format::CloudEvent, cloud_event)] {
            let read = |body| Batch::read(&format, body).map(|batch| batch.rows.len());
            assert_eq!(read(format!(" \t\r\n{event}\n\r\t ")).unwrap(), 1);
            for other in ['\u{b}', '\u{c}', '\u{a0}'] {
                assert_eq!(read(format!("{event}{other}")).unwrap_err().kind(), Kind::MalformedBody, "{other:?}");
            }
        }
    }

    #[test]
    fn a_fault_has_no_character_that_cannot_be_kept() {
        let mut event = event();
        event["colour\0"] = json!("red");
        let batch = read(&event);
        let rejection = batch.rejections().next().unwrap();
        assert!(rejection.detail.contains("colour\u{fffd}"), "{rejection:?}");
    }

    #[test]
    fn a_number_stays_as_it_was_written() {
        let raw = event().to_string().replace(r#""129.90""#, "1234567890123456789012.10");
        let batch = Batch::read(&Format::Json, raw).unwrap();
        assert!(batch.columns.values.iter().eq(["1234567890123456789012.10"]));
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
            assert_eq!(Batch::read(&Format::Json, raw).unwrap().rejected.is_empty(), verdict, "{number}");
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
        assert_eq!(read(&event).columns.recorded_at, [Some(1_795_330_800_123_456)]);
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
        ] {
            assert_eq!(verdict(field, value.clone()).as_deref(), Some(code), "{field} {value}");
        }
    }

    #[test]
    fn an_event_that_is_too_large_is_rejected_and_a_batch_of_nothing_else_refused() {
        let mut large = event();
        large["source"] = json!("x".repeat(MAX_EVENT_BYTES));
        let batch = read(&json!([large, event()]));
        assert_eq!(batch.rejected[0].1.code, "event_too_large");
        for body in [json!(large), json!([large, large])] {
            let problem = Batch::read(&Format::Json, body.to_string()).unwrap_err();
            assert_eq!(problem.kind(), Kind::EventTooLarge);
            assert!(problem.detail().contains(&large.to_string().len().to_string()), "{}", problem.detail());
        }
    }

    #[test]
    fn nothing_reaches_the_database_unseen() {
        let with = |dimensions: &str| event().to_string().replace(r#"{"channel":"web"}"#, dimensions);
        let batch = Batch::read(&Format::Json, with(r#"{"channel":"\u0000","channel":"web","n":1.50}"#)).unwrap();
        assert_eq!(batch.columns.row(0).unwrap().dimensions, Some(r#"{"channel":"web","n":1.50}"#));
        let twice = with(r#"{}"#).replacen('{', r#"{"id":"\u0000","#, 1);
        assert!(Batch::read(&Format::Json, twice).unwrap().rows.is_empty(), "a field that comes twice is refused");
    }

    #[test]
    fn one_bad_event_does_not_spoil_the_others() {
        let mut bad = event();
        bad["value"] = json!("lots");
        let mut unknown = event();
        unknown["metric"] = json!("nope");
        let batch = read(&json!([bad, event(), 7, unknown]));
        let stored = json!({
            "accepted": 1, "duplicates": 0, "replaced": 0, "rejected_ids": ["a", null], "quarantined": 2, "quarantine_full": true,
            "errors": [{"index": 1, "code": "unknown_metric", "detail": "x", "quarantine_id": "b"}],
        });
        let receipt = serde_json::to_value(batch.receipt(serde_json::from_value(stored).unwrap())).unwrap();
        assert_eq!((&receipt["accepted"], &receipt["rejected"]), (&json!(1), &json!(3)));
        let codes: Vec<_> = receipt["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (&e["index"], &e["code"], &e["id"], &e["quarantine_id"]))
            .collect();
        assert_eq!(
            codes,
            [
                (&json!(0), &json!("invalid_value"), &json!("order-1001"), &json!("a")),
                (&json!(2), &json!("invalid_event"), &Value::Null, &Value::Null),
                (&json!(3), &json!("unknown_metric"), &json!("order-1001"), &json!("b")),
            ]
        );
        assert_eq!((&receipt["quarantined"], &receipt["quarantine_full"]), (&json!(2), &json!(true)));
    }

    #[test]
    fn what_events_have_in_common_is_told_once() {
        let mut other = event();
        other["dimensions"] = json!({"channel": "app"});
        let mut bare = event();
        bare.as_object_mut().unwrap().remove("currency");
        let columns = read(&json!([event(), other, event(), bare, event()])).columns;
        assert_eq!(columns.numbers, [Some(1), Some(2), Some(1), Some(3), Some(1)]);
        assert_eq!(columns.series.currencies, [Some("USD".to_owned()), Some("USD".to_owned()), None]);
        assert_eq!(columns.row(1).unwrap().dimensions, Some(r#"{"channel":"app"}"#));
        assert_eq!(columns.row(4), columns.row(0));
        assert_eq!(columns.row(5), None);
    }

    #[test]
    fn events_of_one_sender_come_by_their_ids() {
        let named = |id: &str, value: &str| {
            let mut event = event();
            (event["id"], event["value"]) = (json!(id), json!(value));
            event
        };
        let told = |batch: &Batch| -> Vec<_> {
            let columns = &batch.columns;
            (0..columns.numbers.len()).map(|at| columns.row(at).unwrap().value.unwrap().to_owned()).collect()
        };
        let mut other = named("order-2", "4");
        other["currency"] = json!("EUR");
        other["recorded_at"] = json!("2026-11-22T08:00:00Z");
        let events =
            [named("order-10", "0"), named("order-1", "1"), json!(7), named("zz", "3"), other, named("order-1", "5")];
        let batch = read(&json!(events));
        assert_eq!(told(&batch), ["1", "5", "0", "4", "3"], "those of one id as they were sent");
        assert_eq!(batch.columns.row(3).unwrap().currency, Some("EUR"));
        assert_eq!(batch.columns.row(3).unwrap().recorded_at, Some(1_795_334_400_000_000));
        assert_eq!(texts(&batch), [1, 5, 0, 4, 3, 2].map(|at: usize| events[at].to_string()));
        let errors = json!([{"index": 2, "code": "unknown_metric", "detail": "x", "quarantine_id": null}]);
        let stored = json!({"accepted": 4, "duplicates": 0, "replaced": 0, "rejected_ids": [], "quarantined": 0,
                            "quarantine_full": false, "errors": errors});
        let receipt = batch.receipt(serde_json::from_value(stored).unwrap());
        let errors: Vec<_> = receipt.errors.iter().map(|error| (error.index, error.id.as_deref())).collect();
        assert_eq!(errors, [(0, Some("order-10")), (2, None)]);

        let mut elsewhere = named("order-0", "2");
        elsewhere["source"] = json!("till");
        let batch = read(&json!([named("order-2", "0"), named("order-1", "1"), elsewhere]));
        assert_eq!(told(&batch), ["0", "1", "2"], "those of several as they were sent");
    }

    #[test]
    fn a_store_is_another_one_by_another_name() {
        let named = |subject: Value| {
            json!({"specversion": "1.0", "id": "1", "type": "revenue", "source": "s", "subject": subject,
                   "time": "2026-11-22T07:00:00Z", "data": {"value": 1}})
        };
        let mut implied = named(json!(STORE));
        implied.as_object_mut().unwrap().remove("subject");
        let digits = STORE.replace('-', "");
        let events = [named(json!(STORE)), named(json!(digits)), implied, named(json!("s")), named(json!(STORE))];
        let columns = Batch::read(&Format::CloudEventBatch, json!(events).to_string()).unwrap().columns;
        assert_eq!(columns.numbers, [1, 2, 3, 4, 1].map(Some));
        let names: Vec<_> =
            (0..4).map(|at| columns.row(at).unwrap()).map(|row| (row.store_id, row.external_id)).collect();
        assert_eq!(names, [(Some(STORE), None), (None, Some(digits.as_str())), (None, None), (None, Some("s"))]);
    }

    #[test]
    fn the_database_is_told_the_text_of_each_event() {
        let (first, second) = (event().to_string(), event().to_string().replace("order-1001", "é"));
        let batch = Batch::read(&Format::Json, format!("[7, {first} , {second}]")).unwrap();
        assert_eq!(texts(&batch), [&first, &second, "7"]);
        assert_eq!(
            serde_json::from_str::<Value>(&batch.rejected().unwrap()).unwrap(),
            json!([{"code": "invalid_event", "detail": batch.rejected[0].1.detail}])
        );
        let batch = Batch::read(&Format::Ndjson, format!("a\0b\n{first}\n\u{1}")).unwrap();
        assert_eq!(texts(&batch), [&first, "a\u{fffd}b", "\u{1}"]);
    }

    #[test]
    fn what_is_told_of_rejected_events_is_not_much_larger_than_they_are() {
        for line in ["\u{1}".repeat(1_999), "\0".repeat(1_999), "\0x".repeat(999), "\"\\".repeat(999)] {
            let body = format!("{line}\n").repeat(MAX_EVENTS);
            let size = body.len();
            let batch = Batch::read(&Format::Ndjson, body).unwrap();
            let told = batch.texts().bytes.len() + batch.rejected().unwrap().len();
            assert_eq!(batch.rejected.len(), MAX_EVENTS);
            assert!(told < size * 5 / 2, "{told} of {size}: {:?}", &line[..2]);
        }
    }

    #[test]
    fn what_is_no_batch_is_refused_as_a_whole() {
        let positional = r#"[["1", "revenue", null, "1", null, "2026-01-01T00:00:00Z", null, null]]"#;
        assert_eq!(Batch::read(&Format::Json, positional).unwrap().rejected[0].1.code, "invalid_event");
        for body in ["", "[", "7", "\"x\"", "null", r#"{"events": 7}"#, r#"{"events": [], "more": 1}"#, "[1] 2"] {
            assert_eq!(Batch::read(&Format::Json, body).unwrap_err().kind(), Kind::MalformedBody, "{body}");
        }
        let many = format!("[{}]", vec!["1"; MAX_EVENTS + 1].join(","));
        assert_eq!(Batch::read(&Format::Json, many).unwrap_err().kind(), Kind::TooManyEvents);
    }

    /// The events of good form and then the others, from where the database looks for them.
    fn texts(batch: &Batch) -> Vec<String> {
        let Texts { bytes, lengths } = batch.texts();
        let mut rest = bytes.as_slice();
        let texts = lengths.iter().map(|length| rest.split_off(..length.parse().unwrap()).unwrap());
        texts.map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
    }

    fn codes(batch: &Batch) -> Vec<(usize, &str)> {
        batch.rejected.iter().map(|(place, fault)| (place.index, fault.code)).collect()
    }

    #[test]
    fn an_envelope_may_be_written_in_other_ways() {
        for body in [format!(" {{ \"events\" :\n[ {} ] }} ", event()), format!(r#"{{"\u0065vents":[{}]}}"#, event())] {
            let batch = Batch::read(&Format::Json, body).unwrap();
            assert_eq!((batch.rows.len(), texts(&batch)[0].as_str()), (1, event().to_string().as_str()));
        }
        for body in [
            format!(r#"{{"more":1,"events":[{}]}}"#, event()),
            format!(r#"{{"events":[{0}],"events":[{0}]}}"#, event()),
            format!(r#"{{"events":[{}]}} x"#, event()),
            format!(r#"{{"\u0065vents":{}}}"#, event()),
        ] {
            assert_eq!(Batch::read(&Format::Json, body.clone()).unwrap_err().kind(), Kind::MalformedBody, "{body}");
        }
        assert!(Batch::read(&Format::Json, &b"[\"\xff\"]"[..]).is_err());
    }

    #[test]
    fn lines_are_counted_but_for_the_blank_ones() {
        let (one, with_break) = (event().to_string(), event().to_string().replace("web", "a\nb"));
        let body = format!("\n \t\r\n{one}\r\n7\n\n{one}{one}\n{with_break}\n  {one}");
        let batch = Batch::read(&Format::Ndjson, body).unwrap();
        assert_eq!((batch.rows.len(), texts(&batch)[1].as_str()), (2, one.as_str()));
        assert_eq!(codes(&batch), [1, 2, 3, 4].map(|index| (index, "invalid_event")));
        let many = "\n1".repeat(MAX_EVENTS + 1);
        assert_eq!(Batch::read(&Format::Ndjson, many).unwrap_err().kind(), Kind::TooManyEvents);
        assert_eq!(Batch::read(&Format::Ndjson, "\n").unwrap().columns, Columns::default());
    }

    #[test]
    fn a_cloud_event_says_the_same_in_other_words() {
        let cloud = json!({"specversion": "1.0", "id": "order-1001", "type": "revenue", "source": "shopify",
                           "subject": STORE, "time": "2026-11-22T07:00:00Z", "extension": [1],
                           "data": {"value": "129.90", "currency": "USD", "dimensions": {"channel": "web"}}});
        let batch = Batch::read(&Format::CloudEventBatch, json!([cloud]).to_string()).unwrap();
        assert_eq!(batch.columns, read(&event()).columns);
        assert_eq!(Batch::read(&Format::CloudEvent, cloud.to_string()).unwrap().columns, batch.columns);

        let mut external = cloud.clone();
        external["subject"] = json!("33333333333343338333333333333333");
        let batch = Batch::read(&Format::CloudEvent, external.to_string()).unwrap();
        let row = batch.columns.row(0).unwrap();
        assert_eq!((row.store_id, row.external_id), (None, external["subject"].as_str()));
    }

    #[test]
    fn a_binary_cloud_event_is_kept_as_a_structured_one() {
        let mut headers = http::HeaderMap::new();
        for (name, value) in
            [("content-type", "application/json"), ("ce-specversion", "1.0"), ("ce-id", "a%22b"), ("ce-x", "y")]
        {
            headers.insert(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let batch = Batch::read(&Format::of(&headers).unwrap(), r#"{"value": 1}"#).unwrap();
        let kept = batch.rejections().next().unwrap();
        assert_eq!((kept.code, kept.known.event_id.as_deref()), ("invalid_event", Some("a\"b")));
        let kept: Value = serde_json::from_str(&kept.body).unwrap();
        assert_eq!(
            (&kept["id"], &kept["data"], &kept["datacontenttype"]),
            (&json!("a\"b"), &json!({"value": 1}), &json!("application/json"))
        );
    }
}
