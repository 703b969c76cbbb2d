//! Events, in each way they are written.

use super::promises::{Outcome, outcome};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tally_core::events::{Batch, Format, MAX_EVENTS};
use tally_core::problem::Kind;

/// What is no JSON is refused as a whole, unless it has too many events before that shows. Of an array every element counts,
/// and comes to the same on a line of its own, and a text that is kept to what it came to before.
pub fn events_json(data: &[u8]) {
    let read = read(&Format::Json, data);
    if serde_json::from_slice::<IgnoredAny>(data).is_err() || std::str::from_utf8(data).is_err() {
        assert_refused_for_its_form(&read, data);
        return;
    }
    if let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(data) {
        assert_refused_for_its_size(&read, elements.len());
        // Line breaks within an event are blanks as good as others.
        let on_one_line = |text: &str| text.replace(['\n', '\r'], " ");
        let lines: Vec<String> = elements.iter().map(|event| on_one_line(event.get())).collect();
        let mut lines = self::read(&Format::Ndjson, lines.join("\n").as_bytes());
        if let (Ok(lines), Ok(read)) = (&mut lines, &read) {
            assert_eq!(lines.raw, read.raw.iter().map(|raw| on_one_line(raw)).collect::<Vec<_>>());
            lines.raw.clone_from(&read.raw);
        }
        assert_eq!(read, lines, "the same as lines");
        let envelope = [br#"{"events":"#, data, b"}"].concat();
        assert_eq!(read, self::read(&Format::Json, &envelope), "the same in an envelope");
    }
    if let Ok(outcome) = read {
        assert_same_again(&Format::Json, &outcome);
    }
}

/// Every line that is not blank counts, whatever it is.
pub fn events_ndjson(data: &[u8]) {
    let read = read(&Format::Ndjson, data);
    let lines = data.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    assert_refused_for_its_size(&read, lines);
    if let Ok(outcome) = read {
        assert_same_again(&Format::Json, &outcome);
    }
}

/// Lines `name: value` up to an empty one, and the body: in the binary mode, and the body alone in the others. One event comes
/// to the same in each.
pub fn cloud_events(data: &[u8]) {
    let (headers, body) = split(data);
    if let Ok(format @ Format::BinaryCloudEvent(_)) = Format::of(&headers)
        && let Ok(outcome) = read(&format, body)
    {
        assert_eq!(outcome.count(), 1);
        assert_same_again(&Format::CloudEvent, &outcome);
    }
    let one = read(&Format::CloudEvent, body);
    if let Ok(one) = &one {
        assert_eq!(one.count(), 1);
        assert_same_again(&Format::CloudEvent, one);
        let batch = [b"[", body, b"]"].concat();
        assert_eq!(read(&Format::CloudEventBatch, &batch).as_ref(), Ok(one), "the same in a batch");
    }
    let many = read(&Format::CloudEventBatch, body);
    if let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(body) {
        assert_refused_for_its_size(&many, elements.len());
    } else {
        assert_refused_for_its_form(&many, body);
    }
}

fn read(format: &Format, body: &[u8]) -> Result<Outcome, Kind> {
    Batch::read(format, body.to_vec()).map(outcome).map_err(|problem| problem.kind())
}

/// What is no list to its end is told to be none, unless one too many of its events come first.
fn assert_refused_for_its_form(read: &Result<Outcome, Kind>, data: &[u8]) {
    match read {
        Err(Kind::MalformedBody) => (),
        Err(Kind::TooManyEvents) => {
            assert!(std::str::from_utf8(data).is_ok());
            assert!(data.iter().filter(|&&byte| byte == b',').count() >= MAX_EVENTS);
        }
        other => panic!("taken, or refused for something else: {other:?}"),
    }
}

/// A list of so many events is taken, unless there are too many or all are too large.
fn assert_refused_for_its_size(read: &Result<Outcome, Kind>, count: usize) {
    match read {
        Ok(outcome) => assert_eq!(outcome.count(), count),
        Err(Kind::TooManyEvents) => assert!(count > MAX_EVENTS),
        Err(kind) => assert_eq!((*kind, count > 0), (Kind::EventTooLarge, true)),
    }
}

/// The texts of the rows, read again, are the same rows.
fn assert_same_again(format: &Format, outcome: &Outcome) {
    for (row, raw) in outcome.raw.iter().enumerate() {
        let Ok(again) = read(format, raw.as_bytes()) else { panic!("not read again: {raw}") };
        assert_eq!(again.columns.row(0), outcome.columns.row(row));
        assert_eq!(&again.raw[0], raw);
    }
}

fn split(data: &[u8]) -> (HeaderMap, &[u8]) {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (&[][..], data),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for line in head.split(|&byte| byte == b'\n').take(64) {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line[colon..].get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    (headers, body)
}
