//! `PUT /v1/exchange-rates`: rates as they are sent, and as the database takes them.

use super::{A_DAY, day};
use crate::events::{CURRENCIES, as_written};
use crate::object::Object;
use crate::problem::{Kind, Problem};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// The largest body, bytes.
pub const MAX_UPLOAD_BYTES: usize = 1024 * 1024;
/// The most rates, each day and currency by itself.
const MAX_RATES: usize = 10_000;
/// The most days after the first that the same rates count for.
const MAX_FURTHER_DAYS: i32 = 10;
/// The highest rate is a one and so many zeros.
const MAX_RATE_ZEROS: usize = 9;

/// Rates, each a line of each text; no day and currency twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// Days, as `2026-10-02`.
    pub days: String,
    /// ISO 4217 codes.
    pub currencies: String,
    /// Decimals as they were written.
    pub rates: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    rates: Vec<Object<Entry<'a>>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    day: Cow<'a, str>,
    #[serde(borrow)]
    through: Option<Cow<'a, str>>,
    #[serde(borrow)]
    rates: Pairs<'a>,
}

/// The fields of an object as they stand there: a map would keep one of two that have the same name, and not say so.
struct Pairs<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Upload {
    /// Reads `{"rates": [{"day", "through", "rates": {"USD": …}}]}`.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let Object(Body { rates: entries }) = serde_json::from_slice(body).map_err(|error| {
            let wanted = "Send {\"rates\": [{\"day\": \"2026-10-02\", \"rates\": {\"USD\": \"1.1712\"}}]}";
            Problem::new(Kind::MalformedBody, format!("{wanted}: {error}."))
        })?;
        let mut upload = Self::default();
        let mut known = BTreeSet::new();
        for Object(Entry { day, through, rates: Pairs(pairs) }) in &entries {
            let days = days(day, through.as_deref())?;
            for (code, raw) in pairs {
                let (code, rate) = (currency(code)?, rate(code, raw.get())?);
                for day in &days {
                    if !known.insert((*day, code)) {
                        return Err(invalid(format!("The rate of {code} on {day} is there twice.")));
                    }
                    if known.len() > MAX_RATES {
                        let detail = format!(
                            "There are more than {MAX_RATES} rates, the most that are taken at once; each day and currency \
                             is one."
                        );
                        return Err(Problem::new(Kind::TooManyRates, detail));
                    }
                    upload.push(*day, code, rate);
                }
            }
        }
        if known.is_empty() {
            return Err(invalid("There is no rate.".to_owned()));
        }
        Ok(upload)
    }

    fn push(&mut self, day: Date, currency: &str, rate: &str) {
        let day = day.to_string();
        for (lines, line) in [(&mut self.days, day.as_str()), (&mut self.currencies, currency), (&mut self.rates, rate)]
        {
            if !lines.is_empty() {
                lines.push('\n');
            }
            lines.push_str(line);
        }
    }
}

/// The days that the same rates count for.
fn days(first: &str, through: Option<&str>) -> Result<Vec<Date>, Problem> {
    let first = day(first).ok_or_else(|| invalid(format!("`day` {A_DAY}")))?;
    let Some(through) = through else { return Ok(vec![first]) };
    let through = day(through).ok_or_else(|| invalid(format!("`through` {A_DAY}")))?;
    let last = first.saturating_add(MAX_FURTHER_DAYS.days());
    if !(first..=last).contains(&through) {
        return Err(invalid(format!(
            "`through` is the last day that the rates of {first} count for: {first} to {last}, not {through}."
        )));
    }
    Ok(first.series(1.day()).take_while(|day| *day <= through).collect())
}

fn currency(code: &str) -> Result<&str, Problem> {
    if code == "EUR" || CURRENCIES.binary_search(&code).is_err() {
        let detail =
            "The names in `rates` are current codes of ISO 4217, such as \"USD\", and never EUR, whose rate is 1.";
        return Err(invalid(detail.to_owned()));
    }
    Ok(code)
}

/// A decimal as it was written, a text or a JSON number.
fn rate<'a>(code: &str, raw: &'a str) -> Result<&'a str, Problem> {
    as_written(raw).filter(|text| is_rate(text)).ok_or_else(|| {
        invalid(format!(
            "The rate of {code} is a decimal above 0, at most 1{} and with at most 18 digits after the point: units of the \
             currency for one euro, such as \"1.1712\".",
            "0".repeat(MAX_RATE_ZEROS)
        ))
    })
}

/// Whether a decimal is above zero and not too large: by its digits, since it never becomes a float.
fn is_rate(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [integer, fraction].concat();
    let digits = all.trim_start_matches('0');
    // How many of the digits stand before the point, or how many zeros behind it.
    let before_point = exponent.parse::<i64>().ok().and_then(|exponent| {
        let leading_zeros = i64::try_from(all.len() - digits.len()).ok()?;
        i64::try_from(integer.len()).ok()?.checked_add(exponent)?.checked_sub(leading_zeros)
    });
    let most = i64::try_from(MAX_RATE_ZEROS).unwrap_or(i64::MAX);
    let is_the_highest = || digits.strip_prefix('1').is_some_and(|rest| rest.bytes().all(|digit| digit == b'0'));
    !text.starts_with('-')
        && !digits.is_empty()
        && before_point.is_some_and(|digits| digits <= most || (digits == most + 1 && is_the_highest()))
}

fn invalid(detail: String) -> Problem {
    Problem::new(Kind::InvalidField, detail)
}

/// Reads [`Pairs`].
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some((Name(name), value)) = fields.next_entry()? {
            pairs.push((name, value));
        }
        Ok(Pairs(pairs))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// A text that is borrowed where it can be, which `Cow` by itself never is.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(body: &Value) -> Result<Upload, Kind> {
        Upload::read(body.to_string().as_bytes()).map_err(|problem| problem.kind())
    }

    fn refused(entry: Value) -> (Kind, String) {
        let problem = Upload::read(json!({"rates": [entry]}).to_string().as_bytes()).unwrap_err();
        (problem.kind(), problem.detail().to_owned())
    }

    #[test]
    fn the_same_rates_count_for_every_day_that_is_named() {
        let upload = read(&json!({"rates": [
            {"day": "2026-10-02", "through": "2026-10-04", "rates": {"USD": "1.1712"}},
            {"day": "2026-10-05", "rates": {"JPY": "170.00", "USD": "1.18"}},
        ]}));
        let expected = Upload {
            days: "2026-10-02\n2026-10-03\n2026-10-04\n2026-10-05\n2026-10-05".to_owned(),
            currencies: "USD\nUSD\nUSD\nJPY\nUSD".to_owned(),
            rates: "1.1712\n1.1712\n1.1712\n170.00\n1.18".to_owned(),
        };
        assert_eq!(upload, Ok(expected));
    }

    #[test]
    fn a_rate_stays_as_it_was_written() {
        for written in ["1.10", "\"1.10\"", "1.1712345678901234567", "1e9", "\"1000000000.000\"", "1E-3", "0.000000001"]
        {
            let body = format!(r#"{{"rates": [{{"day": "2026-10-02", "rates": {{"USD": {written}}}}}]}}"#);
            match Upload::read(body.as_bytes()) {
                Ok(upload) => assert_eq!(upload.rates, written.trim_matches('"')),
                Err(problem) => assert_eq!((written, problem.kind()), ("1.1712345678901234567", Kind::InvalidField)),
            }
        }
    }

    #[test]
    fn what_is_no_rate_is_told_with_its_currency() {
        for bad in [
            json!("0"),
            json!(0),
            json!("0.000"),
            json!("-1"),
            json!("1000000001"),
            json!("1000000000.000000000000000001"),
            json!(1e10),
            json!(1e300),
            json!("1e3"),
            json!(""),
            json!("1,17"),
            json!("NaN"),
            json!("Infinity"),
            json!("1.1712 "),
            json!(true),
            json!(["1"]),
            Value::Null,
        ] {
            let (kind, detail) = refused(json!({"day": "2026-10-02", "rates": {"USD": bad}}));
            assert!(kind == Kind::InvalidField && detail.contains("USD"), "{bad}: {detail}");
        }
        for good in ["000.5", "0.000000000000000001", "999999999.999999999999999999", "1000000000"] {
            assert!(is_rate(good), "{good}");
        }
    }

    #[test]
    fn a_currency_is_one_of_today_and_not_the_euro() {
        for bad in ["EUR", "usd", "DEM", "", "USDX", "U\u{0}D"] {
            let (kind, _) = refused(json!({"day": "2026-10-02", "rates": {bad: "1"}}));
            assert_eq!(kind, Kind::InvalidField, "{bad}");
        }
    }

    #[test]
    fn days_have_an_end_that_is_near() {
        let through =
            |through: &str| read(&json!({"rates": [{"day": "2026-10-02", "through": through, "rates": {"USD": "1"}}]}));
        assert_eq!(through("2026-10-02").unwrap().days, "2026-10-02");
        assert_eq!(through("2026-10-12").unwrap().days.lines().count(), 11);
        for bad in ["2026-10-01", "2026-10-13", "9998-12-31", "", "2026-10-03T00:00:00Z"] {
            assert_eq!(through(bad), Err(Kind::InvalidField), "{bad}");
        }
        for day in ["1969-12-31", "9999-01-01", "2026-02-30", "today"] {
            assert_eq!(refused(json!({"day": day, "rates": {"USD": "1"}})).0, Kind::InvalidField, "{day}");
        }
        let last = json!({"rates": [{"day": "9998-12-30", "through": "9998-12-31", "rates": {"USD": "1"}}]});
        assert_eq!(read(&last).unwrap().days, "9998-12-30\n9998-12-31");
    }

    #[test]
    fn a_rate_that_is_there_twice_is_named() {
        for entries in [
            r#"{"day": "2026-10-02", "rates": {"USD": "1", "USD": "1"}}"#,
            r#"{"day": "2026-10-02", "rates": {"USD": "1", "\u0055SD": "1"}}"#,
            r#"{"day": "2026-10-01", "through": "2026-10-03", "rates": {"USD": "1"}}, {"day": "2026-10-02", "rates": {"USD": "1"}}"#,
        ] {
            let problem = Upload::read(format!(r#"{{"rates": [{entries}]}}"#).as_bytes()).unwrap_err();
            assert_eq!(problem.kind(), Kind::InvalidField, "{entries}");
            assert!(problem.detail().contains("USD on 2026-10-02"), "{}", problem.detail());
        }
    }

    #[test]
    fn the_bound_counts_days_and_currencies() {
        let day = |number: i32| jiff::civil::date(2000, 1, 1).saturating_add(number.days()).to_string();
        let entry = |number: i32| json!({"day": day(number * 10), "through": day(number * 10 + 9), "rates": {"USD": "1", "GBP": "2"}});
        let entries = |count: i32| (0..count).map(entry).collect::<Vec<_>>();
        let most = read(&json!({"rates": entries(500)})).unwrap();
        assert_eq!(most.days.lines().count(), MAX_RATES);
        assert_eq!(read(&json!({"rates": entries(501)})), Err(Kind::TooManyRates));
    }

    #[test]
    fn what_is_no_upload_is_told() {
        for body in [
            json!({}),
            json!([]),
            json!({"rates": {}}),
            json!({"rates": [["2026-10-02", null, {"USD": "1"}]]}),
            json!({"rates": [{"rates": {"USD": "1"}}]}),
            json!({"rates": [{"day": "2026-10-02"}]}),
            json!({"rates": [{"day": "2026-10-02", "rates": [["USD", "1"]]}]}),
            json!({"rates": [{"day": "2026-10-02", "rates": {"USD": "1"}, "to": "2026-10-04"}]}),
            json!({"rates": [], "base": "USD"}),
        ] {
            assert_eq!(read(&body), Err(Kind::MalformedBody), "{body}");
        }
        for body in [json!({"rates": []}), json!({"rates": [{"day": "2026-10-02", "rates": {}}]})] {
            assert_eq!(read(&body), Err(Kind::InvalidField), "{body}");
        }
        assert_eq!(Upload::read(b"{").unwrap_err().kind(), Kind::MalformedBody);
        assert_eq!(Upload::read(b"").unwrap_err().kind(), Kind::MalformedBody);
    }
}
