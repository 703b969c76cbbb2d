//! Ways in which an event can be wrong by itself, whatever stores and metrics there are.

/// Where a flaw can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fits {
    /// In any format.
    Any,
    /// Among other events only: alone it would be no body at all.
    Many,
    /// In an event of our own.
    Own,
    /// In a line.
    Line,
    /// In a `CloudEvent`.
    Cloud,
}

/// What is done to an event that was good. Fields are called as in an event of our own, values are JSON.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    Set(&'static str, &'static str),
    /// A text of so many bytes.
    Long(&'static str, usize),
    Remove(&'static str),
    /// A field that comes a second time.
    Twice(&'static str, &'static str),
    /// So many dimensions.
    Dimensions(usize),
    /// Something else in place of the event.
    Whole(&'static str),
    /// Without its last byte.
    Cut,
    /// With this before its last byte.
    Bytes(&'static [u8]),
}

/// A flaw, and the code that it is rejected with.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) code: &'static str,
    pub(super) fits: Fits,
    pub(super) edit: Edit,
}

const fn flaw(code: &'static str, fits: Fits, edit: Edit) -> Flaw {
    Flaw { code, fits, edit }
}

use Edit::{Bytes, Cut, Dimensions, Long, Remove, Set, Twice, Whole};
use Fits::{Any, Cloud, Line, Many, Own};

/// Flaws that any event can have.
pub(super) static PLAIN: Flaw = flaw("invalid_value", Any, Set("value", r#""lots""#));
pub(super) static TOO_LARGE: Flaw = flaw("event_too_large", Any, Long("dimensions", 33_000));

/// The codes of events of bad form.
pub(super) const FLAWED_CODES: [&str; 7] = [
    "event_too_large",
    "invalid_currency",
    "invalid_dimensions",
    "invalid_event",
    "invalid_time",
    "invalid_value",
    "out_of_range",
];

pub(super) static FLAWS: [Flaw; 85] = [
    flaw("event_too_large", Any, Long("dimensions", 32_768)),
    flaw("event_too_large", Any, Long("dimensions", 70_000)),
    flaw("invalid_currency", Any, Set("currency", r#""""#)),
    flaw("invalid_currency", Any, Set("currency", r#""BGN""#)),
    flaw("invalid_currency", Any, Set("currency", r#""US""#)),
    flaw("invalid_currency", Any, Set("currency", r#""usd""#)),
    flaw("invalid_dimensions", Any, Dimensions(33)),
    flaw("invalid_dimensions", Any, Set("dimensions", "5")),
    flaw("invalid_dimensions", Any, Set("dimensions", "[]")),
    flaw("invalid_dimensions", Any, Set("dimensions", r#"{"a": {"b": 1}}"#)),
    flaw("invalid_dimensions", Any, Set("dimensions", r#"{"": "x"}"#)),
    flaw("invalid_dimensions", Any, Set("dimensions", r#"{"a": "\u0000"}"#)),
    flaw("invalid_dimensions", Any, Set("dimensions", r#"{"a": 1e200}"#)),
    flaw("invalid_dimensions", Any, Set("dimensions", r#"{"a": null}"#)),
    flaw("invalid_dimensions", Any, Long("dimensions", 256)),
    flaw("invalid_event", Any, Long("id", 256)),
    flaw("invalid_event", Any, Long("metric", 64)),
    flaw("invalid_event", Any, Long("source", 256)),
    flaw("invalid_event", Any, Remove("id")),
    flaw("invalid_event", Any, Remove("metric")),
    flaw("invalid_event", Any, Remove("recorded_at")),
    flaw("invalid_event", Any, Remove("value")),
    flaw("invalid_event", Any, Set("colour", r#""red""#)),
    flaw("invalid_event", Any, Set("currency", "5")),
    flaw("invalid_event", Any, Set("id", "7")),
    flaw("invalid_event", Any, Set("id", "null")),
    flaw("invalid_event", Any, Set("id", r#""""#)),
    flaw("invalid_event", Any, Set("id", r#""a\u0007b""#)),
    flaw("invalid_event", Any, Set("id", r#""a\u0000b""#)),
    flaw("invalid_event", Any, Set("metric", r#""""#)),
    flaw("invalid_event", Any, Set("metric", r#"["t_sum"]"#)),
    flaw("invalid_event", Any, Set("recorded_at", "1764061200")),
    flaw("invalid_event", Any, Set("source", "5")),
    flaw("invalid_event", Any, Set("source", r#""""#)),
    flaw("invalid_event", Any, Set("store_id", "5")),
    flaw("invalid_event", Any, Twice("id", r#""again""#)),
    flaw("invalid_event", Any, Twice("metric", r#""t_max""#)),
    flaw("invalid_event", Any, Twice("value", "5")),
    flaw("invalid_event", Cloud, Remove("data")),
    flaw("invalid_event", Cloud, Remove("source")),
    flaw("invalid_event", Cloud, Remove("specversion")),
    flaw("invalid_event", Cloud, Set("data", "5")),
    flaw("invalid_event", Cloud, Set("data", "null")),
    flaw("invalid_event", Cloud, Set("data", r#"["1", "USD", {}]"#)),
    flaw("invalid_event", Cloud, Set("data", r#""{\"value\":1}""#)),
    flaw("invalid_event", Cloud, Set("data_base64", r#""e30=""#)),
    flaw("invalid_event", Cloud, Set("datacontenttype", r#""application/xml""#)),
    flaw("invalid_event", Cloud, Set("recorded_at", "null")),
    flaw("invalid_event", Cloud, Set("specversion", r#""0.3""#)),
    flaw("invalid_event", Cloud, Set("store_id", r#""""#)),
    flaw("invalid_event", Cloud, Set("store_id", r#""a\u0007b""#)),
    flaw("invalid_event", Line, Bytes(b",\"note\":\"\0\"")),
    flaw("invalid_event", Line, Bytes(b",\"note\":\"\xff\"")),
    flaw("invalid_event", Line, Cut),
    flaw("invalid_event", Line, Whole("id,metric,value")),
    flaw("invalid_event", Line, Whole("{")),
    flaw("invalid_event", Many, Whole("7")),
    flaw("invalid_event", Many, Whole("[1, [2]]")),
    flaw("invalid_event", Many, Whole("null")),
    flaw("invalid_event", Many, Whole("true")),
    flaw("invalid_event", Many, Whole("{}")),
    flaw("invalid_event", Many, Whole(r#""{\"id\": \"1\"}""#)),
    flaw("invalid_event", Own, Set("a\0b", r#""a\u0000b""#)),
    flaw("invalid_event", Own, Set("\u{7f}", "{}")),
    flaw("invalid_event", Own, Set("store_id", r#""""#)),
    flaw("invalid_event", Own, Set("store_id", r#""shop-0""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""2026-02-30T00:00:00Z""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""2026-05-05 18:15:00Z""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""2026-05-05T18:15:00""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""2026-05-05T18:15:00Z[UTC]""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""2026-05-05T18:15Z""#)),
    flaw("invalid_time", Any, Set("recorded_at", r#""yesterday""#)),
    flaw("invalid_value", Any, Set("value", "1e31")),
    flaw("invalid_value", Any, Set("value", "null")),
    flaw("invalid_value", Any, Set("value", "true")),
    flaw("invalid_value", Any, Set("value", "{}")),
    flaw("invalid_value", Any, Set("value", r#""""#)),
    flaw("invalid_value", Any, Set("value", r#""+1""#)),
    flaw("invalid_value", Any, Set("value", r#""1e3""#)),
    flaw("invalid_value", Any, Set("value", r#""1234567890123456789012345678901""#)),
    flaw("invalid_value", Any, Set("value", r#""0.1234567890123456789""#)),
    flaw("invalid_value", Any, Set("value", r#""NaN""#)),
    flaw("out_of_range", Any, Set("recorded_at", r#""1969-12-31T23:59:59.999999Z""#)),
    flaw("out_of_range", Any, Set("recorded_at", r#""1970-01-01T00:59:59+01:00""#)),
];
