//! The Postgres types that the driver has no Rust type for: intervals, ranges of decimals, NULL of any type, and raw bytes.

use std::error::Error;

use bytes::{Buf as _, BufMut as _, BytesMut};
use postgres_range::{BoundSided, Normalizable, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::wit;

type BoxError = Box<dyn Error + Sync + Send>;

/// INTERVAL: microseconds, days and months.
#[derive(Debug)]
pub(super) struct Interval(pub(super) wit::Interval);

impl ToSql for Interval {
    to_sql_checked!();

    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        out.put_i64(self.0.micros);
        out.put_i32(self.0.days);
        out.put_i32(self.0.months);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INTERVAL
    }
}

impl FromSql<'_> for Interval {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        let mut raw = raw;
        if raw.len() != 16 {
            return Err("an interval must be 16 bytes long".into());
        }
        Ok(Self(wit::Interval { micros: raw.get_i64(), days: raw.get_i32(), months: raw.get_i32() }))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INTERVAL
    }
}

/// A decimal as the bound of a range.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct RangeDecimal(pub(super) Decimal);

impl Normalizable for RangeDecimal {
    fn normalize<S: BoundSided>(bound: RangeBound<S, Self>) -> RangeBound<S, Self> {
        bound
    }
}

impl ToSql for RangeDecimal {
    to_sql_checked!();

    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as ToSql>::accepts(ty)
    }
}

impl<'a> FromSql<'a> for RangeDecimal {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Decimal::from_sql(ty, raw).map(Self)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as FromSql<'_>>::accepts(ty)
    }
}

/// NULL, whatever the type: the driver's own NULLs have one.
#[derive(Debug)]
pub(super) struct Null;

impl ToSql for Null {
    to_sql_checked!();

    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, BoxError> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The bytes of a value as the server sent them.
#[derive(Debug)]
pub(super) struct Raw(pub(super) Vec<u8>);

impl FromSql<'_> for Raw {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        Ok(Self(raw.to_owned()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
