//! What holds for every batch that was read.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tally_core::events::{Batch, Columns, Rejection, SeriesColumns, Stored, Texts};

const MAX_RAW_BYTES: usize = 65_536;

/// A batch as it can be compared: the columns, the texts of their rows, and the codes of what is in none, by number.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) columns: Columns,
    pub(crate) raw: Vec<String>,
    pub(crate) codes: Vec<(usize, String)>,
}

impl Outcome {
    /// How many events there were.
    pub(crate) fn count(&self) -> usize {
        self.columns.numbers.len() + self.codes.len()
    }
}

/// Holds a batch to what is promised of each.
pub(crate) fn outcome(mut batch: Batch) -> Outcome {
    let columns = batch.take_columns();
    let rows = columns.numbers.len();
    assert_castable(&columns);
    let mut raw = texts(&batch.texts());
    let rejections: Vec<_> = batch.rejections().inspect(assert_keepable).collect();
    assert!(raw.len() >= rows, "a row without its text");
    assert!(raw.split_off(rows).iter().eq(rejections.iter().map(|one| &one.body)), "a text that is another event's");
    let codes: Vec<_> = rejections.iter().map(|one| (one.index, one.code.to_owned())).collect();
    assert_counted_once(&batch, rows, &codes);
    Outcome { columns, raw, codes }
}

/// Each text from where the batch says that it is.
fn texts(Texts { bytes, lengths }: &Texts) -> Vec<String> {
    let mut rest = bytes.as_slice();
    let text = |length: &str| {
        let bytes = length.parse().ok().and_then(|length| rest.split_off(..length));
        match bytes.map(|bytes| String::from_utf8(bytes.to_vec())) {
            Some(Ok(text)) => text,
            other => panic!("no text: {other:?}"),
        }
    };
    let texts = lengths.iter().map(text).collect();
    assert!(rest.is_empty(), "bytes of no text");
    texts
}

/// Every event is in the receipt, once.
fn assert_counted_once(batch: &Batch, rows: usize, codes: &[(usize, String)]) {
    // As if the database had taken all but the first.
    let told: Vec<Value> = (0..rows.min(1))
        .map(|index| json!({"index": index, "code": "unknown_metric", "detail": "x", "quarantine_id": null}))
        .collect();
    let stored = json!({
        "accepted": rows - told.len(), "duplicates": 0, "replaced": 0, "errors": told, "rejected_ids": [], "quarantined": 0,
        "quarantine_full": false,
    });
    let Ok(stored) = serde_json::from_value::<Stored>(stored) else { panic!("no answer of the database") };
    let receipt = serde_json::to_value(batch.receipt(stored)).unwrap_or_default();
    let numbers: BTreeSet<_> =
        receipt["errors"].as_array().into_iter().flatten().map(|error| error["index"].as_u64()).collect();
    assert_eq!(numbers.len(), codes.len() + told.len(), "{receipt}");
    assert_eq!(receipt["rejected"], numbers.len(), "{receipt}");
    let count = rows + codes.len();
    assert!(numbers.iter().all(|number| number.is_some_and(|number| number < count as u64)), "{receipt}");
}

/// All of one length, and each value what Postgres casts; and every series is some event's.
fn assert_castable(columns: &Columns) {
    let Columns { series, numbers, ids, values, recorded_at } = columns;
    let SeriesColumns { store_ids, external_ids, sources, metrics, currencies, dimensions } = series;
    for column in [store_ids, external_ids, sources, metrics, currencies, dimensions] {
        assert_eq!(column.len(), metrics.len());
        assert!(column.iter().flatten().all(|text| !text.contains('\0')), "{column:?}");
    }
    for (lines, holds) in [(ids, is_name as fn(&str) -> bool), (values, is_decimal)] {
        assert_eq!(lines.iter().count(), numbers.len());
        assert!(lines.iter().all(holds), "{lines:?}");
    }
    // From 1970 to the end of the year 9999.
    assert_eq!(recorded_at.len(), numbers.len());
    assert!(recorded_at.iter().all(|time| time.is_some_and(|time| (0..253_402_300_800_000_000).contains(&time))));
    let used: BTreeSet<_> = numbers.iter().map(|number| number.unwrap_or_default()).collect();
    assert!(used.iter().copied().eq((1..).take(metrics.len())), "{used:?} of {}", metrics.len());
    for column in [metrics, sources] {
        assert!(column.iter().all(|text| text.as_deref().is_some_and(is_name)), "{column:?}");
    }
    for (values, holds) in [
        (dimensions, is_object_of_scalars as fn(&str) -> bool),
        (store_ids, is_uuid),
        (currencies, |text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())),
    ] {
        assert!(values.iter().flatten().all(|text| holds(text)), "{values:?}");
    }
    assert!(dimensions.iter().all(Option::is_some));
    assert!(store_ids.iter().zip(external_ids).all(|(id, external)| id.is_none() || external.is_none()));
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.contains(char::is_control)
}

/// At most 30 digits before the point and 18 after it, also once the exponent has moved it.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |part: &str, shift: i32, max: i32| part.len() as i32 + shift.max(0) <= max;
    digits(integer) && digits(fraction) && fits(integer, exponent, 30) && fits(fraction, -exponent, 18)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

fn is_object_of_scalars(text: &str) -> bool {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(text) else { return false };
    let is_scalar = |value: &Value| match value {
        Value::String(text) => text.len() <= 255 && !text.contains('\0'),
        Value::Bool(_) | Value::Number(_) => true,
        _ => false,
    };
    fields.len() <= 32 && fields.iter().all(|(name, value)| (1..=63).contains(&name.len()) && is_scalar(value))
}

/// What is kept of a rejected event is bounded, and text that Postgres takes.
fn assert_keepable(rejection: &Rejection<'_>) {
    assert!(rejection.body.len() <= MAX_RAW_BYTES && !rejection.body.contains('\0'), "{rejection:?}");
    assert!(rejection.detail.len() <= 600 && !rejection.detail.contains(char::is_control), "{rejection:?}");
    let known = &rejection.known;
    let texts = [&known.event_id, &known.source, &known.metric];
    for text in texts.into_iter().flatten() {
        assert!((1..=255).contains(&text.len()) && !text.contains(char::is_control), "{rejection:?}");
    }
}
