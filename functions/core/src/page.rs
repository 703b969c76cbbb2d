//! Lists in pages, newest first: `?limit=` and `?cursor=` of the URL.

use crate::parameters::{Parameters, invalid};
use crate::problem::Problem;
use jiff::Timestamp;
use std::str::FromStr;
use uuid::Uuid;

/// The most entries of a page.
const MAX_LIMIT: i32 = 200;
/// The entries of a page, where the URL does not say.
const DEFAULT_LIMIT: i32 = 50;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The most entries.
    pub limit: i32,
    /// Where the page before this one ended; none for the first.
    pub after: Option<Cursor>,
}

/// The last entry of a page: its time and its id. Written `<microseconds since 1970>.<id>`, as functions of `api` write
/// it too; to a client it is one word that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    at: Timestamp,
    id: Uuid,
}

impl Page {
    /// The parameters of a URL that say which page.
    pub const PARAMETERS: [&str; 2] = ["limit", "cursor"];

    /// Reads `limit` and `cursor`.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let after = parameters.get("cursor").map(str::parse);
        Ok(Self { limit: limit(parameters)?, after: after.transpose()? })
    }

    /// The time of the entry before this page, RFC 3339.
    pub fn after_time(&self) -> Option<String> {
        self.after.map(|cursor| cursor.at.to_string())
    }

    /// The id of the entry before this page.
    pub fn after_id(&self) -> Option<String> {
        self.after.map(|cursor| cursor.id.to_string())
    }
}

/// The most entries of a page, for lists of any order.
pub(crate) fn limit(parameters: &Parameters) -> Result<i32, Problem> {
    match parameters.get("limit").map(str::parse) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => Err(invalid(format!("`limit` is a number from 1 to {MAX_LIMIT}."))),
    }
}

/// What is no cursor of a list.
pub(crate) fn invalid_cursor() -> Problem {
    invalid("`cursor` is the `next_cursor` of the page before, as it was written.")
}

impl FromStr for Cursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let read = || {
            let (at, id) = text.split_once('.')?;
            // What is before 1970 would be no time of ours, and perhaps none of Postgres.
            let at = at.parse().ok().filter(|microseconds| *microseconds >= 0)?;
            Some(Self { at: Timestamp::from_microsecond(at).ok()?, id: Uuid::try_parse(id).ok()? })
        };
        read().ok_or_else(invalid_cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;

    fn page(query: &str) -> Result<Page, Problem> {
        Page::of(&Parameters::read(query, &Page::PARAMETERS)?)
    }

    const CURSOR: &str = "1764061200123456.22222222-2222-4222-8222-222222222222";

    #[test]
    fn what_is_left_out_is_understood() {
        let first = Page { limit: 50, after: None };
        assert_eq!(page("").unwrap(), first);
        assert_eq!((first.after_time(), first.after_id()), (None, None));
    }

    #[test]
    fn a_cursor_is_exact_to_the_microsecond() {
        let second = page(&format!("cursor={CURSOR}&limit=200")).unwrap();
        assert_eq!(second.limit, 200);
        assert_eq!(second.after_time().unwrap(), "2025-11-25T09:00:00.123456Z");
        assert_eq!(second.after_id().unwrap(), "22222222-2222-4222-8222-222222222222");
    }

    #[test]
    fn what_is_no_page_is_told() {
        let cursors = ["", ".", "1.x", "x.22222222-2222-4222-8222-222222222222", &CURSOR.replace('.', ""), "1"];
        let negative = format!("-{CURSOR}");
        let huge = format!("999999{CURSOR}");
        let cursors = cursors.into_iter().chain([negative.as_str(), &huge]).map(|cursor| format!("cursor={cursor}"));
        let limits = ["limit=0", "limit=201", "limit=-1", "limit=", "limit", "limit=5&limit=5", "limit=x", "limit=1.5"];
        for query in limits.map(str::to_owned).into_iter().chain(cursors) {
            assert_eq!(page(&query).unwrap_err().kind(), Kind::InvalidParameter, "{query}");
        }
    }
}
