//! A component's parameters as the driver's. None is widened: each fits exactly the types the driver has for it.

use anyhow::{Context as _, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use postgres_range::{BoundSided, BoundType, Normalizable, Range, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::numbers::{Interval, Null, RangeDecimal};
use super::wit::{ParameterValue, RangeBoundKind};

/// A parameter ready to send.
pub(super) type Parameter = Box<dyn ToSql + Sync + Send>;

type Bound<T> = Option<(T, RangeBoundKind)>;

/// All parameters of a statement.
pub(super) fn encode_all(values: Vec<ParameterValue>) -> Result<Vec<Parameter>> {
    values.into_iter().map(encode).collect()
}

fn encode(value: ParameterValue) -> Result<Parameter> {
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(value),
        ParameterValue::Int8(value) => Box::new(value),
        ParameterValue::Int16(value) => Box::new(value),
        ParameterValue::Int32(value) => Box::new(value),
        ParameterValue::Int64(value) => Box::new(value),
        ParameterValue::Floating32(value) => Box::new(value),
        ParameterValue::Floating64(value) => Box::new(value),
        ParameterValue::Str(value) => Box::new(value),
        ParameterValue::Binary(value) => Box::new(value),
        ParameterValue::Date((year, month, day)) => Box::new(date(year, month, day)?),
        ParameterValue::Time((hour, minute, second, nanosecond)) => Box::new(time(hour, minute, second, nanosecond)?),
        ParameterValue::Datetime((year, month, day, hour, minute, second, nanosecond)) => {
            Box::new(NaiveDateTime::new(date(year, month, day)?, time(hour, minute, second, nanosecond)?))
        }
        ParameterValue::Timestamp(seconds) => Box::new(timestamp(seconds)?),
        ParameterValue::Uuid(value) => {
            Box::new(Uuid::parse_str(&value).with_context(|| format!("invalid UUID {value}"))?)
        }
        ParameterValue::Jsonb(value) => Box::new(json(&value)?),
        ParameterValue::Decimal(value) => Box::new(decimal(&value)?),
        ParameterValue::RangeInt32((lower, upper)) => Box::new(range(lower, upper)),
        ParameterValue::RangeInt64((lower, upper)) => Box::new(range(lower, upper)),
        ParameterValue::RangeDecimal((lower, upper)) => Box::new(range(decimal_bound(lower)?, decimal_bound(upper)?)),
        ParameterValue::ArrayInt32(values) => Box::new(values),
        ParameterValue::ArrayInt64(values) => Box::new(values),
        ParameterValue::ArrayDecimal(values) => Box::new(decimals(&values)?),
        ParameterValue::ArrayStr(values) => Box::new(values),
        ParameterValue::Interval(value) => Box::new(Interval(value)),
        ParameterValue::DbNull => Box::new(Null),
    })
}

fn date(year: i32, month: u8, day: u8) -> Result<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month.into(), day.into())
        .with_context(|| format!("invalid date y={year}, m={month}, d={day}"))
}

fn time(hour: u8, minute: u8, second: u8, nanosecond: u32) -> Result<NaiveTime> {
    NaiveTime::from_hms_nano_opt(hour.into(), minute.into(), second.into(), nanosecond)
        .with_context(|| format!("invalid time {hour}:{minute}:{second}:{nanosecond}"))
}

fn timestamp(seconds: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0).with_context(|| format!("invalid epoch timestamp {seconds}"))
}

fn json(value: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(value).with_context(|| format!("invalid JSON {}", String::from_utf8_lossy(value)))
}

fn decimal(value: &str) -> Result<Decimal> {
    Decimal::from_str_exact(value).with_context(|| format!("invalid decimal {value}"))
}

fn decimals(values: &[Option<String>]) -> Result<Vec<Option<Decimal>>> {
    values.iter().map(|value| value.as_deref().map(decimal).transpose()).collect()
}

fn decimal_bound(bound: Bound<String>) -> Result<Bound<RangeDecimal>> {
    bound.map(|(value, kind)| Ok((RangeDecimal(decimal(&value)?), kind))).transpose()
}

fn range<T: Normalizable + PartialOrd>(lower: Bound<T>, upper: Bound<T>) -> Range<T> {
    Range::new(lower.map(range_bound), upper.map(range_bound))
}

fn range_bound<S: BoundSided, T: Normalizable + PartialOrd>((value, kind): (T, RangeBoundKind)) -> RangeBound<S, T> {
    RangeBound::new(
        value,
        match kind {
            RangeBoundKind::Inclusive => BoundType::Inclusive,
            RangeBoundKind::Exclusive => BoundType::Exclusive,
        },
    )
}
