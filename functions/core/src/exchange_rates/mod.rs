//! `/v1/exchange-rates`: the rates that an organization loads, and which are asked for.

mod selection;
mod upload;

pub use selection::{RatePage, RateSelection};
pub use upload::{MAX_UPLOAD_BYTES, Upload};

use jiff::civil::{Date, date};

/// The days that a rate can count for.
const DAYS: std::ops::RangeInclusive<Date> = date(1970, 1, 1)..=date(9998, 12, 31);

/// What a day looks like, behind the name of what should be one.
const A_DAY: &str = "is a day from 1970-01-01 to 9998-12-31, as 2026-10-02.";

/// A day as `2026-10-02`; the parser takes more.
fn day(text: &str) -> Option<Date> {
    let day: Date = if text.len() == "2026-10-02".len() { text.parse().ok()? } else { return None };
    (DAYS.contains(&day) && day.to_string() == text).then_some(day)
}

/// Whether a text has the form of a currency's code, of today or not.
fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_one_way() {
        for good in ["1970-01-01", "2024-02-29", "9998-12-31"] {
            assert_eq!(day(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "1969-12-31",
            "9999-01-01",
            "2026-02-29",
            "20261002",
            "2026-1-02",
            "2026-10-2x",
            "2026-W40-5",
            "２６-10-02",
        ] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }
}
