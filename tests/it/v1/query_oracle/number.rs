//! Decimals that are exact: an integer of any size, and how many of its digits stand behind the point.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};

/// A decimal. Equal ones may be written with more or fewer zeros.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    digits: BigInt,
    places: u32,
}

impl Decimal {
    pub(super) const ZERO: Self = Self { digits: BigInt::ZERO, places: 0 };

    pub(super) fn of(integer: usize) -> Self {
        Self { digits: BigInt::from(integer), places: 0 }
    }

    /// Reads `-12.30`; nothing else is a decimal.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        let unsigned = digits.strip_prefix('-').unwrap_or(&digits);
        let is_decimal = !whole.is_empty() && whole != "-" && unsigned.bytes().all(|byte| byte.is_ascii_digit());
        is_decimal.then(|| Self { digits: digits.parse().unwrap(), places: u32::try_from(fraction.len()).unwrap() })
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits == BigInt::ZERO
    }

    /// The digits with so many places, which are no fewer than it has.
    fn digits_with(&self, places: u32) -> BigInt {
        &self.digits * BigInt::from(10).pow(places - self.places)
    }

    fn aligned(&self, other: &Self) -> (BigInt, BigInt, u32) {
        let places = self.places.max(other.places);
        (self.digits_with(places), other.digits_with(places), places)
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let (one, two, places) = self.aligned(other);
        Self { digits: one + two, places }
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        let (one, two, places) = self.aligned(other);
        Self { digits: one - two, places }
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, places: self.places + other.places }
    }

    pub(super) fn size(&self) -> Self {
        let digits = if self.digits.sign() == Sign::Minus { -&self.digits } else { self.digits.clone() };
        Self { digits, places: self.places }
    }

    /// The quotient, rounded to so many places, half away from zero; none over zero.
    pub(super) fn over(&self, divisor: &Self, places: u32) -> Option<Self> {
        if divisor.is_zero() {
            return None;
        }
        let is_negative = (self.digits.sign() == Sign::Minus) != (divisor.digits.sign() == Sign::Minus);
        let (dividend, divisor, _) = self.size().aligned(&divisor.size());
        let rounded: BigInt = (dividend * BigInt::from(10).pow(places) * 2 + &divisor) / (divisor * 2);
        Some(Self { digits: if is_negative { -rounded } else { rounded }, places })
    }

    /// Without the zeros at the end.
    pub(super) fn trimmed(mut self) -> Self {
        let ten = BigInt::from(10);
        while self.places > 0 && &self.digits % &ten == BigInt::ZERO {
            self.digits /= &ten;
            self.places -= 1;
        }
        self
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two, _) = self.aligned(other);
        one.cmp(&two)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places as usize;
        let digits = format!("{:0>1$}", self.digits.magnitude().to_string(), places + 1);
        let sign = if self.digits.sign() == Sign::Minus { "-" } else { "" };
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let point = if places == 0 { "" } else { "." };
        write!(formatter, "{sign}{whole}{point}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn decimals_are_read_and_written_as_they_are() {
        for text in ["0", "-1", "12.30", "-0.05", "123456789012345678901234567890.123456789012345678"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        for text in ["", "-", ".5", "1e3", "1.-5", "+1", "NaN"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sums_have_the_most_places_and_products_all() {
        assert_eq!(decimal("1.10").plus(&decimal("2.205")).to_string(), "3.305");
        assert_eq!(decimal("1.10").minus(&decimal("1.1")).to_string(), "0.00");
        assert_eq!(decimal("-1.50").times(&decimal("2.0")).to_string(), "-3.000");
        assert_eq!(decimal("-3.000").trimmed().to_string(), "-3");
        assert_eq!(decimal("0.00").trimmed().to_string(), "0");
        assert!(decimal("-0.5") < decimal("-0.49"));
        assert_eq!(decimal("1.0"), decimal("1"));
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        for (dividend, divisor, quotient) in [
            ("1", "3", "0.33"),
            ("2", "3", "0.67"),
            ("1", "8", "0.13"),
            ("-1", "8", "-0.13"),
            ("1", "-8", "-0.13"),
            ("-1", "-8", "0.13"),
            ("0.001", "1", "0.00"),
            ("-0.001", "1", "0.00"),
            ("10", "0.05", "200.00"),
        ] {
            assert_eq!(
                decimal(dividend).over(&decimal(divisor), 2).unwrap().to_string(),
                quotient,
                "{dividend}/{divisor}"
            );
        }
        assert_eq!(decimal("1").over(&decimal("0.0"), 12), None);
    }
}
