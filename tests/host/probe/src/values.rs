//! Parameters, values and errors of Postgres as JSON: each an object with one key, the name of its WIT case.

use serde::Deserialize;
use serde_json::{Value, json};
use spin_sdk::pg::{Column, DbDataType, DbValue, Interval, ParameterValue, PgError, QueryError, RangeBoundKind};

type Bound<T> = Option<(T, Kind)>;

/// A parameter as the tests write it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Parameter {
    Boolean(bool),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Floating32(f32),
    Floating64(f64),
    Str(String),
    Binary(Vec<u8>),
    Date(i32, u8, u8),
    Time(u8, u8, u8, u32),
    Datetime(i32, u8, u8, u8, u8, u8, u32),
    Timestamp(i64),
    Uuid(String),
    Jsonb(String),
    Decimal(String),
    RangeInt32(Bound<i32>, Bound<i32>),
    RangeInt64(Bound<i64>, Bound<i64>),
    RangeDecimal(Bound<String>, Bound<String>),
    ArrayInt32(Vec<Option<i32>>),
    ArrayInt64(Vec<Option<i64>>),
    ArrayDecimal(Vec<Option<String>>),
    ArrayStr(Vec<Option<String>>),
    Interval(i64, i32, i32),
    DbNull,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Inclusive,
    Exclusive,
}

fn bound<T>(bound: Bound<T>) -> Option<(T, RangeBoundKind)> {
    bound.map(|(value, kind)| {
        let kind = match kind {
            Kind::Inclusive => RangeBoundKind::Inclusive,
            Kind::Exclusive => RangeBoundKind::Exclusive,
        };
        (value, kind)
    })
}

impl From<Parameter> for ParameterValue {
    fn from(parameter: Parameter) -> Self {
        match parameter {
            Parameter::Boolean(value) => Self::Boolean(value),
            Parameter::Int8(value) => Self::Int8(value),
            Parameter::Int16(value) => Self::Int16(value),
            Parameter::Int32(value) => Self::Int32(value),
            Parameter::Int64(value) => Self::Int64(value),
            Parameter::Floating32(value) => Self::Floating32(value),
            Parameter::Floating64(value) => Self::Floating64(value),
            Parameter::Str(value) => Self::Str(value),
            Parameter::Binary(value) => Self::Binary(value),
            Parameter::Date(y, m, d) => Self::Date((y, m, d)),
            Parameter::Time(h, m, s, n) => Self::Time((h, m, s, n)),
            Parameter::Datetime(y, mo, d, h, mi, s, n) => Self::Datetime((y, mo, d, h, mi, s, n)),
            Parameter::Timestamp(value) => Self::Timestamp(value),
            Parameter::Uuid(value) => Self::Uuid(value),
            Parameter::Jsonb(value) => Self::Jsonb(value.into_bytes()),
            Parameter::Decimal(value) => Self::Decimal(value),
            Parameter::RangeInt32(lower, upper) => Self::RangeInt32((bound(lower), bound(upper))),
            Parameter::RangeInt64(lower, upper) => Self::RangeInt64((bound(lower), bound(upper))),
            Parameter::RangeDecimal(lower, upper) => Self::RangeDecimal((bound(lower), bound(upper))),
            Parameter::ArrayInt32(values) => Self::ArrayInt32(values),
            Parameter::ArrayInt64(values) => Self::ArrayInt64(values),
            Parameter::ArrayDecimal(values) => Self::ArrayDecimal(values),
            Parameter::ArrayStr(values) => Self::ArrayStr(values),
            Parameter::Interval(micros, days, months) => Self::Interval(Interval { micros, days, months }),
            Parameter::DbNull => Self::DbNull,
        }
    }
}

/// A row.
pub(crate) fn row(values: &[DbValue]) -> Value {
    values.iter().map(value).collect()
}

fn value(value: &DbValue) -> Value {
    match value {
        DbValue::Boolean(value) => json!({"boolean": value}),
        DbValue::Int8(value) => json!({"int8": value}),
        DbValue::Int16(value) => json!({"int16": value}),
        DbValue::Int32(value) => json!({"int32": value}),
        DbValue::Int64(value) => json!({"int64": value}),
        DbValue::Floating32(value) => json!({"floating32": value}),
        DbValue::Floating64(value) => json!({"floating64": value}),
        DbValue::Str(value) => json!({"str": value}),
        DbValue::Binary(value) => json!({"binary": value}),
        DbValue::Date(value) => json!({"date": value}),
        DbValue::Time(value) => json!({"time": value}),
        DbValue::Datetime(value) => json!({"datetime": value}),
        DbValue::Timestamp(value) => json!({"timestamp": value}),
        DbValue::Uuid(value) => json!({"uuid": value}),
        DbValue::Jsonb(value) => json!({"jsonb": String::from_utf8_lossy(value)}),
        DbValue::Decimal(value) => json!({"decimal": value}),
        DbValue::RangeInt32((lower, upper)) => json!({"range-int32": [edge(lower), edge(upper)]}),
        DbValue::RangeInt64((lower, upper)) => json!({"range-int64": [edge(lower), edge(upper)]}),
        DbValue::RangeDecimal((lower, upper)) => json!({"range-decimal": [edge(lower), edge(upper)]}),
        DbValue::ArrayInt32(values) => json!({"array-int32": values}),
        DbValue::ArrayInt64(values) => json!({"array-int64": values}),
        DbValue::ArrayDecimal(values) => json!({"array-decimal": values}),
        DbValue::ArrayStr(values) => json!({"array-str": values}),
        DbValue::Interval(value) => json!({"interval": [value.micros, value.days, value.months]}),
        DbValue::DbNull => json!("db-null"),
        DbValue::Unsupported(bytes) => json!({"unsupported": bytes}),
    }
}

fn edge<T: serde::Serialize>(bound: &Option<(T, RangeBoundKind)>) -> Value {
    bound.as_ref().map_or(Value::Null, |(value, kind)| {
        json!([value, if matches!(kind, RangeBoundKind::Inclusive) { "inclusive" } else { "exclusive" }])
    })
}

/// A column: its name and type.
pub(crate) fn column(column: &Column) -> Value {
    json!([column.name, data_type(&column.data_type)])
}

fn data_type(data_type: &DbDataType) -> String {
    match data_type {
        DbDataType::Other(name) => format!("other({name})"),
        // The generated debug form is `DbDataType::Int32`.
        known => format!("{known:?}").replace("DbDataType::", "").to_lowercase(),
    }
}

/// An error: its case, and what it holds.
pub(crate) fn error(error: &PgError) -> Value {
    match error {
        PgError::ConnectionFailed(text) => json!({"connection-failed": text}),
        PgError::BadParameter(text) => json!({"bad-parameter": text}),
        PgError::ValueConversionFailed(text) => json!({"value-conversion-failed": text}),
        PgError::Other(text) => json!({"other": text}),
        PgError::QueryFailed(QueryError::Text(text)) => json!({"query-failed": text}),
        PgError::QueryFailed(QueryError::DbError(db)) => json!({"db-error": {
            "severity": db.severity, "code": db.code, "message": db.message, "detail": db.detail,
            "as_text": db.as_text, "extras": db.extras.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        }}),
    }
}
