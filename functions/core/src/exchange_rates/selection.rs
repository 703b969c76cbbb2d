//! Which rates are asked for, or to be removed, by the URL.

use super::{A_DAY, day, is_code};
use crate::page::{invalid_cursor, limit};
use crate::parameters::{Parameters, invalid};
use crate::problem::Problem;
use jiff::civil::Date;

/// Days and currencies.
#[derive(Debug, PartialEq, Eq)]
pub struct RateSelection {
    /// The first day.
    pub from: Option<String>,
    /// The day after the last.
    pub to: Option<String>,
    /// Codes; none for every currency.
    pub currencies: Option<Vec<Option<String>>>,
}

/// Which part of the list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct RatePage {
    /// The most rates.
    pub limit: i32,
    /// The day of the last rate of the page before; none for the first page.
    pub after_day: Option<String>,
    /// Its currency.
    pub after_currency: Option<String>,
}

impl RateSelection {
    /// The parameters of a URL that say it.
    pub const PARAMETERS: [&str; 3] = ["from", "to", "currencies"];

    /// Reads the parameters of a URL; what is left out does not narrow.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let read =
            |name| parameters.get(name).map(|text| day(text).ok_or_else(|| invalid(format!("`{name}` {A_DAY}"))));
        let (from, to): (Option<Date>, Option<Date>) = (read("from").transpose()?, read("to").transpose()?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(invalid("`from` is before `to`, a day that is not in it any more."));
        }
        let written = |day: Date| day.to_string();
        Ok(Self { from: from.map(written), to: to.map(written), currencies: currencies(parameters)? })
    }

    /// The same for what is to be removed, of which the days are not left out by mistake.
    pub fn of_removal(parameters: &Parameters) -> Result<Self, Problem> {
        let selection = Self::of(parameters)?;
        if selection.from.is_none() || selection.to.is_none() {
            return Err(invalid("`from` and `to` say which days' rates are removed; both are needed."));
        }
        Ok(selection)
    }
}

impl RatePage {
    /// The parameters of a URL that say it, and which rates are asked for.
    pub const PARAMETERS: [&str; 5] =
        [RateSelection::PARAMETERS[0], RateSelection::PARAMETERS[1], RateSelection::PARAMETERS[2], "limit", "cursor"];

    /// Reads `limit` and `cursor`, which is written `<day>.<currency>`, as `api.list_exchange_rates` writes it too.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let limit = limit(parameters)?;
        let Some(cursor) = parameters.get("cursor") else {
            return Ok(Self { limit, after_day: None, after_currency: None });
        };
        let (after_day, currency) =
            cursor.split_once('.').filter(|(_, code)| is_code(code)).ok_or_else(invalid_cursor)?;
        let after_day = day(after_day).ok_or_else(invalid_cursor)?.to_string();
        Ok(Self { limit, after_day: Some(after_day), after_currency: Some(currency.to_owned()) })
    }
}

fn currencies(parameters: &Parameters) -> Result<Option<Vec<Option<String>>>, Problem> {
    let Some(text) = parameters.get("currencies") else { return Ok(None) };
    let codes = text.split(',').map(|code| if is_code(code) { Ok(Some(code.to_owned())) } else { Err(()) });
    let codes = codes.collect::<Result<_, _>>();
    codes.map(Some).map_err(|()| invalid("`currencies` has codes of currencies, as USD,GBP."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        Parameters::read(query, &RatePage::PARAMETERS).unwrap()
    }

    #[test]
    fn what_is_left_out_does_not_narrow() {
        let all = RateSelection::of(&parameters("")).unwrap();
        assert_eq!(all, RateSelection { from: None, to: None, currencies: None });
        let some = RateSelection::of(&parameters("from=2026-10-01&to=2026-10-02&currencies=USD,GBP")).unwrap();
        assert_eq!((some.from.as_deref(), some.to.as_deref()), (Some("2026-10-01"), Some("2026-10-02")));
        assert_eq!(some.currencies.unwrap(), [Some("USD".to_owned()), Some("GBP".to_owned())]);
    }

    #[test]
    fn nothing_is_removed_for_want_of_a_day() {
        for query in ["", "from=2026-10-01", "to=2026-10-01", "currencies=USD"] {
            assert!(RateSelection::of(&parameters(query)).is_ok(), "{query}");
            assert!(RateSelection::of_removal(&parameters(query)).is_err(), "{query}");
        }
        assert!(RateSelection::of_removal(&parameters("from=2026-10-01&to=2026-11-01")).is_ok());
    }

    #[test]
    fn what_is_no_selection_is_told() {
        for query in [
            "from=today",
            "from=2026-10-01T00:00:00Z",
            "to=9999-01-01",
            "from=2026-10-02&to=2026-10-02",
            "from=2026-10-02&to=2026-10-01",
            "currencies=",
            "currencies=usd",
            "currencies=USD,",
            "currencies=USD, GBP",
            "currencies=USD;GBP",
        ] {
            assert!(RateSelection::of(&parameters(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn a_page_goes_on_behind_a_day_and_a_currency() {
        let first = RatePage::of(&parameters("")).unwrap();
        assert_eq!(first, RatePage { limit: 50, after_day: None, after_currency: None });
        let next = RatePage::of(&parameters("cursor=2026-10-02.USD&limit=200")).unwrap();
        assert_eq!((next.limit, next.after_day.as_deref()), (200, Some("2026-10-02")));
        assert_eq!(next.after_currency.as_deref(), Some("USD"));
        for query in ["cursor=", "cursor=.", "cursor=2026-10-02", "cursor=2026-10-02.usd", "cursor=1.USD", "limit=0"] {
            assert!(RatePage::of(&parameters(query)).is_err(), "{query}");
        }
    }
}
