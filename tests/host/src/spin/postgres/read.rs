//! Rows as a component sees them: the columns' types, and the values Spin knows how to read.

use anyhow::Result;
use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};
use postgres_range::{BoundSided, BoundType, Normalizable, Range, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::numbers::{Interval, RangeDecimal, Raw};
use super::wit::{Column, DbDataType, DbValue, RangeBoundKind};

type Bound<T> = Option<(T, RangeBoundKind)>;

/// The columns of a row.
pub(super) fn columns(row: &Row) -> Vec<Column> {
    row.columns()
        .iter()
        .map(|column| Column { name: column.name().to_owned(), data_type: data_type(column.type_()) })
        .collect()
}

/// The values of a row.
pub(super) fn values(row: &Row) -> Result<Vec<DbValue>> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn data_type(ty: &Type) -> DbDataType {
    match *ty {
        Type::BOOL => DbDataType::Boolean,
        Type::BYTEA => DbDataType::Binary,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DbDataType::Datetime,
        Type::DATE => DbDataType::Date,
        Type::TIME => DbDataType::Time,
        Type::UUID => DbDataType::Uuid,
        Type::JSONB => DbDataType::Jsonb,
        Type::NUMERIC => DbDataType::Decimal,
        Type::INT4_RANGE => DbDataType::RangeInt32,
        Type::INT8_RANGE => DbDataType::RangeInt64,
        Type::NUM_RANGE => DbDataType::RangeDecimal,
        Type::INT4_ARRAY => DbDataType::ArrayInt32,
        Type::INT8_ARRAY => DbDataType::ArrayInt64,
        Type::NUMERIC_ARRAY => DbDataType::ArrayDecimal,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => DbDataType::ArrayStr,
        Type::INTERVAL => DbDataType::Interval,
        _ => DbDataType::Other(ty.name().to_owned()),
    }
}

fn value(row: &Row, index: usize) -> Result<DbValue> {
    match *row.columns()[index].type_() {
        Type::BOOL => read(row, index, DbValue::Boolean),
        Type::BYTEA => read(row, index, DbValue::Binary),
        Type::FLOAT4 => read(row, index, DbValue::Floating32),
        Type::FLOAT8 => read(row, index, DbValue::Floating64),
        Type::INT2 => read(row, index, DbValue::Int16),
        Type::INT4 => read(row, index, DbValue::Int32),
        Type::INT8 => read(row, index, DbValue::Int64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => read(row, index, DbValue::Str),
        // As in Spin, timestamptz is announced as a datetime and then fails: the driver reads only timestamp into it.
        Type::TIMESTAMP | Type::TIMESTAMPTZ => read_checked(row, index, datetime),
        Type::DATE => read_checked(row, index, date),
        Type::TIME => read_checked(row, index, time),
        Type::UUID => read(row, index, |value: Uuid| DbValue::Uuid(value.to_string())),
        // Not the stored text: parsed and written anew.
        Type::JSONB => {
            read_checked(row, index, |value: serde_json::Value| Ok(DbValue::Jsonb(serde_json::to_vec(&value)?)))
        }
        Type::NUMERIC => read(row, index, |value: Decimal| DbValue::Decimal(value.to_string())),
        Type::INT4_RANGE => read(row, index, |value| DbValue::RangeInt32(range(&value, |bound: &i32| *bound))),
        Type::INT8_RANGE => read(row, index, |value| DbValue::RangeInt64(range(&value, |bound: &i64| *bound))),
        Type::NUM_RANGE => {
            read(row, index, |value| DbValue::RangeDecimal(range(&value, |bound: &RangeDecimal| bound.0.to_string())))
        }
        Type::INT4_ARRAY => read(row, index, DbValue::ArrayInt32),
        Type::INT8_ARRAY => read(row, index, DbValue::ArrayInt64),
        Type::NUMERIC_ARRAY => read(row, index, |values: Vec<Option<Decimal>>| {
            DbValue::ArrayDecimal(values.iter().map(|value| value.map(|value| value.to_string())).collect())
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => read(row, index, DbValue::ArrayStr),
        Type::INTERVAL => read(row, index, |value: Interval| DbValue::Interval(value.0)),
        _ => read(row, index, |value: Raw| DbValue::Unsupported(value.0)),
    }
}

fn read<'a, T: FromSql<'a>>(row: &'a Row, index: usize, convert: impl Fn(T) -> DbValue) -> Result<DbValue> {
    read_checked(row, index, |value| Ok(convert(value)))
}

fn read_checked<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    convert: impl Fn(T) -> Result<DbValue>,
) -> Result<DbValue> {
    match row.try_get::<_, Option<T>>(index)? {
        Some(value) => convert(value),
        None => Ok(DbValue::DbNull),
    }
}

fn datetime(value: NaiveDateTime) -> Result<DbValue> {
    Ok(DbValue::Datetime((
        value.year(),
        value.month().try_into()?,
        value.day().try_into()?,
        value.hour().try_into()?,
        value.minute().try_into()?,
        value.second().try_into()?,
        value.nanosecond(),
    )))
}

fn date(value: NaiveDate) -> Result<DbValue> {
    Ok(DbValue::Date((value.year(), value.month().try_into()?, value.day().try_into()?)))
}

fn time(value: NaiveTime) -> Result<DbValue> {
    Ok(DbValue::Time((
        value.hour().try_into()?,
        value.minute().try_into()?,
        value.second().try_into()?,
        value.nanosecond(),
    )))
}

fn range<T: Normalizable + PartialOrd, W>(range: &Range<T>, convert: impl Fn(&T) -> W) -> (Bound<W>, Bound<W>) {
    let lower = range.lower().map(|bound| (convert(&bound.value), bound_kind(bound)));
    let upper = range.upper().map(|bound| (convert(&bound.value), bound_kind(bound)));
    (lower, upper)
}

fn bound_kind<S: BoundSided, T>(bound: &RangeBound<S, T>) -> RangeBoundKind {
    match bound.type_ {
        BoundType::Inclusive => RangeBoundKind::Inclusive,
        BoundType::Exclusive => RangeBoundKind::Exclusive,
    }
}

/// About how much memory a row takes.
pub(super) fn size(row: &[DbValue]) -> usize {
    row.iter().map(|value| size_of::<DbValue>() + heap_size(value)).sum()
}

fn heap_size(value: &DbValue) -> usize {
    match value {
        DbValue::Str(text) | DbValue::Uuid(text) | DbValue::Decimal(text) => text.len(),
        DbValue::Binary(bytes) | DbValue::Jsonb(bytes) | DbValue::Unsupported(bytes) => bytes.len(),
        DbValue::ArrayInt32(items) => size_of_val(items.as_slice()),
        DbValue::ArrayInt64(items) => size_of_val(items.as_slice()),
        DbValue::ArrayStr(items) | DbValue::ArrayDecimal(items) => {
            items.iter().map(|item| size_of::<Option<String>>() + item.as_ref().map_or(0, String::len)).sum()
        }
        _ => 0,
    }
}
