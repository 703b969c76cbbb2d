//! Parameters of a URL: what follows the question mark.

use crate::problem::{Kind, Problem};
use jiff::Timestamp;
use uuid::Uuid;

/// The longest value, bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// The parameters of a request, each of them one that the route knows, and given once: what is misspelt would otherwise do
/// silently what nobody meant.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the query of a URL, as `application/x-www-form-urlencoded` (URL Standard, 5.1).
    pub fn read(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut read: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let known = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
                return Err(invalid(format!("The route has no such parameter; it has {known}.")));
            }
            if read.iter().any(|(other, _)| *other == name) {
                return Err(invalid(format!("`{name}` is given once.")));
            }
            if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
                let detail = format!("`{name}` has at most {MAX_VALUE_BYTES} bytes and no control characters.");
                return Err(invalid(detail));
            }
            read.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(read))
    }

    /// The value of a parameter, if it is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is `true`; `false` where it is left out.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(format!("`{name}` is `true` or `false`."))),
        }
    }

    /// A parameter that is a UUID.
    pub fn uuid(&self, name: &str) -> Result<Option<Uuid>, Problem> {
        let read = |text| Uuid::try_parse(text).map_err(|_| invalid(format!("`{name}` is a UUID.")));
        self.get(name).map(read).transpose()
    }

    /// A parameter that is an instant.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.get(name).map(|text| instant(text).ok_or_else(|| invalid(format!("`{name}` {AN_INSTANT}")))).transpose()
    }
}

/// What an instant looks like, behind the name of what should be one.
pub const AN_INSTANT: &str = "is a time with an offset, as 2026-11-22T07:00:00Z (RFC 3339), not before 1970.";

/// An instant of RFC 3339 that the database takes.
pub fn instant(text: &str) -> Option<Timestamp> {
    // The parser takes a zone in brackets and forgets it; a plus sign that is not encoded is a blank.
    let is_plain = !text.ends_with(']') && !text.contains(' ');
    text.parse().ok().filter(|instant| is_plain && *instant >= Timestamp::UNIX_EPOCH)
}

/// A problem with a parameter.
pub fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::InvalidParameter, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["source", "dry_run", "from", "store_id"];

    fn read(query: &str) -> Result<Parameters, Kind> {
        Parameters::read(query, KNOWN).map_err(|problem| problem.kind())
    }

    #[test]
    fn values_are_decoded() {
        let parameters = read("source=https%3A%2F%2Fshop.example%2Fa+b&dry_run=true").unwrap();
        assert_eq!(parameters.get("source"), Some("https://shop.example/a b"));
        assert!(parameters.flag("dry_run").unwrap());
        assert!(!read("").unwrap().flag("dry_run").unwrap());
    }

    #[test]
    fn what_the_route_does_not_know_is_refused() {
        for query in ["dryrun=true", "dry_run=true&dry_run=true", "source=a%00b", "x", "source=a&SOURCE=b"] {
            assert_eq!(read(query).unwrap_err(), Kind::InvalidParameter, "{query}");
        }
        let long = format!("source={}", "x".repeat(MAX_VALUE_BYTES + 1));
        assert_eq!(read(&long).unwrap_err(), Kind::InvalidParameter);
        assert!(Parameters::read("a=1", &[]).is_err());
    }

    #[test]
    fn values_have_their_form() {
        for query in ["dry_run=1", "dry_run=", "dry_run=True"] {
            assert!(read(query).unwrap().flag("dry_run").is_err(), "{query}");
        }
        assert!(read("store_id=shop").unwrap().uuid("store_id").is_err());
        assert!(read("store_id=33333333-3333-4333-8333-333333333333").unwrap().uuid("store_id").unwrap().is_some());
        for bad in ["2026-11-22", "2026-11-22T07:00:00", "2026-11-22T07:00:00+02:00", "1969-12-31T23:59:59Z", "x"] {
            assert!(read(&format!("from={bad}")).unwrap().instant("from").is_err(), "{bad}");
        }
        let good = read("from=2026-11-22T09:00:00%2B02:00").unwrap();
        assert_eq!(good.instant("from").unwrap().unwrap().to_string(), "2026-11-22T07:00:00Z");
    }
}
