//! Values: decimals as they were written.

use super::fault::{Fault, fault};

/// Digits of a value before and after the point.
const MAX_INTEGER_DIGITS: i16 = 30;
const MAX_FRACTION_DIGITS: i16 = 18;

/// The value of an event.
pub(super) fn decimal(raw: &str) -> Result<&str, Fault> {
    let invalid = || {
        let detail = format!(
            "`value` is a decimal of at most {MAX_INTEGER_DIGITS} digits before and {MAX_FRACTION_DIGITS} after the point, such as \"129.90\"."
        );
        fault("invalid_value", detail)
    };
    as_written(raw).ok_or_else(invalid)
}

/// A decimal as it was written, a JSON number or a string of one: it never becomes a float. A number may have an exponent,
/// which is how some languages write small ones.
pub(crate) fn as_written(raw: &str) -> Option<&str> {
    let quoted = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = quoted.unwrap_or(raw);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if quoted.is_none() => (mantissa, exponent.parse::<i16>().ok()),
        _ => (text, Some(0)),
    };
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str, max: i16, shift: i16| {
        let length = i16::try_from(part.len()).unwrap_or(i16::MAX);
        !part.is_empty() && length.saturating_add(shift) <= max && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let fits = exponent.is_some_and(|exponent| {
        all_digits(integer, MAX_INTEGER_DIGITS, exponent.max(0))
            && all_digits(fraction, MAX_FRACTION_DIGITS, exponent.min(0).saturating_neg())
    });
    fits.then_some(text)
}
